"""What a picture would look like if it were normal, drawn beside a detector that cannot draw it.

A restoration GAN is trained for that alone: nothing of it ranks. Beside the encoder its maps would
explain less than the encoder's own (regions found, AUPRO at 30 %: tiles .50 against .60, brain
slices .48 against .79; `benchmarks/results/anomaly.jsonl`), so only its pictures are shown.
"""

from gantools.errors import UserError

from ..scans.foreground import is_scan
from ..views import View
from . import stored
from .engine import Engine
from .given import given
from .serving import redrawing_graph, weights_of

SCHEMA = 1
BATCH = 8  # windows of a picture that are drawn at once
FEWEST = 20  # normals


class Redrawing:
    """A restorer that only draws.

    Args:
        view: `View`: how a picture is shown to it.
        size, table, steps, threads: As for `auto.Auto`.

    Attributes:
        facts: After `fit`: steps, ms a step, seconds.
    """

    def __init__(self, view, size="small", table=None, steps=None, threads=None):
        self.view, self.size, self.table, self.steps = view, size, table, steps
        self.threads, self.facts = threads, {}
        self.shape = self.weights = self._engine = None

    def fit(self, pictures, *, minutes=1.5, seed=0, out=None, progress=None):
        """Learn to undo damage on normals.

        Args:
            pictures: float32 `(n, side, side, c)` in [-1, 1], as the view shows normals, at least
                20.
            minutes, seed, out, progress: As for `auto.Auto.fit`.

        Raises:
            UserError: too few pictures, or of another form.
        """
        from .training import ROOM, trained_restorer

        pictures = given(pictures)
        if len(pictures) < FEWEST:
            raise UserError(
                f"--restoration: expected at least {FEWEST} normals to fit on. Received: "
                f"{len(pictures)}."
            )
        self.shape, room = tuple(pictures.shape[1:]), ROOM if is_scan(pictures) else 1.0
        model, self.facts = trained_restorer(
            pictures, size=self.size, table=self.table, steps=self.steps, minutes=minutes,
            seed=seed, out=out, progress=progress, room=room,
        )  # fmt: skip
        self.weights = weights_of({"generator": model.game.players["generator"]}, room)
        return self

    def restored(self, picture):
        """Return a picture `(h, w, c)` as it would look if it were normal, float32 `(h, w, c)`."""
        return self.view.redrawn(picture, self._drawn)

    def save(self, folder):
        """Write it into a folder: arrays and JSON, nothing that can run; the view is not in it."""
        settings = {"detector": "redrawing", "size": self.size, "facts": self.facts}
        stored.write(
            folder, "redrawing", SCHEMA, settings | {"shape": list(self.shape)}, self.weights
        )

    @classmethod
    def load(cls, folder, view, threads=None):
        """Return what was saved.

        Raises:
            UserError: the folder holds none, or one of another version.
        """
        settings, weights = stored.read(folder, "redrawing", SCHEMA)
        found = cls(View(**view), settings["size"], threads=threads)
        found.shape, found.facts, found.weights = (
            tuple(settings["shape"]), settings["facts"], weights,
        )  # fmt: skip
        return found

    def _drawn(self, tensors):
        if self._engine is None:  # only the cards ask for it
            graph = redrawing_graph(self.weights, self.shape, BATCH)
            self._engine = Engine(graph, BATCH, ("restored",), threads=self.threads)
        return self._engine.run(given(tensors, self.shape))["restored"]
