"""The table detector as a scikit-learn estimator. There, higher means more normal.

score_samples      minus our score
decision_function  score_samples - offset_, at least 0 for inliers
predict            1 inlier, -1 outlier, at the wanted false-positive rate
"""

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin  # noqa: TID253 - only who asks comes here
from sklearn.utils.validation import check_is_fitted, validate_data  # noqa: TID253

from .api import looked_table
from .settings import Settings
from .tables import job as table_job

LEAST = 6  # rows; with fewer nothing can be held out


class AnomalyDetector(OutlierMixin, BaseEstimator):
    """Simple distances to normal rows, or a GAN of the literature, calibrated on held-out rows.

    Args:
        fpr: Share of normals that may be called outliers, in (0, 1).
        confidence: Chance that the realised share stays below `fpr`, or None.
        without: Parts that do not rank.
        seed: Of the division of the rows, and of a training.
        detector: "auto", or a name of `tables.model.GAMES`.
        minutes: Time for training one of those.
        faithful: Whether it is the published one.

    Attributes:
        model_: `tables.model.FittedTable`.
        offset_: `score_samples` of the most anomalous row that still counts as an inlier.
        n_features_in_: Columns.
    """

    def __init__(
        self, fpr=0.05, confidence=None, without=(), seed=0, detector="auto", minutes=2.0,
        faithful=False,
    ):  # fmt: skip
        self.fpr, self.confidence, self.without, self.seed = fpr, confidence, without, seed
        self.detector, self.minutes, self.faithful = detector, minutes, faithful

    def fit(self, X, y=None):
        """Learn from rows that are mostly normal.

        Args:
            X: `(n, columns)` numbers.
            y: Not used.
        """
        x = validate_data(self, X, dtype=np.float64, ensure_min_samples=LEAST)
        settings = Settings(
            self.detector, self.minutes, self.seed, fpr=self.fpr, confidence=self.confidence,
            without=tuple(self.without), faithful=self.faithful,
        )  # fmt: skip
        self.model_ = table_job.fit(looked_table(x, None, fewest=LEAST), settings)
        self.model_.held = None
        normal = np.sort(self.model_.judge.normal_scores)
        rule = self.model_.judge.rule(self.fpr, self.confidence)
        # rank k flags what is odder than all but k - 1 of the normals: a tie with the k-th is none
        self.offset_ = -float(normal[-max(rule.rank, 1)])
        return self

    def score_samples(self, X):
        """Return `(n,)`: minus the anomaly score."""
        check_is_fitted(self)
        x = validate_data(self, X, dtype=np.float64, reset=False)
        columns = {f"x{i}": values for i, values in enumerate(x.T)}
        rows = [
            scale.combine(member.parts(member.transform.transform(columns), scale.names))
            for member, scale in zip(self.model_.members, self.model_.judge.scales, strict=True)
        ]
        return -np.mean(rows, axis=0)

    def decision_function(self, X):
        """Return `(n,)`: negative for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Return `(n,)` of 1 for inliers and -1 for outliers."""
        return np.where(self.decision_function(X) < 0, -1, 1)
