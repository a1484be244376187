"""The settings of a game: one of its sizes, changed by what the caller overrides."""

from collections.abc import Mapping

from keras import ops

from gantools.core import Linear, SpectralNormalization
from gantools.errors import UserError


def choose(sizes: Mapping[str, dict], size: str, overrides: Mapping) -> dict:
    """Return a copy of `sizes[size]` with overrides.

    Args:
        sizes: A game's SIZES: name -> settings.
        size: Name of a size.
        overrides: Setting -> value. A dict changes single entries: `generator={"width": 8}`.

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
    for name, value in overrides.items():
        old = settings[name]
        settings[name] = {**old, **value} if isinstance(old, dict) else value
    return settings


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
