"""Sums of gradients on TensorFlow: their order does not change with load or the length of a run."""

import keras
import numpy as np
import pytest

from gantools.core import ADA, Stream
from gantools.core.testing import same_state

from .games import small_data

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the other backends have no AddN"
)


def test_three_gradients_of_one_tensor_are_added_one_by_one():
    import tensorflow as tf

    @tf.function
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            y = tf.sin(x) + tf.exp(x) * x
        return tape.gradient(y, x)

    x = np.linspace(-1, 1, 7, dtype="float32")
    graph = slope.get_concrete_function(tf.TensorSpec((7,), tf.float32)).graph
    assert max(len(op.inputs) for op in graph.get_operations() if "Add" in op.type) == 2
    expected = np.cos(x) + np.exp(x) * (1 + x)
    np.testing.assert_allclose(slope(tf.constant(x)), expected, rtol=1e-6)


def test_gradients_that_are_lists_of_tensors_are_left_to_tensorflow():
    """Those of a `TensorArray` read three times are variants, which have no sum."""
    import tensorflow as tf

    @tf.function
    def slope(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            parts = tf.TensorArray(tf.float32, 3).unstack(x)
            y = parts.read(0) * parts.read(1) * parts.read(2)
        return tape.gradient(y, x)

    np.testing.assert_allclose(slope(tf.constant([2.0, 3.0, 5.0])), [15.0, 10.0, 6.0])


def test_a_state_of_a_long_run_resumes_bit_for_bit(tmp_path):
    """By then the executor of the long run orders operations in another way than that of a new one.

    Without `gradients._add_in_order` the second moments differed from about the 220th update on.
    """
    x = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1)).astype("uint8")
    stream = Stream(x, 8, minibatches=2)
    make = lambda: small_data(augment=ADA("translation,cutout", (8, 8, 1), images=200, target=-1))
    long, second = make(), make()
    long.fit(stream, steps_per_epoch=240, verbose=0)
    long.save(tmp_path)
    second.restore(tmp_path)
    for model in (long, second):
        model.fit(stream, steps_per_epoch=10, verbose=0)
    assert same_state(long, second)
