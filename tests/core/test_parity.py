"""Some cycles of a game from the same numbers give the same weights on every backend.

TensorFlow, JAX and PyTorch draw different random numbers from one seed, so noise comes with the
batch; each backend runs in its own process.
"""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

GAMES = Path(__file__).with_name("games.py")
SCRIPT = f"""
import importlib.util as u, sys
import numpy as np
spec = u.spec_from_file_location("games", {str(GAMES)!r})
games = u.module_from_spec(spec)
spec.loader.exec_module(games)
random = np.random.default_rng(0)
model = getattr(games, sys.argv[2])()
normal = lambda *shape: random.normal(size=shape).astype("float32")
uniform = lambda *shape: random.uniform(size=shape).astype("float32")
draws = {{
    "wgan_gp": lambda: {{"x": normal(16, 4, 2), "z": normal(16, 4, 4), "between": uniform(16, 4)}},
    "small_data": lambda: {{
        "x": uniform(16, 2, 8, 8, 1), "z": normal(16, 2, 4), "augment": uniform(16, 2, 13)
    }},
}}
for _ in range(3):
    several = draws[sys.argv[2]]()
    batches = (({{"minibatches": several}},) for _ in range(1))
    history = model.fit(batches, steps_per_epoch=1, verbose=0).history
arrays = {{f"{{n}}/{{i}}": v.numpy() if hasattr(v, "numpy") else np.asarray(v)
          for n, group in model.state_groups().items() if "seed" not in n
          for i, v in enumerate(group)}}
arrays |= {{f"log/{{k}}": np.asarray(v[-1]) for k, v in history.items()}}
np.savez(sys.argv[1], **arrays)
"""


def result(backend, folder, game):
    path = folder / f"{backend}.npz"
    environment = {**os.environ, "KERAS_BACKEND": backend, "PYTHONPATH": str(GAMES.parents[2])}
    subprocess.run([sys.executable, "-c", SCRIPT, str(path), game], env=environment, check=True)
    return dict(np.load(path))


@pytest.mark.parametrize("game", ["wgan_gp", "small_data"])
def test_backends_agree(game, tmp_path):
    installed = [b for b in ("tensorflow", "jax", "torch") if find_spec(b)]
    if len(installed) < 2:
        pytest.skip(f"needs two backends; installed: {installed}")
    results = {backend: result(backend, tmp_path, game) for backend in installed}
    first = results[installed[0]]
    for backend in installed[1:]:
        assert set(results[backend]) == set(first)
        for kind in ("player", "optimizer", "memory", "log"):
            gaps = [
                np.max(np.abs(value.astype(float) - first[name].astype(float)), initial=0)
                for name, value in results[backend].items()
                if name.startswith(kind)
            ]
            print(f"[parity] {installed[0]} and {backend}, {kind}: {max(gaps, default=0):.1e}")
        for name, value in results[backend].items():
            limit = 5e-6 if name.startswith("log") else 4e-6 if "optimizer" in name else 2e-6
            worst = float(
                np.max(np.abs(value.astype(float) - first[name].astype(float)), initial=0)
            )
            assert worst <= limit, f"{backend} {name}: {worst}"
