"""f-AnoGAN: an encoder learns AnoGAN's search once and for all.

Schlegl et al. 2019, "f-AnoGAN: Fast unsupervised anomaly detection with generative adversarial
networks", Medical Image Analysis 54, doi 10.1016/j.media.2019.01.010; after arXiv 1703.05921.

    E minimises  |x - G(E(x))|^2 + k |f(x) - f(G(E(x)))|^2,  k = 1  ("izi_f");  A(x) = the same

with means over elements; f is the critic's last activation. G and critic are a Wasserstein GAN.

Differs from the paper:
- E learns beside G from the first cycle on; the non-saturating loss with R1 and one critic update
  in place of WGAN-GP: 4 times cheaper; GroupNorm in G, which is averaged; with `faithful=True`
  first G and critic alone play (`game`), then E alone (`encoder_stage`): WGAN-GP of weight 10 with
  5 critic updates, batch norm in G, the paper's rates, RMSProp, no average;
- paper: faithful, so that `gantools train` trains no E; `gantools anomaly --faithful` does;
- plain convolutions, no norm in critic and E, whose code is not squashed; small: narrow; tiny: for
  tests; points get dense.
"""

import dataclasses

import keras
from keras import ops

from gantools.core import R1, Ema, Game, GradientPenalty, Turn, duel
from gantools.gans.recipe import Recipe
from gantools.gans.scoring import apart, looked
from gantools.gans.settings import choose
from gantools.nets import pyramid

TITLE = "Fast unsupervised anomaly detection with GANs (f-AnoGAN)"
SOURCE = "arXiv 1703.05921"
_PAPER = {"faithful": True, "rate": 1e-4, "batch": 64, "penalty": 10.0, "kappa": 1.0}
_PAPER |= {"half_life": None, "latent": 128, "widths": (64, 128, 256, 512)}
_SMALL = {**_PAPER, "faithful": False, "rate": 4e-4, "penalty": 1.0, "half_life": 5_000}
_SMALL |= {"latent": 32, "widths": (16, 32, 64)}
_TINY = {**_SMALL, "batch": 4, "latent": 8, "widths": (4, 8)}
SIZES = {"tiny": _TINY, "small": _SMALL, "paper": _PAPER}


def game(size="small", shape=(64, 64, 1), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of f-AnoGAN; a faithful one has no encoder's turn, see `encoder_stage`.

    Args:
        size: "tiny", "small" or "paper" (64x64).
        shape: `(height, width, channels)` of pictures in [-1, 1], or `(d,)` of points.
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `faithful`, `rate`, `batch`, `penalty` (gamma of R1, or
            lambda of the gradient penalty), `kappa`, `half_life` of the averaged generator in
            images or None, `latent`, `widths` of the networks.
    """
    s = choose(SIZES, size, overrides)
    true = s["faithful"]
    norm = "batch" if true else "layer"
    nets = pyramid.pair(shape, latent=s["latent"], widths=s["widths"], up_norm=norm, seed=seed)
    description = duel(
        nets["generator"],
        pyramid.judge({"x": shape}, widths=s["widths"], seed=seed),
        objective="wasserstein" if true else "nonsaturating",
        penalties=(GradientPenalty(s["penalty"]) if true else R1(s["penalty"]),),
        repeats=5 if true else 1,
        ema=Ema(s["half_life"]) if s["half_life"] else None,
    )
    nets["encoder"].kappa = s["kappa"]  # a faithful game has no turn that could tell it later
    players = {**description.players, "encoder": nets["encoder"]}
    turns = (*description.turns, *(() if true else (_encoder_turn(s["kappa"]),)))
    betas = {"beta_1": 0.0, "beta_2": 0.9} if true else {"beta_1": 0.5}
    adam = {turn.name: keras.optimizers.Adam(s["rate"], **betas) for turn in turns}
    return Recipe(dataclasses.replace(description, players=players, turns=turns), adam, s["batch"])


def encoder_stage(model, *, rate=5e-5, batch=64) -> Recipe:
    """Return the recipe of the second stage: E learns, the trained G and critic stand still."""
    kappa = model.game.players["encoder"].kappa
    description = Game(
        players={name: model.best(name) for name in model.game.players},
        turns=(_encoder_turn(kappa),),
        samplers=model.game.samplers,
    )
    return Recipe(description, {"encoder": keras.optimizers.RMSprop(rate)}, batch)


def score_parts(model, x):
    """Return name -> scores `(n,)` of samples `(n, *shape)`; "f_anogan" is the paper's."""
    return explained(model, x)[0]


def explained(model, x):
    """Return `(parts, G(E(x)))`; "latent" is |E(x) - E(G(E(x)))|^2, the paper's second score."""
    parts, made = looked(model, x, _look, ("generator", "discriminator", "encoder"))
    kappa = model.game.players["encoder"].kappa
    return {"f_anogan": parts["residual"] + kappa * parts["features"], **parts}, made


def _encoder_turn(kappa):
    return Turn("encoder", ("encoder",), _encoder_terms, weights={"features": kappa})


def _encoder_terms(model, batch, draw):
    x, judge = batch["x"], model.player("discriminator")
    made = model.best("generator")(model.player("encoder")(x), training=False)
    wanted = ops.stop_gradient(judge(x, training=False)[1])
    features = apart(judge(made, training=False)[1], wanted, 2)
    return {"pixels": ops.mean(apart(x, made, 2)), "features": ops.mean(features)}


def _look(nets, x):
    code = nets["encoder"](x)
    made = nets["generator"](code)
    wanted, found = (nets["discriminator"](a)[1] for a in (x, made))
    return {
        "residual": apart(x, made, 2),
        "features": apart(wanted, found, 2),
        "latent": apart(code, nets["encoder"](made), 2),
        "restored": made,
    }
