"""The benchmark of the conditional games runs from end to end, on drawn digits and few cycles."""

import numpy as np
import pytest

from benchmarks.quality import conditional, judge
from gantools.data.synthetic import digit_labels, digits

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def short():
    """Make everything small: 3 cycles, 60 samples, drawn digits in place of MNIST."""
    drawn = lambda folder, split="train": (
        digits(600, 28, seed=len(split)),
        digit_labels(600, seed=len(split)).astype(np.int32),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judge, "mnist", drawn)
        sizes = {"SAMPLES": 60, "HELD_OUT": 300, "PAIRS": 2, "MIXES": 20, "COLOURS": 400}
        for name, value in sizes.items():
            patch.setattr(conditional, name, value)
        yield


@pytest.fixture(scope="module")
def data(short, tmp_path_factory):
    out = tmp_path_factory.mktemp("judges")
    made = {
        conditional.Digits: conditional.Digits("nowhere", out, 200),
        conditional.ColourDigits: conditional.ColourDigits(out, 200),
    }
    assert len(list(out.iterdir())) == 3  # judges of digits, of drawn digits and of inks
    return made


@pytest.mark.parametrize("name", conditional.GAMES)
def test_a_game_is_trained_and_read(name, data):
    kind, measurement = conditional.GAMES[name]
    found = getattr(data[kind], measurement)(name, (None, 3), 0)
    assert found.pop("cycles") == 3
    assert len(found) >= 1
    for key, value in found.items():
        assert np.isfinite(value), key
        if "frechet" not in key and "squared" not in key:
            assert -1 <= value <= 1, key


def test_the_judge_knows_its_digits_and_is_kept(data, tmp_path, monkeypatch):
    x, y = digits(2000, 28, seed=1), digit_labels(2000, seed=1)
    first = judge.Judge(x, y, tmp_path, "d")
    held = judge.scaled(digits(300, 28, seed=2))
    right = np.mean(first.classes(held) == digit_labels(300, seed=2))
    assert right > 0.8
    assert first.features(held).shape == (300, judge.FEATURES)
    monkeypatch.delattr(judge.Judge, "_train")  # a second one only reads
    np.testing.assert_array_equal(
        judge.Judge(x, y, tmp_path, "d").classes(held), first.classes(held)
    )


def test_pairs_of_equal_pictures_are_alike():
    x = np.repeat(judge.scaled(digits(10, 28)), 3, axis=0)
    y = np.repeat(np.arange(10), 3)
    assert conditional.within_class(x, y) == pytest.approx(1.0, abs=1e-6)
    mixed = conditional.within_class(judge.scaled(digits(60, 28)), np.arange(60) % 2)
    assert mixed < 0.5
