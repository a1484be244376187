"""ALAD: a BiGAN with two more discriminators that make encoder and generator invert each other.

Zenati et al. 2018, "Adversarially Learned Anomaly Detection", arXiv 1812.02288.

    D_xz, D_xx, D_zz minimise  -log D(1st) - log(1 - D(2nd))  of the pairs
        (x, E(x)), (G(z), z);   (x, x), (x, G(E(x)));   (z, z), (z, E(G(z)))
    G and E minimise the same three with the roles swapped
    A(x) = |f(x, x) - f(x, G(E(x)))|_1, f the last hidden layer of D_xx

E and the discriminators are spectrally normalised; scores come from averaged networks.

Differs from the paper:
- means in place of sums; one Adam moves the three discriminators; GroupNorm in G; G and E are also
  pulled by 1 x |x - G(E(x))|_1; `faithful=True`: no pull, batch norm in G, the paper's rate;
- no layer of these goes without it, none has another norm or dropout; f is a dense layer;
- small: narrow networks; tiny: for tests; points `(d,)` get dense networks.
"""

import keras
from keras import ops

from gantools.core import Ema, Game, Turn, normal, objective
from gantools.core.gradients import no_gradient
from gantools.gans.balance import balanced
from gantools.gans.recipe import Recipe
from gantools.gans.scoring import apart, looked
from gantools.gans.settings import choose, spectral
from gantools.nets import pyramid

TITLE = "Adversarially Learned Anomaly Detection (ALAD)"
SOURCE = "arXiv 1812.02288"
SIDES = objective("nonsaturating")
JUDGES = ("d_xz", "d_xx", "d_zz")
_PAPER = {"faithful": True, "rate": 2e-4, "batch": 32, "pull": 0.0, "latent": 100, "hidden": 128}
_PAPER |= {"half_life": 22_000, "widths": (128, 256, 512)}  # decay 0.999 a step of 32
_SMALL = {**_PAPER, "faithful": False, "rate": 4e-4, "batch": 64, "half_life": 5_000, "pull": 1.0}
_SMALL |= {"latent": 32, "widths": (16, 32, 64)}
_TINY = {**_SMALL, "batch": 4, "latent": 8, "widths": (4, 8), "hidden": 8}
SIZES = {"tiny": _TINY, "small": _SMALL, "paper": _PAPER}


def game(size="small", shape=(32, 32, 3), *, seed=0, **overrides) -> Recipe:
    """Return the recipe of ALAD.

    Args:
        size: "tiny", "small" or "paper" (32x32).
        shape: `(height, width, channels)` of pictures in [-1, 1], or `(d,)` of points.
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `faithful`, `rate`, `batch`, `half_life` of averages in
            images or None, `pull` (weight of the pixels), `latent`, `widths`, `hidden` units.
    """
    s = choose(SIZES, size, overrides)
    latent, wrap = s["latent"], {"wrap": spectral} if len(shape) > 1 else {}
    options = {"widths": s["widths"], "hidden": s["hidden"], "seed": seed, **wrap}
    x, z = tuple(shape), (latent,)
    pairs = {"d_xz": {"x": x, "z": z}, "d_xx": {"x": x, "y": x}, "d_zz": {"z": z, "y": z}}
    norm = "batch" if s["faithful"] else "layer"
    nets = pyramid.pair(x, latent=latent, widths=s["widths"], up_norm=norm, seed=seed, **wrap)
    judges = {name: pyramid.judge(pairs[name], name=name, **options) for name in JUDGES}
    pull = {"weights": {"pixels": s["pull"]}}
    second = Turn("generator", tuple(nets), _generator_terms, **pull)
    turns = (Turn("discriminator", JUDGES, _discriminator_terms), second)
    averaged = {name: Ema(s["half_life"]) for name in (*nets, "d_xx")} if s["half_life"] else {}
    # Each D = 1/2 of both kinds of pairs: 2 ln 2, for G and E too, who play the same game swapped.
    losses = ([f"{turn.name}/{name}" for name in JUDGES] for turn in turns)
    balance, players = balanced(SIDES, *losses, swapped=True), {**nets, **judges}
    description = Game(players, turns, {"z": normal(latent)}, averaged, equilibrium=balance)
    adam = {turn.name: keras.optimizers.Adam(s["rate"], beta_1=0.5) for turn in turns}
    return Recipe(description, adam, s["batch"])


def score_parts(model, x):
    """Return name -> scores `(n,)` of samples `(n, *shape)`; "alad" is the paper's."""
    return explained(model, x)[0]


def explained(model, x):
    """Return `(parts, G(E(x)))`."""
    return looked(model, x, _look, ("generator", "encoder", "d_xx"))


def _pairs(model, x, z):
    encode, make = model.player("encoder"), model.player("generator")
    code, made = encode(x), make(z)
    again = make(code)
    xz = {"x": x, "z": code}, {"x": made, "z": z}
    xx = {"x": x, "y": x}, {"x": x, "y": again}
    zz = {"z": z, "y": z}, {"z": z, "y": encode(made)}
    return dict(zip(JUDGES, (xz, xx, zz), strict=True)), again


def _discriminator_terms(model, batch, draw):
    with no_gradient():
        pairs, _ = _pairs(model, batch["x"], draw["z"])
    return _losses(model, keras.tree.map_structure(ops.stop_gradient, pairs))


def _generator_terms(model, batch, draw):
    pairs, again = _pairs(model, batch["x"], draw["z"])
    swapped = {name: pair[::-1] for name, pair in pairs.items()}
    return {**_losses(model, swapped), "pixels": ops.mean(apart(batch["x"], again))}


def _losses(model, pairs):
    """Return the loss of every judge whose first pair is to be called real."""
    judged = {n: [model.player(n)(pair)[0] for pair in both] for n, both in pairs.items()}
    return {name: SIDES.discriminator(*both) for name, both in judged.items()}


def _look(nets, x):
    made = nets["generator"](nets["encoder"](x))
    (_, same), (score, other) = (nets["d_xx"]({"x": x, "y": a}) for a in (x, made))
    return {
        "alad": apart(same, other),
        "features_l2": apart(same, other, 2),
        "logits": ops.softplus(-score[:, 0]),
        "residual": apart(x, made),
        "restored": made,
    }
