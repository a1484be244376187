"""Normals that are held out of a fit, and the level of the maps that held-out normals set.

Pictures of one group, and windows of one picture, look alike: held out one by one, they would be
known already, and the level of the maps would be far too low.
"""

import numpy as np

LEVEL = 0.999  # share of normal pixels that stay under the level of the maps
FEWEST, SHARE = 10, 0.1  # groups that are held out at least: a tenth of them, and up to ten
MANY = 100  # units, from which their tail is known
RARE = 1.5  # standard deviations: one in 15 fresh units reaches so far
PIXELS = 16_384  # of a map that are looked at


def held_out(count, groups=None, *, share, least, most, seed):
    """Return `(held, kept)`: numbers of the items that a fit leaves out, and of the others.

    Args:
        count: Items.
        groups: `(count,)` what belongs together and stays whole, or None.
        share: Of the items that is held out.
        least, most: Items that are held out at least and at most. Of more, in groups that are held
            out as a whole, so many are drawn; the rest is left out of both.
        seed: Of the draw.
    """
    random = np.random.default_rng(seed)
    wanted = min(most, max(least, int(share * count)))
    names, owner = np.unique(np.arange(count) if groups is None else groups, return_inverse=True)
    if len(names) == 1:  # all of one group: nothing can be held out that is not known
        owner = np.arange(count)
    sizes = np.bincount(owner)
    order = random.permutation(len(sizes))
    order = order[np.argsort(sizes[order] > count / 4, kind="stable")]  # what is large is fitted on
    reached = int(np.searchsorted(np.cumsum(sizes[order]), wanted)) + 1
    chosen = min(max(reached, min(FEWEST, int(SHARE * len(sizes)))), len(sizes) - 1)
    place = np.empty(len(sizes), int)
    place[order] = np.arange(len(sizes))
    rows = np.argsort(place[owner], kind="stable")
    cut = int(np.sum(sizes[order[:chosen]]))
    held = rows[:cut]
    return held if cut <= most else random.permutation(held)[:most], rows[cut:]


def level_of(maps, groups=None) -> float:
    """Return the level that 99.9 % of the pixels of normals stay under.

    Few units know little of their tail: then the level is at least what one in 15 fresh units
    reaches, by those of the units taken for log-normal. Of 3 units of 10 near copies, the plain
    quantile leaves 1.6 permille of fresh normals above it, and up to 7 in a single set.

    Args:
        maps: List of arrays of any size, one a picture: its map, or some pixels of it.
        groups: What belongs together, one a map; None takes each picture as a unit of its own.
    """
    pixels = [np.asarray(one).ravel() for one in maps]
    units = {}
    for number, one in enumerate(pixels):
        units.setdefault(number if groups is None else groups[number], []).append(one)
    units = [np.concatenate(unit) for unit in units.values()]
    units = units if len(units) > 1 else pixels  # of one group nothing better is known
    level = np.quantile(np.concatenate(pixels), LEVEL)
    if 1 < len(units) < MANY:
        own = np.log([max(np.quantile(unit, LEVEL), 1e-12) for unit in units])
        wide = np.sqrt(1 + 1 / len(own)) * own.std(ddof=1)
        level = max(level, np.exp(own.mean() + RARE * wide))
    return float(max(level, 1e-6))


def some_pixels(heat):
    """Return pixels of a map, evenly spread, few enough for many maps to be kept: `(k,)`."""
    flat = np.asarray(heat, np.float32).ravel()
    return flat[:: max(1, len(flat) // PIXELS)].copy()
