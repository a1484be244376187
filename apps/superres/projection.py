"""Back-projection: the enlarged picture, shrunk again, must give the small one.

    y <- y + U(e),  e = x - D(y),  U and D the exact bicubic enlargement and reduction

One step brings the reduction of the result nearer to the input, by 5 dB at x2 and 9 dB at x4, and
removes drifts of colour (`gantools superres eval Set14/ --model fast`, also --no-projection). With
y = U(x) + r, r the network's residual, e = (1 - D U) x - D r: both terms are small, so they lose
nothing in bfloat16, and all is done at low resolution, on the channels before the pixel shuffle, by
convolutions along one axis each. That costs a tenth of `fast`.

For networks that also clean a picture, e holds what they removed. Only its low frequencies are put
back for them: e is smoothed first.
"""

import math

import numpy as np

from gantools.data.resample import resize, taps

CONTEXT = 4  # pixels around a tile: 2 that U reads, and 4 that D U reads
REACH = 4  # pixels that a finished pixel sees further with the projection than without
SIGMA = 3.0  # of the smoothing, in small pixels
MODES = ("none", "full", "smooth")


def reach(mode: str) -> int:
    """Return how many pixels more of context a network needs with the projection `mode`."""
    return {"none": 0, "full": REACH, "smooth": REACH + len(smoothing()) // 2}[mode]


def up(scale: int) -> np.ndarray:
    """Return U along one axis: `(scale, 5)`, the taps of each sub-pixel on small pixels -2 to 2."""
    middle, line = 8, np.zeros((scale, 5))
    indices, weights = taps(2 * middle, 2 * middle * scale, scale)
    for phase in range(scale):
        row = middle * scale + phase
        np.add.at(line[phase], indices[row] - middle + 2, weights[row])
    return line


def down(scale: int) -> np.ndarray:
    """Return D along one axis: `(5, scale)`, the taps on the sub-pixels of small pixels -2 to 2."""
    middle, line = 8, np.zeros(5 * scale)
    indices, weights = taps(2 * middle * scale, 2 * middle, 1 / scale)
    np.add.at(line, indices[middle] - (middle - 2) * scale, weights[middle])
    return line.reshape(5, scale)


def lost(scale: int, base: np.ndarray | None = None) -> np.ndarray:
    """Return 1 - D B along one axis: `(9,)`; B is U, or another base of taps `(scale, 5)`."""
    line, lower = np.zeros(9), down(scale)
    for i, taps_there in enumerate(lower @ (up(scale) if base is None else base)):
        line[i : i + 5] -= taps_there
    line[4] += 1
    return line


def split(kernel):
    """Return float32 `kernel` as two that bfloat16 holds, whose sum it is to 16 bits.

    Whole levels, 0 to 255, are exact in bfloat16; with such weights their sums are, too.
    """
    coarse = (kernel.view(np.uint32) + 0x8000 & 0xFFFF0000).view(np.float32)
    return coarse, kernel - coarse


def smoothing() -> np.ndarray:
    """Return the taps of the Gaussian that keeps the low frequencies of e."""
    far = math.ceil(3 * SIGMA)
    line = np.exp(-0.5 * (np.arange(-far, far + 1) / SIGMA) ** 2)
    return line / line.sum()


def projected(picture: np.ndarray, low: np.ndarray, mode: str) -> np.ndarray:
    """Return a float `picture` `(h s, w s, c)` projected onto the small picture `low`.

    What the graph of `add_error` does, in numpy: the reference, and the way of engines that do not
    run that graph.
    """
    if mode == "none":
        return picture
    error = low.astype(np.float32) - resize(picture, size=low.shape[:2])
    if mode == "smooth":
        line, far = smoothing().astype(np.float32), len(smoothing()) // 2
        for axis in (0, 1):
            pad = [(0, 0)] * error.ndim
            pad[axis] = (far, far)
            wide = np.pad(error, pad, mode="symmetric")
            windows = np.lib.stride_tricks.sliding_window_view(wide, len(line), axis=axis)
            error = windows @ line
    return picture + resize(error, size=picture.shape[:2])


def add_error(graph, levels, residual, size, scale, mode, base):
    """Add e to a graph, with 2 pixels of mirrored context.

    Args:
        graph: `gantools.data.onnx.Graph` under construction.
        levels: Name of the small picture, whole levels with `CONTEXT` pixels around.
        residual: Name of the residual, `(1, 3 * scale**2, h, w)`, the colours of a sub-pixel
            next to each other.
        size: `(h, w)`.
        scale: Enlargement.
        mode: "full" or "smooth".
        base: Taps `(scale, 5)` of what the residual is added to, along one axis.
    """
    kept = _kept(graph, levels, lost(scale, base))
    error = graph.node("Sub", kept, _reduced(graph, residual, size, scale))
    if mode == "smooth":
        line = smoothing().astype(np.float32)
        error = mirrored(graph, error, size, len(line) // 2)
        for axis, shape in ((2, (-1, 1)), (3, (1, -1))):
            name = f"smoothing/{axis}"
            error = graph.convolution(error, name, _each(line.reshape(shape)))
    return mirrored(graph, error, size, 2)


def mirrored(graph, values, size, pixels):
    """Add the picture mirrored at its four edges, which are repeated, and return its name."""
    for axis, length in zip((2, 3), size, strict=True):
        order = [_mirror(i, length)[0] for i in range(-pixels, length + pixels)]
        values = graph.node("Gather", values, graph.numbers(*order), axis=axis)
    return values


def _mirror(index, length):
    """Return `(index inside, whether mirrored)` of a pixel that may lie outside."""
    index %= 2 * length
    return (2 * length - 1 - index, True) if index >= length else (index, False)


def _each(kernel):
    """Return `(y, x)` as the kernel that treats three channels alike."""
    return np.einsum("oi,yx->oiyx", np.eye(3), kernel).astype(np.float32)


def _kept(graph, levels, line):
    """Add (1 - A) x with A = A_y A_x, from the 9 taps of 1 - A along one axis; return its name.

    With t = (1 - A_x) x it is (1 - A_y) x + A_y t: the first factor of each product is whole or
    the second small. The taps get a zero at each end: OpenCV 5 takes nine in a row for 3x3.
    """
    inside = np.pad(line, 1).astype(np.float32)
    through = -inside.copy()
    through[5] += 1
    twice = graph.node("Concat", levels, levels, axis=1)
    along = np.concatenate(split(_each(inside[None])), axis=1)
    small = graph.convolution(twice, "kept/x", along, pads=(0, 1, 0, 1))
    cut = [graph.numbers(n) for n in (CONTEXT, -CONTEXT, 3)]  # the rows of context stay
    both = graph.node("Concat", graph.node("Slice", twice, *cut), small, axis=1)
    across = np.concatenate([*split(_each(inside[:, None])), _each(through[:, None])], axis=1)
    return graph.convolution(both, "kept/y", across, pads=(1, 0, 1, 0))


def _reduced(graph, residual, size, scale):
    """Add D r for a residual before the pixel shuffle, mirrored at the edges; return its name."""
    line = down(scale)
    rows = np.zeros((3, scale, scale, scale, 3, 5, 1), np.float32)  # c dx <- dy dx c, y x
    columns = np.zeros((3, 3, scale, 1, 5), np.float32)  # c <- c dx, y x
    for c in range(3):
        columns[c, c, :, 0] = line.T
        for dx in range(scale):
            rows[c, dx, :, dx, c, :, 0] = line.T
    order = np.arange(3 * scale**2).reshape(scale, scale, 3)
    rows = rows.reshape(3 * scale, 3 * scale**2, 5, 1)
    values = _along(graph, residual, 2, size[0], order[::-1], rows)
    order = np.arange(3 * scale).reshape(3, scale)
    return _along(graph, values, 3, size[1], order[:, ::-1], columns.reshape(3, 3 * scale, 1, 5))


def _along(graph, values, axis, length, turned, kernel):
    """Add a convolution along one axis, of blocks of sub-pixels that go on mirrored at the ends.

    The inner part needs no mirror; to mirror the whole tensor would cost as much as a layer.

    Args:
        graph, values, axis, length: Graph, tensor, and the axis with its length.
        turned: The order of channels that mirrors the sub-pixels of a block.
        kernel: Along the axis, 5 taps.
    """
    name = f"down/{axis}"

    def at_end(first, order):
        """Return the convolution of four blocks, with two mirrored ones beyond the end."""
        edge = graph.cut(values, axis, first, first + 4)
        beyond = graph.node("Gather", edge, graph.numbers(*order), axis=axis)
        beyond = graph.node("Gather", beyond, turned, axis=1)
        both = [beyond, edge] if order == (1, 0) else [edge, beyond]
        both = graph.node("Concat", *both, axis=axis)
        return graph.node("Conv", both, name, pads=(0, 0, 0, 0))

    graph.constant(kernel, name)
    turned = graph.numbers(*turned.reshape(-1))
    if length < 4:
        return _along_few(graph, values, axis, length, turned, name)
    parts = [at_end(0, (1, 0)), at_end(length - 4, (3, 2))]
    if length > 4:
        parts.insert(1, graph.node("Conv", values, name, pads=(0, 0, 0, 0)))
    return graph.node("Concat", *parts, axis=axis)


def _along_few(graph, values, axis, length, turned, kernel):
    """Add what `_along` does for so few blocks that both ends are near each other."""
    parts = []
    for index in range(-2, length + 2):
        inside, flipped = _mirror(index, length)
        part = graph.cut(values, axis, inside, inside + 1)
        parts.append(graph.node("Gather", part, turned, axis=1) if flipped else part)
    whole = graph.node("Concat", *parts, axis=axis)
    return graph.node("Conv", whole, kernel, pads=(0, 0, 0, 0))
