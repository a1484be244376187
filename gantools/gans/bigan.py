"""BiGAN and ALI: an encoder learns to invert the generator, in the same game.

Donahue, Kraehenbuehl & Darrell 2016, "Adversarial Feature Learning", arXiv 1605.09782, and Dumoulin
et al. 2016, "Adversarially Learned Inference", arXiv 1606.00704.

    min over G, E, max over D of  E log D(x, E(x)) + E log(1 - D(G(z), z))

D sees pairs of a picture and a code, and must tell (real picture, its code) from (made picture, its
latent). G and E move in one turn. At the optimum E and G invert each other, though nothing compares
x with G(E(x)). The two papers play the same game; `stochastic=False` is BiGAN's E(x), True is ALI's
q(z | x) = N(mean(x), deviation(x)^2), drawn by mean + deviation * noise.

Differs from the paper:
- G and E minimise E sp(-D(G(z), z)) + E sp(D(x, E(x))), which does not saturate, as in both codes;
- paper: the 64x64 networks of DCGAN with 200 uniform latents as BiGAN has them for ImageNet; E
  mirrors G in place of an AlexNet, and D's view of z is that of ALI, narrower; a constant rate and
  no weight decay (BiGAN: to a hundredth in the second half, and 2.5e-5);
- small: the networks of `nets.dcgan.CPU_*`, a higher rate, R1 by x and z together, averaged G and
  E; tiny: for tests.
"""

import keras
from keras import ops

from gantools.core import R1, Ema, Game, Turn, normal, objective, uniform
from gantools.core.gradients import no_gradient
from gantools.core.penalties import scores_and_penalties
from gantools.gans.balance import balanced
from gantools.gans.recipe import Recipe
from gantools.gans.settings import choose
from gantools.nets import dcgan, encoder

TITLE = "Adversarial Feature Learning (BiGAN) and Adversarially Learned Inference (ALI)"
SOURCE = "arXiv 1605.09782"
SIDES = objective("nonsaturating")
_PAPER = {"stochastic": False, "gamma": 0.0, "rate": 2e-4, "batch": 128, "half_life": None}
_PAPER |= {"generator": {**dcgan.PAPER_GENERATOR, "latent": 200}}
_PAPER |= {"encoder": dcgan.PAPER_DISCRIMINATOR}
_PAPER["discriminator"] = {**dcgan.PAPER_DISCRIMINATOR, "codes": (512, 512), "joint": (1024, 1024)}
_NARROW = {**dcgan.CPU_DISCRIMINATOR, "norm_kind": "none"}
_SMALL = {"rate": 5e-4, "gamma": 0.1, "batch": 64, "half_life": 10_000, "discriminator": _NARROW}
_SMALL |= {"generator": {**dcgan.CPU_GENERATOR, "latent": 32}, "encoder": dcgan.CPU_DISCRIMINATOR}
_TINY = {"batch": 4, "generator": {"latent": 8, "widths": (8, 4)}, "encoder": {"widths": (4, 8)}}
_TINY |= {"gamma": 0.3, "discriminator": {"widths": (4, 8), "norm_kind": "none", "codes": (8,)}}
SIZES = {"tiny": {**_PAPER, **_TINY}, "small": {**_PAPER, **_SMALL}, "paper": _PAPER}


def game(size="small", shape=(28, 28, 1), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of BiGAN or ALI.

    Args:
        size: "tiny", "small" or "paper" (made for 64x64).
        shape: `(height, width, channels)` of pictures in [-1, 1].
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `stochastic` (True for ALI), `gamma` of R1 or 0,
            `rate`, `batch`, `half_life` of the averaged G and E in images or None, `generator` and
            `encoder` (dicts, see `nets.dcgan`) and `discriminator` (dict, see
            `nets.encoder.joint_discriminator`).
    """
    s = choose(SIZES, size, overrides)
    latent, judge = s["generator"]["latent"], s["discriminator"]
    names, options = ("generator", "encoder"), {"stochastic": s["stochastic"], "seed": seed}
    penalties = (R1(s["gamma"]),) if s["gamma"] else ()
    weights = {p.name: p.weight for p in penalties}
    checked = {"weights": weights, "penalties": tuple(weights)}
    turns = (
        Turn("discriminator", ("discriminator",), _discriminator_terms(penalties), **checked),
        Turn("generator", names, _generator_terms),
    )
    description = Game(
        players={
            "generator": dcgan.generator(shape, seed=seed, **s["generator"]),
            "encoder": encoder.encoder(shape, latent, **options, **s["encoder"]),
            "discriminator": encoder.joint_discriminator(shape, latent, seed=seed, **judge),
        },
        turns=turns,
        samplers={"z": uniform(latent), "noise": normal(latent)},
        ema={name: Ema(s["half_life"]) for name in names} if s["half_life"] else {},
        # D = 1/2 of both kinds of pairs: 2 ln 2, for G and E too, who play D's game swapped.
        equilibrium=balanced(SIDES, swapped=True),
    )
    adam = {turn.name: keras.optimizers.Adam(s["rate"], beta_1=0.5) for turn in turns}
    return Recipe(description, adam, s["batch"])


def reconstructed(model, x):
    """Return G(E(x)) `(batch, *shape)` float32 of pictures x in [-1, 1]; ALI: of its mean codes."""
    code = model.best("encoder")(x, training=False)
    code = code[0] if isinstance(code, (list, tuple)) else code
    return model.best("generator")(code, training=False)


def _pairs(model, batch, draw):
    """Return both kinds of pairs, flat, and the discriminator of such pairs."""
    x, code = batch["x"], model.player("encoder")(batch["x"])
    if isinstance(code, (list, tuple)):
        code = code[0] + ops.exp(code[1]) * draw["noise"]
    fake = encoder.flat_pairs(model.player("generator")(draw["z"]), draw["z"])
    judge = encoder.of_flat_pairs(model.player("discriminator"), x.shape[1:])
    return encoder.flat_pairs(x, code), fake, judge


def _discriminator_terms(penalties):
    def terms(model, batch, draw):
        with no_gradient():
            real, fake, critic = _pairs(model, batch, draw)
            real, fake = ops.stop_gradient(real), ops.stop_gradient(fake)
        r, f, found = scores_and_penalties(model, critic, real, fake, draw, penalties)
        shown = {"real": ops.mean(r), "fake": ops.mean(f)}
        return {"adv": SIDES.discriminator(r, f), **found}, shown

    return terms


def _generator_terms(model, batch, draw):
    real, fake, critic = _pairs(model, batch, draw)
    return {"adv": SIDES.discriminator(critic(fake), critic(real))}  # the roles swapped
