"""A fitted job on a table: transforms, distances to the normal rows, judge; without pickle.

A detector of the literature may rank in place of the distances, which stay beside it. Scoring needs
Keras only then.

MODEL/members/0/detector/transform.json    how columns become numbers
MODEL/members/0/detector/normals.npz       features of some rows that were fitted on, for reasons
MODEL/members/0/detector/named.*           the detector of the literature, where there is one
MODEL/members/0/references/                the distances
"""

import json
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from gantools.data.files import atomic, make_folder
from gantools.data.tables import without_missing
from gantools.errors import UserError

from .. import fitted, model_files
from ..calibration.drift import Fingerprint
from ..calibration.judge import Judge, Raw
from ..detectors import references
from ..detectors.named import PICTURES_ONLY, Named
from ..settings import LITERATURE
from .reasons import Reasons
from .transform import TableTransform, first_of, row_hashes

KIND = "table"
NEIGHBOURS = 20_000  # normal rows that distances are measured to
EXAMPLES = 2000  # normal rows kept for explanations
REFERENCES = references.TABLE_REFERENCES | {"knn5": partial(references.Knn, limit=NEIGHBOURS)}
ROWS = tuple(REFERENCES)
GAMES = tuple(name for name in LITERATURE if name not in PICTURES_ONLY)
SEEN = "This row was fitted on or calibrated with: no p can be given."


class Rows:
    """An opened table.

    Args:
        columns: Name -> `(n,)` column, see `gantools.data.tables`.
        texts: Called with `keep`, gives the `Table.texts` of the same rows.
        label: The column that was taken for the label, or None.
    """

    def __init__(self, columns, texts=lambda keep: {}, label=None):
        self.columns, self.label = columns, label
        self._reread, self._texts, self._hashes = texts, {}, {}

    def __len__(self):
        return len(next(iter(self.columns.values()), ()))

    def take(self, items, worded=()):
        """Return the columns of the rows that items stand for.

        Args:
            items: Items whose `index` is a row.
            worded: Columns that a model keeps as texts. Where all cells of this file are numbers,
                the file is read again for them: as numbers "01" and "1" would be one.
        """
        rows = np.array([item.index for item in items], int)
        numeric = {n for n in worded if n in self.columns and self.columns[n].dtype.kind == "f"}
        new = numeric - set(self._texts)
        found = self._reread(new.__contains__) if new else {}
        for name in new:  # numbers of arrays have no other texts
            self._texts[name] = without_missing(found[name]) if name in found else None
        texts = {name: self._texts[name] for name in numeric if self._texts[name] is not None}
        return {name: values[rows] for name, values in (self.columns | texts).items()}

    def hashes(self, names=None):
        """Return the `row_hashes` of some columns, in any order, or of all."""
        chosen = tuple(sorted(self.columns if names is None else names))
        if chosen not in self._hashes:
            self._hashes[chosen] = row_hashes({name: self.columns[name] for name in chosen})
        return self._hashes[chosen]


@dataclass
class TableMember:
    """Distances to one set of normal rows.

    Attributes:
        transform: Columns to numbers.
        rows: Name -> fitted reference.
        normals: Some of the rows that were fitted on, name -> column; features only, for what is no
            feature (names, labels, groups) explains nothing and may say who somebody is.
        detector: `Named`, fitted on the transformed rows, or None.
    """

    transform: TableTransform
    rows: dict
    normals: dict
    detector: Named | None = None

    @classmethod
    def fit(cls, columns, *, drop=(), time=None, detector=None, **training):
        """Fit on normal rows.

        Args:
            columns: Name -> `(n,)` column.
            drop: Columns that say nothing of the row itself: label, group, split.
            time: Column that orders the rows, or None.
            detector: `Named` to train on the transformed rows, or None.
            **training: Of its `fit`.
        """
        transform = TableTransform.fit(columns, drop=drop, time=time)
        x = transform.transform(columns)
        rows = {name: make().fit(x) for name, make in REFERENCES.items()}
        if detector is not None:
            detector.fit(x, **training)
        step = max(1, -(-len(x) // EXAMPLES))
        normals = {name: columns[name][::step] for name in transform.slices}
        return cls(transform, rows, normals, detector)

    @property
    def facts(self):
        """How wide a row is, and of a trained detector its facts; JSON values."""
        trained = {} if self.detector is None else self.detector.facts
        return {"width": self.transform.width, **trained}

    def parts(self, x, names=None):
        """Return part -> `(n,)` raw scores of transformed rows.

        Args:
            x: `(n, width)` float32.
            names: Parts that are wanted; None for all. Only these are computed.
        """
        wanted = set(self.rows if names is None else names)
        found = {}
        if self.detector is not None and (names is None or wanted - set(self.rows)):
            found = self.detector.parts(x)
        found |= {name: row.score(x) for name, row in self.rows.items() if name in wanted}
        return found if names is None else {name: found[name] for name in names}

    def save(self, folder):
        """Write what `model_files` does not."""
        make_folder(folder)
        if self.detector is not None:
            self.detector.save(folder)
        with atomic(folder / "transform.json") as part:
            part.write_text(json.dumps(self.transform.to_dict()), encoding="utf-8")
        arrays = {
            f"column/{name}": values if values.dtype.kind == "f" else values.astype(str)
            for name, values in self.normals.items()
        }
        with atomic(folder / "normals.npz") as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, folder, kind=KIND):
        """Return the member in a folder; `kind` is that of `FittedTable`."""
        stored = json.loads((folder / "detector" / "transform.json").read_text(encoding="utf-8"))
        with np.load(folder / "detector" / "normals.npz", allow_pickle=False) as file:
            normals = {
                name.partition("/")[2]: a
                if (a := file[name]).dtype.kind == "f"
                else a.astype(object)
                for name in file.files
            }
        detector = None if kind == KIND else Named.load(folder / "detector")
        transform = TableTransform.from_dict(stored)
        return cls(transform, model_files.load_rows(folder), normals, detector)


@dataclass
class FittedTable:
    """Everything that turns a row into a calibrated score.

    Attributes:
        members: One, or one a fold of few normals.
        judge: `Judge`.
        inputs: `drift.Fingerprint` of the normals.
        facts: Counts, seconds, settings, roles of columns; JSON values.
        kind: Name of the detector of the literature that ranks, else `KIND`.
    """

    members: tuple[TableMember, ...]
    judge: Judge | None = None
    inputs: Fingerprint | None = None
    facts: dict = field(default_factory=dict)
    held: tuple | None = None
    kind: str = KIND

    rows, is_table = ROWS, True

    @property
    def features(self):
        """The columns that the model reads: by these it knows a row again."""
        return self.facts["roles"]["features"]

    def columns(self, reader, items):
        """Return the columns of rows as the transforms need them."""
        read = [column for member in self.members for column in member.transform.columns]
        return reader.take(items, {column.name for column in read if column.worded})

    def parts(self, reader, items, progress=None):
        """Return one dict a member, part -> `(n,)` raw scores of rows. Args: as for `raw`."""
        columns = self.columns(reader, items)
        members = []
        for number, member in enumerate(self.members):
            members.append(member.parts(member.transform.transform(columns)))
            if progress:
                progress((number + 1) / len(self.members))
        return tuple(members)

    def raw(self, reader, items, *, maps=None, progress=None) -> Raw:
        """Return the raw parts of rows.

        Args:
            reader: `Rows`.
            items: Items whose `index` is a row.
            maps: Not used: a row has no map.
            progress: Callable `(share in [0, 1])`, or None.

        Raises:
            UserError: columns are missing, or one of them is taken for the label.
        """
        if reader.label in self.features:
            raise UserError(
                f"Column '{reader.label}' is taken for the label, and the model was fitted on it "
                "as on any other: it would know the labels. Name the right one with --label, or "
                "fit again."
            )
        parts, whole = self.parts(reader, items, progress), reader.hashes(self.features)
        hashes = [whole[item.index] for item in items]
        first = [first_of(text) for text in hashes]  # each copy of a normal is one that was seen
        seen = self.judge.seen(first)
        hashes = [f if s else own for f, s, own in zip(first, seen, hashes, strict=True)]
        return Raw(parts, hashes, [item.group for item in items])

    def score(
        self, reader, items, *, maps=None, progress=None, jobs=None, even_none=False
    ) -> fitted.Scored:
        """Return scores and p-values of rows; those that were fitted on get NaN and a sentence.

        `jobs` is not used: all rows are scored at once. Nor is `even_none`: none is unreadable.
        """
        raw = self.raw(reader, items, progress=progress)
        return fitted.judged(self.judge, raw, items, SEEN)

    def reasons(self, reader, items, numbers):
        """Return item number -> `reasons.Reason`s of some rows, the strongest first."""
        member, scales = self.members[0], self.judge.scales[0]

        def score(x):
            return scales.combine(member.parts(x, self.judge.ranking))

        if not len(numbers):
            return {}
        explainer = Reasons(score, member.transform, member.normals)
        columns = self.columns(reader, [items[i] for i in numbers])
        found = explainer.explain(columns, np.arange(len(numbers)))
        return {int(i): reasons for i, reasons in zip(numbers, found, strict=True)}

    def save(self, folder):
        """Write the model folder; an older one is replaced when the new one is whole."""
        model_files.save(folder, self, {"detector": KIND, "ranks": self.kind})

    @classmethod
    def load(cls, folder, threads=None) -> "FittedTable":
        """Return the model of a folder.

        Raises:
            UserError: the folder holds none, half of one, or one of another version.
        """
        stored = model_files.load(folder)
        kind, files = stored.plan.get("ranks", KIND), ["transform.json", "normals.npz"]
        files += [] if kind == KIND else ["named.json", "named.npz"]
        model_files.check_complete(folder, stored, ROWS, files)
        members = tuple(TableMember.load(one, kind) for one in stored.members)
        return cls(members, stored.judge, stored.inputs, stored.plan["facts"], kind=kind)


def load_model(folder, threads=None):
    """Return the model of a folder, of pictures or of a table.

    Raises:
        UserError: the folder holds none, or one of another version.
    """
    kind = model_files.load(folder).plan["detector"]
    return (FittedTable if kind == KIND else fitted.Fitted).load(folder, threads)
