"""Which normals a detector is fitted on, which scale its parts and its maps, which give p."""

from gantools.errors import ALL_FAILED, UserError

from .calibration.crossfit import FEWEST
from .calibration.split import bucket, keys, split, undivided

LEAST_TO_SCALE = 20  # normals, where there are that many


def enough(count, place, what, remedy="Add normal examples."):
    """Refuse to learn from too few normals.

    Args:
        count: Of normals.
        place: Where they are.
        what: They are.
        remedy: A sentence.

    Raises:
        UserError: fewer than `FEWEST`.
    """
    if count < FEWEST:
        raise UserError(
            f"{place} has {count} {what} to learn from. Expected at least {FEWEST}; below that "
            f"nothing could get a p-value under {1 / FEWEST:.2g}. {remedy}",
            ALL_FAILED,
        )


def divide(normals, seed, same=None, asked=True):
    """Return `(fit, calibration-A, calibration-B)` items: whole groups, copies together.

    The early-stopping part of `split.split` belongs to A, which scales the parts of the score: the
    detectors stop by time, not by a score.

    Args:
        normals: Items.
        seed: Another seed, another division.
        same: Name -> name of the picture that it copies, see `split.keys`.
        asked: Whether groups are those of --groups: see `split.undivided`.

    Raises:
        UserError: one of the three would have fewer than 5 items.
    """
    parts, place = split(normals, seed, same), keys(normals, same)
    first, second = shared_out([*parts.early, *parts.calibration], place, seed)
    chosen = [parts.fit, first, second]
    if min(len(part) for part in chosen) < 5:
        raise undivided(normals, same, asked)
    return tuple([normals[i] for i in part] for part in chosen)


def shared_out(rest, place, seed):
    """Return `(calibration-A, calibration-B)`: two sevenths to A.

    A only scales the parts and the maps, which is not sensitive; every item of B makes the p-values
    finer. Where items are few A gets up to 20 of them, but at most a third, or half where there are
    groups: A also says how odd the oddest of a group is.

    Args:
        rest: Numbers of held-out items.
        place: Key of each item; items of one key stay together.
        seed: Of the order.
    """
    order = sorted(rest, key=lambda i: (bucket(place[i], seed, "half"), place[i], i))
    own = [place[i] for i in order]
    most = len(own) // (2 if len(set(own)) < len(own) else 3)
    cut = max(2 * len(own) // 7, min(LEAST_TO_SCALE, most))
    while 0 < cut < len(own) and own[cut] == own[cut - 1]:
        cut += 1  # a group is never divided
    return order[:cut], order[cut:]
