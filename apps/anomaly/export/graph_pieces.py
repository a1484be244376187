"""The arithmetic of scoring as nodes of an ONNX graph; each piece names the function it repeats.

Pictures lie channels first, `(k, c, h, w)`. What OpenCV does along the two axes of a picture, one
after the other (reduce, enlarge, blur), is two products with matrices that are read off OpenCV
itself: so the graph resizes as the program does.
"""

import numpy as np

from gantools.data.onnx import TYPES

from ..detectors.memory import ALIKE

HEIGHT = 0.25  # of the impulses that matrices are read off by: overshoots are not clipped


def matrices(operation, height, width):
    """Return `(rows (h', height), columns (w', width))` of a linear operation on `(h, w)` arrays.

    Args:
        operation: Works on the axes one after the other; its weights sum to 1 along each.
        height, width: Of what it is given.
    """
    rows = [operation(_impulse(i, height, width))[:, 0] for i in range(height)]
    columns = [operation(_impulse(i, width, height).T)[0] for i in range(width)]
    return np.stack(rows, axis=1) / HEIGHT, np.stack(columns, axis=1) / HEIGHT


def separable(g, x, operation, height, width):
    """Apply `operation` of `matrices` to the last two axes of `x`."""
    rows, columns = matrices(operation, height, width)
    if not np.array_equal(rows, np.eye(height)):
        x = g.node("MatMul", constant(g, rows), x)
    if not np.array_equal(columns, np.eye(width)):
        x = g.node("MatMul", x, constant(g, columns.T))
    return x


def constant(g, values):
    """Add float32 numbers and return their name."""
    return g.constant(np.ascontiguousarray(values, np.float32))


def indices(g, values):
    """Add whole numbers of any shape and return their name."""
    return g.constant(np.ascontiguousarray(values, np.int64))


def picked(g, x, chosen, axis):
    """Take places along an axis: padding, turning over, cutting."""
    return g.node("Gather", x, indices(g, chosen), axis=axis)


def total(g, x, axis, keep=0):
    """Sum over one axis."""
    return g.node("ReduceSum", x, g.numbers(axis), keepdims=keep)


def mean(g, x, *axes):
    """Average over axes, which go."""
    return g.node("ReduceMean", x, axes=axes, keepdims=0)


def square(g, x):
    """Multiply by itself."""
    return g.node("Mul", x, x)


def extreme(g, x, count, axis, largest=True):
    """Return `(values, places)` of the largest or smallest along an axis, the first one first."""
    names = f"values_{g.count}", f"places_{g.count}"
    flags = {"axis": axis, "largest": int(largest)}
    return g.node("TopK", x, g.numbers(int(count)), out=names, **flags)


def top_mean(g, x, size, share):
    """Return `memory.top_mean` `(k,)` of `(k, ...)` with `size` numbers a row."""
    flat = g.reshape(x, 0, -1)
    return mean(g, extreme(g, flat, max(1, int(round(share * size))), 1)[0], 1)


def unit(g, x):
    """Return `memory.unit`: vectors of length 1 along the last axis."""
    length = g.node("Sqrt", total(g, square(g, x), -1, keep=1))
    return g.node("Div", x, g.node("Max", length, constant(g, 1e-12)))


def gaussian(g, memory, x):
    """Return `memory.Gaussian.score` `(n,)` of rows `(n, d)`."""
    apart = g.node("Sub", x, constant(g, memory.mean))
    white = g.node("MatMul", apart, constant(g, memory.whiten))
    return g.node("Sqrt", total(g, square(g, white), 1))


def neighbours(g, memory, x):
    """Return `memory.Neighbours.score` `(n,)` of rows `(n, d)`: products propose, then measured."""
    x = unit(g, x) if memory.cosine else x
    near = nearest(g, memory.vectors, x, memory.k, min(memory.k + 2, len(memory.vectors)))
    near = g.node("Mul", near, constant(g, 0.5)) if memory.cosine else g.node("Sqrt", near)
    return mean(g, near, 1)


def nearest(g, vectors, x, k, few):
    """Return squared distances `(n, k)` of rows `(n, d)` to the nearest of `vectors` `(m, d)`.

    Args:
        few: Candidates by products, of which the `k` nearest are measured by differences.
    """
    known = constant(g, vectors)
    squares = np.sum(np.square(vectors, dtype=np.float64), axis=1)
    rough = g.node("MatMul", x, constant(g, -2 * np.asarray(vectors).T))
    _, places = extreme(g, g.node("Add", rough, constant(g, squares)), few, 1, largest=False)
    apart = g.node("Sub", g.node("Gather", known, places, axis=0), g.node(
        "Unsqueeze", x, g.numbers(1)))  # fmt: skip
    return extreme(g, total(g, square(g, apart), 2), k, 1, largest=False)[0]


def cells(g, memory, x):
    """Return `memory.Cells.score` `(n, h, w)` of vectors `(n, h, w, d)`."""
    apart = g.node("MatMul", x, constant(g, memory.basis))
    apart = g.node("Sub", apart, constant(g, memory.mean))
    row = g.node("Unsqueeze", apart, g.numbers(3))
    white = g.node("MatMul", row, constant(g, memory.whiten))
    return g.node("Sqrt", total(g, square(g, g.node("Squeeze", white, g.numbers(3))), -1))


def nearby(g, memory, wholes, cells):
    """Return `memory.Nearby.score` `(k, h, w)` of wholes `(k, d)` and places `(k, h, w, e)`."""
    height, width = memory.cells.shape[1:3]
    alike = g.node("MatMul", unit(g, wholes), constant(g, memory.wholes.T))
    _, near = extreme(g, alike, min(ALIKE, len(memory.wholes)), 1)
    others = g.node("Gather", g.constant(memory.cells), near, axis=0)  # (k, 20, h, w, e)
    others = g.node("Cast", others, to=TYPES["float32"])
    others = g.node("Pad", others, g.numbers(0, 0, 1, 1, 0, 0, 0, 1, 1, 0), mode="edge")
    own, least = g.node("Unsqueeze", cells, g.numbers(1)), []
    for y in range(3):
        for x in range(3):
            other = g.cut(g.cut(others, 2, y, y + height), 3, x, x + width)
            apart = total(g, square(g, g.node("Sub", other, own)), -1)
            least.append(g.node("ReduceMin", apart, axes=(1,), keepdims=0))
    return g.node("Sqrt", g.node("Min", *least))


def _impulse(i, length, across):
    one = np.zeros((length, across), np.float32)
    one[i] = HEIGHT
    return one
