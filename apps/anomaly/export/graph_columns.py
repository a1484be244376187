"""Columns of a table as nodes of an ONNX graph: cells in, the numbers of `tables.columns` out.

All in float64, as the program computes it. Words are looked up whole, so nothing is cut from them:
cells come without spaces around them, as a table's do when it is read.
"""

from functools import cached_property

import numpy as np

from gantools.data.onnx import TYPES
from gantools.data.tables import MISSING

from ..tables.columns import CLIP, FALSE, GRAMS, SURPRISE, TRUE

TEXT, NUMBER = "string", "float64"  # kinds of inputs
OF_TEXT = 4  # numbers of a text as a whole
PIECES = OF_TEXT + GRAMS
DAY = 86400
_WHOLE = "(0|[1-9][0-9]{0,199})"
_POWER = "([eE][+-]?[0-9]{1,2})"  # beyond that the engine's reading of texts fails
# `data.tables.number`: no padded number, no whole one that a float64 may not keep.
READABLE = (
    rf"[+-]?((0|[1-9][0-9]{{0,14}})|{_WHOLE}{_POWER}|{_WHOLE}\.[0-9]{{0,200}}{_POWER}?"
    rf"|\.[0-9]{{1,200}}{_POWER}?|[iI][nN][fF]([iI][nN][iI][tT][yY])?)"
)


def any_of(words):
    """Return the regular expression of some words in capitals, small letters or both."""
    return "|".join(
        "".join(f"[{c}{c.upper()}]" if c.isalpha() else f"[{c}]" for c in word)
        for word in sorted(words)
    )


class Cells:
    """The cells of one input, as the encoders of columns need them.

    Args:
        g: `Graph` of opset 20.
        x: Name of the input `(n,)`.
        kind: `TEXT`, or `NUMBER` with NaN where a cell is missing.
    """

    def __init__(self, g, x, kind):
        self.g, self.x, self.kind = g, x, kind

    @cached_property
    def gone(self):
        """Where cells are missing, as `columns.absent`."""
        return self.says(MISSING) if self.kind == TEXT else self.g.node("IsNaN", self.x)

    @cached_property
    def number(self):
        """The cells as float64, NaN where they are none, as `columns.as_numbers`."""
        if self.kind == NUMBER:
            return self.x
        read = self.g.node("RegexFullMatch", self.x, pattern=READABLE)
        nan = self.g.constant(np.array("nan", object))
        return self.g.node("Cast", self.g.node("Where", read, self.x, nan), to=TYPES[NUMBER])

    def says(self, words):
        """Return where texts are one of some words."""
        return self.g.node("RegexFullMatch", self.x, pattern=any_of(words))


def encoded(cells, column):
    """Return the name of `Column.encode` `(n, width)`, float64.

    Args:
        cells: `Cells`; of dates seconds since 1970, infinite where a text is no date; of free text
            `(n, PIECES)`: `columns._text_numbers`, then the counts of its pieces.
        column: `columns.Column`.
    """
    g = cells.g
    parts = ENCODERS[column.kind](g, cells, column.facts)
    parts = [x if wide else g.node("Unsqueeze", x, g.numbers(1)) for x, wide in parts]
    x = parts[0] if len(parts) == 1 else g.node("Concat", *parts, axis=1)
    return g.node("Clip", x, _of(g, -CLIP), _of(g, CLIP))


def _number(g, cells, facts):
    nan = g.node("IsNaN", cells.number)
    odd = _choose(g, cells.gone, _lack(facts), _choose(g, nan, SURPRISE, 0))
    return [*_standard(g, cells.number, nan, facts), (odd, False)]


def _standard(g, x, nan, facts):
    """Return `columns._standard` of numbers that are `nan` somewhere: one or two views."""
    x = _choose(g, nan, facts["mean"], x)
    z = _by(g, "Div", _by(g, "Sub", x, facts["mean"]), facts["sd"])
    views = [g.node("Clip", z, _of(g, -CLIP), _of(g, CLIP))]
    if "x" in facts:
        views = [_by(g, "Div", one, np.sqrt(2)) for one in (_rank(g, x, facts), *views)]
    return [(_choose(g, nan, 0, one), False) for one in views]


def _rank(g, x, facts):
    """Return the view by rank: linear between knots, logarithmic beyond the last."""
    knots, ranks = np.array(facts["x"]), np.array(facts["z"])
    inside = g.node("Clip", x, _of(g, knots[0]), _of(g, knots[-1]))
    row = g.node("Unsqueeze", inside, g.numbers(1))
    over = _as(g, g.node("GreaterOrEqual", row, _of(g, knots[:-1])), "int64")
    place = g.node("ReduceSum", over, axes=(1,), keepdims=0)
    place = g.node("Sub", place, g.constant(np.int64(1)))
    low, rank, slope = (
        g.node("Gather", _of(g, table), place)
        for table in (knots[:-1], ranks[:-1], np.diff(ranks) / np.diff(knots))
    )
    along = g.node("Mul", slope, g.node("Sub", inside, low))
    beyond = g.node("Sub", x, inside)
    far = _by(g, "Add", _by(g, "Div", g.node("Abs", beyond), facts["scale"]), 1)
    far = g.node("Mul", g.node("Sign", beyond), g.node("Log", far))
    return g.node("Add", g.node("Add", rank, along), far)


def _boolean(g, cells, facts):
    x = cells.number
    if cells.kind == TEXT:
        x = _choose(g, cells.says(TRUE), 1, _choose(g, cells.says(FALSE), 0, x))
    spread = max(np.sqrt(facts["share"] * (1 - facts["share"])), 0.1)
    z = _by(g, "Div", _by(g, "Sub", x, facts["share"]), spread)
    plain = g.node("Or", *(g.node("Equal", x, _of(g, value)) for value in (0, 1)))
    odd = _choose(g, cells.gone, _lack(facts), _choose(g, plain, 0, SURPRISE))
    return [(_choose(g, g.node("IsNaN", x), 0, z), False), (odd, False)]


def _constant(g, cells, facts):
    value = facts["value"]
    x, value = (
        (cells.number, _of(g, value)) if isinstance(value, float)
        else (cells.x, g.constant(np.array(value, object)))
    )  # fmt: skip
    same = _choose(g, g.node("Equal", x, value), 0, SURPRISE)
    return [(_choose(g, cells.gone, _lack(facts), same), False)]


def _category(g, cells, facts):
    place, known, odd = _looked_up(g, cells, facts)
    each = g.constant(np.arange(len(facts["levels"])))
    here = g.node("Equal", g.node("Unsqueeze", place, g.numbers(1)), each)
    return [(_as(g, here, NUMBER), True), (odd, False)]


def _frequency(g, cells, facts):
    place, known, odd = _looked_up(g, cells, facts)
    log, shares = np.log(facts["shares"]), facts["shares"]
    mean = np.average(log, weights=shares)
    sd = np.sqrt(np.average((log - mean) ** 2, weights=shares)) + 0.1
    return [(g.node("Gather", _of(g, [*(mean - log) / sd, 0]), place), False), (odd, False)]


def _looked_up(g, cells, facts):
    """Return the places of words among the levels, where they are known, and how odd they are."""
    place = g.place(cells.x, facts["levels"])
    known = g.node("Less", place, g.constant(np.int64(len(facts["levels"]))))
    odd = _choose(g, cells.gone, _lack(facts), _choose(g, known, 0, SURPRISE))
    return place, known, odd


def _date(g, cells, facts):
    unread = g.node("IsInf", cells.x)
    wrong = g.node("Or", unread, cells.gone)
    day = _by(g, "Div", _choose(g, wrong, 0, cells.x), DAY)
    whole = g.node("Floor", day)
    hour = g.node("Sub", day, whole)
    week = _by(g, "Div", _by(g, "Add", whole, 3), 7)  # 1970 began on a Thursday
    week = g.node("Sub", week, g.node("Floor", week))
    turns = [_by(g, "Mul", one, 2 * np.pi) for one in (hour, week)]
    turns = [t for turn in turns for t in (turn, _by(g, "Add", turn, np.pi / 2))]
    parts = [g.node("Sin", turn) for turn in turns]  # older engines have no Cos of float64
    parts = [(_choose(g, wrong, 0, part), False) for part in parts]
    if facts["age"] is not None:
        age = _by(g, "Div", g.node("Sub", _of(g, facts["last"]), cells.x), DAY)
        parts += _standard(g, age, wrong, facts["age"])
    odd = _choose(g, unread, SURPRISE, _choose(g, cells.gone, _lack(facts), 0))
    return [*parts, (odd, False)]


def _text(g, cells, facts):
    lost = g.node("IsNaN", cells.x)
    x = _choose(g, lost, 0, cells.x)
    numbers, counts = (g.cut(x, 1, *ends) for ends in ((0, OF_TEXT), (OF_TEXT, PIECES)))
    gone = g.cut(lost, 1, 0, 1)
    numbers = g.node("Div", g.node("Sub", numbers, _of(g, facts["mean"])), _of(g, facts["sd"]))
    logs = g.node("Log", _by(g, "Add", counts, 1))
    length = g.node("ReduceSum", g.node("Mul", logs, logs), axes=(1,), keepdims=1)
    logs = g.node("Div", logs, g.node("Max", g.node("Sqrt", length), _of(g, 1)))
    odd = _choose(g, gone, _lack(facts), 0)
    return [(part, True) for part in (_choose(g, gone, 0, numbers), logs, odd)]


ENCODERS = {
    "number": _number,
    "boolean": _boolean,
    "constant": _constant,
    "category": _category,
    "frequency": _frequency,
    "date": _date,
    "text": _text,
}


def _lack(facts):
    """Return the number of a missing cell, as `columns._lack`."""
    return 1 if facts["missing"] else SURPRISE


def _choose(g, where, yes, no):
    """Return `yes` or `no` cell by cell; each a name or a number."""
    return g.node("Where", where, *(v if isinstance(v, str) else _of(g, v) for v in (yes, no)))


def _by(g, operation, x, number):
    """Return an operation of a tensor and a number."""
    return g.node(operation, x, _of(g, number))


def _as(g, x, kind):
    return g.node("Cast", x, to=TYPES[kind])


def _of(g, values):
    """Add float64 numbers and return their name."""
    return g.constant(np.asarray(values, np.float64))
