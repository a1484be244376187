import cv2
import numpy as np
import pytest

from gantools.metrics.spectra import octave_errors, octaves


def noise(deviation=20, shape=(256, 320), seed=0):
    return 128 + np.random.default_rng(seed).normal(0, deviation, shape)


def test_white_noise_has_its_variance_in_every_octave():
    scale = 219 / 255  # of luma
    assert octaves(noise()) == pytest.approx([(20 * scale) ** 2] * 5, rel=0.25)
    assert octaves(noise(), 3)[-1] == pytest.approx((20 * scale) ** 2, rel=0.03)


@pytest.mark.parametrize(("cycles", "octave"), [(0.4, 4), (0.2, 3), (0.09, 2), (0.05, 1)])
def test_a_wave_is_in_its_octave(cycles, octave):
    wave = 128 + 50 * np.sin(2 * np.pi * cycles * np.arange(320))[None].repeat(256, axis=0)
    found = octaves(wave)
    assert np.argmax(found) == octave
    assert found[octave] > 100 * np.delete(found, octave).max()


def test_errors_are_decibels_with_their_sign():
    true = noise()
    assert octave_errors(true, true) == pytest.approx(np.zeros(5))
    louder = 128 + 2 * (true - 128)
    assert octave_errors(louder, true) == pytest.approx([20 * np.log10(2)] * 5, abs=0.01)
    blurred = octave_errors(cv2.GaussianBlur(true, (0, 0), 1.0), true)
    a = 4 * np.pi**2  # the filter's power is exp(-a f^2); its mean over the ring of the octave:
    wanted = (np.exp(-a / 16) - np.exp(-a / 4)) / a / (1 / 4 - 1 / 16)
    assert blurred[-1] == pytest.approx(10 * np.log10(wanted), abs=0.5)
    assert (np.diff(blurred) < 0).all()
    added = octave_errors(true + noise(20, seed=1) - 128, true)
    assert added[-1] == pytest.approx(10 * np.log10(2), abs=0.3)


def test_the_known_spectrum_saves_work_and_changes_nothing():
    true, made = noise(), noise(seed=2)
    known = octave_errors(made, true, known=octaves(true))
    np.testing.assert_array_equal(known, octave_errors(made, true))


def test_small_flat_and_unequal_pictures():
    assert np.isnan(octaves(np.zeros((8, 8)))[0])
    assert octave_errors(np.zeros((64, 64)), np.full((64, 64), 9)) == pytest.approx(np.zeros(5))
    with pytest.raises(ValueError, match="one size"):
        octave_errors(np.zeros((8, 8)), np.zeros((8, 9)))
