"""The settings of a game: one of its sizes, changed by what the caller overrides."""

from collections.abc import Mapping

import keras
from keras import ops

from gantools.core import DiffAugment, Linear, SpectralNormalization
from gantools.errors import UserError
from gantools.nets import dcgan, resnet
from gantools.nets.blocks import unchanged

EXTENT = ("batch", "generator", "discriminator", "hidden", "latent", "widths")  # how large it is


def choose(sizes: Mapping[str, dict], size: str, overrides: Mapping) -> dict:
    """Return a copy of `sizes[size]` with overrides.

    Args:
        sizes: A game's SIZES: name -> settings.
        size: Name of a size.
        overrides: Setting -> value. A dict changes single entries: `generator={"width": 8}`. With
            `faithful=True`, of games that have it, everything but `EXTENT` is that of "paper":
            rates, weights, penalties and averages are as much of a method as its losses.

    Raises:
        UserError: no such size or no such setting.
    """
    if size not in sizes:
        raise UserError(f"size must be one of {', '.join(sizes)}. Received: size={size!r}.")
    settings = dict(sizes[size])
    unknown = sorted(set(overrides) - set(settings))
    if unknown:
        raise UserError(
            f"Unknown settings {', '.join(unknown)}. This game has: {', '.join(settings)}."
        )
    if overrides.get("faithful"):
        settings |= {k: value for k, value in sizes["paper"].items() if k not in EXTENT}
    for name, value in overrides.items():
        old = settings[name]
        settings[name] = {**old, **value} if isinstance(old, dict) else value
    return settings


def check_word(settings: Mapping, name: str, words: tuple[str, ...]) -> None:
    """Refuse a setting that is none of the words that a game knows.

    Raises:
        UserError: another word.
    """
    if settings[name] not in words:
        raise UserError(
            f"{name} must be one of {', '.join(words)}. Received: {name}={settings[name]!r}."
        )


def augmentation(settings: Mapping, shape: tuple[int, ...]):
    """Return what `duel(augment=...)` takes: settings say it in words, or as an object of Python.

    Args:
        settings: "augment" is a policy of `DiffAugment`, what `duel` takes, or None; "fill" is the
            value of what comes in from outside of the picture.
        shape: Of one sample.

    Raises:
        UserError: an unknown policy, or one that does not fit the shape.
    """
    given = settings["augment"]
    return DiffAugment(given, shape, fill=settings["fill"]) if isinstance(given, str) else given


def networks(settings: Mapping, shape: tuple[int, ...], seed: int, wrap=unchanged):
    """Return `(generator, critic)` of a game whose critic must not be normalised by batches.

    Args:
        settings: "generator" and "critic", what `nets.dcgan` takes where the generator has
            "widths", else what `nets.resnet` does.
        shape: Of one sample.
        seed: Same seed, same weights.
        wrap: Applied to every layer of the critic that has a kernel.
    """
    made, judge = settings["generator"], {**settings["critic"], "seed": seed, "wrap": wrap}
    if "widths" in made:
        critic = dcgan.discriminator(shape, norm_kind="none", **judge)
        return dcgan.generator(shape, seed=seed, **made), critic
    return resnet.generator(shape, seed=seed, **made), resnet.critic(shape, **judge)


def adam(rate, beta_2: float, epsilon: float = 1e-7):
    """Return Adam without momentum; a rate is a number, or start, end and images between them."""
    rate = Linear(*rate) if isinstance(rate, tuple) else rate
    return keras.optimizers.Adam(rate, 0.0, beta_2, epsilon)


def spectral(layer):
    """Wrap a layer in spectral normalisation, keeping its name and precision.

    The `wrap` argument of the networks. Source: arXiv 1802.05957, algorithm 1.
    """
    return SpectralNormalization(layer, name=layer.name, dtype=layer.dtype_policy)


def switched(before: float, after: float, images: int) -> Linear:
    """Return the schedule that is `before` for that many images and `after` from then on."""
    return Linear(before, after, images + 1, begin=images)


def shown(model, made):
    """Return samples clipped to [-1, 1], as they are looked at, unless `model.as_trained`."""
    return made if model.as_trained else ops.clip(made, -1.0, 1.0)
