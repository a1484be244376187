import importlib

import keras
import numpy as np
import pytest
from gantools.apps.anomaly.detectors.engine import ENGINES, Engine
from gantools.apps.anomaly.detectors.serving import redrawing_graph, restorer_graph, weights_of

from gantools.errors import UserError
from gantools.gans import restorer
from gantools.nets.restorer import HEADS, mask_stride, quarter_turns

MODULES = {"openvino": "openvino", "onnxruntime": "onnxruntime", "opencv": "cv2"}


def networks(shape):
    """Return a restorer's players with biases and scales that matter."""
    players = restorer.game("tiny", shape, widths=(8, 16, 24)).game.players
    random = np.random.default_rng(0)
    for player in players.values():
        for v in player.trainable_variables:
            if len(v.shape) == 1:
                v.assign(np.array(v) + random.normal(0, 0.3, v.shape))
    return players


def level_of(shape):
    return int(np.log2(mask_stride(shape))) - 1


def expected(players, x, level):
    make, judge = players["generator"], players["discriminator"]
    both = keras.Model(make.input, [make.output, make.get_layer("latent").output])
    restored, latent = (np.array(a) for a in both(x))
    found, again = ([np.array(a) for a in judge(p)] for p in (x, restored))
    count = len(HEADS)
    pairs = zip(found[count:], again[count:], strict=True)
    return {
        "restored": restored,
        "latent": latent,
        "apart": sum(np.abs(a - b).mean(axis=(1, 2, 3)) for a, b in pairs)[:, None],
        "rotation": found[1],
        "damaged": found[2],
        "mask": found[3],
        "hidden": found[4],
        "means": np.concatenate([f.mean(axis=(1, 2)) for f in found[count:]], axis=1),
        "patches": found[count + level],
    }


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("shape", [(28, 28, 1), (60, 44, 3)])
def test_graph_gives_the_numbers_of_keras(engine, shape):
    pytest.importorskip(MODULES[engine])
    players, level = networks(shape), level_of(shape)
    x = np.random.default_rng(1).uniform(-1, 1, (5, *shape)).astype("float32")
    content, names = restorer_graph(weights_of(players), shape, 4, level=level)
    found = Engine(content, 4, names, name=engine).run(x)
    wanted = expected(players, x, level)
    assert set(found) == set(wanted)
    for name, values in wanted.items():
        assert found[name].shape == values.shape, name
        np.testing.assert_allclose(found[name], values, atol=3e-5, err_msg=name)


def test_rotation_alone_is_the_same_head():
    shape = (28, 28, 1)
    players = networks(shape)
    x = quarter_turns(np.random.default_rng(2).uniform(-1, 1, (3, *shape)).astype("float32"), 1)
    x = np.array(x)
    content, names = restorer_graph(weights_of(players), shape, 4, level=1, only_rotation=True)
    assert names == ("rotation",)
    found = Engine(content, 4, names).run(x)["rotation"]
    np.testing.assert_allclose(found, np.array(players["discriminator"](x)[1]), atol=3e-5)


def test_networks_that_see_a_share_of_the_range_restore_all_of_it():
    shape, room = (28, 28, 1), 0.5
    players = networks(shape)
    x = np.random.default_rng(4).uniform(-1, 1, (4, *shape)).astype("float32")
    wanted = expected(players, np.float32(room) * x, level=1)
    restored = wanted["restored"] / room
    assert np.abs(restored).max() > 1  # and has to be cut
    wanted["restored"] = restored.clip(-1, 1)
    weights = weights_of(players, room)
    whole = restorer_graph(weights, shape, 4, level=1)
    turned = restorer_graph(weights, shape, 4, level=1, only_rotation=True)
    drawn = redrawing_graph(weights, shape, 4), ("restored",)
    for content, names in (whole, turned, drawn):
        found = Engine(content, 4, names).run(x)
        for name in names:
            np.testing.assert_allclose(found[name], wanted[name], atol=6e-5, err_msg=name)


def test_batches_are_filled_up_and_do_not_matter():
    shape = (28, 28, 1)
    content, names = restorer_graph(weights_of(networks(shape)), shape, 4, level=1)
    engine = Engine(content, 4, names)
    x = np.random.default_rng(3).uniform(-1, 1, (9, *shape)).astype("float32")
    whole, alone = engine.run(x), engine.run(x[6:7])
    for name in names:
        assert whole[name].shape[0] == 9
        np.testing.assert_allclose(alone[name][0], whole[name][6], rtol=1e-5, atol=1e-6)


def test_no_engine_is_said_in_a_sentence(monkeypatch):
    engine = importlib.import_module("gantools.apps.anomaly.detectors.engine")

    def missing(*_):
        raise ImportError("not here")

    monkeypatch.setattr(engine, "_OPENERS", dict.fromkeys(ENGINES, missing))
    with pytest.raises(UserError, match="No engine starts. openvino: not here; onnx"):
        Engine(b"", 1, ())
