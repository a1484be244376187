"""The job of `gantools anomaly` on pictures: look, fit on normals, calibrate, score.

Read `look`, then `fit`. Every step says in one line what it found; the first lines (audit and
reference rows) come before any training.
"""

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from gantools.data.damage import SCANS
from gantools.errors import ALL_FAILED, UserError

from . import fitted, loading, views
from .audit.duplicates import copies
from .audit.run import Audit, audit
from .calibration.crossfit import FEWEST
from .calibration.drift import Fingerprint
from .calibration.judge import Judge, Raw
from .calibration.split import FEW, bucket, full_folds, keys, split, undivided
from .detectors import baselines, references
from .fingerprint import fingerprint
from .items import Collection
from .scans.medical import is_nifti
from .settings import Settings

MOST_BYTES = 600_000_000  # of tensors that a detector is fitted on
LEAST_TO_SCALE = 20  # normals, where there are that many
FOLDS, MORE_FOLDS = 5, 8  # more below 25 normals: each detector needs 10


@dataclass
class Looked:
    """What is known before anything is fitted.

    Attributes:
        collection, reader: What was found, and what opens it.
        audit: Findings and measurements.
        print: The fingerprint.
        good: Names of readable items.
        first: Figures of the reference rows, before any training.
    """

    collection: Collection
    reader: loading.Reader
    audit: Audit
    print: dict
    good: set[str]
    first: baselines.First | None = None

    def normals(self):
        """Return the readable items that a detector is fitted on."""
        return [item for item in self.collection.normals() if item.name in self.good]

    def contents(self):
        """Return name -> code of the content of each readable item."""
        sheet = self.audit.sheet
        return dict(zip(sheet.names.tolist(), sheet.digests.tolist(), strict=True))

    def numbers(self, items=None):
        """Return `(numbers, tags)` of items, all readable normals by default, for `drift`."""
        wanted = {item.name for item in (self.normals() if items is None else items)}
        sheet = self.audit.sheet
        rows = np.array([name in wanted for name in sheet.names], bool)
        return (
            {name: values[rows] for name, values in sheet.numbers.items()},
            {"mode": sheet.modes[rows]},
        )


def look(
    collection, say=lambda line: None, *, to_fit=True, every_row=False, spacing=None
) -> Looked:
    """Audit a collection, measure the reference rows, and say what was found.

    Args:
        collection: What `layouts.find` returned.
        say: Called with each line a person should read.
        to_fit: Whether a detector will be fitted on it: then there must be normals.
        every_row: Whether all are to be scored by a kept model: then any number will do.
        spacing: mm a pixel of NIfTI slices; None finds it by the normals.

    Raises:
        UserError: too few readable normals to train on.
    """
    reader = loading.Reader(collection.items, spacing or _spacing(collection))
    found = audit(collection, reader, to_score=every_row)
    for finding in found.findings:
        say(f"{finding.severity}: {finding.sentence}")
    looked = Looked(
        collection, reader, found, fingerprint(collection, found.sheet),
        set(found.sheet.names.tolist()),
    )  # fmt: skip
    if not to_fit:
        return looked
    enough(len(looked.normals()), collection.root, "readable normals")
    looked.first = baselines.first_look(found.sheet)
    for line in looked.first.lines():
        say(line)
    return looked


def enough(count, place, what):
    """Refuse to learn from too few normals.

    Raises:
        UserError: fewer than `FEWEST`.
    """
    if count < FEWEST:
        raise UserError(
            f"{place} has {count} {what} to learn from. Expected at least {FEWEST}; below that "
            f"nothing could get a p-value under {1 / FEWEST:.2g}. Add normal examples.",
            ALL_FAILED,
        )


def fit(looked, settings, *, out=None, say=lambda line: None, progress=None) -> fitted.Fitted:
    """Fit and calibrate on the normals of the training part.

    Args:
        looked: What `look` returned.
        settings: `Settings`.
        out: Folder in which a stopped training goes on, or None.
        say: Called with each line a person should read.
        progress: Callable `(share in [0, 1])`, or None.

    Raises:
        UserError: the normals cannot be divided, or the detector cannot be had.
    """
    start = time.perf_counter()
    normals = looked.normals()
    kind, new = make(settings.detector, len(normals), say)
    view = views.choose(looked.print, settings.side, fine=kind == "encoder")
    same = copies(looked.audit.sheet)
    if kind == "restorer" and (settings.scans or all(item.series for item in normals)):
        new = partial(new, table=SCANS)
    task = _Task(looked, settings, kind, new, view, out, progress)
    crossed = len(normals) < FEW and kind in ("encoder", "references")
    say(f"Fitting {kind} on {len(normals)} normals, some held out ({view.kind}, {view.side} px).")
    model = _crossed(task, normals, same) if crossed else _held_out(task, normals, same)
    model.inputs = Fingerprint.fit(*looked.numbers())
    model.facts["spacing"] = getattr(looked.reader, "spacing", None)
    seconds = round(time.perf_counter() - start, 1)
    model.facts |= {"settings": settings.to_dict(), "seconds": seconds}
    say(model.judge.sentence(model.judge.rule(settings.fpr, settings.confidence)))
    return model


def _spacing(collection):
    """Return the mm a pixel that slices of NIfTI normals have in the middle, None without any."""
    paths = sorted({item.path for item in collection.normals() if is_nifti(item.path)})
    if not paths:
        return None
    from .scans.nifti import spacing_of

    return spacing_of(paths)


@dataclass
class _Task:
    """What every member of one job shares."""

    looked: Looked
    settings: Settings
    kind: str
    new: object
    view: views.View
    out: object
    progress: object

    def member(self, items, levels):
        """Return `(fitted member, hashes of its normals)`."""
        small, tensors, hashes = _shown(self, items, levels)
        seed = self.settings.seed
        rows = {name: make_row().fit(small) for name, make_row in references.REFERENCES.items()}
        detector = self.new()
        detector.fit(
            tensors, minutes=self.settings.minutes, seed=seed, out=self.out, progress=self.progress
        )
        return fitted.Member(detector, rows), hashes

    def ranking(self, detector):
        """Return the parts that rank; those that the settings leave out are not among them."""
        return self.settings.ranked(tuple(detector.ranking))


def _held_out(task, normals, same):
    """Fit one detector; held-out normals scale its parts and give the p-values."""
    fit_on, first, second = divide(normals, task.settings.seed, same)
    levels = loading.learn_levels(task.looked.reader, fit_on, task.settings.scans)
    member, hashes = task.member(fit_on, levels)
    model = fitted.Fitted(task.kind, (member,), levels, task.view)
    raw = model.raw(task.looked.reader, [*first, *second])
    a = raw.readable(range(len(first)))
    b = raw.readable(range(len(first), len(raw)))
    groups = [item.group for item in fit_on]
    ranking = task.ranking(member.detector)
    model.judge = Judge.fit(ranking, raw.take(a), raw.take(b), hashes, groups)
    model.held = (raw.take(a), raw.take(b), hashes)
    model.facts = _facts(member, len(fit_on), (len(a), len(b)))
    return model


def _crossed(task, normals, same):
    """Fit one detector a fold of few normals: without the fold, and scaled by the next one."""
    count = MORE_FOLDS if len(normals) < 25 else FOLDS
    parts = full_folds(normals, count, task.settings.seed, same)
    levels = loading.learn_levels(task.looked.reader, normals, task.settings.scans)
    members, scaling, held = [], [], []
    for number, fold in enumerate(parts):
        following = parts[(number + 1) % len(parts)]
        rest = [n for i, n in enumerate(normals) if i not in {*fold, *following}]
        member, _ = task.member(rest, levels)
        alone = fitted.Fitted(task.kind, (member,), levels, task.view)
        members.append(member)
        for rows, wanted in ((scaling, following), (held, fold)):
            rows.append(_readable(alone.raw(task.looked.reader, [normals[i] for i in wanted])))
    model = fitted.Fitted(task.kind, tuple(members), levels, task.view)
    model.judge = Judge.crossed(task.ranking(members[0].detector), scaling, held)
    model.facts = _facts(members[0], len(normals), (0, len(normals)))
    return model


def divide(normals, seed, same=None):
    """Return `(fit, calibration-A, calibration-B)` items: whole groups, copies together.

    The early-stopping part of `split.split` belongs to A, which scales the parts of the score: the
    detectors stop by time, not by a score.

    Raises:
        UserError: one of the three would have fewer than 5 items.
    """
    parts, place = split(normals, seed, same), keys(normals, same)
    first, second = shared_out([*parts.early, *parts.calibration], place, seed)
    chosen = [parts.fit, first, second]
    if min(len(part) for part in chosen) < 5:
        raise undivided(normals, same)
    return tuple([normals[i] for i in part] for part in chosen)


def shared_out(rest, place, seed):
    """Return `(calibration-A, calibration-B)`: two sevenths to A.

    A only scales the parts, which is not sensitive; every item of B makes the p-values finer. Where
    items are few A gets up to 20 of them, but at most a third, or half where there are groups: A
    also says how odd the oddest of a group is.

    Args:
        rest: Numbers of held-out items.
        place: Key of each item; items of one key stay together.
        seed: Of the order.
    """
    order = sorted(rest, key=lambda i: (bucket(place[i], seed, "half"), place[i], i))
    own = [place[i] for i in order]
    most = len(own) // (2 if len(set(own)) < len(own) else 3)
    cut = max(2 * len(own) // 7, min(LEAST_TO_SCALE, most))
    while 0 < cut < len(own) and own[cut] == own[cut - 1]:
        cut += 1  # a group is never divided
    return order[:cut], order[cut:]


def make(name, normals, say=lambda line: None):
    """Return `(kind, maker of a detector)`.

    Args:
        name: "auto" takes the encoder where it is installed, else the restorer, else, where normals
            are few, the reference rows alone.
        normals: How many there are.
        say: Called with a line when the choice needs a word.
    """
    if name == "auto":
        try:
            fitted.detector_class("encoder")()
        except UserError:
            say("The extra [encoder] is not installed: a restoration GAN is trained instead.")
            name = "restorer"
            if normals < FEW:
                say(f"{normals} normals are too few to train on: the reference rows rank.")
                name = "references"
        else:
            name = "encoder"
    return name, fitted.detector_class(name)


def score_unsupervised(looked, settings, **how):
    """Score items that are also all that there is to learn from: see `halves` for `how`."""
    items = list(looked.collection.items)  # the unreadable ones are rows with their reason
    place = keys(items, copies(looked.audit.sheet))
    return halves(looked, items, place, fit, settings, **how)


def halves(looked, items, place, fit_one, settings, *, out=None, maps=None, say, progress=None):
    """Fit on each half of the items and score the other.

    Args:
        looked: Of pictures or of a table.
        items: All items.
        place: Key of each item; items of one key stay together.
        fit_one: As `fit`.
        settings, out, maps, say, progress: As for `fit` and `Fitted.score`; a stopped training of
            each half goes on in a folder of its own.

    Returns:
        `(items, Scored in their order, the last model)`.

    Raises:
        UserError: a half has too few normals.
    """
    side = np.array([bucket(key, settings.seed, "fold") % 2 for key in place])
    number = {item.name: i for i, item in enumerate(items)}
    half_time = replace(settings, minutes=settings.minutes / 2)
    found, model, others, judges = {}, None, [], []
    for half in (0, 1):
        rest = tuple(item for item, s in zip(items, side, strict=True) if s != half)
        others.append(replace(looked, collection=replace(looked.collection, items=rest)))
        where = f"Nothing is divided, and one half of {looked.collection.root.name}"
        if len(set(place)) < len(place):
            left = f"{len(set(place))} of {len(place)} to divide"
            where += f" (groups and copies stay together, which leaves {left})"
        enough(len(others[-1].normals()), where, "normals")
    for half, part in enumerate(others):
        own = None if out is None else Path(out) / str(half)
        model = fit_one(part, half_time, out=own, say=say, progress=progress)
        judges.append(model.judge)
        mine = [item for item, s in zip(items, side, strict=True) if s == half]
        keep = maps and (lambda i, item, heat: maps(number[item.name], item, heat))
        found[half] = model.score(looked.reader, mine, maps=keep)
    model.facts["settings"]["minutes"] = settings.minutes  # as asked for, not of one half
    return items, _joined(side, found, tuple(judges)), model


def _joined(side, found, judges):
    """Return one `Scored` in the order of the items from those of the two halves."""

    def column(pick, kind=float):
        out = np.empty(len(side), kind)
        for half, scored in found.items():
            out[side == half] = pick(scored)
        return out

    names = column(lambda s: s.names, object).tolist()
    hashes = column(lambda s: s.hashes, object).tolist()
    both = [n for n in found[0].parts if n in found[1].parts]  # a small half may do without some
    parts = {n: column(lambda s, n=n: s.parts[n]) for n in both}
    groups = found[0].groups | found[1].groups if all(j.groups for j in judges) else {}
    return fitted.Scored(
        names, hashes, parts, column(lambda s: s.scores), column(lambda s: s.p),
        found[0].errors | found[1].errors, groups, (judges, side),
    )  # fmt: skip


def _shown(task, items, levels):
    """Return `(small pictures, tensors, hashes)` of normals, reading one picture at a time."""
    random, reader = np.random.default_rng(task.settings.seed), task.looked.reader
    side, channels = task.view.side, levels.channels
    most = max(1, MOST_BYTES // (4 * side * side * channels) // len(items))
    small, tensors, hashes = [], [], []
    for item in items:
        picture = loading.to_levels(reader.pixels(item), levels)
        own, _ = task.view.tensors(picture)
        if len(own) > most:
            own = own[random.permutation(len(own))[:most]]
        tensors.append(own)
        small.append(loading.square(picture, fitted.PIXELS)[0])
        hashes.append(fitted.hash_of(picture))
    return np.stack(small), np.concatenate(tensors), hashes


def _readable(raw: Raw):
    return raw.take(raw.readable(range(len(raw))))


def _facts(member, count, calibration):
    return {"fit": count, "calibration": list(calibration), "detector": member.detector.facts}
