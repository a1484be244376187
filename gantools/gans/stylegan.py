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

Differs from the paper:
- no progressive growing, one rate for all resolutions: made for 32x32 and 64x64;
- truncation acts on all styles; samples are clipped to [-1, 1]; the constant starts as noise;
- small: narrow networks, the critic of `nets.dcgan.CPU_*` with the minibatch statistic, lazy R1,
  a rate that starts ten times as high and falls; and styles that act by demodulation (StyleGAN2,
  arXiv 1912.04958): narrow networks let spikes through AdaIN, and the rest became faint;
- tiny: for tests.
"""

from functools import partial

from keras import ops

from gantools.core import R1, Ema, Game, Turn, normal, objective
from gantools.core.gradients import no_gradient
from gantools.core.penalties import scores_and_penalties
from gantools.gans.balance import balanced
from gantools.gans.recipe import Recipe
from gantools.gans.settings import adam, check_word, choose, shown
from gantools.nets import dcgan, style

TITLE = "A Style-Based Generator Architecture for GANs"
SOURCE = "arXiv 1812.04948"
SIDES = objective("nonsaturating")
_PAPER = {"rate": 1e-3, "batch": 64, "gamma": 10.0, "every": 1, "half_life": 10_000, "mixing": 0.9}
_PAPER |= {"truncation": 0.7, "latent": 512, "depth": 8, "widths": (512,) * 4 + (256,), "group": 4}
_PAPER |= {"critic": None, "critic_rate": 1e-3, "styling": "adain"}
_SMALL = {"batch": 32, "gamma": 0.5, "every": 2, "latent": 128, "depth": 3}
_SMALL |= {"widths": (64, 64, 32, 16), "styling": "demodulation", "critic": dcgan.CPU_DISCRIMINATOR}
_SMALL |= {"rate": (1e-2, 5e-4, 64_000), "critic_rate": (4e-4, 2e-5, 64_000)}
_TINY = {"batch": 4, "latent": 8, "depth": 2, "widths": (8, 4), "group": 2}
SIZES = {"tiny": {**_PAPER, **_TINY}, "small": {**_PAPER, **_SMALL}, "paper": _PAPER}


def game(size="small", shape=(32, 32, 3), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of StyleGAN.

    Args:
        size: "tiny", "small" or "paper".
        shape: `(height, width, channels)` of pictures in [-1, 1].
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `rate` (a number, or start, end and images), that of
            the critic (`critic_rate`, likewise), `batch`, `gamma` and `every` of R1, `half_life`
            of the averages, `mixing` (probability), `truncation` (psi), `latent` (also the size of
            a style), `depth` of the mapping, `styling` ("adain" or "demodulation"), and `widths`,
            `group` and `critic` (see `nets.style`).
    """
    s = choose(SIZES, size, overrides)
    check_word(s, "styling", ("adain", "demodulation"))
    count, nets = 2 * style.levels(shape), {"widths": s["widths"], "seed": seed}
    terms = partial(_discriminator_terms, R1(s["gamma"], every=s["every"]))
    checked = {"weights": {"r1": s["gamma"]}, "penalties": ("r1",) if s["every"] == 1 else ()}
    turns = (
        Turn("discriminator", ("discriminator",), terms, **checked),
        Turn("generator", ("mapping", "generator"), _generator_terms),
    )
    description = Game(
        players={
            "mapping": style.mapping(s["latent"], s["latent"], s["depth"], seed=seed),
            "generator": style.synthesis(shape, style=s["latent"], styling=s["styling"], **nets),
            "discriminator": style.critic(shape, group=s["group"], plain=s["critic"], **nets),
        },
        turns=turns,
        samplers={
            **{name: normal(s["latent"]) for name in ("z", "z2")},
            "cut": style.cuts(count, s["mixing"]),
            "noise": normal(style.noise_size(shape)),
        },
        ema={name: Ema(s["half_life"]) for name in ("mapping", "generator")},
        memory={"styles": style.RunningMean(s["latent"])},
        sample=partial(_truncated, s["truncation"]),
        arranged={"cut": lambda n: [count] * n},
        equilibrium=balanced(SIDES),  # D = 1/2: 2 ln 2 for it, -log 1/2 for G
    )
    rates = {"discriminator": s["critic_rate"], "generator": s["rate"]}
    optimizers = {turn: adam(rate, 0.99, 1e-8) for turn, rate in rates.items()}
    return Recipe(description, optimizers, s["batch"])


def _fake(model, draw):
    """Return pictures of mixed styles `(batch, *shape)`, and the styles of z."""
    w, of_z = style.mixed(model.player("mapping"), draw, model.game.players["generator"])
    return model.player("generator")({"w": w, "noise": draw["noise"]}), of_z


def _discriminator_terms(penalty, model, batch, draw):
    judge = model.player("discriminator")
    with no_gradient():
        fake = ops.stop_gradient(_fake(model, draw)[0])
    r, f, found = scores_and_penalties(model, judge, batch["x"], fake, draw, (penalty,))
    return {"adv": SIDES.discriminator(r, f), **found}, {"real": ops.mean(r), "fake": ops.mean(f)}


def _generator_terms(model, batch, draw):
    fake, w = _fake(model, draw)
    if model.learning:
        model.memory("styles").update(w)
    return {"adv": SIDES.generator(None, model.player("discriminator")(fake))}


def _truncated(psi, model, draw):
    net, mapping = model.best("generator"), model.best("mapping")
    mean, share = model.memory("styles").mean.value, 1.0 if model.as_trained else psi
    w, _ = style.mixed(lambda z: mean + share * ops.subtract(mapping(z), mean), draw, net)
    return shown(model, net({"w": w, "noise": draw["noise"]}))
