"""For every test: no network, and Keras' settings in a folder of their own."""

import os
import socket
import tempfile
from pathlib import Path

import pytest

# Before anything imports keras: it reads, and creates, keras.json in this folder.
os.environ["KERAS_HOME"] = tempfile.mkdtemp(prefix="gantools-keras-")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

_connect = socket.socket.connect


def _connect_locally(self, address):
    local = self.family == getattr(socket, "AF_UNIX", None)
    if not local and str(address[0]) not in ("127.0.0.1", "::1", "localhost"):
        raise AssertionError(f"A test tried to reach {address!r}: nothing may use the network.")
    return _connect(self, address)


@pytest.fixture(autouse=True, scope="session")
def no_network():
    """Refuse every connection that leaves the machine."""
    socket.socket.connect = _connect_locally
    yield
    socket.socket.connect = _connect


@pytest.fixture
def ray_cluster(monkeypatch):
    """Start Ray with one worker process on this machine, and let joblib know it."""
    ray = pytest.importorskip("ray")
    from ray.util.joblib import register_ray

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
    ray.init(
        num_cpus=1, include_dashboard=False, configure_logging=False, log_to_driver=False,
        _node_ip_address="127.0.0.1", _temp_dir=tempfile.mkdtemp(prefix="ray-"),
    )  # fmt: skip
    register_ray()
    yield
    ray.shutdown()
