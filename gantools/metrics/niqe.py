"""NIQE: how far the small-scale statistics of a picture lie from those of sharp photographs.

No reference picture is needed. The statistics of sharp photographs are our own, fitted by
`python -m benchmarks.quality.niqe`, so the numbers differ from those of the authors' program, whose
model was fitted on other photographs: compare only numbers made here. Noise on a blurred picture
lowers NIQE, so it must never be read without a fidelity such as PSNR beside it.
"""

import json
from functools import cache
from pathlib import Path

import numpy as np

from .pixels import luma

MODEL = Path(__file__).with_name("niqe_model.json")
BLOCK = 96  # pixels a side of a block at full size; half as many at half size
SHARP = 0.75  # share of a picture's largest sharpness that a block needs to teach the model
SHIFTS = ((0, 1), (1, 0), (1, 1), (1, -1))  # of the products of neighbours
ALPHAS = np.arange(0.2, 10.001, 0.001)
FEATURES = 36


def niqe(rgb, model=None):
    """Return the distance of a picture from sharp photographs; lower is more natural.

    sqrt((m - v)^T ((S_m + S_v) / 2)^-1 (m - v)) with the mean v and the covariance S_v of the
    features of the picture's blocks, and those of the model.

    Args:
        rgb: `(h, w, 3)` or grey, in [0, 255].
        model: `(mean, covariance)`; the package's own if None.

    Returns:
        A float >= 0; NaN for pictures smaller than one block of 96 pixels.

    Source: Mittal, Soundararajan and Bovik 2013, doi 10.1109/LSP.2012.2227726, eq. 10. Differs:
    the model, and the covariance of a single block counts as zero.
    """
    found, _ = features(rgb)
    if not len(found):
        return float("nan")
    mean, spread = model or _model()
    own = np.cov(found, rowvar=False) if len(found) > 1 else np.zeros_like(spread)
    gap = found.mean(axis=0) - mean
    return float(np.sqrt(max(0.0, gap @ np.linalg.pinv((spread + own) / 2) @ gap)))


def features(rgb):
    """Return the features of a picture's blocks, and how sharp each block is.

    Args:
        rgb: `(h, w, 3)` or grey, in [0, 255]; what is left at the right and the bottom of whole
            blocks is not looked at.

    Returns:
        `(n, 36)` float64: shape and scale of the normalised luma, and shape, mean, left and right
        scale of the products of neighbours in four directions, at full and at half size; and
        `(n,)`, the mean local deviation at full size, in levels.

    Source: as for `niqe`, sections II.A to II.C.
    """
    import cv2

    y = luma(rgb).astype(np.float32)
    y = y[: len(y) // BLOCK * BLOCK, : y.shape[1] // BLOCK * BLOCK]
    if not y.size:
        return np.empty((0, FEATURES)), np.empty(0)
    parts, sharpness = [], None
    for scale in (1, 2):
        map_, deviation = normalised(y)
        side = BLOCK // scale
        if sharpness is None:
            sharpness = _blocks(deviation, side).mean(axis=1, dtype=np.float64)
        alpha, left, right, _ = asymmetric(_blocks(map_, side))
        parts += [alpha, (left + right) / 2]
        for dy, dx in SHIFTS:
            product = map_ * np.roll(map_, (dy, dx), (0, 1))
            alpha, left, right, mean = asymmetric(_blocks(product, side))
            parts += [alpha, mean, left, right]
        y = cv2.resize(y, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    return np.stack(parts, axis=1), sharpness


def normalised(y):
    """Return luma without its local mean, divided by its local deviation; and that deviation.

    (y - mu) / (sigma + 1), with mu and sigma of a 7x7 Gaussian window of sigma 7/6.

    Args:
        y: `(h, w)` in [0, 255].

    Returns:
        Two `(h, w)` arrays of its dtype.

    Source: Ruderman 1994, doi 10.1088/0954-898X_5_4_006; as for `niqe`, eqs. 1 to 3.
    """
    import cv2

    size, sigma, edge = (7, 7), 7 / 6, cv2.BORDER_REPLICATE
    mean = cv2.GaussianBlur(y, size, sigma, borderType=edge)
    square = cv2.GaussianBlur(y * y, size, sigma, borderType=edge)
    deviation = np.sqrt(np.abs(square - mean * mean))
    return (y - mean) / (deviation + 1), deviation


def asymmetric(values):
    """Return the asymmetric generalised Gaussian that fits each row of numbers.

    Args:
        values: `(n, k)`.

    Returns:
        `(shape, left scale, right scale, mean)`, each `(n,)` float64.

    Source: Lasmar, Stitou and Berthoumieu 2009, doi 10.1109/ICIP.2009.5414404: moments matched; as
    for `niqe`, eqs. 5 to 8.
    """
    values, size = np.asarray(values), np.shape(values)[1]
    below, above = np.minimum(values, 0), np.maximum(values, 0)
    left, right = _root_mean(below), _root_mean(above)
    ratio = left / np.maximum(right, 1e-12)
    square = (np.einsum("ij,ij->i", values, values) / size).astype(np.float64)
    moment = ((above - below).mean(axis=1, dtype=np.float64)) ** 2 / np.maximum(square, 1e-12)
    wanted = moment * (ratio**3 + 1) * (ratio + 1) / (ratio**2 + 1) ** 2
    curve, gammas = _curve()
    at = np.clip(np.searchsorted(curve, wanted), 1, len(curve) - 1)
    at -= wanted - curve[at - 1] < curve[at] - wanted
    one, two, three = (g[at] for g in gammas)
    scale = np.sqrt(one / three)
    left, right = left * scale, right * scale
    return ALPHAS[at], left, right, (right - left) * two / one


def fitted(pictures):
    """Return `(mean, covariance, blocks)` of the features of the sharp blocks of photographs.

    Args:
        pictures: Iterable of `(h, w, 3)` or grey pictures in [0, 255].
    """
    kept = []
    for rgb in pictures:
        found, sharpness = features(rgb)
        if len(found):
            kept.append(found[sharpness > SHARP * sharpness.max()])
    blocks = np.concatenate(kept)
    return blocks.mean(axis=0), np.cov(blocks, rowvar=False), len(blocks)


@cache
def _model():
    """Return the package's own `(mean, covariance)`."""
    stored = json.loads(MODEL.read_text(encoding="utf-8"))
    upper = np.zeros((FEATURES, FEATURES))
    upper[np.triu_indices(FEATURES)] = stored["covariance"]
    return np.array(stored["mean"]), upper + np.triu(upper, 1).T


@cache
def _curve():
    """Return r(alpha) = G(2/a)^2 / (G(1/a) G(3/a)), which grows, and the three gammas."""
    from math import gamma

    gammas = [np.array([gamma(k / a) for a in ALPHAS]) for k in (1, 2, 3)]
    return gammas[1] ** 2 / (gammas[0] * gammas[2]), gammas


def _root_mean(side):
    """Return the root of the mean square of the numbers of each row that are not 0, 0 if none."""
    total = np.einsum("ij,ij->i", side, side).astype(np.float64)
    return np.sqrt(total / np.maximum(np.count_nonzero(side, axis=1), 1))


def _blocks(map_, side):
    """Return `(n, side * side)`: the blocks of a map whose sides are multiples of `side`."""
    rows, columns = map_.shape[0] // side, map_.shape[1] // side
    cut = map_.reshape(rows, side, columns, side).swapaxes(1, 2)
    return cut.reshape(rows * columns, side * side)
