"""The original GAN: a generator and a discriminator play a minimax game.

Goodfellow et al. 2014, "Generative Adversarial Nets", arXiv 1406.2661.

    min over G, max over D of  V(D, G) = E log D(x) + E log(1 - D(G(z)))

Algorithm 1, one cycle: k times, draw fresh minibatches of x and z and ascend V by D's weights; then
once, draw fresh z and descend V by G's weights. With `objective="minimax"` that is what happens.
The default "nonsaturating" lets G ascend E log D(G(z)) instead, as section 3 of the paper
advises: same fixed point, but gradients that do not vanish while D still wins.
At the fixed point the samples have the distribution of the data, D = 1/2 and V = -log 4. D = 1/2
alone proves nothing: a discriminator that knows nothing says it too.

Differs from the paper:
- pictures lie in [-1, 1] and G ends in tanh, which is a sigmoid rescaled; its last bias starts at
  zero, not at the pixels' marginal;
- paper: momentum stays 0.5 and the learning rate 0.1 (there: 0.5 to 0.7, divided by 1.000004 an
  update), and columns of weights are not clipped to a norm;
- small: Adam and batches of 64, which need a tenth of the updates; tiny: for tests.
"""

import keras

from gantools.core import duel, uniform
from gantools.gans.recipe import Recipe
from gantools.gans.settings import check_word, choose
from gantools.nets import mlp

TITLE = "Generative Adversarial Nets"
SOURCE = "arXiv 1406.2661"
_PAPER = {
    "objective": "nonsaturating",
    "k": 1,
    "optimizer": "sgd",
    "rate": 0.1,
    "batch": 100,
    "generator": mlp.PAPER_GENERATOR,
    "discriminator": mlp.PAPER_DISCRIMINATOR,
}
SIZES = {
    "tiny": {
        **_PAPER,
        "optimizer": "adam",
        "rate": 1e-3,
        "batch": 8,
        "generator": {"latent": 8, "widths": (16,)},
        "discriminator": {"widths": (16,)},
    },
    "small": {**_PAPER, "optimizer": "adam", "rate": 2e-4, "batch": 64},
    "paper": _PAPER,
}


def game(size="small", shape=(28, 28, 1), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of the original GAN.

    Args:
        size: "tiny", "small" or "paper".
        shape: Shape of one sample: `(height, width, channels)` of pictures in [-1, 1], or
            `(features,)` of points, for which the generator's output is not bounded.
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `objective`, `k`, `optimizer` ("adam" or "sgd"),
            `rate`, `batch`, `generator` and `discriminator` (dicts, see `nets.mlp`).

    Raises:
        UserError: an unknown `objective` or `optimizer`.
    """
    s = choose(SIZES, size, overrides)
    check_word(s, "optimizer", ("adam", "sgd"))
    output = "linear" if len(shape) == 1 else "tanh"
    net = {"output": output, **s["generator"]}
    description = duel(
        mlp.generator(shape, seed=seed, **net),
        mlp.discriminator(shape, seed=seed, **s["discriminator"]),
        objective=s["objective"],
        repeats=s["k"],
        latent=uniform(net["latent"]),
    )
    turns = (turn.name for turn in description.turns)
    return Recipe(description, {turn: _optimizer(s) for turn in turns}, s["batch"])


def _optimizer(s):
    if s["optimizer"] == "sgd":
        return keras.optimizers.SGD(s["rate"], momentum=0.5)
    return keras.optimizers.Adam(s["rate"], beta_1=0.5)
