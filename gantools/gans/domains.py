"""What the games between two kinds of samples, a and b, share.

Their players are "to_b", "to_a", "critic_b" and "critic_a". Side "b" is that of the translator from
a to b and of the critic that tells real b from its results.
"""

from keras import ops

from gantools.core.gradients import no_gradient
from gantools.errors import UserError


def same_sides(shape, target, *, points: bool = False) -> tuple[int, ...]:
    """Return the shape of the samples "b": pictures must have the height and width of "a".

    Args:
        shape: `(height, width, channels)` of "a".
        target: The same of "b", or None: as `shape`.
        points: Whether points `(n,)` may take the place of pictures; their sizes are free.

    Raises:
        UserError: they differ in height or width, or are no pictures.
    """
    target = tuple(target or shape)
    if points and len(shape) == len(target) == 1:
        return target
    if len(shape) != 3 or tuple(shape[:2]) != target[:2]:
        raise UserError(
            "A translation needs pictures a and b of equal height and width. "
            f"Received: {tuple(shape)} and {target}. Give --resolution N to fit both to N x N."
        )
    return target


def translations(model, batch, draw=None):
    """Return the translations of a batch, `{"fake_b": to_b(a), "fake_a": to_a(b)}`."""
    to_b, to_a = model.player("to_b"), model.player("to_a")
    return {"fake_b": to_b(batch["a"]), "fake_a": to_a(batch["b"])}


def both_fakes(model, batch):
    """Return the translations of a batch by their side, "b" and "a", without gradients."""
    with no_gradient():
        fakes = translations(model, batch)
        return {side: ops.stop_gradient(fakes[f"fake_{side}"]) for side in ("b", "a")}


def critic_terms(score, batch, fakes, sides):
    """Return the terms of both critics, by their side, and the mean scores, to be shown.

    Args:
        score: Callable `(side, x) -> scores`.
        batch: Holds the real samples "a" and "b".
        fakes: The same for fakes.
        sides: The `Objective`.
    """
    terms, shown = {}, {}
    for side, fake in fakes.items():
        r, f = score(side, batch[side]), score(side, fake)
        terms[side] = sides.discriminator(r, f)
        shown |= {f"real_{side}": ops.mean(r), f"fake_{side}": ops.mean(f)}
    return terms, shown


def feature_distance(wanted, found):
    """Return how far the batch means of features are apart: mean squares, summed over the layers.

    Args:
        wanted: Features of real samples, one tensor `(batch, ...)` a layer; not differentiated.
        found: The same of fakes.

    Source: Salimans et al. 2016, arXiv 1606.03498, section 3.1.
    """
    total = 0.0
    for real, fake in zip(wanted, found, strict=True):
        real, fake = (ops.mean(ops.cast(x, "float32"), axis=0) for x in (real, fake))
        total = total + ops.mean(ops.square(ops.stop_gradient(real) - fake))
    return total


def weight_decay(model, players):
    """Return half the sum of squares of all trainable weights of some players.

    As a term of weight w it adds w times each weight to its gradient: decay before Adam's scaling,
    where Keras' `weight_decay` subtracts it afterwards.
    """
    weights = [v for name in players for v in model.game.players[name].trainable_variables]
    return 0.5 * sum(ops.sum(ops.square(v)) for v in weights)
