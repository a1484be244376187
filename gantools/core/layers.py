"""Layers that a GAN needs and that behave the same on every backend."""

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


def _unit(vector):
    return vector / ops.sqrt(ops.sum(ops.square(vector)) + 1e-12)
