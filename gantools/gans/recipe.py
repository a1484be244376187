"""A recipe: a game with the optimizers and the batch size that its paper trains it with."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from gantools.core import AdversarialModel, Game


@dataclass(frozen=True)
class Recipe:
    """What a game's function returns.

    Attributes:
        game: The `Game`, its players built.
        optimizers: Turn name -> a fresh Keras optimizer.
        batch: Samples in a minibatch.
        transform: Augmentation on the host, see `Stream`, or None.
    """

    game: Game
    optimizers: Mapping[str, Any]
    batch: int
    transform: Callable | None = None

    def model(self, seed=0, **compile_options) -> AdversarialModel:
        """Return the compiled model, ready for `fit`.

        Args:
            seed: Seed of the model's random draws.
            compile_options: Passed to `AdversarialModel.compile`.
        """
        model = AdversarialModel(self.game, seed=seed)
        model.compile(dict(self.optimizers), **compile_options)
        return model
