"""Where the object of a scan is, as nodes of an ONNX graph: `scans.foreground` step by step.

OpenCV blurs 8 bits in whole numbers: weights of 1/256 along rows, then along columns, one rounding
at the end. Those stay below 2^24 and are exact in float32, in whatever order they are added. Parts
that hang together are found by repeating until nothing changes: every run of a row, then of a
column, takes the largest number in it.
"""

import cv2
import numpy as np

from gantools.data.onnx import TYPES, Graph

from ..scans.foreground import BORDER, DARK_END, DARKEST, RISE
from .graph_pieces import constant, extreme, separable

OPSET = 18  # from which numbers are gathered by their largest
EPSILON = 1.1920929e-07  # below which Otsu's method takes a share of the pixels for none


def foreground(g, x, size):
    """Return `scans.foreground.foreground` of one picture: 0 or 1, float32 `(1, 1, h, w)`.

    Args:
        g: `Graph` of `OPSET`.
        x: Name of the picture `(1, c, h, w)` in [-1, 1].
        size: `(h, w, c)`.
    """
    height, width, channels = size
    blurred = _blurred(g, _grey(g, x, channels), height, width)
    border = g.node("Concat", *(
        g.reshape(g.cut(blurred, axis, *ends), -1)
        for axis, side in ((2, height), (3, width)) for ends in ((0, 1), (side - 1, side))
    ), axis=0)  # fmt: skip
    dark = g.node("Min", _otsu(g, blurred, height * width), _double(g, DARKEST))
    dark = g.node("Less", g.node("Cast", border, to=TYPES["float64"]), dark)
    dark = g.node("ReduceMean", g.node("Cast", dark, to=TYPES["float64"]), keepdims=0)
    apart = g.node("Sub", *(g.node(f"Reduce{end}", blurred, keepdims=0) for end in ("Max", "Min")))
    apart = g.node("Cast", apart, to=TYPES["float64"])
    above = g.node("Mul", apart, _double(g, RISE))
    above = g.node("Add", _percentile(g, border, 2 * (height + width), DARK_END / 100), above)
    inside = g.node("Greater", g.node("Cast", blurred, to=TYPES["float64"]), above)
    inside = g.node("Cast", inside, to=TYPES["float32"])
    largest, none = _largest(g, inside, height, width)
    whole = g.node("Or", g.node("Less", dark, _double(g, BORDER)), none)
    return g.node("Where", whole, constant(g, 1), _filled(g, largest, height, width))


def at_places(g, x, count, size, places):
    """Return `scans.foreground.at_places`, bool `(k, rows, columns)`.

    Args:
        g, size: As for `foreground`.
        x: Name of the pictures `(k, c, h, w)`.
        count: k.
        places: `(rows, columns)`.
    """
    masks = [foreground(g, g.cut(x, 0, i, i + 1), size) for i in range(count)]
    masks = masks[0] if count == 1 else g.node("Concat", *masks, axis=0)

    def reduced(mask):
        return cv2.resize(mask, places[::-1], interpolation=cv2.INTER_AREA)

    shares = g.reshape(separable(g, masks, reduced, *size[:2]), 0, *places)
    return g.node("Greater", shares, constant(g, 0.5))


def _grey(g, x, channels):
    """Return levels 0 to 255 `(1, 1, h, w)`, cut to whole numbers; sums in NumPy's order."""
    grey = g.cut(x, 1, 0, 1)
    for i in range(1, channels):
        grey = g.node("Add", grey, g.cut(x, 1, i, i + 1))
    if channels > 1:
        grey = g.node("Div", grey, constant(g, channels))
    grey = g.node("Mul", g.node("Add", grey, constant(g, 1)), constant(g, 127.5))
    return g.node("Floor", g.node("Clip", grey, constant(g, 0), constant(g, 255)))


def _blurred(g, x, height, width):
    """Return what `cv2.GaussianBlur` makes of 8 bits."""
    kernel = _weights(max(1.0, min(height, width) / 64))
    edge = len(kernel) // 2
    x = g.node("Pad", x, g.numbers(0, 0, edge, edge, 0, 0, edge, edge), mode="reflect")
    for shape in ((1, 1, 1, -1), (1, 1, -1, 1)):
        x = g.node("Conv", x, constant(g, kernel.reshape(shape)))
    x = g.node("Mul", g.node("Add", x, constant(g, 1 << 15)), constant(g, 1 / (1 << 16)))
    return g.node("Floor", x)


def _weights(sigma):
    """Return the whole weights of a blur, in 1/256, read off OpenCV: all of them are below 128."""
    line = np.zeros((8 * int(sigma + 1) + 9,) * 2, np.uint8)
    line[:, len(line) // 2] = 255
    found = cv2.GaussianBlur(line, (0, 0), sigma)[0].astype(int)
    used = np.flatnonzero(found)
    assert found.sum() == 256
    return found[used[0] : used[-1] + 1]


def _otsu(g, x, count):
    """Return the threshold of `cv2.threshold` by Otsu's method, a float64."""
    levels = _double(g, np.arange(256))
    places = g.reshape(g.node("Cast", x, to=TYPES["int64"]), -1)
    counts = _summed(g, places, g.node("Expand", constant(g, 1), g.numbers(count)), 256)
    shares = g.node("Mul", g.node("Cast", counts, to=TYPES["float64"]), _double(g, 1 / count))
    below, moment = (
        g.node("CumSum", one, g.constant(np.int64(0)))
        for one in (shares, g.node("Mul", shares, levels))
    )
    above = g.node("Sub", _double(g, 1), below)
    all_of_it = g.node("ReduceSum", g.node("Mul", shares, levels), keepdims=0)
    first = g.node("Div", moment, below)
    second = g.node("Div", g.node("Sub", all_of_it, moment), above)
    apart = g.node("Sub", first, second)
    apart = g.node("Mul", g.node("Mul", below, above), g.node("Mul", apart, apart))
    some = g.node("GreaterOrEqual", g.node("Min", below, above), _double(g, EPSILON))
    apart = g.node("Where", some, apart, _double(g, 0))
    return g.node("Cast", g.node("ArgMax", apart, axis=0, keepdims=0), to=TYPES["float64"])


def _percentile(g, x, count, share):
    """Return `numpy.percentile` of whole numbers `(count,)`, a float64."""
    ordered, _ = extreme(g, x, count, 0, largest=False)
    low, rest = divmod(share * (count - 1), 1)
    a, b = (
        g.node("Cast", g.node("Gather", ordered, g.constant(np.int64(i))), to=TYPES["float64"])
        for i in (low, low + 1)
    )
    return g.node("Add", a, g.node("Mul", g.node("Sub", b, a), _double(g, rest)))


def _largest(g, inside, height, width):
    """Return the largest part of a mask, 0 or 1 `(1, 1, h, w)`, and whether there is none."""
    count = height * width
    flat = g.reshape(inside, -1)
    numbers = constant(g, np.arange(count, 0, -1))  # the first of equally large parts wins
    labels = _spread(g, inside, g.node("Mul", flat, numbers), height, width, corners=True)
    labels = g.node("Cast", labels, to=TYPES["int64"])
    areas = _summed(g, labels, flat, count + 1)
    most = g.node("ArgMax", areas, axis=0, keepdims=0, select_last_index=1)
    none = g.node("Equal", g.node("ReduceMax", areas, keepdims=0), constant(g, 0))
    largest = g.node("Cast", g.node("Equal", labels, most), to=TYPES["float32"])
    return g.reshape(largest, 1, 1, height, width), none


def _filled(g, part, height, width):
    """Fill the holes of a mask: what of the rest does not hang together with the border."""
    edge = np.ones((height, width))
    edge[1:-1, 1:-1] = 0
    rest = g.node("Sub", constant(g, 1), part)
    start = g.reshape(g.node("Mul", rest, constant(g, edge)), -1)
    outside = _spread(g, rest, start, height, width)
    return g.reshape(g.node("Sub", constant(g, 1), outside), 1, 1, height, width)


def _spread(g, mask, values, height, width, corners=False):
    """Return `(h w,)`: in each part of a mask its largest value, 0 outside.

    Args:
        mask: 0 or 1 `(1, 1, h, w)`.
        values: `(h w,)`, not negative, 0 outside the mask.
        corners: Whether pixels that touch by a corner hang together.
    """
    runs = [_runs(g, mask, height, width), _runs(g, mask, height, width, down=True)]
    body = Graph(g.opset, f"{g.prefix}spread_{g.count}/")
    before = f"{body.prefix}before"
    x = before
    for one in runs:
        x = body.node("Gather", _summed(body, one, x, height * width // 2 + 2, "max"), one)
    if corners:
        x = body.reshape(x, 1, 1, height, width)
        x = body.node("MaxPool", x, kernel_shape=(3, 3), pads=(1, 1, 1, 1))
        x = body.reshape(body.node("Mul", x, mask), -1)
    more = body.node("ReduceMax", body.node("Sub", x, before), keepdims=0)
    more = body.node("Greater", more, body.constant(np.float32(0)))
    names, count = [f"{body.prefix}{name}" for name in ("step", "goes_on")], height * width
    shapes = {names[0]: (), names[1]: (), before: (count,)}
    kinds = {names[0]: "int64", names[1]: "bool", more: "bool"}
    content = body.body("spread", shapes, {more: (), x: (count,)}, kinds)
    return g.node("Loop", "", g.constant(np.array(True)), values, body=content)


def _runs(g, mask, height, width, down=False):
    """Return the number of the run of a row, or of a column, of each pixel; 0 outside the mask."""
    if down:
        mask, height, width = g.node("Transpose", mask, perm=(0, 1, 3, 2)), width, height
    ahead = g.node("Pad", mask, g.numbers(0, 0, 0, 1, 0, 0, 0, -1))
    starts = g.reshape(g.node("Mul", mask, g.node("Sub", constant(g, 1), ahead)), -1)
    runs = g.node("CumSum", starts, g.constant(np.int64(0)))
    runs = g.node("Mul", g.reshape(runs, 1, 1, height, width), mask)
    runs = g.node("Transpose", runs, perm=(0, 1, 3, 2)) if down else runs
    return g.node("Cast", g.reshape(runs, -1), to=TYPES["int64"])


def _summed(g, places, values, count, how="add"):
    """Return `(count,)`: the sums, or the largest, of the values of each place; else 0."""
    zeros = g.node("ConstantOfShape", g.numbers(count))
    return g.node("ScatterElements", zeros, places, values, axis=0, reduction=how)


def _double(g, values):
    """Add float64 numbers and return their name."""
    return g.constant(np.asarray(values, np.float64))
