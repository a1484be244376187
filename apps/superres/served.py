"""Plans of networks that other programs have trained: served here, not trained.

They have operations that ours need not, and another base: they add to the small picture with its
pixels repeated, or make the picture whole, which is written here as the same with the repeated
picture subtracted in the last convolution. So the residual is small, and bfloat16 does for it.
"""

import math
from dataclasses import dataclass

import numpy as np

from gantools.nets.plans import OPERATIONS, Plan

MORE = ("nearest", "unshuffle")
# Bytes that an engine holds for each pixel of a tile and each number of the widest layer, measured
# with OpenVINO in bfloat16 (700 MB for 1024x1024 at 48 channels); float32 needs twice as much.
PER_NUMBER = 15
FARTHEST = 64  # pixels of context: more would leave nothing of a tile that fits into memory


@dataclass(frozen=True)
class ServedPlan(Plan):
    """A plan with more operations, whose residual is added to the repeated pixels.

    `nearest` repeats each pixel `kernel` times along both axes; `unshuffle` makes channels of
    blocks of `kernel` x `kernel` pixels; `gate` with two inputs multiplies the sum of both by
    sigmoid(first) - 1/2.
    """

    base = "nearest"

    def __post_init__(self):
        known = {"input"}
        for step in self.steps:
            missing = set(step.inputs) - known
            if step.op not in (*OPERATIONS, *MORE) or missing:
                raise ValueError(f"{self.name}: {step.op} {step.out!r} reads unknown {missing}.")
            known.add(step.out)

    @property
    def radius(self) -> int:
        """Return the context in small pixels: what the network can see, at most `FARTHEST`."""
        reach, factors = {"input": 0.0}, self.factors()
        for step in self.steps:
            seen = max(reach[name] for name in step.inputs)
            wider = step.kernel // 2 / factors[step.inputs[0]] if step.op == "conv" else 0
            reach[step.out] = seen + wider
        exact = math.ceil(reach[self.steps[-1].out]) + (max(factors.values()) > 1)
        return max(2, min(exact, FARTHEST))

    def factors(self) -> dict[str, int]:
        """Return how many times larger than the small picture each result is."""
        found = {"input": 1}
        for step in self.steps:
            here = found[step.inputs[0]]
            here = here * step.kernel if step.op == "nearest" else here
            found[step.out] = here // step.kernel if step.op == "unshuffle" else here
        return found

    def widths(self) -> dict[str, int]:
        """Return the channels of each result."""
        found = {"input": 3}
        for step in self.steps:
            channels = found[step.inputs[0]]
            if step.op == "conv":
                channels = step.channels
            elif step.op == "concat":
                channels = sum(found[name] for name in step.inputs)
            elif step.op == "unshuffle":
                channels *= step.kernel**2
            found[step.out] = channels
        return found


def base_taps(plan: Plan, up: np.ndarray) -> np.ndarray:
    """Return the base of a plan along one axis, `(scale, 5)`; `up` is that of bicubic."""
    if not isinstance(plan, ServedPlan):
        return up
    line = np.zeros_like(up)
    line[:, 2] = 1
    return line


def widest(plan: Plan) -> int:
    """Return the most numbers that any result of a plan holds for a small pixel."""
    if not isinstance(plan, ServedPlan):
        widths = plan.widths().values() if plan.steps else [64]  # of an unknown graph
        return max(*widths, 3 * plan.scale**2)
    widths, factors = plan.widths(), plan.factors()
    return max(widths[name] * factors[name] ** 2 for name in widths)


def bytes_a_pixel(plan: Plan, *, deep: bool) -> int:
    """Return the bytes that an engine holds for a pixel of a tile."""
    return PER_NUMBER * widest(plan) * (2 if deep else 1)
