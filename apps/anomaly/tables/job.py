"""The job of `gantools anomaly` on a table: find labels, audit, fit on normal rows, calibrate."""

import time
from dataclasses import asdict, dataclass, replace

import numpy as np

from gantools.errors import UserError

from ..audit.findings import Finding
from ..audit.tables import audit_table
from ..calibration.drift import Fingerprint
from ..calibration.judge import Judge
from ..calibration.split import FEW, bucket, full_folds, split, undivided
from ..detectors import baselines
from ..items import Collection, Item
from ..job import FOLDS, enough, halves, shared_out
from . import model as fitted_table
from .columns import texts_of
from .model import FittedTable, Rows, TableMember
from .rows import Roles, find_roles, labels_of, parts_of, read
from .transform import DIGITS, split_by_time, telling


@dataclass(frozen=True)
class Checked:
    """What the audit of a table leaves: its findings."""

    findings: tuple[Finding, ...]


@dataclass
class LookedTable:
    """What is known before anything is fitted; as `job.Looked`, for rows.

    Attributes:
        collection: One item a row.
        reader: `Rows`.
        audit: `Checked`.
        print: Counts for `fingerprint.json`.
        roles: Columns that are not features.
        first: Figures of the reference rows.
    """

    collection: Collection
    reader: Rows
    audit: Checked
    print: dict
    roles: Roles
    first: baselines.First | None = None

    def normals(self):
        """Return the rows that a detector is fitted on."""
        return list(self.collection.normals())

    def contents(self):
        """Return name -> code of the content of each row."""
        return {item.name: self.reader.hashes[item.index] for item in self.collection.items}

    def numbers(self, items=None):
        """Return `(numbers, tags)` of rows, all normals by default, for `drift`."""
        columns = self.reader.take(self.normals() if items is None else items)
        out = (*self.roles.drop(), self.roles.time)
        numbers = {n: v for n, v in columns.items() if v.dtype.kind == "f" and n not in out}
        return numbers or {"rows": np.zeros(len(next(iter(columns.values()))))}, {}


def look(
    collection, say=lambda line: None, *, roles=None, known=None, to_fit=True, every_row=False
):
    """Read a table, find its roles, audit it, measure the reference rows.

    Args:
        collection: What `layouts.find` returned, with a `table`.
        say: Called with each line a person should read.
        roles: `Roles` that the user named; the others are looked for by name.
        known: Role -> column of the table that a model was fitted on, or None.
        to_fit: Whether a detector will be fitted on it: then there must be normals.
        every_row: Whether all rows are to be scored, whatever part they are in.

    Raises:
        UserError: a role names no column, groups and time are both to divide the rows, or there
            are too few normals.
    """
    columns = read(collection.table)
    roles = find_roles(columns, roles or Roles(), known)
    if roles.groups and roles.time and not every_row:
        raise UserError(
            f"Expected --groups or --time-col, not both: a border in time ({roles.time}) cuts "
            f"groups ({roles.groups}) that go on past it. Give the one that matters more."
        )
    labels, kinds = labels_of(columns, roles.label)
    groups = None if roles.groups is None else texts_of(columns[roles.groups])
    parts, note = parts_of(columns, roles, labels, groups)
    if every_row:
        parts, note = np.full(len(parts), "test"), ""
    items = tuple(
        Item(
            collection.table,
            f"row {i + 2}",
            str(part),
            None if label < 0 else int(label),
            kind,
            (groups[i] or None) if groups else None,
            index=i,
        )
        for i, (part, label, kind) in enumerate(zip(parts, labels, kinds, strict=True))
    )
    notes = (*collection.notes, *([note] if note else []))
    collection = replace(collection, items=items, notes=notes)
    features = {n: v for n, v in columns.items() if n not in roles.drop()}
    found = audit_table(features, labels, parts, None, groups, to_score=every_row)
    for line in (*notes, *(f"{f.severity}: {f.sentence}" for f in found)):
        say(line)
    facts = {
        "schema": 1, "layout": "table", "rows": len(items), "columns": len(columns),
        "label": roles.label or "none", "groups": len(set(groups or [])) if groups else 0,
        "time": roles.time or "none", "normal": int((labels == 0).sum()),
        "anomalous": int((labels == 1).sum()),
    }  # fmt: skip
    looked = LookedTable(collection, Rows(columns), Checked(tuple(found)), facts, roles)
    if to_fit:
        _first(looked, labels, parts, say)
    return looked


def fit(looked, settings, *, out=None, say=lambda line: None, progress=None) -> FittedTable:
    """Fit and calibrate on the normal rows of the training part.

    Args and Raises: as for `job.fit`; nothing is kept in `out`.
    """
    start, normals = time.perf_counter(), looked.normals()
    ranking = settings.ranked(fitted_table.ROWS)
    if settings.detector not in ("auto", "references"):
        raise UserError(f"--detector {settings.detector} needs pictures. For a table give auto.")
    crossed = len(normals) < FEW and looked.roles.time is None
    model = (_crossed if crossed else _held_out)(looked, normals, settings.seed, ranking)
    for note in model.members[0].transform.notes:
        say(note)
    model.inputs = Fingerprint.fit(*looked.numbers())
    model.facts |= {
        "settings": settings.to_dict(), "seconds": round(time.perf_counter() - start, 1),
        "detector": {"width": model.members[0].transform.width}, "roles": asdict(looked.roles),
    }  # fmt: skip
    say(model.judge.sentence(model.judge.rule(settings.fpr, settings.confidence)))
    if progress:
        progress(1.0)
    return model


def score_unsupervised(looked, settings, *, maps=None, **how):
    """Score rows that are also all that there is to learn from; see `job.score_unsupervised`."""
    items = list(looked.collection.items)
    place = [item.group or looked.reader.hashes[item.index][:DIGITS] for item in items]
    return halves(looked, items, place, fit, settings, **how)


def _first(looked, labels, parts, say):
    normals = looked.normals()
    enough(len(normals), looked.collection.table.name, "normal rows")
    columns = looked.reader.columns
    train = (parts == "train") & (labels != 1)
    held = np.array([bucket(str(i), 0, "first") < baselines.HELD for i in range(len(parts))])
    rows = np.flatnonzero(train & ~held)
    rows = rows[:: max(1, len(rows) // baselines.MOST)]
    test = parts == "test" if (parts == "test").any() else train & held
    few = np.flatnonzero(test)[:: max(1, int(test.sum()) // 5000)]
    test = np.isin(np.arange(len(test)), few)
    used = np.flatnonzero(test | (train & held) | np.isin(np.arange(len(test)), rows))
    small = {name: values[used] for name, values in columns.items()}
    fit_on = np.flatnonzero(np.isin(used, rows))
    member = TableMember.fit(
        {n: v[fit_on] for n, v in small.items()}, drop=looked.roles.drop(), time=looked.roles.time
    )
    x = member.transform.transform(small)
    looked.first = baselines.measured(
        fitted_table.REFERENCES, x, fit_on, (train & held)[used], test[used], labels[used]
    )
    for line in looked.first.lines():
        say(line.replace(" on 32-pixel pictures", ""))


def _held_out(looked, normals, seed, ranking):
    if looked.roles.time is None:
        parts = split(normals, seed)
        fit_on, rest = parts.fit, [*parts.early, *parts.calibration]
    else:
        fit_on, rest = split_by_time(looked.reader.take(normals)[looked.roles.time])
    place = [item.group or item.name for item in normals]
    first, second = ([normals[i] for i in part] for part in shared_out(rest, place, seed))
    if min(len(fit_on), len(first), len(second)) < 5:
        raise undivided(normals)
    fit_on = [normals[i] for i in fit_on]
    model, known = FittedTable((_member(looked, fit_on),)), _known(looked, normals)
    a, b = (_raw(model, looked, items, known) for items in (first, second))
    hashes = [known[item.index] for item in fit_on]
    model.judge = Judge.fit(ranking, a, b, hashes, [item.group for item in fit_on])
    model.held = (a, b, hashes)
    model.facts = {"fit": len(fit_on), "calibration": [len(first), len(second)]}
    return model


def _crossed(looked, normals, seed, ranking):
    parts = full_folds(normals, FOLDS, seed)
    known, members, scaling, held = _known(looked, normals), [], [], []
    for number, fold in enumerate(parts):
        following = parts[(number + 1) % len(parts)]
        rest = [n for i, n in enumerate(normals) if i not in {*fold, *following}]
        members.append(_member(looked, rest))
        alone = FittedTable((members[-1],))
        scaling.append(_raw(alone, looked, [normals[i] for i in following], known))
        held.append(_raw(alone, looked, [normals[i] for i in fold], known))
    model = FittedTable(tuple(members), Judge.crossed(ranking, scaling, held))
    model.facts = {"fit": len(normals), "calibration": [0, len(normals)]}
    return model


def _known(looked, normals):
    """Return row -> the hash by which a model knows a normal again."""
    hashes = telling([looked.reader.hashes[item.index] for item in normals])
    return {item.index: text for item, text in zip(normals, hashes, strict=True)}


def _raw(model, looked, items, known):
    """Return the raw parts of normals under the hashes of `_known`."""
    return replace(model.raw(looked.reader, items), hashes=[known[item.index] for item in items])


def _member(looked, items):
    columns = looked.reader.take(items)
    return TableMember.fit(columns, drop=looked.roles.drop(), time=looked.roles.time)
