"""What is measured: values with a closed form, by hand or by scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from gantools.core import witnesses

random = np.random.default_rng(0)


def test_auc_counts_ties_half():
    assert witnesses.auc([1, 2], [0, 0.5]) == 1
    assert witnesses.auc([0.0], [1.0]) == 0
    assert witnesses.auc([1.0, 1.0], [1.0]) == 0.5
    real, fake = random.integers(0, 9, 200), random.integers(2, 11, 150)
    truth = [1] * 200 + [0] * 150
    expected = roc_auc_score(truth, [*real, *fake])
    assert witnesses.auc(real, fake) == pytest.approx(expected, abs=1e-12)


def test_neighbour_accuracy_is_leave_one_out():
    real, fake = random.normal(size=(60, 3)), random.normal(0.7, 1, size=(60, 3))
    both, truth = np.concatenate([real, fake]), np.repeat([1, 0], 60)
    guess = cross_val_predict(KNeighborsClassifier(5), both, truth, cv=LeaveOneOut())
    assert witnesses.neighbour_accuracy(real, fake) == np.mean(guess == truth)


def test_neighbour_accuracy_of_equal_and_of_separate_sets():
    a, b = random.normal(size=(2, 500, 2))
    assert witnesses.neighbour_accuracy(a, b) == pytest.approx(0.5, abs=0.06)
    assert witnesses.neighbour_accuracy(a, b + 100) == 1


def test_mean_distance():
    square = np.array([[0, 0], [3, 0], [0, 4], [3, 4]]) + 1e4
    assert witnesses.mean_distance(square) == pytest.approx((3 + 4 + 5) / 3, rel=1e-6)


def test_overfitting():
    train, held, fake = random.normal([[3], [2], [1]], 0.5, (3, 4000))
    value, error = witnesses.overfitting(train, held, fake)
    assert value == pytest.approx(0.5, abs=0.02)
    assert error == pytest.approx(0.5 * np.sqrt(2 / 4000) / 2, rel=0.1)
    whole = witnesses.overfitting(train, held, fake, total=4000)[1]
    assert whole == pytest.approx(error / np.sqrt(2), rel=0.1)
    assert witnesses.overfitting(train, held, train + 0.01) == (None, None)
    assert witnesses.overfitting(np.ones(3), np.ones(3), np.ones(3)) == (None, None)


def test_auc_gap_and_its_error():
    gaps = []
    for _ in range(200):
        train, held, fake = random.normal([[1], [1], [0]], 1.0, (3, 300))
        gap, error = witnesses.auc_gap(train, held, fake)
        gaps.append(gap / error)
    assert np.std(gaps) == pytest.approx(1, abs=0.2)
    train, held, fake = random.normal([[2], [1], [0]], 1.0, (3, 3000))
    gap, error = witnesses.auc_gap(train, held, fake)
    assert gap == pytest.approx(witnesses.auc(train, fake) - witnesses.auc(held, fake))
    assert gap > 10 * error


def test_effective_rank():
    assert witnesses.effective_rank(np.ones((5, 4))) == 1
    line = np.outer(random.normal(size=300), [1, 2, 3, 4])
    assert witnesses.effective_rank(line) == pytest.approx(1, abs=1e-3)
    even = np.concatenate([np.eye(4), -np.eye(4)])
    assert witnesses.effective_rank(even) == pytest.approx(4)
    few = random.normal(size=(500, 20))[random.integers(0, 6, 500)]
    assert witnesses.effective_rank(few) < 6


def test_classes():
    centres = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], float)
    labels = np.repeat(np.arange(4), 50)
    real = centres[labels] + random.normal(0, 0.1, (200, 2))
    fake = centres[[0, 0, 0, 1]] + 0.05
    shares = witnesses.class_shares(real, labels, fake)
    np.testing.assert_array_equal(shares, [0.75, 0.25, 0, 0])
    assert witnesses.classes_present(shares, labels) == 0.5
    assert witnesses.classes_present(np.array([0.9, 0.04, 0.06, 0]), labels) == 0.5
    assert witnesses.classes_present(shares[:2], np.repeat([0, 1], 5)) == 1


def test_many_or_rare_classes_are_not_missing_where_nothing_is():
    """Of the 500 classes .40 were found, of the ten .75: in samples of the same distribution."""
    draws, centres = np.random.default_rng(3), random.normal(size=(500, 16))
    rare = np.array([0.4, 0.3, 0.2, 0.076] + [0.004] * 6)
    for share, expected in ((np.full(500, 1 / 500), None), (rare, 1.0), (np.full(20, 0.05), 1.0)):
        labels, made = draws.choice(len(share), (2, 500), p=share)
        real, fake = (centres[y] + draws.normal(0, 0.05, (500, 16)) for y in (labels, made))
        shares = witnesses.class_shares(real, labels, fake)
        assert witnesses.classes_present(shares, labels) == expected


def test_features():
    assert witnesses.features(np.ones((3, 2))).shape == (3, 2)
    assert witnesses.features(np.ones((3, 8, 8, 3))).shape == (3, 192)
    pictures = random.uniform(-1, 1, (3, 32, 48, 3))
    shrunk = witnesses.features(pictures).reshape(3, 16, 16, 3)
    expected = pictures.reshape(3, 16, 2, 16, 3, 3).mean((2, 4))
    np.testing.assert_allclose(shrunk, expected, atol=1e-6)
    assert witnesses.features(np.ones((2, 20, 20, 1))).shape == (2, 256)
    # A strip is shrunk along its length alone; enlarged to 16 x 16 it was not averaged at all.
    strip = random.uniform(-1, 1, (3, 8, 96, 1))
    expected = strip.reshape(3, 8, 16, 6).mean(3).reshape(3, -1)
    np.testing.assert_allclose(witnesses.features(strip), expected, atol=1e-6)
