"""Running a network's ONNX graph: OpenVINO, else ONNX Runtime, else OpenCV; never Keras.

All compute in float32 on batches of one fixed size, the last one filled up: a picture's numbers
depend neither on how many pictures come with it nor on their order.
"""

import numpy as np

from gantools.errors import UserError
from gantools.quiet import import_openvino, onnx_session

ENGINES = ("openvino", "onnxruntime", "opencv")


class Engine:
    """A compiled graph with the input "x" `(batch, ...)` float32.

    Args:
        content: Bytes of the ONNX file.
        batch: Size of the graph's first axis.
        outputs: Names of the wanted results.
        name: "auto" or one of `ENGINES`.
        threads: Processor threads; None leaves it to the engine.

    Raises:
        UserError: no engine starts.
    """

    def __init__(self, content, batch, outputs, *, name="auto", threads=None):
        self.batch, self.outputs = batch, tuple(outputs)
        reasons = []
        for key in ENGINES if name == "auto" else (name,):
            try:
                self.run_once = _OPENERS[key](content, self.outputs, threads)
                self.name = key
                return
            except (ImportError, RuntimeError) as error:  # not installed or not for this machine
                reasons.append(f"{key}: {error}")
        raise UserError(f"No engine starts. {'; '.join(reasons)}")

    def batches(self, x):
        """Yield `(slice, {name: array})` for parts of `x` `(n, ...)`, each of at most `batch`."""
        for first in range(0, len(x), self.batch):
            part = np.ascontiguousarray(x[first : first + self.batch], np.float32)
            count = len(part)
            if count < self.batch:
                filler = np.zeros((self.batch - count, *part.shape[1:]), np.float32)
                part = np.concatenate([part, filler])
            found = self.run_once(part)
            yield slice(first, first + count), {k: v[:count] for k, v in found.items()}

    def run(self, x):
        """Return `{name: array}` for all of `x`: outputs `(n, ...)`."""
        parts = [found for _, found in self.batches(x)]
        return {name: np.concatenate([part[name] for part in parts]) for name in self.outputs}


def _openvino(content, outputs, threads):
    openvino = import_openvino()
    core = openvino.Core()
    options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
    options |= {"INFERENCE_NUM_THREADS": threads} if threads else {}
    request = core.compile_model(core.read_model(content), "CPU", options).create_infer_request()

    def run(x):
        request.infer([x], share_inputs=True)
        return {name: request.get_tensor(name).data.copy() for name in outputs}

    return run


def _onnxruntime(content, outputs, threads):
    session = onnx_session(content, threads)
    names = list(outputs)
    return lambda x: dict(zip(names, session.run(names, {"x": x}), strict=True))


def _opencv(content, outputs, threads):
    import cv2

    net = cv2.dnn.readNetFromONNX(np.frombuffer(content, np.uint8), cv2.dnn.ENGINE_CLASSIC)
    names = list(outputs)

    def run(x):
        net.setInput(x)
        return dict(zip(names, (np.array(a) for a in net.forward(names)), strict=True))

    return run


_OPENERS = {"openvino": _openvino, "onnxruntime": _onnxruntime, "opencv": _opencv}
