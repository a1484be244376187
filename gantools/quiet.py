"""Loading heavy packages for a command, without start-up notices and what reports usage."""

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


def import_openvino():
    """Return the module openvino without its converter, which takes longer than all the rest.

    The converter imports a package that reports usage to the maker; nothing here reports anything.
    """
    converter = "openvino.tools.ovc"
    block = "openvino" not in sys.modules and converter not in sys.modules
    if block:
        sys.modules[converter] = None  # openvino expects that it may be missing
    try:
        return import_module("openvino")
    finally:
        if block:
            sys.modules.pop(converter, None)


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
