"""How much energy each octave of frequencies has: too little is blur, too much is invention."""

import numpy as np

from .pixels import luma

OCTAVES = 5
FLOOR = 1e-3  # squared levels a frequency, so that flat pictures have no infinite ratios


def octaves(rgb, count=OCTAVES):
    """Return the mean power of a picture's luma in octaves of frequency, coarse to fine.

    The last octave is from 1/4 to 1/2 of the sampling rate, each one before is half as high. A Hann
    window keeps the borders, which do not fit together, from looking like detail.

    Args:
        rgb: `(h, w, 3)` or grey, in [0, 255].
        count: How many octaves.

    Returns:
        `(count,)` float64, squared levels; NaN where the picture is too small for an octave.

    Source: the azimuthally averaged power spectrum, as in Durall, Keuper and Keuper 2020, arXiv
    2003.01826, section 2.1; octaves in place of single radii.
    """
    y = luma(rgb)
    window = np.outer(np.hanning(y.shape[0] + 2)[1:-1], np.hanning(y.shape[1] + 2)[1:-1])
    mean = np.vdot(y, window) / window.sum()
    wave = np.fft.rfft2((y - mean) * window)
    power = (wave.real**2 + wave.imag**2) / np.vdot(window, window)
    down, along = np.fft.fftfreq(y.shape[0])[:, None], np.fft.rfftfreq(y.shape[1])[None]
    edges = 0.5 / 2.0 ** np.arange(count, -1, -1)
    ring = np.searchsorted(edges**2, down**2 + along**2).ravel()  # 0 too low, count + 1 too high
    pixels = np.bincount(ring, minlength=count + 2)[1 : count + 1]
    total = np.bincount(ring, power.ravel(), count + 2)[1 : count + 1]
    return np.where(pixels > 0, total / np.maximum(pixels, 1), np.nan)


def octave_errors(made, true, count=OCTAVES, *, known=None):
    """Return by how many dB each octave of a picture has more energy than it ought to have.

    Args:
        made, true: Pictures of one size in [0, 255].
        count: How many octaves.
        known: `octaves(true)` where it has been computed before.

    Returns:
        `(count,)` float64, coarse to fine: negative is blur, positive is invented detail or noise.

    Raises:
        ValueError: different sizes.

    Source: as for `octaves`; 10 log10 of the ratio.
    """
    if np.shape(made)[:2] != np.shape(true)[:2]:
        raise ValueError(
            f"Pictures must have one size. Received: {np.shape(made)}, {np.shape(true)}."
        )
    known = octaves(true, count) if known is None else known
    return 10 * np.log10((octaves(made, count) + FLOOR) / (known + FLOOR))
