import json
import subprocess
import sys

import numpy as np
import pytest
from gantools.apps.anomaly.detectors.redrawing import Redrawing
from gantools.apps.anomaly.views import View

from gantools.data.synthetic import shapes
from gantools.errors import UserError

from .heads import heads


def pictures(n, side=32, seed=0):
    return shapes(n, side, 1, seed).astype(np.float32) / 127.5 - 1


@pytest.fixture(scope="module")
def fitted():
    return Redrawing(View("whole", 32), "tiny", steps=40).fit(pictures(60), seed=1)


def test_it_draws_what_the_trained_generator_draws(fitted):
    import keras

    from gantools.gans import restorer

    generator = restorer.game("tiny", (32, 32, 1)).game.players["generator"]
    for layer in generator.layers:
        names = [v.path.rsplit("/", 1)[-1] for v in layer.weights]
        layer.set_weights([fitted.weights[f"generator/{layer.name}/{name}"] for name in names])
    one = pictures(1, seed=5)
    wanted = np.array(generator(keras.ops.convert_to_tensor(one)))[0]
    found = fitted.restored(one[0])
    assert found.shape == (32, 32, 1) and found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert set(fitted.facts) == {"steps", "ms", "seconds"}
    assert not any(name.startswith("discriminator") for name in fitted.weights)


def test_a_picture_comes_back_in_its_own_size_also_by_windows(fitted, tmp_path):
    fitted.save(tmp_path)
    large = pictures(1, 96, seed=6)[0][:, :80]
    for view in (View("whole", 32), View("windows", 32, 16)):
        again = Redrawing.load(tmp_path, {**vars(view)})
        assert again.restored(large).shape == (96, 80, 1)
    one = pictures(1, seed=7)[0]
    again = Redrawing.load(tmp_path, vars(View("whole", 32)))
    assert np.array_equal(again.restored(one), fitted.restored(one))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["redrawing.json", "redrawing.npz"]
    settings = json.loads((tmp_path / "redrawing.json").read_text())
    (tmp_path / "redrawing.json").write_text(json.dumps(settings | {"schema": 0}))
    with pytest.raises(UserError, match="another version"):
        Redrawing.load(tmp_path, vars(View("whole", 32)))


def test_a_kept_one_draws_without_keras(fitted, tmp_path):
    fitted.save(tmp_path)
    code = (
        "import sys, numpy as np\n"
        "from gantools.apps.anomaly.detectors.redrawing import Redrawing\n"
        f"found = Redrawing.load({str(tmp_path)!r}, {vars(View('whole', 32))})\n"
        "found.restored(np.zeros((32, 32, 1), np.float32))\n"
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_few_normals_are_refused():
    with pytest.raises(UserError, match="--restoration: expected at least 20 normals .* 19"):
        Redrawing(View("whole", 32)).fit(pictures(19))


def test_scans_are_drawn_within_a_share_of_the_range(fitted, tmp_path):
    x = heads(20, 0, 64)
    found = Redrawing(View("whole", 64), "tiny", steps=2).fit(x)
    assert found.weights["room"] == np.float32(0.9) and "room" not in fitted.weights
    found.save(tmp_path)
    again = Redrawing.load(tmp_path, vars(View("whole", 64)))
    assert np.array_equal(again.restored(x[0]), found.restored(x[0]))
