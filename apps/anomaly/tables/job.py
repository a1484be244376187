"""The job of `gantools anomaly` on a table: find labels, audit, fit on normal rows, calibrate."""

import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from gantools.data.tables import without_missing
from gantools.errors import UserError

from ..audit.findings import Finding
from ..audit.tables import audit_table
from ..calibration.drift import Fingerprint
from ..calibration.judge import Judge, Raw
from ..calibration.split import bucket, full_folds, is_few, split, undivided
from ..detectors import baselines
from ..detectors.named import FEWEST, Named
from ..dividing import enough, shared_out
from ..halves import halves
from ..items import Collection, Item
from ..job import FOLDS
from ..settings import Settings
from . import model as fitted_table
from .columns import texts_of
from .model import GAMES, KIND, FittedTable, Rows, TableMember
from .rows import Roles, find_roles, label_note, labels_of, may_be_role, parts_of, read
from .transform import DIGITS, TableTransform, split_by_time, telling

MANY = 20  # rows of one content that are no copies: both halves get some, and hardly ever just one


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
        features: After `known_by`: its answer.
    """

    collection: Collection
    reader: Rows
    audit: Checked
    print: dict
    roles: Roles
    first: baselines.First | None = None
    features: tuple[str, ...] | None = None

    def normals(self):
        """Return the rows that a detector is fitted on."""
        return list(self.collection.normals())

    def contents(self):
        """Return name -> code of the content of each row."""
        hashes = self.reader.hashes()
        return {item.name: hashes[item.index] for item in self.collection.items}

    def known_by(self):
        """Return the columns that a model of all normals reads: by these it knows a row again.

        Neither a label nor a number of the row is among them, which another file may lack.
        """
        if self.features is None:
            columns = self.reader.take(self.normals())
            found = TableTransform.fit(columns, drop=self.roles.drop(), time=self.roles.time)
            self.features = tuple(sorted(found.slices))
        return self.features

    def numbers(self, items=None):
        """Return `(numbers, tags)` of rows, all normals by default, for `drift`.

        Once fitted, of the columns that a model reads: a number of the row moves on by itself.
        """
        columns = self.reader.take(self.normals() if items is None else items)
        used = set(columns if self.features is None else self.features)
        used -= {*self.roles.drop(), self.roles.time}
        numbers = {n: v for n, v in columns.items() if v.dtype.kind == "f" and n in used}
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
    wanted = roles or Roles()
    columns = read(collection.table, may_be_role(wanted, known))
    words = columns | columns.texts
    roles = find_roles(words, wanted, known)
    if roles.groups and roles.time and not every_row:
        raise UserError(
            f"Expected --groups or --time-col, not both: a border in time ({roles.time}) cuts "
            f"groups ({roles.groups}) that go on past it. Give the one that matters more."
        )
    labels, kinds = labels_of(words, roles.label, to_score=every_row)
    groups = None
    if roles.groups is not None:
        groups = without_missing(texts_of(words[roles.groups])).tolist()
    parts, note = np.full(len(labels), "test"), ""
    if not every_row:
        parts, note = parts_of(columns, roles, labels, groups)
    names = [f"row {record}" for record in columns.records]
    items = tuple(
        Item(
            collection.table, name, str(parts[i]), None if labels[i] < 0 else int(labels[i]),
            kinds[i], (groups[i] or None) if groups else None, index=i,
        )
        for i, name in enumerate(names)
    )  # fmt: skip
    notes = (*collection.notes, *(n for n in (label_note(roles.label, labels), note) if n))
    collection = replace(collection, items=items, notes=notes)
    features = {n: v for n, v in columns.items() if n not in roles.drop()}
    found = audit_table(features, labels, parts, None, groups, names, to_score=every_row)
    for line in (*notes, *(f"{f.severity}: {f.sentence}" for f in found)):
        say(line)
    facts = {
        "schema": 1, "layout": "table", "rows": len(items), "columns": len(columns),
        "label": roles.label or "none", "groups": len(set(groups or [])) if groups else 0,
        "time": roles.time or "none", "normal": int((labels == 0).sum()),
        "anomalous": int((labels == 1).sum()),
    }  # fmt: skip
    rows = Rows(columns, lambda keep: read(collection.table, keep).texts, roles.label)
    looked = LookedTable(collection, rows, Checked(tuple(found)), facts, roles)
    if to_fit:
        _first(looked, labels, parts, say)
    return looked


def fit(looked, settings, *, out=None, say=lambda line: None, progress=None) -> FittedTable:
    """Fit and calibrate on the normal rows of the training part.

    Args and Raises: as for `job.fit`.
    """
    start, normals = time.perf_counter(), looked.normals()
    kind = _kind(settings.detector)
    if settings.restoration:
        raise UserError("--restoration draws pictures. Received: a table.")
    ranking = settings.ranked(fitted_table.ROWS if kind == KIND else (kind,))
    task = _Task(looked, normals, settings, kind, ranking, out, progress)
    if task.kind != KIND:
        say(f"Fitting {task.kind} on {len(normals)} normal rows, some held out.")
    crossed = is_few(normals) and looked.roles.time is None
    model = (_crossed if crossed else _held_out)(task)
    for note in model.members[0].transform.notes:
        say(note)
    model.inputs = Fingerprint.fit(*looked.numbers())
    model.facts |= {
        "settings": settings.to_dict(), "seconds": round(time.perf_counter() - start, 1),
        "detector": model.members[0].facts,
        "roles": {**asdict(looked.roles), "features": list(looked.known_by())},
    }  # fmt: skip
    say(model.judge.sentence(model.judge.rule(settings.fpr, settings.confidence)))
    if progress:
        progress(1.0)
    return model


def score_unsupervised(looked, settings, *, maps=None, **how):
    """Score rows that are also all that there is to learn from; see `job.score_unsupervised`."""
    items = list(looked.collection.items)
    hashes = looked.reader.hashes(looked.known_by())
    contents = [hashes[item.index][:DIGITS] for item in items]
    counts = Counter(contents)
    place = [
        item.group or (content if counts[content] < MANY else item.name)
        for item, content in zip(items, contents, strict=True)
    ]
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


@dataclass(frozen=True)
class _Task:
    """What every member of one job shares.

    Attributes:
        looked, settings, out, progress: Of `fit`.
        normals: Rows to fit on and to calibrate with.
        kind: Of `FittedTable`.
        ranking: Parts that rank.
    """

    looked: LookedTable
    normals: list[Item]
    settings: Settings
    kind: str
    ranking: tuple[str, ...]
    out: str | Path | None = None
    progress: object = None

    def enough(self, count):
        """Refuse to train on fewer normals than a game needs.

        Raises:
            UserError: `count` is below that.
        """
        if self.kind != KIND and count < FEWEST:
            raise UserError(
                f"--detector {self.kind}: expected at least {FEWEST} normal rows to train on. "
                f"Received: {count}, the other {len(self.normals) - count} are held out. Add "
                "normal rows, or give --detector auto."
            )

    def member(self, items, number=0, count=1):
        """Return a `TableMember` of some normals, the one of this number of so many."""
        roles, training = self.looked.roles, {}
        if self.kind != KIND:
            faithful = {"faithful": True} if self.settings.faithful else {}
            own = self.out and Path(self.out) / str(number)
            training = {"detector": Named(self.kind, settings=faithful), "out": own}
            training |= {"minutes": self.settings.minutes / count, "seed": self.settings.seed}
            if self.progress:
                training["progress"] = lambda share: self.progress((number + share) / count)
        columns = self.looked.reader.take(items)
        return TableMember.fit(columns, drop=roles.drop(), time=roles.time, **training)


def _kind(detector):
    """Return the kind of model that a detector makes of a table.

    Raises:
        UserError: it is one of pictures.
    """
    if detector in ("auto", "references"):
        return KIND
    if detector not in GAMES:
        raise UserError(
            f"--detector {detector} needs pictures. For a table give auto, or one of the "
            f"literature: {', '.join(GAMES)}."
        )
    return detector


def _held_out(task):
    looked, normals, settings = task.looked, task.normals, task.settings
    seed, asked = settings.seed, settings.groups is not None
    if looked.roles.time is None:
        parts = split(normals, seed)
        fit_on, rest = parts.fit, [*parts.early, *parts.calibration]
    else:
        fit_on, rest = split_by_time(looked.reader.take(normals)[looked.roles.time])
    place = [item.group or item.name for item in normals]
    first, second = ([normals[i] for i in part] for part in shared_out(rest, place, seed))
    if min(len(fit_on), len(first), len(second)) < 5:
        raise undivided(normals, asked=asked)
    task.enough(len(fit_on))
    fit_on, known = [normals[i] for i in fit_on], _known(looked, normals)
    model = FittedTable((task.member(fit_on),), kind=task.kind)
    a, b = (_raw(model, looked, items, known) for items in (first, second))
    hashes = [known[item.index] for item in fit_on]
    model.judge = Judge.fit(task.ranking, a, b, hashes, [item.group for item in fit_on])
    model.held = (a, b, hashes)
    model.facts = {"fit": len(fit_on), "calibration": [len(first), len(second)]}
    return model


def _crossed(task):
    looked, normals, settings = task.looked, task.normals, task.settings
    parts = full_folds(normals, FOLDS, settings.seed, asked=settings.groups is not None)
    pairs = list(zip(parts, parts[1:] + parts[:1], strict=True))
    task.enough(len(normals) - max(len(fold) + len(following) for fold, following in pairs))
    known, members, scaling, held = _known(looked, normals), [], [], []
    for number, (fold, following) in enumerate(pairs):
        rest = [n for i, n in enumerate(normals) if i not in {*fold, *following}]
        members.append(task.member(rest, number, len(parts)))
        alone = FittedTable((members[-1],))
        scaling.append(_raw(alone, looked, [normals[i] for i in following], known))
        held.append(_raw(alone, looked, [normals[i] for i in fold], known))
    judge = Judge.crossed(task.ranking, scaling, held)
    model = FittedTable(tuple(members), judge, kind=task.kind)
    model.facts = {"fit": len(normals), "calibration": [0, len(normals)]}
    return model


def _known(looked, normals):
    """Return row -> the hash by which a model knows a normal again."""
    whole = looked.reader.hashes(looked.known_by())
    hashes = telling([whole[item.index] for item in normals])
    return {item.index: text for item, text in zip(normals, hashes, strict=True)}


def _raw(model, looked, items, known):
    """Return the raw parts of normals under the hashes of `_known`."""
    hashes, groups = [known[item.index] for item in items], [item.group for item in items]
    return Raw(model.parts(looked.reader, items), hashes, groups)
