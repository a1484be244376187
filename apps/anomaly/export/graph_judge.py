"""From the raw parts of members to score and p as nodes of an ONNX graph, see `calibration.judge`.

Items lie in rows: `(n, parts)` a member.
"""

import numpy as np

from gantools.data.onnx import TYPES

from ..calibration.parts import HIGH
from .graph_pieces import constant, mean, total

TIES = "An item whose score equals that of calibration normals gets the largest p of the tie."
EQUAL = 1e-5  # of scores: nearer ones tie, so that rounding does not tell equal rows apart


def facts_of(model) -> dict[str, str]:
    """Return what a user of the file of any model has to know of score and p, key -> text."""
    return {
        "detector": model.kind,
        "parts": ",".join(model.judge.ranking),
        "p": f"Share of normals at least as odd, by {model.judge.calibration.rule().held}. {TIES} "
        "Normals that were fitted on are not recognised.",
    }


def judged(g, members, judge):
    """Add "score" and "p" `(n,)` and return the name of the mean raw parts `(n, parts)`.

    Args:
        g: `Graph`.
        members: Names of the raw parts `(n, parts)` of each member, in the order of the ranking.
        judge: `judge.Judge`.
    """
    scores = [_combined(g, one, scale) for one, scale in zip(members, judge.scales, strict=True)]
    folds = judge.calibration.folds if judge.is_crossed else (judge.calibration,)
    counts = [_counted(g, fold, one) for fold, one in zip(folds, scores, strict=True)]
    counted = g.node("Sum", constant(g, [1]), *counts)
    g.node("Div", counted, constant(g, judge.calibration.size + 1), out="p")
    g.node("Mean", *scores, out="score")
    return g.node("Mean", *members)


def _combined(g, parts, scales):
    """Return the score `(n,)` of raw parts, as `PartScales.combine`."""
    median, q90 = np.array(scales.median), np.array(scales.q90)
    moved = g.node("Sub", parts, constant(g, median))
    moved = g.node("Mul", moved, constant(g, 1 / (q90 - median)))
    moved = g.node("Clip", moved, constant(g, 0), constant(g, HIGH))
    return mean(g, g.node("Log", g.node("Add", moved, constant(g, 1))), 1)


def _counted(g, fold, scores):
    """Return how many normals, or shares of groups, are at least as odd as scores `(n,)`."""
    over = g.node("Unsqueeze", scores, g.numbers(1))
    over = g.node("LessOrEqual", over, constant(g, fold.scores + EQUAL))
    over = g.node("Cast", over, to=TYPES["float32"])
    over = g.node("Mul", over, constant(g, fold.weights)) if fold.groups else over
    return total(g, over, 1)
