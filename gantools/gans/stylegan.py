"""StyleGAN: a learnt style for every layer steers how a constant becomes a picture.

Karras, Laine & Aila 2018, "A Style-Based Generator Architecture for Generative Adversarial
Networks", arXiv 1812.04948.

    w = f(z),   G minimises  E softplus(-D(g(w, noise)))
    D minimises  E softplus(-D(x)) + E softplus(D(g(w, noise))) + gamma / 2 E |grad D(x)|^2

The mapping f learns at a hundredth of the rate. Every layer of the synthesis g gets noise, and then
its style: AdaIN(x, w) sets mean and deviation of each map. With probability 0.9 a picture's layers
from a random one on take the style of a second latent (mixing), so that coarse and fine styles do
not depend on each other. Samples are truncated: w' = mean w + psi (w - mean w).
`sample(n, z=a, z2=b, cut=k)` mixes: the first k styles of a, the others of b.

Known fault: a spike of a few pixels carries the deviation of a map through AdaIN, and the rest of
the picture becomes faint (arXiv 1912.04958, section 2). Long runs have more of them.

Differs from the paper:
- no progressive growing, one rate for all resolutions: made for 32x32 and 64x64;
- truncation acts on all styles; samples are clipped to [-1, 1];
- the constant starts as noise, not as ones, which AdaIN would divide by their deviation of 0;
- small: narrow networks, for the critic those of `nets.dcgan.CPU_*` with the minibatch statistic,
  R1 in every second update, rates that fall over 40 000 pictures, and kernels of the synthesis
  that learn 24 times as fast as the rest: at one rate for all they are still nearly random when the
  styles have given up the contrast of the pictures; tiny: for tests.
"""

import keras
from keras import ops

from gantools.core import R1, Ema, Game, Linear, Turn, normal, objective
from gantools.core.gradients import no_gradient
from gantools.core.penalties import scores_and_penalties
from gantools.gans.balance import balanced
from gantools.gans.recipe import Recipe
from gantools.gans.settings import choose, shown
from gantools.nets import dcgan, style

TITLE = "A Style-Based Generator Architecture for GANs"
SOURCE = "arXiv 1812.04948"
SIDES = objective("nonsaturating")
FALLEN = 0.05  # what is left of the rates at the end
_PAPER = {"rate": 1e-3, "batch": 64, "gamma": 10.0, "every": 1, "half_life": 10_000, "mixing": 0.9}
_PAPER |= {"truncation": 0.7, "latent": 512, "depth": 8, "widths": (512,) * 4 + (256,), "group": 4}
_PAPER |= {"critic": None, "critic_rate": None, "kernels": 1.0, "images": None}
_SMALL = {"batch": 32, "rate": 3e-4, "gamma": 1.0, "every": 2, "latent": 128, "depth": 3}
_SMALL |= {"widths": (64, 64, 32, 16), "critic": dcgan.CPU_DISCRIMINATOR, "critic_rate": 2e-4}
_SMALL |= {"kernels": 24.0, "images": 40_000}
_TINY = {"batch": 4, "latent": 8, "depth": 2, "widths": (8, 4), "group": 2}
SIZES = {"tiny": {**_PAPER, **_TINY}, "small": {**_PAPER, **_SMALL}, "paper": _PAPER}


def game(size="small", shape=(32, 32, 3), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of StyleGAN.

    Args:
        size: "tiny", "small" or "paper".
        shape: `(height, width, channels)` of pictures in [-1, 1].
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `rate`, `batch`, `gamma` of R1 and the updates from one
            with it to the next, `every`, `half_life` of the averaged networks in images, `mixing`
            (probability), `truncation` (psi), `latent` (also the size of a style), `depth` of the
            mapping, `widths` from the smallest map on, `group` of the minibatch statistic, `critic`
            (a dict for `nets.dcgan.discriminator`, or None for the paper's), `critic_rate` (None:
            `rate`), `kernels` (rate of the synthesis' kernels relative to the rest), and `images`
            over which the rates fall to a twentieth (None: constant).
    """
    s = choose(SIZES, size, overrides)
    count, penalty = 2 * style.levels(shape), R1(s["gamma"], every=s["every"])
    nets = {"widths": s["widths"], "seed": seed}
    checked = {"weights": {"r1": s["gamma"]}, "penalties": ("r1",) if s["every"] == 1 else ()}
    turns = (
        Turn("discriminator", ("discriminator",), _discriminator_terms(penalty), **checked),
        Turn("generator", ("mapping", "generator"), _generator_terms),
    )
    description = Game(
        players={
            "mapping": style.mapping(s["latent"], s["latent"], s["depth"], seed=seed),
            "generator": style.synthesis(shape, style=s["latent"], rate=s["kernels"], **nets),
            "discriminator": _critic(shape, s, nets),
        },
        turns=turns,
        samplers={
            "z": normal(s["latent"]),
            "z2": normal(s["latent"]),
            "cut": style.cuts(count, s["mixing"]),
            "noise": normal(style.noise_size(shape)),
        },
        ema={name: Ema(s["half_life"]) for name in ("mapping", "generator")},
        memory={"styles": style.RunningMean(s["latent"])},
        sample=_truncated(s["truncation"]),
        arranged={"cut": lambda n: [count] * n},
        equilibrium=balanced(SIDES),  # D = 1/2: 2 ln 2 for it, -log 1/2 for G
    )
    rates = {"discriminator": s["critic_rate"] or s["rate"], "generator": s["rate"]}
    return Recipe(
        description, {n: _adam(rate, s["images"]) for n, rate in rates.items()}, s["batch"]
    )


def _critic(shape, s, nets):
    if s["critic"] is None:
        return style.critic(shape, group=s["group"], **nets)
    options = {"norm_kind": "none", "group": s["group"], "seed": nets["seed"], **s["critic"]}
    return dcgan.discriminator(shape, **options)


def _adam(rate, images):
    falling = Linear(rate, FALLEN * rate, images) if images else rate
    return keras.optimizers.Adam(falling, 0.0, 0.99, 1e-8)


def _fake(model, draw):
    """Return pictures of mixed styles `(batch, *shape)`, and the styles of z."""
    w, of_z = style.mixed(model.player("mapping"), draw, model.game.players["generator"])
    return model.player("generator")({"w": w, "noise": draw["noise"]}), of_z


def _discriminator_terms(penalty):
    def terms(model, batch, draw):
        with no_gradient():
            fake = ops.stop_gradient(_fake(model, draw)[0])
        r, f, found = scores_and_penalties(
            model, model.player("discriminator"), batch["x"], fake, draw, (penalty,)
        )
        shown = {"real": ops.mean(r), "fake": ops.mean(f)}
        return {"adv": SIDES.discriminator(r, f), **found}, shown

    return terms


def _generator_terms(model, batch, draw):
    fake, w = _fake(model, draw)
    if model.learning:
        model.memory("styles").update(w)
    return {"adv": SIDES.generator(None, model.player("discriminator")(fake))}


def _truncated(psi):
    def sample(model, draw):
        net, mapping = model.best("generator"), model.best("mapping")
        mean, share = model.memory("styles").mean.value, 1.0 if model.as_trained else psi
        w, _ = style.mixed(lambda z: mean + share * (mapping(z) - mean), draw, net)
        return shown(model, net({"w": w, "noise": draw["noise"]}))

    return sample
