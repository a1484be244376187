"""Small networks with random weights, and smooth pictures."""

import numpy as np
import pytest
from gantools.apps.superres import model

from gantools.nets import plans


@pytest.fixture
def make_network():
    """Return a function that makes a network of random weights: its residual is a few levels."""
    return random_network


def random_network(plan=None, *, seed=0, gain=0.02):
    plan = plan or plans.fast(4, width=8, blocks=1)
    rng, arrays = np.random.default_rng(seed), {}
    last = [step.out for step in plan.steps if step.op == "conv"][-1]
    for name, shape in plan.weight_shapes().items():
        spread = np.prod(shape[:-1]) ** -0.5 if name.endswith("/kernel") else 0.1
        spread *= gain if name.startswith(f"{last}/") else 1
        arrays[name] = rng.normal(0, spread, shape).astype(np.float32)
    return model.Network(plan, arrays, {"note": "random"})


@pytest.fixture
def picture():
    """Return a function that makes smooth random pixels `(h, w, c)`."""
    return smooth


def smooth(height=40, width=56, channels=3, dtype=np.uint8, seed=0):
    import cv2

    rng = np.random.default_rng(seed)
    coarse = rng.random((height // 4 + 2, width // 4 + 2, channels))
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    fine = fine.reshape(height, width, channels) + rng.normal(0, 0.02, (height, width, channels))
    top = np.iinfo(dtype).max
    return np.clip(fine * top, 0, top).astype(dtype)


@pytest.fixture
def weights(tmp_path):
    """Return the path of a weight file x4."""
    path = tmp_path / "weights" / "tiny_x4.safetensors"
    path.parent.mkdir()
    model.write(path, random_network())
    return path
