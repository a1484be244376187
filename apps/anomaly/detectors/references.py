"""Classic detectors that every job runs beside the network: what a GAN has to beat.

All share one interface: `fit(x)` with normals `(n, ...)`, `score(x)` -> `(n,)` float64, higher is
more anomalous, `arrays()` and `from_arrays`. The score of an item depends on that item alone, not
on the batch it comes in.
"""

from functools import partial

import numpy as np

from gantools.data.files import atomic
from gantools.errors import UserError

from .untrained import Untrained

ROWS = 256  # items scored at once
WIDE = 1500  # values an item above which the axes come from at most so many items
SCHEMA = 1


def flat(x):
    """Return `(n, d)` float32 of `(n, ...)` arrays.

    Raises:
        UserError: nothing to fit or score, or a value that is no number.
    """
    x = np.asarray(x, np.float32).reshape(len(x), -1)
    if not x.size or not np.isfinite(x).all():
        bad = int(np.sum(~np.isfinite(x).all(axis=1)))
        raise UserError(f"Detectors need finite values: {bad} of {len(x)} items have others.")
    return x


class Knn:
    """Mean Euclidean distance to the nearest normals.

    Args:
        neighbours: How many.
        limit: Most normals kept, drawn at random; None keeps all.
        seed: Of that draw.

    Attributes:
        shapes: Of pictures, `(n, 2)` rows and columns of each normal in its square, else None.

    Source: Ramaswamy et al. 2000, doi 10.1145/342009.335437, with the mean of the k distances.
    """

    def __init__(self, neighbours=5, limit=None, seed=0):
        self.neighbours, self.limit, self.seed = neighbours, limit, seed
        self.shapes = None

    def fit(self, x):
        """Keep the normals `(n, ...)`."""
        x = flat(x)
        if self.limit and len(x) > self.limit:
            chosen = np.random.default_rng(self.seed).choice(len(x), self.limit, replace=False)
            x = x[np.sort(chosen)]
        return self._set(x)

    def score(self, x):
        """Return `(n,)`: 0 for a copy of normals."""
        return self.nearest(x)[1].mean(axis=1)

    def nearest(self, x):
        """Return `(indices, distances)`, each `(n, k)`, nearest first.

        With `limit`, indices count the kept normals.
        """
        k = min(self.neighbours, len(self.normals))
        more = min(2 * k + 5, len(self.normals))  # fast distances only propose; these are measured
        found = [self._nearest(part - self.mean, k, more) for part in _parts(x)]
        return tuple(np.concatenate(column) for column in zip(*found, strict=True))

    def arrays(self):
        """Return the arrays that `from_arrays` needs."""
        stored = {"normals": self.normals, "mean": self.mean, "squares": self.squares}
        stored |= {} if self.shapes is None else {"shapes": self.shapes}
        return {"neighbours": np.array(self.neighbours), **stored}

    @classmethod
    def from_arrays(cls, arrays):
        """Return the fitted detector."""
        knn = cls(int(arrays["neighbours"]))
        knn.normals, knn.mean, knn.squares = (arrays[k] for k in ("normals", "mean", "squares"))
        knn.shapes = arrays.get("shapes")
        return knn

    def _set(self, normals):
        self.mean = normals.mean(axis=0, dtype=np.float64).astype(np.float32)
        self.normals = normals - self.mean  # near 0, products lose fewer digits
        self.squares = np.sum(self.normals.astype(np.float64) ** 2, axis=1).astype(np.float32)
        return self

    def _nearest(self, x, k, more):
        rough = self.squares - 2 * (x @ self.normals.T)
        near = np.argpartition(rough, more - 1, axis=1)[:, :more]
        gaps = self.normals[near].astype(np.float64) - x[:, None]
        distance = np.sqrt(np.sum(gaps**2, axis=2))
        order = np.lexsort((near, distance), axis=1)[:, :k]
        return np.take_along_axis(near, order, 1), np.take_along_axis(distance, order, 1)


class Pca:
    """Mean squared distance to the plane that holds most of the normals' variance.

    Args:
        keep: Share of the variance in the plane, in (0, 1), or its number of axes from 1 up.
    """

    def __init__(self, keep=0.8):
        self.keep = keep

    def fit(self, x):
        """Find the plane of the normals `(n, ...)`."""
        x = flat(x)
        self.mean, axes, variances = principal(x)
        count = self.keep
        if self.keep < 1:
            share = np.cumsum(variances) / max(variances.sum(), 1e-300)
            count = 1 + int(np.searchsorted(share, self.keep))
        self.axes = axes[: min(int(count), max(1, len(axes) - 1))]
        return self

    def score(self, x):
        """Return `(n,)` mean squared residuals."""
        squares = [self.residual(part).astype(np.float64) ** 2 for part in _parts(x)]
        return np.concatenate([np.mean(part, axis=1) for part in squares])

    def residual(self, x):
        """Return `(n, d)` float32: what the plane does not explain, for explanations."""
        centred = flat(x) - self.mean
        return (centred - _product(_product(centred, self.axes.T), self.axes)).astype(np.float32)

    def arrays(self):
        """Return the arrays that `from_arrays` needs."""
        return {"keep": np.array(self.keep), "mean": self.mean, "axes": self.axes}

    @classmethod
    def from_arrays(cls, arrays):
        """Return the fitted detector."""
        pca = cls(float(arrays["keep"]))
        pca.mean, pca.axes = arrays["mean"], arrays["axes"]
        return pca


class Mahalanobis:
    """Squared distance in units of the normals' covariance, shrunk, on their first axes.

    Args:
        components: Axes kept; None keeps all, for tables.

    Source: shrinkage: Ledoit and Wolf 2004, doi 10.1016/S0047-259X(03)00096-4.
    """

    def __init__(self, components=50):
        self.components = components

    def fit(self, x):
        """Find the axes and the covariance of the normals `(n, ...)`."""
        from sklearn.covariance import ledoit_wolf

        x = flat(x)
        self.mean, axes, _ = principal(x)
        axes = axes[: self.components] if self.components else np.eye(x.shape[1])
        # measured in float32 as scored, shrunk in float64
        covariance, _ = ledoit_wolf(((x - self.mean) @ axes.T).astype(np.float64))
        values, vectors = np.linalg.eigh(covariance)
        # a direction without any variance is all surprise, but no number may be infinite
        scale = 1 / np.sqrt(np.maximum(values, 1e-6 * max(values.max(), 1e-12)))
        self.whiten = (axes.T @ (vectors * scale)).astype(np.float32)
        return self

    def score(self, x):
        """Return `(n,)` squared distances."""
        white = [_product(part - self.mean, self.whiten) for part in _parts(x)]
        white = [part.astype(np.float32).astype(np.float64) for part in white]
        return np.concatenate([np.sum(part**2, axis=1) for part in white])

    def arrays(self):
        """Return the arrays that `from_arrays` needs."""
        return {"mean": self.mean, "whiten": self.whiten}

    @classmethod
    def from_arrays(cls, arrays):
        """Return the fitted detector."""
        found = cls()
        found.mean, found.whiten = arrays["mean"], arrays["whiten"]
        return found


class Forest:
    """Isolation Forest: how few random cuts set an item apart.

    Args:
        trees: How many.
        seed: Of the cuts.

    Source: Liu, Ting, Zhou 2008, doi 10.1109/ICDM.2008.17; grown by scikit-learn, scored here.
    """

    KEYS = ("left", "right", "column", "cut", "depth")

    def __init__(self, trees=100, seed=0):
        self.trees, self.seed = trees, seed

    def fit(self, x):
        """Grow the trees on the normals `(n, ...)`."""
        from sklearn.ensemble import IsolationForest

        x = flat(x)
        forest = IsolationForest(n_estimators=self.trees, random_state=self.seed).fit(x)
        trees = [e.tree_ for e in forest.estimators_]
        size = max(tree.node_count for tree in trees)
        self.state = {key: np.zeros((len(trees), size), np.int32) for key in self.KEYS}
        self.state["cut"], self.state["depth"] = np.zeros((2, len(trees), size))
        for i, (tree, columns) in enumerate(zip(trees, forest.estimators_features_, strict=True)):
            self._store(i, tree, columns)
        self.state["typical"] = _path_length(np.array([forest._max_samples], float))
        return self

    def _store(self, i, tree, columns):
        """Keep one tree; a leaf is its own child, so that walking stops by itself."""
        n, leaf, here = tree.node_count, tree.children_left < 0, np.arange(tree.node_count)
        depth = np.zeros(n)
        for node in np.flatnonzero(~leaf):  # parents come before children
            depth[[tree.children_left[node], tree.children_right[node]]] = depth[node] + 1
        self.state["left"][i, :n] = np.where(leaf, here, tree.children_left)
        self.state["right"][i, :n] = np.where(leaf, here, tree.children_right)
        self.state["column"][i, :n] = np.where(leaf, 0, columns[np.maximum(tree.feature, 0)])
        self.state["cut"][i, :n] = tree.threshold
        self.state["depth"][i, :n] = depth + _path_length(tree.n_node_samples.astype(float))

    def score(self, x):
        """Return `(n,)` in (0, 1): 1/2 for an average item."""
        return np.concatenate([self._score(part) for part in _parts(x, 16 * ROWS)])

    def _score(self, x):
        s = self.state
        rows, paths = np.arange(len(x)), np.zeros(len(x))
        for i in range(len(s["left"])):
            node = np.zeros(len(x), np.int64)
            while True:
                low = x[rows, s["column"][i][node]] <= s["cut"][i][node]
                step = np.where(low, s["left"][i][node], s["right"][i][node])
                if (step == node).all():
                    break
                node = step
            paths += s["depth"][i][node]
        return 2.0 ** -(paths / len(s["left"]) / s["typical"][0])

    def arrays(self):
        """Return the arrays that `from_arrays` needs."""
        return dict(self.state)

    @classmethod
    def from_arrays(cls, arrays):
        """Return the fitted detector."""
        forest = cls(len(arrays["left"]))
        forest.state = {key: arrays[key] for key in (*cls.KEYS, "typical")}
        return forest


class OneNumber:
    """Distance of one number of the item from the normals' median: no detector should need more.

    Args:
        which: "mean" or "sd" of the item's values.
    """

    def __init__(self, which="mean"):
        self.which = which

    def fit(self, x):
        """Find the median of the normals `(n, ...)`."""
        self.median = np.median(self._number(x))
        return self

    def score(self, x):
        """Return `(n,)` absolute distances."""
        return np.abs(self._number(x) - self.median)

    def arrays(self):
        """Return the arrays that `from_arrays` needs."""
        return {"which": np.array(self.which), "median": np.array(self.median)}

    @classmethod
    def from_arrays(cls, arrays):
        """Return the fitted detector."""
        number = cls(str(arrays["which"]))
        number.median = float(arrays["median"])
        return number

    def _number(self, x):
        x = flat(x).astype(np.float64)
        return x.mean(axis=1) if self.which == "mean" else x.std(axis=1)


REFERENCES = {
    "knn5": Knn,
    "pca80": partial(Pca, 0.8),
    "pca95": partial(Pca, 0.95),
    "mahalanobis": Mahalanobis,
    "forest": Forest,
    "mean": partial(OneNumber, "mean"),
    "sd": partial(OneNumber, "sd"),
    "untrained": Untrained,
}
# Tables are narrow: all axes count, surprises among them. One number of a row means nothing, and a
# row has no places that convolutions could look at.
TABLE_REFERENCES = {
    "knn5": Knn,
    "pca80": partial(Pca, 0.8),
    "mahalanobis": partial(Mahalanobis, None),
    "forest": Forest,
}
KINDS = {kind.__name__: kind for kind in (Knn, Pca, Mahalanobis, Forest, OneNumber, Untrained)}


def save(path, detector):
    """Write a fitted detector as one `.npz`, whole or not at all, without pickle."""
    arrays = {**detector.arrays(), "kind": np.array(type(detector).__name__)}
    with atomic(path) as part, part.open("wb") as file:
        np.savez(file, schema=np.array(SCHEMA), **arrays)


def load(path):
    """Return the detector that `save` wrote; it scores bit for bit the same.

    Raises:
        UserError: no such file, or not one of ours.
    """
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
        return KINDS[str(arrays["kind"])].from_arrays(arrays)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"'{path}' is no detector of gantools. Fit the model again.") from error


def principal(x):
    """Return `(mean (d,), axes (k, d), variances (k,))` of `(n, d)` rows, widest axis first.

    By the smaller of the two products; where both are large, of evenly spaced rows.
    """
    if min(x.shape) > WIDE:
        x = x[np.linspace(0, len(x) - 1, WIDE).astype(int)]
    mean = x.mean(axis=0, dtype=np.float64)
    centred = x - mean
    tall = len(x) >= x.shape[1]
    values, vectors = np.linalg.eigh(centred.T @ centred if tall else centred @ centred.T)
    values, vectors = values[::-1], vectors[:, ::-1]
    real = values > 1e-10 * max(values[0], 1e-300)
    real[0] = True
    values = np.maximum(values[real], 0)
    axes = vectors[:, real].T
    if not tall:
        axes = (axes @ centred) / np.maximum(np.sqrt(values), 1e-150)[:, None]
    return mean.astype(np.float32), axes.astype(np.float32), values / max(1, len(x) - 1)


def _path_length(n):
    """Return the mean depth of a failed search among n items.

    Source: Liu, Ting, Zhou 2008, eq. 1.
    """
    safe = np.maximum(n, 3)
    long = 2 * (np.log(safe - 1) + np.euler_gamma) - 2 * (safe - 1) / safe
    return np.where(n <= 1, 0, np.where(n <= 2, 1, long))


def _product(x, matrix):
    """Return the float64 product of rows and a matrix, to be rounded to float32.

    BLAS adds up in another order for other numbers of rows, and for a row at another place: in
    float32 a twentieth to a sixth of the numbers changed in their last bit. Rounded from float64
    they do not, so that a score is its item's alone, and equal rows tie.
    """
    return x.astype(np.float64) @ matrix


def _parts(x, rows=ROWS):
    x = flat(x)
    return [x[i : i + rows] for i in range(0, len(x), rows)]
