"""What the columns of a table are for: label, group, time, split; and the part of each row."""

from dataclasses import dataclass

import numpy as np

from gantools.data.tables import MISSING, from_frame, number, read_table, without_missing
from gantools.errors import UserError

from .. import manifest
from ..arrays import one_each, whole_file
from ..calibration.split import bucket
from .columns import as_numbers, texts_of
from .transform import split_by_time

HELD = 2_000  # of 10 000 normals that go to the test part where nobody has divided the rows
LATEST = 0.25  # share of the rows in time that is scored where nobody has divided them
CLASSES = 10  # distinct numbers of a label that nobody has named
TOLD = (*manifest.LABELS, "labels", *manifest.KINDS)  # names of columns that may be the label


@dataclass(frozen=True)
class Roles:
    """Columns that are not features; None where there is none.

    Attributes:
        label: 0 and others, or words such as "normal".
        groups: What belongs together.
        time: What orders the rows.
        split: "train" and "test".
        left_out: What else is no feature, by the user's word.
    """

    label: str | None = None
    groups: str | None = None
    time: str | None = None
    split: str | None = None
    left_out: tuple[str, ...] = ()

    def drop(self):
        """Return the columns that a detector must not see; time is read by the transform."""
        named = (self.label, self.groups, self.split, *self.left_out)
        return tuple(dict.fromkeys(name for name in named if name))


def read(path, keep):
    """Return the `Table` in a file; `.npz` and `.npy` of `X` (and `y`) too.

    Args:
        path: The file.
        keep: Name -> whether the texts of the column are kept, see `gantools.data.tables`.

    Raises:
        UserError: it is not a table, or the labels of arrays are not one a row.
    """
    if not path.name.lower().endswith((".npz", ".npy")):
        return read_table(path, keep)
    with whole_file(path), path.open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        arrays = {"X": stored} if isinstance(stored, np.ndarray) else dict(stored)
    x = next((a for name, a in arrays.items() if name.lower() in ("x", "data", "arr_0")), None)
    if x is None or x.ndim != 2:
        raise UserError(f"'{path}': expected an array X (rows, columns). Received: {list(arrays)}.")
    columns = {f"x{i}": values for i, values in enumerate(x.T)}
    truth = next((name for name in arrays if name.lower() in ("y", "label", "labels")), None)
    if truth is not None:
        columns["label"] = one_each(arrays[truth], x.shape, truth, path)
    return from_frame(columns, keep)


def may_be_role(wanted: Roles, known=None):
    """Return `name -> bool`: columns that may be labels or groups, whose words count as they are.

    Args: as for `find_roles`.
    """
    known = known or {}
    named = {wanted.label, wanted.groups, known.get("label"), known.get("groups")}
    return lambda name: name in named or name.strip().lower() in TOLD


def find_roles(columns, wanted: Roles, known=None) -> Roles:
    """Return the roles: what the user named, else what a model knew, else what the names say.

    Args:
        columns: Name -> column; of labels the texts of the file.
        wanted: What the user named.
        known: Role -> column of the table that a model was fitted on, "left_out": those that its
            user left out, and "features": those that it reads; or None. Neither of these two is
            taken for a label or a split.

    Raises:
        UserError: a named column is not there.
    """
    for option, name in (("--label", wanted.label), ("--groups", wanted.groups),
                         ("--time-col", wanted.time),
                         *(("--drop", name) for name in wanted.left_out)):  # fmt: skip
        if name is not None and name not in columns:
            raise UserError(f"{option} {name}: the table has {', '.join(list(columns)[:20])}.")
    known = dict(known or {})
    left_out = wanted.left_out or tuple(n for n in known.pop("left_out", ()) if n in columns)
    taken = {*known.pop("features", ()), *left_out}
    known = {role: name for role, name in known.items() if name in columns}
    there = {name.strip().lower(): name for name in columns if name not in taken}

    def named(names, fits):
        found = (there[name] for name in names if name in there)
        return next((name for name in found if fits(columns[name])), None)

    # One that so far says normal only would else be a feature, and the label in the next file.
    label = named(TOLD, lambda v: _said(v) == {0, 1}) or named(TOLD, lambda v: _said(v) == {0})
    division = named(("split", "part", "subset", "partition"), _is_split)
    return Roles(
        wanted.label or known.get("label") or label,
        wanted.groups or known.get("groups"),
        wanted.time or known.get("time"),
        known.get("split") or division,
        left_out,
    )


def labels_of(columns, name, *, to_score=False):
    """Return `(labels (n,) of 0, 1 and -1 for unknown, kinds)` of the label column.

    The word "none" is normal, as of defects, unless numbers or another word say so beside it.

    Args:
        columns: Name -> column; the label's as the texts of the file, if it has any.
        name: Of the label, or None.
        to_score: Whether rows are only to be scored: then all of them may be anomalous.

    Raises:
        UserError: no value of it says normal.
    """
    count = len(next(iter(columns.values())))
    if name is None:
        return np.full(count, -1), [""] * count
    texts = texts_of(columns[name])
    gone = {t for t in set(texts) if t.lower() in MISSING and t.lower() != "none"}
    none = {t for t in set(texts) if t.lower() == "none"}
    numbers = {t: _truth(t) for t in set(texts) - gone - none}
    if numbers and None not in numbers.values():
        return np.array([int(numbers[t] != 0) if t in numbers else -1 for t in texts]), [""] * count
    known = {t: int(manifest.label_of(t.rstrip(".")) != 0) for t in numbers}
    known |= dict.fromkeys(none, -1 if 0 in known.values() else 0)
    if known and 0 not in known.values() and not to_score:
        raise UserError(
            f"Column '{name}' never says normal. Expected 0 and 1, or words such as normal, good, "
            f"ok beside others. Received: {', '.join(sorted(known)[:5])}."
        )
    labels = np.array([known.get(t, -1) for t in texts])
    return labels, [t if label == 1 else "" for t, label in zip(texts, labels, strict=True)]


def label_note(name, labels):
    """Return the sentence that says which column is the label, "" where none is."""
    if name is None:
        return ""
    unknown = int((labels < 0).sum())
    rest = f", {unknown} unknown" if unknown else ""
    normal, anomalous = int((labels == 0).sum()), int((labels == 1).sum())
    return f"Labels: column '{name}', {normal} normal, {anomalous} anomalous{rest}."


def _truth(text):
    """Return the number that a label is, 0 and 1 for false and true; None for another word."""
    told = manifest.truth_of(text)
    return number(text) if told is None else told


def _said(values):
    """Return which labels a column says, of 0 and 1; none where it looks like measured numbers."""
    try:
        labels, _ = labels_of({"label": values}, "label")
    except UserError:
        return set()
    numbers = np.unique(as_numbers(without_missing(texts_of(values))))
    numbers = numbers[~np.isnan(numbers)]
    if len(numbers) > CLASSES or (numbers != np.round(numbers)).any():
        return set()
    return set(labels[labels >= 0].tolist())


def _is_split(values):
    return all(manifest.part_of(text) for text in set(texts_of(values)))


def parts_of(columns, roles, labels, groups):
    """Return `(parts, note)`: the split column's, else by time, else some rows held back."""
    count = len(labels)
    if roles.split is not None:
        words = [manifest.part_of(text) for text in texts_of(columns[roles.split])]
        return np.array(words), ""
    if roles.time is not None:
        _, late = split_by_time(columns[roles.time], LATEST)
        parts = np.full(count, "train")
        parts[late] = "test"
        return parts, f"The latest {LATEST:.0%} of the rows by {roles.time} are scored."
    if not (labels == 1).any():
        return np.full(count, "train"), ""
    places = groups or [str(i) for i in range(count)]
    held = np.array([bucket(place, 0, "test") < HELD for place in places])
    note = "Nobody has divided the normals: 20 % of them are held back for the test."
    return np.where((labels == 1) | held, "test", "train"), note
