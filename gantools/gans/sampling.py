"""Samples of a trained model along ways between latents."""

import numpy as np

from gantools.errors import UserError


def interpolated(model, n: int, seed: int = 0, columns: int = 8) -> np.ndarray:
    """Return samples of which each row goes from one latent to another along the great circle.

    Args:
        model: A trained `AdversarialModel` whose generator takes the draw "z".
        n: Number of samples, rounded up to whole rows.
        seed: Seed of the latents at the ends.
        columns: Samples in a row.

    Returns:
        float32 `(rows * columns, ...)`.

    Raises:
        UserError: the game has no latents "z".
    """
    import keras

    if "z" not in model.game.samplers:
        raise UserError("This game has no latents to interpolate between. Sample it without.")
    rows = -(-n // columns)
    drawn = model.game.samplers["z"](2 * rows, keras.random.SeedGenerator(seed), {})
    ends = np.asarray(keras.ops.convert_to_numpy(drawn), np.float32).reshape(2, rows, -1)
    way = np.linspace(0, 1, columns, dtype=np.float32)
    between = slerp(ends[0][:, None], ends[1][:, None], way[None, :, None])
    z = between.reshape(rows * columns, *drawn.shape[1:])
    return np.concatenate([model.predict_on_batch(z[i : i + 64]) for i in range(0, len(z), 64)])


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
