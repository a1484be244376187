"""The detectors of the literature, trained and scored like the default one.

They are games of `gantools.gans`; scoring needs Keras, unlike the default detector. `ranking` is
the score of the paper alone; the other parts explain.
"""

from importlib import import_module
from pathlib import Path

import numpy as np

from gantools.errors import UserError
from gantools.quiet import import_core

from . import restoration, stored
from .fitting import train
from .given import given
from .held import held_out

SCHEMA = 1
NAMES = ("anogan", "f_anogan", "egbad", "alad", "ganomaly", "skip_ganomaly")
FEWEST = 20  # normals
HELD, MOST_HELD = 0.1, 100  # normals that only set the level of the maps


class Named:
    """A detector of the literature by its name.

    Args:
        name: One of `NAMES`.
        size: "tiny", "small" or "paper", see the game.
        steps: Training steps; None takes what fits into the minutes of `fit`.
        settings: Overrides of the game's settings, for example {"faithful": True}.
        threads: Not used: Keras decides.

    Attributes:
        facts: After `fit`: steps, ms a step, seconds.
        ranking: The score of the paper.

    Raises:
        UserError: another name.
    """

    def __init__(self, name, size="small", steps=None, settings=None, threads=None):
        if name not in NAMES:
            raise UserError(f"Expected a detector of {', '.join(NAMES)}. Received: {name!r}.")
        self.name, self.size, self.steps, self.settings = name, size, steps, dict(settings or {})
        self.ranking, self.facts = (name,), {}
        self.shape = self.seed = self.model = self.level = None

    def fit(self, pictures, *, groups=None, minutes=1.5, seed=0, out=None, progress=None):
        """Learn what normal is; arguments as for `auto.Auto.fit`.

        Raises:
            UserError: too few pictures, or of another form.
        """
        pictures = given(pictures)
        if len(pictures) < FEWEST:
            raise UserError(f"Expected at least {FEWEST} normals. Received: {len(pictures)}.")
        core = import_core()
        self.shape, self.seed = tuple(pictures.shape[1:]), seed
        held, kept = held_out(len(pictures), groups, share=HELD, least=4, most=MOST_HELD, seed=seed)
        rest, recipe = pictures[kept], self._recipe()
        options = {"seed": seed, "out": out, "steps": self.steps}
        two = self.name == "f_anogan" and "encoder" not in recipe.optimizers
        share = 2 / 3 if two else 1.0
        stream = core.Stream(_enough(rest, recipe.batch), recipe.batch, **_of(recipe), seed=seed)
        self.model, self.facts = train(
            recipe, stream, minutes=minutes * share, progress=progress, **options
        )
        if two:
            second = self._game().encoder_stage(self.model)
            options["out"] = Path(out) / "encoder" if out else None
            stream = core.Stream(_enough(rest, second.batch), second.batch, seed=seed)
            train(second, stream, minutes=minutes / 3, progress=progress, **options)
        self.level = np.ones(self.shape[:2], np.float32)
        found = self._residual(pictures[held])
        self.level = np.maximum(np.quantile(found, 0.999), 1e-6).astype(np.float32)
        return self

    def parts(self, pictures):
        """Return name -> raw scores `(n,)` float64, higher is odder; NaN for NaN pictures."""
        pictures = given(pictures, self.shape)
        lost = ~np.isfinite(pictures).all(axis=(1, 2, 3))
        found = self._explained(np.where(lost[:, None, None, None], 0, pictures))[0]
        return {name: np.where(lost, np.nan, values) for name, values in found.items()}

    def maps(self, pictures):
        """Return heat-maps `(n, h, w)` float32: 1 is the 99.9 % level of held-out normals."""
        return (self._residual(given(pictures, self.shape)) / self.level).astype(np.float32)

    def rescale(self, level):
        """Make what was `level` on the maps 1."""
        self.level = np.float32(self.level * level)

    def restored(self, pictures):
        """Return what the generator makes of the pictures, `(n, h, w, c)` float32."""
        return self._explained(given(pictures, self.shape))[1]

    def save(self, folder):
        """Write the detector into a folder: arrays and JSON, nothing that can run."""
        settings = {"detector": self.name, "size": self.size, "seed": self.seed}
        settings |= {"shape": list(self.shape), "settings": self.settings, "facts": self.facts}
        settings["level"] = float(self.level)
        arrays = {name: np.array(v.value) for name, v in self._variables().items()}
        stored.write(folder, "named", SCHEMA, settings, arrays)

    @classmethod
    def load(cls, folder, threads=None):
        """Return a saved detector.

        Raises:
            UserError: the folder holds none, or one of another version.
        """
        s, arrays = stored.read(folder, "named", SCHEMA)
        found = cls(s["detector"], s["size"], settings=s["settings"], threads=threads)
        found.shape, found.seed, found.facts = tuple(s["shape"]), s["seed"], s["facts"]
        found.level = np.float32(s["level"])
        import_core()
        found.model = found._recipe().model(found.seed)
        for name, v in found._variables().items():
            v.assign(arrays[name])
        return found

    def _game(self):
        return import_module(f"gantools.gans.{self.name}")

    def _recipe(self):
        return self._game().game(self.size, self.shape, seed=self.seed, **self.settings)

    def _explained(self, pictures):
        options = {"faithful": True} if self.settings.get("faithful") else {}
        known = self.name in ("anogan", "egbad", "skip_ganomaly")  # scores differ, too
        return self._game().explained(self.model, pictures, **(options if known else {}))

    def _residual(self, pictures):
        return restoration.residual(pictures, {"restored": self._explained(pictures)[1]})

    def _variables(self):
        groups = self.model.state_groups().items()
        kept = {
            name: group for name, group in groups if name.split("/")[0] in ("player", "averaged")
        }
        return {f"{name}/{i:03d}": v for name, group in kept.items() for i, v in enumerate(group)}


def _enough(pictures, batch):
    """Repeat few normals until they fill a minibatch."""
    return np.resize(pictures, (max(batch, len(pictures)), *pictures.shape[1:]))


def _of(recipe):
    return {"minibatches": recipe.game.minibatches if recipe.game.turns[0].repeats > 1 else 1}
