"""A fitted model of a table as one ONNX file from cells to p, for programs without this package.

In the graph: cells to numbers, distances, scales, the combined score and its rank among held-out
normals. Outside: reading a file, dates as seconds, and the pieces of free text.
"""

import json

from gantools.data.onnx import TYPES, Graph
from gantools.errors import UserError

from ..tables.columns import GRAMS
from .graph_columns import NUMBER, PIECES, TEXT, Cells, encoded
from .graph_judge import facts_of, judged
from .graph_rows import score

OPSET = 20  # texts are compared with patterns
OUTPUTS = ("score", "p", "parts")
HOLDS = {  # what columns hold: kind of the input, and how a cell becomes what it takes
    "number": (NUMBER, "A number is float64, NaN where missing; a word there is NaN, too."),
    "pieces": (
        NUMBER,
        f"Free text is float64 (n, {PIECES}), NaN where missing: log(1 + characters), log(1 + "
        "words), the shares of digits and of capitals among the characters; then how many of the "
        "pieces of three characters of ' ' + the text in small letters + ' ' have the crc32 of "
        f"their UTF-8, modulo {GRAMS}, 0, 1, 2 and so on.",
    ),
    "date": (
        NUMBER,
        "A date is float64 seconds since 1970-01-01 UTC, of a time without a zone as if it were of "
        "UTC; NaN where missing, infinite for a text that is no date.",
    ),
    "text": (
        TEXT,
        "A text is the cell as it stands, without spaces around it, whole numbers without a point; "
        "empty, NA and the like are missing.",
    ),
}
RECIPE = "One input a column, (n,), its rows in one order; some thousand rows at a time."


def exported(model) -> bytes:
    """Return the ONNX file of a model of a table.

    Args:
        model: `tables.model.FittedTable`.

    Returns:
        A graph from one input `(n,)` a column, float64 or texts, of free text `(n, PIECES)`, to
        "score" `(n,)`, "p" `(n,)` and "parts" `(n, parts)`. What the inputs hold is in the file's
        metadata.

    Raises:
        UserError: a part that a graph cannot have.
    """
    inputs = inputs_of(model)
    prefix = "/"
    while any(name.startswith(prefix) for name in inputs):
        prefix += "/"
    g = Graph(OPSET, prefix)
    cells = {told: Cells(g, name, HOLDS[told[1]][0]) for name, told in inputs.items()}
    members = [_parts(g, member, cells, model.judge.ranking) for member in model.members]
    g.node("Identity", judged(g, members, model.judge), out="parts")
    shapes = {"score": (None,), "p": (None,), "parts": (None, len(model.judge.ranking))}
    given = {n: (None, PIECES) if held == "pieces" else (None,) for n, (_, held) in inputs.items()}
    kinds = {name: HOLDS[held][0] for name, (_, held) in inputs.items()}
    return g.file("scorer", given, shapes, kinds, facts(model, inputs))


def facts(model, inputs) -> dict[str, str]:
    """Return what a user of the file has to know, key -> text.

    Args:
        model: `tables.model.FittedTable`.
        inputs: What `inputs_of` returned.
    """
    told = {name: {"column": column, "holds": held} for name, (column, held) in inputs.items()}
    there = {held for _, held in inputs.values()}
    rows = " ".join([RECIPE, *(told for held, (_, told) in HOLDS.items() if held in there)])
    return facts_of(model) | {"rows": rows, "inputs": json.dumps(told, ensure_ascii=False)}


def inputs_of(model) -> dict[str, tuple[str, str]]:
    """Return name of an input -> `(column, key of HOLDS)`.

    An input is called as its column, with "_" behind it where an output is called so. A column that
    is words for the detector of one fold and a date or free text for another has two inputs.
    """
    read = [(c, m.normals) for m in model.members for c in m.transform.columns if c.width]
    every = dict.fromkeys((c.name, _holds(c, normals[c.name])) for c, normals in read)
    inputs, columns = {}, {column for column, _ in every}
    for column, held in every:
        name = column
        while name in OUTPUTS or name in inputs or (name != column and name in columns):
            name += "_"
        inputs[name] = column, held
    return inputs


def _holds(column, normals):
    """Return the key of `HOLDS` of a column."""
    cells = "number" if normals.dtype.kind == "f" else "text"
    return {"text": "pieces", "date": "date"}.get(column.kind, cells)


def _parts(g, member, cells, ranking):
    """Return the raw parts `(n, parts)` of one member."""
    used = [column for column in member.transform.columns if column.width]
    x = [encoded(cells[c.name, _holds(c, member.normals[c.name])], c) for c in used]
    x = x[0] if len(x) == 1 else g.node("Concat", *x, axis=1)
    x, found = g.node("Cast", x, to=TYPES["float32"]), []
    for name in ranking:
        if name not in member.rows:
            raise UserError(f"The part '{name}' cannot be exported. Fit with --without {name}.")
        found.append(g.node("Unsqueeze", score(g, member.rows[name], x), g.numbers(1)))
    return g.node("Concat", *found, axis=1)
