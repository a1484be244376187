"""Rules about single pictures and about the mixture: broken, constant, mixed, too few, odd ones."""

from collections import Counter

import numpy as np

from ..calibration.crossfit import FEWEST as REFUSE
from ..calibration.split import FEW
from ..scans.dicom import LEFT_OUT
from .findings import Finding, first, some
from .measure import Sheet

CONSTANT = 1 / 255  # standard deviation, as a share of the levels that are used
ENOUGH = 40  # normals, to tell which are odd among them
ODD = 6.0  # robust standard deviations of the log distance to the normals
TOO_FEW = "too-few"  # the rule that says nothing of items that are only scored
BLOCKY = 1.06  # steps across the 8x8 grid over those beside; JPEG quality 95 gives 1.08


def content_findings(sheet: Sheet) -> list[Finding]:
    """Return what all rules of this module find."""
    rules = (unreadable, constant, mixed, too_few, odd_normals, text, compression, imbalance)
    return [finding for rule in rules for finding in rule(sheet)]


def unreadable(sheet: Sheet) -> list[Finding]:
    """List the files that could not be opened."""
    if not sheet.unreadable:
        return []
    names = [name for name, _ in sheet.unreadable]
    return [
        Finding(
            "unreadable",
            "warning",
            f"{len(names)} files cannot be read ({some(names)}). "
            f"The first: {sheet.unreadable[0][1]}",
            first(names),
            len(names),
        )
    ]


def readings(notes) -> list[Finding]:
    """Pass on what was said when files were opened.

    Args:
        notes: Name -> sentences, as `loading.Reader.notes`.
    """
    if not notes:
        return []
    texts = Counter(text for told in notes.values() for text in told).most_common(3)
    names = sorted(notes)
    return [
        Finding(
            "not-as-meant",
            "warning",
            f"{len(names)} files are not read whole or not as they are meant ({some(names)}): "
            f"{' '.join(text for text, _ in texts)}",
            first(names),
            len(names),
        )
    ]


def left_out(skipped) -> list[Finding]:
    """Name the DICOM files that are no items: what is left out must not disappear.

    Args:
        skipped: `(code, reason)`, as `Collection.skipped`. Other reasons are not told here: names
            of files beside DICOM may be those of patients.
    """
    found = []
    for reason in LEFT_OUT:
        names = [name for name, why in skipped if why == reason]
        if names:
            sentence = f"{len(names)} files are left out ({some(names)}), each {reason}."
            found.append(Finding("left-out", "note", sentence, first(names), len(names)))
    return found


def constant(sheet: Sheet) -> list[Finding]:
    """List pictures that show nothing, and say so where all pictures are one and the same."""
    if len(sheet) > 1 and len(set(sheet.digests)) == 1:
        return [
            Finding(
                "all-identical",
                "error",
                f"All {len(sheet)} pictures are identical: there is nothing to learn.",
                first(sheet.names),
                len(sheet),
            )
        ]
    low, high = sheet.span
    contrasts = sheet.numbers.get("contrast (standard deviation)", np.ones(0))
    flat = contrasts < CONSTANT * (high - low)
    if not flat.any():
        return []
    return [
        Finding(
            "constant",
            "warning",
            f"{flat.sum()} pictures are constant or nearly so ({some(sheet.names[flat])}): they "
            "show nothing and are best left out.",
            first(sheet.names[flat]),
            float(flat.mean()),
        )
    ]


def mixed(sheet: Sheet) -> list[Finding]:
    """Report several modes (channels, depth) or sizes, and normals that differ from the rest."""
    found = []
    modes = Counter(sheet.modes.tolist())
    if len(modes) > 1:
        usual = modes.most_common(1)[0][0]
        other = sheet.modes != usual
        words = ", ".join(f"{count} {mode}" for mode, count in modes.most_common())
        found.append(
            Finding(
                "mixed-modes",
                "warning",
                f"The pictures have {len(modes)} modes: {words}. They may come from different "
                "sources; all are brought to the mode of the training part.",
                first(sheet.names[other]),
                float(other.mean()),
            )
        )
    for name in sheet.facts:
        found += _mixed_fact(sheet, name) if "channels" in name or "bits" in name else []
    if not len(sheet):
        return found
    h, w = sheet.numbers["height"], sheet.numbers["width"]
    sizes = Counter(zip(h.tolist(), w.tolist(), strict=True))
    if len(sizes) > 1:
        area, ratio = h * w, w / h
        wide = area.max() > 16 * area.min() or ratio.max() > 3 * ratio.min()
        common = ", ".join(f"{int(b)}x{int(a)} ({c})" for (a, b), c in sizes.most_common(3))
        found.append(
            Finding(
                "mixed-sizes",
                "warning" if wide else "note",
                f"The pictures have {len(sizes)} sizes: {common}"
                + (" ..." if len(sizes) > 3 else "")
                + ". None is squashed: the aspect is kept.",
                (),
                len(sizes),
            )
        )
    return found


def _mixed_fact(sheet, name):
    counts = Counter(v for v in sheet.numbers[name].tolist() if v == v)
    if len(counts) < 2:
        return []
    usual = counts.most_common(1)[0][0]
    words = ", ".join(f"{count} with {value:g}" for value, count in counts.most_common())
    other = np.isfinite(sheet.numbers[name]) & (sheet.numbers[name] != usual)
    sentence = f"By the manifest the pictures differ in {name}: {words}. They have several sources."
    return [
        Finding("mixed-modes", "warning", sentence, first(sheet.names[other]), float(other.mean()))
    ]


def mixed_modalities(modalities) -> list[Finding]:
    """Refuse DICOM of several kinds of machine in one job.

    Args:
        modalities: One text an item, for example "CT", "MR".
    """
    counts = Counter(m for m in modalities if m)
    if len(counts) < 2:
        return []
    words = ", ".join(f"{count} {kind}" for kind, count in counts.most_common(6))
    return [
        Finding(
            "mixed-modalities",
            "error",
            f"The pictures come from {len(counts)} modalities: {words}. Levels of one mean nothing "
            "in another: give each its own job.",
            (),
            len(counts),
        )
    ]


def too_few(sheet: Sheet) -> list[Finding]:
    """Say when the normals are too few to hold some back."""
    return too_few_of(int((sheet.normal & (sheet.parts == "train")).sum()))


def too_few_of(n: int) -> list[Finding]:
    """Say when `n` normals for training are too few."""
    if n >= FEW:
        return []
    bad = n < REFUSE
    return [
        Finding(
            TOO_FEW,
            "error" if bad else "warning",
            f"There are {n} normals for training, at least {REFUSE} are needed, and {FEW} for a "
            + (
                "detector that is trained: nothing can be calibrated. Add normals."
                if bad
                else f"detector that is trained: below {FEW} the p-values are coarse."
            ),
            (),
            n,
        )
    ]


def odd_normals(sheet: Sheet) -> list[Finding]:
    """List training pictures that look unlike all others: perhaps not normal at all.

    Distance of the 32x32 picture to its fifth nearest other; robust score of its logarithm. The
    distance leaves the picture itself out, so no picture vouches for itself.
    """
    chosen = np.flatnonzero(sheet.normal & (sheet.parts == "train"))
    if len(chosen) < ENOUGH:
        return []
    if len(chosen) > 5000:
        chosen = chosen[np.linspace(0, len(chosen) - 1, 5000).astype(int)]
    log = np.log(_fifth_distance(sheet.shown[chosen].reshape(len(chosen), -1)) + 1e-3)
    middle = np.median(log)
    spread = 1.4826 * np.median(np.abs(log - middle))
    score = (log - middle) / max(spread, 1e-6)
    odd = np.flatnonzero(score > ODD)
    odd = odd[np.argsort(-score[odd])]
    if not len(odd):
        return []
    return [
        Finding(
            "odd-normals",
            "warning",
            f"{len(odd)} training pictures look unlike all other normals "
            f"({some(sheet.names[chosen[odd]])}). Look whether they are normal.",
            first(sheet.names[chosen[odd]]),
            float(score[odd[0]]),
        )
    ]


def text(sheet: Sheet) -> list[Finding]:
    """Report letters burned into pictures: a shortcut, and perhaps a name."""
    marks = sheet.numbers.get("text marks", np.zeros(0)) > 0
    if marks.sum() < max(1, 0.005 * len(sheet)):
        return []
    return [
        Finding(
            "burned-in-text",
            "warning",
            f"{marks.sum()} pictures seem to carry writing near the border "
            f"({some(sheet.names[marks])}): a detector can learn it, and it may name a person.",
            first(sheet.names[marks]),
            float(marks.mean()),
        )
    ]


def compression(sheet: Sheet) -> list[Finding]:
    """Note the 8x8 grid that JPEG leaves: a generator learns it."""
    ratios = sheet.numbers.get("8x8 blockiness", np.zeros(0))
    mean = float(np.exp(np.log(np.maximum(ratios, 1e-3)).mean())) if len(ratios) else 1.0
    if mean < BLOCKY:
        return []
    return [
        Finding(
            "compression-grid",
            "note",
            f"Steps across an 8x8 grid are {mean:.2f} times as large as those beside it: the "
            "pictures were compressed with loss, and a generator may learn the grid.",
            (),
            mean,
        )
    ]


def imbalance(sheet: Sheet) -> list[Finding]:
    """Note kinds of very different size: the mean over pictures hides the small ones."""
    return imbalance_of(sheet.kinds[sheet.kinds != ""])


def imbalance_of(kinds) -> list[Finding]:
    """Note kinds of which the largest has five times the items of the smallest."""
    counts = Counter(kinds.tolist())
    if len(counts) < 2 or max(counts.values()) < 5 * min(counts.values()):
        return []
    (large, most), (small, least) = counts.most_common()[0], counts.most_common()[-1]
    return [
        Finding(
            "imbalance",
            "note",
            f"The kinds differ in size: {most} '{large}' against {least} '{small}'. Read results "
            "by kind.",
            (),
            most / least,
        )
    ]


def empty_masks(items) -> list[Finding]:
    """Find items that are labelled anomalous and have a mask with nothing in it.

    Args:
        items: `items.Item`s; the masks that will be compared with maps are opened.

    Raises:
        UserError: one of these cannot be read, or does not belong to its picture.
    """
    from ..loading import read_mask

    empty = [
        i.name for i in items
        if i.mask is not None and i.label != 0 and not i.trouble
        and not read_mask(i).any() and i.label == 1
    ]  # fmt: skip
    if not empty:
        return []
    return [
        Finding(
            "empty-mask",
            "warning",
            f"{len(empty)} pictures are labelled anomalous and have an empty mask ({some(empty)}): "
            "they cannot count as regions.",
            first(empty),
            len(empty),
        )
    ]


def _fifth_distance(flat):
    norms = (flat**2).sum(axis=1)
    out = np.empty(len(flat))
    for start in range(0, len(flat), 1000):
        rows = slice(start, start + 1000)
        square = norms[rows, None] + norms[None] - 2 * flat[rows] @ flat.T
        out[rows] = np.sqrt(np.maximum(np.partition(square, 5, axis=1)[:, 5], 0))
    return out / flat.shape[1] ** 0.5
