"""A network as an ONNX graph that turns a tile of pixels into finished pixels.

Everything between reading and writing lies in the graph: scaling, the exact bicubic base, the
pixel shuffle, clipping, rounding. That saves 20 to 50 ms of numpy per 4 megapixels. The base is a
convolution of 5x5 ("Resize" costs more than the network), with each weight as the sum of two
bfloat16 numbers, so that flat colours stay exact on processors that compute in bfloat16. The
back-projection is part of it, too.
"""

import numpy as np

from gantools.data.onnx import TYPES, Graph

from .model import Network
from .projection import CONTEXT, add_error, split, up
from .served import base_taps


def serving(
    network: Network, height: int, width: int, *, deep: bool = False, projection: str = "none"
) -> bytes:
    """Return the ONNX file of `network` for tiles of one size.

    Args:
        network: The trained network.
        height, width: Size of the tile that the network sees, zero-padded at its borders.
        deep: Whether levels go in and out as float32 instead of uint8, not rounded.
        projection: One of `projection.MODES`.

    Returns:
        A graph from "tile" `(1, height + 8, width + 8, 3)`, the tile with 4 pixels of context, to
        "picture" `(1, height * scale, width * scale, 3)`; both RGB levels from 0 to 255.
    """
    graph, scale = Graph(), network.scale
    levels = "tile" if deep else graph.node("Cast", "tile", to=TYPES["float32"])
    levels = graph.node("Transpose", levels, perm=(0, 3, 1, 2))
    order = subpixels_first(scale)
    residual = convolutions(graph, network, _cropped(graph, levels, CONTEXT), order)
    error = None
    if projection != "none":
        size = (height, width)
        base = base_taps(network.plan, up(scale))
        error = add_error(graph, levels, residual, size, scale, projection, base)
    # In this order OpenVINO adds inside the base's convolution, which then is not rounded to
    # bfloat16: 0.8 % of 8-bit samples differ from float32, in the other order 6 %.
    base = _base(graph, network.plan, _cropped(graph, levels, CONTEXT - 2), error)
    picture = graph.node("Add", base, residual)
    low, high = graph.constant(np.float32(0), "black"), graph.constant(np.float32(255), "white")
    picture = graph.node("Clip", picture, low, high)
    if not deep:
        picture = graph.node("Cast", graph.node("Round", picture), to=TYPES["uint8"])
    _shuffle(graph, picture, height, width, scale)
    tile = {"tile": (1, height + 2 * CONTEXT, width + 2 * CONTEXT, 3)}
    picture = {"picture": (1, height * scale, width * scale, 3)}
    kind = "float32" if deep else "uint8"
    return graph.file(f"{network.plan.name}_x{scale}", tile, picture, kind)


def subpixels_first(scale: int) -> np.ndarray:
    """Return where channel `(dy * scale + dx) * 3 + c` lies among those of a plan, colours first.

    So ordered, each row of sub-pixels is one cut of the channels: see `_shuffle`.
    """
    return np.arange(3 * scale**2).reshape(3, scale, scale).transpose(1, 2, 0).reshape(-1)


def base_kernel(line: np.ndarray) -> np.ndarray:
    """Return an enlargement before the pixel shuffle as a convolution.

    Args:
        line: Its taps along one axis, `(scale, 5)`, see `projection.up`.

    Returns:
        `(3 * scale**2, 3, 5, 5)` float32; output channel `(dy * scale + dx) * 3 + c`.
    """
    scale = len(line)
    plane = np.einsum("yi,xj->yxij", line, line).reshape(scale**2, 5, 5)
    kernel = np.zeros((3, scale**2, 3, 5, 5), np.float32)
    for channel in range(3):
        kernel[channel, :, channel] = plane
    return kernel.reshape(3 * scale**2, 3, 5, 5)[subpixels_first(scale)]


def _cropped(graph, levels, pixels):
    """Add the cut of a border of that many pixels."""
    if not pixels:
        return levels
    starts, ends = graph.numbers(pixels, pixels), graph.numbers(-pixels, -pixels)
    return graph.node("Slice", levels, starts, ends, graph.numbers(2, 3))


def _base(graph, plan, levels, error):
    """Add the base of the levels, each weight split in two, and the enlarged error if any."""
    line = up(plan.scale)
    kernels = list(split(base_kernel(base_taps(plan, line))))
    values = [levels, levels]
    if error:
        values, kernels = [*values, error], [*kernels, base_kernel(line)]
    values = graph.node("Concat", *values, axis=1)
    return graph.convolution(values, "base/kernel", np.concatenate(kernels, axis=1))


def _shuffle(graph, picture, height, width, scale):
    """Add the pixel shuffle to channels last, on bytes, as one cut for each row of sub-pixels.

    A transposition of the five axes takes three times as long, DepthToSpace four times.
    """
    line = graph.constant(np.array([1, height, 1, width * scale * 3], np.int64), "line")
    whole = graph.constant(np.array([1, height * scale, width * scale, 3], np.int64), "whole")
    row = 3 * scale
    rows = [graph.cut(picture, 1, at, at + row) for at in range(0, row * scale, row)]
    rows = [graph.node("Transpose", part, perm=(0, 2, 3, 1)) for part in rows]
    rows = [graph.node("Reshape", part, line) for part in rows]
    graph.node("Reshape", graph.node("Concat", *rows, axis=2), whole, out="picture")


def convolutions(
    graph: Graph, network: Network, levels: str, order: np.ndarray | None = None
) -> str:
    """Add the steps of the plan; levels 0 to 255 in and out, the scaling folded into weights.

    Args:
        graph: Where they are added.
        network: The trained network.
        levels: Name of the tile `(1, 3, height, width)` float32.
        order: Which channel of the plan each channel of the result is; None keeps theirs.

    Returns:
        Name of the residual `(1, 3 * scale**2, height, width)`, in levels.
    """
    names, plan = {"input": levels}, network.plan
    last = [step.out for step in plan.steps if step.op == "conv"][-1]
    units = {"input": np.full(3, 1 / 255, np.float32)}  # of each channel that is no plain number
    for step in plan.steps:
        inputs = [names[name] for name in step.inputs]
        if step.op == "conv":
            kernel = network.arrays[f"{step.out}/kernel"].transpose(3, 2, 0, 1)
            bias = network.arrays[f"{step.out}/bias"]
            if order is not None and step is plan.steps[-1]:
                kernel, bias, order = kernel[order], bias[order], None
            unit = units.get(step.inputs[0], np.ones(kernel.shape[1], np.float32))
            gain = np.float32(255 if step.out == last else 1)
            inputs.append(graph.constant(kernel * unit[:, None, None] * gain, f"{step.out}/kernel"))
            inputs.append(graph.constant(bias * gain, f"{step.out}/bias"))
            names[step.out] = graph.node("Conv", *inputs, pads=(step.kernel // 2,) * 4)
        elif step.op in ("concat", "nearest", "unshuffle"):
            names[step.out] = _arranged(graph, step, inputs, plan)
            units |= _units(step, units, plan)
        else:
            names[step.out] = _activation(graph, network, step, inputs)
    made = names[plan.steps[-1].out]
    return made if order is None else graph.node("Gather", made, graph.numbers(*order), axis=1)


def _units(step, units, plan):
    """Return the units of an arranged result, if some of its channels have any."""
    if not set(step.inputs) & set(units) or step.op == "unshuffle":
        return {}
    widths = plan.widths()
    parts = [units.get(name, np.ones(widths[name], np.float32)) for name in step.inputs]
    return {step.out: np.concatenate(parts)}


def _arranged(graph, step, inputs, plan):
    """Add a step that only moves numbers."""
    if step.op == "concat":
        return graph.node("Concat", *inputs, axis=1)
    if step.op == "nearest":
        scales = np.array([1, 1, step.kernel, step.kernel], np.float32)
        scales = graph.constant(scales, f"{step.out}/scales")
        return graph.node(
            "Resize", inputs[0], "", scales, mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor")  # fmt: skip
    # SpaceToDepth has the sub-pixels first; a pixel shuffle wants the colours first
    blocks = graph.node("SpaceToDepth", *inputs, blocksize=step.kernel)
    colours = plan.widths()[step.inputs[0]]
    order = np.arange(colours * step.kernel**2).reshape(-1, colours).T.reshape(-1)
    return graph.node("Gather", blocks, graph.numbers(*order), axis=1)


def _activation(graph, network, step, inputs):
    """Add a step other than a convolution."""
    x = inputs[0]
    if step.op == "relu":
        return graph.node("Relu", *inputs)
    if step.op == "leaky_relu":
        return graph.node("LeakyRelu", *inputs, alpha=step.slope)
    if step.op == "prelu":
        slope = network.arrays[f"{step.out}/alpha"].reshape(-1, 1, 1)
        return graph.node("PRelu", x, graph.constant(slope, f"{step.out}/alpha"))
    if step.op == "add":
        for other in inputs[1:]:
            x = graph.node("Add", x, other)
        return x
    if step.op == "scale":
        return graph.node("Mul", x, graph.constant(np.float32(step.slope), f"{step.out}/factor"))
    gate = graph.node("Sigmoid", x)
    if step.op == "gate":
        gate = graph.node("Sub", gate, graph.constant(np.float32(0.5), f"{step.out}/half"))
    if len(inputs) > 1:
        x = graph.node("Add", *inputs)
    return graph.node("Mul", x, gate)
