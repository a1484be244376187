"""Calibration below 60 normals: every normal is held out once, by folds.

The p-value of an item compares, fold by fold, the scores that a detector without the fold gives to
the fold's normals and to the item. It uses all normals, and is valid up to a factor of 2. Folds
hold whole groups, and each group counts as one as in `calibrate`.
"""

from dataclasses import dataclass

import numpy as np

from gantools.errors import UserError

from .calibrate import SCHEMA, Calibration, Rule

FEWEST = 15  # the lowest attainable p is above 6 %


@dataclass(frozen=True, eq=False)
class CrossCalibration:
    """One `Calibration` a fold, by the detector that was fitted without the fold."""

    folds: tuple[Calibration, ...]

    @classmethod
    def fit(cls, fold_scores, fold_groups=None):
        """Return the calibration.

        Args:
            fold_scores: One `(n_k,)` array a fold: the fold's normals by the detector without them.
            fold_groups: One list a fold of their groups, as for `Calibration.fit`; None: no groups.

        Raises:
            UserError: fewer than 2 folds, or a score that is no number.
        """
        if len(fold_scores) < 2:
            raise UserError(f"Cross-calibration needs 2 folds. Received: {len(fold_scores)}.")
        fold_groups = [None] * len(fold_scores) if fold_groups is None else fold_groups
        pairs = zip(fold_scores, fold_groups, strict=True)
        return cls(tuple(Calibration.fit(scores, groups=groups) for scores, groups in pairs))

    @property
    def size(self) -> int:
        """How much there is to count p on: normals, or groups of them."""
        return sum(fold.size for fold in self.folds)

    @property
    def groups(self) -> tuple[str, ...]:
        """Codes of groups, empty where each normal counts alone."""
        return tuple(code for fold in self.folds for code in fold.groups)

    def p(self, scores, hashes=None):
        """Return the p-value of each item.

        Args:
            scores: `(folds, m)`: each detector's scores of the items; NaN gets p NaN.
            hashes: `(m,)` item hashes, which break ties as in `Calibration.p`.

        Source: Vovk 2015, Cross-conformal predictors, arXiv 1208.0806, eq. 3; at most twice the
            nominal error by Vovk and Wang 2020, arXiv 1212.4966, but for terms of order folds / n.
            Groups: Lee, Barber, Willett 2023, arXiv 2306.06342, hierarchical jackknife+.
        """
        scores = np.asarray(scores, np.float64)
        counted = sum(
            fold.counted(row, hashes) for fold, row in zip(self.folds, scores, strict=True)
        )
        return (1 + counted) / (self.size + 1)

    def rule(self, fpr=0.05, confidence=None):
        """Return the rule of as many plain calibration normals; read its rates as up to double."""
        items = sum(len(fold.scores) for fold in self.folds)
        return Rule.of(self.size, fpr, confidence, items if self.groups else None)

    def sentence(self):
        """Return what this can show at best, in words."""
        held = self.rule().held.replace("held-out ", "")
        return (
            f"Calibrated on {held} in {len(self.folds)} folds: the lowest attainable p is "
            f"{1 / (self.size + 1):.2g}, and false alarms may be up to twice the wanted rate."
        )

    def to_dict(self):
        """Return JSON values."""
        return {
            "schema": SCHEMA,
            "folds": [fold.scores.tolist() for fold in self.folds],
            "groups": [list(fold.groups) for fold in self.folds],
        }

    @classmethod
    def from_dict(cls, stored):
        """Return what `to_dict` stored.

        Raises:
            UserError: another schema or other keys.
        """
        if set(stored) != {"schema", "folds", "groups"} or stored["schema"] != SCHEMA:
            raise UserError("This cross-calibration cannot be read. Fit the model again.")
        return cls.fit(stored["folds"], stored["groups"])
