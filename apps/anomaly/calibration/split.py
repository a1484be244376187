"""Dividing the normals: 65 % to fit, 10 % to stop early, 25 % to calibrate, whole groups each.

The place of a group is a hash of its name and the seed, so that adding files moves nobody, and the
calibration items were never seen by anything that was fitted.
"""

from dataclasses import dataclass

from gantools.data.shards import bucket
from gantools.errors import UserError

from ..items import Item

FIT, EARLY = 6_500, 7_500  # below: fit, early stopping; from there: calibration
FEW = 60  # normals; below, a quarter held out can flag nothing at 5 % with any confidence


@dataclass(frozen=True)
class Split:
    """Indices into the items that were given, each in order.

    Attributes:
        fit: What weights are fitted on.
        early: What decides when to stop, and how parts are weighed.
        calibration: What p-values are counted on, and nothing else.
    """

    fit: tuple[int, ...]
    early: tuple[int, ...]
    calibration: tuple[int, ...]


def keys(items: list[Item] | tuple[Item, ...], copies: dict[str, str] | None = None) -> list[str]:
    """Return what decides the place of each item: its group, or its name.

    Args:
        items: The items.
        copies: name -> name of the picture that it copies, as `audit.duplicates.copies` gives. All
            groups that copies connect count as one, also those that both copy a picture which is
            not among the items: one of the test part. The one bears the first name of the items in
            sorted order; only a new copy with an earlier name can move it.
    """
    own = {item.name: item.group if item.group is not None else item.name for item in items}
    head = {}

    def find(name):
        node = (name not in own, own.get(name, name))  # those of the items come first in order
        while head.setdefault(node, node) != node:
            node = head[node]
        return node

    for name, other in (copies or {}).items():
        a, b = sorted((find(name), find(other)))
        head[b] = a
    return [find(item.name)[1] for item in items]


def split(items, seed: int = 0, copies: dict[str, str] | None = None) -> Split:
    """Divide items by group.

    Args:
        items: Normals, as `Collection.normals` gives them.
        seed: Another seed, another division.
        copies: See `keys`.

    Returns:
        The three parts. With few groups one may be empty: see `folds` and `FEW`.
    """
    places = [bucket(key, seed) for key in keys(items, copies)]
    return Split(
        tuple(i for i, place in enumerate(places) if place < FIT),
        tuple(i for i, place in enumerate(places) if FIT <= place < EARLY),
        tuple(i for i, place in enumerate(places) if place >= EARLY),
    )


def folds(items, count: int = 5, seed: int = 0, copies=None) -> list[tuple[int, ...]]:
    """Divide items into folds of whole groups and nearly equal size, for fewer than 60 normals.

    The largest groups are placed first, each into the smallest fold; ties by hash.

    Returns:
        `count` tuples of indices, some empty when there are fewer groups than folds.
    """
    members = {}
    for i, key in enumerate(keys(items, copies)):
        members.setdefault(key, []).append(i)
    order = sorted(members, key=lambda key: (-len(members[key]), bucket(key, seed, "fold"), key))
    made = [[] for _ in range(count)]
    for key in order:
        min(made, key=len).extend(members[key])
    return [tuple(sorted(fold)) for fold in made]


def full_folds(items, count: int = 5, seed: int = 0, copies=None) -> list[tuple[int, ...]]:
    """Return the folds of `folds` that hold anything.

    Raises:
        UserError: fewer than 3: one is held out, one scales, and something has to be fitted on.
    """
    found = [fold for fold in folds(items, count, seed, copies) if fold]
    if len(found) < 3:
        raise undivided(items, copies)
    return found


def undivided(items, copies=None) -> UserError:
    """Return the error for normals of which too few can be told apart, with what would help."""
    count, places = len(items), len(set(keys(items, copies)))
    if any(item.group is not None for item in items):
        return UserError(
            f"{count} normals in {places} groups cannot be divided into fit and calibration, for "
            "groups stay whole. Add normals of other groups, or leave out --groups."
        )
    copied = f": all but {places} copy another one, and copies stay together"
    return UserError(
        f"{count} normals cannot be divided into fit and calibration"
        f"{copied if places < count else ''}. Add other normals."
    )
