"""The page of `superres eval`: tables, spectra, and the crops where the network does worst."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gantools.data.files import atomic
from gantools.report import svg
from gantools.report.page import Raw, Section, escape, page, paragraphs, picture, table

from .evaluate import METHODS, Score

WINDOW, SHOWN = 96, 24  # pixels a side of a crop; crops of a page
HEADS = (
    "method", "PSNR-Y dB", "SSIM-Y", "NIQE (own)", "spectrum dB", "patches", "consistency dB",
    "drift",
)  # fmt: skip
SHORT = ("PSNR-Y", "SSIM-Y", "NIQE", "spectrum", "patches", "consist.", "drift")  # on a terminal
STYLE = """
.crops{display:grid;grid-template-columns:repeat(auto-fill,minmax(192px,1fr));gap:10px;
margin:8px 0 26px}
.crops img{width:192px;height:auto;image-rendering:pixelated}
h3{overflow-wrap:anywhere}
"""
READING = (
    "PSNR and SSIM compare with the original on luma, without a border of as many pixels as the "
    "scale; higher is better. They reward blur: read them beside the spectrum.",
    "NIQE needs no original: the distance of small-scale statistics from those of sharp "
    "photographs, by a model of our own, so its numbers differ from other programs'. Lower is more "
    "natural, and noise can lower it.",
    "The spectrum is the mean error of five octaves of frequency in dB. The curve shows its sign: "
    "below 0 is blur, above 0 is invented detail or noise.",
    "Patches is the sliced Wasserstein distance of 7x7 patches at three scales, in thousandths; it "
    "compares texture, wherever it lies. Lower is better.",
    "Consistency is the PSNR of the result, shrunk again, against the small picture: what is below "
    "45 dB has changed the picture. Drift is the largest change of a channel's mean in levels.",
)


@dataclass(frozen=True)
class Crop:
    """A window in which the network is far from the original.

    Attributes:
        name: Of the picture.
        at: `(left, top)` in the original, pixels.
        errors: `{method: mean squared error of RGB}`.
        pixels: `{"original" or method: (h, w, 3) uint8}`.
    """

    name: str
    at: tuple[int, int]
    errors: dict[str, float]
    pixels: dict[str, np.ndarray]


class Worst:
    """Keep the worst window of each picture, and of these the worst.

    Args:
        most: How many.
        side: Pixels a side of a window.
    """

    def __init__(self, most: int = SHOWN, side: int = WINDOW):
        self.most, self.side, self.crops = most, side, []

    def add(self, name: str, high: np.ndarray, results: dict[str, np.ndarray]) -> None:
        """Look at a picture. Args: as `evaluate` calls `seen`."""
        import cv2

        side = [min(self.side, length) for length in high.shape[:2]]
        error = np.square(results["network"].astype(np.float32) - high).mean(axis=2)
        sums = cv2.integral(error)
        a, b = side
        total = sums[a:, b:] - sums[:-a, b:] - sums[a:, :-b] + sums[:-a, :-b]
        top, left = (int(i) for i in np.unravel_index(np.argmax(total), total.shape))
        cut = np.s_[top : top + a, left : left + b]
        shown = {"original": high[cut].copy()} | {m: results[m][cut].copy() for m in METHODS}
        errors = {
            m: float(np.mean((shown[m].astype(np.float32) - shown["original"]) ** 2))
            for m in METHODS
        }
        self.crops.append(Crop(name, (left, top), errors, shown))
        self.crops = sorted(self.crops, key=lambda crop: -crop.errors["network"])[: self.most]


def write(path: Path, title: str, tables: list[tuple[str, list[Score], Score]], worst: Worst):
    """Write the page.

    Args:
        path: HTML file to make.
        title: Of the page.
        tables: `(folder, scores, their mean)`.
        worst: The crops.

    Raises:
        UserError: the file cannot be written.
    """
    text = html(title, tables, worst)
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def html(title: str, tables: list[tuple[str, list[Score], Score]], worst: Worst) -> str:
    """Return the page. Args: as for `write`."""
    sections = [
        Section("means", "Means", "".join(_means(folder, mean) for folder, _, mean in tables)),
        Section("worst", "The worst crops", _crops(worst)),
        Section("pictures", "All pictures", _pictures(tables)),
        Section("reading", "How to read it", paragraphs(*READING)),
    ]
    gains = [(folder, mean.gain) for folder, _, mean in tables]
    lead = "; ".join(f"{folder}: {gain:+.2f} dB beside bicubic" for folder, gain in gains)
    return page(title, sections, lead=lead, style=STYLE)


def row(method: str, found) -> tuple[str, ...]:
    """Return the cells of a method's figures, as in `HEADS`; what is unknown is empty."""
    values = (
        (found.psnr, ".2f"), (found.ssim, ".4f"), (found.niqe, ".2f"), (found.spectrum, ".2f"),
        (found.swd, ".1f"), (found.consistency, ".1f"), (found.drift, ".2f"),
    )  # fmt: skip
    return method, *(f"{value:{form}}" if value == value else "" for value, form in values)


def truth_row(score: Score) -> tuple[str, ...]:
    """Return the cells of the original itself: only NIQE says something."""
    niqe = f"{score.truth_niqe:.2f}" if score.truth_niqe == score.truth_niqe else ""
    return ("original", "", "", niqe, *[""] * (len(HEADS) - 4))


def _means(folder, mean):
    rows = [row(method, getattr(mean, method)) for method in METHODS]
    count = len(mean.network.octaves)
    lines = {m: (range(count), getattr(mean, m).octaves) for m in METHODS}
    known = [v for _, values in lines.values() for v in values if v == v] or [0.0]
    low, high = min(known), max(known)
    chart = svg.curves(
        lines, title=f"Error of the spectrum, {folder}",
        axes=("octave, coarse to fine; the last is the finest", "dB"),
        levels=[(0.0, "as the original")], y=(min(low, -1) - 1, max(high, 1) + 1), low_legend=False,
    )  # fmt: skip
    whole = table(HEADS, [*rows, truth_row(mean)], numbers=range(1, len(HEADS)))
    return f"<h3>{escape(folder)}</h3>{whole}{chart}"


def _crops(worst):
    if not worst.crops:
        return paragraphs("None.")
    told = paragraphs(
        f"The {worst.side}x{worst.side} pixels of each picture that the network got worst, by mean "
        "squared error; the worst pictures first."
    )
    return told + "".join(map(_crop, worst.crops))


def _crop(crop):
    parts = []
    for name, pixels in crop.pixels.items():
        caption = name if name == "original" else f"{name}, {_decibels(crop.errors[name])}"
        shown = picture(pixels, f"{crop.name}: {name}", quality=None)
        parts.append(f"<figure>{shown}<figcaption>{escape(caption)}</figcaption></figure>")
    at = f"{crop.at[0]} from the left, {crop.at[1]} from the top"
    return Raw(
        f'<h3>{escape(crop.name)}</h3><p class="soft">{at}</p>'
        f'<div class="crops">{"".join(parts)}</div>'
    )


def _pictures(tables):
    head = ("picture", "gain dB", *HEADS[1:])
    parts = []
    for folder, scores, _ in tables:
        worst_first = sorted(scores, key=lambda score: score.gain)
        rows = [(s.name, f"{s.gain:+.2f}", *row("", s.network)[1:]) for s in worst_first]
        parts.append(f"<h3>{escape(folder)}</h3>" + table(head, rows, numbers=range(1, len(head))))
    told = paragraphs("Figures of the network; the smallest gain over bicubic first.")
    return told + "".join(parts)


def _decibels(error):
    return "equal" if error == 0 else f"{10 * np.log10(255**2 / error):.1f} dB"
