"""Low-resolution pictures in a training step: exact bicubic shrinking as two matrix products."""

import keras
import numpy as np
from keras import ops

from gantools.data.resample import resize
from gantools.errors import UserError


def low_pictures(shape: tuple[int, int, int], scale: int):
    """Return a sampler that makes the low-resolution pictures of a batch's sharp ones.

    Args:
        shape: `(height, width, channels)` of the sharp pictures "x".
        scale: Shrinking factor; it must divide both sides.

    Returns:
        Callable `(size, seed, batch) -> (size, height / scale, width / scale, channels)` float32.
        Without "x" in the batch (samples of a trained model) it draws mosaics of random colours
        in [-1, 1], which show how edges are enlarged.

    Raises:
        UserError: a side that `scale` does not divide.
    """
    height, width, channels = shape
    if height % scale or width % scale:
        raise UserError(
            f"The sides must be multiples of scale={scale}. Received: {height}x{width}. Give such "
            "a --resolution, or crop the pictures."
        )
    rows, columns = shrinking(height, scale), shrinking(width, scale)

    def sample(size, seed, batch):
        if "x" in batch:
            return shrunk(batch["x"], rows, columns)
        tiles = [-(-side // scale // 4) for side in (height, width)]
        x = keras.random.uniform((size, *tiles, channels), -1.0, 1.0, seed=seed)
        x = ops.repeat(ops.repeat(x, 4, axis=1), 4, axis=2)
        return x[:, : height // scale, : width // scale]

    return sample


def shrunk(x, rows, columns):
    """Return pictures `(batch, H, W, c)` as `(batch, h, w, c)` float32, by results of `shrinking`.

    Args:
        x: The pictures.
        rows, columns: Matrices `(h, H)` and `(w, W)`.
    """
    x = ops.einsum("hH,bHWc->bhWc", rows, ops.cast(x, "float32"))
    return ops.einsum("wW,bhWc->bhwc", columns, x)


def shrinking(side: int, scale: int) -> np.ndarray:
    """Return the matrix `(side / scale, side)` float32 that shrinks one axis, antialiased."""
    return resize(np.eye(side), size=(side // scale, side)).astype(np.float32)
