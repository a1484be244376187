"""Layers that a GAN needs and that behave the same on every backend."""

import functools
import math

import keras
from keras import ops

from gantools.errors import UserError


@keras.saving.register_keras_serializable("gantools")
class SpectralNormalization(keras.layers.Layer):
    """Divide the kernel of a linear layer by its largest singular value.

    The raw kernel W stays the variable. Each call computes, with u, v not differentiated,
    v = n(W u), u' = n(W^T v), sigma = v^T W u' and returns x * (W / sigma) + b; u' is stored when
    training. W is seen as a matrix `(everything else, channels_out)`.

    keras.layers.SpectralNormalization assigns W / sigma to the kernel instead: its gradients then
    differ between backends by a factor of 9.5, and a saved kernel is not the trained one.

    Args:
        layer: A Dense, Conv or ConvTranspose layer, not built yet. Its bias and activation are
            applied here, after the division.
        iterations: Power iterations per training call.

    Call arguments:
        inputs: What `layer` takes.
        training: Whether to refine u.

    Raises:
        UserError: `layer` is already built.

    Source: Miyato et al. 2018, arXiv 1802.05957, algorithm 1.
    """

    def __init__(self, layer, iterations=1, **kwargs):
        super().__init__(**kwargs)
        if layer.built:
            raise UserError(f"{layer.name} is already built; wrap layers before their first call.")
        self.layer, self.iterations = layer, iterations
        self.activation, self.use_bias = layer.activation, layer.use_bias
        layer.activation, layer.use_bias = keras.activations.linear, False

    def build(self, input_shape):
        """Create the wrapped layer's kernel, u and the bias."""
        self.layer.build(input_shape)
        axis = self._channel_axis()
        channels = self.layer.kernel.shape[axis]
        self.u = self.add_weight(
            name="u",
            shape=(channels,),
            initializer=keras.initializers.RandomNormal(0.0, 1.0, seed=channels),
            trainable=False,
            dtype="float32",
        )
        self.u.assign(_unit(self.u.value))
        if self.use_bias:
            self.bias = self.add_weight(
                name="bias", shape=(channels,), initializer=self.layer.bias_initializer
            )
        self.built = True

    def call(self, inputs, training=False):
        """Apply the normalised layer."""
        sigma = self._sigma(training)
        outputs = self.layer(inputs)  # linear in the kernel: dividing here divides the kernel
        outputs = outputs / ops.cast(sigma, outputs.dtype)
        if self.use_bias:
            outputs = outputs + ops.cast(self.bias, outputs.dtype)
        return self.activation(outputs)

    def _sigma(self, training):
        kernel = ops.convert_to_tensor(self.layer.kernel.value, "float32")
        rank = len(kernel.shape)
        channel = self._channel_axis() % rank
        matrix = ops.transpose(kernel, [*(i for i in range(rank) if i != channel), channel])
        matrix = ops.reshape(matrix, (-1, self.u.shape[0]))  # (everything else, channels_out)
        fixed, u = ops.stop_gradient(matrix), ops.stop_gradient(self.u.value)
        for _ in range(self.iterations):
            v = _unit(ops.matmul(fixed, u))
            u = _unit(ops.matmul(ops.transpose(fixed), v))
        u, v = ops.stop_gradient(u), ops.stop_gradient(v)
        if training:
            self.u.assign(u)
        return ops.sum(v * ops.matmul(matrix, u))

    def _channel_axis(self):
        """Transposed convolutions keep `(*kernel, channels_out, channels_in)`."""
        return -2 if "Transpose" in type(self.layer).__name__ else -1

    def compute_output_shape(self, input_shape):
        """Return the wrapped layer's output shape."""
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        """Return the arguments; the wrapped layer with its own activation and bias."""
        layer = keras.saving.serialize_keras_object(self.layer)
        layer.pop("build_config", None)  # a rebuilt wrapper builds its layer itself
        layer["config"]["activation"] = keras.activations.serialize(self.activation)
        layer["config"]["use_bias"] = self.use_bias
        return {**super().get_config(), "layer": layer, "iterations": self.iterations}

    @classmethod
    def from_config(cls, config):
        """Rebuild the wrapper and the layer inside."""
        layer = keras.saving.deserialize_keras_object(config.pop("layer"))
        return cls(layer, **config)


@keras.saving.register_keras_serializable("gantools")
class MinibatchStd(keras.layers.Layer):
    """Append how much samples differ within small groups, so that a critic sees collapse.

    In a group the standard deviation of every feature over its samples is averaged to `features`
    numbers, which become constant channels: `(batch, *space, c)` -> `(batch, *space, c + n)`.

    A sample's score then depends on its group. A gradient penalty, which is defined for scores that
    depend on one sample only, takes the gradient of the sum of a group's scores instead; with this
    layer near the end of the critic, as in StyleGAN2, that difference is small but it is there.

    Args:
        group: Samples of a group: the largest divisor of the batch up to this number is taken.
        features: Channels appended; must divide c.

    Raises:
        UserError: a number below 1, or `features` does not divide c.

    Source: Karras et al. 2017 (progressive growing), arXiv 1710.10196, section 3; groups of 4 as in
    StyleGAN2, arXiv 1912.04958.
    """

    def __init__(self, group=4, features=1, **kwargs):
        super().__init__(**kwargs)
        if group < 1 or features < 1:
            raise UserError(
                f"group and features must be >= 1. Received: group={group}, features={features}"
            )
        self.group, self.features = group, features

    def build(self, input_shape):
        """Check the number of channels."""
        if input_shape[-1] % self.features:
            raise UserError(
                f"features must divide the channels. Received: features={self.features}, "
                f"channels={input_shape[-1]}"
            )
        self.built = True

    def call(self, x):
        """Return `x` with the channels of deviations."""
        *space, channels = x.shape[1:]
        group = _largest_divisor(ops.shape(x)[0], self.group)
        y = ops.cast(ops.reshape(x, (group, -1, *space, channels)), "float32")
        y = y - ops.mean(y, axis=0, keepdims=True)
        y = ops.sqrt(ops.mean(ops.square(y), axis=0) + 1e-8)  # (batch / group, *space, channels)
        y = ops.reshape(y, (-1, math.prod(space), self.features, channels // self.features))
        y = ops.reshape(ops.mean(y, axis=(1, 3)), (-1, *[1] * len(space), self.features))
        y = ops.tile(y, (group, *space, 1))
        return ops.concatenate([x, ops.cast(y, x.dtype)], axis=-1)

    def compute_output_shape(self, input_shape):
        """Return the input's shape with `features` more channels."""
        return (*input_shape[:-1], input_shape[-1] + self.features)

    def get_config(self):
        """Return the arguments."""
        return {**super().get_config(), "group": self.group, "features": self.features}


def _largest_divisor(number, most):
    """Return the largest divisor up to `most`; a tensor of a tensor: TensorFlow learns it late."""
    if isinstance(number, int):
        return max(n for n in range(1, most + 1) if number % n == 0)
    return functools.reduce(
        ops.maximum,
        [ops.where(ops.equal(number % n, 0), n, 1) for n in range(1, most + 1)],
    )


def _unit(vector):
    return vector / ops.sqrt(ops.sum(ops.square(vector)) + 1e-12)
