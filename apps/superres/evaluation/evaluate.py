"""Measure a network on sharp pictures, by the protocol that published tables follow.

Each picture is cut to a multiple of the scale, shrunk by the exact bicubic reduction (or its small
file is read), enlarged, rounded to 8 bits, and compared with the original. PSNR and SSIM are taken
on luma without a border of `scale` pixels. Bicubic and Lanczos are always measured beside it.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np

from gantools.data.folders import as_bytes, picture_files
from gantools.data.pictures import SUFFIXES, read
from gantools.data.resample import resize
from gantools.errors import ALL_FAILED, UserError
from gantools.metrics.niqe import niqe
from gantools.metrics.patches import sliced_wasserstein
from gantools.metrics.pixels import psnr_y, ssim_y
from gantools.metrics.spectra import octave_errors, octaves

from ..enlarge import Upscaler
from ..fidelity import Fidelity

SMALLEST = 16  # pixels a side of a reduced picture: SSIM needs some room
METHODS = ("network", "bicubic", "lanczos")


@dataclass(frozen=True)
class Figures:
    """What was measured of one way to enlarge, of one picture or as the mean of several.

    Attributes:
        psnr: dB on luma.
        ssim: On luma, 1 for equal pictures.
        niqe: How unlike a sharp photograph; lower is better.
        spectrum: Mean of the octaves' errors without their signs, dB.
        swd: Sliced Wasserstein distance of patches, in thousandths.
        consistency: PSNR in dB of the result, shrunk again, against the small picture.
        drift: Largest change of a channel's mean on the way back, in levels of 255.
        octaves: Error of each octave in dB, coarse to fine; negative is blur.
    """

    psnr: float
    ssim: float
    niqe: float
    spectrum: float
    swd: float
    consistency: float
    drift: float
    octaves: tuple[float, ...]


@dataclass(frozen=True)
class Score:
    """What was measured on one picture, or the mean of several.

    Attributes:
        name: Of the picture.
        network, bicubic, lanczos: Their figures.
        truth_niqe: NIQE of the original.
    """

    name: str
    network: Figures
    bicubic: Figures
    lanczos: Figures
    truth_niqe: float

    @property
    def gain(self) -> float:
        """Return by how many dB of PSNR the network is nearer to the original than bicubic."""
        return self.network.psnr - self.bicubic.psnr


FIGURES = tuple({field.name for field in fields(Figures)} - {"octaves"} | {"gain"})


def network_figures(score: Score) -> dict[str, float]:
    """Return name -> figure of the network, `FIGURES` being the names."""
    return {"gain": score.gain, **{n: v for n, v in vars(score.network).items() if n in FIGURES}}


def evaluate(
    folder: Path,
    upscaler: Upscaler,
    progress: Callable[[str], None] = lambda name: None,
    *,
    scale: int | None = None,
    low: Path | None = None,
    seen: Callable[[str, np.ndarray, dict[str, np.ndarray]], None] = lambda *_: None,
) -> list[Score]:
    """Return the scores of the pictures of a folder, in order of their names.

    Args:
        folder: Sharp pictures of 8 bits, or one picture file; alpha is left out.
        upscaler: The network.
        progress: Called with the name of each picture before it is measured.
        scale: Enlargement, made as for a user: by one network, or by several and a reduction. None:
            the network's own.
        low: Folder of the small pictures, or None to make them.
        seen: Called with name, original and `{method: result}` of each picture.

    Raises:
        UserError: no pictures, or one that cannot be read or is not fit to be measured.
    """
    scores, scale = [], scale or upscaler.network.scale
    for name, high, small in pairs(folder, scale, low):
        progress(name)
        results = enlarged(small, upscaler, scale)
        scores.append(score(name, high, small, results, scale))
        seen(name, high, results)
    return scores


def enlarged(low: np.ndarray, upscaler: Upscaler, scale: int) -> dict[str, np.ndarray]:
    """Return `{method: (h, w, 3) uint8}`, the picture `low` enlarged by each of `METHODS`."""
    import cv2

    height, width = low.shape[0] * scale, low.shape[1] * scale
    return {
        "network": np.concatenate([band.copy() for band in upscaler.bands(low, (height, width))]),
        "bicubic": resize(low, scale),
        "lanczos": cv2.resize(low, (width, height), interpolation=cv2.INTER_LANCZOS4),
    }


def score(
    name: str, high: np.ndarray, low: np.ndarray, results: dict[str, np.ndarray], scale: int
) -> Score:
    """Return what is measured of the results on one picture.

    Args:
        name: Of the picture.
        high: The original, `(h, w, 3)` uint8.
        low: The small picture, `(h / scale, w / scale, 3)` uint8.
        results: `{method: (h, w, 3) uint8}`.
        scale: Enlargement.
    """
    known = octaves(high)
    return Score(
        name, *(figures(results[m], high, low, scale, known) for m in METHODS), niqe(high)
    )  # fmt: skip


def figures(
    made: np.ndarray, high: np.ndarray, low: np.ndarray, scale: int, known: np.ndarray
) -> Figures:
    """Return what is measured of one result. Args: as for `score`; `known` is `octaves(high)`."""
    errors = octave_errors(made, high, known=known)
    judge = Fidelity(low, made.shape[:2])
    for _ in judge.watched([made]):
        pass
    back = judge.found()
    consistency = back["consistency_db"]
    return Figures(
        psnr_y(made, high, scale),
        ssim_y(made, high, scale),
        niqe(made),
        float(np.nanmean(np.abs(errors))),
        sliced_wasserstein(made, high),
        math.inf if consistency is None else consistency,
        max(map(abs, back["drift"])),
        tuple(float(value) for value in errors),
    )


def mean(scores: list[Score], name: str = "mean") -> Score:
    """Return the mean of scores: of the dB, not of the errors behind them.

    What could not be measured (NaN: pictures too small for NIQE or an octave) is left out.
    """
    methods = (_mean_figures([getattr(s, method) for s in scores]) for method in METHODS)
    return Score(name, *methods, _mean([s.truth_niqe for s in scores]))


def pairs(
    folder: Path, scale: int, low: Path | None = None
) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield `(name, original, small picture)`, both RGB uint8.

    Args:
        folder: As for `evaluate`.
        scale: Enlargement.
        low: Folder of small pictures, called like the originals (`a.png` or `a_x4.png`, `ax4.png`
            for `a.png`, in capitals or not), or None to make them by the exact bicubic reduction.

    Raises:
        UserError: as for `evaluate`, or a small picture is missing or of another size.
    """
    if low is not None and not low.is_dir():
        raise UserError(f"There is no folder '{low}'. Give the folder of the small pictures.")
    files = picture_files(low) if low is not None else []
    for name, high in sharp_pictures(folder, scale):
        if low is None:
            yield name, high, resize(high, 1 / scale)
            continue
        file = _small_file(low, files, Path(name).stem, scale)
        picture = read(file).upright()
        small = as_bytes(replace(picture, pixels=_rgb(picture.pixels)))
        if tuple(scale * side for side in small.shape[:2]) != high.shape[:2]:
            raise UserError(
                f"'{file}' does not belong to '{name}': {high.shape[1] // scale}x"
                f"{high.shape[0] // scale} pixels are expected at x{scale}. Received: "
                f"{small.shape[1]}x{small.shape[0]}."
            )
        yield name, high, small


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
        yield file.name, np.ascontiguousarray(_rgb(pixels)[:height, :width])


def _rgb(pixels):
    """Return the colours of `(h, w, c)`; alpha is left out, grey is repeated."""
    return np.repeat(pixels[..., :1], 3, axis=2) if pixels.shape[2] < 3 else pixels[..., :3]


def _small_file(folder, files, stem, scale):
    """Return the one of the `files` of a folder that is the small picture of an original."""
    names, suffixes = (stem, f"{stem}_x{scale}", f"{stem}x{scale}"), list(SUFFIXES)
    alike = [name.lower() for name in names]
    found = [file for file in files if file.stem.lower() in alike]
    if not found:
        raise UserError(
            f"'{folder}' has no small picture for '{stem}'. Expected a name like '{stem}.png' or "
            f"'{stem}_x{scale}.png'."
        )
    return min(found, key=lambda file: (  # those in the same letters first
        file.stem not in names, alike.index(file.stem.lower()),
        suffixes.index(file.suffix.lower()),
    ))  # fmt: skip


def _mean_figures(several):
    names = [field.name for field in fields(Figures) if field.name != "octaves"]
    means = {name: _mean([getattr(one, name) for one in several]) for name in names}
    by_octave = zip(*(one.octaves for one in several), strict=True)
    return Figures(**means, octaves=tuple(_mean(values) for values in by_octave))


def _mean(values):
    """Return the mean without NaN; NaN of nothing else."""
    values = [value for value in values if value == value]
    return float(np.mean(values)) if values else math.nan
