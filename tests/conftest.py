"""For every test: no network, and Keras' settings in a folder of their own."""

import os
import socket
import tempfile

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
