"""Libraries kept quiet: no start-up notices, no remarks on files, no reports of usage."""

import os
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from threading import Lock


class Held:
    """The error stream held back: what libraries write there while they work is not shown.

    Several threads may hold it at once; it flows again when the last lets go.
    """

    def __init__(self):
        self._lock, self._holders, self._stream, self._file = Lock(), 0, None, None

    def __enter__(self):
        with self._lock:
            self._holders += 1
            if self._holders == 1:
                self._begin()
        return self

    def __exit__(self, *_):
        with self._lock:
            self._holders -= 1
            if not self._holders and self._stream is not None:
                os.dup2(self._stream, 2)
                os.close(self._stream)
                self._file.close()
                self._stream = None

    def show(self):
        """Write what was held back so far to the stream after all."""
        if self._stream is not None:
            os.write(self._stream, self.text())

    def size(self):
        """Return how many bytes were held back so far."""
        return 0 if self._stream is None else os.fstat(self._file.fileno()).st_size

    def text(self, start=0):
        """Return the bytes that were held back so far, by all threads, from `start` on."""
        if self._stream is None:
            return b""
        size = self.size()
        os.lseek(self._file.fileno(), start, os.SEEK_SET)
        return os.read(self._file.fileno(), size - start)

    def _begin(self):
        try:
            self._stream = os.dup(2)
        except OSError:  # closed, as in a windowed program
            return
        self._file = _temporary()
        if sys.stderr:
            sys.stderr.flush()
        os.dup2(self._file.fileno(), 2)


def _temporary():
    """Return a file that nobody keeps; on a disk without room, one that keeps nothing."""
    try:
        return tempfile.TemporaryFile()
    except OSError:
        return Path(os.devnull).open("w+b")


error_stream_held = Held()


def import_core():
    """Choose the backend, import `gantools.core` and return it.

    TensorFlow writes about its own build on the error stream before any of its settings count, so
    the stream is held back meanwhile; what was written is shown if the import fails.

    Raises:
        UserError: there is no backend to train on.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with error_stream_held as held:
        try:
            return import_module("gantools.core")
        except BaseException:
            held.show()
            raise


_OPENVINO = Lock()


def import_openvino():
    """Return the module openvino without its converter, which takes longer than all the rest.

    The converter imports a package that reports usage to the maker; nothing here reports anything.
    The first array that OpenVINO is handed is handed over here, by one thread: where two threads
    are first, each waits for what the other holds, for ever.
    """
    converter = "openvino.tools.ovc"
    with _OPENVINO:
        block = "openvino" not in sys.modules and converter not in sys.modules
        if block:
            sys.modules[converter] = None  # openvino expects that it may be missing
        try:
            openvino = import_module("openvino")
        finally:
            if block:
                sys.modules.pop(converter, None)
        import numpy as np

        openvino.Tensor(np.zeros(1, np.uint8), shared_memory=True)
    return openvino


def onnx_session(model, threads=None):
    """Return an ONNX Runtime session on the processor, silent and without reports of usage.

    Args:
        model: An ONNX graph: bytes, or the path of a file.
        threads: Processor threads; None leaves it to the engine.
    """
    onnxruntime = import_module("onnxruntime")
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = threads or 0
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
