"""Pictures and points that a detector is given: checked, or refused in a sentence."""

import numpy as np

from gantools.errors import UserError


def given(
    pictures, shape: tuple[int, ...] | None = None, channels: tuple[int, ...] = ()
) -> np.ndarray:
    """Return pictures as `(n, height, width, channels)` float32.

    Args:
        pictures: Array of such a shape in [-1, 1]; NaN is let through, its score will be NaN.
        shape: What each must have, `(height, width, channels)`; None while fitting.
        channels: How many are possible; empty for any number.

    Raises:
        UserError: another shape, none at all, or values outside [-1, 1].
    """
    pictures = np.asarray(pictures, np.float32)
    fits = pictures.ndim == 4 and len(pictures)
    if not fits or (channels and pictures.shape[-1] not in channels):
        of = f" of {' or '.join(map(str, channels))} channels" if channels else ""
        raise UserError(
            f"Expected pictures (n, height, width, channels){of}. Received: {pictures.shape}."
        )
    if shape is not None and tuple(pictures.shape[1:]) != tuple(shape):
        raise UserError(
            f"Expected pictures of shape {tuple(shape)}, as fitted. Received: "
            f"{tuple(pictures.shape[1:])}."
        )
    if np.fmin.reduce(pictures, None) < -1.001 or np.fmax.reduce(pictures, None) > 1.001:
        raise UserError("Expected values in [-1, 1]. Received: others.")
    return pictures


def given_points(points, shape: tuple[int] | None = None) -> np.ndarray:
    """Return points as `(n, d)` float32.

    Args:
        points: Array of such a shape; NaN is let through, as for pictures.
        shape: `(d,)`; None while fitting.

    Raises:
        UserError: another shape, or none at all.
    """
    points = np.asarray(points, np.float32)
    if points.ndim != 2 or not points.size or shape not in (None, points.shape[1:]):
        wanted = "d" if shape is None else f"{shape[0]}"
        raise UserError(f"Expected points (n, {wanted}). Received: {points.shape}.")
    return points
