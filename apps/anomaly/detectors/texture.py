"""Energies of small patterns, place by place: what a surface is like, without any training.

The patterns are the principal components of the normals' own small squares, at full and at half
size. Their squared responses, averaged around a place, on a logarithmic scale, and the mean
brightness there, are a vector of which a Gaussian of the normals says how odd it is.

Source: texture energy is Laws 1980, "Textured image segmentation"; learnt patterns in place of his
masks. A Gaussian at every place is PaDiM, Defard et al. 2020, arXiv 2011.08785.
"""

import cv2
import numpy as np

from .memory import Cells, Gaussian

SIDE = 7  # of a pattern, pixels
PATTERNS = 16  # at each size
STRIDE = 4  # pixels between places
SIGMA = 3.0  # of the mean around a place, pixels
SQUARES = 40_000  # from which the patterns are learnt
MOST_PICTURES = 600  # from which patterns and Gaussians are learnt: more changed nothing
PER_COMPONENT = 8  # pictures for each dimension of a place's Gaussian
MOST_ROWS = 20_000  # places from which the Gaussian for all is learnt


class Texture:
    """How odd the patterns around every place are, for any place and for that place.

    Args:
        filters: `(2, PATTERNS, SIDE, SIDE)`, of full and of half size.
        floor: `(2 PATTERNS,)`: what is added to energies before the logarithm.
        anywhere: `Gaussian` of all places together.
        places: `Cells`, a Gaussian of each place.
    """

    def __init__(self, filters, floor, anywhere=None, places=None):
        self.filters, self.floor = filters, floor
        self.anywhere, self.places = anywhere, places

    @classmethod
    def fit(cls, pictures, seed=0):
        """Return what normals `(n, h, w, c)` in [-1, 1] have."""
        random = np.random.default_rng(seed)
        few = pictures[np.sort(random.permutation(len(pictures))[:MOST_PICTURES])]
        found = cls.of_patterns(few, random)
        vectors = found.describe(few)
        rows = vectors.reshape(-1, vectors.shape[-1])
        found.anywhere = Gaussian.fit(rows[random.permutation(len(rows))[:MOST_ROWS]])
        most = max(4, len(few) // PER_COMPONENT)
        found.places = Cells.fit(vectors, components=min(vectors.shape[-1], most))
        return found

    @classmethod
    def of_patterns(cls, few, random):
        """Return what describes pictures `(n, h, w, c)` by their own patterns, and scores none."""
        greys = [sizes(picture) for picture in few]
        filters = np.stack([_patterns([g[i] for g in greys], random) for i in (0, 1)])
        found = cls(filters, np.zeros(2 * PATTERNS))
        energies = [found._energies(picture) for picture in few]
        found.floor = 0.05 * np.mean(energies, axis=(0, 1, 2)) + 1e-8
        return found

    def score(self, pictures):
        """Return distances `(2, n, h / STRIDE, w / STRIDE)` float64: anywhere, and by place."""
        vectors = self.describe(pictures)
        anywhere = self.anywhere.score(vectors.reshape(-1, vectors.shape[-1]))
        return np.stack([anywhere.reshape(vectors.shape[:3]), self.places.score(vectors)])

    def describe(self, pictures):
        """Return the vectors of all places, `(n, h / STRIDE, w / STRIDE, 2 PATTERNS + 1)`."""
        return np.stack([self._vector(picture) for picture in pictures])

    def arrays(self):
        """Return name -> array, to be kept."""
        kept = {"filters": self.filters, "floor": self.floor}
        for name in ("anywhere", "places"):
            kept |= {f"{name}/{key}": a for key, a in getattr(self, name).arrays().items()}
        return kept

    @classmethod
    def from_arrays(cls, arrays):
        """Return what `arrays` kept."""
        own = [
            {n.partition("/")[2]: a for n, a in arrays.items() if n.startswith(f"{name}/")}
            for name in ("anywhere", "places")
        ]
        return cls(arrays["filters"], arrays["floor"], Gaussian(**own[0]), Cells(**own[1]))

    def _vector(self, picture):
        energies = np.log(self._energies(picture) + self.floor)
        mean = around(sizes(picture)[0], SIGMA)[: energies.shape[0], : energies.shape[1]]
        return np.concatenate([energies, mean[..., None]], axis=-1)

    def _energies(self, picture):
        """Return the mean squared response of every pattern around every place."""
        found, places = [], tuple(-(-side // STRIDE) for side in picture.shape[:2])
        for grey, filters, step in zip(sizes(picture), self.filters, (1, 2), strict=True):
            for pattern in filters:
                response = cv2.filter2D(grey, -1, pattern, borderType=cv2.BORDER_REFLECT)
                energy = around(response * response, SIGMA / step, STRIDE // step)
                found.append(energy[: places[0], : places[1]])
        return np.stack(found, axis=-1).astype(np.float64)


def around(values, sigma, stride=STRIDE):
    """Average around every place, the first one half a stride from the border."""
    smooth = cv2.GaussianBlur(values, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return smooth[stride // 2 :: stride, stride // 2 :: stride]


def sizes(picture):
    """Return the grey picture and its half, sides padded to multiples of the stride."""
    grey = np.ascontiguousarray(picture.mean(axis=-1), np.float32)
    spare = [-side % STRIDE for side in grey.shape]
    grey = np.pad(grey, [(0, n) for n in spare], mode="edge")
    return grey, cv2.resize(grey, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)


def _patterns(greys, random):
    """Return the strongest patterns `(PATTERNS, SIDE, SIDE)` of the pictures' squares."""
    each = max(1, SQUARES // len(greys))
    squares = []
    for grey in greys:
        views = np.lib.stride_tricks.sliding_window_view(grey, (SIDE, SIDE))
        tops = random.integers(0, views.shape[0], each)
        squares.append(views[tops, random.integers(0, views.shape[1], each)].reshape(each, -1))
    squares = np.concatenate(squares).astype(np.float64)
    squares -= squares.mean(axis=1, keepdims=True)  # brightness is a feature of its own
    _, vectors = np.linalg.eigh(squares.T @ squares)
    chosen = vectors[:, ::-1][:, :PATTERNS].T
    return np.ascontiguousarray(chosen.reshape(PATTERNS, SIDE, SIDE), np.float32)
