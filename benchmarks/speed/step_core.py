"""The step-time benchmark's own side: a cycle played by `gantools.core`."""

import math

import keras

from benchmarks.speed.step_cases import ADAM, POOL
from gantools.core import R1, R2, AdversarialModel, GradientPenalty, duel
from gantools.gans import cyclegan

PENALTIES = {None: (), "gp": (GradientPenalty(10.0),), "r1r2": (R1(1.0), R2(1.0))}


def game(case, up="transpose", reuse=False):
    """Return the `Game` of a case; averaged copies are left out, as the rivals have none.

    Args:
        case: A `Case`.
        up: How DCGAN's generator doubles its maps.
        reuse: Whether the generator moves on the fakes that the critic has just seen.
    """
    if case.family == "translation":
        settings = {"generator": case.generator, "discriminator": case.critic}
        recipe = cyclegan.game("small", case.shape, half_life=None, pool=POOL, **settings)
        return recipe.game
    return duel(
        *case.networks(up).values(),
        objective=case.objective,
        penalties=PENALTIES[case.penalty],
        repeats=case.repeats,
        reuse=reuse,
    )


def cycle(case, **options):
    """Return `(play, parameters)`: a callable that plays one cycle, and network -> its weights.

    Args:
        case: A `Case`.
        **options: Of `game`.
    """
    description = game(case, **options)
    model = AdversarialModel(description)
    model.compile({turn.name: keras.optimizers.Adam(**ADAM) for turn in description.turns})
    return player(model, {"minibatches": case.pictures()}), parameters(description.players)


def player(model, data):
    """Return a callable that makes one training step on `data`, as `fit` makes it."""
    if keras.backend.backend() != "tensorflow":
        return lambda: model.train_on_batch(data)
    import tensorflow as tf

    step = model.make_train_function() or model.train_function
    batches = iter(tf.data.Dataset.from_tensors((data,)).cache().repeat())
    return lambda: step(batches)


def parameters(networks):
    """Return network -> number of its trainable weights, of a dict of Keras models."""
    count = lambda net: sum(math.prod(v.shape) for v in net.trainable_variables)  # noqa: E731
    return {name: count(net) for name, net in networks.items()}
