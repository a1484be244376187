"""A fitted job on pictures: detectors, reference rows, judge; in one folder without pickle.

    MODEL/plan.json          how pictures are shown, what it was fitted on, with which settings
    MODEL/judge.json         scales of the parts; scores of held-out normals
    MODEL/inputs.json        what the normals' own numbers looked like
    MODEL/members/0/         a detector's own files, and its reference rows
    MODEL/redrawing/         what draws the pictures of the cards, where it was asked for

Scoring needs no Keras. A score depends on its picture alone: not on order, batch or neighbours.
"""

from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path
from threading import Lock

import numpy as np
from threadpoolctl import threadpool_limits

from gantools.data.files import readable
from gantools.errors import ALL_FAILED, UserError

from . import loading, many, model_files, views
from .calibration.calibrate import Rules
from .calibration.drift import Fingerprint
from .calibration.judge import Judge, Raw
from .detectors import references
from .scans.foreground import foreground
from .settings import LITERATURE

CHUNK = 32  # pictures scored at once
TURN = Lock()  # of the threads that score
KERAS_CHUNK = 64  # the same where the batch of `gantools.gans.scoring` is filled up
MOST_BYTES = 64_000_000  # of the windows of pictures that a detector looks at together
PIXELS = 32  # side of the small pictures that the reference rows see
ROWS = tuple(references.REFERENCES)
STEMS = {"references": "simple", "encoder": "encoder", "restorer": "auto"}  # of detectors' files
SEEN = "Its pixels are those of a normal that was fitted on or calibrated with: no p can be given."


@dataclass
class Scored:
    """What scoring some items gives, one row an item.

    Attributes:
        names: Item names.
        hashes: Of the contents.
        parts: Name -> `(n,)` raw scores of the detector and of the references.
        scores: `(n,)` combined scores; NaN where an item could not be read.
        p: `(n,)` p-values.
        errors: Name -> sentence, of items without a p-value.
        groups: Group -> `(items, score, p)`, of groups that can be judged.
        halves: `(judges, (n,) which of them judged each item)` where there are several, else None.
        models: Where there are several, that of each judge: it explains the items that it scored.
    """

    names: list[str]
    hashes: list[str]
    parts: dict[str, np.ndarray]
    scores: np.ndarray
    p: np.ndarray
    errors: dict[str, str] = field(default_factory=dict)
    groups: dict[str, tuple] = field(default_factory=dict)
    halves: tuple | None = None
    models: tuple = ()

    def rule(self, judge, fpr, confidence):
        """Return what flags at a wanted rate: the rule of `judge`, or of the judges of halves."""
        if self.halves is None:
            return judge.rule(fpr, confidence)
        judges, side = self.halves
        return Rules(tuple(one.rule(fpr, confidence) for one in judges), side)


@dataclass
class Chunk:
    """What detectors say of a few pictures.

    Attributes:
        parts: One dict a member, part -> `(n,)`, NaN where unreadable; `n` where all are.
        hashes: `(n,)` of the contents.
        errors: Number -> sentence.
        maps: Number -> heat-map `(h, w)`, where wanted.
    """

    parts: list
    hashes: list[str]
    errors: dict[int, str]
    maps: dict[int, np.ndarray]


@dataclass
class Member:
    """One detector and the reference rows that were fitted on the same normals.

    Attributes:
        detector: `auto.Auto`, `encoder.Encoder` or `simple.Simple`.
        rows: Name -> fitted reference.
    """

    detector: object
    rows: dict

    def looked(self, tensors, ends, small, maps):
        """Return part -> `(n,)` raw scores of pictures, and the maps `(k, side, side)` or None.

        Args:
            tensors: `(k, side, side, c)`, the windows of all pictures.
            ends: `(n,)`: where the windows of each picture end.
            small: `(n, 32, 32, c)`.
            maps: Whether maps are wanted.
        """
        both = getattr(self.detector, "parts_and_maps", None)
        if both:
            own, heat = both(tensors, maps)
        else:
            own, heat = self.detector.parts(tensors), maps and self.detector.maps(tensors)
        parts = {
            name: np.array([views.of_picture(v) for v in np.split(values, ends[:-1])])
            for name, values in own.items()
        }
        return parts | {name: row.score(small) for name, row in self.rows.items()}, heat

    def save(self, folder):
        """Write the detector into a folder."""
        self.detector.save(folder)


@dataclass
class Fitted:
    """Everything that turns a picture into a calibrated score.

    Attributes:
        kind: "restorer", "encoder", "references" or one of `LITERATURE`.
        members: One, or one a fold of few normals.
        levels: Grey levels of the training set.
        view: How pictures are shown.
        judge: `Judge`.
        inputs: `drift.Fingerprint` of the normals.
        facts: Counts, seconds, settings; JSON values.
        place: The folder that it was loaded from, and the threads of its engine; or None.
        redrawing: `redrawing.Redrawing` beside a detector that draws no normals, or None.
    """

    kind: str
    members: tuple[Member, ...]
    levels: loading.Levels
    view: views.View
    judge: Judge | None = None
    inputs: Fingerprint | None = None
    facts: dict = field(default_factory=dict)
    place: tuple[Path, int | None] | None = None
    redrawing: object | None = None
    held: tuple | None = None  # after a fit: `Raw` of both held-out parts, hashes of the fitted

    rows = ROWS
    is_table = False

    def raw(self, reader, items, *, maps=None, progress=None, jobs=None) -> Raw:
        """Return the raw parts of items, NaN where unreadable.

        Args:
            reader: `loading.Reader`.
            items: Items.
            maps: Called with `(number, item, heat-map (h, w))` of each, or None.
            progress: Callable `(share in [0, 1])`, or None.
            jobs: Processes, see `many`; None stays in this one.
        """
        found, hashes, errors = [[] for _ in self.members], [], {}
        size = KERAS_CHUNK if self.kind in LITERATURE else CHUNK
        starts = range(0, len(items), size)
        pieces = [items[start : start + size] for start in starts]
        chunks = self._chunks(reader, pieces, maps is not None, jobs)
        for start, chunk in zip(starts, chunks, strict=True):
            errors |= {start + i: text for i, text in chunk.errors.items()}
            hashes += chunk.hashes
            for rows, one in zip(found, chunk.parts, strict=True):
                rows.append(one)
            for i, heat in chunk.maps.items():
                maps(start + i, items[start + i], heat)
            if progress:
                progress(min(1.0, (start + size) / len(items)))
        members = tuple(_joined(rows) for rows in found)
        return Raw(members, hashes, [item.group for item in items], errors)

    def chunk(self, reader, items, with_maps=False) -> Chunk:
        """Return the raw parts of a few items.

        Args:
            reader: `loading.Reader`.
            items: Items.
            with_maps: Whether heat-maps are wanted.
        """
        read = [self._read(reader, item) for item in items]
        errors = {i: one for i, one in enumerate(read) if isinstance(one, str)}
        pictures = [None if isinstance(one, str) else one for one in read]
        hashes = [
            item.name if picture is None else hash_of(picture)
            for item, picture in zip(items, pictures, strict=True)
        ]
        # Sums in another order, as other numbers of threads have them, differ in the last bits.
        # And the number is one for the whole process: threads have to take turns.
        with TURN, threadpool_limits(1, user_api="blas"):
            parts, maps = self._parts(pictures, with_maps)
        return Chunk(parts, hashes, errors, maps)

    def score(
        self, reader, items, *, maps=None, progress=None, jobs=None, even_none=False
    ) -> Scored:
        """Return scores and p-values of items; those without get NaN and a sentence.

        Args: as for `raw` and `judged`.
        """
        raw = self.raw(reader, items, maps=maps, progress=progress, jobs=jobs)
        return judged(self.judge, raw, items, even_none=even_none)

    def restored(self, picture):
        """Return a picture as it would look if it were normal, `(h, w, c)`, or None."""
        if self.redrawing is not None:
            return self.redrawing.restored(picture)
        return self.view.redrawn(picture, self.members[0].detector.restored)

    def save(self, folder):
        """Write the model folder; an older one is replaced when the new one is whole."""
        plan = {"detector": self.kind, "view": asdict(self.view), "levels": asdict(self.levels)}
        also = {}
        if self.redrawing is not None:
            plan["redrawing"], also = asdict(self.redrawing.view), {"redrawing": self.redrawing}
        model_files.save(folder, self, plan, also)

    @classmethod
    def load(cls, folder, threads=None) -> "Fitted":
        """Return the model of a folder.

        Raises:
            UserError: the folder holds none, half of one, or one of another version.
        """
        stored = model_files.load(folder)
        plan = stored.plan
        kind, stem = detector_class(plan["detector"]), STEMS.get(plan["detector"], "named")
        model_files.check_complete(folder, stored, ROWS, (f"{stem}.json", f"{stem}.npz"))
        members = tuple(
            Member(kind.load(one / "detector", threads=threads), model_files.load_rows(one))
            for one in stored.members
        )
        levels, view = loading.Levels(**plan["levels"]), views.View(**plan["view"])
        found = cls(plan["detector"], members, levels, view)
        found.judge, found.inputs, found.facts = stored.judge, stored.inputs, plan["facts"]
        found.place = Path(folder), threads
        if "redrawing" in plan:
            from .detectors.redrawing import Redrawing

            found.redrawing = Redrawing.load(Path(folder) / "redrawing", plan["redrawing"], threads)
        return found

    def _chunks(self, reader, pieces, with_maps, jobs):
        """Yield the `Chunk` of each list of items."""
        if jobs is not None and len(pieces) > 1:
            yield from many.chunks(self, reader, pieces, with_maps, jobs)
            return
        for piece in pieces:
            yield self.chunk(reader, piece, with_maps)

    def _read(self, reader, item):
        """Return the picture at the model's levels, or the sentence why not."""
        try:
            return loading.to_levels(reader.pixels(item), self.levels)
        except UserError as error:
            return readable(str(error))

    def _parts(self, pictures, with_maps):
        """Return one dict a member, part -> `(len(pictures),)`, and number -> heat-map.

        None pictures give NaN and no map.
        """
        good = [i for i, picture in enumerate(pictures) if picture is not None]
        if not good:
            return [len(pictures)] * len(self.members), {}
        found, maps = [], {}
        for numbers, made in self._shown(pictures, good):
            ends = np.cumsum([len(tensors) for tensors, _ in made])
            tensors = np.concatenate([tensors for tensors, _ in made])
            small = np.stack([loading.square(pictures[i], PIXELS)[0] for i in numbers])
            looked = [member.looked(tensors, ends, small, with_maps) for member in self.members]
            found.append([parts for parts, _ in looked])
            if with_maps:
                heat = np.split(np.mean([heat for _, heat in looked], axis=0), ends[:-1])
                for i, own, (_, shown) in zip(numbers, heat, made, strict=True):
                    maps[i] = self._map_of(pictures[i], own, shown)
        rows = [_joined(parts) for parts in zip(*found, strict=True)]
        return [_spread(parts, good, len(pictures)) for parts in rows], maps

    def _shown(self, pictures, good):
        """Yield `(numbers, what View.tensors gives of each)`: as many pictures as memory allows."""
        numbers, made, size = [], [], 0
        for i in good:
            tensors, shown = self.view.tensors(pictures[i])
            if made and size + tensors.nbytes > MOST_BYTES:
                yield numbers, made
                numbers, made, size = [], [], 0
            numbers, made, size = [*numbers, i], [*made, (tensors, shown)], size + tensors.nbytes
        yield numbers, made

    def _map_of(self, picture, maps, shown):
        """Return the heat-map of a picture; of scans 0 outside the patient."""
        heat = self.view.join(maps, shown)
        return np.where(foreground(picture), heat, np.float32(0)) if self.levels.masked else heat


def judged(judge, raw, items, seen=SEEN, *, even_none=False) -> Scored:
    """Return scores and p-values of raw parts; contents that were seen before get no p.

    Args:
        judge: `Judge`.
        raw: `Raw` of the items.
        items: What has `name`, in the order of `raw`.
        seen: Sentence of contents that were seen before.
        even_none: Whether items of which none can be read are rows with their reasons, too.

    Raises:
        UserError: none of them can be read.
    """
    none = len(raw.errors) == len(items)
    if none and not even_none:
        reason = next(iter(raw.errors.values()), "there is nothing")
        raise UserError(
            f"None of {len(items)} items can be scored. The first: {reason}", ALL_FAILED
        )
    if none:
        scores, p = np.full((2, len(items)), np.nan)
        parts = {name: scores.copy() for name in judge.ranking}
    else:
        (scores, p), parts = judge.judged(raw), raw.mean()
    errors = {items[i].name: text for i, text in raw.errors.items()}
    for i in np.flatnonzero(judge.seen(raw.hashes)):
        errors[items[i].name] = seen
        p[i] = np.nan
    valid = np.where(np.isnan(p), np.nan, scores)
    groups = judge.groups.judge(valid, raw.groups) if judge.groups else {}
    return Scored(
        [item.name for item in items], raw.hashes, parts, scores, p, errors, groups
    )  # fmt: skip


def detector_class(kind):
    """Return the class of a detector by its name.

    Raises:
        UserError: there is none of that name.
    """
    if kind == "encoder":
        from .detectors.encoder import Encoder

        return Encoder
    if kind == "references":
        from .detectors.simple import Simple

        return Simple
    if kind == "restorer":
        from .detectors.auto import Auto

        return Auto
    if kind in LITERATURE:
        from .detectors.named import Named

        def start(self, name=kind, *args, **options):
            Named.__init__(self, name, *args, **options)

        return type(kind, (Named,), {"__init__": start})
    raise UserError(f"There is no detector '{kind}' for pictures. Fit the model again.")


def hash_of(picture) -> str:
    """Return the hash of a picture's pixels: the same file under another name has the same one."""
    return blake2b(np.ascontiguousarray(picture).tobytes(), digest_size=12).hexdigest()


def _spread(parts, good, count):
    rows = {name: np.full(count, np.nan) for name in parts}
    for name, values in parts.items():
        rows[name][good] = values
    return rows


def _joined(rows):
    """Join the parts of chunks; a number stands for a chunk in which nothing was readable."""
    names = next((list(row) for row in rows if not isinstance(row, int)), [])
    return {
        name: np.concatenate(
            [np.full(row, np.nan) if isinstance(row, int) else row[name] for row in rows]
        )
        for name in names
    }
