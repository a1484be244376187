"""Larger networks that start as smaller ones: the same function, with room to learn more.

Trained channels keep their numbers. New channels read everything and are read, at first, by nobody
but each other; the last convolution of a new block starts at zero. So the larger network gives what
the smaller one gives, up to rounding, and every new weight still gets a gradient within two
updates.

Source: the idea is that of Chen et al. 2015, arXiv 1511.05641 (Net2Net); there new channels are
copies of old ones, which stay copies unless noise is added.
"""

from collections.abc import Mapping

import numpy as np

from gantools.nets.plans import Plan


def grow(
    plan: Plan, fresh: Mapping[str, np.ndarray], trained: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Return weights for `plan` that take over a trained network of its kind, as far as it goes.

    Args:
        plan: Topology of the network to start.
        fresh: Its weights before training, named and shaped as in `Plan.weight_shapes`.
        trained: Weights of a network of the same kind with as many blocks and channels or fewer.
            One of another scale gives all but the last convolution, which stays fresh, that is 0.
            Weights whose kernels differ otherwise, or that are wider, are not taken.

    Returns:
        Float32 arrays by name. Where channels are joined (`concat`) only equal shapes are taken.
    """
    joined = any(step.op == "concat" for step in plan.steps)
    closing = {step.inputs[0] for step in plan.steps if step.op == "add"}
    grown = {}
    for name, start in fresh.items():
        layer, kind = name.split("/")
        old = trained.get(name)
        if old is None:
            # A block that is not in `trained` must not change what passes by it.
            grown[name] = np.zeros_like(start) if layer in closing else start
        elif old.shape == start.shape:
            grown[name] = np.asarray(old, "float32")
        elif joined or not _fits(old.shape, start.shape, last=layer == _last(plan)):
            grown[name] = start
        else:
            grown[name] = _embedded(np.asarray(old, "float32"), start, kernel=kind == "kernel")
    return grown


def _last(plan):
    return [step.out for step in plan.steps if step.op == "conv"][-1]


def _fits(old, new, *, last):
    """Return whether an array is a corner of the new one; the last layer's outputs mean pixels."""
    same_sides = old[:-2] == new[:-2]
    smaller = all(a <= b for a, b in zip(old, new, strict=True))
    return len(old) == len(new) and same_sides and smaller and not (last and old[-1] != new[-1])


def _embedded(old, start, *, kernel):
    """Return `start` with `old` in its corner; trained channels read nothing but themselves."""
    grown = np.array(start, "float32")
    if not kernel:
        grown[: len(old)] = old
        return grown
    inputs, outputs = old.shape[2:]
    grown[:, :, :, :outputs] = 0.0
    grown[:, :, :inputs, :outputs] = old
    return grown
