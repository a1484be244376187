import numpy as np
import pytest

from gantools.data import synthetic


@pytest.mark.parametrize(
    ("points", "centres", "sd"),
    [
        (synthetic.ring8, synthetic.ring_centres(), 0.02),
        (synthetic.grid25, synthetic.grid_centres(), 0.05),
    ],
)
def test_mixtures_have_equal_modes_of_the_stated_spread(points, centres, sd):
    x = points(50_000, seed=3)
    assert x.dtype == np.float32
    distance = np.linalg.norm(x[:, None] - centres, axis=-1)
    nearest = distance.argmin(axis=1)
    share = np.bincount(nearest, minlength=len(centres)) / len(x)
    np.testing.assert_allclose(share, 1 / len(centres), rtol=0.1)
    offsets = x - centres[nearest]
    np.testing.assert_allclose(offsets.std(axis=0), sd, rtol=0.02)
    np.testing.assert_allclose(offsets.mean(axis=0), 0, atol=sd / 50)
    assert (distance.min(axis=1) < 3 * sd).mean() == pytest.approx(1 - np.exp(-4.5), abs=0.002)


def test_centres():
    np.testing.assert_allclose(np.linalg.norm(synthetic.ring_centres(), axis=1), 2)
    assert {tuple(c) for c in synthetic.grid_centres()} == {
        (x, y) for x in range(-2, 3) for y in range(-2, 3)
    }


def test_gauss1d():
    x = synthetic.gauss1d(100_000, seed=1, mean=1.0, sd=1.5)
    assert x.shape == (100_000, 1)
    assert x.mean() == pytest.approx(1.0, abs=0.02)
    assert x.std() == pytest.approx(1.5, abs=0.02)


@pytest.mark.parametrize("draw", [synthetic.digits, synthetic.shapes])
@pytest.mark.parametrize("channels", [1, 3])
def test_drawn_pictures(draw, channels):
    images = draw(300, 24, channels, seed=5)
    assert images.shape == (300, 24, 24, channels)
    assert images.dtype == np.uint8
    peak, floor = images.max(axis=(1, 2, 3)), images.min(axis=(1, 2, 3))
    assert peak.min() >= 150  # the ink
    assert floor.max() <= (60 if channels == 3 else 0)  # the ground
    ink = (images[..., :1] > 100).mean(axis=(1, 2, 3))
    assert ink.min() > 0.04
    assert ink.max() < 0.5
    corners = images[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.max() <= 60  # nothing is cut off
    np.testing.assert_array_equal(images, draw(300, 24, channels, seed=5))
    assert (images != draw(300, 24, channels, seed=6)).any()


@pytest.mark.parametrize(
    ("draw", "labels"),
    [(synthetic.digits, synthetic.digit_labels), (synthetic.shapes, synthetic.shape_labels)],
)
def test_labels_say_what_is_drawn(draw, labels):
    """The mean picture of a class, on other pictures, must recognise most of the classes."""
    train, test = draw(1500, 20, 1, seed=1), draw(300, 20, 1, seed=2)
    known, truth = labels(1500, seed=1), labels(300, seed=2)
    classes = np.unique(known)
    means = np.stack([train[known == k].mean(axis=0).reshape(-1) for k in classes])
    flat = test.reshape(300, -1).astype(float)
    means, flat = (m / np.linalg.norm(m, axis=1, keepdims=True) for m in (means, flat))
    right = (classes[(flat @ means.T).argmax(axis=1)] == truth).mean()
    assert right > 3 / len(classes)
    counts = np.bincount(known)
    assert counts.min() > 0.7 * counts.mean()
