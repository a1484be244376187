"""The detectors with PyOD's interface, PyOD itself not needed. There, higher means more anomalous.

decision_scores_   scores of the rows that were fitted on
threshold_         the score from which on a row is an outlier: set by held-out normals
labels_            1 for outliers among the fitted rows
predict            0 inlier, 1 outlier
"""

from dataclasses import replace

import numpy as np

from gantools.errors import UserError


class PyodDetector:
    """A detector as PyOD's examples use one.

    Args:
        settings: `settings.Settings`; `fpr` takes the place of PyOD's contamination, and says what
            share of *normals* may be called outliers.

    Attributes:
        detector: The fitted `api.Detector`.
        decision_scores_, threshold_, labels_: See above.
    """

    def __init__(self, settings):
        self.settings = settings
        self.detector = self.decision_scores_ = self.threshold_ = self.labels_ = None

    @property
    def contamination(self):
        """The wanted share of normals that are called outliers."""
        return self.settings.fpr

    def get_params(self, deep=True):
        """Return the settings by name."""
        return {"settings": self.settings}

    def set_params(self, **changes):
        """Change settings, for example `seed=1`."""
        whole = changes.pop("settings", self.settings)
        self.settings = replace(whole, **changes)
        return self

    def fit(self, X, y=None):
        """Learn from samples that are mostly normal; `y` is not used.

        The fitted rows' own scores are a little low: the detector knows them. `threshold_` is not
        taken from them but from normals that were held out.
        """
        from .api import Detector

        found = Detector()
        found.settings = self.settings
        self.detector = found.fit(X)
        judge = found.model.judge
        rule = judge.rule(self.settings.fpr, self.settings.confidence)
        normal = np.sort(judge.normal_scores)
        # rank k flags what is odder than all but k - 1 of the normals: a tie with the k-th is none
        self.threshold_ = float(np.nextafter(normal[-max(rule.rank, 1)], np.inf))
        self.decision_scores_ = found.score(X).scores
        self.labels_ = self._labels(self.decision_scores_)
        return self

    def decision_function(self, X):
        """Return `(n,)` anomaly scores."""
        return self._fitted().score(X).scores

    def predict(self, X):
        """Return `(n,)` of 0 for inliers and 1 for outliers."""
        return self._labels(self.decision_function(X))

    def predict_proba(self, X):
        """Return `(n, 2)`: p and 1 - p, the share of normals that are less odd."""
        p = self._fitted().score(X).p
        return np.stack([p, 1 - p], axis=1)

    def fit_predict(self, X, y=None):
        """Fit and return `labels_`."""
        return self.fit(X, y).labels_

    def _labels(self, scores):
        return (scores >= self.threshold_).astype(int)

    def _fitted(self):
        if self.detector is None:
            raise UserError("This detector is not fitted. Call fit first.")
        return self.detector
