import numpy as np
import pytest
from gantools.apps.superres.colours import filled, flattened, joined, split
from gantools.apps.superres.enlarge import Upscaler


def run(pixels, network, largest=512):
    return np.concatenate([b.copy() for b in Upscaler(network, largest=largest).bands(pixels)])


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_stays_grey_and_near_the_rgb_answer(dtype, make_network, picture):
    network, grey = make_network(gain=0.1), picture(24, 30, 1, dtype)
    made = run(grey, network)
    assert made.shape == (96, 120, 1)
    assert made.dtype == dtype
    rgb = run(np.repeat(grey, 3, axis=2), network)
    assert (rgb[..., 0] != rgb[..., 2]).any()  # the network does colour grey
    luma = rgb @ np.array([0.299, 0.587, 0.114])
    assert np.abs(made[..., 0] - luma).max() <= 1


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("level", [0, 128, 255])
def test_constant_alpha_is_put_back(channels, level, make_network, picture):
    pixels = picture(24, 30, channels)
    pixels[..., -1] = level
    made = run(pixels, make_network())
    assert made.shape == (96, 120, channels)
    assert (made[..., -1] == level).all()
    np.testing.assert_array_equal(made[..., :-1], run(pixels[..., :-1], make_network()))


def disc(dtype=np.uint8):
    """Return a blue disc with soft edge on transparent pink garbage, and its alpha."""
    y, x = np.mgrid[:48, :56]
    top = np.iinfo(dtype).max
    alpha = np.clip((18.5 - np.hypot(y - 24, x - 28)) * top, 0, top).astype(dtype)
    pixels = np.empty((48, 56, 4), dtype)
    pixels[...] = np.array([top, 0, top, 0], dtype)
    pixels[alpha > 0] = np.array([0, 0, top, 0], dtype)
    pixels[..., 3] = alpha
    return pixels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_no_garbage_is_drawn_into_the_edge(dtype, make_network):
    pixels, top = disc(dtype), np.iinfo(dtype).max
    made = run(pixels, make_network(gain=0))
    seen = made[..., 3] > 0
    assert (made[..., 0][seen] <= top // 250).all()  # no red anywhere that can be seen
    assert (made[..., 2][seen] >= top - top // 250).all()
    plain = run(pixels[..., :3], make_network(gain=0))
    assert (plain[..., 0][seen] > top // 4).any()  # there would be without filling


def test_wholly_clear_and_wholly_opaque_places_stay_so(make_network):
    pixels = disc()
    made = run(pixels, make_network())[..., 3]
    alpha = np.pad(pixels[..., 3], 2, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(alpha, (5, 5))
    for level, extreme in ((0, windows.max(axis=(2, 3))), (255, windows.min(axis=(2, 3)))):
        sure = (extreme == level).repeat(4, axis=0).repeat(4, axis=1)
        assert sure.any()
        assert (made[sure] == level).all()
    assert len(np.unique(made)) > 20  # and in between it is smooth


def test_alpha_is_the_same_in_bands(make_network):
    network, pixels = make_network(), disc()
    np.testing.assert_array_equal(run(pixels, network, largest=24), run(pixels, network))


def test_filled_keeps_what_is_known_and_invents_nothing(picture):
    rgb = picture(37, 50)
    known = np.zeros((37, 50), bool)
    known[10:20, 30:41] = True
    out = filled(rgb, known)
    np.testing.assert_array_equal(out[known], rgb[known])
    inside = rgb[known]
    assert (out >= inside.min(axis=0)).all()
    assert (out <= inside.max(axis=0)).all()
    near = np.abs(out[9, 31:40].astype(int) - rgb[10, 31:40]).mean()
    assert near < np.abs(inside.mean(axis=0) - rgb[10, 31:40]).mean()


def test_one_known_pixel_fills_everything():
    rgb = np.zeros((33, 7, 3), np.uint8)
    rgb[32, 6] = (9, 99, 199)
    known = np.zeros((33, 7), bool)
    known[32, 6] = True
    assert (filled(rgb, known) == [9, 99, 199]).all()


def test_split_and_join_are_inverse_at_scale_1(picture):
    for channels in (1, 2, 3, 4):
        pixels = picture(20, 24, channels)
        if channels in (2, 4):
            pixels[..., -1] = np.maximum(pixels[..., -1], 1)
        layers = split(pixels)
        assert layers.rgb.shape == (20, 24, 3)
        (made,) = joined([layers.rgb], layers, (20, 24))
        np.testing.assert_array_equal(made, pixels)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_the_background_shines_through_as_much_as_alpha_says(dtype):
    most = 1 if dtype == np.float32 else np.iinfo(dtype).max
    band = (np.array([[[1, 0, 0.6, 1], [1, 0, 0.6, 0], [1, 0, 0.6, 0.4]]]) * most).astype(dtype)
    (made,) = flattened([band], (255, 255, 0), grey=False)
    assert made.dtype == dtype
    expected = [[1, 0, 0.6], [1, 1, 0], [1, 0.6, 0.24]]
    np.testing.assert_allclose(made[0] / most, expected, atol=0.003)


@pytest.mark.parametrize("channels", [2, 4])
def test_bright_floats_do_not_move_alpha(channels, make_network, picture):
    pixels = picture(24, 30, channels) / np.float32(255)
    expected, pixels[..., :-1] = run(pixels, make_network(gain=0)), 5 * pixels[..., :-1]
    made = run(pixels, make_network(gain=0))
    np.testing.assert_allclose(made[..., -1], expected[..., -1], atol=1e-5)
    assert made[..., :-1].max() > 2
    assert made[..., -1].max() <= 1
