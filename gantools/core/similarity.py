"""Structural similarity as a differentiable loss, cheap on CPUs: means by matrix products."""

import numpy as np
from keras import ops

WINDOW = 7
C1, C2 = (0.01 * 2) ** 2, (0.03 * 2) ** 2  # for values in [-1, 1]


def ssim(a, b, window=WINDOW):
    """Return the mean structural similarity of each pair of pictures, 1 for equal ones.

    Windows are uniform squares that lie wholly inside, variances are those of the window's
    population. Average pooling would do the same; its gradient takes 4 times as long.

    Args:
        a, b: Pictures `(batch, h, w, c)` in [-1, 1], sides of at least `window`.
        window: Side of the windows in pixels.

    Returns:
        `(batch,)` float32.

    Source: Wang et al. 2004, doi 10.1109/TIP.2003.819861, eq. 13.
    """
    a, b = ops.cast(a, "float32"), ops.cast(b, "float32")
    count = a.shape[-1]
    rows, columns = (_means(side, window) for side in a.shape[1:3])
    maps = ops.concatenate([a, b, a * a, b * b, a * b], axis=-1)
    maps = ops.einsum("hH,bHWc->bhWc", rows, maps)
    maps = ops.einsum("wW,bhWc->bhwc", columns, maps)
    mean_a, mean_b, aa, bb, ab = (maps[..., i * count : (i + 1) * count] for i in range(5))
    likeness = (2 * mean_a * mean_b + C1) * (2 * (ab - mean_a * mean_b) + C2)
    size = (mean_a**2 + mean_b**2 + C1) * (aa - mean_a**2 + bb - mean_b**2 + C2)
    return ops.mean(likeness / size, axis=(1, 2, 3))


def _means(side, window):
    """Return the matrix `(side - window + 1, side)` of moving means."""
    starts = np.arange(side - window + 1)[:, None]
    place = np.arange(side)[None]
    inside = (place >= starts) & (place < starts + window)
    return (inside / window).astype(np.float32)
