"""The two-player game: one generator, one discriminator."""

from dataclasses import dataclass

from keras import ops

from gantools.core import gradients
from gantools.core import penalties as penalty
from gantools.core.augment import Augment
from gantools.core.checks import functional
from gantools.core.game import Game, Shared, Turn
from gantools.core.objectives import Objective
from gantools.core.objectives import objective as find_objective
from gantools.core.ops import packed, unpacked
from gantools.core.samplers import normal
from gantools.errors import UserError


def duel(
    generator,
    discriminator,
    *,
    objective="nonsaturating",
    penalties=(),
    latent=None,
    repeats=1,
    augment=None,
    ema=None,
    clip=None,
    samplers=None,
    condition=None,
    pack=1,
    when=None,
    reuse=False,
):
    """Return the game of a generator against a discriminator.

    Args:
        generator: Keras model, latents `(batch, ...)` -> samples `(batch, *shape)`; one that
            is neither functional nor Sequential needs `latent`.
        discriminator: Keras model, samples -> scores (logits), any shape per sample; of several
            outputs the first.
        objective: Name in `OBJECTIVES` or an `Objective`.
        penalties: `Penalty` values of the discriminator's turn, and a `LeCam`.
        latent: Sampler of the generator's input; None for standard normal of its input shape.
        repeats: Discriminator updates per generator update.
        augment: `DiffAugment`, `ADA` or any differentiable callable `(x, draw) -> x`, applied to
            everything that the discriminator sees; penalties differentiate by the picture before.
        ema: `Ema` of the generator, or None.
        clip: Weight clipping of the discriminator after its update (WGAN), or None.
        samplers: More samplers by name, for `augment` and `condition`.
        condition: Name of a draw that both networks are told, of real and fake samples alike, as
            "y" of the sampler `labels`. They then take dicts: "z" or "x", and this name.
        pack: Samples that the discriminator sees at once, joined on their channels (PacGAN); it
            must divide the batch. Penalties are those of a pack.
        when: Condition of the discriminator's updates, see `Turn`: with
            `lambda logs: logs["discriminator/accuracy"] <= 0.8` it waits for the generator.
        reuse: The generator moves on the fakes that the discriminator has just seen, as in DCGAN's
            code, instead of on new ones: one pass through the generator less.

    Returns:
        A `Game` with the turns "discriminator" and "generator". It logs the term "adv", every
        penalty by its name, the mean scores "real" and "fake" and, with `when`, "accuracy": the
        share of scores on the right side of the objective's threshold.

    Raises:
        UserError: `ADA` with an objective without a threshold, packs with a condition or with a
            discriminator of other channels, `reuse` with a condition or with repeats, two penalties
            of one name, or a subclassed model where shapes are needed.
    """
    sides = find_objective(objective)
    look = augment if isinstance(augment, Augment) else Augment(augment)
    look.check(sides, repeats)
    penalty.check_names(penalties)
    check_pack(pack, generator, discriminator, condition)
    if reuse and (condition or repeats > 1):
        raise UserError(
            "Fakes are reused by a generator without a condition that moves as often as the "
            f"discriminator. Received: condition={condition!r}, repeats={repeats}."
        )
    rules = Rules(sides, tuple(penalties), look, condition, pack, when is not None)
    turns = (
        Turn(
            "discriminator",
            ("discriminator",),
            rules.discriminator_terms,
            repeats=repeats,
            weights={p.name: p.weight for p in penalties},
            penalties=tuple(p.name for p in rules.gradient_penalties if p.every == 1),
            clip=clip,
            when=when,
        ),
        Turn("generator", ("generator",), rules.generator_terms),
    )
    return Game(
        players={"generator": generator, "discriminator": discriminator},
        turns=turns,
        samplers={
            "z": latent or normal(*_latent_shape(generator)),
            **penalty.samplers(rules.gradient_penalties),
            **look.samplers,
            **(samplers or {}),
        },
        ema={"generator": ema} if ema else {},
        sample=rules.sample if condition else None,
        equilibrium={f"{side}/adv": value for side, value in sides.equilibrium.items()},
        memory={**look.memory, **{p.name: penalty.ScoreMeans() for p in rules.score_penalties}},
        shared=Shared(("generator",), rules.fakes) if reuse else None,
    )


def _latent_shape(generator):
    """Return the shape of a generator's latents: of its only input, or of that named "z"."""
    inputs = functional(generator, "A duel without latent=").inputs
    named = [t for t in inputs if len(inputs) == 1 or t.name == "z"]
    if not named:
        names = ", ".join(t.name for t in inputs)
        raise UserError(
            f'Expected a generator with an input named "z", or a sampler: latent=. Received: the '
            f"inputs {names}."
        )
    return named[0].shape[1:]


@dataclass(frozen=True)
class Rules:
    """What a duel's two turns minimise.

    Attributes:
        objective, penalties, augment, condition, pack: As in `duel`, checked.
        accuracy: Whether to log it.
    """

    objective: Objective
    penalties: tuple
    augment: Augment
    condition: str | None
    pack: int
    accuracy: bool

    @property
    def score_penalties(self):
        """Return the penalties that need scores only."""
        return [p for p in self.penalties if isinstance(p, penalty.LeCam)]

    @property
    def gradient_penalties(self):
        """Return the penalties that need the critic's gradient."""
        return [p for p in self.penalties if not isinstance(p, penalty.LeCam)]

    def discriminator_terms(self, model, batch, draw):
        """Return the discriminator's terms, and what is shown besides."""
        with gradients.no_gradient():  # this turn does not move the generator
            fake = ops.stop_gradient(self._fake(model, batch, draw))
        r, f, terms = penalty.scores_and_penalties(
            model,
            self._critic(model, draw),
            packed(batch["x"], self.pack),
            packed(fake, self.pack),
            of_packs(draw, self.pack),
            self.gradient_penalties,
        )
        for p in self.score_penalties:
            terms[p.name] = p.term(model.memory(p.name), r, f, model.learning)
        if model.learning:
            self.augment.observe(r, ops.shape(batch["x"])[0])
        return {"adv": self.objective.discriminator(r, f), **terms}, self._shown(r, f)

    def generator_terms(self, model, batch, draw):
        """Return the generator's only term."""
        score = self._critic(model, draw)
        f = ops.cast(score(packed(self._fake(model, batch, draw), self.pack)), "float32")
        paired = self.objective.paired
        r = ops.cast(score(packed(batch["x"], self.pack)), "float32") if paired else None
        return {"adv": self.objective.generator(r, f)}

    def sample(self, model, draw):
        """Return samples for `AdversarialModel.sample` under the draw's condition."""
        return model(self._told("z", draw["z"], draw))

    def fakes(self, model, batch, draw):
        """Return the fakes of a cycle whose turns share them."""
        return {"fake": self._fake(model, batch, draw)}

    def _fake(self, model, batch, draw):
        if "fake" in batch:
            return batch["fake"]
        made = model.player("generator")(self._told("z", draw["z"], draw))
        return ops.cast(made, "float32")  # where the policy is bfloat16, a plain last layer's too

    def _critic(self, model, draw):
        """Return the function of packs of samples that gives their scores."""

        def score(x):
            x = packed(self.augment(unpacked(x, self.pack), draw), self.pack)
            found = model.player("discriminator")(self._told("x", x, draw))
            return found[0] if isinstance(found, list | tuple) else found

        return score

    def _told(self, name, x, draw):
        return {name: x, self.condition: draw[self.condition]} if self.condition else x

    def _shown(self, r, f):
        shown, threshold = {"real": ops.mean(r), "fake": ops.mean(f)}, self.objective.threshold
        if self.accuracy and threshold is not None:
            right = [ops.mean(ops.cast(side, "float32")) for side in (r > threshold, f < threshold)]
            shown["accuracy"] = sum(right) / 2
        return shown


def of_packs(draw, count):
    """Return the draws of penalties for packs: one "between" a pack, "around" joined like it."""
    if count == 1:
        return draw
    change = {
        "between": lambda u: ops.reshape(u, (-1, count))[:, 0],
        "around": lambda noise: packed(noise, count),
    }
    return {name: change.get(name, lambda x: x)(value) for name, value in draw.items()}


def check_pack(count, generator, discriminator, condition):
    """Refuse packs that the discriminator does not take."""
    if count == 1:
        return
    if condition:
        raise UserError(f"Packs take no condition. Received: pack={count}, condition={condition!r}")
    made, seen = (functional(net, "A game of packs") for net in (generator, discriminator))
    made, seen = made.output_shape[-1], seen.input_shape[-1]
    if seen != count * made:
        raise UserError(
            f"A discriminator of packs takes {count} x {made} channels. Received: {seen} channels."
        )
