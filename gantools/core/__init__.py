"""The adversarial core: describe a game, play it with `fit` on TensorFlow, JAX or PyTorch.

game         Game, Turn: what a GAN is here
duel         the two-player game
model        AdversarialModel: the cycle, the same for every backend
gradients    the lines that differ by backend
objectives, penalties, samplers, schedules, ema, layers, optimizers
stream, state, callbacks   data order, exact resume, previews and logs
testing      check_game, check_net: also for games of your own
"""

from gantools.core.backend import choose_backend

choose_backend()  # before anything imports keras

from gantools.core.duel import duel  # noqa: E402
from gantools.core.ema import Ema  # noqa: E402
from gantools.core.game import Game, Turn  # noqa: E402
from gantools.core.layers import SpectralNormalization  # noqa: E402
from gantools.core.model import AdversarialModel  # noqa: E402
from gantools.core.objectives import OBJECTIVES, Objective, objective, smoothed  # noqa: E402
from gantools.core.penalties import R1, R2, Dragan, GradientPenalty, Penalty  # noqa: E402
from gantools.core.samplers import normal, uniform, uniform_like  # noqa: E402
from gantools.core.schedules import Cosine, Linear, Schedule, Trapezoid  # noqa: E402
from gantools.core.stream import Stream  # noqa: E402

__all__ = [
    "OBJECTIVES",
    "R1",
    "R2",
    "AdversarialModel",
    "Cosine",
    "Dragan",
    "Ema",
    "Game",
    "GradientPenalty",
    "Linear",
    "Objective",
    "Penalty",
    "Schedule",
    "SpectralNormalization",
    "Stream",
    "Trapezoid",
    "Turn",
    "duel",
    "normal",
    "objective",
    "smoothed",
    "uniform",
    "uniform_like",
]
