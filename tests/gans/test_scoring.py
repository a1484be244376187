import gc

import keras
import numpy as np
import pytest
from keras import ops

from gantools.gans import ganomaly, scoring

pytestmark = pytest.mark.backends
NAMES, TRACES = ("generator",), []


def look(nets, z, factor):
    TRACES.append(factor)
    return {"a": factor * ops.mean(nets["generator"](z), axis=(1, 2, 3))}


@pytest.fixture
def model():
    return ganomaly.game("tiny", (16, 16, 1)).model(0)


def test_a_second_call_does_not_trace_again(model):
    shape = model.best("generator").input_shape[1:]
    z = np.random.default_rng(0).normal(size=(5, *shape)).astype("float32")
    TRACES.clear()
    first = scoring.scores(model, z, look, NAMES, options=(1.0,))["a"]
    traced = len(TRACES)
    second = scoring.scores(model, z[:3], look, NAMES, options=(1.0,))["a"]
    double = scoring.scores(model, z, look, NAMES, options=(2.0,))["a"]
    if keras.backend.backend() != "torch":  # which compiles nothing
        assert TRACES.count(1.0) == traced == TRACES.count(2.0)
    np.testing.assert_allclose(second, first[:3], rtol=1e-5)
    np.testing.assert_allclose(double, 2 * first, rtol=1e-5)
    for v in model.best("generator").trainable_variables:
        v.assign(0 * v.value)
    third = scoring.scores(model, z, look, NAMES, options=(1.0,))["a"]
    assert np.ptp(third) == 0 < np.ptp(first)  # weights are those of now


def test_what_is_kept_goes_with_its_model():
    model = ganomaly.game("tiny", (16, 16, 1)).model(0)
    kept = scoring.kept(model, NAMES, "a", lambda: [1])
    assert scoring.kept(model, NAMES, "a", list) is kept
    assert scoring.kept(model, NAMES, "b", list) == []
    before = len(scoring._KEPT)
    del model
    gc.collect()
    assert len(scoring._KEPT) < before
