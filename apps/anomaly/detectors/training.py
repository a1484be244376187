"""The restorer's training data: normals, damaged afresh in every step."""

import numpy as np

from gantools.data.damage import PICTURES, check_table, damage
from gantools.quiet import import_core

from .fitting import train

# Share of the range in which scans are restored. A tanh reaches the black of -1 only at infinity,
# where it has no slope: whole slices were drawn black and stayed so.
ROOM = 0.9


def trained_restorer(pictures, *, size, table, steps, minutes, seed, out, progress, room=1.0):
    """Return `(model, facts)` of a restorer trained on normals; see `fitting.train`.

    Args:
        pictures: float32 `(n, h, w, c)` in [-1, 1].
        size: Size of the game.
        table: Kind of damage -> probability, or None.
        steps, minutes, seed, out, progress: Of `fitting.train`.
        room: Share of the range that the pictures are brought to.
    """
    core = import_core()
    from gantools.gans import restorer

    table = check_table(PICTURES if table is None else table)
    recipe = restorer.game(size, pictures.shape[1:], seed=seed)
    pictures = pictures if room == 1 else np.float32(room) * pictures

    def spoil(batch, random):
        spoilt, mask = damage(batch["x"], random, table=table, donors=pictures)
        return {**batch, "damaged": np.concatenate([spoilt, mask], axis=-1)}

    if len(pictures) < recipe.batch:  # few normals: each several times in a minibatch
        pictures = np.resize(pictures, (recipe.batch, *pictures.shape[1:]))
    stream = core.Stream(pictures, recipe.batch, seed=seed, transform=spoil)
    return train(
        recipe, stream, minutes=minutes, seed=seed, out=out, steps=steps, progress=progress
    )
