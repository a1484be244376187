"""AnoGAN: how far is a picture from everything that a generator of normals can draw?

Schlegl et al. 2017, "Unsupervised Anomaly Detection with Generative Adversarial Networks to Guide
Marker Discovery", arXiv 1703.05921.

    L(z) = (1 - w) |x - G(z)|_1 + w |f(x) - f(G(z))|_1,  w = 0.1;   A(x) = min over z of L(z)

f is the discriminator's last convolution. The latent is searched for every picture, from several
starts, with both networks frozen (`gantools.core.inversion`).

Differs from the paper:
- means in place of sums, so that the size of the picture does not shift the weight of f; 150 steps
  and 4 restarts, not 500 steps from one start; GroupNorm in G, none in D; R1, an averaged G;
  `faithful=True` has the paper's of all these, and DCGAN's batch norms and rate;
- Adam with a falling rate searches z; small: narrow; tiny: for tests; points `(d,)` get dense nets.
"""

import keras

from gantools.core import R1, Ema, duel, uniform
from gantools.core.inversion import Search
from gantools.gans.recipe import Recipe
from gantools.gans.scoring import apart, apart_in_sum, kept, looked
from gantools.gans.settings import choose
from gantools.nets import pyramid

TITLE = "Unsupervised Anomaly Detection with GANs to Guide Marker Discovery (AnoGAN)"
SOURCE = "arXiv 1703.05921"
WEIGHT = 0.1
PLAYERS = ("generator", "discriminator")  # that score
_PAPER = {
    "faithful": True,
    "rate": 2e-4,
    "batch": 64,
    "gamma": 0.0,
    "half_life": None,
    "generator": {"latent": 100, "widths": (512, 256, 128, 64)},
    "discriminator": {"widths": (64, 128, 256, 512)},
}
_SMALL = {
    **_PAPER,
    "faithful": False,
    "rate": 4e-4,
    "gamma": 0.5,
    "half_life": 5_000,
    "generator": {"latent": 32, "widths": (64, 32, 16)},
    "discriminator": {"widths": (16, 32, 64)},
}
_TINY = {**_SMALL, "batch": 4, "generator": {"latent": 8, "widths": (8, 4)}}
SIZES = {"tiny": {**_TINY, "discriminator": {"widths": (4, 8)}}, "small": _SMALL, "paper": _PAPER}


def game(size="small", shape=(64, 64, 1), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of AnoGAN.

    Args:
        size: "tiny", "small" or "paper".
        shape: `(height, width, channels)` of pictures in [-1, 1], or `(d,)` of points.
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `faithful`, `rate`, `batch`, `gamma` of R1 or 0,
            `half_life` of the averaged generator in images or None, `generator` and
            `discriminator` (dicts, see `nets.pyramid`).
    """
    s = choose(SIZES, size, overrides)
    norms = {"norm_kind": "batch", "up": "transpose"} if s["faithful"] else {"norm_kind": "layer"}
    norms = {"norm_kind": "none"} if len(shape) == 1 else norms
    critic_norm = "batch" if s["faithful"] and len(shape) > 1 and not s["gamma"] else "none"
    description = duel(
        pyramid.decoder(shape, seed=seed, **{**norms, **s["generator"]}),
        pyramid.judge({"x": shape}, seed=seed, **{"norm_kind": critic_norm, **s["discriminator"]}),
        objective="nonsaturating",
        penalties=(R1(s["gamma"]),) if s["gamma"] else (),
        latent=uniform(s["generator"]["latent"]),
        ema=Ema(s["half_life"]) if s["half_life"] else None,
    )
    adam = {turn.name: keras.optimizers.Adam(s["rate"], beta_1=0.5) for turn in description.turns}
    return Recipe(description, adam, s["batch"])


def score_parts(model, x, **options):
    """Return name -> scores `(n,)` of `(n, *shape)`; "anogan" is the paper's; as `explained`."""
    return explained(model, x, **options)[0]


def explained(model, x, steps=150, restarts=4, faithful=False, start=None, seed=0):
    """Return `(parts, nearest samples of G)`.

    Args:
        model: A trained model of this game.
        x: Samples `(n, *shape)` float32.
        steps, restarts, start, seed: Of a call of `gantools.core.inversion.Search`.
        faithful: Sums in place of means, 500 steps, one start.
    """
    far = apart_in_sum if faithful else apart
    options = {"steps": 500, "restarts": 1} if faithful else {"steps": steps, "restarts": restarts}
    search = kept(model, PLAYERS, ("search", far), lambda: _search(model, far))
    z = search(x, start=start, seed=seed, **options).z
    parts, made = looked(model, (x, z), _look, PLAYERS, (far,))
    return {"anogan": (1 - WEIGHT) * parts["residual"] + WEIGHT * parts["features"], **parts}, made


def _search(model, far):
    """Return the search for the latents of samples, compiled."""
    generator, judge = (model.best(name) for name in PLAYERS)

    def describe(x):
        return x, judge(x, training=False)[1]

    def distance(made, wanted):
        seen = judge(made, training=False)[1]
        return (1 - WEIGHT) * far(made, wanted[0]) + WEIGHT * far(seen, wanted[1])

    return Search(generator, distance, prior="uniform", describe=describe, networks=(judge,))


def _look(nets, x, z, far):
    made = nets["generator"](z)
    seen = [nets["discriminator"](a)[1] for a in (x, made)]
    return {"residual": far(x, made), "features": far(*seen), "restored": made}
