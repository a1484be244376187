"""Super-resolution networks: a Keras model of any `plans.Plan`, and its weights by name.

The model maps RGB float32 in [0, 1], `(batch, height, width, 3)`, to the residual on the bicubic
base before the pixel shuffle, `(batch, height, width, 3 * scale**2)` float32. A fresh model returns
zeros, so training starts at the quality of bicubic interpolation.
"""

from collections.abc import Mapping

import keras
import numpy as np

from gantools.errors import UserError
from gantools.nets.blocks import layer_seed
from gantools.nets.plans import Plan, Step

WEIGHTS = ("kernel", "bias", "alpha")


@keras.saving.register_keras_serializable(package="gantools")
class Gate(keras.layers.Layer):
    """x * (sigmoid(x) - 1/2): an attention without parameters.

    Source: Wan et al. 2024, arXiv 2311.12770 (SPAN).
    """

    def call(self, x):
        """Return the gated tensor, shape and dtype of `x`."""
        return x * (keras.ops.sigmoid(x) - 0.5)

    def compute_output_shape(self, input_shape):
        """Return `input_shape`."""
        return input_shape


def build(plan: Plan, *, seed: int = 0) -> keras.Model:
    """Return the Keras model of `plan`; its layers are named like the steps.

    Kernels are Glorot uniform; the last convolution starts at zero.

    Args:
        plan: Topology, see `gantools.nets.plans`.
        seed: Same seed, same weights.

    Returns:
        A functional model: `(batch, height, width, 3)` float32 in [0, 1] ->
        `(batch, height, width, 3 * scale**2)` float32. Height and width are free.
    """
    results = {"input": keras.Input((None, None, 3), name="input")}
    last_conv = [step.out for step in plan.steps if step.op == "conv"][-1]
    for step in plan.steps:
        inputs = [results[name] for name in step.inputs]
        layer = _layer(step, layer_seed(seed, step.out), zero=step.out == last_conv)
        results[step.out] = layer(inputs if step.op in ("add", "concat") else inputs[0])
    # A cast to float32 under mixed precision, nothing otherwise: the loss is computed in float32.
    residual = keras.layers.Activation("linear", dtype="float32", name="residual")
    return keras.Model(results["input"], residual(results[plan.steps[-1].out]), name=plan.name)


def _layer(step: Step, seed: int, *, zero: bool) -> keras.layers.Layer:
    """Return the layer of one step."""
    if step.op == "conv":
        kernel = "zeros" if zero else keras.initializers.GlorotUniform(seed)
        return keras.layers.Conv2D(
            step.channels, step.kernel, padding="same", kernel_initializer=kernel, name=step.out
        )
    if step.op == "leaky_relu":
        return keras.layers.LeakyReLU(step.slope, name=step.out)
    if step.op == "prelu":
        alpha = keras.initializers.Constant(0.2)
        return keras.layers.PReLU(alpha, shared_axes=(1, 2), name=step.out)
    if step.op == "gate":
        return Gate(name=step.out)
    if step.op == "add":
        return keras.layers.Add(name=step.out)
    if step.op == "concat":
        return keras.layers.Concatenate(name=step.out)
    if step.op == "scale":
        return keras.layers.Rescaling(step.slope, name=step.out)
    return keras.layers.Activation(step.op, name=step.out)


def get_weights_by_name(model: keras.Model) -> dict[str, np.ndarray]:
    """Return every weight of a model from `build`, named and shaped as in `Plan.weight_shapes`.

    Returns:
        Float32 arrays (copies) by name: `head/kernel` (kernel, kernel, channels_in, channels_out),
        `head/bias` (channels_out,), `act/alpha` (channels,).
    """
    arrays = {}
    for name, variable in _variables(model).items():
        value = variable.numpy().astype("float32")
        arrays[name] = value.reshape(-1).copy() if name.endswith("/alpha") else value.copy()
    return arrays


def set_weights_by_name(model: keras.Model, arrays: Mapping[str, np.ndarray]):
    """Put `arrays` into a model from `build`.

    Args:
        model: The model to change.
        arrays: Arrays of any float dtype by name, as `get_weights_by_name` returns them.

    Raises:
        UserError: names or shapes differ; nothing is changed then.
    """
    variables = _variables(model)
    shapes = {name: _plan_shape(name, variable) for name, variable in variables.items()}
    fitting = [n for n in shapes if n in arrays and tuple(arrays[n].shape) == shapes[n]]
    wrong = sorted((set(shapes) | set(arrays)) - set(fitting))
    if wrong:
        raise UserError(
            f"The weights do not belong to the network {model.name!r}: expected the names and "
            f"shapes of its plan. Received something else for {', '.join(wrong[:5])}."
        )
    for name in fitting:
        value = np.asarray(arrays[name], "float32")
        variables[name].assign(value.reshape(variables[name].shape))


def _variables(model: keras.Model) -> dict[str, keras.Variable]:
    """Return the variables of all layers by `layer/attribute`."""
    return {
        f"{layer.name}/{attribute}": getattr(layer, attribute)
        for layer in model.layers
        for attribute in WEIGHTS
        if getattr(layer, attribute, None) is not None
    }


def _plan_shape(name: str, variable: keras.Variable) -> tuple[int, ...]:
    """Return the shape of a variable in the plan: Keras keeps alpha as (1, 1, channels)."""
    return tuple(variable.shape[-1:]) if name.endswith("/alpha") else tuple(variable.shape)
