"""Plans of super-resolution networks: the topology as plain data, without any framework.

One plan is read by everyone: `nets.superres` makes a Keras model of it to train,
`apps/superres/onnx.py` a graph to run, and the weight file stores it beside the numbers, so that a
file needs no code that knows its name.

Every plan maps a picture `(batch, height, width, 3)`, RGB float32 in [0, 1] at low resolution, to
`(batch, height, width, 3 * scale**2)`: the residual on the exact bicubic base, sub-pixels in the
channel order `c * scale**2 + dy * scale + dx` (pixel shuffle). Only stacks of plain convolutions
are described: on a CPU nothing else is as fast per decibel, and only they can be tiled exactly.
"""

from dataclasses import asdict, dataclass

OPERATIONS = ("conv", "relu", "leaky_relu", "prelu", "silu", "gate", "add", "concat", "scale")


@dataclass(frozen=True)
class Step:
    """One operation of a plan.

    Attributes:
        op: One of `OPERATIONS`. `gate` is x * (sigmoid(x) - 1/2); `add` sums its inputs, `concat`
            joins their channels, `scale` multiplies by `slope`.
        out: Name of the result; also the prefix of its weights (`head/kernel`, `head/bias`,
            `act/alpha`).
        inputs: Names of earlier results; "input" is the picture.
        channels: Output channels of a `conv`.
        kernel: Side of a square `conv` kernel, odd; padding is 'same' with zeros.
        slope: Negative slope of `leaky_relu`, or factor of `scale`. Only 0.2 is allowed for a
            `leaky_relu` after an `add`: see `Plan`.
    """

    op: str
    out: str
    inputs: tuple[str, ...]
    channels: int = 0
    kernel: int = 3
    slope: float = 0.2


@dataclass(frozen=True)
class Plan:
    """A network as a sequence of steps; the last one gives the residual.

    Raises:
        ValueError: an unknown operation or input, or a `leaky_relu` with another slope than 0.2
            directly after an `add`: TensorFlow fuses that pattern on CPUs and drops the slope, so
            that trained and served networks differ.
    """

    name: str
    scale: int
    steps: tuple[Step, ...]

    def __post_init__(self):
        known = {"input": "input"}
        for step in self.steps:
            missing = [name for name in step.inputs if name not in known]
            if step.op not in OPERATIONS or missing:
                raise ValueError(
                    f"{self.name}: {step.op} {step.out!r} is unknown or reads unknown {missing}."
                )
            if step.op == "leaky_relu" and step.slope != 0.2 and known[step.inputs[0]] == "add":
                raise ValueError(
                    f"{self.name}: leaky_relu after add must have slope 0.2. "
                    f"Received: {step.slope}."
                )
            known[step.out] = step.op

    @property
    def radius(self) -> int:
        """Return the receptive radius in low-resolution pixels, the bicubic base's 2 included.

        A tile with this much context around it gives bit for bit what the whole picture gives.
        """
        reach = {"input": 0}
        for step in self.steps:
            here = max(reach[name] for name in step.inputs)
            reach[step.out] = here + (step.kernel // 2 if step.op == "conv" else 0)
        return max(2, reach[self.steps[-1].out])

    def widths(self) -> dict[str, int]:
        """Return the channels of each result."""
        found = {"input": 3}
        for step in self.steps:
            found[step.out] = found[step.inputs[0]]
            if step.op == "conv":
                found[step.out] = step.channels
            elif step.op == "concat":
                found[step.out] = sum(found[name] for name in step.inputs)
        return found

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by name; kernels are `(side, side, c_in, c_out)`."""
        widths, shapes = self.widths(), {}
        for step in self.steps:
            channels = widths[step.inputs[0]]
            if step.op == "conv":
                shapes[f"{step.out}/kernel"] = (step.kernel, step.kernel, channels, step.channels)
                shapes[f"{step.out}/bias"] = (step.channels,)
            elif step.op == "prelu":
                shapes[f"{step.out}/alpha"] = (channels,)
        return shapes

    def to_dict(self) -> dict:
        """Return the plan as JSON-ready data."""
        return {
            "name": self.name,
            "scale": self.scale,
            "steps": [asdict(step) for step in self.steps],
        }

    @classmethod
    def from_dict(cls, data: dict) -> "Plan":
        """Rebuild a plan from `to_dict`'s result."""
        steps = tuple(Step(**{**step, "inputs": tuple(step["inputs"])}) for step in data["steps"])
        return cls(data["name"], data["scale"], steps)


def fast(scale: int, *, width: int = 48, blocks: int = 4, name: str = "fast") -> Plan:
    """Return the default network: head, residual pairs, body with a long skip, tail.

    It has 209 184 parameters at x4.

    Args:
        scale: Enlargement, 2 to 4.
        width: Channels of the trunk; multiples of 16 are fastest.
        blocks: Residual pairs (conv, activation, conv, add).
        name: Name in listings and file names.
    """
    steps, trunk = [Step("conv", "head", ("input",), width)], "head"
    for i in range(blocks):
        steps += [
            Step("conv", f"pair{i}a", (trunk,), width),
            Step("leaky_relu", f"pair{i}act", (f"pair{i}a",)),
            Step("conv", f"pair{i}b", (f"pair{i}act",), width),
            Step("add", f"pair{i}", (f"pair{i}b", trunk)),
        ]
        trunk = f"pair{i}"
    steps += [
        Step("conv", "body", (trunk,), width),
        Step("add", "long", ("body", "head")),
        Step("leaky_relu", "act", ("long",)),
        Step("conv", "tail", ("act",), 3 * scale**2),
    ]
    return Plan(name, scale, tuple(steps))


def compact(scale: int, *, width: int = 64, blocks: int = 16, name: str = "compact") -> Plan:
    """Return convolutions with PReLU one after the other, without any shortcut.

    Args:
        scale, width, name: As of `fast`.
        blocks: Convolutions between the first and the last.

    Source: Wang et al. 2021, arXiv 2107.10833, its small network (SRVGGNetCompact); there the
        pixels are repeated, here the base is bicubic.
    """
    steps, trunk = [], "input"
    for i in range(blocks + 1):
        steps += [
            Step("conv", f"conv{i}", (trunk,), width),
            Step("prelu", f"act{i}", (f"conv{i}",)),
        ]
        trunk = f"act{i}"
    return Plan(name, scale, (*steps, Step("conv", "tail", (trunk,), 3 * scale**2)))


def srresnet(scale: int, *, width: int = 64, blocks: int = 16, name: str = "srresnet") -> Plan:
    """Return SRGAN's generator without batch normalisation, all at low resolution.

    Args:
        scale, width, name: As of `fast`.
        blocks: Residual blocks, named as those of `fast`, from which `growth` can take them.

    Source: Ledig et al. 2016, arXiv 1609.04802, figure 4; the tail is a single 3x3 convolution, as
        in Lim et al. 2017, arXiv 1707.02921 (EDSR), whose results without normalisation are better.
    """
    steps = [Step("conv", "head", ("input",), width, 9), Step("prelu", "head_act", ("head",))]
    trunk = "head_act"
    for i in range(blocks):
        steps += [
            Step("conv", f"pair{i}a", (trunk,), width),
            Step("prelu", f"pair{i}act", (f"pair{i}a",)),
            Step("conv", f"pair{i}b", (f"pair{i}act",), width),
            Step("add", f"pair{i}", (f"pair{i}b", trunk)),
        ]
        trunk = f"pair{i}"
    steps += [
        Step("conv", "body", (trunk,), width),
        Step("add", "long", ("body", "head_act")),
        Step("conv", "tail", ("long",), 3 * scale**2),
    ]
    return Plan(name, scale, tuple(steps))


def rrdb(
    scale: int, *, width: int = 32, blocks: int = 4, growth: int | None = None, name: str = "rrdb"
) -> Plan:
    """Return ESRGAN's trunk of residual-in-residual dense blocks, all at low resolution.

    Args:
        scale, width, name: As of `fast`; the published width is 64.
        blocks: Blocks of three dense blocks of five convolutions each; the published number is 23.
        growth: Channels that a dense block's convolutions add; None: half the width.

    Source: Wang et al. 2018, arXiv 1809.00219, section 3.1; there the picture is enlarged before
        the last two of its convolutions.
    """
    growth = growth or width // 2
    steps, trunk = [Step("conv", "head", ("input",), width)], "head"
    for i in range(blocks):
        start = trunk
        for j in range(3):
            steps += _dense(f"block{i}_{j}", trunk, width, growth)
            trunk = f"block{i}_{j}"
        less = Step("scale", f"block{i}_less", (trunk,), slope=0.2)
        steps += [less, Step("add", f"block{i}", (less.out, start))]
        trunk = f"block{i}"
    steps += [
        Step("conv", "body", (trunk,), width),
        Step("add", "long", ("body", "head")),
        Step("conv", "last", ("long",), width),
        Step("leaky_relu", "act", ("last",)),
        Step("conv", "tail", ("act",), 3 * scale**2),
    ]
    return Plan(name, scale, tuple(steps))


def _dense(name, start, width, growth):
    """Return five convolutions of which each sees all before it; a fifth of the last is added."""
    steps, seen = [], [start]
    for k in range(1, 5):
        inputs = start
        if k > 1:
            inputs = f"{name}_in{k}"
            steps.append(Step("concat", inputs, tuple(seen)))
        steps.append(Step("conv", f"{name}_conv{k}", (inputs,), growth))
        steps.append(Step("leaky_relu", f"{name}_act{k}", (f"{name}_conv{k}",)))
        seen.append(f"{name}_act{k}")
    return [
        *steps,
        Step("concat", f"{name}_in5", tuple(seen)),
        Step("conv", f"{name}_conv5", (f"{name}_in5",), width),
        Step("scale", f"{name}_less", (f"{name}_conv5",), slope=0.2),
        Step("add", name, (f"{name}_less", start)),
    ]


PLANS = {"fast": fast, "compact": compact, "srresnet": srresnet, "rrdb": rrdb}
