"""Measure a network on sharp pictures, by the protocol that published tables follow.

Each picture is cut to a multiple of the scale, shrunk by the exact bicubic reduction, enlarged,
rounded to 8 bits, and compared with the original on luma without a border of `scale` pixels.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gantools.data.folders import picture_files
from gantools.data.pictures import read
from gantools.data.resample import resize
from gantools.errors import ALL_FAILED, UserError
from gantools.metrics.pixels import psnr_y, ssim_y

from .enlarge import Upscaler

SMALLEST = 16  # pixels a side of a reduced picture: SSIM needs some room


@dataclass(frozen=True)
class Score:
    """PSNR in dB and SSIM, on luma, of one picture: the network's and those of bicubic."""

    name: str
    psnr: float
    ssim: float
    bicubic_psnr: float
    bicubic_ssim: float


def evaluate(
    folder: Path, upscaler: Upscaler, progress: Callable[[str], None] = lambda name: None
) -> list[Score]:
    """Return the scores of the pictures of a folder, in order of their names.

    Args:
        folder: Sharp pictures of 8 bits, or one picture file; alpha is left out.
        upscaler: The network.
        progress: Called with the name of each picture before it is measured.

    Raises:
        UserError: no pictures, or one that cannot be read or is not fit to be measured.
    """
    scores = []
    for name, high in sharp_pictures(folder, upscaler.network.scale):
        progress(name)
        scores.append(score(name, high, upscaler))
    return scores


def score(name: str, high: np.ndarray, upscaler: Upscaler) -> Score:
    """Return the score of one sharp picture `(h, w, 3)` uint8, sides multiples of the scale."""
    scale = upscaler.network.scale
    low = resize(high, 1 / scale)
    made = np.concatenate([band.copy() for band in upscaler.bands(low)])
    plain = resize(low, scale)
    return Score(
        name,
        psnr_y(made, high, scale),
        ssim_y(made, high, scale),
        psnr_y(plain, high, scale),
        ssim_y(plain, high, scale),
    )


def mean(scores: list[Score], name: str = "mean") -> Score:
    """Return the mean of scores: of the dB, not of the errors behind them."""
    fields = ("psnr", "ssim", "bicubic_psnr", "bicubic_ssim")
    return Score(name, *(float(np.mean([getattr(s, field) for s in scores])) for field in fields))


def sharp_pictures(folder: Path, scale: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield `(name, pixels)` as the protocol wants them: RGB, sides multiples of `scale`."""
    if not folder.exists():
        raise UserError(f"There is no folder '{folder}'. Give a folder of sharp pictures.")
    files = [folder] if folder.is_file() else picture_files(folder)
    if not files:
        raise UserError(f"The folder '{folder}' has no pictures to measure on.", ALL_FAILED)
    for file in files:
        pixels = read(file).upright().pixels
        height, width = (side - side % scale for side in pixels.shape[:2])
        if pixels.dtype != np.uint8 or min(height, width) < SMALLEST * scale:
            raise UserError(
                f"Cannot measure on '{file}': 8 bits and at least {SMALLEST * scale} pixels a "
                f"side are expected. Received: {pixels.dtype}, {width}x{height}."
            )
        rgb = np.repeat(pixels[..., :1], 3, axis=2) if pixels.shape[2] < 3 else pixels[..., :3]
        yield file.name, np.ascontiguousarray(rgb[:height, :width])
