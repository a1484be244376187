"""Networks that are told a class, or asked for one: wrappers around any generator and critic.

A told generator takes {"z": `(batch, latent)`, "y": `(batch,)` int32}, a told critic {"x", "y"}.
The critics that are wrapped end, as all of ours, in a layer "score" on flat features phi(x).
"""

import math
from collections.abc import Callable, Mapping
from functools import partial

import keras

from gantools.errors import UserError
from gantools.nets import dcgan
from gantools.nets.blocks import (
    Layers,
    activate,
    layer_seed,
    norm,
    normal,
    picture,
    scaled,
    uniform,
)
from gantools.nets.mlp import MaxPieces

CONDITIONS = ("branches", "concatenation", "projection")
# Mirza & Osindero 2014, arXiv 1411.1784, section 4.1.
PAPER_MLP_GENERATOR = {"latent": 100, "branches": (200, 1000), "joint": 1200}
PAPER_MLP_DISCRIMINATOR = {"branches": ((240, 5), (50, 5)), "joint": (240, 4)}


def networks(
    condition: str,
    shape: tuple[int, ...],
    classes: int,
    *,
    embed: int,
    generator: Mapping,
    discriminator: Mapping,
    seed: int = 0,
) -> tuple[keras.Model, keras.Model]:
    """Return a told generator and a told critic.

    Args:
        condition: "projection" or "concatenation", for networks of `nets.dcgan`, or "branches",
            for the MLPs of the paper.
        shape: Shape of one sample.
        classes: Number of classes.
        embed: See `told_generator`.
        generator: Options of `nets.dcgan.generator` or `mlp_generator`.
        discriminator: Options of `nets.dcgan.discriminator` or `mlp_discriminator`.
        seed: Same seed, same weights.

    Raises:
        UserError: another `condition`, or options of other networks.
    """
    if condition not in CONDITIONS:
        raise UserError(
            f"condition must be one of {', '.join(CONDITIONS)}. Received: condition={condition!r}."
        )
    if (condition == "branches") == ("widths" in generator):
        raise UserError(
            'condition="branches" takes MLPs, as size "paper" has them, and the others networks '
            f"with widths. Received: condition={condition!r}, generator={dict(generator)}."
        )
    if condition == "branches":
        return (
            mlp_generator(shape, classes, seed=seed, **generator),
            mlp_discriminator(shape, classes, seed=seed, **discriminator),
        )
    judge = partial(dcgan.discriminator, seed=seed, **discriminator)
    if condition == "projection":
        critic = projection(judge(shape), classes, seed=seed)
    else:
        critic = concatenation(judge, shape, classes)
    make = partial(dcgan.generator, shape, seed=seed)
    return told_generator(make, classes, embed, seed=seed, **generator), critic


@keras.saving.register_keras_serializable(package="gantools")
class OneHot(keras.layers.Layer):
    """Classes `(batch,)` int32 -> `(batch, classes)` with one 1 in each row.

    Args:
        classes: Number of classes.
        **options: Of a Keras layer.
    """

    def __init__(self, classes: int, **options):
        super().__init__(**options)
        self.classes = classes

    def call(self, y):
        """Return the vectors."""
        return keras.ops.one_hot(y, self.classes, dtype=self.compute_dtype)

    def compute_output_spec(self, y):
        """Return `(batch, classes)`."""
        return keras.KerasTensor((*y.shape, self.classes), dtype=self.compute_dtype)

    def get_config(self):
        """Return the arguments of the layer."""
        return {**super().get_config(), "classes": self.classes}


def told_generator(
    make: Callable, classes: int, embed: int, *, latent: int, seed: int = 0, **options
) -> keras.Model:
    """Return a generator {"z", "y"} -> samples, of one that takes longer latents.

    Args:
        make: Callable with `latent=` and `options` -> generator, `(batch, latent)` -> samples.
        classes: Number of classes.
        embed: Learnt numbers for each class, appended to z; 0 appends the class as a unit vector.
        latent: Size of z.
        seed: Same seed, same embedding.
        **options: For `make`.
    """
    z, y = keras.Input((latent,), name="z"), class_input()
    told = embedding(y, classes, embed, normal(1.0), seed) if embed else OneHot(classes)(y)
    x = keras.layers.Concatenate(name="z_and_y")([z, told])
    net = make(latent=latent + (embed or classes), **options)
    return keras.Model({"z": z, "y": y}, net(x), name="generator")


def projection(net: keras.Model, classes: int, *, seed: int = 0) -> keras.Model:
    """Return a critic {"x", "y"} -> scores `(batch, 1)`: score(x) + <embedding(y), phi(x)>.

    Args:
        net: A critic, `(batch, *shape)` -> scores.
        classes: Number of classes.
        seed: Same seed, same embedding.

    Source: Miyato & Koyama 2018, arXiv 1802.05637, eq. 3.
    """
    phi, y = features(net), class_input()
    size = phi.shape[-1]
    told = embedding(y, classes, size, scaled(1.0, "fan_avg"), seed)
    inner = keras.layers.Dot(axes=1, dtype="float32", name="projection")([told, phi])
    total = keras.layers.Add(dtype="float32", name="told_score")([net.output, inner])
    return keras.Model({"x": net.input, "y": y}, total, name="discriminator")


def concatenation(make: Callable, shape: tuple[int, ...], classes: int) -> keras.Model:
    """Return a critic {"x", "y"} -> scores that sees the class as further channels of the picture.

    Args:
        make: Callable `shape -> critic`; it gets `classes` channels more.
        shape: Shape of one sample, `(*space, channels)`.
        classes: Number of classes; each has a channel, 1 everywhere or 0 everywhere.
    """
    x, y = keras.Input(tuple(shape), name="x"), class_input()
    tiled = keras.layers.RepeatVector(math.prod(shape[:-1]))(OneHot(classes)(y))
    tiled = keras.layers.Reshape((*shape[:-1], classes))(tiled)
    both = keras.layers.Concatenate(name="x_and_y")([x, tiled])
    net = make((*shape[:-1], shape[-1] + classes))
    return keras.Model({"x": x, "y": y}, net(both), name="discriminator")


def heads(
    net: keras.Model,
    sizes: Mapping[str, int],
    *,
    hidden: int = 0,
    norm_kind: str = "batch",
    seed: int = 0,
) -> keras.Model:
    """Return a critic `(batch, *shape)` -> [scores, *one tensor `(batch, size)` a head], float32.

    All heads read the features under the score: the critic and what reads the class share them.

    Args:
        net: A critic.
        sizes: Name of a head -> units.
        hidden: Units of one hidden layer that the heads share; 0: none.
        norm_kind: Normalisation of the hidden layer.
        seed: Same seed, same weights.
    """
    make = Layers(seed, normal(0.02))
    x = features(net)
    if hidden:
        x = make.dense(x, "heads", hidden, use_bias=norm_kind == "none", init=scaled(2**0.5))
        x = activate(norm(x, norm_kind, "heads_norm"), "leaky_relu")
    read = [make.dense(x, name, size, dtype="float32") for name, size in sizes.items()]
    return keras.Model(net.input, [net.output, *read], name="discriminator")


def features(net: keras.Model):
    """Return the flat features `(batch, size)` under the score of a critic.

    Raises:
        UserError: the critic has no layer "score".
    """
    if "score" not in [layer.name for layer in net.layers]:
        raise UserError(f"Expected a critic that ends in a layer 'score'. Received: {net.name!r}.")
    return net.get_layer("score").input


def class_input():
    """Return the input "y": `(batch,)` int32."""
    return keras.Input((), dtype="int32", name="y")


def embedding(y, classes: int, size: int, init: Callable, seed: int):
    """Return learnt numbers of a class: `(batch,)` int32 -> `(batch, size)`."""
    start = init(layer_seed(seed, "embedding"))
    return keras.layers.Embedding(classes, size, start, name="embedding")(y)


def mlp_generator(
    shape: tuple[int, ...],
    classes: int,
    *,
    latent: int = 100,
    branches: tuple[int, int] = (200, 1000),
    joint: int = 1200,
    dropout: float = 0.5,
    seed: int = 0,
) -> keras.Model:
    """Return the paper's generator {"z", "y"} -> `(batch, *shape)` float32 in [-1, 1].

    Args:
        shape: Shape of one sample.
        classes: Number of classes.
        latent: Size of z.
        branches: Units of the layer that z has, and that y has, before they are joined.
        joint: Units of the layer of both.
        dropout: Share of the joint units that is dropped in training.
        seed: Same seed, same weights and same dropout.

    Source: Mirza & Osindero 2014, arXiv 1411.1784, section 4.1.
    """
    make = Layers(seed, uniform(0.05))
    z, y = keras.Input((latent,), name="z"), class_input()
    parts = [make.dense(z, "z_branch", branches[0])]
    parts += [make.dense(OneHot(classes)(y), "y_branch", branches[1])]
    x = keras.layers.Concatenate()([activate(part, "relu") for part in parts])
    x = activate(make.dense(x, "joint", joint), "relu")
    x = keras.layers.Dropout(dropout, seed=layer_seed(seed, "drop"))(x)
    x = keras.layers.Reshape(tuple(shape))(make.dense(x, "out", math.prod(shape)))
    return keras.Model({"z": z, "y": y}, picture(x, "tanh"), name="generator")


def mlp_discriminator(
    shape: tuple[int, ...],
    classes: int,
    *,
    branches: tuple[tuple[int, int], tuple[int, int]] = ((240, 5), (50, 5)),
    joint: tuple[int, int] = (240, 4),
    dropout: float = 0.5,
    seed: int = 0,
) -> keras.Model:
    """Return the paper's discriminator {"x", "y"} -> logits `(batch, 1)`: maxout layers.

    Args:
        shape: Shape of one sample.
        classes: Number of classes.
        branches: `(units, pieces)` of the layer that x has, and that y has.
        joint: `(units, pieces)` of the layer of both.
        dropout: Share of hidden units that is dropped in training.
        seed: Same seed, same weights and same dropout.

    Source: as `mlp_generator`.
    """
    make = Layers(seed, uniform(0.005))
    x, y = keras.Input(tuple(shape), name="x"), class_input()
    parts = [_maxout(make, keras.layers.Flatten()(x), "x_branch", *branches[0])]
    parts += [_maxout(make, OneHot(classes)(y), "y_branch", *branches[1])]
    both = keras.layers.Concatenate()(parts)
    both = keras.layers.Dropout(dropout, seed=layer_seed(seed, "drop0"))(both)
    both = _maxout(make, both, "joint", *joint)
    both = keras.layers.Dropout(dropout, seed=layer_seed(seed, "drop1"))(both)
    return keras.Model({"x": x, "y": y}, make.score(both), name="discriminator")


def _maxout(make: Layers, x, name: str, units: int, pieces: int):
    return MaxPieces(pieces)(make.dense(x, name, units * pieces))
