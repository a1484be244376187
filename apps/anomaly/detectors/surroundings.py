"""How odd the patterns at each place of a scan are, beside those of the normals most like it.

Nothing is trained for it. What is normal at a place of a head depends on the level of the slice, so
the normals that are most alike as a whole are looked up first, and a place is compared with theirs
there and one step around. The brightness of a place has no part in it.
"""

import cv2
import numpy as np

from ..scans.foreground import at_places
from .memory import MOST_WHOLE, Nearby, chosen
from .texture import Texture

SIDE = 16  # of the small pictures by which normals are alike, pixels
LEARNT = 120  # pictures whose squares give the patterns
MOST_BYTES = 54_000_000  # of all places that are kept: 800 normals of 128 pixels


class Surroundings:
    """Distances in the logarithms of pattern energies to the same place of similar normals.

    Args:
        texture: `Texture` whose patterns describe places; its Gaussians are not needed.
        middle: float32 `(SIDE * SIDE,)`, the mean of the normals' small pictures.
        nearby: `Nearby` of the small pictures less the mean, and of the places.

    Source: see `memory.Nearby` and `texture`.
    """

    def __init__(self, texture, middle, nearby):
        self.texture, self.middle, self.nearby = texture, middle, nearby

    @classmethod
    def fit(cls, pictures, seed=0):
        """Return what normals `(n, h, w, c)` in [-1, 1] have, of as many as there is room for."""
        random = np.random.default_rng(seed)
        texture = Texture.of_patterns(chosen(pictures, LEARNT, seed), random)
        each = _energies(texture, pictures[:1]).nbytes
        pictures = chosen(pictures, max(1, min(MOST_WHOLE, MOST_BYTES // each)), seed)
        places = np.concatenate([_energies(texture, one[None]) for one in pictures])
        small = _small(pictures)
        middle = small.mean(axis=0)
        return cls(texture, middle, Nearby.fit(small - middle, places))

    def score(self, pictures):
        """Return distances `(n, h / 4, w / 4)` float64, 0 outside the object.

        A picture without a dark background is judged everywhere.

        Args:
            pictures: float32 `(n, h, w, c)` in [-1, 1]; one of NaN gets NaN.
        """
        energies = self.texture.describe(pictures)[..., :-1]
        apart = self.nearby.score(_small(pictures) - self.middle, energies)
        return np.where(at_places(pictures, apart.shape[1:]), apart, 0)

    def arrays(self):
        """Return name -> array, to be kept."""
        kept = {"filters": self.texture.filters, "floor": self.texture.floor, "middle": self.middle}
        return kept | {f"nearby/{name}": array for name, array in self.nearby.arrays().items()}

    @classmethod
    def from_arrays(cls, arrays):
        """Return what `arrays` kept."""
        nearby = Nearby(arrays["nearby/wholes"], arrays["nearby/cells"])
        return cls(Texture(arrays["filters"], arrays["floor"]), arrays["middle"], nearby)


def small(grey):
    """Return a picture `(h, w)` at the size by which normals are alike."""
    return cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA)


def _small(pictures):
    """Return small grey pictures as rows, float32 `(n, SIDE * SIDE)`."""
    return np.stack([small(picture.mean(axis=-1)).ravel() for picture in pictures])


def _energies(texture, pictures):
    """Return the descriptions of places that are kept, without the brightness, in 16 bits."""
    return texture.describe(pictures)[..., :-1].astype(np.float16)
