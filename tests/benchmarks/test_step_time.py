"""The rivals of the step-time benchmark play the same networks, and ratios are what they say."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.speed import step_time
from benchmarks.speed.step_cases import CASES
from benchmarks.speed.step_pool import Pool
from benchmarks.speed.step_sides import Side

torch = pytest.importorskip("torch")
TINY = {
    "dcgan-64": ((16, 16, 3), {"latent": 5, "widths": (8, 4)}, {"widths": (4, 8)}),
    "wgan-gp-32": ((32, 32, 3), {"latent": 5, "width": 8}, {"width": 8}),
    "r3gan-32": ((16, 16, 3), {"widths": (16, 8), "patch": 2}, {"widths": (16, 8), "patch": 2}),
    "cyclegan-64": (
        (16, 16, 3),
        {"width": 4, "halvings": 2, "blocks": 1},
        {"widths": (4, 8, 8), "halvings": 1},
    ),
}
TINY["r3gan-32"][1]["blocks"] = TINY["r3gan-32"][2]["blocks"] = 1


def tiny(name):
    shape, generator, critic = TINY[name]
    return replace(CASES[name], shape=shape, generator=generator, critic=critic, batch=3)


def carried(net, module, flipped):
    """Copy random weights of a Keras network into a module, by the names of their layers."""
    random, found = np.random.default_rng(0), {}
    for layer in net.layers:
        for v in layer.trainable_variables:
            v.assign(random.normal(0, 0.3, v.shape))
            kind = "bias" if v.name in ("bias", "beta") else "weight"
            found[f"layers.{layer.name}.{kind}"] = np.array(v.value)
    if "layers.basis.weight" in found:
        found["basis"] = found.pop("layers.basis.weight")
    weights = dict(module.named_parameters())
    assert found.keys() == weights.keys()
    for name, value in found.items():
        axes = {4: (3, 2, 0, 1), 3: (2, 0, 1), 2: (1, 0)}.get(value.ndim, (0,))
        value = value[::-1, ::-1] if flipped and value.ndim == 4 else value
        assert value.transpose(axes).shape == weights[name].shape, name
        weights[name].data.copy_(torch.from_numpy(value.transpose(axes).copy()))


@pytest.mark.parametrize("name", CASES)
def test_torch_networks_compute_what_the_keras_ones_compute(name):
    from benchmarks.speed import step_torch

    case, random = tiny(name), np.random.default_rng(1)
    nets, modules = case.networks(), step_torch.networks(case)
    for player, net in nets.items():
        # PyTorch pads the convolutions of stride 2 and width 3 on the other side
        flipped = player in ("to_a", "to_b")
        carried(net, modules[player], flipped)
        x = random.uniform(-1, 1, (3, *(net.input_shape[1:] if net.input_shape[1] else case.shape)))
        x = x.astype("float32")
        wanted = np.array(net(x, training=True))
        turned = x[:, ::-1, ::-1] if flipped else x
        turned = torch.from_numpy(turned.copy())
        turned = turned.permute(0, 3, 1, 2) if turned.ndim == 4 else turned
        found = modules[player](turned).detach()
        found = found.permute(0, 2, 3, 1).numpy() if found.ndim == 4 else found.numpy()
        found = found[:, ::-1, ::-1] if flipped else found
        np.testing.assert_allclose(found, wanted, atol=2e-4, err_msg=player)


@pytest.mark.parametrize("name", CASES)
def test_both_sides_have_as_many_weights(name):
    from benchmarks.speed import step_core, step_torch

    case = CASES[name]
    modules = step_torch.networks(case)
    weights = {n: sum(p.numel() for p in net.parameters()) for n, net in modules.items()}
    assert weights == step_core.parameters(case.networks())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", CASES)
def test_a_torch_cycle_moves_every_network(name, precision):
    from benchmarks.speed import step_torch

    torch.manual_seed(0)
    made, networks = {}, step_torch.networks

    def kept(case):
        made.update(networks(case))
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step_torch, "networks", kept)
        play, parameters = step_torch.cycle(tiny(name), precision)
    before = {n: [p.detach().clone() for p in net.parameters()] for n, net in made.items()}
    play()
    play()
    assert parameters == {n: sum(p.numel() for p in ps) for n, ps in before.items()}
    for n, net in made.items():
        same = [torch.equal(a, b) for a, b in zip(before[n], net.parameters(), strict=True)]
        assert sum(same) <= 1, n  # a bias whose gradient vanishes may stay
        assert all(torch.isfinite(p).all() for p in net.parameters()), n


def test_the_pool_stores_until_it_is_full_then_swaps():
    pool = Pool(4)
    assert pool.mixed([0, 1, 2]) == [0, 1, 2]
    found = [x for start in range(3, 63, 3) for x in pool.mixed(range(start, start + 3))]
    assert len(pool.stored) == 4
    assert sorted([*found, *pool.stored]) == sorted([*range(63), 3])  # 3 was stored and returned


def test_the_faster_precision_of_either_side_counts():
    seat = lambda seconds, memory: SimpleNamespace(
        seconds=seconds, processor=[2 * s for s in seconds[::-1]], memory=memory
    )
    own, fast, other = Side("core"), Side("core", "bfloat16"), Side("torch")
    seats = {own: seat([4, 4, 4], 1.0), fast: seat([2, 1, 3], 150.0), other: seat([2, 2, 8], 100.0)}
    row = step_time.row_of([own, fast], [other], seats)
    assert (row["core_precision"], row["rival_precision"]) == ("bfloat16", "float32")
    assert (row["core_s"], row["rival_s"], row["ratio"]) == (2.0, 2.0, 0.5)
    assert (row["processor_ratio"], row["memory_ratio"]) == (0.5, 1.5)
    assert row["all_s"] == {"core float32": 4, "core bfloat16": 2, "torch float32": 2}
