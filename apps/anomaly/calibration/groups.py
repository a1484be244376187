"""One score a patient, part or lot, fair between groups of 5 and of 200 items.

The maximum of 200 slices is larger than that of 20 for no reason. Here each group gets the chance
that so odd an item turns up among as many normal ones, and that is what is calibrated by groups.
"""

from dataclasses import dataclass

import numpy as np

from gantools.errors import UserError

SCHEMA = 1
KEEP = 20_000  # reference scores that are stored
TAIL = 10  # largest reference scores that the exponential tail is read from
DEPENDENCE_GROUPS = 20  # fewer do not tell dependent items from independent ones


@dataclass(frozen=True, eq=False)
class GroupStatistic:
    """How odd a single normal item can be, and how fast a group's oddest grows with its size.

    Fit on calibration-A groups; calibrate `score` of calibration-B groups with `Calibration`.

    Attributes:
        items: `(k,)` ascending scores of normal items.
        start: Score from which the tail is exponential.
        share: Share of normal items above `start`.
        scale: Mean excess of those.
        exponent: A group of m items has m ** exponent independent ones: 1 if all are.
    """

    items: np.ndarray
    start: float
    share: float
    scale: float
    exponent: float = 1.0

    @classmethod
    def fit(cls, scores, groups):
        """Return the statistic by normal items.

        Args:
            scores: `(n,)` item scores, higher is more anomalous; NaN is left out.
            groups: `(n,)` names.

        Raises:
            UserError: fewer than 20 items have a score.
        """
        scores, groups = np.asarray(scores, np.float64), np.asarray(groups)
        scored = np.isfinite(scores)
        scores, groups = scores[scored], groups[scored]
        if len(scores) < 2 * TAIL:
            raise UserError(
                f"A group score needs {2 * TAIL} scored normal items. Received: {len(scores)}."
            )
        items = np.sort(scores)
        tail = max(TAIL, len(items) // 200)
        start = items[-tail - 1]
        scale = max(float(np.mean(items[-tail:] - start)), 1e-12)
        if len(items) > KEEP:
            items = np.quantile(items, (np.arange(KEEP) + 0.5) / KEEP)
        alone = cls(items, float(start), tail / len(scores), scale)
        return cls(items, float(start), alone.share, scale, alone._exponent(scores, groups))

    def rates(self, scores):
        """Return, an item, -log(1 - p) with p the share of normal items at least as odd.

        Below `start` p is counted, above it falls off exponentially without end, so that two items
        odder than all normals still differ. NaN stays NaN.
        """
        scores = np.asarray(scores, np.float64)
        n = len(self.items)
        above = n - np.searchsorted(self.items, scores, "left")
        counted = (above + 0.5) / (n + 1)
        far = self.share * np.exp(-np.maximum(scores - self.start, 0) / self.scale)
        p = np.where(scores > self.start, np.minimum(far, counted), counted)
        p = np.clip(p, 1e-300, 1 - 1e-9)
        return np.where(np.isnan(scores), np.nan, -np.log1p(-p))

    def score(self, scores, groups):
        """Return `(names, (g,) scores)`: one a group, higher is more anomalous.

        Among normal groups the law of the score does not depend on the size: with m independent
        items, m times the smallest rate is exponential. A group without any scored item gets NaN.

        Args:
            scores: `(n,)` item scores.
            groups: `(n,)` names.
        """
        names, smallest, sizes = self._smallest(np.asarray(scores, np.float64), groups)
        return names, -np.log(smallest) - self.exponent * np.log(np.maximum(sizes, 1))

    def to_dict(self):
        """Return JSON values."""
        return {
            "schema": SCHEMA,
            "items": self.items.tolist(),
            "start": self.start,
            "share": self.share,
            "scale": self.scale,
            "exponent": self.exponent,
        }

    @classmethod
    def from_dict(cls, stored):
        """Return what `to_dict` stored.

        Raises:
            UserError: another schema or other keys.
        """
        known = {"schema", "items", "start", "share", "scale", "exponent"}
        if set(stored) != known or stored["schema"] != SCHEMA:
            raise UserError("The group statistic cannot be read. Fit the model again.")
        rest = {key: stored[key] for key in ("start", "share", "scale", "exponent")}
        return cls(np.array(stored["items"], np.float64), **rest)

    def _smallest(self, scores, groups):
        """Return each group's name, smallest rate and number of scored items."""
        names, owner = np.unique(np.asarray(groups), return_inverse=True)
        rates = self.rates(scores)
        smallest = np.full(len(names), np.inf)
        np.fmin.at(smallest, owner, rates)
        sizes = np.bincount(owner, weights=~np.isnan(rates), minlength=len(names))
        return names, np.where(sizes > 0, smallest, np.nan), sizes

    def _exponent(self, scores, groups):
        """Return the fitted exponent; 1 unless two standard errors below.

        Items of one patient resemble each other; the more, the fewer independent ones there are.
        """
        names, smallest, sizes = self._smallest(scores, groups)
        size = np.log(sizes) - np.mean(np.log(sizes))
        if len(names) < DEPENDENCE_GROUPS or np.std(size) < 0.1:
            return 1.0
        value = np.log(smallest)
        slope = -np.sum(size * value) / np.sum(size**2)
        residual = value - value.mean() + slope * size
        error = np.sqrt(np.sum(residual**2) / (len(names) - 2) / np.sum(size**2))
        return float(np.clip(slope, 0, 1)) if slope < 1 - 2 * error else 1.0
