"""A fitted model as one ONNX file from pixels to p, for programs without this package.

In the graph: levels, the mask of scans, the view with its resizing, networks, distances, scales,
the combined score and its rank among held-out normals. Outside: decoding a file, and bringing it to
one size.
"""

from importlib import import_module

import numpy as np

from gantools.data.onnx import TYPES, Graph
from gantools.errors import UserError

from .. import fitted
from ..settings import LITERATURE
from ..views import WHOLE
from . import graph_foreground, graph_views, tabular
from .graph_foreground import foreground
from .graph_judge import facts_of, judged
from .graph_pieces import constant, separable
from .graph_rows import score

# kind: module and classes: one for what all members share, or None, and one a member
GRAPHS = {
    "encoder": (".graph_encoder", "EncoderLooks", "EncoderGraph"),
    "restorer": (".graph_restorer", None, "RestorerGraph"),
    "references": (".graph_rows", None, "SimpleGraph"),
}


def exported(model, size=None, *, deep=None) -> bytes:
    """Return the ONNX file of a model of pictures; of a table see `tabular`.

    Args:
        model: `fitted.Fitted`, or `tables.model.FittedTable`, of which nothing else is asked.
        size: `(height, width)` of the pictures that will come; None takes the model's square.
        deep: Whether they come as float32, shares of their range or floating point as stored,
            instead of uint8; None takes float32 where the training pictures were deeper than 8
            bits.

    Returns:
        A graph from "pixels" `(1, height, width, channels)` to "score" `(1,)`, "p" `(1,)`, "parts"
        `(parts,)` and "map" `(1, height, width)`, 1 = the 99.9 % level of normals. What the parts
        are called and how pixels are made ready is in the file's metadata.

    Raises:
        UserError: a model that cannot be exported.
    """
    _check(model, size, deep)
    if model.is_table:
        return tabular.exported(model)
    size = (*(size or (model.view.side,) * 2), model.levels.channels)
    deep = (model.levels.low, model.levels.high) != (0, 1) if deep is None else deep
    g = Graph(graph_foreground.OPSET) if _looks_for_objects(model) else Graph()
    picture = _levels(g, model.levels, deep)
    if model.levels.masked:
        inside = g.node("Cast", foreground(g, picture, size), to=TYPES["bool"])
        picture = g.node("Where", inside, picture, constant(g, -1))
    tensors, count, where = graph_views.shown(g, picture, model.view, size)
    small = separable(g, picture, graph_views.squared(fitted.PIXELS), *size[:2])
    graphs = _graphs(g, tensors, count, model)
    parts = [_parts(g, *one, graph_views.flat(g, small), count, model.judge.ranking)
             for one in zip(graphs, model.members, strict=True)]  # fmt: skip
    g.reshape(judged(g, parts, model.judge), -1, out="parts")
    heat = [graph.heat() for graph in graphs]
    heat = heat[0] if len(heat) == 1 else g.node("Mean", *heat)
    heat = graph_views.joined(g, heat, model.view, where)
    if model.levels.masked:  # looked for again, as the program does
        heat = g.node("Mul", heat, g.reshape(foreground(g, picture, size), 1, *size[:2]))
    g.reshape(heat, 1, *size[:2], out="map")
    shapes = {"score": (1,), "p": (1,), "parts": (len(model.judge.ranking),)}
    shapes |= {"map": (1, *size[:2])}
    kinds = {} if deep else {"pixels": "uint8"}
    return g.file("scorer", {"pixels": (1, *size)}, shapes, kinds, facts(model, size, deep))


def facts(model, size, deep) -> dict[str, str]:
    """Return what a user of the file has to know, key -> text.

    Args:
        model: `fitted.Fitted`.
        size: `(height, width, channels)`.
        deep: As for `exported`.
    """
    return facts_of(model) | {
        "pixels": recipe(model, size, deep),
        "map": "1 is the level that 99.9 % of normal pixels stay under.",
    }


def recipe(model, size, deep) -> str:
    """Return how a picture becomes "pixels", in sentences."""
    height, width, channels = size
    kind = "uint8"
    if deep:
        kind = "float32 shares of the type's range, 0 to 1 (floating point as it is stored)"
    colour = "RGB" if channels == 3 else "grey (of colour: 0.299 R + 0.587 G + 0.114 B)"
    lines = [f"(1, {height}, {width}, {channels}) {kind}, {colour}, upright, alpha on white."]
    if model.view.kind == WHOLE and height == width == model.view.side:
        lines.append(
            f"Another size: keep the aspect, longer side to {height} pixels (averages of areas if "
            "smaller, linear if larger), centred, edge pixels repeated to a square."
        )
    else:
        lines.append("Pictures of this size come as they are; the graph resizes them.")
    if model.levels.masked:
        lines.append("The patient is found in them as they come: nothing is to be made black.")
    return " ".join(lines)


def _check(model, size, deep):
    kinds = ("auto", "references") if model.is_table else tuple(GRAPHS)
    if model.kind in LITERATURE:
        raise UserError(
            f"The detector '{model.kind}' scores with Keras and cannot be exported. Fit with "
            f"--detector {' or '.join(kinds)}."
        )
    if model.is_table:
        if size is not None or deep is not None:
            raise UserError("--size, --deep and --bytes are for models of pictures, not of tables.")
        return
    if model.view.kind != WHOLE and size is None:
        raise UserError(
            "This model cuts windows from pictures of any size; a graph has one size. "
            "Give --size HEIGHTxWIDTH."
        )


def _looks_for_objects(model):
    """Return whether the object on a dark background is looked for."""
    return model.levels.masked or any(m.detector.facts.get("scan") for m in model.members)


def _levels(g, levels, deep):
    """Return the picture `(1, c, h, w)` in [-1, 1], as `loading.to_levels`."""
    x = "pixels" if deep else g.node("Cast", "pixels", to=TYPES["float32"])
    x = g.node("Transpose", x, perm=(0, 3, 1, 2))
    if not deep:
        x = g.node("Div", x, constant(g, 255))
    low, scale = levels.low, np.float32(2 / (levels.high - levels.low))
    x = g.node("Mul", g.node("Sub", x, constant(g, low)), constant(g, scale))
    x = g.node("Sub", x, constant(g, 1))
    return g.node("Clip", x, constant(g, -1), constant(g, 1))


def _graphs(g, x, count, model):
    """Return the graph of each member's detector."""
    place, shared, own = GRAPHS[model.kind]
    module = import_module(place, __package__)
    if shared is None:
        return [getattr(module, own)(g, x, count, m.detector) for m in model.members]
    looks = getattr(module, shared)(g, x, count, model.members[0].detector)
    return [getattr(module, own)(looks, m.detector) for m in model.members]


def _parts(g, graph, member, small, count, ranking):
    """Return the raw parts `(1, parts)` of one member."""
    found = []
    for name in ranking:
        try:
            if name in member.rows:
                found.append(score(g, member.rows[name], small))
            else:
                found.append(graph_views.of_picture(g, graph.part(name), count))
        except KeyError as error:
            raise UserError(
                f"The part '{name}' cannot be exported. Fit with --without {name}."
            ) from error
    return g.reshape(g.node("Concat", *found, axis=0), 1, -1)
