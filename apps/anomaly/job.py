"""The job of `gantools anomaly` on pictures: look, fit on normals, calibrate, score.

Read `look`, then `fit`. Every step says in one line what it found; the first lines (audit and
reference rows) come before any training.
"""

import time
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from gantools.data.damage import SCANS
from gantools.errors import UserError

from . import fitted, loading, views
from .audit.duplicates import copies
from .audit.run import Audit, audit
from .calibration.drift import Fingerprint
from .calibration.judge import Judge, Raw
from .calibration.split import FEW, full_folds, is_few, keys
from .detectors import baselines, held, references
from .dividing import divide, enough
from .fingerprint import fingerprint
from .halves import halves
from .items import Collection
from .scans.medical import is_nifti
from .settings import MOST_LOOKED, MOST_TRAINED, Settings

MOST_BYTES = 600_000_000  # of tensors that a detector is fitted on
MOST_ENCODED = 300_000_000  # the same of the encoder: 1500 grey windows of 224 take half a minute
# The largest square of a detector; rows see one size, the others are trained on theirs.
MOST_SIDES = {"encoder": MOST_LOOKED, "references": 0}
DECISIVE = 200  # normals by which it is decided what two halves have in common
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


@dataclass(frozen=True)
class Shared:
    """What the models of two halves must have in common, so that their scores are of one kind.

    Attributes:
        masked: Of `loading.Levels`.
        traits: Of the detector, as its `traits_of` finds them; empty where it has none.
    """

    masked: bool
    traits: dict


def fit(
    looked, settings, *, out=None, say=lambda line: None, progress=None, shared=None
) -> fitted.Fitted:
    """Fit and calibrate on the normals of the training part.

    Args:
        looked: What `look` returned.
        settings: `Settings`.
        out: Folder in which a stopped training goes on, or None.
        say: Called with each line a person should read.
        progress: Callable `(share in [0, 1])`, or None.
        shared: `Shared` of several models; None decides by these normals.

    Raises:
        UserError: the normals cannot be divided, or the detector cannot be had.
    """
    start = time.perf_counter()
    normals = looked.normals()
    task = _task(looked, settings, say, out, progress)
    kind, view = task.kind, task.view
    if kind == "restorer" and task.scans:
        task.new = partial(task.new, table=SCANS)
    if shared is not None:
        task.masked, task.traits = shared.masked, shared.traits
    crossed = is_few(normals) and kind in ("encoder", "references")
    say(f"Fitting {kind} on {len(normals)} normals, some held out ({view.kind}, {view.side} px).")
    if task.redraws:
        say(f"A restorer for the cards is trained on the same, {settings.minutes:g} minutes.")
    lost = task.lost()
    if lost:
        say(lost)
    model = (_crossed if crossed else _held_out)(task, normals)
    model.inputs = Fingerprint.fit(*looked.numbers())
    model.facts["spacing"] = getattr(looked.reader, "spacing", None)
    seconds = round(time.perf_counter() - start, 1)
    model.facts |= {"settings": settings.to_dict(), "seconds": seconds, "lost": lost}
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
    view: views.View | None
    same: dict
    out: object = None
    progress: object = None
    masked: bool | None = None  # decided for several models, or None
    traits: dict | None = None  # as well

    @property
    def asked(self):
        """Whether the groups are those of --groups."""
        return self.settings.groups is not None

    @property
    def scans(self):
        """Whether all normals are scans."""
        series = (item.series for item in self.looked.normals())
        return self.settings.scans or all(series)

    @property
    def redraws(self):
        """Whether a restorer draws for the cards what the detector cannot."""
        return self.settings.restoration and self.kind == "encoder"

    def lost(self):
        """Return which details the detector does not see, in a sentence, "" where it sees all."""
        view, most = self.view, MOST_SIDES.get(self.kind, MOST_TRAINED)
        if self.kind == "references":
            view = views.View(views.WHOLE, fitted.PIXELS)
        return views.lost(view, self.looked.print, most)

    def levels(self, items):
        """Return the grey levels of normals."""
        found = loading.learn_levels(self.looked.reader, items, self.settings.scans)
        return found if self.masked is None else replace(found, masked=self.masked)

    def decide(self, items, levels):
        """Let all members to come rank by what these normals are like."""
        find = getattr(self.new, "traits_of", None)
        if self.traits is None:
            self.traits = find(_shown(self, items, levels)[1]) if find else {}

    def member(self, items, levels):
        """Return `(fitted member, hashes of its normals)`."""
        small, tensors, hashes, owners, shapes = _shown(self, items, levels)
        place = np.array(keys(items, self.same))[owners]
        rows = {name: make_row().fit(small) for name, make_row in references.REFERENCES.items()}
        rows["knn5"].shapes = np.array(shapes)  # for the cards
        groups = place if len(set(place)) < len(place) else None
        detector = self.new(traits=self.traits) if self.traits else self.new()
        detector.fit(
            tensors, groups=groups, minutes=self.settings.minutes, seed=self.settings.seed,
            out=self.out, progress=None if self.redraws else self.progress,
        )  # fmt: skip
        return fitted.Member(detector, rows), hashes

    def redrawing(self, items, levels):
        """Return a restorer trained on normals, for the cards; None where it is not wanted."""
        if not self.redraws:
            return None
        from .detectors.redrawing import Redrawing

        view = views.choose(self.looked.print)  # --side is the encoder's
        _, tensors, *_ = _shown(replace(self, kind="restorer", view=view), items, levels)
        return Redrawing(view, table=SCANS if self.scans else None).fit(
            tensors, minutes=self.settings.minutes, seed=self.settings.seed, out=self.out,
            progress=self.progress,
        )  # fmt: skip

    def scaling(self, model, items):
        """Return the `Raw` of calibration-A normals; their maps set the level of a model's maps.

        No picture and no group of theirs was fitted on: what a detector holds out for itself is
        little, and where all normals are of a few groups, of one or two.
        """
        found = {}
        raw = model.raw(
            self.looked.reader, items,
            maps=lambda i, item, heat: found.update({i: held.some_pixels(heat)}),
        )  # fmt: skip
        if found:
            place = keys(items, self.same)
            level = held.level_of(list(found.values()), [place[i] for i in found])
            model.members[0].detector.rescale(level)
        return _readable(raw)

    def ranking(self, detector):
        """Return the parts that rank; those that the settings leave out are not among them."""
        return self.settings.ranked(tuple(detector.ranking))


def _task(looked, settings, say, out=None, progress=None):
    """Return the `_Task` of a fit."""
    kind, new = make(settings.detector, len(looked.normals()), say)
    if settings.faithful:
        new = partial(new, settings={"faithful": True})
    task = _Task(looked, settings, kind, new, None, copies(looked.audit.sheet), out, progress)
    scans = {"encoder": task.scans, "restorer": looked.print["is_dark"]}.get(kind, False)
    task.view = views.choose(looked.print, settings.side, fine=kind == "encoder", scans=scans)
    # in windows no place is like another
    if kind in ("encoder", "restorer") and task.view.kind == views.WINDOWS:
        alike = round(looked.print["aligned"], 3)
        task.traits = {"alike": alike, "aligned": False, "scan": False}
    return task


def _held_out(task, normals):
    """Fit one detector; held-out normals scale its parts and maps and give the p-values."""
    fit_on, first, second = divide(normals, task.settings.seed, task.same, task.asked)
    levels = task.levels(fit_on)
    member, hashes = task.member(fit_on, levels)
    model = fitted.Fitted(task.kind, (member,), levels, task.view)
    model.redrawing = task.redrawing(fit_on, levels)
    a = task.scaling(model, first)
    b = _readable(model.raw(task.looked.reader, second))
    groups = [item.group for item in fit_on]
    model.judge = Judge.fit(task.ranking(member.detector), a, b, hashes, groups)
    model.held = (a, b, hashes)
    model.facts = _facts(member, len(fit_on), (len(a), len(b)))
    return model


def _crossed(task, normals):
    """Fit one detector a fold of few normals: without the fold, and scaled by the next one."""
    count = MORE_FOLDS if len(normals) < 25 else FOLDS
    parts = full_folds(normals, count, task.settings.seed, task.same, task.asked)
    levels = task.levels(normals)
    task.decide(normals, levels)
    members, scaling, compared = [], [], []
    for number, fold in enumerate(parts):
        following = parts[(number + 1) % len(parts)]
        rest = [n for i, n in enumerate(normals) if i not in {*fold, *following}]
        member, _ = task.member(rest, levels)
        alone = fitted.Fitted(task.kind, (member,), levels, task.view)
        members.append(member)
        scaling.append(task.scaling(alone, [normals[i] for i in following]))
        compared.append(_readable(alone.raw(task.looked.reader, [normals[i] for i in fold])))
    model = fitted.Fitted(task.kind, tuple(members), levels, task.view)
    model.redrawing = task.redrawing(normals, levels)
    model.judge = Judge.crossed(task.ranking(members[0].detector), scaling, compared)
    model.facts = _facts(members[0], len(normals), (0, len(normals)))
    return model


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


def score_unsupervised(looked, settings, *, say, **how):
    """Score items that are also all that there is to learn from: see `halves` for `how`."""
    items = list(looked.collection.items)  # the unreadable ones are rows with their reason
    place, normals = keys(items, copies(looked.audit.sheet)), looked.normals()
    kind, _ = make(settings.detector, len(normals) // 2, say)
    one = replace(settings, detector=kind)  # both are of one kind, however large they are
    task = _task(looked, one, say)
    some = normals[:: max(1, len(normals) // DECISIVE)]
    levels = task.levels(some)
    task.decide(some, levels)
    fit_one = partial(fit, shared=Shared(levels.masked, task.traits))
    items, scored, model = halves(looked, items, place, fit_one, one, say=say, **how)
    model.facts["settings"]["detector"] = settings.detector  # as asked for
    return items, scored, model


def _shown(task, items, levels):
    """Return `(small pictures, tensors, hashes, item of each tensor, shapes)` of normals.

    Shapes are the rows and columns of the small pictures in their squares. One picture is read at a
    time.
    """
    random, reader = np.random.default_rng(task.settings.seed), task.looked.reader
    side, channels = task.view.side, levels.channels
    room = MOST_ENCODED if task.kind == "encoder" else MOST_BYTES
    most = max(1, room // (4 * side * side * channels) // len(items))
    small, tensors, hashes, owners, shapes = [], [], [], [], []
    for number, item in enumerate(items):
        picture = loading.to_levels(reader.pixels(item), levels)
        own, _ = task.view.tensors(picture)
        if len(own) > most:
            own = own[random.permutation(len(own))[:most]]
        tensors.append(own)
        owners += [number] * len(own)
        square, place = loading.square(picture, fitted.PIXELS)
        small.append(square)
        shapes.append((place.rows, place.columns))
        hashes.append(fitted.hash_of(picture))
    return np.stack(small), np.concatenate(tensors), hashes, owners, shapes


def _readable(raw: Raw):
    return raw.take(raw.readable(range(len(raw))))


def _facts(member, count, calibration):
    return {"fit": count, "calibration": list(calibration), "detector": member.detector.facts}
