"""Items that nobody has divided: each half is scored by a model of the other."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from . import fitted
from .calibration.split import bucket, held_together
from .dividing import enough


def halves(looked, items, place, fit_one, settings, *, out=None, maps=None, say, progress=None):
    """Fit on each half of the items and score the other.

    Args:
        looked: Of pictures or of a table.
        items: All items.
        place: Key of each item; items of one key stay together.
        fit_one: As `job.fit`.
        settings, out, maps, say, progress: As for `fit` and `Fitted.score`; a stopped training of
            each half goes on in a folder of its own.

    Returns:
        `(items, Scored in their order, the last model)`.

    Raises:
        UserError: a half has too few normals.
    """
    side = sides(place, settings.seed)
    number = {item.name: i for i, item in enumerate(items)}
    half_time = replace(settings, minutes=settings.minutes / 2)
    others = []
    for half in (0, 1):
        rest = tuple(item for item, s in zip(items, side, strict=True) if s != half)
        others.append(replace(looked, collection=replace(looked.collection, items=rest)))
        _enough_in_half(others[-1], items, place, settings)
    found, models = {}, []
    for half, part in enumerate(others):
        own = None if out is None else Path(out) / str(half)
        models.append(fit_one(part, half_time, out=own, say=say, progress=progress))
        mine = [item for item, s in zip(items, side, strict=True) if s == half]
        keep = maps and (lambda i, item, heat: maps(number[item.name], item, heat))
        found[half] = models[-1].score(looked.reader, mine, maps=keep)
    models[-1].facts["settings"]["minutes"] = settings.minutes  # as asked for, not of one half
    return items, _joined(side, found, tuple(models)), models[-1]


def sides(place, seed):
    """Return which half each item is in, `(n,)` int, 0 or 1.

    The keys are in the halves in turn, in an order of chance: by chance alone one half of 20
    patients would have 7 or fewer in every fourth job.

    Args:
        place: Key of each item; items of one key stay together.
        seed: Of the order.
    """
    order = sorted(set(place), key=lambda key: (bucket(key, seed, "fold"), key))
    turn = {key: number % 2 for number, key in enumerate(order)}
    return np.array([turn[key] for key in place])


def _enough_in_half(looked, items, place, settings):
    """Refuse to learn from a half of the items with too few normals."""
    where, remedy = f"Nothing is divided, and one half of {looked.collection.root.name}", ""
    if len(set(place)) < len(place):
        left = f"{len(set(place))} of {len(place)} to divide"
        why, remedy = held_together(items, len(set(place)), settings.groups is not None)
        where += f" ({why or 'groups and copies stay together'}, which leaves {left})"
    enough(len(looked.normals()), where, "normals", remedy or "Add normal examples.")


def _joined(side, found, models):
    """Return one `Scored` in the order of the items from those of the two halves."""

    def column(pick, kind=float):
        out = np.empty(len(side), kind)
        for half, scored in found.items():
            out[side == half] = pick(scored)
        return out

    names = column(lambda s: s.names, object).tolist()
    hashes = column(lambda s: s.hashes, object).tolist()
    parts = {n: column(lambda s, n=n: s.parts[n]) for n in found[0].parts}
    judges = tuple(model.judge for model in models)
    groups = found[0].groups | found[1].groups if all(j.groups for j in judges) else {}
    return fitted.Scored(
        names, hashes, parts, column(lambda s: s.scores), column(lambda s: s.p),
        found[0].errors | found[1].errors, groups, (judges, side), models,
    )  # fmt: skip
