"""`evaluate` and `validation_data`: means over all samples, whatever the batches."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from gantools.core import AdversarialModel, Game, Turn

pytestmark = pytest.mark.backends

X = np.arange(5, dtype="float32")[:, None]  # batches of 2 are 2, 2 and 1: their means are not equal


def measuring(steps=1):
    """Return a compiled model that logs the mean of what it is given."""
    net = keras.Sequential([keras.Input((1,)), layers.Dense(1, use_bias=False)])

    def terms(model, batch, draw):
        shown = {"mean": ops.mean(batch["x"]), "half": 0.5}
        return {"size": ops.mean(ops.square(model.player("net")(batch["x"])))}, shown

    model = AdversarialModel(Game({"net": net}, (Turn("net", ("net",), terms),)))
    model.compile({"net": keras.optimizers.SGD(0.0)}, steps_per_execution=steps)
    return model, float(ops.convert_to_numpy(net.weights[0])[0, 0])


def several():
    return [1] if keras.backend.backend() == "torch" else [1, 2, 3, 5]


@pytest.mark.parametrize("steps", several())
def test_all_batches_count_by_their_samples(steps):
    model, weight = measuring(steps)
    wanted = {"net/mean": 2.0, "net/half": 0.5, "net/size": 6.0 * weight**2}
    for _ in range(2):  # the second does not go on from the first
        found = model.evaluate(X, batch_size=2, verbose=0, return_dict=True)
        assert found == pytest.approx(wanted, rel=1e-6)
    in_order = [wanted[name] for name in sorted(wanted)]
    assert model.evaluate(X, batch_size=2, verbose=0) == pytest.approx(in_order, rel=1e-6)


@pytest.mark.parametrize("steps", several()[:2])
def test_validation_has_means_and_training_its_last_cycle(steps):
    model, _ = measuring(steps)
    options = {"batch_size": 2, "validation_batch_size": 2, "shuffle": False, "verbose": 0}
    history = model.fit(X, epochs=2, validation_data=(X,), **options).history
    assert history["val_net/mean"] == [2.0, 2.0]
    assert history["net/mean"] == [4.0, 4.0]
    assert "val_samples" not in history


def test_a_step_tells_its_own_batch_and_a_batch_alone_has_its_values():
    model, _ = measuring()
    model.evaluate(X, batch_size=2, verbose=0)
    found = model.test_on_batch(X[3:], return_dict=True)
    assert (found["net/mean"], "samples" in found) == (3.5, False)
