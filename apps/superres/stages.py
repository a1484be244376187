"""The two games of super-resolution training: reconstruction first, then SRGAN.

Both play on the residual network of a plan. "low" and "high" arrive as uint8 and are scaled to
[-1, 1] by the step; "residual" is high minus bicubic base, in units of full scale, unshuffled.
"""

import keras
from keras import ops

from gantools.core import Ema, Game, SpectralNormalization, Turn, objective
from gantools.nets import srgan

HALF_LIFE = 5545  # images: a decay of 0.999 a step of 8
ADVERSARIAL, FEATURES = 5e-3, 1e-2  # weights beside the L1 term; ESRGAN's, features for VGG's part


def residual_of(model, batch):
    """Return the network's residual for the low-resolution patches of a batch."""
    return model.player("generator")((batch["low"] + 1.0) / 2.0)  # plans want [0, 1]


def absolute_error(model, batch):
    """Return the mean absolute error of the enlarged picture, in units of full scale."""
    return ops.mean(ops.abs(residual_of(model, batch) - batch["residual"]))


def reconstruction(net):
    """Return the one-player game of the first stage: L1 on the residual, averaged weights kept."""
    turn = Turn("generator", ("generator",), lambda m, b, d: {"l1": absolute_error(m, b)})
    return Game({"generator": net}, (turn,), ema={"generator": Ema(HALF_LIFE)})


def discriminator(seed=0):
    """Return SRGAN's discriminator for patches of any size, small, with its features as outputs.

    Spectral norm instead of batch norm, and a mean over positions instead of the dense layers.
    """
    return srgan.discriminator(
        (None, None, 3),
        width=24,
        stages=3,
        dense=0,
        norm_kind="none",
        features=True,
        wrap=SpectralNormalization,
        seed=seed,
    )


def adversarial(net, critic, scale):
    """Return the SRGAN game of the second stage.

    The generator minimises L1 + 5e-3 times -log D + 1e-2 times the L1 distance of D's own features
    (in place of VGG's, which would be a download); the discriminator is the original one.

    Source: Ledig et al. 2017, arXiv 1609.04802; weights: Wang et al. 2018, arXiv 1809.00219.
    """
    sides = objective("nonsaturating")

    def enlarged(model, batch):
        missing = batch["residual"] - residual_of(model, batch)
        return batch["high"] - 2.0 * shuffle(missing, scale)  # [-1, 1] is twice full scale

    def discriminator_terms(model, batch, draw):
        fake = ops.stop_gradient(enlarged(model, batch))
        judge = model.player("discriminator")
        return {"adv": sides.discriminator(judge(batch["high"])[0], judge(fake)[0])}

    def generator_terms(model, batch, draw):
        fake, judge = enlarged(model, batch), model.player("discriminator")
        score, maps = judge(fake)
        wanted = [ops.stop_gradient(m) for m in judge(batch["high"])[1]]
        pairs = zip(maps, wanted, strict=True)
        features = sum(ops.mean(ops.abs(a - b)) for a, b in pairs) / len(maps)
        l1 = ops.mean(ops.abs(fake - batch["high"])) / 2.0
        return {"l1": l1, "adv": sides.generator(None, score), "features": features}

    weights = {"adv": ADVERSARIAL, "features": FEATURES}
    return Game(
        players={"generator": net, "discriminator": critic},
        turns=(
            Turn("discriminator", ("discriminator",), discriminator_terms),
            Turn("generator", ("generator",), generator_terms, weights=weights),
        ),
        ema={"generator": Ema(HALF_LIFE)},
        sample=lambda model, draw: model(draw["low"]),
    )


def shuffle(blocks, scale):
    """Return `(batch, h, w, 3 s^2)` as `(batch, h s, w s, 3)`: pixel shuffle, c s^2 + dy s + dx."""
    _, height, width, _ = keras.ops.shape(blocks)
    parts = ops.reshape(blocks, (-1, height, width, 3, scale, scale))  # b, y, x, c, dy, dx
    parts = ops.transpose(parts, (0, 1, 4, 2, 5, 3))
    return ops.reshape(parts, (-1, height * scale, width * scale, 3))
