"""Models of plans: names, weights, values."""

import numpy as np
import pytest
from keras import ops

from gantools.errors import UserError
from gantools.nets import superres
from gantools.nets.plans import PLANS, Plan, Step, fast

pytestmark = pytest.mark.backends

EVERY_OPERATION = Plan(
    "every",
    2,
    (
        Step("conv", "head", ("input",), 6, kernel=5),
        Step("prelu", "bend", ("head",)),
        Step("conv", "middle", ("bend",), 6),
        Step("gate", "gate", ("middle",)),
        Step("add", "sum", ("gate", "head")),
        Step("concat", "both", ("sum", "middle", "input")),
        Step("scale", "less", ("both",), slope=0.7),
        Step("silu", "smooth", ("less",)),
        Step("relu", "cut", ("smooth",)),
        Step("conv", "tail", ("cut",), 12, kernel=1),
    ),
)


def forward(plan, weights, x):
    """Compute a plan in float64 NumPy."""
    results = {"input": x.astype("float64")}
    for step in plan.steps:
        a = [results[name] for name in step.inputs]
        if step.op == "conv":
            results[step.out] = convolve(a[0], weights[f"{step.out}/kernel"])
            results[step.out] += weights[f"{step.out}/bias"]
            continue
        sigmoid = 1 / (1 + np.exp(-a[0]))
        results[step.out] = {
            "relu": lambda x: np.maximum(x, 0),
            "leaky_relu": lambda x, s=step.slope: np.where(x > 0, x, s * x),
            "prelu": lambda x, n=step.out: np.where(x > 0, x, weights.get(f"{n}/alpha", 0) * x),
            "silu": lambda x, s=sigmoid: x * s,
            "gate": lambda x, s=sigmoid: x * (s - 0.5),
            "add": lambda x, a=a: sum(a),
            "concat": lambda x, a=a: np.concatenate(a, axis=-1),
            "scale": lambda x, s=step.slope: s * x,
        }[step.op](a[0])
    return results[plan.steps[-1].out]


def convolve(x, kernel):
    side = kernel.shape[0]
    h, w = x.shape[1:3]
    padded = np.pad(x, [(0, 0), (side // 2,) * 2, (side // 2,) * 2, (0, 0)])
    return sum(
        padded[:, i : i + h, j : j + w] @ kernel[i, j].astype("float64")
        for i in range(side)
        for j in range(side)
    )


def random_weights(plan):
    random = np.random.default_rng(0)
    return {
        name: random.normal(0, 0.2, shape).astype("float32")
        for name, shape in plan.weight_shapes().items()
    }


SMALL = [make(2, width=8, blocks=2) for make in PLANS.values()]


@pytest.mark.parametrize("plan", [EVERY_OPERATION, fast(3, width=8, blocks=2), *SMALL])
def test_model_computes_the_plan(plan):
    model, weights = superres.build(plan), random_weights(plan)
    superres.set_weights_by_name(model, weights)
    x = np.random.default_rng(1).uniform(size=(2, 6, 9, 3)).astype("float32")
    expected = forward(plan, weights, x)
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=2e-5)


@pytest.mark.parametrize("plan", [EVERY_OPERATION, fast(4)])
def test_weights_have_the_names_and_shapes_of_the_plan(plan):
    model = superres.build(plan)
    weights = superres.get_weights_by_name(model)
    assert {name: array.shape for name, array in weights.items()} == plan.weight_shapes()
    assert sum(a.size for a in weights.values()) == model.count_params()
    fresh = random_weights(plan)
    superres.set_weights_by_name(model, fresh)
    for name, array in superres.get_weights_by_name(model).items():
        np.testing.assert_array_equal(array, fresh[name])


def test_a_fresh_model_returns_the_bicubic_base():
    model = superres.build(fast(2, width=8, blocks=1))
    assert not ops.any(model(np.ones((1, 4, 4, 3), "float32")))
    assert model.get_layer("head").kernel.shape == (3, 3, 3, 8)


def test_half_precision_weights_are_taken():
    plan = fast(2, width=8, blocks=1)
    model = superres.build(plan)
    half = {name: array.astype("float16") for name, array in random_weights(plan).items()}
    superres.set_weights_by_name(model, half)
    kernel = superres.get_weights_by_name(model)["body/kernel"]
    np.testing.assert_array_equal(kernel, half["body/kernel"].astype("float32"))


def test_foreign_names_are_refused_and_change_nothing():
    plan = fast(2, width=8, blocks=1)
    model = superres.build(plan)
    before = superres.get_weights_by_name(model)
    with pytest.raises(UserError, match="neck/kernel"):
        superres.set_weights_by_name(model, {**random_weights(plan), "neck/kernel": np.ones(2)})
    after = superres.get_weights_by_name(model)
    assert all(np.array_equal(before[name], after[name]) for name in before)


def test_published_sizes():
    counts = {
        name: sum(int(np.prod(shape)) for shape in plan(4, **size).weight_shapes().values())
        for name, plan, size in (
            ("compact", PLANS["compact"], {}),
            ("srresnet", PLANS["srresnet"], {}),
            ("rrdb", PLANS["rrdb"], {"width": 64, "blocks": 23}),
        )
    }
    assert counts["compact"] == 621_424  # SRVGGNetCompact of Real-ESRGAN
    # 0.45 M of its enlarging convolutions are left out, and the 9x9 tail is 3x3 at low resolution
    assert 1.2e6 < counts["srresnet"] < 1.3e6
    assert 16.5e6 < counts["rrdb"] < 16.8e6  # 16.7 M


@pytest.mark.parametrize("plan", SMALL, ids=lambda plan: plan.name)
def test_plans_survive_being_written(plan):
    assert Plan.from_dict(plan.to_dict()) == plan
    assert plan.radius == reach_of(plan)


def reach_of(plan):
    """Return how far a change of one pixel can be seen: the radius, found without the formula."""
    weights = {name: np.abs(array) for name, array in random_weights(plan).items()}
    side = 2 * plan.radius + 5
    middle, x = side // 2, np.zeros((1, side, side, 3))
    nothing = forward(plan, weights, x)
    x[0, middle, middle] = 1e9  # at 1 what reaches the end was lost in rounding on one processor
    changed = np.abs(forward(plan, weights, x) - nothing)[0].max(-1) > 0
    return int(np.max(np.abs(np.argwhere(changed) - middle)))
