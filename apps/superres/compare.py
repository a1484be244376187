"""Before and after: one page with a slider for each picture, and a PNG with both side by side.

The page needs no network and no other file. Before is the small picture enlarged by the exact
bicubic kernel, after is the result. Large pictures are shown by the window with most detail, so
that the page stays small.
"""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from gantools.data import pictures
from gantools.data.files import atomic, check_free
from gantools.data.folders import as_bytes
from gantools.data.pictures import Picture
from gantools.data.resample import taps
from gantools.errors import UserError
from gantools.report import page
from gantools.report.page import Raw, Section, escape, paragraphs

from . import colours

ASSETS = Path(__file__).with_name("compare_assets")
SUFFIXES = (".html", ".htm")
MOST = 40  # pictures of a page
PAGE_BYTES = 9_500_000
TEXT = 4 / 3 * 1.02  # bytes of a page for a byte of a picture
LARGEST = 4_000_000  # pixels of a window
BYTES_A_PIXEL = 1.0  # of both pictures of a photograph together, at quality 95, as text
QUALITIES = (95, 88, 75, 50, 25)
SHEET_ROWS, SHEET_SIDE, STRIP, GAP = 12, 480, 26, 8  # of the side-by-side picture, pixels


@dataclass(frozen=True)
class Pair:
    """One picture before and after.

    Attributes:
        name: What it is called; any text.
        before, after: `(h, w, 3)` uint8 of one size: the same place, enlarged plainly and by the
            network.
        facts: More to be told, in sentences.
        labels: What the two are.
    """

    name: str
    before: np.ndarray
    after: np.ndarray
    facts: tuple[str, ...] = ()
    labels: tuple[str, str] = ("bicubic", "result")


@dataclass(frozen=True)
class Comparison:
    """What a page shows.

    Attributes:
        pairs: In order.
        title: Of the page.
        left_out: What could not be shown and why, in sentences.
    """

    pairs: tuple[Pair, ...]
    title: str = "Before and after"
    left_out: tuple[str, ...] = field(default_factory=tuple)


def places(
    wanted: str | None, sources: list[Path], targets: list[Path], *, overwrite: bool,
    part: tuple[int, int] | None = None,
) -> tuple[Path, Path]:  # fmt: skip
    """Return the paths of the page and of the side-by-side picture.

    Args:
        wanted: Name that ends in .html, or nothing for a name beside the results.
        sources: Paths of the small pictures.
        targets: Paths of the results.
        overwrite: Whether either may exist already.
        part: `(i, n)` of share i of n, which has a page of its own unless `wanted` names one.

    Raises:
        UserError: another suffix, no such folder, a source or a result of that name, or a file that
            is already there.
    """
    if wanted:
        found = Path(wanted)
    elif len(targets) == 1:
        found = targets[0].with_name(f"{targets[0].stem}_compare.html")
    else:
        share = f"_{part[0]}-of-{part[1]}" if part else ""
        found = targets[0].parent / f"compare{share}.html"
    if found.suffix.lower() not in SUFFIXES:
        raise UserError(f"--compare makes a page: a name that ends in .html. Received: '{found}'.")
    sheet = found.with_suffix(".png")
    for path in (found, sheet):
        check_free(path, (*SUFFIXES, ".png"), sources=sources, results=targets, overwrite=overwrite)
    return found, sheet


def compared(outcomes, label: str, **shown) -> Comparison:
    """Return the comparison of the pictures that are there; their files are read again.

    Args:
        outcomes: `batch.Outcome` values.
        label: What the results are called, such as "fast x4".
        **shown: `wrap` and `background` of `pair`.
    """
    there = [outcome for outcome in outcomes if outcome.error is None]
    pairs, left_out = [], []
    room = min(LARGEST, PAGE_BYTES / BYTES_A_PIXEL / max(1, min(len(there), MOST)))
    for outcome in there[:MOST]:
        job = outcome.job
        try:
            pairs.append(pair(job.source, job.target, label, int(room), **shown))
        except UserError as error:
            left_out.append(f"{job.source.name}: {error}")
    if len(there) > MOST:
        left_out.append(f"The other {len(there) - MOST} pictures are not on this page.")
    return Comparison(tuple(pairs), left_out=tuple(left_out))


def pair(
    source: Path, target: Path, label: str, room: int = LARGEST, *, wrap=False, background=None
) -> Pair:
    """Return one picture before and after.

    Args:
        source, target: Files of the small and of the enlarged picture.
        label: What the result is called.
        room: Pixels that may be shown of the large one.
        wrap: Whether the picture is a seamless texture.
        background: RGB that was put behind transparency; None for white behind both.

    Raises:
        UserError: one of the files cannot be read.
    """
    small = as_bytes(_flattened(pictures.read(source), background), channels=3)
    large = as_bytes(pictures.read(target), channels=3)
    (h, w), (height, width) = small.shape[:2], large.shape[:2]
    facts = [f"{w}x{h} became {width}x{height} pixels."]
    box = window(small, (height, width), room)
    if box != (0, 0, height, width):
        facts.append(
            f"Shown is the part of {box[3]}x{box[2]} pixels with most detail, {box[1]} from the "
            f"left and {box[0]} from the top."
        )
    before = bicubic(small, (height, width), box, wrap=wrap)
    after = np.ascontiguousarray(_cut(large, box))
    return Pair(source.name, before, after, tuple(facts), ("bicubic", label))


def _flattened(picture, background):
    """Return a picture with the colour behind it that its result has, if that was asked for."""
    channels = picture.pixels.shape[2]
    if background is None or channels in (1, 3):
        return picture
    (pixels,) = colours.flattened([picture.pixels], background, grey=channels == 2)
    return replace(picture, pixels=pixels)


def window(small: np.ndarray, size: tuple[int, int], room: int) -> tuple[int, int, int, int]:
    """Return `(top, left, height, width)` of the part of the enlarged picture with most detail.

    Args:
        small: `(h, w, 3)` uint8, before.
        size: `(height, width)` afterwards.
        room: Pixels that the part may have; the whole picture if it has no more.
    """
    import cv2

    height, width = size
    if height * width <= room:
        return 0, 0, height, width
    side = max(1, int(room**0.5))
    tall = min(height, max(side, room // width))
    wide = min(width, max(1, room // tall))
    grey = cv2.cvtColor(np.ascontiguousarray(small), cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = np.abs(cv2.Laplacian(grey, cv2.CV_32F, borderType=cv2.BORDER_REFLECT_101))
    sums = cv2.integral(np.minimum(detail, 64))  # a few hard edges are not detail everywhere
    rows = max(1, min(grey.shape[0], round(tall * grey.shape[0] / height)))
    columns = max(1, min(grey.shape[1], round(wide * grey.shape[1] / width)))
    total = sums[rows:, columns:] - sums[:-rows, columns:] - sums[rows:, :-columns]
    total = total + sums[:-rows, :-columns]
    y, x = np.unravel_index(np.argmax(total), total.shape)
    top = min(int(y) * height // grey.shape[0], height - tall)
    left = min(int(x) * width // grey.shape[1], width - wide)
    return top, left, tall, wide


def bicubic(
    small: np.ndarray, size: tuple[int, int], box: tuple[int, int, int, int], *, wrap: bool = False
) -> np.ndarray:
    """Return a part of the exact bicubic enlargement; nothing else of it is computed.

    Args:
        small: `(h, w, c)` uint8.
        size: `(height, width)` of the whole enlargement.
        box: `(top, left, height, width)` of the part.
        wrap: Whether the picture goes on at its edges with the opposite side.

    Returns:
        `(height, width, c)` uint8, rounded once: `resample.resize` rounds after each axis.
    """
    values = small
    for axis in (0, 1):
        old, new = small.shape[axis], size[axis]
        indices, weights = taps(old, new, new / old, wrap=wrap)
        part = slice(box[axis], box[axis] + box[axis + 2])
        shape = (-1, 1, 1) if axis == 0 else (1, -1, 1)
        chosen = zip(indices[part].T, weights[part].T.astype(np.float32), strict=True)
        values = sum(np.take(values, i, axis) * w.reshape(shape) for i, w in chosen)
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def write(path: Path, sheet: Path, comparison: Comparison) -> None:
    """Write the page and, if there is a pair, the side-by-side picture.

    Raises:
        UserError: one of them cannot be written.
    """
    text = html(comparison)
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")
    if comparison.pairs:
        pictures.write(sheet, Picture(side_by_side(comparison.pairs)))


def html(comparison: Comparison) -> str:
    """Return the page."""
    pairs = comparison.pairs
    share = PAGE_BYTES / TEXT / max(1, len(pairs))
    sections = [
        Section(f"picture-{number}", one.name, _card(number, one, share))
        for number, one in enumerate(pairs)
    ]
    rest = paragraphs(*comparison.left_out, kind="note")
    if rest:
        sections.append(Section("left-out", "Not shown", rest))
    style, script = ((ASSETS / name).read_text("utf-8") for name in ("compare.css", "compare.js"))
    lead = (
        "Drag the line, or move it with the arrow keys. The left side is before, the right after."
    )
    return page.page(comparison.title, sections, lead=lead, style=style, script=script)


def side_by_side(pairs: tuple[Pair, ...]) -> np.ndarray:
    """Return `(h, w, 3)` uint8: a row for each of the first pictures, before and after, labelled.

    Args:
        pairs: At least one; of large ones the middle is shown.
    """
    cells = []
    for one in pairs[:SHEET_ROWS]:
        height, width = (min(SHEET_SIDE, side) for side in one.after.shape[:2])
        box = (one.after.shape[0] - height) // 2, (one.after.shape[1] - width) // 2, height, width
        cells.append((one, [np.ascontiguousarray(_cut(a, box)) for a in (one.before, one.after)]))
    widest = max(shown[0].shape[1] for _, shown in cells)
    rows = []
    for one, shown in cells:
        texts = (f"{one.labels[0]}: {one.name}", one.labels[1])
        row = [_labelled(a, text, widest) for a, text in zip(shown, texts, strict=True)]
        rows.append(np.concatenate([row[0], np.full_like(row[0][:, :GAP], 255), row[1]], axis=1))
    return np.concatenate(rows)


def _card(number, one, share):
    before, after = _encoded(one, share)
    height, width = one.after.shape[:2]
    names = [escape(label) for label in one.labels]
    return Raw(
        f'{paragraphs(*one.facts, kind="soft")}<div class="pair" data-width="{width}" '
        f'data-height="{height}"><div class="view">'
        f'<div class="stage"><figure class="after">{after}<figcaption>{names[1]}</figcaption>'
        f'</figure><figure class="before">{before}<figcaption>{names[0]}</figcaption></figure>'
        f'</div></div><div class="line" role="slider" tabindex="0" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="50" aria-orientation="horizontal" '
        f'aria-label="share of the view that shows {names[0]}"></div>'
        f'<span class="tag left">{names[0]}</span><span class="tag right">{names[1]}</span></div>'
        '<p class="screen zooms"><button data-zoom="fit" aria-pressed="true">fit</button> '
        '<button data-zoom="1" aria-pressed="false">100 %</button> '
        '<button data-zoom="2" aria-pressed="false">200 %</button> '
        '<span class="soft">Hold the space bar to see the other one whole.</span></p>'
    )


def _encoded(one, share):
    """Return both pictures as `<img>`, together at most `share` bytes unless that is hopeless."""
    for quality in QUALITIES:
        found = [
            page.picture(pixels, f"{one.name}: {label}", quality=quality)
            for pixels, label in zip((one.before, one.after), one.labels, strict=True)
        ]
        if sum(map(len, found)) <= share * TEXT:
            break
    return found


def _cut(pixels, box):
    top, left, height, width = box
    return pixels[top : top + height, left : left + width]


def _labelled(pixels, text, width):
    """Return pixels below a white strip with a text; the font has most scripts, on one line."""
    import cv2

    out = np.full((len(pixels) + STRIP + GAP, width, 3), 255, np.uint8)
    out[STRIP : STRIP + len(pixels), : pixels.shape[1]] = pixels
    plain = "".join(letter if letter.isprintable() else "?" for letter in text)
    cv2.putText(
        out, plain, (4, STRIP - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (27, 31, 36), 1, cv2.LINE_AA
    )
    return out
