"""Distance between the patches of two pictures, wherever the patches lie: texture, not position."""

import numpy as np

from .pixels import luma

SIDE, LEVELS = 7, 3  # of a patch in pixels; of the pyramid
PATCHES, DIRECTIONS = 2048, 64
SMALLEST = 16  # pixels a side of a pyramid's level


def sliced_wasserstein(made, true, *, seed=0):
    """Return how far the patches of a picture are distributed from those of the true one.

    Both lumas become Laplacian pyramids of three levels. At each level, patches of 7x7 at the same
    random places are projected on random directions; along each, the sorted values are compared,
    which is the exact distance in one dimension. The mean over directions and levels is returned,
    in thousandths of the deviation that the true picture's level has.

    Args:
        made, true: Pictures of one size in [0, 255].
        seed: Of places and directions.

    Returns:
        A float >= 0, 0 for equal pictures; NaN for pictures of less than 16 pixels a side.

    Raises:
        ValueError: different sizes.

    Source: Karras et al. 2017, arXiv 1710.10196, section 5; Rabin et al. 2011, doi
    10.1007/978-3-642-24785-9_37. Differs: one picture against one; luma; both are divided by the
    true one's deviation, as else a blurred picture would be stretched to the right contrast.
    """
    if np.shape(made)[:2] != np.shape(true)[:2]:
        raise ValueError(
            f"Pictures must have one size. Received: {np.shape(made)}, {np.shape(true)}."
        )
    rng, distances = np.random.default_rng(seed), []
    for a, b in zip(pyramid(luma(made)), pyramid(luma(true)), strict=True):
        if min(a.shape) < SMALLEST:
            continue
        a, b = _drawn(a, b, rng)
        mean, deviation = b.mean(), max(float(b.std()), 1e-3)
        directions = rng.normal(size=(SIDE * SIDE, DIRECTIONS)).astype(np.float32)
        directions /= np.linalg.norm(directions, axis=0)
        a, b = (np.sort(((x - mean) / deviation) @ directions, axis=0) for x in (a, b))
        distances.append(float(np.abs(a - b).mean()))
    return 1000 * float(np.mean(distances)) if distances else float("nan")


def pyramid(y, levels=LEVELS):
    """Return the Laplacian pyramid of a luma, fine to coarse; the last level is the rest.

    Args:
        y: `(h, w)`.
        levels: How many.

    Source: Burt and Adelson 1983, doi 10.1109/TCOM.1983.1095851.
    """
    import cv2

    y, found = np.asarray(y, np.float32), []
    for _ in range(levels - 1):
        small = cv2.pyrDown(y)
        found.append(y - cv2.pyrUp(small, dstsize=y.shape[::-1]))
        y = small
    return [*found, y]


def _drawn(a, b, rng):
    """Return patches `(n, 49)` of both at the same random places."""
    windows = [np.lib.stride_tricks.sliding_window_view(x, (SIDE, SIDE)) for x in (a, b)]
    rows, columns = (rng.integers(0, n, PATCHES) for n in windows[0].shape[:2])
    return [w[rows, columns].reshape(PATCHES, -1) for w in windows]
