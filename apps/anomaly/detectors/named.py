"""The detectors of the literature, trained and scored like the default one.

They are games of `gantools.gans`; scoring needs Keras, unlike the default detector. `ranking` is
the score of the paper alone; the other parts explain. All but `PICTURES_ONLY` also take points
`(n, d)`, the rows of a table; those have no maps.
"""

from importlib import import_module
from pathlib import Path

import numpy as np

from gantools.errors import UserError
from gantools.quiet import import_core

from ..settings import LITERATURE
from . import restoration, stored
from .fitting import train
from .given import given, given_points
from .held import held_out

SCHEMA = 1
PICTURES_ONLY = ("skip_ganomaly",)
FEWEST = 20  # normals
HELD, MOST_HELD = 0.1, 100  # normals that only set the level of the maps


class Named:
    """A detector of the literature by its name.

    Args:
        name: One of `settings.LITERATURE`.
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
        if name not in LITERATURE:
            raise UserError(f"Expected a detector of {', '.join(LITERATURE)}. Received: {name!r}.")
        self.name, self.size, self.steps, self.settings = name, size, steps, dict(settings or {})
        self.ranking, self.facts = (name,), {}
        self.shape = self.seed = self.model = self.level = None

    def fit(self, x, *, groups=None, minutes=1.5, seed=0, out=None, progress=None):
        """Learn what normal is; arguments as for `auto.Auto.fit`, or points `(n, d)` float32.

        Raises:
            UserError: too few normals, or of another form.
        """
        self.shape = None  # of an earlier fit
        x = self._given(x)
        if len(x) < FEWEST:
            raise UserError(f"Expected at least {FEWEST} normals. Received: {len(x)}.")
        core = import_core()
        self.shape, self.seed = tuple(x.shape[1:]), seed
        held, kept = [], slice(None)
        if x.ndim > 2:
            held, kept = held_out(len(x), groups, share=HELD, least=4, most=MOST_HELD, seed=seed)
        rest, recipe = x[kept], self._recipe()
        options = {"seed": seed, "out": out, "steps": self.steps}
        if self.settings.get("faithful"):
            options["falling"] = 1.0  # the papers' rates stand still
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
        self.level = np.float32(1)
        if len(held):
            found = self._residual(x[held])
            self.level = np.maximum(np.quantile(found, 0.999), 1e-6).astype(np.float32)
        return self

    def parts(self, x):
        """Return name -> raw scores `(n,)` float64, higher is odder; NaN for what holds NaN."""
        x = self._given(x)
        lost = ~np.isfinite(x).all(axis=tuple(range(1, x.ndim)))
        found = self._explained(np.where(lost.reshape(-1, *(1,) * (x.ndim - 1)), 0, x))[0]
        return {name: np.where(lost, np.nan, values) for name, values in found.items()}

    def maps(self, pictures):
        """Return heat-maps `(n, h, w)` float32: 1 is the 99.9 % level of held-out normals."""
        return (self._residual(given(pictures, self.shape)) / self.level).astype(np.float32)

    def rescale(self, level):
        """Make what was `level` on the maps 1."""
        self.level = np.float32(self.level * level)

    def restored(self, pictures):
        """Return what the generator makes of pictures `(n, h, w, c)` or points, float32."""
        return self._explained(self._given(pictures))[1]

    def save(self, folder):
        """Write the detector into a folder: arrays and JSON, nothing that can run."""
        stored.write(folder, "named", SCHEMA, *self.__getstate__())

    @classmethod
    def load(cls, folder, threads=None):
        """Return a saved detector.

        Raises:
            UserError: the folder holds none, or one of another version or of other networks.
        """
        found = cls.__new__(cls)
        found.__setstate__(stored.read(folder, "named", SCHEMA))
        return found

    def __getstate__(self):
        """Return `(settings, arrays)`: what a folder holds, and a copy of an estimator."""
        settings = {"detector": self.name, "size": self.size, "seed": self.seed}
        settings |= {"shape": list(self.shape), "settings": self.settings, "facts": self.facts}
        settings["level"] = float(self.level)
        return settings, {name: np.array(v.value) for name, v in self._variables().items()}

    def __setstate__(self, state):
        s, arrays = state
        Named.__init__(self, s["detector"], s["size"], settings=s["settings"])
        self.shape, self.seed, self.facts = tuple(s["shape"]), s["seed"], s["facts"]
        self.level = np.float32(s["level"])
        import_core()
        self.model = self._recipe().model(self.seed)
        from gantools.core.state import fill

        fill(self._variables(), arrays, "This detector has other networks", "Fit it again.")

    def _given(self, x):
        """Return pictures or points, checked; which of them, the fitted ones say, else `x`."""
        if len(np.shape(x) if self.shape is None else self.shape) > 2:
            return given(x, self.shape)
        if self.name in PICTURES_ONLY:
            raise UserError(f"{self.name} redraws pictures. Received: points.")
        return given_points(x, self.shape)

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
