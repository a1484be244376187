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
            Smaller kernels are taken into the middle of larger ones; larger ones, or wider ones,
            are not taken. Activations that are new start fresh: `srresnet` of `fast` is near it,
            not equal.

    Returns:
        Float32 arrays by name. Where channels are joined (`concat`) only equal shapes are taken.
    """
    closing = {step.inputs[0] for step in plan.steps if step.op == "add"}
    grown = {}
    for name, start in fresh.items():
        layer, kind = name.split("/")
        old = trained.get(name)
        if old is None:
            # A block that is not in `trained` must not change what passes by it.
            grown[name] = np.zeros_like(start) if layer in closing else start
        elif not _fits(plan, name, old.shape, start.shape):
            grown[name] = start
        else:
            grown[name] = _embedded(np.asarray(old, "float32"), start, kernel=kind == "kernel")
    return grown


def taken(plan: Plan, trained: Mapping[str, np.ndarray]) -> float:
    """Return the share of a trained network's convolutions that `grow` takes over, 0 to 1."""
    shapes = plan.weight_shapes()
    kernels = [name for name in trained if name.endswith("/kernel")]
    fitting = [n for n in kernels if n in shapes and _fits(plan, n, trained[n].shape, shapes[n])]
    return len(fitting) / max(1, len(kernels))


def _last(plan):
    return [step.out for step in plan.steps if step.op == "conv"][-1]


def _fits(plan, name, old, new):
    """Return whether an array is a corner of the new one; the last layer's outputs mean pixels."""
    if old == new:
        return True
    joined = any(step.op == "concat" for step in plan.steps)
    if joined or len(old) != len(new):
        return False
    if any((b - a) % 2 for a, b in zip(old[:-2], new[:-2], strict=True)):
        return False  # no middle
    last = name.split("/")[0] == _last(plan) and old[-1] != new[-1]
    return not last and all(a <= b for a, b in zip(old, new, strict=True))


def _embedded(old, start, *, kernel):
    """Return `start` with `old` in its corner; trained channels read nothing but themselves."""
    grown = np.array(start, "float32")
    if not kernel:
        grown[: len(old)] = old
        return grown
    side, (inputs, outputs) = old.shape[0], old.shape[2:]
    middle = slice((len(grown) - side) // 2, (len(grown) + side) // 2)
    grown[:, :, :, :outputs] = 0.0
    grown[middle, middle, :inputs, :outputs] = old
    return grown
