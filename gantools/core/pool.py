"""A pool of past fakes: the discriminator is reminded of what the generator made some time ago."""

import keras
from keras import ops

from gantools.errors import UserError


@keras.saving.register_keras_serializable("gantools")
class HistoryPool(keras.layers.Layer):
    """Keep past fakes and mix them into new batches.

    The samples of a batch come one after the other. Until the pool is full each is stored and
    returned. Then it is returned with probability 1/2; else it takes the place of a random stored
    one, which is returned in its stead. The loop is written as comparisons of positions, so that
    it compiles on every backend; the result is that of the loop.

    The pool belongs into `Game.memory`, so that it is saved and restored with the run. Its draws
    are `uniform(2)` of `gantools.core`.

    Args:
        shape: Shape of one sample.
        size: Samples that the pool holds.

    Call arguments:
        x: `(batch, *shape)`; its gradient is stopped.
        draw: float32 `(batch, 2)`, uniform in [-1, 1): whether to swap, and with which.
        training: False returns `x` and leaves the pool alone.

    Raises:
        UserError: `size` is not positive.

    Source: Shrivastava et al. 2017, arXiv 1612.07828, section 2.3; with one sample at a time as in
        Zhu et al. 2017, arXiv 1703.10593, section 4.
    """

    def __init__(self, shape, size=50, **kwargs):
        super().__init__(**kwargs)
        if size < 1:
            raise UserError(f"A pool holds at least one sample. Received: size={size}.")
        self.shape, self.size = tuple(shape), size
        # Among replicas the first one's fakes are kept: a mean of pictures is none.
        fixed = {"initializer": "zeros", "trainable": False, "aggregation": "only_first_replica"}
        self.samples = self.add_weight(
            name="samples", shape=(size, *self.shape), dtype="float32", **fixed
        )
        self.filled = self.add_weight(name="filled", shape=(), dtype="int32", **fixed)
        self.built = True

    def call(self, x, draw, training=True):
        """Return the mixed batch `(batch, *shape)` float32."""
        x = ops.stop_gradient(ops.cast(x, "float32"))
        if not training:
            return x
        i = ops.arange(ops.shape(x)[0], dtype="int32")
        place = self.filled.value + i
        filling = place < self.size
        slot = ops.cast(ops.floor(0.5 * (draw[:, 1] + 1.0) * self.size), "int32")
        slot = ops.where(filling, place, ops.clip(slot, 0, self.size - 1))
        writes = ops.logical_or(filling, draw[:, 0] < 0.0)

        # The newest earlier sample of this batch in the same place, -1 where there is none.
        same = ops.logical_and(slot[:, None] == slot[None, :], writes[None, :])
        latest = _newest(ops.logical_and(same, i[None, :] < i[:, None]), i)
        stored = _choose(latest, x, ops.take(self.samples.value, slot, axis=0))
        swaps = ops.logical_and(writes, ops.logical_not(filling))
        mixed = ops.where(_like(swaps, x), stored, x)

        place = ops.arange(self.size, dtype="int32")
        last = _newest(ops.logical_and(slot[None, :] == place[:, None], writes[None, :]), i)
        self.samples.assign(_choose(last, x, self.samples.value))
        self.filled.assign(ops.minimum(self.filled.value + ops.shape(x)[0], self.size))
        return ops.stop_gradient(mixed)

    def compute_output_shape(self, x_shape, draw_shape):
        """Return the shape of `x`."""
        return x_shape

    def get_config(self):
        """Return the arguments of the layer."""
        return {**super().get_config(), "shape": self.shape, "size": self.size}


def _newest(chosen, i):
    """Return the last index of each row where `chosen` (rows, batch) is true, -1 where none is."""
    return ops.max(ops.where(chosen, i[None, :], -1), axis=1)


def _choose(index, x, otherwise):
    """Return `x[index]`, and `otherwise` in rows where the index is -1."""
    return ops.where(_like(index >= 0, x), ops.take(x, ops.maximum(index, 0), axis=0), otherwise)


def _like(flags, x):
    """Return flags `(n,)` as `(n, 1, ...)` with as many axes as x."""
    return ops.reshape(flags, (-1,) + (1,) * (len(x.shape) - 1))
