"""The two-player game: one generator, one discriminator."""

from keras import ops

from gantools.core import gradients
from gantools.core import penalties as penalty
from gantools.core.game import Game, Turn
from gantools.core.objectives import objective as find_objective
from gantools.core.samplers import normal


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
):
    """Return the game of a generator against a discriminator.

    Args:
        generator: Keras model, latents `(batch, ...)` -> samples `(batch, *shape)`.
        discriminator: Keras model, samples -> scores (logits), any shape per sample.
        objective: Name in `OBJECTIVES` or an `Objective`.
        penalties: `Penalty` values of the discriminator's turn.
        latent: Sampler of the generator's input; None for standard normal of its input shape.
        repeats: Discriminator updates per generator update.
        augment: Callable `(x, draw) -> x`, differentiable, applied to everything that the
            discriminator sees; penalties differentiate by the picture before it.
        ema: `Ema` of the generator, or None.
        clip: Weight clipping of the discriminator after its update (WGAN), or None.
        samplers: More samplers by name, for `augment`.

    Returns:
        A `Game` with the turns "discriminator" and "generator". It logs the term "adv", every
        penalty by its name, and the mean scores "real" and "fake".
    """
    sides = find_objective(objective)
    look = augment or (lambda x, draw: x)

    def critic(model, draw):
        return lambda x: model.player("discriminator")(look(x, draw))

    def discriminator_terms(model, batch, draw):
        real = batch["x"]
        with gradients.no_gradient():  # this turn does not move the generator
            fake = ops.stop_gradient(model.player("generator")(draw["z"]))
        r, f, terms = penalty.scores_and_penalties(
            model, critic(model, draw), real, fake, draw, penalties
        )
        shown = {"real": ops.mean(r), "fake": ops.mean(f)}
        return {"adv": sides.discriminator(r, f), **terms}, shown

    def generator_terms(model, batch, draw):
        score = critic(model, draw)
        f = ops.cast(score(model.player("generator")(draw["z"])), "float32")
        r = ops.cast(score(batch["x"]), "float32") if sides.paired else None
        return {"adv": sides.generator(r, f)}

    turns = (
        Turn(
            "discriminator",
            ("discriminator",),
            discriminator_terms,
            repeats=repeats,
            weights={p.name: p.weight for p in penalties},
            penalties=tuple(p.name for p in penalties),
            clip=clip,
        ),
        Turn("generator", ("generator",), generator_terms),
    )
    return Game(
        players={"generator": generator, "discriminator": discriminator},
        turns=turns,
        samplers={
            "z": latent or normal(*generator.input_shape[1:]),
            **penalty.samplers(penalties),
            **(samplers or {}),
        },
        ema={"generator": ema} if ema else {},
        equilibrium={f"{side}/adv": value for side, value in sides.equilibrium.items()},
    )
