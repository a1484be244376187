"""The detector without a network: the reference rows rank, a principal plane draws the maps.

It fits in a second, so it also serves where normals are too few to train a network on.
"""

import cv2
import numpy as np

from . import references, stored
from .held import held_out

SCHEMA = 2
SIDE = 32  # pixels at which maps are made
HELD = 0.1  # of the normals only set the level of the maps
RANKING = ("knn5", "pca80", "mahalanobis", "forest")  # reference rows, see `fitted.ROWS`


class Simple:
    """No parts of its own: `ranking` names reference rows.

    Attributes:
        ranking: Names of the parts that should rank.
        facts: Nothing; every detector has some.
    """

    def __init__(self):
        self.ranking, self.facts, self.shape = RANKING, {}, None
        self.plane, self.level = None, 1.0

    def fit(self, pictures, *, groups=None, minutes=None, seed=0, out=None, progress=None):
        """Find the plane that holds 95 % of the variance of normals.

        Args:
            pictures: float32 `(n, h, w, c)` in [-1, 1].
            groups: `(n,)` what is held out together or not at all; None: each picture alone.
            minutes, out: Not used: it takes a second.
            seed: Of the choice of normals that set the level of the maps.
            progress: Callable `(share in [0, 1])`, or None.
        """
        self.shape = tuple(pictures.shape[1:])
        many = len(pictures)
        held, kept = held_out(many, groups, share=HELD, least=1, most=many, seed=seed)
        self.plane = references.Pca(0.95).fit(_small(pictures[kept]))
        self.level = max(float(np.quantile(self.maps(pictures[held]), 0.999)), 1e-6)
        if progress:
            progress(1.0)
        return self

    def parts(self, pictures):
        """Return no parts: the reference rows are measured beside every detector."""
        return {}

    def maps(self, pictures):
        """Return heat-maps `(n, h, w)` float32: 1 is the 99.9 % level of held-out normals."""
        small = _small(pictures)
        apart = np.abs(self.plane.residual(small)).reshape(small.shape).mean(axis=-1)
        height, width = self.shape[:2]
        found = [
            cv2.resize(cv2.GaussianBlur(one, (0, 0), 1), (width, height)) / self.level
            for one in apart
        ]
        return np.stack(found).astype(np.float32)

    def rescale(self, level):
        """Make what was `level` on the maps 1."""
        self.level *= level

    def restored(self, pictures):
        """Return None: what a plane restores is too coarse to be shown."""

    def save(self, folder):
        """Write the detector into a folder."""
        settings = {"detector": "references", "shape": list(self.shape), "level": self.level}
        stored.write(folder, "simple", SCHEMA, settings, self.plane.arrays())

    @classmethod
    def load(cls, folder, threads=None):
        """Return a saved detector.

        Raises:
            UserError: the folder holds none, or one of another version.
        """
        settings, arrays = stored.read(folder, "simple", SCHEMA)
        found = cls()
        found.shape, found.level = tuple(settings["shape"]), settings["level"]
        found.plane = references.Pca.from_arrays(arrays)
        return found


def reduced(picture):
    """Return a picture `(h, w[, c])` as the plane sees it."""
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _small(pictures):
    shape = (len(pictures), SIDE, SIDE, pictures.shape[-1])
    return np.stack([reduced(p) for p in pictures]).reshape(shape)
