"""DiscoGAN: discover the relation between two heaps of samples by going there and back.

Kim et al. 2017, "Learning to Discover Cross-Domain Relations with Generative Adversarial Networks",
arXiv 1703.05192.

    D_b minimises  E -log D_b(b) + E -log(1 - D_b(G_b(a))), and D_a alike
    G_a, G_b minimise  sum over both ways of  adv E -log D_b(G_b(a)) + recon E (G_a(G_b(a)) - a)^2
        + match sum_l mean (mean_batch f_l(b) - mean_batch f_l(G_b(a)))^2

f_l are features of D. The paper has adv = recon = 1, match = 0 and one update each: `form="paper"`.
Its code, which made the figures, differs (`form="code"`, the default): adv = 0.1 (1 - rho),
match = 0.9 (1 - rho), recon = rho; rho = 0.01 in the first 10 000 iterations, then 0.5; D moves in
every third iteration, both G in the other two; the losses of D are halved.

Differs from the paper:
- the size `paper` has the code's form, too; `form="paper"` is what the paper says;
- pictures are in [-1, 1], G ends with tanh instead of a sigmoid; no 100-dimensional bottleneck;
- small: narrow networks, and rho rises after 5 000 pictures, a quarter of what two minutes of one
  core take; tiny: for tests.
"""

import keras
from keras import ops

from gantools.core import Ema, Game, Linear, Turn, objective, uniform
from gantools.gans import domains
from gantools.gans.balance import balanced
from gantools.gans.recipe import Recipe
from gantools.gans.settings import check_word, choose
from gantools.nets import discogan

TITLE = "Learning to Discover Cross-Domain Relations with GANs"
SOURCE = "arXiv 1703.05192"
DATA = "domains"
SIDES = objective("nonsaturating")
_PAPER = {"form": "code", "rate": 2e-4, "recon": 1.0, "half_life": None, "batch": None}
_PAPER["begin"] = 10_000 * 64 // 3  # an iteration uses one minibatch, a cycle three
_PAPER["generator"] = _PAPER["discriminator"] = discogan.PAPER
_TINY = {"begin": 8, "batch": 4, "generator": {"widths": (4, 8)}}
_TINY["discriminator"] = {"widths": (4, 8)}
_SMALL = {"begin": 5_000, "half_life": 10_000, "batch": 32}
_SMALL["generator"] = _SMALL["discriminator"] = {"widths": (32, 64, 128)}
SIZES = {"tiny": {**_PAPER, **_TINY}, "small": {**_PAPER, **_SMALL}, "paper": _PAPER}
# form: (updates of both G, factor of D's loss, weight decay, batch)
FORMS = {"code": (2, 0.5, 1e-5, 64), "paper": (1, 1.0, 1e-4, 200)}


def game(size="small", shape=(64, 64, 3), *, target=None, seed=0, **overrides) -> Recipe:
    """Return the recipe of DiscoGAN.

    Args:
        size: "tiny", "small" or "paper" (made for 64x64).
        shape: `(height, width, channels)` of the pictures "a" in [-1, 1], or `(n,)` of points.
        target: The same of the samples "b"; None: as `shape`.
        seed: Seed of the initial weights.
        **overrides: Of the size's settings: `form` ("code" or "paper"), `rate`, `recon` (factor of
            the reconstruction's weight; 0 makes two unrelated GANs), `begin` (pictures after which
            rho rises), `batch` (None: the form's), `half_life` of the averaged generators in
            images or None, `generator` and `discriminator` (dicts, see `nets.discogan`; for points,
            widths are hidden units).

    Raises:
        UserError: another `form`, or samples "a" and "b" of other sides.
    """
    s = choose(SIZES, size, overrides)
    check_word(s, "form", tuple(FORMS))
    repeats, half, decay, batch = FORMS[s["form"]]
    target = domains.same_sides(shape, target, points=True)
    players = {
        "to_b": discogan.translator(shape, target, seed=seed, **s["generator"]),
        "to_a": discogan.translator(target, shape, seed=seed + 1, **s["generator"]),
        "critic_b": discogan.critic(target, seed=seed + 2, **s["discriminator"]),
        "critic_a": discogan.critic(shape, seed=seed + 3, **s["discriminator"]),
    }
    decay = {"decay": decay}
    critics, both = ("critic_b", "critic_a"), ("to_b", "to_a")
    turns = (
        Turn("critics", critics, _critic_terms, weights={"a": half, "b": half, **decay}),
        Turn("generators", both, _generator_terms, repeats, weights=_weights(s) | decay),
    )
    description = Game(
        players,
        turns,
        samplers={"a": uniform(*shape)},
        ema={name: Ema(s["half_life"]) for name in both if s["half_life"]},
        sample=lambda model, draw: model.best("to_b")(draw["a"]),
        # D = 1/2: 2 ln 2 for each critic, -log 1/2 for each G; "adv" is the sum of both G.
        equilibrium=balanced(SIDES, ("critics/b", "critics/a"), ("generators/adv",), ways=2),
    )
    adam = {turn.name: keras.optimizers.Adam(s["rate"], beta_1=0.5) for turn in turns}
    return Recipe(description, adam, s["batch"] or batch)


def _weights(s):
    if s["form"] == "paper":
        return {"adv": 1.0, "match": 0.0, "recon": s["recon"]}
    step = lambda before, after: Linear(before, after, s["begin"] + 1, s["begin"])  # noqa: E731
    match, recon = step(0.9 * 0.99, 0.9 * 0.5), step(0.01 * s["recon"], 0.5 * s["recon"])
    return {"adv": step(0.1 * 0.99, 0.1 * 0.5), "match": match, "recon": recon}


def _critic_terms(model, batch, draw):
    score = lambda side, x: model.player(f"critic_{side}")(x)[0]  # noqa: E731
    terms, shown = domains.critic_terms(score, batch, domains.both_fakes(model, batch), SIDES)
    return terms | {"decay": domains.weight_decay(model, ("critic_b", "critic_a"))}, shown


def _generator_terms(model, batch, draw):
    terms = {"adv": 0.0, "match": 0.0, "recon": 0.0}
    for near, far in (("a", "b"), ("b", "a")):
        fake = model.player(f"to_{far}")(batch[near])
        score, found = model.player(f"critic_{far}")(fake)
        _, wanted = model.player(f"critic_{far}")(batch[far])
        back = model.player(f"to_{near}")(fake)
        terms["adv"] += SIDES.generator(None, score)
        terms["recon"] += ops.mean(ops.square(ops.subtract(back, batch[near])))
        terms["match"] += domains.feature_distance(wanted, found)
    return terms | {"decay": domains.weight_decay(model, ("to_b", "to_a"))}
