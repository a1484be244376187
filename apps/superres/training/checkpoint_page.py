"""A page for each checkpoint of a training: validation pictures by bicubic and by the network."""

from pathlib import Path

import numpy as np

from .. import compare

MOST = 4  # pictures of each kind
ROOM = 360 * 360  # pixels of each that are shown: the window with most detail


def write_page(path: Path, check, network, cycle: int, score: float) -> None:
    """Write a page with a slider, and a PNG of the same beside it.

    Args:
        path: HTML file to write.
        check: The run's `validation.Validation`.
        network: A Keras model of its scale.
        cycle, score: Where the run stands, and its dB PSNR-Y.

    Raises:
        UserError: a file cannot be written.
    """
    pairs = tuple(
        _pair(f"{name}, {kind}", high.shape[:2], low, check.enlarged(network, low), cycle)
        for kind, pictures in check.kinds()
        for name, (high, low) in list(zip(check.names, pictures, strict=True))[:MOST]
    )
    title = f"{network.name} x{check.scale} after {cycle} cycles: {score:.2f} dB"
    compare.write(path, path.with_suffix(".png"), compare.Comparison(pairs, title))


def _pair(name, size, low, made, cycle):
    top, left, height, width = box = compare.window(low, size, ROOM)
    after = np.ascontiguousarray(made[top : top + height, left : left + width])
    before = compare.bicubic(low, size, box)
    return compare.Pair(name, before, after, labels=("bicubic", f"cycle {cycle}"))
