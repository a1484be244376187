"""What is refused before the first step: what would fail in it, or silently do nothing.

Each function returns nothing, or what it was asked for, and raises a `UserError`.
"""

import inspect

import numpy as np

from gantools.errors import UserError


def check_players(game):
    """Refuse players that are not built, compute in float16, or have losses that no turn sees.

    A turn minimises its terms and nothing else: regularizers, and what a layer gives to
    `add_loss`, would be dropped without a word. So would the turn of a player that is frozen.
    """
    moving = {name for turn in game.turns for name in turn.players}
    for name, player in game.players.items():
        if not player.built:
            raise UserError(
                f"{name} is not built, so it has no weights. Begin it with keras.Input, or call it "
                "once."
            )
        layers = player._flatten_layers()
        if any(layer.dtype_policy.compute_dtype == "float16" for layer in layers):
            raise UserError(
                f"{name} computes in float16, which needs loss scaling. Use mixed_bfloat16."
            )
        unseen = _unseen_losses(player) if name in moving else []
        if unseen:
            raise UserError(
                f"{name} has {unseen[0]}, and turns minimise their terms alone. Write it as a term "
                "of the turn, and leave it out of the layer."
            )
        if name in moving and not player.trainable_variables:
            raise UserError(
                f"A turn moves {name}, which has no trainable weights, so it would change nothing. "
                f"Set {name}.trainable = True, or take it out of the turn."
            )


def _unseen_losses(player) -> list[str]:
    """Return what adds a loss to a player behind the back of the terms, in words."""
    found = [
        f"a regularizer of {v.path}"
        for v in player.trainable_variables
        if v.regularizer is not None
    ]
    for layer in player._flatten_layers():
        if layer.activity_regularizer is not None:
            found.append(f"an activity regularizer in the layer {layer.name}")
        code = getattr(inspect.unwrap(type(layer).call), "__code__", None)
        # Read, not run: what a layer adds is known only after a call, and on JAX not even then.
        if code and "add_loss" in code.co_names:
            found.append(f"add_loss in the layer {layer.name}")
    return found


def check_weights(turn, terms):
    """Refuse weights and penalties of terms that a turn does not have: they change nothing."""
    unknown = {*turn.weights, *turn.penalties}.difference(terms)
    if unknown:
        raise UserError(
            f"Turn {turn.name!r} has weights or penalties of terms that it does not have: "
            f"{', '.join(sorted(unknown))}. Its terms are {', '.join(sorted(terms))}. Correct the "
            "names."
        )


def check_scalars(turn, terms):
    """Refuse terms that are no scalars: TensorFlow would train on their sum, the others fail.

    Args:
        turn: A `Turn`.
        terms: Name -> tensor.
    """
    for name, value in terms.items():
        if len(value.shape):
            raise UserError(
                f"Expected the term {name!r} of turn {turn.name!r} to be a scalar. Received: shape "
                f"{tuple(value.shape)}. Take its mean: ops.mean(...)."
            )


def check_gradients(turn, variables, grads):
    """Refuse a variable that should move and gets no gradient (JAX gives zeros, cannot tell)."""
    missing = [v.path for v, g in zip(variables, grads, strict=True) if g is None]
    if missing:
        raise UserError(
            f"Turn {turn.name!r} moves {', '.join(missing)}, but its terms do not depend on them. "
            "Remove the player from the turn, or use the network in a term."
        )


def check_alone(others):
    """Refuse what Keras takes beside data, targets and weights: no term would see it.

    Args:
        others: What stands beside the data; None is nothing.
    """
    if any(other is not None for other in others):
        raise UserError(
            "A game takes one dict, as {'x': ..., 'y': ...}, and all in it reaches the terms. "
            "Received: targets, sample weights or class weights beside it. Put labels into the "
            "dict and weights into a term."
        )


def check_labels(samplers, arrays, only=None):
    """Refuse labels that are no integers from 0 to classes - 1, one a sample.

    Inside a step nobody finds them: JAX computes NaN, TensorFlow fails deep in a layer.

    Args:
        samplers: Of a game; those of classes have an attribute `classes`.
        arrays: Name -> array `(n, ...)`.
        only: Name -> indices of the samples in use; None: of all.
    """
    for name, sampler in samplers.items():
        classes = getattr(sampler, "classes", None)
        if classes is None or name not in arrays:
            continue
        y = np.asarray(arrays[name])
        y = y[only[name]] if only else y
        whole = y.dtype.kind in "iu" and y.size == len(y)
        if not whole or (y.size and not 0 <= y.min() <= y.max() < classes):
            span = f", {y.min()} to {y.max()}" if y.size else ""
            raise UserError(
                f"Expected {name!r} to hold one integer a sample, from 0 to {classes - 1}. "
                f"Received: {y.dtype} of shape {y.shape}{span}. Number the classes from 0."
            )


def functional(net, purpose):
    """Return a network that has `inputs` and shapes; refuse one that has none.

    Args:
        net: A Keras model.
        purpose: What they are needed for, the beginning of a sentence.
    """
    if getattr(net, "inputs", None) is None:
        raise UserError(
            f"{purpose} needs a functional or Sequential model that begins with keras.Input. "
            f"Received: {type(net).__name__} {net.name!r}."
        )
    return net
