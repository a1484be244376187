"""PSNR and SSIM on luma, by the protocol that published super-resolution tables follow."""

import numpy as np

LUMA = np.array([65.481, 128.553, 24.966])  # of R, G, B in [0, 1]: black is 16, white is 235


def luma(rgb):
    """Return the luma Y of a picture, not rounded.

    Args:
        rgb: `(h, w, 3)` RGB in [0, 255] of any dtype, or grey as `(h, w)` or `(h, w, 1)`.

    Returns:
        `(h, w)` float64 in [16, 235].

    Source: ITU-R BT.601 at studio range, as in MATLAB's `rgb2ycbcr`.
    """
    rgb = np.asarray(rgb, np.float64)
    if rgb.ndim == 3 and rgb.shape[2] == 3:
        return 16 + rgb @ (LUMA / 255)
    return 16 + rgb.reshape(rgb.shape[:2]) * (LUMA.sum() / 255)


def psnr_y(a, b, border=0):
    """Return the peak signal-to-noise ratio of the lumas of two pictures, in dB.

    Args:
        a, b: Pictures of one size in [0, 255], as for `luma`. A network's output has to be rounded
            and clipped to uint8 before: that is part of the protocol.
        border: Pixels left out at each side; the protocol takes the scale.

    Returns:
        10 log10(255^2 / mean squared error); infinity for equal pictures.

    Raises:
        ValueError: different sizes, or nothing left inside the border.
    """
    a, b = _inside(a, b, border)
    error = np.mean((a - b) ** 2)
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


def ssim_y(a, b, border=0):
    """Return the structural similarity of the lumas of two pictures, 1 for equal ones.

    Windows are 11x11 Gaussians of sigma 1.5 that lie wholly inside; K1 = 0.01, K2 = 0.03, L = 255.

    Args:
        a, b, border: As for `psnr_y`; at least 11x11 pixels inside the border.

    Raises:
        ValueError: different sizes, or less than one window inside the border.

    Source: Wang et al. 2004, doi 10.1109/TIP.2003.819861, eq. 13.
    """
    a, b = _inside(a, b, border)
    if min(a.shape) < 11:
        raise ValueError(f"SSIM needs 11x11 pixels inside the border. Received: {a.shape}.")
    mean_a, mean_b = _window(a), _window(b)
    var_a = _window(a * a) - mean_a**2
    var_b = _window(b * b) - mean_b**2
    cov = _window(a * b) - mean_a * mean_b
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    top = (2 * mean_a * mean_b + c1) * (2 * cov + c2)
    return float(np.mean(top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))))


def _window(x):
    """Return the Gaussian mean around each pixel of `x` whose window lies inside."""
    import cv2

    weights = np.exp(-((np.arange(11) - 5.0) ** 2) / (2 * 1.5**2))
    weights /= weights.sum()
    return cv2.sepFilter2D(x, cv2.CV_64F, weights, weights)[5:-5, 5:-5]


def _inside(a, b, border):
    """Return the lumas of `a` and `b` without the border."""
    if np.shape(a)[:2] != np.shape(b)[:2]:
        raise ValueError(f"Pictures must have one size. Received: {np.shape(a)}, {np.shape(b)}.")
    if min(np.shape(a)[:2]) <= 2 * border:
        raise ValueError(
            f"Nothing is left inside a border of {border} px. Received: {np.shape(a)}."
        )
    inner = slice(border, -border or None)
    return luma(a)[inner, inner], luma(b)[inner, inner]
