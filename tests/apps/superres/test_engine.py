import json
import subprocess
import sys

import numpy as np
import pytest
from gantools.apps.superres import engine as engines
from gantools.apps.superres.engine import ENGINES, choose, open_engine

from gantools.data.pictures import Picture, write
from gantools.errors import MISSING_EXTRA, UserError
from gantools.nets import plans


def tile(pixels):
    return np.pad(pixels, ((4, 4), (4, 4), (0, 0)), mode="symmetric")


def installed(name):
    if name not in choose():
        pytest.skip(f"{name} is not installed")


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("scale", [2, 4])
def test_all_engines_give_the_same_picture(name, scale, make_network, picture):
    installed(name)
    network = make_network(plans.fast(scale, width=16, blocks=2))
    reference = open_engine(network, "opencv", deep=True)
    for size in ((24, 31), (40, 24)):  # a second shape is compiled when it comes
        pixels = tile(picture(*size))
        expected = reference.run(pixels.astype(np.float32)).copy()
        deep = open_engine(network, name, deep=True)
        assert deep.precision == "f32"
        floats = deep.run(pixels.astype(np.float32))
        assert floats.dtype == np.float32
        assert floats.shape == (size[0] * scale, size[1] * scale, 3)
        np.testing.assert_allclose(floats, expected, atol=2e-3)
        levels = open_engine(network, name).run(pixels)
        assert levels.dtype == np.uint8
        assert np.abs(levels - expected).max() < 1.5  # rounding, and bfloat16 where it is used
        assert np.mean(np.abs(levels - expected) > 0.51) < 0.02


@pytest.mark.parametrize("kind", list(plans.PLANS))
def test_every_kind_of_network_runs_on_all_engines(kind, make_network, picture):
    network = make_network(plans.PLANS[kind](2, width=16, blocks=1))
    pixels = tile(picture(12, 15)).astype(np.float32)
    found = {name: open_engine(network, name, deep=True).run(pixels).copy() for name in choose()}
    assert len(found) > 1
    for result in found.values():
        np.testing.assert_allclose(result, found["opencv"], atol=2e-3)


@pytest.mark.parametrize("name", ENGINES)
def test_flat_colours_stay_exact(name, make_network):
    """The base alone: its weights survive bfloat16, so white stays 255 and no pattern appears."""
    installed(name)
    engine = open_engine(make_network(gain=0), name)
    for level in (0, 1, 77, 128, 200, 254, 255):
        flat = np.full((20, 24, 3), level, np.uint8)
        assert (engine.run(flat) == level).all(), level


def test_extremes_are_clipped(make_network):
    noise = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (20, 24, 3))
    for deep, dtype in ((False, np.uint8), (True, np.float32)):
        out = open_engine(make_network(gain=1.0), deep=deep).run(noise.astype(dtype))
        assert out.min() == 0
        assert out.max() == 255


def test_choose_prefers_openvino_and_explains_what_is_missing(monkeypatch):
    assert list(ENGINES)[:2] == ["openvino", "onnxruntime"]
    assert choose("opencv") == ["opencv"]
    monkeypatch.setattr(engines, "find_spec", lambda module: module in ("cv2", "keras"))
    assert choose() == ["opencv", "keras"]
    with pytest.raises(UserError, match=r"pip install \"gantools\[export\]\"") as error:
        choose("onnxruntime")
    assert error.value.code == MISSING_EXTRA
    with pytest.raises(UserError, match="pip install openvino"):
        choose("openvino")
    with pytest.raises(UserError, match="no engine 'caffe'"):
        choose("caffe")


def test_an_engine_that_does_not_start_is_passed_over(monkeypatch, make_network):
    def broken(*_):
        raise RuntimeError("not for this processor")

    monkeypatch.setitem(engines._CLASSES, "openvino", broken)
    monkeypatch.setattr(engines, "find_spec", lambda module: module in ("openvino", "cv2"))
    assert open_engine(make_network()).name == "opencv"
    with pytest.raises(UserError, match="not for this processor"):
        open_engine(make_network(), "openvino")


def test_few_shapes_are_held_in_memory(make_network):
    engine = open_engine(make_network(), "opencv")
    for size in range(8, 20):
        engine.prepare(size, size)
    assert len(engine._compiled) == engines.SHAPES_HELD


@pytest.mark.parametrize("name", ["openvino", "opencv"])
def test_light_engines_load_nothing_heavy(name, weights):
    """Neither a training framework nor the package that reports usage."""
    installed(name)
    code = f"""
import json, sys
import numpy as np
from gantools.apps.superres import model
from gantools.apps.superres.engine import open_engine
open_engine(model.read({str(weights)!r}), {name!r}).run(np.zeros((12, 12, 3), np.uint8))
heads = ("keras", "tensorflow", "torch", "jax", "sklearn", "openvino_telemetry", "pandas", "rich")
print(json.dumps([m for m in sys.modules if m.split(".")[0] in heads]))
import openvino.tools.ovc  # still there for who wants it
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert json.loads(run.stdout.splitlines()[0]) == [], run.stderr


def test_a_graphics_processor_is_used_or_its_lack_told(monkeypatch, make_network, picture):
    network, pixels = make_network(), tile(picture(20, 24))
    open_engine(network, "keras")
    backend = sys.modules["keras"].config.backend()
    monkeypatch.setitem(engines.GRAPHICS, backend, lambda: True)  # as if it had one
    used = open_engine(network, device="gpu")
    assert used.name == "keras"
    wanted = open_engine(network).run(pixels)
    assert np.abs(used.run(pixels).astype(int) - wanted).max() <= 1
    monkeypatch.setitem(engines.GRAPHICS, backend, lambda: False)
    with pytest.raises(UserError, match=f"No graphics processor is reached by {backend}"):
        open_engine(network, device="gpu")
    with pytest.raises(UserError, match="--device gpu is for --engine keras. Received: --engine o"):
        open_engine(network, "opencv", device="gpu")


@pytest.mark.parametrize("backend", engines.GRAPHICS)
def test_every_backend_can_be_asked_for_a_graphics_processor(backend):
    pytest.importorskip(backend)
    assert engines.GRAPHICS[backend]() in (True, False)


def test_device_gpu_without_one_is_one_sentence(weights, tmp_path, picture):
    write(tmp_path / "in.png", Picture(picture(8, 8)))
    words = ["superres", str(tmp_path / "in.png"), "--model", str(weights), "--device", "gpu"]
    done = subprocess.run(
        [sys.executable, "-m", "gantools", *words], capture_output=True, text=True, check=False
    )
    if done.returncode == 0:
        pytest.skip("this machine has a graphics processor")
    (line,) = done.stderr.splitlines()
    assert "No graphics processor is reached by" in line
    assert not (tmp_path / "in_x4.png").exists()
