"""Loading the core for a command: without the backend's start-up notices on the user's terminal."""

import os
import sys
import tempfile
from importlib import import_module


def import_core():
    """Choose the backend, import `gantools.core` and return it.

    TensorFlow writes about its own build on the error stream before any of its settings count, so
    the stream is held back meanwhile; what was written is shown if the import fails.

    Raises:
        UserError: there is no backend to train on.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        stream = os.dup(2)
    except OSError:  # closed, as in a windowed program
        return import_module("gantools.core")
    with tempfile.TemporaryFile() as held:
        sys.stderr.flush()
        os.dup2(held.fileno(), 2)
        try:
            return import_module("gantools.core")
        except BaseException:
            held.seek(0)
            os.write(stream, held.read())
            raise
        finally:
            os.dup2(stream, 2)
            os.close(stream)
