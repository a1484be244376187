"""Networks of other programs: the names and shapes of their weights tell the architecture.

Compact (SRVGGNetCompact), SPAN and ESRGAN (RRDBNet, three ways of naming), as `.safetensors`. Their
layers are translated into a plan; no code of theirs runs, and nothing is guessed: what does not fit
is refused.

Source: Wang et al. 2021, arXiv 2107.10833 (Compact); Wan et al. 2024, arXiv 2311.12770 (SPAN); Wang
et al. 2018, arXiv 1809.00219 (ESRGAN).
"""

import re

import numpy as np

from gantools.errors import UserError
from gantools.nets.plans import Step

from .model import Network
from .served import ServedPlan

KNOWN = "Compact, SPAN and ESRGAN"
PREFIXES = ("params_ema.", "params.", "module.", "model_state_dict.", "net_g.")
SPAN_MEAN = np.array([0.4488, 0.4371, 0.4040], np.float32)  # of DIV2K, subtracted from the input
SPAN_RANGE = np.float32(255)
CARD = {"projection": "smooth", "note": "translated from the weights of another program"}


def translated(arrays: dict[str, np.ndarray]) -> Network:
    """Return the network whose weights, named and shaped as PyTorch does, are given.

    Args:
        arrays: Float32 arrays by name; kernels are `(out, in, y, x)`.

    Raises:
        UserError: the architecture is not known, or a weight is missing or has a wrong shape.
    """
    arrays = _bare(arrays)
    try:
        if "body.0.weight" in arrays and "body.1.weight" in arrays:
            return _compact(arrays)
        if "conv_cat.weight" in arrays and "upsampler.0.weight" in arrays:
            return _span(arrays)
        if any(re.search(r"rdb1\.conv1\.", name, re.IGNORECASE) for name in arrays):
            return _esrgan(_renamed(arrays))
    except KeyError as error:
        raise UserError(f"it looks like one of {KNOWN}, but {error} is missing") from error
    raise UserError(f"its architecture is not known; {KNOWN} are")


class _Builder:
    """Steps and weights of a plan under construction."""

    def __init__(self):
        self.steps, self.arrays = [], {}

    def conv(self, out, inputs, weight, bias=None):
        """Add a convolution with a kernel `(out, in, y, x)`."""
        bias = np.zeros(len(weight), np.float32) if bias is None else bias
        self.arrays[f"{out}/kernel"] = np.ascontiguousarray(weight.transpose(2, 3, 1, 0))
        self.arrays[f"{out}/bias"] = bias
        return self.add("conv", out, inputs, channels=len(weight), kernel=weight.shape[-1])

    def add(self, op, out, inputs, **more):
        """Add a step and return its name."""
        inputs = (inputs,) if isinstance(inputs, str) else tuple(inputs)
        self.steps.append(Step(op, out, inputs, **more))
        return out

    def last(self, out, features, picture, weight, bias, shuffled):
        """Add the convolution that makes the picture, less the repeated small picture."""
        channels = np.arange(len(weight)) // shuffled**2
        less = np.zeros((len(weight), 3, *weight.shape[2:]), np.float32)
        middle = weight.shape[-1] // 2
        less[np.arange(len(weight)), channels, middle, middle] = -1
        both = self.add("concat", f"{out}_in", (features, picture))
        return self.conv(out, both, np.concatenate([weight, less], axis=1), bias)

    def network(self, name, scale):
        """Return the finished network."""
        widths = ServedPlan(name, scale, tuple(self.steps)).widths()
        if widths[self.steps[-1].out] != 3 * scale**2:
            raise UserError("it does not make RGB pictures")
        return Network(ServedPlan(name, scale, tuple(self.steps)), self.arrays, dict(CARD))


def _bare(arrays):
    """Return the arrays without the prefix that all names share."""
    for prefix in PREFIXES:
        if all(name.startswith(prefix) for name in arrays):
            return {name.removeprefix(prefix): array for name, array in arrays.items()}
    ema = {n.removeprefix(PREFIXES[0]): a for n, a in arrays.items() if n.startswith(PREFIXES[0])}
    return ema or arrays


def _scale_of(channels):
    """Return the scale whose sub-pixels of RGB are so many channels."""
    scale = round((channels / 3) ** 0.5)
    if 3 * scale**2 != channels or not 1 <= scale <= 4:
        raise UserError(f"its last layer has {channels} channels, which are no sub-pixels of RGB")
    return scale


def _compact(arrays):
    """Convolutions with PReLU, and the repeated pixels added at the end."""
    build, name, last = _Builder(), "input", 3
    count = 1 + max(int(n.split(".")[1]) for n in arrays if n.startswith("body."))
    for i in range(count):
        weight = arrays[f"body.{i}.weight"]
        if weight.ndim == 1:
            build.arrays[f"act{i}/alpha"] = np.broadcast_to(weight, last).copy()
            name = build.add("prelu", f"act{i}", name)
        else:
            name = build.conv(f"conv{i}", name, weight, arrays[f"body.{i}.bias"])
            last = len(weight)
    return build.network("compact", _scale_of(last))


def _span(arrays):
    """Six blocks of three convolutions, gated without parameters."""
    build = _Builder()
    weight, bias = _folded(arrays, "conv_1")
    if "no_norm" in arrays:
        first = build.conv("conv_1", "input", weight, bias)
    else:
        # What is subtracted from the input is not there beyond its edge, where zeros stand: it is
        # the weight of a fourth channel, of ones.
        one = build.conv(
            "ones", "input", np.zeros((1, 3, 1, 1), np.float32), np.ones(1, np.float32)
        )
        mean = -np.einsum("oiyx,i->oyx", weight, SPAN_MEAN)[:, None]
        both = build.add("concat", "input_1", ("input", one))
        weight = SPAN_RANGE * np.concatenate([weight, mean], axis=1)
        first = build.conv("conv_1", both, weight, bias)
    name, outs = first, {}
    for i in range(1, 7):
        x, block = name, f"block_{i}"
        for j in (1, 2, 3):
            name = build.conv(f"{block}_{j}", name, *_folded(arrays, f"{block}.c{j}_r"))
            name = build.add("silu", f"{name}_act", name) if j < 3 else name
        name = outs[i] = build.add("gate", block, (name, x))
    name = build.conv("conv_2", name, *_folded(arrays, "conv_2"))
    # the first activation of block 6 is kept, not what goes into it
    name = build.add("concat", "all", (first, name, outs[1], "block_6_1_act"))
    name = build.conv("conv_cat", name, arrays["conv_cat.weight"], arrays["conv_cat.bias"])
    weight, bias = arrays["upsampler.0.weight"], arrays["upsampler.0.bias"]
    scale = _scale_of(len(weight))
    build.last("tail", name, "input", weight, bias, scale)
    return build.network("span", scale)


def _folded(arrays, name):
    """Return `(kernel, bias)` of SPAN's trained branches 1x1, 3x3, 1x1 and 1x1 beside them."""
    if f"{name}.conv.0.weight" not in arrays:
        return arrays[f"{name}.eval_conv.weight"], arrays[f"{name}.eval_conv.bias"]
    w1, w2, w3 = (arrays[f"{name}.conv.{i}.weight"].astype(np.float64) for i in range(3))
    b1, b2, b3 = (arrays[f"{name}.conv.{i}.bias"].astype(np.float64) for i in range(3))
    w1, w3 = w1[:, :, 0, 0], w3[:, :, 0, 0]
    kernel = np.einsum("ok,kmyx,mi->oiyx", w3, w2, w1)
    bias = w3 @ (np.einsum("kmyx,m->k", w2, b1) + b2) + b3
    kernel[:, :, 1, 1] += arrays[f"{name}.sk.weight"][:, :, 0, 0]
    return kernel.astype(np.float32), (bias + arrays[f"{name}.sk.bias"]).astype(np.float32)


def _renamed(arrays):
    """Return ESRGAN's arrays with the names of its newest form."""
    rules = [
        (r"^RRDB_trunk\.(\d+)\.RDB(\d)\.conv(\d)", r"body.\1.rdb\2.conv\3"),
        (r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0", r"body.\1.rdb\2.conv\3"),
        (r"^model\.1\.sub\.\d+\.(weight|bias)", r"conv_body.\1"),
        (r"^model\.0\.", "conv_first."), (r"^trunk_conv", "conv_body"),
        (r"^upconv", "conv_up"), (r"^HRconv", "conv_hr"),
    ]  # fmt: skip
    found = {}
    for name, array in arrays.items():
        for pattern, new in rules:
            name = re.sub(pattern, new, name)
        found[name] = array
    numbers = sorted({int(n.split(".")[1]) for n in found if n.startswith("model.")})
    if numbers:  # model.3, model.6 ... enlarge; the last two make the picture
        places = [f"conv_up{i + 1}" for i in range(len(numbers) - 2)] + ["conv_hr", "conv_last"]
        places = {f"model.{n}": place for n, place in zip(numbers, places, strict=True)}
        found = {re.sub(r"^model\.\d+", lambda m: places[m[0]], n): a for n, a in found.items()}
    return found


def _esrgan(arrays):
    """Residual-in-residual dense blocks, then repeated pixels and convolutions at full size."""
    if any("conv1x1" in name for name in arrays):
        raise UserError("it is ESRGAN+, which is not known; ESRGAN is")
    if arrays["conv_first.weight"].shape[1] != 3:
        raise UserError("it reads blocks of pixels as channels, which only its own program does")
    build = _Builder()

    def conv(name, inputs, key=None, act=False, share=1.0):
        weight, bias = arrays[f"{key or name}.weight"], arrays[f"{key or name}.bias"]
        made = build.conv(name, inputs, np.float32(share) * weight, np.float32(share) * bias)
        return build.add("leaky_relu", f"{made}_act", made, slope=0.2) if act else made

    first = name = conv("conv_first", "input")
    blocks = 1 + max(int(n.split(".")[1]) for n in arrays if n.startswith("body."))
    for i in range(blocks):
        start = name
        for j in (1, 2, 3):
            name = _dense_block(build, conv, f"body.{i}.rdb{j}", name)
        name = build.add("scale", f"block{i}_less", name, slope=0.2)
        name = build.add("add", f"block{i}", (name, start))
    name = build.add("add", "trunk", (conv("conv_body", name), first))
    ups = sum(1 for n in arrays if re.fullmatch(r"conv_up\d\.weight", n))
    picture = "input"
    for i in range(1, ups + 1):
        name = conv(f"conv_up{i}", build.add("nearest", f"up{i}", name, kernel=2), act=True)
        picture = build.add("nearest", f"picture{i}", picture, kernel=2)
    name = conv("conv_hr", name, act=True)
    weight, bias = arrays["conv_last.weight"], arrays["conv_last.bias"]
    if len(weight) != 3:
        raise UserError("it does not make RGB pictures")
    name = build.last("conv_last", name, picture, weight, bias, 1)
    build.add("unshuffle", "blocks", name, kernel=2**ups)
    return build.network("esrgan", 2**ups)


def _dense_block(build, conv, key, start):
    """Add five convolutions of which each sees all before it, a fifth of the last one added."""
    seen = [start]
    for k in range(1, 5):
        inputs = build.add("concat", f"{key}.in{k}", seen) if k > 1 else start
        seen.append(conv(f"{key}.conv{k}", inputs, act=True))
    inputs = build.add("concat", f"{key}.in5", seen)
    return build.add("add", key, (conv(f"{key}.conv5", inputs, share=0.2), start))
