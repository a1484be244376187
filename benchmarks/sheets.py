"""Sheets of pictures for the documentation, made by the benchmarks that measure the same models."""

from gantools.core.callbacks import picture_grid
from gantools.data import pictures


def write(samples, columns, path):
    """Write samples side by side as one PNG; the folder is made.

    Args:
        samples: `(n, height, width, channels)` float in [-1, 1].
        columns: Pictures in a row.
        path: The file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    pictures.write(path, pictures.Picture(picture_grid(samples, columns)), level=9)
