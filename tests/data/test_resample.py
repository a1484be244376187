from pathlib import Path

import numpy as np
import pytest

from gantools.data import resample
from gantools.data.resample import kernel, resize, taps

SET5 = Path(__file__).parents[3] / "shared/data/sr/eval"


def keys(x):
    """Keys' kernel, a = -1/2, in its textbook form."""
    x, a = abs(x), -0.5
    if x <= 1:
        return (a + 2) * x**3 - (a + 3) * x**2 + 1
    return a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a if x < 2 else 0.0


def slow(line, new, scale):
    """Resize one line of numbers sample by sample, straight from the definition."""
    stretch, old, result = min(scale, 1.0), len(line), []
    for i in range(new):
        centre = (i + 0.5) / scale - 0.5
        reach = int(np.ceil(2 / stretch)) + 1
        total = weight = 0.0
        for j in range(int(np.floor(centre)) - reach, int(np.floor(centre)) + reach + 1):
            part = keys(stretch * (centre - j))
            k = j % (2 * old)
            total += part * line[k if k < old else 2 * old - 1 - k]
            weight += part
        result.append(total / weight)
    return np.array(result)


def test_kernel_is_the_textbook_cubic():
    x = np.linspace(-2.5, 2.5, 101)
    np.testing.assert_allclose(kernel(x), [keys(v) for v in x], atol=1e-12)


def test_weights_of_halving():
    indices, weights = taps(16, 8, 0.5)
    half = [0.43359375, 0.11328125, -0.03515625, -0.01171875]
    np.testing.assert_array_equal(weights[4], half[::-1] + half)
    np.testing.assert_array_equal(indices[4], np.arange(5, 13))
    np.testing.assert_array_equal(indices[0], [2, 1, 0, 0, 1, 2, 3, 4])


@pytest.mark.parametrize("scale", [1 / 4, 1 / 3, 0.5, 0.77, 1.0, 1.5, 2, 3, 4])
@pytest.mark.parametrize("length", [1, 2, 7, 61])
def test_both_axes_equal_the_definition(scale, length):
    line = np.random.default_rng(length).normal(size=length)
    new = int(np.ceil(length * scale))
    expected = slow(line, new, scale)
    tall = resize(np.repeat(line[:, None], 3, axis=1), size=(new, 3))
    if new == round(length * scale, 9):  # otherwise `size` means another ratio than `scale`
        np.testing.assert_allclose(tall[:, 1], expected, atol=1e-12)
    wide = resize(line[None, :, None] * [[[1.0, -2.0, 3.0]]], scale)
    across = slow(line, new, scale)
    for channel, factor in enumerate((1.0, -2.0, 3.0)):
        np.testing.assert_allclose(wide[0, :, channel], factor * across, atol=1e-12)


def test_golden_uint8():
    ramp = (np.arange(64).reshape(8, 8) * 37 % 256).astype(np.uint8)
    expected = np.array([[112, 107], [120, 147]])
    down = np.stack([slow(c, 2, 0.25) for c in ramp.T.astype(float)], axis=1)
    down = np.clip(np.floor(down + 0.5), 0, 255)
    down = np.floor(np.stack([slow(r, 2, 0.25) for r in down]) + 0.5)
    np.testing.assert_array_equal(resize(ramp, 0.25), down)
    np.testing.assert_array_equal(resize(ramp, 0.25), expected)


def test_integer_pictures_round_half_up_and_clip_between_the_axes():
    edge = np.zeros((8, 8), np.uint8)
    edge[:, 4:] = 255
    up = resize(edge, 2)
    assert up.dtype == np.uint8
    assert up.min() == 0
    assert up.max() == 255
    floats = resize(edge.astype(np.float32), 2)
    assert floats.dtype == np.float32
    assert floats.min() < -5  # floating point keeps the overshoot
    deep = resize((edge.astype(np.uint16) * 257), 2)
    assert deep.dtype == np.uint16
    assert deep.max() == 65535


@pytest.mark.parametrize("shape", [(5, 9), (5, 9, 1), (5, 9, 3), (1, 1, 3), (40, 3, 4)])
def test_shapes_and_constants(shape):
    picture = np.full(shape, 200, np.uint8)
    for scale in (0.3, 1, 2.5, 4):
        out = resize(picture, scale)
        expected = [int(np.ceil(n * scale)) for n in shape[:2]]
        assert out.shape == (*expected, *shape[2:])
        assert (out == 200).all()


def test_without_antialiasing_each_sample_reads_four():
    assert taps(32, 8, 0.25, antialias=False)[0].shape[1] == 4
    assert taps(32, 8, 0.25)[0].shape[1] == 16


def test_a_strided_picture_gives_the_same():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    turned = np.ascontiguousarray(picture[::-1, ::-2])
    np.testing.assert_array_equal(resize(picture[::-1, ::-2], 3), resize(turned, 3))


@pytest.mark.parametrize("bad", [{}, {"scale": 2, "size": (4, 4)}, {"size": (0, 4)}])
def test_bad_arguments(bad):
    with pytest.raises(ValueError, match="Received"):
        resize(np.zeros((4, 4)), **bad)


def test_blocks_do_not_show(monkeypatch):
    picture = np.random.default_rng(1).integers(0, 256, (50, 70, 3), np.uint8)
    usual = resize(picture, 0.5), resize(picture, 3)
    monkeypatch.setattr(resample, "BLOCK", 7)
    resample._bands.cache_clear()
    np.testing.assert_array_equal(usual[0], resize(picture, 0.5))
    np.testing.assert_array_equal(usual[1], resize(picture, 3))
    resample._bands.cache_clear()


@pytest.mark.slow
@pytest.mark.skipif(not SET5.is_dir(), reason="needs ../shared/data/sr")
@pytest.mark.parametrize("scale", [2, 3, 4])
def test_published_files_are_reproduced_exactly(scale):
    import cv2

    files = sorted((SET5 / f"Set5_LR/x{scale}").glob("*.png"))
    assert len(files) == 5
    for file in files:
        high = cv2.imread(str(SET5 / "Set5" / file.name))
        high = high[: high.shape[0] // scale * scale, : high.shape[1] // scale * scale]
        np.testing.assert_array_equal(resize(high, 1 / scale), cv2.imread(str(file)), file.name)


def pushed(image, size, heights, **options):
    """Resize in bands of the given heights."""
    resizer, at, out = resample.Resizer(image.shape[:2], size, image.shape[2], **options), 0, []
    for height in heights:
        out.append(resizer.rows(image[at : at + height]))
        at += height
    assert at == len(image)
    return np.concatenate(out)


@pytest.mark.parametrize("size", [(61, 80), (33, 91), (200, 300), (83, 80), (1, 1), (130, 40)])
def test_in_bands_it_is_the_same_whatever_the_bands(size):
    image = np.random.default_rng(0).random((83, 91, 3), np.float32)
    expected = pushed(image, size, [83])
    np.testing.assert_allclose(expected, resize(image, size=size), atol=2e-6)
    for heights in ([1] * 83, [40, 43], [7, 70, 6], [82, 1]):
        np.testing.assert_array_equal(pushed(image, size, heights), expected)


def test_bands_are_dropped_when_they_are_used():
    resizer = resample.Resizer((4000, 8), (2000, 4), 1)
    for _ in range(400):
        resizer.rows(np.zeros((10, 8, 1), np.uint8))
        assert sum(map(len, resizer._held)) < 150


def test_a_band_may_be_overwritten_after_it_was_given():
    image = np.random.default_rng(1).random((40, 10, 1), np.float32)
    resizer, buffer, out = (
        resample.Resizer((40, 10), (20, 5), 1),
        np.empty((8, 10, 1), np.float32),
        [],
    )
    for at in range(0, 40, 8):
        buffer[:] = image[at : at + 8]
        out.append(resizer.rows(buffer))
        buffer[:] = -1
    np.testing.assert_array_equal(np.concatenate(out), pushed(image, (20, 5), [40]))


def test_wrapped_pictures_go_on_at_the_other_side():
    image = np.random.default_rng(2).random((24, 32, 2), np.float32)
    tiled = pushed(np.tile(image, (3, 3, 1)), (54, 72), [72])
    made = pushed(image, (18, 24), [10, 14], wrap=True)
    np.testing.assert_allclose(made, tiled[18:36, 24:48], atol=1e-6)
    assert np.abs(made - pushed(image, (18, 24), [24])).max() > 0.01
