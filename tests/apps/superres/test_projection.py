import numpy as np
import pytest
from gantools.apps.superres import projection
from gantools.apps.superres.engine import ENGINES, choose, open_engine
from gantools.apps.superres.projection import CONTEXT, down, lost, projected, up
from gantools.apps.superres.upscaler import Upscaler

from gantools.data.resample import resize
from gantools.nets import plans


def tile(pixels):
    context = (CONTEXT, CONTEXT)
    return np.pad(pixels, (context, context, (0, 0)), mode="symmetric").astype(np.float32)


def consistency(made, low):
    error = resize(made.astype(np.float64), size=low.shape[:2]) - low
    return 10 * np.log10(255**2 / np.mean(error**2))


@pytest.mark.parametrize("scale", [1, 2, 3, 4])
def test_the_taps_are_the_exact_pair(scale):
    line = np.random.default_rng(0).random(40)
    large = resize(line[:, None].repeat(8, 1), size=(40 * scale, 8))[:, 0]
    inner = [up(scale) @ line[i - 2 : i + 3] for i in range(2, 38)]
    np.testing.assert_allclose(np.concatenate(inner), large[2 * scale : -2 * scale], atol=1e-12)
    small = resize(large[:, None].repeat(8, 1), size=(40, 8))[:, 0]
    blocks = large.reshape(40, scale)
    inner = [np.sum(down(scale) * blocks[i - 2 : i + 3]) for i in range(2, 38)]
    np.testing.assert_allclose(inner, small[2:-2], atol=1e-12)
    missing = [lost(scale) @ line[i - 4 : i + 5] for i in range(4, 36)]
    np.testing.assert_allclose(missing, (line - small)[4:-4], atol=1e-12)
    assert abs(lost(scale).sum()) < 1e-12  # flat colours lose nothing


@pytest.mark.parametrize("mode", ["full", "smooth"])
@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("size", [(24, 31), (1, 1), (3, 9), (4, 5)])
def test_engines_do_what_numpy_does(name, mode, size, make_network, picture):
    if name not in choose():
        pytest.skip(f"{name} is not installed")
    for scale in (2, 4):
        network = make_network(plans.fast(scale, width=8, blocks=1), gain=0.1)
        pixels = picture(*size) // 2 + 60  # nothing is clipped
        plain = open_engine(network, "opencv", deep=True).run(tile(pixels))
        expected = projected(plain, pixels.astype(np.float32), mode)
        out = open_engine(network, name, deep=True, projection=mode).run(tile(pixels))
        assert np.abs(expected - plain).max() > 0.05
        np.testing.assert_allclose(out, expected, atol=3e-3)


def test_one_step_is_y_plus_u_of_x_minus_d_of_y():
    rng = np.random.default_rng(1)
    low, large = rng.uniform(0, 255, (9, 7, 3)), rng.uniform(0, 255, (36, 28, 3))
    expected = large + resize(low - resize(large, size=(9, 7)), size=(36, 28))
    np.testing.assert_allclose(projected(large, low, "full"), expected, atol=1e-3)
    assert projected(large, low, "none") is large


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_results_agree_better_with_the_input(dtype, make_network, picture):
    network, pixels = make_network(gain=0.2), picture(60, 70, dtype=dtype)
    step, got = np.iinfo(dtype).max / 255, {}
    for mode in (False, True):
        bands = Upscaler(network, projection=mode).bands(pixels)
        got[mode] = consistency(np.concatenate([b.copy() for b in bands]) / step, pixels / step)
    assert got[True] > got[False] + 6


def test_networks_that_clean_get_low_frequencies_back_only(make_network, picture):
    """A drift of colour is removed; noise that the network removed stays removed."""
    low = picture(48, 48).astype(np.float32)
    noise = np.random.default_rng(0).normal(0, 6, low.shape).astype(np.float32)
    clean = resize(low, 4) + 5  # without the noise, and brighter
    spread = {}
    for mode in ("full", "smooth"):
        made = projected(clean, low + noise, mode)
        assert abs((made - resize(low, 4)).mean()) < 0.3
        spread[mode] = np.std(resize(made - clean, size=(48, 48)))
    assert spread["full"] > 4
    assert spread["smooth"] < 1


def test_a_card_chooses_the_mode(make_network):
    network = make_network()
    assert network.projection == "full"
    network.card["projection"] = "smooth"
    assert network.projection == "smooth"
    reach = [network.reach(mode) for mode in projection.MODES]
    assert reach == [network.plan.radius + more for more in (0, 4, 13)]
