"""A machine with JAX or PyTorch and no TensorFlow trains all the same."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

GAMES = Path(__file__).with_name("games.py")
SCRIPT = f"""
import importlib.machinery, importlib.util as u, sys

class Without(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        blocked = name.partition(".")[0] in ("tensorflow", "tf_keras")
        return None if blocked else super().find_spec(name, path, target)

sys.meta_path = [
    Without if f is importlib.machinery.PathFinder else f for f in sys.meta_path
]
assert u.find_spec("tensorflow") is None
spec = u.spec_from_file_location("games", {str(GAMES)!r})
games = u.module_from_spec(spec)
spec.loader.exec_module(games)
from gantools.core import Stream
model = games.wgan_gp()
model.fit(Stream(games.points(), 16, minibatches=4), steps_per_epoch=3, verbose=0)
assert int(model.cycle) == 3 and model.sample(5).shape == (5, 2)
assert "tensorflow" not in sys.modules
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_training_needs_no_tensorflow(backend):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(GAMES.parents[2])}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
