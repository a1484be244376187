"""Networks that start as smaller ones: the same result, and every weight can learn."""

import keras
import numpy as np
import pytest
from keras import ops

from gantools.nets import plans, superres
from gantools.nets.growth import grow, taken

pytestmark = pytest.mark.backends


def trained(plan):
    """Return weights that no initialisation gives."""
    random = np.random.default_rng(3)
    return {
        name: random.normal(0, 0.3, shape).astype("float32")
        for name, shape in plan.weight_shapes().items()
    }


def started(plan, arrays, seed=1):
    model = superres.build(plan, seed=seed)
    superres.set_weights_by_name(model, grow(plan, superres.get_weights_by_name(model), arrays))
    return model


@pytest.mark.parametrize("kind", ["fast", "compact", "srresnet"])
@pytest.mark.parametrize("more", [{"width": 24}, {"blocks": 3}, {"width": 20, "blocks": 4}])
def test_a_larger_network_starts_as_the_smaller_one(kind, more):
    if kind == "compact" and "blocks" in more:
        pytest.skip("it has no shortcut: a new layer cannot stand aside")
    size = {"width": 8, "blocks": 2}
    small, large = (plans.PLANS[kind](2, **s) for s in (size, size | more))
    arrays = trained(small)
    wanted = superres.build(small)
    superres.set_weights_by_name(wanted, arrays)
    x = np.random.default_rng(4).uniform(size=(1, 9, 7, 3)).astype("float32")
    made, expected = (ops.convert_to_numpy(net(x)) for net in (started(large, arrays), wanted))
    np.testing.assert_allclose(made, expected, rtol=2e-4, atol=2e-4)


def test_every_new_weight_learns_within_three_updates():
    size = {"width": 8, "blocks": 1}
    large = plans.fast(2, width=16, blocks=2)
    model = started(large, trained(plans.fast(2, **size)))
    start = superres.get_weights_by_name(model)
    random = np.random.default_rng(5)
    x = random.uniform(size=(2, 8, 8, 3)).astype("float32")
    y = random.normal(size=(2, 8, 8, 12)).astype("float32")
    model.compile(keras.optimizers.Adam(1e-3), "mae")
    for _ in range(3):
        model.train_on_batch(x, y)
    after = superres.get_weights_by_name(model)
    still = {name: np.mean(after[name] == start[name]) for name in start}
    assert max(still.values()) < 0.02, still


def test_another_scale_gives_its_trunk():
    small, large = plans.fast(2, width=8, blocks=1), plans.fast(4, width=8, blocks=1)
    arrays = trained(small)
    model = started(large, arrays)
    taken = superres.get_weights_by_name(model)
    np.testing.assert_array_equal(taken["pair0a/kernel"], arrays["pair0a/kernel"])
    assert taken["tail/kernel"].shape == (3, 3, 8, 48)
    assert not ops.convert_to_numpy(model(np.ones((1, 4, 4, 3), "float32"))).any()


def test_a_wider_network_or_a_larger_kernel_is_not_squeezed_in():
    plan = plans.fast(2, width=8, blocks=1)
    fresh = {name: np.full(shape, 0.5, "float32") for name, shape in plan.weight_shapes().items()}
    for other in (plans.fast(2, width=16, blocks=1), plans.srresnet(2, width=8, blocks=1)):
        grown = grow(plan, fresh, trained(other))
        np.testing.assert_array_equal(grown["head/kernel"], fresh["head/kernel"])


def test_a_smaller_kernel_is_taken_into_the_middle():
    small, large = plans.fast(2, width=8, blocks=1), plans.srresnet(2, width=12, blocks=2)
    arrays = trained(small)
    assert taken(large, arrays) == 1.0
    fresh = superres.get_weights_by_name(superres.build(large, seed=1))
    kernel = grow(large, fresh, arrays)["head/kernel"]
    assert kernel.shape == (9, 9, 3, 12)
    np.testing.assert_array_equal(kernel[3:6, 3:6, :, :8], arrays["head/kernel"])
    around = kernel[..., :8].copy()
    around[3:6, 3:6] = 0
    assert not around.any()


def test_joined_channels_are_taken_only_where_shapes_are_equal():
    small, large = plans.rrdb(2, width=8, blocks=1), plans.rrdb(2, width=16, blocks=1)
    fresh = {n: np.full(shape, 0.5, "float32") for n, shape in large.weight_shapes().items()}
    grown = grow(large, fresh, trained(small))
    assert all(np.array_equal(grown[name], fresh[name]) for name in fresh if "kernel" in name)
    same = trained(large)
    assert all(np.array_equal(a, same[name]) for name, a in grow(large, fresh, same).items())


def test_what_is_taken_is_counted():
    small = plans.fast(4, width=8, blocks=1)
    arrays = trained(small)
    assert taken(plans.fast(4, width=16, blocks=3), arrays) == 1.0
    assert taken(plans.fast(2, width=8, blocks=1), arrays) == 4 / 5  # not the tail
    for other in (plans.fast(4, width=4, blocks=1), plans.compact(4, width=8, blocks=2)):
        assert taken(other, arrays) < 0.5
