"""How true an enlarged picture is to the small one: shrunk again, it should be the same."""

from collections.abc import Iterator

import numpy as np

from gantools.data.resample import Resizer

from .colours import opaque, white


class Fidelity:
    """Compare a picture that comes in bands with the small one that it was made of.

    Args:
        low: `(h, w, c)`, the small picture; alpha is left out.
        size: `(height, width)` of the enlarged one.
        wrap: Whether pictures go on at their edges with the opposite side.
    """

    def __init__(self, low: np.ndarray, size: tuple[int, int], *, wrap: bool = False):
        self._low, self._at, self._error, self._drift = opaque(low), 0, 0.0, 0.0
        self._most = white(low.dtype)
        channels = self._low.shape[2]
        self._resizer = Resizer(size, low.shape[:2], channels, wrap=wrap)

    def watched(self, bands: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
        """Yield the bands, compared."""
        for band in bands:
            rows = self._resizer.rows(opaque(band)) / self._most
            low = self._low[self._at : self._at + len(rows)] / np.float32(self._most)
            self._error += float(np.sum((rows - low) ** 2, dtype=np.float64))
            self._drift = self._drift + np.sum(rows - low, axis=(0, 1), dtype=np.float64)
            self._at += len(rows)
            yield band

    def found(self) -> dict:
        """Return what was found, when all bands have passed.

        Returns:
            `consistency_db`, the PSNR of the reduction against the small picture, None if they
            are equal, and `drift`, how much brighter each channel became, in levels of 255.
        """
        mean = self._error / self._low.size
        pixels = self._low.shape[0] * self._low.shape[1]
        return {
            "consistency_db": round(-10 * float(np.log10(mean)), 2) if mean > 0 else None,
            "drift": [round(float(255 * value / pixels), 3) for value in self._drift],
        }
