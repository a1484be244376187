"""Dividing the normals: 65 % to fit, 10 % to stop early, 25 % to calibrate, whole groups each.

The place of a group is a hash of its name and the seed, so that adding files moves nobody, and the
calibration items were never seen by anything that was fitted.
"""

from dataclasses import dataclass

from gantools.data.shards import bucket
from gantools.errors import UserError

from ..items import Item
from ..scans.medical import NIFTI, ending

FIT, EARLY = 6_500, 7_500  # below: fit, early stopping; from there: calibration
FEW = 60  # normals, or groups of them; of fewer, a quarter held out can flag nothing at 5 %


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


def is_few(items) -> bool:
    """Return whether there are so few normals that every one is held out once, by folds.

    Groups count as one each, as they do for p; an item of no group counts as one.
    """
    return len({(item.group is None, item.group or item.name) for item in items}) < FEW


def folds(items, count: int = 5, seed: int = 0, copies=None) -> list[tuple[int, ...]]:
    """Divide items into folds of whole groups and nearly equal size, for few normals: `is_few`.

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


def full_folds(
    items, count: int = 5, seed: int = 0, copies=None, asked: bool = True
) -> list[tuple[int, ...]]:
    """Return the folds of `folds` that hold anything.

    Args:
        items, count, seed, copies: As for `folds`.
        asked: As for `undivided`.

    Raises:
        UserError: fewer than 3: one is held out, one scales, and something has to be fitted on.
    """
    found = [fold for fold in folds(items, count, seed, copies) if fold]
    if len(found) < 3:
        raise undivided(items, copies, asked)
    return found


def undivided(items, copies=None, asked: bool = True) -> UserError:
    """Return the error for normals of which too few can be told apart, with what would help.

    Args:
        items: The normals.
        copies: See `keys`.
        asked: Whether their groups are those of --groups, see `held_together`.
    """
    count, places = len(items), len(set(keys(items, copies)))
    cannot = "cannot be divided into fit and calibration"
    why, remedy = held_together(items, places, asked)
    if why:
        return UserError(f"{count} normals {cannot}: {why}, and groups stay whole. {remedy}")
    if any(item.group is not None for item in items):
        return UserError(
            f"{count} normals in {places} groups {cannot}, for groups stay whole. {remedy}"
        )
    copied = f": all but {places} copy another one, and copies stay together"
    return UserError(f"{count} normals {cannot}{copied if places < count else ''}. {remedy}")


def held_together(items, places: int, asked: bool) -> tuple[str, str]:
    """Return `(why, remedy)`: what the headers of scans say belongs together, and what would help.

    Args:
        items: Of few places.
        places: How many they have.
        asked: Whether their groups are those of --groups; then, and of other files, why is "".
    """
    if asked and any(item.group is not None for item in items):
        return "", "Add normals of other groups, or leave out --groups."
    files = {ending(item.path) for item in items if item.series}
    if files & set(NIFTI):
        why = "all are slices of one volume" if places == 1 else f"they are of {places} volumes"
        return why, "Add normals of more volumes."
    if files:
        why = "all bear one PatientID" if places == 1 else f"they bear {places} PatientIDs"
        return why, "Give --groups REGEX on file names, or add normals of more patients."
    grouped = any(item.group is not None for item in items)
    return "", "Add normals of other groups." if grouped else "Add other normals."
