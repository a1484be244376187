"""What there is to look at: one `Item` a picture, frame or slice, all in a `Collection`."""

from dataclasses import dataclass, field
from pathlib import Path

from gantools.data.shards import portion

PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Item:
    """One picture, and what is known of it before it is opened.

    Attributes:
        path: The file.
        name: What every output calls it: the path below the root (`#index` for one of several in
            a file), or a de-identified code where the file is DICOM.
        part: "train", "test" or "val". Only "train" may be fitted on; "val" is the validation part
            of somebody's own split and is neither fitted on nor scored unless asked for.
        label: 0 normal, 1 anomalous, None unknown.
        kind: Name of its class or folder, "" if there is none.
        group: What must never be divided between parts: patient, part, lot, volume; None unknown.
        mask: File of the pixel truth, not 0 where anomalous, or None.
        index: Which frame, slice or row of the file, or None for the only one.
        member: Which array of an `.npz` file.
        series: Code of the DICOM series or NIfTI volume whose grey levels belong together, or "".
        facts: Numbers that a manifest or a header says of it, as `(name, value)`: not pixels, but
            possible shortcuts.
        trouble: Why it cannot be read, where that is known before it is opened, else "". Such an
            item is a row with this reason: a broken scan must not disappear.
    """

    path: Path
    name: str
    part: str = "train"
    label: int | None = None
    kind: str = ""
    group: str | None = None
    mask: Path | None = None
    index: int | None = None
    member: str = ""
    series: str = ""
    facts: tuple[tuple[str, float], ...] = ()
    trouble: str = ""


@dataclass(frozen=True)
class Collection:
    """All items below one root, and how they were found.

    Attributes:
        root: The folder or file that was given.
        layout: Name of the layout, one of `layouts.LAYOUTS`.
        items: In sorted order of names, DICOM series in the order of space; empty for a table.
        notes: Sentences that the user should read once.
        skipped: `(name, reason)` of what was passed over.
        table: The file of a table with no pictures, else None.
        others: Items of other shares, where only a share is looked at; volumes are not opened.
    """

    root: Path
    layout: str
    items: tuple[Item, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = field(default=())
    table: Path | None = None
    others: tuple[Item, ...] = ()

    def of(self, part: str) -> tuple[Item, ...]:
        """Return the items of one part, in order."""
        return tuple(item for item in self.items if item.part == part)

    def normals(self) -> tuple[Item, ...]:
        """Return what a detector is fitted on: the training part without known anomalies."""
        return tuple(item for item in self.of("train") if item.label != 1)

    @property
    def description(self) -> str:
        """One line for the screen: layout, counts a part, masks and groups."""
        if self.table is not None:
            return f"{self.layout} layout: {self.table.name}."
        parts = [_count(self.of(part), part) for part in PARTS]
        groups = {item.group for item in self.items if item.group is not None}
        masks = sum(item.mask is not None for item in self.items)
        parts += [f"{masks} masks"] if masks else []
        parts.append(f"{len(groups)} groups" if groups else "no groups known")
        parts += [f"{len(self.skipped)} skipped"] if self.skipped else []
        return f"{self.layout} layout: {', '.join(part for part in parts if part)}."


def share_keys(items) -> list[str]:
    """Return a key an item; those of one key are in one share.

    Groups stay whole, because each gets one p, and so do series, because their slices have one
    window: a score must not depend on how many machines there are.
    """
    own = [item.group or item.name for item in items]
    first, above = {}, {}  # union-find: the smallest key stands for what hangs together

    def top(key):
        while key in above:
            key = above[key]
        return key

    for key, item in zip(own, items, strict=True):
        if item.series:
            low, high = sorted((top(key), top(first.setdefault(item.series, key))))
            if low != high:
                above[high] = low
    return [top(key) for key in own]


def shared(items, part):
    """Return `(items of a share, all others)`.

    Args:
        items: All items.
        part: `(i, n)`, or None for all.
    """
    chosen = set(portion(share_keys(items), part))
    mine = [item for i, item in enumerate(items) if i in chosen]
    return mine, [item for i, item in enumerate(items) if i not in chosen]


def _count(items, part):
    if not items:
        return ""
    known = [item.label for item in items if item.label is not None]
    if not known:
        return f"{len(items)} for {part}"
    bad = sum(known)
    kinds = {item.kind for item in items if item.label == 1 and item.kind}
    named = f" in {len(kinds)} kinds" if len(kinds) > 1 else ""
    return f"{len(items)} for {part} ({len(known) - bad} normal, {bad} anomalous{named})"
