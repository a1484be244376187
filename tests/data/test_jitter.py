"""Random crops and mirrors of minibatches."""

import numpy as np

from gantools.data.jitter import Jitter


def minibatch(n=64, size=8):
    ramp = np.arange(size, dtype=np.uint8) * 10
    picture = ramp[None, :, None] + np.arange(size, dtype=np.uint8)[:, None, None]
    return np.repeat(picture[None], n, axis=0)  # columns rise by 10, rows by 1


def random(seed=0):
    return np.random.default_rng(seed)


def test_nothing_asked_nothing_done():
    sample = {"x": minibatch()}
    assert Jitter()(sample, random()) is sample


def test_half_of_the_pictures_are_mirrored():
    x = minibatch()
    found = Jitter(flip=True)({"x": x, "y": np.arange(64)}, random())
    mirrored = [np.array_equal(a, b[:, ::-1]) for a, b in zip(found["x"], x, strict=True)]
    same = [np.array_equal(a, b) for a, b in zip(found["x"], x, strict=True)]
    assert sum(mirrored) + sum(same) == 64
    assert 20 < sum(mirrored) < 44
    np.testing.assert_array_equal(found["y"], np.arange(64))


def test_crops_move_and_keep_the_size():
    found = Jitter(enlarge=1.5)({"x": minibatch()}, random())["x"]
    assert found.shape == (64, 8, 8, 1)
    assert found.dtype == np.uint8
    starts = {(int(p[0, 0, 0]) // 10, int(p[0, 0, 0]) % 10 // 2) for p in found}
    assert len(starts) > 8


def test_pairs_move_together_and_domains_do_not():
    x = minibatch()
    jitter = Jitter(1.5, True, paired=True)
    found = jitter({"a": x, "b": 255 - x}, random())
    assert np.abs(found["a"].astype(int) + found["b"] - 255).max() <= 1
    found = Jitter(1.5, True, paired=False)({"a": x, "b": x}, random())
    assert not np.array_equal(found["a"], found["b"])


def test_the_generator_decides():
    x, jitter = minibatch(), Jitter(1.2, True)
    first, again = (jitter({"x": x}, random(5))["x"] for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, jitter({"x": x}, random(6))["x"])
