"""The adversarial core: describe a game, play it with `fit` on TensorFlow, JAX or PyTorch.

game         Game, Turn, Shared: what a GAN is here
duel         the two-player game
model        AdversarialModel: the cycle, the same for every backend
checks       what is refused before the first step
gradients, parallel   the lines that differ by backend, and those for several devices
objectives, penalties, samplers, schedules, ema, layers, optimizers, augment, batch, ops
pool         past fakes to show a discriminator again
inversion, similarity   latents of given samples, likeness of pictures
stream, state, callbacks   data order, exact resume, previews and logs
health, observe, opponents, witnesses, bands, verdicts   whether a run is alive, and why not
backend, probe   which backend, and whether it trains here
testing      check_game, check_net: also for games of your own
"""

from gantools.core.backend import choose_backend

choose_backend()  # before anything imports keras

from gantools.core.augment import ADA, Augment, DiffAugment  # noqa: E402
from gantools.core.duel import duel  # noqa: E402
from gantools.core.ema import Ema  # noqa: E402
from gantools.core.game import Game, Shared, Turn  # noqa: E402
from gantools.core.layers import MinibatchStd, SpectralNormalization  # noqa: E402
from gantools.core.model import AdversarialModel  # noqa: E402
from gantools.core.objectives import (  # noqa: E402
    OBJECTIVES,
    Objective,
    cross_entropy,
    objective,
    smoothed,
)
from gantools.core.penalties import (  # noqa: E402
    R1,
    R2,
    Dragan,
    GradientPenalty,
    LeCam,
    Penalty,
)
from gantools.core.pool import HistoryPool  # noqa: E402
from gantools.core.samplers import (  # noqa: E402
    categories,
    in_order,
    labels,
    normal,
    uniform,
    uniform_like,
)
from gantools.core.schedules import Cosine, Linear, Schedule, Trapezoid  # noqa: E402
from gantools.core.stream import Stream  # noqa: E402

__all__ = [
    "ADA",
    "OBJECTIVES",
    "R1",
    "R2",
    "AdversarialModel",
    "Augment",
    "Cosine",
    "DiffAugment",
    "Dragan",
    "Ema",
    "Game",
    "GradientPenalty",
    "HistoryPool",
    "LeCam",
    "Linear",
    "MinibatchStd",
    "Objective",
    "Penalty",
    "Schedule",
    "Shared",
    "SpectralNormalization",
    "Stream",
    "Trapezoid",
    "Turn",
    "categories",
    "cross_entropy",
    "duel",
    "in_order",
    "labels",
    "normal",
    "objective",
    "smoothed",
    "uniform",
    "uniform_like",
]
