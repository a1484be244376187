"""Restorer: a generator undoes damage, a discriminator learns by itself what good pictures are.

The default detector of `gantools anomaly`. Blended textures and masks to find them are the idea of
DRAEM, Zavrtanik et al. 2021, arXiv 2108.07610. With x a good picture, x' a damaged one, M where:

    D minimises  1/2 hinge(D(x), D(R(x'))) + BCE(damaged? of x and x') + BCE(M of x and x')
                 + CE(by how many quarters a turned x is turned)
    R minimises  10 |x - R(x')|_1 + 2 (1 - SSIM(x, R(x'))) + sum_l |f_l(x) - f_l(R(x'))|_1
                 - 0.05 D(R(x'))

|.|_1 are means. f_l are D's features after every halving.

Differs from the paper:
- DRAEM's second network segments picture and restoration together; here the discriminator of a GAN
  finds the damage, and its features serve as a memory of what is normal;
- no outside textures: damage is made by `gantools.data.damage`, or, where the batch holds none, by
  noise in a smooth region inside the step;
- D's turn sees half of the minibatch, and a quarter of it turned, to save time on CPUs;
- tiny: for tests; paper: the widths doubled, nothing published.
"""

import keras
from keras import ops

from gantools.core import Game, Turn, cross_entropy, objective
from gantools.core.gradients import no_gradient
from gantools.core.similarity import ssim
from gantools.gans.recipe import Recipe
from gantools.gans.settings import choose
from gantools.gans.tasks import binary, noise_damage, turned
from gantools.nets import restorer
from gantools.nets.resampling import AverageDown

TITLE = "Restoration by a GAN with a self-supervised discriminator (after DRAEM)"
SOURCE = "arXiv 2108.07610"
SIDES = objective("hinge")
HEADS = len(restorer.HEADS)
_SMALL = {"rate": 4e-4, "batch": 64, "rotation": 1.0, "widths": None, "latent": 64}
SIZES = {
    "tiny": {**_SMALL, "batch": 4, "widths": (4, 8, 8), "latent": 8},
    "small": _SMALL,
    "paper": {**_SMALL, "widths": (32, 48, 96, 192), "latent": 128},
}


def game(size="small", shape=(64, 64, 1), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of the restorer.

    Args:
        size: "tiny", "small" or "paper".
        shape: `(height, width, channels)` of pictures in [-1, 1].
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `rate`, `batch`, `rotation` (weight of that task; 0
            for data that look alike when turned), `widths` of the halvings or None, `latent` units.

    The batch may hold "damaged" `(batch, height, width, channels + 1)` float32: damaged pictures
    and, in the last channel, the mask of the damage.
    """
    s = choose(SIZES, size, overrides)
    players = {
        "generator": restorer.generator(shape, widths=s["widths"], latent=s["latent"], seed=seed),
        "discriminator": restorer.discriminator(shape, widths=s["widths"], seed=seed),
    }
    heads = {"adv": 0.5, "rotation": s["rotation"]}
    wishes = {"pixels": 10.0, "ssim": 2.0, "features": 1.0, "adv": 0.05}
    turns = (
        Turn("discriminator", ("discriminator",), _discriminator_terms, weights=heads),
        Turn("generator", ("generator",), _generator_terms, weights=wishes),
    )
    description = Game(
        players,
        turns,
        samplers={"damaged": noise_damage(shape)},
        sample=lambda model, draw: model(draw["damaged"][..., : shape[-1]]),
    )
    adam = {turn.name: keras.optimizers.Adam(s["rate"], beta_1=0.5) for turn in turns}
    return Recipe(description, adam, s["batch"])


def _discriminator_terms(model, batch, draw):
    judge = model.player("discriminator")
    count = ops.shape(batch["x"])[0]
    half, quarter = (count + 1) // 2, (count + 3) // 4
    x, damaged = batch["x"][:half], draw["damaged"][:half]
    spoilt, mask = damaged[..., :-1], damaged[..., -1:]
    with no_gradient():
        fake = ops.stop_gradient(model.player("generator")(spoilt))
    r, f, d = (judge(shown) for shown in (x, fake, spoilt))
    pictures, turns = turned(batch["x"][:quarter])
    stride = restorer.mask_stride(mask.shape[1:])
    cells = ops.max_pool(mask, stride, stride, padding="same")
    return {
        "adv": SIDES.discriminator(r[0], f[0]),
        "damaged": binary(r[2], 0.0) + binary(d[2], ops.max(mask, axis=(1, 2))),
        "mask": binary(r[3], 0.0) + binary(d[3], cells),
        "rotation": cross_entropy(turns, judge(pictures)[1]),
    }


def _generator_terms(model, batch, draw):
    x = batch["x"]
    restored = model.player("generator")(draw["damaged"][..., :-1])
    with no_gradient():
        wanted = model.player("discriminator")(x)[HEADS:]
    judged = model.player("discriminator")(restored)
    pairs = zip(judged[HEADS:], wanted, strict=True)
    return {
        "pixels": ops.mean(ops.abs(restored - x)),
        "ssim": ops.mean(1 - ssim(*(_halved(a) for a in (restored, x)))),
        "features": sum(ops.mean(ops.abs(f - ops.stop_gradient(w))) for f, w in pairs),
        "adv": SIDES.generator(None, judged[0]),
    }


def _halved(x):
    """Halve pictures of 56 pixels and more: similarity at full size takes a third of the step."""
    even = all(side % 2 == 0 and side >= 56 for side in x.shape[1:3])
    return AverageDown()(x) if even else x
