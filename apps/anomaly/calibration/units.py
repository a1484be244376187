"""What drift checks and streams count: items, or groups where items come in such.

Twenty slices of one normal patient are odd together or not at all. Counted as twenty they ring
without reason (a batch of them in 20 of 100 cases, a stream of 15 patients in 36), so a group is
one: by its own p where normal groups give one, else by one item of it.
"""

from dataclasses import dataclass

import numpy as np

from .calibrate import uniforms

NO_GROUPS = (
    "The normals come in groups and the items in none that are known: they cannot be compared as a "
    "whole. Give --groups."
)
TOO_FEW = "The normals are of too few groups to compare new ones with."


@dataclass(frozen=True, eq=False)
class Units:
    """What is compared with the calibration normals, each independent of the others.

    Attributes:
        word: "item" or "group".
        members: Numbers of the items of each.
        scores, p: `(u,)`; NaN where there is none.
        hashes: `(u,)`, which draw places among equal scores.
        normals: Scores of as many independent calibration normals, or groups of them.
        reason: Why nothing can be compared, or "".
    """

    word: str
    members: list
    scores: np.ndarray
    p: np.ndarray
    hashes: list
    normals: np.ndarray
    reason: str = ""


def compared(groups, scored, judge) -> Units:
    """Return what of some items is compared with the normals of a judge.

    Args:
        groups: `(n,)` names, None where unknown.
        scored: `fitted.Scored` of the items.
        judge: `judge.Judge`.
    """
    members = together(groups)
    if judge.is_grouped:
        return _groups(groups, members, scored, judge)
    if len(members) == len(groups):
        own = [[i] for i in range(len(groups))]
        return Units("item", own, scored.scores, scored.p, scored.hashes, judge.normal_scores)
    # No two normals are known to belong together: one item of a group is to them what one of them
    # is to the others. Source: Dunn, Wasserman, Ramdas 2022, arXiv 1809.07441, subsampling.
    # Not by the hash itself: its draw decides ties, and the smallest would win them all.
    drawn = uniforms(f"one of its group {text}" for text in scored.hashes)
    one = [min(rows, key=lambda i: (np.isnan(scored.p[i]), drawn[i])) for rows in members]
    hashes = [scored.hashes[i] for i in one]
    return Units(
        "group", members, scored.scores[one], scored.p[one], hashes, judge.normal_scores
    )  # fmt: skip


def together(groups):
    """Return the item numbers of each group, by first appearance; None is a group of its own."""
    found = {}
    for i, name in enumerate(groups):
        found.setdefault((i,) if name is None else name, []).append(i)
    return list(found.values())


def worth(groups):
    """Return how many independent items those of such groups are worth at least.

    Of groups of one size it is their number, and less where one holds most of the items.

    Source: Kish 1965, Survey Sampling: (sum of weights)^2 / sum of squares; items of one group
        taken to be equal.
    """
    sizes = np.array([len(rows) for rows in together(groups)], float)
    return float(sizes.sum() ** 2 / np.sum(sizes**2)) if len(sizes) else 0.0


def _groups(groups, members, scored, judge):
    """Return groups that have a score of their own; items of no group are left out."""
    named = [rows for rows in members if groups[rows[0]] is not None]
    told = [scored.groups.get(groups[rows[0]]) for rows in named]
    reason = TOO_FEW if judge.groups is None or None in told else "" if named else NO_GROUPS
    if reason:
        nothing = np.empty(0)
        return Units("group", [], nothing, nothing, [], nothing, reason)
    p = np.array([one[2] for one in told])
    scores = np.where(np.isnan(p), np.nan, [one[1] for one in told])  # seen before: passed over
    names = [groups[rows[0]] for rows in named]
    return Units("group", named, scores, p, names, judge.groups.calibration.scores)
