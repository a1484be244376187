"""What a network of RGB pictures is given when there is grey or transparency, and what is made of
its answer: grey stays grey, transparency has neither halo nor fringe.
"""

from dataclasses import dataclass

import numpy as np

from .onnx import CONTEXT
from .tiles import bicubic


@dataclass(frozen=True)
class Layers:
    """A picture as the network wants it, and what has to be put back.

    Attributes:
        rgb: `(h, w, 3)` uint8 or uint16.
        grey: Whether the picture had one colour channel.
        alpha: `(h, w)` of the same dtype; one number if it is the same everywhere; None if opaque
            by format.
    """

    rgb: np.ndarray
    grey: bool
    alpha: np.ndarray | int | None


def split(pixels: np.ndarray) -> Layers:
    """Return the layers of `(h, w, 1 to 4)` pixels.

    Colours under full transparency are invisible and often garbage, but a network would draw them
    into the edge: they are replaced by the colours around.
    """
    grey, alpha = pixels.shape[2] < 3, None
    rgb = np.repeat(pixels[:, :, :1], 3, axis=2) if grey else pixels[:, :, :3]
    if pixels.shape[2] in (2, 4):
        alpha = pixels[:, :, -1]
        if (alpha == alpha[0, 0]).all():
            alpha = int(alpha[0, 0])
        else:
            rgb = filled(rgb, alpha > 0)
    return Layers(np.ascontiguousarray(rgb), grey, alpha)


def join(rgb: np.ndarray, layers: Layers, top: int, bottom: int, scale: int) -> np.ndarray:
    """Return an enlarged band with the channels that the picture had.

    Args:
        rgb: `((bottom - top) * scale, w * scale, 3)`, the network's answer.
        layers: The picture's.
        top, bottom: The band's rows in the small picture.
        scale: Enlargement.
    """
    import cv2  # here and not above: it loads while the engine does

    colours = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)[:, :, None] if layers.grey else rgb
    if layers.alpha is None:
        return colours
    if isinstance(layers.alpha, int):
        alpha = np.full((*colours.shape[:2], 1), layers.alpha, rgb.dtype)
    else:
        alpha = _alpha(layers.alpha, top, bottom, scale)[:, :, None]
    return np.concatenate([colours, alpha], axis=2)


def filled(rgb: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return `rgb` with the colours around drawn into the pixels that are not `known`.

    Each unknown pixel takes the mean of the known ones in the smallest block of a pyramid that has
    any, smoothed from level to level.

    Args:
        rgb: `(h, w, 3)` uint8 or uint16.
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
    return np.where(known[:, :, None], rgb, np.rint(colour).astype(rgb.dtype))


def _mean(total, weight):
    return total / np.maximum(weight, 1e-12)[:, :, None]


def _alpha(alpha, top, bottom, scale):
    """Return rows `top` to `bottom` of `alpha`, enlarged.

    The cubic kernel reads 4x4 pixels and its weights sum to 1, so wholly clear and wholly opaque
    neighbourhoods come out as exactly that.
    """
    mirror = np.concatenate([np.arange(len(alpha)), np.arange(len(alpha))[::-1]])
    rows = mirror.take(np.arange(top - CONTEXT, bottom + CONTEXT), mode="wrap")
    tile = np.pad(alpha[rows], ((0, 0), (CONTEXT, CONTEXT)), mode="symmetric")
    large = np.rint(bicubic(tile, scale))
    return np.clip(large, 0, np.iinfo(alpha.dtype).max).astype(alpha.dtype)
