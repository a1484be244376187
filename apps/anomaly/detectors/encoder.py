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
from ..scans.foreground import DARK, foreground
from ..settings import MOST_LOOKED
from . import efficientnet, stored
from .engine import Engine
from .given import given
from .held import held_out
from .memory import Cells, Gaussian, Nearby, Neighbours, top_mean, unit

SCHEMA = 2
BATCH = 16
MEMORY = 6000  # patches
SIDES = {48: 96, 192: 160, 224: 224}  # pictures up to so many pixels are shown at that size
STEP = 32  # pixels by which larger ones are rounded up
CHANNELS = (1, 3)
HELD, MOST_HELD = 0.1, 200  # normals that only set the level of the maps
# Chosen by `benchmarks.quality.ranking`, one vote a data set: a mean AUROC of .921 on pictures that
# are not aligned (two parts of means and two of patches: .895), and of .967 on aligned ones (.958).
ANYWHERE = ("enc_gap_maha", "enc_patch_mean", "enc_late_knn", "enc_last_knn")
PLACED = ("enc_gap_maha", "enc_patch_mean", "enc_late_knn", "enc_cell_mean")
# In scans, an object on black, what is seen as a whole is the level of the slice and the size of
# the head: only the oddest place within the object says something.
WITHIN = ("enc_near_max", "enc_patch_max")
LEAST = 64  # pixels a side of a scan: below, there are no places to compare
MEMORIES = {  # name: (what it remembers, kind, options)
    "enc_gap_maha": ("gap", Gaussian, {}),
    "enc_gap_knn": ("gap", Neighbours, {"k": 3, "cosine": True}),
    "enc_late_knn": ("late", Neighbours, {"k": 3, "cosine": True}),
    "enc_last_knn": ("last", Neighbours, {"k": 3, "cosine": True}),
    "patches": ("cells", Neighbours, {"k": 1, "cosine": True}),
    "cells": ("cells", Cells, {}),
}
WHOLE = tuple(name for name, (source, *_) in MEMORIES.items() if source != "cells")


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
        self.ranking = ANYWHERE
        self._memories, self._engine = {}, None

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
        seen = self._described(pictures, kept, progress)
        for name, (source, kind, options) in MEMORIES.items():
            rows = seen[source]
            if kind is Neighbours:
                options = {**options, "seed": seed, "most": MEMORY}
                rows = rows.reshape(-1, rows.shape[-1])
            self._memories[name] = kind.fit(rows, **options)
        if traits["scan"]:
            self._memories["nearby"] = Nearby.fit(seen["gap"], seen["cells"], seed=seed)
        self.facts = {"side": self.side, **traits}
        self.ranking = WITHIN if traits["scan"] else PLACED if traits["aligned"] else ANYWHERE
        self.level = max(float(np.quantile(self.maps(pictures[held]), 0.999)), 1e-6)
        return self

    @staticmethod
    def traits_of(pictures) -> dict:
        """Return what decides the ranking: whether normals `(n, h, w, c)` are aligned, and scans.

        "alike" is the share of their variance that the mean picture explains.
        """
        looked_at = pictures[:: max(1, len(pictures) // 200)]
        dark = np.mean([not foreground(picture).all() for picture in looked_at])
        scan = bool(dark >= DARK and min(pictures.shape[1:3]) >= LEAST)
        alike = _alike(pictures)
        return {"alike": round(alike, 3), "aligned": alike >= ALIGNED, "scan": scan}

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
        settings = {"detector": "encoder", "side": self.side, "level": self.level}
        settings |= {"shape": list(self.shape), "facts": self.facts}
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
        for name, (_, kind, options) in MEMORIES.items():
            found._memories[name] = kind(**stored.under(arrays, f"{name}/"), **options)
        if found.facts["scan"]:
            found._memories["nearby"] = Nearby(**stored.under(arrays, "nearby/"))
        found._open()
        return found

    def _open(self):
        weights, channels = efficientnet.load_weights(), self.shape[-1]
        content, names = efficientnet.graph(weights, self.side, channels, BATCH)
        self._engine = Engine(content, BATCH, names, threads=self.threads)

    def _looks(self, pictures, rows):
        """Yield `(rows, descriptions)` of some pictures, a few at a time.

        Descriptions are "gap" `(n, 152)`, "late" `(n, 192)` and "last" `(n, 320)`, averages over
        places, and "cells" `(n, side / 16, side / 16, 152)`.
        """
        for first in range(0, len(rows), BATCH):
            where = rows[first : first + BATCH]
            shown = np.stack([_resized(pictures[row], self.side) for row in where])
            out = self._engine.run(shown)
            fine, coarse = out["fine"], out["coarse"]
            gap = np.concatenate([a.mean(axis=(1, 2)) for a in (fine, coarse)], axis=1)
            n, side = len(fine), coarse.shape[1]
            fine = fine.reshape(n, side, 2, side, 2, -1).mean(axis=(2, 4))
            cells = np.concatenate([unit(fine), unit(coarse)], axis=-1)
            yield where, {"gap": gap, "late": out["late"], "last": out["last"], "cells": cells}

    def _described(self, pictures, rows, progress):
        found, done = [], 0
        for where, seen in self._looks(pictures, rows):
            found.append(seen)
            done += len(where)
            if progress:
                progress(done / len(rows))
        return {name: np.concatenate([seen[name] for seen in found]) for name in found[0]}

    def _apart(self, pictures, seen):
        """Return the distances of all places, each `(n, side / 16, side / 16)`.

        "near" to patches of normals anywhere, "placed" to those at that place; of scans "nearby" to
        the normals most alike, 0 outside, and "near" is the least of the picture there.
        """
        cells = seen["cells"]
        near = self._memories["patches"].score(cells.reshape(-1, cells.shape[-1]))
        near = near.reshape(cells.shape[:3])
        found = {"near": near, "placed": self._memories["cells"].score(cells)}
        if self.facts["scan"]:
            inside = self._inside(pictures, cells)
            found["near"] = np.where(inside, near, near.min(axis=(1, 2), keepdims=True))
            nearby = self._memories["nearby"].score(seen["gap"], cells)
            found["nearby"] = np.where(inside, nearby, 0)
        return found

    def _parts(self, seen, apart):
        near, placed, nearby = (apart.get(name) for name in ("near", "placed", "nearby"))
        found = {name: self._memories[name].score(seen[MEMORIES[name][0]]) for name in WHOLE}
        if nearby is not None:
            found |= {"enc_near_max": nearby.max(axis=(1, 2)), "enc_near_top": _top(nearby)}
        return found | {
            "enc_patch_mean": near.mean(axis=(1, 2)),
            "enc_patch_top": _top(near),
            "enc_patch_max": near.max(axis=(1, 2)),
            "enc_cell_top": _top(placed),
            "enc_cell_mean": placed.mean(axis=(1, 2)),
        }

    def _heat(self, apart):
        """Return heat-maps, a list of `(h, w)` float32."""
        which = "nearby" if self.facts["scan"] else "placed" if self.facts["aligned"] else "near"
        size = self.shape[1::-1]
        maps = apart[which].astype(np.float32)
        return [
            (cv2.resize(one, size, interpolation=cv2.INTER_LINEAR) / self.level).astype(np.float32)
            for one in maps
        ]

    def _inside(self, pictures, cells):
        """Return where the object is, bool `(n, side / 16, side / 16)`."""
        side = cells.shape[1]
        masks = (foreground(picture).astype(np.float32) for picture in pictures)
        return (
            np.stack([cv2.resize(m, (side, side), interpolation=cv2.INTER_AREA) for m in masks])
            > 0.5
        )


def side_for(longest):
    """Return the pixels at which pictures of a longest side are shown to the network."""
    larger = min(-(-longest // STEP) * STEP, MOST_LOOKED)
    return next((s for most, s in SIDES.items() if most >= longest), larger)


def _top(maps):
    """Return the mean of the oddest sixteenth of the places."""
    return top_mean(maps, 1 / 16)


def _resized(picture, side):
    """Resize a picture `(h, w, c)` to the network's size."""
    larger = min(picture.shape[:2]) > side
    method = cv2.INTER_AREA if larger else cv2.INTER_CUBIC
    found = cv2.resize(picture, (side, side), interpolation=method)
    return np.clip(found.reshape(side, side, -1), -1.0, 1.0)


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
