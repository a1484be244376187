"""The order of the data is a pure function of seed and step."""

import itertools

import numpy as np
import pytest

from gantools.core import Stream
from gantools.errors import UserError


def test_an_epoch_is_a_permutation_without_remainder():
    stream = Stream(np.arange(10), 3, seed=1)
    seen = np.concatenate([stream.at(i)["x"] for i in range(3)])
    assert len(set(seen)) == 9
    assert not np.array_equal(seen, np.concatenate([stream.at(i)["x"] for i in range(3, 6)]))


def test_a_stream_can_start_anywhere():
    stream = Stream(np.arange(50), 4, minibatches=3, seed=2)
    late = [b[0] for b in itertools.islice(stream.batches(start=5), 4)]
    fresh = Stream(np.arange(50), 4, minibatches=3, seed=2)
    for i, batch in enumerate(late):
        expected = fresh.at(5 + i)["minibatches"]["x"]
        assert expected.shape == (4, 3)
        np.testing.assert_array_equal(batch["minibatches"]["x"], expected)


def test_minibatches_of_a_step_follow_the_order_of_single_ones():
    single, triple = Stream(np.arange(50), 4), Stream(np.arange(50), 4, minibatches=3)
    stacked = np.stack([single.at(i)["x"] for i in (3, 4, 5)], axis=1)
    np.testing.assert_array_equal(triple.at(1)["minibatches"]["x"], stacked)


def test_seed_changes_the_order():
    assert not np.array_equal(
        Stream(np.arange(50), 50).at(0)["x"], Stream(np.arange(50), 50, seed=1).at(0)["x"]
    )


def test_a_transform_draws_by_the_minibatch_number():
    noise = lambda sample, random: {"x": sample["x"] + random.random(4)}
    stream = Stream(np.arange(50), 4, transform=noise)
    first = stream.at(7)["x"]
    stream.at(3)
    np.testing.assert_array_equal(stream.at(7)["x"], first)


def test_bad_arrays():
    with pytest.raises(UserError, match="batch of 8 needs.*Received: 5"):
        Stream(np.zeros(5), 8)
    with pytest.raises(UserError, match="equal lengths"):
        Stream({"x": np.zeros(5), "y": np.zeros(6)}, 2)


def test_unpaired_arrays_have_lengths_and_orders_of_their_own():
    stream = Stream({"a": np.arange(10), "b": np.arange(100, 107)}, 2, seed=3, paired=False)
    steps = [stream.at(i) for i in range(15)]
    a, b = (np.stack([step[name] for step in steps]) for name in "ab")
    for epoch in range(3):
        assert set(a[5 * epoch : 5 * epoch + 5].ravel()) == set(range(10))
    for epoch in range(5):
        assert len(set(b[3 * epoch : 3 * epoch + 3].ravel())) == 6
    same = Stream({"a": np.arange(10), "b": np.arange(10)}, 10, paired=False).at(0)
    assert not np.array_equal(same["a"], same["b"])
    late = Stream({"a": np.arange(10), "b": np.arange(100, 107)}, 2, seed=3, paired=False)
    np.testing.assert_array_equal(late.at(14)["b"], b[14])  # a pure function of the step


def test_only_some_samples():
    only = {"x": np.array([1, 4, 5, 8])}
    stream = Stream(np.arange(10), 2, only=only)
    assert {int(v) for i in range(2) for v in stream.at(i)["x"]} == {1, 4, 5, 8}
    with pytest.raises(UserError, match="batch of 5 needs.*Received: 4"):
        Stream(np.arange(10), 5, only=only)
