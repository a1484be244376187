"""Anomaly detection on arrays, for other people's code.

    from gantools.apps.anomaly import Detector
    found = Detector(minutes=1).fit(normals).score(new)
    found.p, found.flagged

Arrays of pictures are `(n, h, w)` or `(n, h, w, c)`; of tables `(n, columns)`, or anything with
named columns. Higher scores are more anomalous; a small p is anomalous.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gantools.data.tables import from_frame, is_missing
from gantools.errors import UserError

from . import job
from .audit.measure import measure_arrays
from .audit.run import Audit
from .calibration.calibrate import adjusted
from .calibration.crossfit import FEWEST
from .fingerprint import fingerprint
from .items import Collection, Item
from .reporting.outputs import Maps
from .settings import Settings
from .tables import job as table_job
from .tables import model as table_model
from .tables.rows import Roles

HERE = Path("array")


@dataclass(frozen=True, eq=False)
class Found:
    """What a detector says of some items.

    Attributes:
        scores: `(n,)` float64, higher is more anomalous; NaN where an item cannot be read.
        p: `(n,)` share of normals at least as odd.
        flagged: `(n,)` bool: p at most the wanted false-positive rate.
        adjusted: `(n,)` p-values adjusted for looking at many items.
        parts: Name -> `(n,)` raw parts of the score, and the reference rows.
        errors: Number -> sentence, of items without a p-value.
        groups: Group -> `(items, score, p)` where groups were given and can be judged.
        maps: `(n, h, w)` float32, 1 = the level that 99.9 % of normal pixels stay under, NaN where
            an item cannot be read; or None.
    """

    scores: np.ndarray
    p: np.ndarray
    flagged: np.ndarray
    adjusted: np.ndarray
    parts: dict[str, np.ndarray]
    errors: dict[int, str] = field(default_factory=dict)
    groups: dict = field(default_factory=dict)
    maps: np.ndarray | None = None


class Detector:
    """Learns normals and judges everything else.

    Args:
        detector: For pictures one of `settings.DETECTORS`; for tables "auto", or one of
            `tables.model.GAMES`.
        minutes: Time for training.
        fpr: Share of normals that may be flagged.
        confidence: Chance that the realised share stays below `fpr`; None promises the mean.
        side: Pixels of the detector's square; None chooses.
        without: Parts that do not rank.
        seed: Of everything random.
        scans: Whether pictures are scans: the dark around the patient is left out.
        faithful: Whether a detector of the literature is the published one.
        restoration: Whether a restorer is trained beside the encoder, for `model.restored`.

    Attributes:
        model: After `fit`: `fitted.Fitted` or `tables.model.FittedTable`.
        facts: After `fit`: counts, seconds, settings.
    """

    def __init__(
        self, detector="auto", *, minutes=2.0, fpr=0.05, confidence=None, side=None, without=(),
        seed=0, scans=False, faithful=False, restoration=False,
    ):  # fmt: skip
        self.settings = Settings(
            detector, minutes, seed, side, fpr, confidence, tuple(without), scans,
            faithful=faithful, restoration=restoration,
        )  # fmt: skip
        self.model = None

    @property
    def facts(self):
        """Counts, seconds and settings of the fit."""
        return self._fitted().facts

    def fit(self, x, *, groups=None, say=lambda line: None):
        """Learn from normals.

        Args:
            x: `(n, h, w)` or `(n, h, w, c)` pictures of any number type; `(n, columns)` numbers; a
                data frame or a dict of columns. At least 15.
            groups: `(n,)` what belongs together and must not be divided: patient, part, lot; None
                or NaN where unknown.
            say: Called with lines that a person may read.

        Returns:
            This detector.

        Raises:
            UserError: too few normals, or a form that cannot be learnt from.
        """
        if _is_pictures(x):
            self.model = job.fit(_looked(x, groups), self.settings, say=say)
        else:
            self.model = table_job.fit(looked_table(x, groups), self.settings, say=say)
        self.model.held = None
        return self

    def score(self, x, *, groups=None, maps=False, jobs=None) -> Found:
        """Judge items; the score of an item depends on that item alone.

        Args:
            x: As for `fit`.
            groups: `(n,)` names, for a p-value a group; None or NaN where unknown.
            maps: Whether to make heat-maps of pictures.
            jobs: Processes that score pictures, as joblib counts them (-1: all processors); None
                stays in this one. On a cluster: see `many`.

        Raises:
            UserError: not fitted, nothing to score, or items of another form.
        """
        model = self._fitted()
        if model.is_table == _is_pictures(x):
            fitted_on = "a table" if model.is_table else "pictures"
            raise UserError(f"This detector was fitted on {fitted_on}. Received: another form.")
        reader = _rows(x) if model.is_table else _Array(x)
        items = _items(len(reader), groups)
        if not items:
            raise UserError("Expected at least one item to score. Received: none.")
        kept = Maps() if maps and not model.is_table else None
        scored = model.score(reader, items, maps=kept, jobs=jobs)
        rule = model.judge.rule(self.settings.fpr, self.settings.confidence)
        errors = {int(name): text for name, text in scored.errors.items()}
        heat = None if kept is None else _stacked(kept, reader.x.shape[:3])
        return Found(
            scored.scores, scored.p, rule.flags(scored.p), adjusted(scored.p), scored.parts, errors,
            scored.groups, heat,
        )  # fmt: skip

    def save(self, folder):
        """Write the fitted model into a folder; `gantools anomaly score` takes it, too."""
        self._fitted().save(folder)

    @classmethod
    def load(cls, folder) -> "Detector":
        """Return the detector of a folder that `save` or `gantools anomaly` wrote.

        Raises:
            UserError: the folder holds no model.
        """
        model = table_model.load_model(folder)
        found = cls()
        found.settings, found.model = Settings.of(model.facts["settings"]), model
        return found

    def as_sklearn(self):
        """Return an unfitted scikit-learn estimator with these settings, see `sklearn_face`."""
        from .sklearn_face import AnomalyDetector

        s = self.settings
        return AnomalyDetector(
            s.fpr, s.confidence, s.without, s.seed, s.detector, s.minutes, s.faithful
        )

    def as_pyod(self):
        """Return an unfitted detector with PyOD's interface and these settings."""
        from .pyod_face import PyodDetector

        return PyodDetector(self.settings)

    def _fitted(self):
        if self.model is None:
            raise UserError("This detector is not fitted. Call fit first.")
        return self.model


class _Array:
    """Opens items by number, as `loading.Reader` does.

    Args:
        x: `(n, h, w[, c])`, or number -> `(h, w[, c])`.
    """

    def __init__(self, x):
        self.x = x if isinstance(x, dict) else np.asarray(x)

    def __len__(self):
        return len(self.x)

    def part(self, items):
        """Return what opens some items: less to send to another process."""
        return _Array({item.index: self.x[item.index] for item in items})

    def pixels(self, item):
        """Return one picture as stored, `(h, w, c)`."""
        one = self.x[item.index]
        if one.dtype.kind in "iub" and one.dtype not in (np.uint8, np.uint16):
            one = one.astype(np.float32)
        one = one.astype(np.float32) if one.dtype == np.float64 else one
        return one if one.ndim == 3 else one[..., None]


def _stacked(maps, shape):
    """Return the maps of all items as one array `shape` of float32."""
    out = np.full(shape, np.nan, np.float32)
    for i in range(len(out)):
        found = maps.get(i)
        out[i] = np.nan if found is None else found
    return out


def _is_pictures(x):
    return getattr(x, "ndim", np.ndim(x) if isinstance(x, list) else 0) in (3, 4)


def _looked(x, groups):
    items, reader = _items(len(x), groups), _Array(x)
    sheet = measure_arrays([reader.pixels(item) for item in items], names=[i.name for i in items])
    collection = Collection(HERE, "arrays", tuple(items))
    _enough(len(items), "pictures")
    known = fingerprint(collection, sheet)
    return job.Looked(collection, reader, Audit((), sheet), known, set(sheet.names.tolist()))


def looked_table(x, groups, fewest=FEWEST):
    """Return an array or frame as the job of tables sees one.

    Raises:
        UserError: fewer rows than `fewest`.
    """
    rows = _rows(x)
    _enough(len(rows), "rows", fewest)
    collection = Collection(HERE, "table", tuple(_items(len(rows), groups)))
    return table_job.LookedTable(collection, rows, table_job.Checked(()), {}, Roles())


def _rows(x):
    if not (hasattr(x, "columns") or isinstance(x, dict)):
        x = np.asarray(x)
        if x.ndim != 2:
            raise UserError(
                f"Expected pictures (n, h, w[, c]) or rows (n, d). Received: {x.shape}."
            )
        x = {f"x{i}": values for i, values in enumerate(x.T)}
    return table_model.Rows(from_frame(x), lambda keep: from_frame(x, keep).texts)


def _items(count, groups):
    names = [None] * count
    if groups is not None:
        names = [None if is_missing(name) else str(name) for name in groups]
    if len(names) != count:
        raise UserError(
            f"Expected groups with a name for each of {count} items, None where there is none. "
            f"Received: {len(names)} names."
        )
    return [Item(HERE, f"{i:07}", group=names[i], index=i) for i in range(count)]


def _enough(count, what, fewest=FEWEST):
    if count < fewest:
        raise UserError(
            f"{count} normal {what} are too few. Expected at least {fewest}: below that nothing "
            f"could get a p under {1 / fewest:.2g}."
        )
