"""Small pictures as the world leaves them: damaged a little, always in the same way."""

import cv2
import numpy as np
import pytest
from gantools.apps.superres.training import degrade
from gantools.apps.superres.training.patches import UNIT, Patches, shuffle

from gantools.data.resample import resize
from gantools.metrics.pixels import psnr_y


@pytest.fixture
def high(picture):
    """Return a picture with details of about 16 pixels, mostly of brightness as in photographs."""
    mixed = 0.8 * picture(48, 40, 1) + 0.2 * picture(48, 40, 3, seed=1)
    mixed = cv2.resize(mixed, (160, 192), interpolation=cv2.INTER_CUBIC)
    return np.clip(mixed, 0, 255).astype(np.uint8)


def draw(seed=0):
    return np.random.default_rng(seed)


def test_the_same_draws_give_the_same_picture(high):
    first = degrade.damaged(high, 4, draw(3))
    assert first.shape == (48, 40, 3)
    assert first.dtype == np.uint8
    np.testing.assert_array_equal(degrade.damaged(high, 4, draw(3)), first)
    assert not np.array_equal(degrade.damaged(high, 4, draw(4)), first)


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_damage_is_mild_and_moves_neither_colours_nor_places(high, scale):
    high = high[:, : 160 - 160 % scale]
    high = high[: 192 - 192 % scale]
    exact = resize(high, 1 / scale).astype(float)
    errors = np.stack([degrade.damaged(high, scale, draw(i)) - exact for i in range(40)])
    assert np.abs(errors.mean(axis=(0, 1, 2))).max() < 0.3
    assert 1 < np.sqrt(np.median((errors**2).mean(axis=(1, 2, 3)))) < 12  # levels
    steep = np.gradient(exact, axis=(0, 1))
    for slope in steep:  # a shift by d would be d times the slope
        shift = (errors.mean(0) * slope).sum() / (slope**2).sum()
        assert abs(shift) < 0.03


def test_noise_is_as_strong_as_it_says():
    flat = np.full((200, 200, 3), 128, np.float32)
    spread = [(degrade._noisy(flat, draw(i)) - flat).std() for i in range(80)]
    assert 0.5 * degrade.NOISE < max(spread) <= degrade.NOISE * 1.02
    assert np.median(spread) == pytest.approx(2.1, abs=1)  # 2.5, and less where light is counted
    coloured = [np.ptp(degrade._noisy(flat, draw(i)), axis=2).max() > 0.01 for i in range(40)]
    assert 0.4 < np.mean(coloured) < 0.8  # the others are grey


def test_jpeg_is_really_applied_and_worse_at_lower_quality(high):
    quality = {q: psnr_y(degrade.jpeg(high, draw(), q).astype(np.uint8), high) for q in (30, 90)}
    assert 20 < quality[30] < quality[90] - 3
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    found = degrade.jpeg(red, draw(), 95)
    assert np.abs(found - red).max() <= 3  # channels come back in their order
    grid = np.abs(np.diff(degrade.jpeg(high, draw(1), 10).mean((0, 2))))
    blocks = [grid[i::8].mean() for i in range(8)]
    assert max(blocks) > 1.5 * np.median(blocks)


def test_blur_keeps_brightness_and_ringing_overshoots(high):
    x = high.astype(np.float32)
    for seed in range(8):
        soft = degrade._blurred(x, draw(seed), 2.0)
        assert abs(float(soft.mean() - x.mean())) < 0.2
        assert soft.std() < x.std()
    edge = np.zeros((32, 32, 3), np.float32)
    edge[:, 16:] = 100
    ringing = degrade._ringing(edge, draw())
    assert ringing.min() < -1
    assert ringing.max() > 101


def test_photo_patches_add_up_to_the_picture_and_repeat(high):
    stream = Patches([("a", high), ("b", high[::-1].copy())], 4, 6, 24, 5, "photo").with_high()
    kinds = set()
    for step in range(4):
        batch = stream.at(step)
        np.testing.assert_array_equal(stream.at(step)["low"], batch["low"])
        for low, residual, fine in zip(batch["low"], batch["residual"], batch["high"], strict=True):
            rebuilt = resize(low.astype(np.float32), 4) + 255 * shuffle(residual, 4)
            inner = np.s_[8:-8, 8:-8]
            assert np.abs(rebuilt - fine)[inner].max() <= 0.5 + 255 / UNIT
            error = low - resize(fine, 1 / 4).astype(float)
            kinds.add(bool(np.abs(error[3:-3, 3:-3]).mean() > 0.7))
    assert kinds == {True, False}


def test_clean_patches_are_what_they_were_before_there_was_another_kind(high):
    photos = [("a", high)]
    batches = [Patches(photos, 4, 2, 24, 0, *kind).at(1) for kind in ((), ("clean",))]
    np.testing.assert_array_equal(batches[0]["low"], batches[1]["low"])
    wide = Patches(photos, 4, 2, 24, 0).with_high(12).at(0)
    assert wide["low"].shape == (2, 12, 12, 3)
    assert wide["high"].shape == (2, 48, 48, 3)


def test_a_patch_at_the_picture_edge_goes_on_mirrored(high):
    stream = Patches([("a", high)], 4, 1, 24, 0, "photo")
    found = stream._made(high, 0, 0, degrade.reduced, draw())
    whole = cv2.resize(high, (40, 48), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(found["low"], whole[:24, :24])
    base = resize(whole.astype(np.float32), 4)[:96, :96]
    # inside, the patch's own enlargement is the whole picture's; at the edge both are mirrored
    np.testing.assert_allclose(found["residual"] / UNIT * 255, high[:96, :96] - base, atol=1e-2)
