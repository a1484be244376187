"""Lists of pictures: a CSV or Parquet table whose one column names files.

Columns are known by their names: path, label, class, group, split, mask. Every other column of
numbers becomes a fact of the item, which the audit holds against the label.
"""

import csv
import re
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from gantools.errors import MISSING_EXTRA, UserError, missing_extra

from .audit.findings import some
from .items import PARTS, Item
from .scans.medical import read_as_dicom

PATHS = ("path", "file", "filename", "file_name", "filepath", "image", "image_path", "image_file")
LABELS = ("label", "anomaly", "is_anomaly", "abnormal", "anomalous", "target", "y")
KINDS = ("class", "kind", "defect", "defect_type", "category", "finding", "diagnosis")
GROUPS = ("group", "patient", "patient_id", "patientid", "subject", "subject_id", "case", "case_id",
          "lot", "lot_id", "part_id", "volume", "study", "video", "serial")  # fmt: skip
SPLITS = ("split", "subset", "partition", "set", "part", "fold")
LOOSE = ("set", "part", "fold")  # also headings of other things: machine parts, numbered folds
MASKS = ("mask", "mask_path", "ground_truth", "segmentation")
NORMAL = {"good", "normal", "ok", "negative", "healthy", "free", "none", "no finding", "normals"}
BAD = {"bad", "ng", "defect", "defects", "defective", "abnormal", "anomaly", "anomalies",
       "anomalous", "positive", "nok", "not ok", "faulty"}  # fmt: skip
PART_WORDS = {
    "train": "train", "training": "train", "tr": "train", "fit": "train", "val": "val",
    "valid": "val", "validation": "val", "dev": "val", "test": "test", "testing": "test",
    "ts": "test", "holdout": "test", "eval": "test", "evaluation": "test",
}  # fmt: skip
SHARE = 0.9  # of the values of a path column that must be files
PROBE = 100  # rows that are looked at first
LOST = "It is listed, but there is no such file. Copy it there, or take it off the list."
EMPTY = "The file is empty. Expected a whole one."
DANGLING = "It is a link to a file that is not there. Expected the file."


@dataclass(frozen=True)
class Manifest:
    """A table that lists pictures.

    Attributes:
        file: The table.
        rows: One dict a row, texts.
        column: Which column holds the paths.
        folder: What the paths are relative to.
    """

    file: Path
    rows: tuple[dict[str, str], ...]
    column: str
    folder: Path


def read_rows(file: Path, limit: int | None = None) -> list[dict[str, str]]:
    """Read a table as one dict of texts a row, the first `limit` rows or all.

    Raises:
        UserError: not readable as a table; `.parquet` without the extra `[tables]`.
    """
    if file.suffix.lower() == ".parquet":
        try:
            import pandas
        except ImportError as error:
            raise missing_extra(f"Reading '{file.name}'", "pandas", "tables") from error
        frame = pandas.read_parquet(file).head(limit) if limit else pandas.read_parquet(file)
        return [{str(k): "" if v != v else str(v) for k, v in row.items()}
                for row in frame.to_dict("records")]  # fmt: skip
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            start = stream.read(65536)
            stream.seek(0)
            first = start.partition("\n")[0]
            comma = max(",;\t", key=first.count)
            return [
                {k: v or "" for k, v in row.items() if k}
                for row in islice(csv.DictReader(stream, delimiter=comma), limit)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"Cannot read '{file}' as a table: {error}.") from error


def find_list(tables, root: Path, pictures, named=None) -> tuple[Manifest | None, list[str]]:
    """Return the first of the tables that lists pictures, and a note for each that is not read.

    Args:
        tables: Files, the most likely one first.
        root: Paths may be relative to the table's folder or to this one.
        pictures: All pictures below the root, in which other names are looked up.
        named: The one that the user named, or None.

    Raises:
        UserError: the named one cannot be read or lists no files, or an extra is missing.
    """
    found, notes = None, []
    for file in tables:
        if found is not None:
            notes.append(_passed(file, f"{found.file.name} lists them", "to read this one instead"))
            continue
        why = "no column of it names existing files in 90 % of its rows"
        try:
            found = find_manifest(file, root, pictures)
        except UserError as error:
            if named or error.code == MISSING_EXTRA:
                raise
            why = str(error).rstrip(".")  # nobody named it: no reason to stop
        if found is None and named:
            raise UserError(f"No column of '{file}' names existing files (90 % are needed).")
        if found is None:
            notes.append(_passed(file, why, "once it is repaired, if it lists them"))
    return found, notes


def find_manifest(file: Path, root: Path, pictures=()) -> Manifest | None:
    """Return the manifest in a table file, or None when no column of it names files.

    Args:
        file: The table.
        root: Paths may be relative to the table's folder or to this one.
        pictures: In which other names are looked up, as those without a folder or a suffix.
    """
    head = read_rows(file, PROBE)
    if not head:
        return None
    names = [name for name in head[0] if name.strip().lower() in PATHS]
    names += [name for name in head[0] if name not in names]
    for column in names:
        for folder in dict.fromkeys((file.parent, root)):
            # a table of a million rows without files is not read whole; a few may be lost on top
            if _share([row[column] for row in head], folder) < SHARE / 2:
                continue
            rows = read_rows(file)
            if _share([row[column] for row in rows], folder) >= SHARE:
                return Manifest(file, tuple(rows), column, folder)
    index = _index(pictures, root)
    for column in names if index else ():
        if len(_looked_up(head, column, index)) < SHARE / 2 * len(head):
            continue
        rows = read_rows(file)
        known = _looked_up(rows, column, index)
        if len(known) >= SHARE * len(rows):
            rows = [row | {column: known.get(row[column].strip(), row[column])} for row in rows]
            return Manifest(file, tuple(rows), column, root)
    return None


def manifest_items(manifest: Manifest, root: Path, groups: str | None = None):
    """Return the items of a manifest, and notes.

    A row whose file is not there is an item in trouble, so that it is missed by somebody; a row
    with nothing in it is none.

    Args:
        manifest: What `find_manifest` returned.
        root: What names are relative to.
        groups: Column that says what belongs together, or None for the first of `GROUPS`. Another
            text leaves the items without groups: it is a regular expression for somebody else.

    Raises:
        UserError: the split column has words that are no parts.
    """
    columns = {role: _column(manifest, names, role, groups) for role, names in _ROLES.items()}
    labels, notes = _labels(manifest, columns), []
    if columns["split"] and not _divides(manifest, columns["split"]):
        notes.append(
            f"Column '{columns['split']}' is not used: no word of it is train, val or test."
        )
        columns["split"] = None
    used = {manifest.column, *columns.values()}
    facts = [name for name in manifest.rows[0] if name not in used and _numeric(manifest, name)]
    items = []
    for number, (row, label) in enumerate(zip(manifest.rows, labels, strict=True), 1):
        if any(cell.strip() for cell in row.values()):
            items.append(_item(manifest, root, number, row, label, columns, facts))
    once = _once(items)
    if len(once) < len(items):
        notes.append(
            f"{len(items) - len(once)} rows list a picture again: it is one item, anomalous where "
            "one of its rows is, for test where one is; else its first row counts."
        )
    return once, notes


def trouble_of(path) -> str:
    """Return why a file cannot be read, as far as that is seen without opening it, else ""."""
    try:
        if path.is_file():
            return "" if path.stat().st_size else EMPTY
        return DANGLING if path.is_symlink() else LOST
    except OSError:  # a name that no file can have
        return LOST


def part_of(word: str) -> str | None:
    """Return "train", "val" or "test" for a word that people use for it, else None."""
    return PART_WORDS.get(word.strip().lower())


def label_of(word: str) -> int | None:
    """Return 0 for a word for normal, 1 for a word for anomalous, None for another."""
    word = re.sub(r"[_-]+", " ", word.strip().lower())
    return 0 if word in NORMAL else 1 if word in BAD else None


def truth_of(word: str) -> int | None:
    """Return the number that a label is, 0 for false and 1 for true; None for another word."""
    word = word.strip().lower()
    if word in ("false", "true"):
        return int(word == "true")
    return int(float(word)) if re.fullmatch(r"[+-]?\d+(\.0+)?", word) else None


_ROLES = {"label": LABELS, "kind": KINDS, "group": GROUPS, "split": SPLITS, "mask": MASKS}


def _column(manifest, names, role, groups):
    there = {name.strip().lower(): name for name in manifest.rows[0]}
    if role == "group" and groups is not None:
        return there.get(groups.lower())
    return next((there[name] for name in names if name in there), None)


def _divides(manifest, column):
    """Return whether a split column divides into parts; refuse one that does only in part."""
    words = dict.fromkeys(row[column].strip() for row in manifest.rows)
    unknown = [word for word in words if word and part_of(word) is None]
    if not unknown:
        return True
    if column.strip().lower() in LOOSE and not any(part_of(word) for word in words):
        return False
    raise UserError(
        f"'{manifest.file.name}', column '{column}': expected train, val or test (or training, "
        f"validation, evaluation ...). Received: {some(unknown)}. Change the words or the heading."
    )


def _once(items):
    """Return one item a file: the first anomalous row, else the first, in the strictest part."""
    rows = {}
    for item in items:
        rows.setdefault(item.path.resolve(), []).append(item)
    found = []
    for same in rows.values():
        chosen = max(same, key=lambda item: -1 if item.label is None else item.label)
        found.append(replace(chosen, part=max((i.part for i in same), key=PARTS.index)))
    return found


def _labels(manifest, columns):
    """Return 0, 1 or None a row: from the label column, else from the classes if one is normal."""
    for role in ("label", "kind"):
        column = columns[role]
        if column is None:
            continue
        values = [row[column].strip() for row in manifest.rows]
        if all(truth_of(value) is not None for value in values if value):
            return [int(truth_of(value) != 0) if value else None for value in values]
        found = [label_of(value) for value in values]
        if 0 in found:
            return [
                None if not v else 1 if f is None else f for v, f in zip(values, found, strict=True)
            ]
    return [None] * len(manifest.rows)


def _item(manifest, root, number, row, label, columns, facts):
    listed = row[manifest.column] or f"row {number} of {manifest.file.name}"
    path = manifest.folder / listed
    name = path.relative_to(root).as_posix() if path.is_relative_to(root) else listed
    kind, trouble = row[columns["kind"]].strip() if columns["kind"] else "", trouble_of(path)
    if (not kind or truth_of(kind) is not None) and not trouble and not read_as_dicom(path):
        # folders have better names than numbers; those of DICOM are often named after patients
        kind = Path(name).parent.name if len(Path(name).parts) > 1 else kind
    part = part_of(row[columns["split"]]) if columns["split"] else None
    mask = row[columns["mask"]] if columns["mask"] else ""
    mask = manifest.folder / mask if mask and (manifest.folder / mask).is_file() else None
    return Item(
        path,
        name,
        part or "train",
        label,
        kind,
        (row[columns["group"]] or None) if columns["group"] else None,
        mask,
        facts=tuple((fact, float(row[fact])) for fact in facts if row[fact].strip()),
        trouble=trouble,
    )


def _numeric(manifest, name):
    values = [row[name].strip() for row in manifest.rows if row[name].strip()]
    try:
        return bool(values) and len({float(value) for value in values}) > 1
    except ValueError:
        return False


def _share(values, folder):
    there = [bool(value) and len(value) < 1000 and (folder / value).is_file() for value in values]
    return sum(there) / len(there)


def _passed(file, why, when):
    told = f"warning: The table {file.name} beside the pictures is not read: {why}."
    return f"{told} Give --manifest {file} {when}."


def _index(pictures, root):
    """Return name -> path below the root, of pictures by the end of their path, without suffix too.

    A name that several pictures have tells none of them: its path is "".
    """
    index = {}
    for path in pictures:
        below = path.relative_to(root)
        plain = below.with_name(Path(below.name.removesuffix(".gz")).stem)
        for parts in {below.parts, plain.parts}:
            for start in range(len(parts)):
                name = "/".join(parts[start:])
                index[name] = "" if name in index else below.as_posix()
    return index


def _looked_up(rows, column, index):
    """Return cell -> path of the cells of a column that name a picture; one that repeats once.

    So ages, which may be names of pictures as well, are found to be too few for the rows.
    """
    cells = {row[column].strip() for row in rows}
    return {cell: index[cell] for cell in cells if index.get(cell)}
