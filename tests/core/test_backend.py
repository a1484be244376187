import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gantools.core import backend
from gantools.errors import MISSING_EXTRA, USAGE, UserError


@pytest.fixture
def world(monkeypatch, tmp_path):
    """Return a function that sets what is installed, KERAS_BACKEND and keras.json; no Keras yet."""

    def arrange(installed=(), variable=None, configured=None):
        monkeypatch.delitem(sys.modules, "keras", raising=False)
        monkeypatch.setattr(backend, "find_spec", lambda name: name in installed or None)
        monkeypatch.setenv("KERAS_BACKEND", variable or "")
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        if configured:
            (tmp_path / "keras.json").write_text(json.dumps({"backend": configured}))

    return arrange


@pytest.mark.parametrize(
    ("installed", "variable", "configured", "expected"),
    [
        (("tensorflow", "jax", "torch"), None, None, "tensorflow"),
        (("jax", "torch"), None, None, "jax"),
        (("torch",), None, None, "torch"),
        (("tensorflow", "jax"), None, "jax", "jax"),
        (("tensorflow", "jax", "torch"), "torch", "jax", "torch"),
        (("jax",), None, "tensorflow", "jax"),  # Keras wrote its default; it was never chosen
        (("jax",), None, "numpy", "jax"),
    ],
)
def test_order_of_choice(world, installed, variable, configured, expected):
    world(installed, variable, configured)
    assert backend.find_backend().name == expected


@pytest.mark.parametrize(
    ("installed", "variable", "code", "text"),
    [
        ((), None, MISSING_EXTRA, r"gantools\[jax\]"),
        (("tensorflow",), "jax", MISSING_EXTRA, r"gantools\[jax\]"),
        (("jax",), "tensorflow", MISSING_EXTRA, "'tensorflow' is not installed"),
        (("tensorflow",), "numpy", USAGE, "cannot train"),
    ],
)
def test_impossible_wishes_are_one_sentence(world, installed, variable, code, text):
    world(installed, variable)
    with pytest.raises(UserError, match=text) as caught:
        backend.find_backend()
    assert caught.value.code == code


def test_broken_keras_json_is_passed_over(world, tmp_path):
    world(("torch",))
    (tmp_path / "keras.json").write_text("{")
    assert backend.find_backend().name == "torch"


def test_a_loaded_keras_decides():
    import keras

    assert backend.find_backend().name == keras.config.backend()


@pytest.mark.parametrize("hidden", ["tensorflow", "tensorflow jax"])
def test_the_core_runs_on_what_is_there(hidden, tmp_path):
    """A process in which the hidden packages cannot be found; TensorFlow is then not imported."""
    code = f"""
import importlib.util, sys
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, *a: None if name in {hidden.split()} else real(name, *a)
from gantools.errors import UserError
try:
    import gantools.core
except UserError as error:
    print("none", error.code)
else:
    import keras
    print(keras.config.backend(), *{{"tensorflow"}} & {{*{hidden.split()}}} & {{*sys.modules}})
"""
    left = [n for n in backend.BACKENDS if n not in hidden and backend.is_installed(n)]
    environment = {k: v for k, v in os.environ.items() if k != "KERAS_BACKEND"}
    environment |= {"KERAS_HOME": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout.split() == ([left[0]] if left else ["none", "3"]), done.stderr[-2000:]
