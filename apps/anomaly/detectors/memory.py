"""What normal looks like, kept as numbers: a Gaussian, or the nearest of many neighbours."""

import numpy as np

MOST = 4000  # vectors in a memory: patches of one picture take 1 ms against it
CHUNK = 2048  # rows compared at once
MOST_WHOLE = 800  # normals of which all places are kept
ALIKE = 20  # normals that are compared place by place


class Gaussian:
    """Mahalanobis distance under a shrunken covariance.

    Args:
        mean: `(d,)`.
        whiten: `(d, d)`: distances are norms of `(x - mean) @ whiten`.

    Source: Ledoit and Wolf 2004, doi 10.1016/S0047-259X(03)00096-4.
    """

    def __init__(self, mean, whiten):
        self.mean, self.whiten = np.asarray(mean), np.asarray(whiten)

    @classmethod
    def fit(cls, x):
        """Return the Gaussian of rows `(n, d)`; dimensions are standardised before shrinking."""
        from sklearn.covariance import ledoit_wolf

        x = np.asarray(x, np.float64)
        mean, spread = x.mean(axis=0), x.std(axis=0)
        spread = np.where(spread > 1e-9, spread, 1.0)
        covariance, _ = ledoit_wolf((x - mean) / spread, assume_centered=True)
        values, vectors = np.linalg.eigh(covariance)
        roots = 1 / np.sqrt(np.maximum(values, 1e-9 * max(values[-1], 1e-9)))
        return cls(mean, (vectors * roots) / spread[:, None])

    def score(self, x):
        """Return the distance of each row, `(n,)` float64."""
        return np.sqrt(np.sum(np.square((x - self.mean) @ self.whiten), axis=1))

    def arrays(self):
        """Return name -> array: what the constructor takes."""
        return {"mean": self.mean, "whiten": self.whiten}


class Neighbours:
    """Mean distance to the k nearest of some vectors.

    Args:
        vectors: `(m, d)`; of length 1 for `cosine`.
        k: Neighbours that count.
        cosine: Compare directions, distance 1 - cosine, instead of Euclidean distance.
    """

    def __init__(self, vectors, k=3, cosine=False):
        self.vectors = np.asarray(vectors, np.float32)
        self.k, self.cosine = min(k, len(vectors)), cosine
        squares = np.sum(np.square(self.vectors, dtype=np.float64), axis=1)
        self._squares, self._doubled = squares.astype(np.float32), -2 * self.vectors.T

    @classmethod
    def fit(cls, x, k=3, cosine=False, most=MOST, seed=0):
        """Return the memory of rows `(n, d)`, a random choice of them when there are too many."""
        x = chosen(np.asarray(x, np.float32), most, seed)
        return cls(unit(x) if cosine else x, k, cosine)

    def score(self, x):
        """Return the mean distance of each row to its k nearest, `(n,)` float64."""
        x = np.asarray(x, np.float32)
        x = unit(x) if self.cosine else x
        parts = [self._nearest(x[i : i + CHUNK]) for i in range(0, len(x), CHUNK)]
        return np.concatenate(parts) if parts else np.zeros(0)

    def _nearest(self, x):
        """Find by fast products in float32, then measure those few exactly.

        In place, for these are the largest arrays of a job; looking a few times for the least is
        faster than parting a row once.
        """
        apart = x @ self._doubled
        apart += self._squares
        near = np.empty((len(x), min(self.k + 2, len(self.vectors))), np.intp)
        for place in near.T:
            place[:] = apart.argmin(axis=1)
            apart[np.arange(len(x)), place] = np.inf
        apart = self.vectors[near].astype(np.float64) - x[:, None]
        squared = np.sort(np.sum(np.square(apart), axis=2), axis=1)[:, : self.k]
        return np.mean(squared / 2 if self.cosine else np.sqrt(squared), axis=1)

    def arrays(self):
        """Return the vectors by name."""
        return {"vectors": self.vectors}


class Cells:
    """A Gaussian at every place of aligned pictures: Mahalanobis distance, place by place.

    Args:
        basis: `(d, k)`, principal directions that all places share.
        mean: `(h, w, k)`.
        whiten: `(h, w, k, k)`.

    Source: Defard et al. 2020, arXiv 2011.08785, section 3.1; principal components in place of
    random channels, Ledoit-Wolf shrinkage in place of 0.01 I.
    """

    def __init__(self, basis, mean, whiten):
        self.basis, self.mean, self.whiten = (np.asarray(a) for a in (basis, mean, whiten))

    @classmethod
    def fit(cls, x, components=48):
        """Return the Gaussians of vectors `(n, h, w, d)`."""
        n, height, width, depth = x.shape
        flat = x.reshape(-1, depth).astype(np.float64)
        basis = principal(flat - flat.mean(axis=0), components)
        y = (x.reshape(-1, depth) @ basis).reshape(n, height * width, -1)
        places = [Gaussian.fit(y[:, i]) for i in range(height * width)]
        mean = np.stack([place.mean for place in places]).astype(np.float32)
        whiten = np.stack([place.whiten for place in places]).astype(np.float32)
        k = basis.shape[1]
        return cls(basis, mean.reshape(height, width, k), whiten.reshape(height, width, k, k))

    def score(self, x):
        """Return the distance at every place, `(n, h, w)` float64, of vectors `(n, h, w, d)`."""
        apart = x.astype(np.float64) @ self.basis - self.mean  # in float32 by the batch's order
        white = np.einsum("nhwi,hwij->nhwj", apart, self.whiten)
        return np.sqrt(np.sum(np.square(white), axis=-1))

    def arrays(self):
        """Return name -> array: what the constructor takes."""
        return {"basis": self.basis, "mean": self.mean, "whiten": self.whiten}


class Nearby:
    """Distance of every place to the same surroundings in the normals that are most alike.

    What is normal at a place may depend on the rest of the picture: on the level of a slice, the
    side of an organ. So the normals nearest as a whole are looked up first, and a place is compared
    with theirs there and one step around.

    Args:
        wholes: `(n, d)`, a description of each normal as a whole, of length 1.
        cells: `(n, h, w, k)`, of its places; float16 stays so, for half of the room.

    Source: Cohen and Hoshen 2020, "Sub-Image Anomaly Detection with Deep Pyramid Correspondences",
    arXiv 2005.02357; there the places of the neighbours are compared wherever they lie.
    """

    def __init__(self, wholes, cells):
        self.wholes, cells = np.asarray(wholes, np.float32), np.asarray(cells)
        self.cells = cells if cells.dtype == np.float16 else cells.astype(np.float32)

    @classmethod
    def fit(cls, wholes, cells, most=MOST_WHOLE, seed=0):
        """Return the memory of descriptions `(n, d)` and places `(n, h, w, k)` of normals."""
        rows = np.arange(len(wholes))
        if len(rows) > most:
            rows = np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))
        return cls(unit(wholes[rows]), cells[rows])

    def score(self, wholes, cells):
        """Return the distance at every place, `(m, h, w)` float64."""
        rows = unit(np.asarray(wholes, np.float32))
        alike = np.stack([self.wholes @ row for row in rows])  # together in another order of sums
        count = min(ALIKE, len(self.wholes))
        near = np.argpartition(-alike, count - 1, axis=1)[:, :count]
        found = [self._apart(one, self.cells[own]) for one, own in zip(cells, near, strict=True)]
        return np.stack(found).astype(np.float64)

    def _apart(self, cells, others):
        """Return the least distance of places `(h, w, k)` to those around in `(n, h, w, k)`."""
        height, width, _ = cells.shape
        cells, others = cells.astype(np.float32), others.astype(np.float32, copy=False)
        around = np.pad(others, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="edge")
        least = np.full((height, width), np.inf, np.float32)
        for y in range(3):
            for x in range(3):
                apart = around[:, y : y + height, x : x + width] - cells
                squared = np.einsum("nhwk,nhwk->nhw", apart, apart)  # twice as fast as sums
                least = np.minimum(least, squared.min(axis=0))
        return np.sqrt(least)

    def arrays(self):
        """Return name -> array: what the constructor takes."""
        return {"wholes": self.wholes, "cells": self.cells}


def chosen(rows, most, seed):
    """Return rows `(n, ...)`, a random choice of them, in their order, where there are too many."""
    if len(rows) <= most:
        return rows
    return rows[np.sort(np.random.default_rng(seed).choice(len(rows), most, replace=False))]


def principal(rows, count):
    """Return the `count` directions of most energy of rows `(n, d)`: `(d, count)` float32."""
    rows = np.asarray(rows, np.float64)
    return np.linalg.eigh(rows.T @ rows)[1][:, -count:].astype(np.float32)


def unit(x):
    """Return rows of length 1; rows of zeros stay."""
    length = np.sqrt(np.sum(np.square(x), axis=-1, keepdims=True))
    return x / np.maximum(length, 1e-12)


def top_mean(values, share):
    """Return the mean of the largest `share` of the numbers of each row.

    Args:
        values: `(n, ...)`.
        share: In (0, 1]; at least one number counts.

    Returns:
        `(n,)` float64.
    """
    flat = np.reshape(values, (len(values), -1)).astype(np.float64)
    count = max(1, int(round(share * flat.shape[1])))
    return np.mean(np.partition(flat, flat.shape[1] - count, axis=1)[:, -count:], axis=1)
