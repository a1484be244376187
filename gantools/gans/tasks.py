"""Side tasks of discriminators, and damage made inside a training step."""

import keras
from keras import ops

from gantools.nets.restorer import quarter_turns


def binary(logits, target):
    """Return the mean binary cross-entropy.

    Args:
        logits: Any shape.
        target: Number or tensor in [0, 1] that broadcasts to it.
    """
    logits = ops.cast(logits, "float32")
    return ops.mean(ops.softplus(logits) - target * logits)


def turned(x):
    """Turn the k-th of every four pictures by k quarters, oblong ones by 0 or 2.

    Args:
        x: Pictures `(batch, h, w, c)`.

    Returns:
        `(pictures, quarters)`: the same number of pictures in another order, int32 `(batch,)`.

    Source: Gidaris et al. 2018, arXiv 1803.07728.
    """
    square = x.shape[1] == x.shape[2]
    quarters = [k if square else k // 2 * 2 for k in range(4)]
    parts = [quarter_turns(x[k::4], quarters[k]) for k in range(4)]
    labels = [ops.full_like(p[:, 0, 0, 0], k) for p, k in zip(parts, quarters, strict=True)]
    return ops.concatenate(parts), ops.cast(ops.concatenate(labels), "int32")


def noise_damage(shape):
    """Return a sampler that damages the batch's pictures by coarse noise in some regions.

    It serves where the host sends no damage of `gantools.data.damage` along.

    Args:
        shape: `(height, width, channels)`.

    Returns:
        Callable `(size, seed, batch) -> (size, height, width, channels + 1)` float32: damaged
        pictures in [-1, 1] and their mask. Without "x" in the batch the pictures are grey.
    """
    height, width, channels = shape

    def grid(size, cell, depth, seed):
        cells = (size, -(-height // cell), -(-width // cell), depth)
        coarse = keras.random.normal(cells, seed=seed)
        fine = ops.repeat(ops.repeat(coarse, cell, axis=1), cell, axis=2)
        return fine[:, :height, :width]

    def sample(size, seed, batch):
        noise, mask = grid(size, 4, channels, seed), grid(size, 8, 1, seed)
        mask = ops.cast(mask > 1.0, "float32")
        damaged = ops.clip(batch.get("x", 0.0) + 0.8 * mask * noise, -1.0, 1.0)
        return ops.concatenate([damaged, mask], axis=-1)

    return sample
