"""What a network of RGB pictures is given when there is grey or transparency, and what is made of
its answer: grey stays grey, transparency has neither halo nor fringe.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from gantools.data.resample import Resizer

STEP = 64  # rows of alpha that are enlarged at a time


@dataclass(frozen=True)
class Layers:
    """A picture as the network wants it, and what has to be put back.

    Attributes:
        rgb: `(h, w, 3)` uint8, uint16, or float32 levels from 0 to 255.
        grey: Whether the picture had one colour channel.
        alpha: `(h, w)` of the same dtype; one number if it is the same everywhere; None if opaque
            by format.
        binary: Whether all of alpha is wholly clear or wholly opaque, as in sprites.
    """

    rgb: np.ndarray
    grey: bool
    alpha: np.ndarray | float | None
    binary: bool = False


def split(pixels: np.ndarray) -> Layers:
    """Return the layers of `(h, w, 1 to 4)` pixels.

    Colours under full transparency are invisible and often garbage, but a network would draw them
    into the edge: they are replaced by the colours around.
    """
    grey, alpha, binary = pixels.shape[2] < 3, None, False
    rgb = np.repeat(pixels[:, :, :1], 3, axis=2) if grey else pixels[:, :, :3]
    if pixels.shape[2] in (2, 4):
        alpha = pixels[:, :, -1]
        if (alpha == alpha[0, 0]).all():
            alpha = alpha[0, 0].item()
        else:
            rgb = filled(rgb, alpha > 0)
            binary = bool(((alpha == 0) | (alpha == top(alpha.dtype))).all())
    return Layers(np.ascontiguousarray(rgb), grey, alpha, binary)


def joined(
    bands: Iterable[np.ndarray], layers: Layers, size: tuple[int, int], *, wrap: bool = False
) -> Iterator[np.ndarray]:
    """Yield enlarged bands with the channels that the picture had.

    Args:
        bands: `(rows, w, 3)` from top to bottom, the networks' answer.
        layers: The small picture's.
        size: `(height, width)` of the whole answer.
        wrap: Whether the picture goes on at its edges with the opposite side.
    """
    import cv2  # here and not above: it loads while the engine does

    alphas = None
    if isinstance(layers.alpha, np.ndarray):
        alphas = _Rows(_alpha(layers, size, wrap))
    for rgb in bands:
        colours = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[:, :, None] if layers.grey else rgb
        if layers.alpha is None:
            yield colours
            continue
        if alphas:
            alpha = alphas.take(len(rgb))
        else:
            alpha = np.full((*colours.shape[:2], 1), layers.alpha, rgb.dtype)
        yield np.concatenate([colours, alpha], axis=2)


def flattened(
    bands: Iterable[np.ndarray], background: tuple[int, int, int], grey: bool
) -> Iterator[np.ndarray]:
    """Yield bands with alpha as seen before a background, without alpha.

    Args:
        bands: `(rows, w, 2 or 4)`, as for a file: floating point from 0 to 1.
        background: RGB from 0 to 255; for grey pictures its mean is taken.
        grey: Whether the pictures are grey.
    """
    for band in bands:
        most = white(band.dtype)
        colour = np.array(background, np.float32) * np.float32(most / 255)
        colour = colour.mean(keepdims=True) if grey else colour
        share = band[:, :, -1:].astype(np.float32) / np.float32(most)
        mixed = band[:, :, :-1] * share + colour * (1 - share)
        yield mixed if band.dtype == np.float32 else np.rint(mixed).astype(band.dtype)


def top(dtype) -> int:
    """Return the highest level for the networks: 255 for floating point, see `Layers`."""
    return np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 255


def white(dtype) -> float:
    """Return the level of white, and of opaque alpha, in a picture file: 1 for floating point."""
    return np.iinfo(dtype).max if np.issubdtype(dtype, np.integer) else 1.0


def opaque(pixels: np.ndarray) -> np.ndarray:
    """Return `(h, w, 1 to 4)` pixels without alpha."""
    return pixels[:, :, :-1] if pixels.shape[2] in (2, 4) else pixels


def filled(rgb: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return `rgb` with the colours around drawn into the pixels that are not `known`.

    Each unknown pixel takes the mean of the known ones in the smallest block of a pyramid that has
    any, smoothed from level to level.

    Args:
        rgb: `(h, w, 3)` uint8, uint16 or float32.
        known: `(h, w)` bool, at least one true.

    Source: the pull-push of Gortler et al. 1996, doi 10.1145/237170.237200, section 3.4.
    """
    import cv2

    weight = known.astype(np.float32)
    levels = [(rgb.astype(np.float32) * weight[:, :, None], weight)]
    while max(levels[-1][1].shape) > 1:
        height, width = levels[-1][1].shape
        size = ((width + 1) // 2, (height + 1) // 2)
        half = [cv2.resize(part, size, interpolation=cv2.INTER_AREA) for part in levels[-1]]
        levels.append((half[0].reshape(*size[::-1], 3), half[1].reshape(size[::-1])))
    colour = _mean(*levels.pop())
    while levels:
        total, weight = levels.pop()
        above = cv2.resize(colour, weight.shape[::-1], interpolation=cv2.INTER_LINEAR)
        colour = np.where(weight[:, :, None] > 0, _mean(total, weight), above.reshape(total.shape))
    whole = rgb.dtype != np.float32
    colour = np.rint(colour) if whole else colour
    return np.where(known[:, :, None], rgb, colour.astype(rgb.dtype))


def _mean(total, weight):
    return total / np.maximum(weight, 1e-12)[:, :, None]


def _alpha(layers, size, wrap):
    """Yield rows `(n, w, 1)` of alpha, enlarged.

    The cubic kernel reads 4x4 pixels and its weights sum to 1, so wholly clear and wholly opaque
    neighbourhoods come out as exactly that. Of a sprite, all is: what is above one half.
    """
    alpha, most = layers.alpha, top(layers.alpha.dtype)
    resizer = Resizer(alpha.shape, size, 1, wrap=wrap)
    for start in range(0, len(alpha), STEP):
        rows = resizer.rows(alpha[start : start + STEP, :, None])
        if layers.binary:
            yield np.where(rows >= most / 2, most, 0).astype(alpha.dtype)
            continue
        rows = np.clip(rows, 0, most)
        yield (rows if alpha.dtype == np.float32 else np.rint(rows)).astype(alpha.dtype)


class _Rows:
    """Rows of a picture that comes in pieces, taken as many as wanted."""

    def __init__(self, pieces):
        self._pieces, self._held = iter(pieces), None

    def take(self, count):
        """Return the next `count` rows."""
        while self._held is None or len(self._held) < count:
            piece = next(self._pieces)
            self._held = piece if self._held is None else np.concatenate([self._held, piece])
        taken, self._held = self._held[:count], self._held[count:]
        return taken
