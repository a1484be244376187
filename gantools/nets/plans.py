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

OPERATIONS = ("conv", "relu", "leaky_relu", "prelu", "silu", "gate", "add")


@dataclass(frozen=True)
class Step:
    """One operation of a plan.

    Attributes:
        op: One of `OPERATIONS`. `gate` is x * (sigmoid(x) - 1/2); `add` sums its inputs.
        out: Name of the result; also the prefix of its weights (`head/kernel`, `head/bias`,
            `act/alpha`).
        inputs: Names of earlier results; "input" is the picture.
        channels: Output channels of a `conv`.
        kernel: Side of a square `conv` kernel, odd; padding is 'same' with zeros.
        slope: Negative slope of `leaky_relu`. Only 0.2 is allowed after an `add`: see `Plan`.
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

    def weight_shapes(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of every weight by name; kernels are `(side, side, c_in, c_out)`."""
        width, shapes = {"input": 3}, {}
        for step in self.steps:
            channels = width[step.inputs[0]]
            if step.op == "conv":
                shapes[f"{step.out}/kernel"] = (step.kernel, step.kernel, channels, step.channels)
                shapes[f"{step.out}/bias"] = (step.channels,)
                channels = step.channels
            elif step.op == "prelu":
                shapes[f"{step.out}/alpha"] = (channels,)
            width[step.out] = channels
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
