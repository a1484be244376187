"""Parts of a score brought to one scale by held-out normals, and their fixed combination."""

from dataclasses import dataclass

import numpy as np

from gantools.errors import UserError

LOW, HIGH = -3.0, 30.0
SCHEMA = 1


@dataclass(frozen=True)
class PartScales:
    """Where the normals of each part lie. Fit on calibration-A: normals that neither the fit nor
    the p-values use.

    Attributes:
        names: The parts, in the order of everything below.
        median: Of the normals, a part.
        q90: Their 90 % quantile, never equal to the median: see `fit`.
        q95: Their 95 % quantile, the unit of the bars in the report.
    """

    names: tuple[str, ...]
    median: tuple[float, ...]
    q90: tuple[float, ...]
    q95: tuple[float, ...]

    @classmethod
    def fit(cls, parts):
        """Return the scales by the parts of held-out normals.

        Args:
            parts: Name -> `(n,)` scores, higher is odder.

        Raises:
            UserError: no part, no normal, or a value that is no number.
        """
        names = tuple(parts)
        values = _stack(parts, names)
        if not values.size or not np.isfinite(values).all():
            bad = [name for name, row in zip(names, values, strict=True) if not _finite(row)]
            raise UserError(f"Parts need finite scores of some normals. Received: {bad or names}.")
        median, q90, q95 = np.quantile(values, [0.5, 0.9, 0.95], axis=1)
        # A part that hardly moves among normals still says something when it does move: the next
        # wider spread, or a sliver that sends any move to the upper limit.
        top = values.max(axis=1)
        sliver = 1e-6 * np.abs(median) + 1e-12
        q90 = np.where(q90 > median, q90, np.where(top > median, top, median + sliver))
        q95 = np.maximum(q95, q90)
        return cls(names, *(tuple(v.tolist()) for v in (median, q90, q95)))

    def scaled(self, parts):
        """Return `(parts, m)`: 0 at the normals' median, 1 at their 90 % quantile, in [-3, 30].

        Raises:
            UserError: other parts than fitted.
        """
        values = _stack(parts, self.names)
        median, q90 = np.array(self.median)[:, None], np.array(self.q90)[:, None]
        return np.clip((values - median) / (q90 - median), LOW, HIGH)

    def combine(self, parts):
        """Return the `(m,)` score: the mean over the parts of log(1 + scaled), 0 below the median.

        Equal weights: weighting by skill on synthetic damage was tried and did not help. The
        logarithm keeps one exploding part from owning the score. NaN in a part gives NaN.
        """
        return np.mean(np.log1p(np.maximum(self.scaled(parts), 0)), axis=0)

    def bars(self, parts):
        """Return name -> `(m,)`: each part in units of the normals' 95 % level above the median."""
        values = _stack(parts, self.names)
        unit = np.array(self.q95) - np.array(self.median)
        bars = (values - np.array(self.median)[:, None]) / unit[:, None]
        return dict(zip(self.names, bars, strict=True))

    def to_dict(self):
        """Return JSON values."""
        rows = zip(self.names, self.median, self.q90, self.q95, strict=True)
        return {"schema": SCHEMA, "parts": {name: list(row) for name, *row in rows}}

    @classmethod
    def from_dict(cls, stored):
        """Return what `to_dict` stored.

        Raises:
            UserError: another schema or other keys.
        """
        if set(stored) != {"schema", "parts"} or stored["schema"] != SCHEMA:
            raise UserError("The scales of the score parts cannot be read. Fit the model again.")
        columns = zip(*stored["parts"].values(), strict=True)
        return cls(tuple(stored["parts"]), *(tuple(map(float, column)) for column in columns))


def _stack(parts, names):
    if set(parts) != set(names):
        raise UserError(f"Score parts must be {sorted(names)}. Received: {sorted(parts)}.")
    if not names:
        raise UserError("A score needs at least one part.")
    return np.stack([np.asarray(parts[name], np.float64) for name in names])


def _finite(row):
    return bool(len(row)) and bool(np.isfinite(row).all())
