"""The default detector: a restoration GAN, its parts of a score and its maps.

Trained with Keras; scores come from an ONNX graph, so that a saved detector needs no Keras.
`parts` are raw: they are scaled and combined by what held-out normals score (see `parts.py`).

Source: own; parts as in the project's research, each known by itself: residuals and features from
AnoGAN (arXiv 1703.05921) and f-AnoGAN, memories of patches from PatchCore (arXiv 2106.08265),
rotation from arXiv 1805.10917, texture energies from Laws 1980.
"""

import cv2
import numpy as np

from gantools.errors import UserError

from ..fingerprint import ALIGNED
from ..scans.foreground import LEAST, is_scan
from . import restoration, stored
from .engine import Engine
from .given import given
from .held import held_out
from .memory import Neighbours
from .restoration import MEMORIES, SOURCES
from .serving import restorer_graph, weights_of
from .surroundings import Surroundings
from .texture import Texture

SCHEMA = 2
BATCH = 32  # pictures that the graph takes at once
FEWEST = 20  # normals
HELD, MOST_HELD = 0.15, 200  # normals that only set the levels of the maps
PATCHES = 40  # of a picture, drawn for the memory of patches
# One part or two of each kind of evidence: places, restoration, what the discriminator sees (and
# turns, where they are recognised). `benchmarks.quality.ranking`: a mean AUROC of .883 with turns,
# where all ten parts of the first rule have .830 and with two simple rows .828.
RANKING = ("place_top", "place_mean", "ssim", "d_maha")
# Of scans, an object on black: the oddest places within the object, beside the same places of
# similar normals, which `place_top`, beside all normals, cannot tell from another slice.
WITHIN = ("near_top",)
GUESS = 0.35  # share of turned normals recognised, below which rotation says nothing
SOLVED = 0.002  # nats: a rotation that is always recognised is a shortcut


class Auto:
    """Restoration GAN with a self-supervised discriminator.

    Args:
        size: "tiny" or "small", see `gantools.gans.restorer`.
        table: Kind of damage -> probability, see `gantools.data.damage`; None suits photographs.
        steps: Training steps; None takes what fits into the minutes of `fit`.
        threads: Processor threads of scoring; None leaves it to the engine.
        traits: What `traits_of` says of the normals of several detectors that judge together. None
            finds them in `fit`.

    Attributes:
        facts: After `fit`: whether the normals are scans, steps, ms a step, seconds, share of
            turned normals recognised.
        ranking: Names of the parts that should rank; the others explain.
    """

    def __init__(self, size="small", table=None, steps=None, threads=None, traits=None):
        self.size, self.table, self.steps, self.threads = size, table, steps, threads
        self.facts, self.ranking, self.traits = {}, RANKING, traits
        self.shape = self.weights = self.levels = None
        self._memories, self._texture, self._surroundings = {}, None, None

    def fit(self, pictures, *, groups=None, minutes=1.5, seed=0, out=None, progress=None):
        """Learn what normal is.

        Args:
            pictures: float32 `(n, h, w, c)` in [-1, 1], normals, at least 20.
            groups: `(n,)` what is held out together or not at all; None: each picture alone.
            minutes: Time for the training.
            seed: Of everything random.
            out: Folder in which a stopped training goes on; None keeps nothing.
            progress: Callable `(share in [0, 1])`, or None.

        Raises:
            UserError: too few pictures, or of another form.
        """
        from .training import ROOM, trained_restorer

        pictures = given(pictures)
        if len(pictures) < FEWEST:
            raise UserError(f"Expected at least {FEWEST} normals. Received: {len(pictures)}.")
        held, rest = held_out(len(pictures), groups, share=HELD, least=4, most=MOST_HELD, seed=seed)
        self.shape = tuple(pictures.shape[1:])
        self.facts = {"scan": (self.traits or self.traits_of(pictures))["scan"]}
        drawn, room = self._reduced(pictures), ROOM if self.facts["scan"] else 1.0
        model, facts = trained_restorer(
            drawn[rest],
            size=self.size,
            table=self.table,
            steps=self.steps,
            minutes=minutes,
            seed=seed,
            out=out,
            progress=progress,
            room=room,
        )
        self.facts = self.facts | facts
        self.weights = weights_of(model.game.players, room)
        self._open()
        self._remember(drawn[rest], seed)
        if self.facts["scan"]:
            self._surroundings = Surroundings.fit(pictures[rest], seed)
        self._level(pictures[held])
        return self

    @staticmethod
    def traits_of(pictures) -> dict:
        """Return what decides the ranking: whether normals `(n, h, w, c)` are scans."""
        return {"scan": is_scan(pictures)}

    @property
    def drawn(self):
        """Shape `(h, w, c)` of what the networks see: large scans at half their size.

        What ranks scans needs their detail, but no network. At full size a minute is too short to
        restore them, and everything comes back black.
        """
        height, width, channels = self.shape
        if not self.facts["scan"] or min(height, width) < 2 * LEAST:
            return self.shape
        return height // 2, width // 2, channels

    def parts(self, pictures):
        """Return name -> raw scores `(n,)` float64, higher is odder; NaN for NaN pictures."""
        return self.parts_and_maps(pictures, maps=False)[0]

    def maps(self, pictures):
        """Return heat-maps `(n, h, w)` float32: 1 is the 99.9 % level of held-out normals."""
        return self.parts_and_maps(pictures)[1]

    def parts_and_maps(self, pictures, maps=True):
        """Return both, or None for the maps; every picture passes the networks once."""
        found, heat = [], []
        for small, out, seen in self._looks(given(pictures, self.shape)):
            turns = self._turns(small)
            found.append(restoration.parts(small, out, turns, seen, self._memories))
            heat += [restoration.heat(seen, self.shape[:2], self.levels)] if maps else []
        parts = {name: np.concatenate([part[name] for part in found]) for name in found[0]}
        return parts, np.concatenate(heat) if maps else None

    def rescale(self, level):
        """Make what was `level` on the maps 1."""
        self.levels["map"] = np.float32(self.levels["map"] * level)

    def restored(self, pictures):
        """Return the pictures as they would look if they were normal, `(n, h, w, c)` float32."""
        small = self._reduced(given(pictures, self.shape))
        found = [out["restored"] for _, out in self._engine.batches(small)]
        return _resized(np.concatenate(found), self.shape, cv2.INTER_LINEAR)

    def save(self, folder):
        """Write the detector into a folder: arrays and JSON, nothing that can run."""
        arrays = {f"weights/{name}": array for name, array in self.weights.items()}
        for name, memory in self._memories.items():
            arrays |= {f"memory/{name}/{key}": array for key, array in memory.arrays().items()}
        arrays |= {f"texture/{name}": array for name, array in self._texture.arrays().items()}
        arrays |= {f"levels/{name}": np.asarray(level) for name, level in self.levels.items()}
        if self._surroundings:
            near = self._surroundings.arrays()
            arrays |= {f"surroundings/{name}": array for name, array in near.items()}
        settings = {"detector": "auto", "size": self.size, "facts": self.facts}
        settings |= {"shape": list(self.shape), "ranking": list(self.ranking)}
        stored.write(folder, "auto", SCHEMA, settings, arrays)

    @classmethod
    def load(cls, folder, threads=None):
        """Return a saved detector.

        Raises:
            UserError: the folder holds none, or one of another version.
        """
        settings, arrays = stored.read(folder, "auto", SCHEMA)
        found = cls(settings["size"], threads=threads)
        found.shape, found.facts = tuple(settings["shape"]), settings["facts"]
        found.ranking = tuple(settings["ranking"])
        found.weights = stored.under(arrays, "weights/")
        found.levels = stored.under(arrays, "levels/")
        for name, (kind, options) in MEMORIES.items():
            found._memories[name] = kind(**stored.under(arrays, f"memory/{name}/"), **options)
        found._texture = Texture.from_arrays(stored.under(arrays, "texture/"))
        if found.facts["scan"]:
            near = stored.under(arrays, "surroundings/")
            found._surroundings = Surroundings.from_arrays(near)
        found._open()
        return found

    def _open(self):
        """Compile the graphs."""
        level = mask_level(self.drawn)
        graphs = [
            restorer_graph(self.weights, self.drawn, BATCH, level=level, only_rotation=only)
            for only in (False, True)
        ]
        self._engine, self._turning = (
            Engine(content, BATCH, names, threads=self.threads) for content, names in graphs
        )

    def _remember(self, pictures, seed):
        """Fill the memories with the descriptors of the pictures that were learnt from."""
        random, rows = np.random.default_rng(seed), {name: [] for name in SOURCES.values()}
        for _, out in self._engine.batches(pictures):
            for name in ("means", "hidden", "latent"):
                rows[name].append(out[name])
            cells = out["patches"].reshape(len(out["patches"]), -1, out["patches"].shape[-1])
            chosen = random.permutation(cells.shape[1])[:PATCHES]
            rows["patches"].append(cells[:, chosen].reshape(-1, cells.shape[-1]))
        rows = {name: np.concatenate(parts) for name, parts in rows.items()}
        for name, (kind, options) in MEMORIES.items():
            extra = {"seed": seed} if kind is Neighbours else {}
            self._memories[name] = kind.fit(rows[SOURCES[name[0]]], **options, **extra)
        self._texture = Texture.fit(pictures, seed)

    def _level(self, pictures):
        """Set the levels of residuals and maps by normals that were not learnt from."""
        small = self._reduced(pictures)
        mean = np.concatenate(
            [restoration.residual(small[w], out) for w, out in self._engine.batches(small)]
        ).mean(axis=0)
        alike = 1 - np.var(small - small.mean(axis=0)) / max(np.var(small), 1e-12)
        self.levels = {
            "residual": mean if alike >= ALIGNED else np.full_like(mean, mean.mean()),
            "maps": np.ones(len(restoration.LAYERS), np.float32),
            "map": np.float32(1),
        }
        looks = [seen for _, _, seen in self._looks(pictures)]
        space = self.shape[:2]
        if not self.facts["scan"]:
            found = np.concatenate([restoration.layers(seen, space, self.levels) for seen in looks])
            self.levels["maps"] = np.array([_level_of(layer) for layer in np.swapaxes(found, 0, 1)])
        found = np.concatenate([restoration.heat(seen, space, self.levels) for seen in looks])
        self.levels["map"] = _level_of(found)
        right, nats = restoration.recognised(self._turns(small))
        self.facts |= {"turns_recognised": round(right, 3), "alike": round(float(alike), 3)}
        self.ranking = (*RANKING, "rot_nll") if right >= GUESS and nats > SOLVED else RANKING
        if self.facts["scan"]:
            self.ranking = WITHIN

    def _looks(self, pictures):
        """Yield `(pictures as the networks see them, their outputs, how odd each place is)`."""
        small = self._reduced(pictures)
        for where, out in self._engine.batches(small):
            seen = restoration.apart(small[where], out, self.levels, self._memories, self._texture)
            if self._surroundings:
                seen["near"] = self._surroundings.score(pictures[where])
            yield small[where], out, seen

    def _reduced(self, pictures):
        return _resized(pictures, self.drawn, cv2.INTER_AREA)

    def _turns(self, pictures):
        """Return the rotation head's logits `(4, n, 4)` for pictures turned by 0 to 3 quarters."""
        height, width = self.drawn[:2]
        quarters = range(4) if height == width else (0, 0, 2, 2)
        turned = (np.rot90(pictures, k, axes=(1, 2)) for k in quarters)
        return np.stack([self._turning.run(pictures)["rotation"] for pictures in turned])


def mask_level(shape):
    """Return which halving the damage mask is read from, of pictures `(h, w, c)`."""
    return 2 if min(shape[:2]) >= 56 else 1  # as gantools.nets.restorer.mask_stride


def _resized(pictures, shape, how):
    """Return pictures `(n, h, w, c)` at another size, or as they are where it is theirs."""
    if pictures.shape[1:] == tuple(shape):
        return pictures
    size = shape[1::-1]
    small = [cv2.resize(one, size, interpolation=how).reshape(shape) for one in pictures]
    return np.stack(small)


def _level_of(maps):
    """Return the 99.9 % level of maps `(n, h, w)`.

    A few pictures know little of their tail: then it is at least what one in 15 pictures reaches,
    by their own levels taken for log-normal.
    """
    whole = np.quantile(maps, 0.999)
    if len(maps) < 100:
        own = np.log(np.maximum(np.quantile(maps, 0.999, axis=(1, 2)), 1e-12))
        whole = max(whole, np.exp(own.mean() + 1.5 * own.std()))
    return np.float32(max(whole, 1e-6))
