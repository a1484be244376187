"""The detector of the extra [encoder]: distances in the features of a network trained on photos.

No training: a fit looks at the normals once. On natural pictures, radiographs and surfaces this
ranks better than anything learnt from scratch in minutes; on digits it does not.

Source: patches against a memory are PatchCore, Roth et al. 2021, arXiv 2106.08265; a Gaussian at
every place is PaDiM, Defard et al. 2020, arXiv 2011.08785; pooled features with Mahalanobis
distance are Rippel et al. 2020, arXiv 2005.14140.
"""

import cv2
import numpy as np

from gantools.errors import UserError

from ..fingerprint import ALIGNED
from ..scans.foreground import at_places, is_scan
from . import efficientnet, stored
from .given import given
from .held import held_out
from .looks import BATCH, Looks, side_for
from .memory import Cells, Gaussian, Nearby, Neighbours, chosen, principal, top_mean

SCHEMA = 3
MEMORY = 6000  # patches
DIRECTIONS, LAID = 64, 15_000  # kept of the vectors "wide", and places from which they are found
PLACES = 20_000  # from which the Gaussian of all places is learnt
CHANNELS = (1, 3)
HELD, MOST_HELD = 0.1, 200  # normals that only set the level of the maps
# Chosen by `benchmarks.quality.ranking`, one vote a data set: a mean AUROC of .870 on pictures that
# are not aligned (two layers in place of five, without patches of the deep ones: .851), of .967 on
# aligned ones (with five layers and deep patches also .967, for more work).
ANYWHERE = ("enc_whole_maha", "enc_wide_top", "enc_deep_top", "enc_deep_maha")
PLACED = ("enc_gap_maha", "enc_patch_mean", "enc_late_knn", "enc_cell_mean")
# In scans, an object on black, what is seen as a whole is the level of the slice and the size of
# the head: only the oddest places within the object say something.
WITHIN = ("enc_near_few", "enc_wide_few")
TOP, FEW = 1 / 4, 1 / 50  # of the places
MEMORIES = {  # name: (vectors, see `looks.Looks`, kind, options)
    "enc_gap_maha": ("gap", Gaussian, {}),
    "enc_whole_maha": ("whole", Gaussian, {}),
    "enc_late_knn": ("late", Neighbours, {"k": 3, "cosine": True}),
    "enc_last_knn": ("last", Neighbours, {"k": 3, "cosine": True}),
    "patches": ("cells", Neighbours, {"k": 1, "cosine": True}),
    "placed": ("cells", Cells, {}),
    "wide": ("wide", Neighbours, {"k": 1, "cosine": True}),
    "deep": ("deep", Neighbours, {"k": 1, "cosine": True}),
    "deep_all": ("deep", Gaussian, {}),
}
WITHIN_OBJECT = ("patches", "wide")  # distances that scans have within the object only
WHOLE = tuple(name for name in MEMORIES if name.startswith("enc_"))
PARTS = {  # name: (distances of places, share of the oddest that is averaged)
    "enc_patch_mean": ("patches", 1),
    "enc_patch_top": ("patches", 1 / 16),
    "enc_cell_mean": ("placed", 1),
    "enc_cell_top": ("placed", 1 / 16),
    "enc_wide_top": ("wide", TOP),
    "enc_wide_few": ("wide", FEW),
    "enc_deep_top": ("deep", TOP),
    "enc_deep_maha": ("deep_all", 1),
    "enc_near_few": ("nearby", FEW),
}


class Encoder:
    """Distances to normals in EfficientNet-Lite0's features.

    Args:
        side: Pixels at which pictures are shown to the network, a multiple of 32; None chooses by
            the pictures' size, see `side_for`.
        threads: Processor threads; None leaves it to the engine.
        traits: What `traits_of` says of the normals of several encoders that judge together: each
            alone could come to another ranking. None finds them in `fit`.

    Attributes:
        ranking: Names of the parts that should rank.
        facts: After `fit`: the side, and the traits.

    Raises:
        UserError: the extra is not installed.
    """

    def __init__(self, side=None, threads=None, traits=None):
        self.side, self.threads, self.traits = side, threads, traits
        self.facts, self.shape, self.level = {}, None, 1.0
        self.ranking, self.layers = ANYWHERE, ()
        self._memories, self._network, self._basis = {}, None, None

    def fit(self, pictures, *, groups=None, minutes=None, seed=0, out=None, progress=None):
        """Look at the normals once.

        Args:
            pictures: float32 `(n, h, w, c)` in [-1, 1], c 1 or 3, at least 10.
            groups: `(n,)` what is held out together or not at all; None: each picture alone.
            minutes, out: Not used: it takes 5 to 20 ms a picture and cannot be cut short.
            seed: Of the choice of patches and of the normals held back.
            progress: Callable `(share in [0, 1])`, or None.

        Raises:
            UserError: too few pictures, or of another form.
        """
        pictures = given(pictures, channels=CHANNELS)
        if len(pictures) < 10:
            raise UserError(f"Expected at least 10 normals. Received: {len(pictures)}.")
        self.shape = tuple(pictures.shape[1:])
        self.side = self.side or side_for(max(self.shape[:2]))
        self._open()
        held, kept = held_out(len(pictures), groups, share=HELD, least=2, most=MOST_HELD, seed=seed)
        traits = self.traits or self.traits_of(pictures)
        self.facts = {"side": self.side, **traits}
        self.ranking = WITHIN if traits["scan"] else PLACED if traits["aligned"] else ANYWHERE
        self._basis = self._directions(pictures, kept)
        seen = self._described(pictures, kept, progress)
        for name, (source, kind, options) in MEMORIES.items():
            rows = seen[source]
            if kind is not Cells:
                rows = rows.reshape(-1, rows.shape[-1])
            if kind is Neighbours:
                options = {**options, "seed": seed, "most": MEMORY}
            if kind is Gaussian:
                rows = chosen(rows, PLACES, seed)
            self._memories[name] = kind.fit(rows, **options)
        if traits["scan"]:
            self._memories["nearby"] = Nearby.fit(seen["gap"], seen["wide"], seed=seed)
        fresh = pictures[held]
        apart = [self._apart(fresh[w], s) for w, s in self._looks(fresh, np.arange(len(fresh)))]
        self.layers = self._layers(apart)
        heat = [heat for one in apart for heat in self._heat(one)]
        self.level = max(float(np.quantile(heat, 0.999)), 1e-6)
        return self

    @staticmethod
    def traits_of(pictures) -> dict:
        """Return what decides the ranking: whether normals `(n, h, w, c)` are aligned, and scans.

        "alike" is the share of their variance that the mean picture explains.
        """
        alike = _alike(pictures)
        return {
            "alike": round(alike, 3),
            "aligned": alike >= ALIGNED,
            "scan": is_scan(pictures),
        }

    def parts(self, pictures):
        """Return name -> raw scores `(n,)` float64, higher is odder; NaN for NaN pictures."""
        return self.parts_and_maps(pictures, maps=False)[0]

    def maps(self, pictures):
        """Return heat-maps `(n, h, w)` float32: 1 is the 99.9 % level of held-out normals."""
        return self.parts_and_maps(pictures)[1]

    def parts_and_maps(self, pictures, maps=True):
        """Return both, or None for the maps; every picture passes the network once."""
        pictures, found, heat = given(pictures, self.shape), [], []
        for where, seen in self._looks(pictures, np.arange(len(pictures))):
            apart = self._apart(pictures[where], seen)
            found.append(self._parts(seen, apart))
            heat += self._heat(apart) if maps else []
        lost = ~np.isfinite(pictures).all(axis=(1, 2, 3))
        parts = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
        parts = {name: np.where(lost, np.nan, values) for name, values in parts.items()}
        return parts, np.stack(heat) if maps else None

    def rescale(self, level):
        """Make what was `level` on the maps 1."""
        self.level *= level

    def restored(self, pictures):
        """Return None: this detector cannot draw what a normal picture would look like."""

    def save(self, folder):
        """Write the detector into a folder; the encoder's weights stay in their package."""
        arrays = {
            f"{name}/{key}": array
            for name, memory in self._memories.items()
            for key, array in memory.arrays().items()
        }
        arrays["basis"] = self._basis
        settings = {"detector": "encoder", "side": self.side, "level": self.level}
        settings |= {"shape": list(self.shape), "facts": self.facts, "layers": self.layers}
        settings |= {"ranking": list(self.ranking), "weights": efficientnet.SHA256}
        stored.write(folder, "encoder", SCHEMA, settings, arrays)

    @classmethod
    def load(cls, folder, threads=None):
        """Return a saved detector.

        Raises:
            UserError: the folder holds none or one of another version, or the extra is missing.
        """
        settings, arrays = stored.read(folder, "encoder", SCHEMA)
        if settings.get("weights") != efficientnet.SHA256:
            raise stored.another_version(folder)
        found = cls(settings["side"], threads)
        found.shape, found.level = tuple(settings["shape"]), settings["level"]
        found.facts, found.ranking = settings["facts"], tuple(settings["ranking"])
        found.layers = tuple(tuple(layer) for layer in settings["layers"])
        found._basis = arrays["basis"]
        for name, (_, kind, options) in MEMORIES.items():
            found._memories[name] = kind(**stored.under(arrays, f"{name}/"), **options)
        if found.facts["scan"]:
            found._memories["nearby"] = Nearby(**stored.under(arrays, "nearby/"))
        found._open()
        return found

    def _open(self):
        self._network = Looks(self.side, self.shape[-1], self.threads)

    def _looks(self, pictures, rows):
        """Yield `(rows, vectors)` as `Looks.of`; of "wide" only the directions that matter."""
        for where, seen in self._network.of(pictures, rows):
            yield where, seen | {"wide": np.matmul(seen["wide"], self._basis)}

    def _directions(self, pictures, rows):
        """Return the directions `(448, DIRECTIONS)` along which the places of normals differ."""
        places = (self.side // 16) ** 2
        few = rows[:: max(1, len(rows) * places // LAID)]
        laid = [seen["wide"] for _, seen in self._network.of(pictures, few)]
        return principal(np.concatenate(laid).reshape(-1, laid[0].shape[-1]), DIRECTIONS)

    def _described(self, pictures, rows, progress):
        found, done = [], 0
        for where, seen in self._looks(pictures, rows):
            found.append(seen)
            done += len(where)
            if progress:
                progress(done / len(rows))
        return {name: np.concatenate([seen[name] for seen in found]) for name in found[0]}

    def _apart(self, pictures, seen):
        """Return the distances of all places, name -> `(n, places, places)`.

        Of scans, those to patches anywhere are the picture's least outside the object; "nearby" are
        those to the normals that are most alike, 0 outside.
        """
        found = {
            name: self._memories[name].score(seen[source].reshape(-1, seen[source].shape[-1]))
            for name, (source, kind, _) in MEMORIES.items()
            if name not in WHOLE and kind is not Cells
        }
        found = {name: d.reshape(seen[MEMORIES[name][0]].shape[:3]) for name, d in found.items()}
        found["placed"] = self._memories["placed"].score(seen["cells"])
        if self.facts["scan"]:
            inside = at_places(pictures, (self.side // 16,) * 2)
            for name in WITHIN_OBJECT:
                least = found[name].min(axis=(1, 2), keepdims=True)
                found[name] = np.where(inside, found[name], least)
            nearby = self._memories["nearby"].score(seen["gap"], seen["wide"])
            found["nearby"] = np.where(inside, nearby, 0)
        return found

    def _parts(self, seen, apart):
        found = {name: self._memories[name].score(seen[MEMORIES[name][0]]) for name in WHOLE}
        return found | {
            name: top_mean(apart[places], share)
            for name, (places, share) in PARTS.items()
            if places in apart
        }

    def _layers(self, apart):
        """Return `(distances, offset, span)` of what the heat-maps are the mean of.

        Where there are two, each is brought to 0 at the median and 1 at the 99.9 % level of the
        distances of normals that were not learnt from.
        """
        if self.facts["scan"] or self.facts["aligned"]:
            return (("nearby" if self.facts["scan"] else "placed", 0.0, 1.0),)
        found = []
        for name in ("wide", "deep"):
            middle, high = np.quantile(np.concatenate([a[name] for a in apart]), (0.5, 0.999))
            found.append((name, float(middle), max(float(high - middle), 1e-6)))
        return tuple(found)

    def _heat(self, apart):
        """Return heat-maps, a list of `(h, w)` float32, at least 0."""
        size, layers = self.shape[1::-1], []
        for name, offset, span in self.layers:
            maps = apart[name].astype(np.float32)
            large = [cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) for one in maps]
            layers.append((np.stack(large) - offset) / span)
        heat = np.maximum(np.mean(layers, axis=0), 0) / self.level
        return list(heat.astype(np.float32))


def _alike(pictures):
    """Return the share of the variance that the mean picture explains.

    A few pictures at a time: those of a fit can be hundreds of megabytes.
    """
    mean, parts = pictures.mean(axis=0, dtype=np.float64), range(0, len(pictures), BATCH)
    left, whole = (
        sum(np.square(pictures[i : i + BATCH] - centre).sum() for i in parts)
        for centre in (mean, mean.mean())
    )
    return float(1 - left / max(whole, 1e-12 * pictures.size))
