"""Samples of a trained model along ways between latents, or of one class."""

import numpy as np

from gantools.errors import UserError


def interpolated(model, n: int, seed: int = 0, columns: int = 8, **given) -> np.ndarray:
    """Return samples of which each row goes from one latent to another along the great circle.

    Args:
        model: A trained `AdversarialModel` with the draw "z". If it is told classes, each row is of
            one class.
        n: Number of samples, rounded up to whole rows.
        seed: Seed of the latents at the ends.
        columns: Samples in a row.
        **given: Other draws, as for `AdversarialModel.sample`.

    Returns:
        float32 `(rows * columns, ...)`.

    Raises:
        UserError: the game has no latents "z".
    """
    import keras

    from gantools.core import opponents, parallel

    if "z" not in model.game.samplers:
        raise UserError("This game has no latents to interpolate between. Sample it without.")
    rows = -(-n // columns)
    drawn = model.game.samplers["z"](2 * rows, parallel.SeedGenerator(seed), {})
    ends = np.asarray(keras.ops.convert_to_numpy(drawn), np.float32).reshape(2, rows, -1)
    way = np.linspace(0, 1, columns, dtype=np.float32)
    between = slerp(ends[0][:, None], ends[1][:, None], way[None, :, None])
    z = between.reshape(rows * columns, *drawn.shape[1:])
    arranged = model.game.arranged.items()
    held = {name: np.repeat(np.asarray(make(rows)), columns) for name, make in arranged}
    others = opponents.draws(model, rows, seed + 1, {})  # else a row would flicker
    held |= {n: np.repeat(v, columns, axis=0) for n, v in others.items() if n not in ("z", *held)}
    return model.sample(len(z), seed, z=z, **held | given)


def of_class(model, asked: int | str, class_names=()) -> dict[str, int]:
    """Return what `AdversarialModel.sample` has to be given for samples of one class.

    Args:
        model: A model that is told classes ("y") or finds its own ("category").
        asked: The class: one of `class_names`, or else its number from 0, also as text.
        class_names: Names of the classes 0, 1, ... that the model is told.

    Raises:
        UserError: the game has no classes, not so many, or none of that name.
    """
    draws = [name for name in ("y", "category") if name in model.game.arranged]
    if not draws:
        raise UserError("This game has no classes. Sample it without --class.")
    last, class_names = int(np.max(model.game.arranged[draws[0]](10_000))), list(class_names)
    if asked in class_names:  # first: folders called 3, 5 and 8 are asked for as 3, 5 and 8
        return {draws[0]: class_names.index(asked)}
    try:
        number = int(asked)
    except ValueError:
        number = -1
    if not 0 <= number <= last:
        named = f"{listed(class_names)}, or a number " if class_names else ""
        raise UserError(f"Expected --class {named}from 0 to {last}. Received: {asked}.")
    return {draws[0]: number}


def listed(names) -> str:
    """Return the first ten names for a message, and how many more there are."""
    return ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")


def slerp(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return the point at t between a and b: directions along the great circle, lengths linearly.

    A straight line between two normal latents passes through lengths that never occur in training.

    Args:
        a, b: `(..., latent)`, not zero.
        t: Broadcast against them, 0 gives a, 1 gives b.

    Source: Shoemake 1985, spherical linear interpolation; for latents White 2016, arXiv 1609.04468.
    """
    length_a, length_b = (np.linalg.norm(v, axis=-1, keepdims=True) for v in (a, b))
    a, b = a / length_a, b / length_b
    angle = np.arccos(np.clip(np.sum(a * b, axis=-1, keepdims=True), -1, 1))
    near = np.sin(angle) < 1e-6  # also for opposite ends, where the way is not defined
    sine = np.where(near, 1, np.sin(angle))
    direction = np.where(
        near, (1 - t) * a + t * b, (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / sine
    )
    return direction * ((1 - t) * length_a + t * length_b)
