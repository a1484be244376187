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


def nearest_colour(pixels, colours):
    """Return the index of the nearest of the colours for each picture `(n, 3)`."""
    gaps = pixels[:, None].astype(float) - np.array(list(colours.values()))[None]
    return np.abs(gaps).sum(axis=2).argmin(axis=1)


def test_colour_digits_have_the_colours_and_sizes_that_their_labels_say():
    images, known = synthetic.colour_digits(400, 32, seed=2), synthetic.colour_digit_labels(400, 2)
    assert images.shape == (400, 32, 32, 3)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(
        nearest_colour(images[:, 0, 0], synthetic.GROUNDS), known["ground"]
    )
    gap = np.abs(images.astype(int) - images[:, :1, :1]).sum(axis=3).reshape(400, -1)
    strongest = images.reshape(400, -1, 3)[np.arange(400), gap.argmax(axis=1)]
    np.testing.assert_array_equal(nearest_colour(strongest, synthetic.INKS), known["ink"])
    mask = (gap > 100).reshape(400, 32, 32)
    heights = np.array([np.ptp(np.flatnonzero(m.any(axis=1))) + 1 for m in mask])
    assert heights[known["size"] == 0].max() < heights[known["size"] == 1].min()
    pairs = np.unique(np.stack([known["ink"], known["ground"]]), axis=1)
    assert pairs.shape[1] == 24  # nothing goes with one ground only


def test_colour_digits_differ_by_digit_alone_where_the_rest_is_equal():
    """The mean mask of a digit, on other pictures, recognises most digits of the same size."""
    parts = []
    for seed in (0, 1):
        known = synthetic.colour_digit_labels(3000, seed)
        chosen = (known["size"] == 1) & (known["ground"] == 0)
        masks = (
            synthetic.colour_digits(3000, 16, seed)[chosen].max(axis=3).reshape(chosen.sum(), -1)
        )
        masks = masks / np.linalg.norm(masks, axis=1, keepdims=True)
        parts.append((masks, known["digit"][chosen]))
    (train, digits), (test, truth) = parts
    means = np.stack([train[digits == k].mean(axis=0) for k in range(10)])
    assert ((test @ means.T).argmax(axis=1) == truth).mean() > 0.5


def test_captions_say_what_the_labels_say():
    captions, known = synthetic.colour_digit_captions(50, 3), synthetic.colour_digit_labels(50, 3)
    for i, caption in enumerate(captions):
        _, size, ink, digit, _, ground = caption.split()
        assert int(digit) == known["digit"][i]
        assert ink == list(synthetic.INKS)[known["ink"][i]]
        assert ground == list(synthetic.GROUNDS)[known["ground"][i]]
        assert size == list(synthetic.DIGIT_SIZES)[known["size"][i]]
