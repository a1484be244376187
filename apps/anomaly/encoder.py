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

from . import efficientnet, stored
from .engine import Engine
from .fingerprint import ALIGNED
from .memory import Cells, Gaussian, Neighbours, top_mean, unit

SCHEMA = 1
BATCH = 16
MEMORY = 6000  # patches
SIDES = {48: 96, 192: 160}  # pictures up to that many pixels are shown at that size; others at 224
LARGEST = 224
HELD, MOST_HELD = 0.1, 200  # normals that only set the level of the maps
MEMORIES = {
    "enc_gap_maha": (Gaussian, {}),
    "enc_gap_knn": (Neighbours, {"k": 3, "cosine": True}),
    "patches": (Neighbours, {"k": 1, "cosine": True}),
    "cells": (Cells, {}),
}


class Encoder:
    """Distances to normals in EfficientNet-Lite0's features.

    Args:
        side: Pixels at which pictures are shown to the network, a multiple of 32; None chooses by
            the pictures' size.
        threads: Processor threads; None leaves it to the engine.

    Attributes:
        ranking: Names of the parts that should rank.
        facts: After `fit`: the side, and the share of variance that the mean picture explains.

    Raises:
        UserError: the extra is not installed.
    """

    def __init__(self, side=None, threads=None):
        self.side, self.threads = side, threads
        self.facts, self.shape, self.level = {}, None, 1.0
        self.ranking = ("enc_gap_maha", "enc_gap_knn", "enc_patch_mean", "enc_patch_top")
        self._memories, self._engine = {}, None

    def fit(self, pictures, *, minutes=None, seed=0, out=None, progress=None):
        """Look at the normals once.

        Args:
            pictures: float32 `(n, h, w, c)` in [-1, 1], c 1 or 3, at least 10.
            minutes, out: Not used: it takes 5 to 20 ms a picture and cannot be cut short.
            seed: Of the choice of patches and of the normals held back.
            progress: Callable `(share in [0, 1])`, or None.

        Raises:
            UserError: too few pictures, or of another form.
        """
        pictures = _checked(pictures)
        if len(pictures) < 10:
            raise UserError(f"Expected at least 10 normals. Received: {len(pictures)}.")
        self.shape = tuple(pictures.shape[1:])
        self.side = self.side or next(
            (s for m, s in SIDES.items() if m >= max(self.shape[:2])), LARGEST
        )
        self._open()
        order = np.random.default_rng(seed).permutation(len(pictures))
        held = order[: min(MOST_HELD, max(2, int(HELD * len(order))))]
        kept = order[len(held) :]
        gaps, cells = self._described(pictures[kept], progress)
        rows = {"patches": cells.reshape(-1, cells.shape[-1]), "cells": cells}
        for name, (kind, options) in MEMORIES.items():
            extra = {"seed": seed, "most": MEMORY} if kind is Neighbours else {}
            self._memories[name] = kind.fit(rows.get(name, gaps), **options, **extra)
        alike = _alike(pictures)
        self.facts = {"side": self.side, "alike": round(alike, 3)}
        self.facts["aligned"] = alike >= ALIGNED
        self.level = max(float(np.quantile(self.maps(pictures[held]), 0.999)), 1e-6)
        return self

    def parts(self, pictures):
        """Return name -> raw scores `(n,)` float64, higher is odder; NaN for NaN pictures."""
        pictures, found = self._same(pictures), []
        for _, (gaps, cells) in self._looks(pictures):
            near, placed = self._near(cells), self._memories["cells"].score(cells)
            found.append(
                {name: self._memories[name].score(gaps) for name in ("enc_gap_maha", "enc_gap_knn")}
                | {
                    "enc_patch_mean": near.mean(axis=(1, 2)),
                    "enc_patch_top": top_mean(near, 1 / 16),
                    "enc_patch_max": near.max(axis=(1, 2)),
                    "enc_cell_top": top_mean(placed, 1 / 16),
                    "enc_cell_mean": placed.mean(axis=(1, 2)),
                }
            )
        lost = ~np.isfinite(pictures).all(axis=(1, 2, 3))
        parts = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
        return {name: np.where(lost, np.nan, values) for name, values in parts.items()}

    def maps(self, pictures):
        """Return heat-maps `(n, h, w)` float32: 1 is the 99.9 % level of held-out normals."""
        found, (height, width) = [], self.shape[:2]
        for _, (_, cells) in self._looks(self._same(pictures)):
            near = self._memories["cells"].score(cells) if self._by_place() else self._near(cells)
            for one in near.astype(np.float32):
                large = cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR)
                found.append(large / self.level)
        return np.stack(found).astype(np.float32)

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
        for name, (kind, options) in MEMORIES.items():
            found._memories[name] = kind(**stored.under(arrays, f"{name}/"), **options)
        found._open()
        return found

    def _open(self):
        weights, channels = efficientnet.load_weights(), self.shape[-1]
        content, names = efficientnet.graph(weights, self.side, channels, BATCH)
        self._engine = Engine(content, BATCH, names, threads=self.threads)

    def _looks(self, pictures):
        """Yield `(slice, (pooled (n, 152), patches (n, side / 16, side / 16, 152)))`."""
        for first in range(0, len(pictures), BATCH):
            where = slice(first, first + BATCH)
            shown = np.stack([_resized(p, self.side) for p in pictures[where]])
            out = self._engine.run(shown)
            fine, coarse = out["fine"], out["coarse"]
            gaps = np.concatenate([a.mean(axis=(1, 2)) for a in (fine, coarse)], axis=1)
            n, side = len(fine), coarse.shape[1]
            fine = fine.reshape(n, side, 2, side, 2, -1).mean(axis=(2, 4))
            yield where, (gaps, np.concatenate([unit(fine), unit(coarse)], axis=-1))

    def _described(self, pictures, progress):
        gaps, cells = [], []
        for where, found in self._looks(pictures):
            gaps.append(found[0])
            cells.append(found[1])
            if progress:
                progress(min(1.0, where.stop / len(pictures)))
        return np.concatenate(gaps), np.concatenate(cells)

    def _near(self, cells):
        found = self._memories["patches"].score(cells.reshape(-1, cells.shape[-1]))
        return found.reshape(cells.shape[:3])

    def _by_place(self):
        return self.facts["aligned"]

    def _same(self, pictures):
        pictures = _checked(pictures)
        if tuple(pictures.shape[1:]) != self.shape:
            raise UserError(
                f"Expected pictures of shape {self.shape}, as fitted. Received: "
                f"{tuple(pictures.shape[1:])}."
            )
        return pictures


def _resized(picture, side):
    """Resize a picture `(h, w, c)` to the network's size."""
    larger = min(picture.shape[:2]) > side
    method = cv2.INTER_AREA if larger else cv2.INTER_CUBIC
    found = cv2.resize(picture, (side, side), interpolation=method)
    return np.clip(found.reshape(side, side, -1), -1.0, 1.0)


def _alike(pictures):
    """Return the share of the variance that the mean picture explains."""
    return float(1 - np.var(pictures - pictures.mean(axis=0)) / max(np.var(pictures), 1e-12))


def _checked(pictures):
    pictures = np.asarray(pictures, np.float32)
    if pictures.ndim != 4 or not len(pictures) or pictures.shape[-1] not in (1, 3):
        raise UserError(
            "Expected pictures (n, height, width, channels) of 1 or 3 channels. Received: "
            f"{pictures.shape}."
        )
    return pictures
