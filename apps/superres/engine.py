"""The engines that can run a network: OpenVINO, ONNX Runtime, OpenCV, Keras, in this order.

All run the same numbers on the same graph. OpenVINO is the fastest by far (bfloat16 on processors
that have it); OpenCV is always there; Keras serves where nothing else does and as the reference.
None of them is imported before it is chosen.
"""

import os
import sys
from collections import OrderedDict
from concurrent.futures import Future
from importlib.util import find_spec
from threading import Lock

import numpy as np

from gantools.errors import UserError, missing_extra
from gantools.quiet import error_stream_held, import_core, import_openvino, onnx_session

from . import onnx
from .model import Network
from .projection import CONTEXT, projected
from .served import ServedPlan

# name: (module, distribution, extra that brings it)
ENGINES = {
    "openvino": ("openvino", "openvino", ""),
    "onnxruntime": ("onnxruntime", "onnxruntime", "export"),
    "opencv": ("cv2", "opencv-python-headless", ""),
    "keras": ("keras", "keras", ""),
}
SHAPES_HELD = 4  # compiled shapes in memory


class EngineError(UserError):
    """No engine runs the network as asked for: true of every picture, so nothing goes on."""


class Engine:
    """A network ready to run on tiles of any size; sizes are compiled when first met.

    Attributes:
        name: Key of `ENGINES`.
        precision: "bf16" or "f32".
        scale: Enlargement of the network.
        projection: One of `projection.MODES`.
    """

    name = ""

    def __init__(self, network: Network, deep: bool, threads: int | None, projection: str = "none"):
        self.network, self.deep, self.threads = network, deep, threads
        self.projection = projection
        self.scale, self.precision = network.scale, "f32"
        self._compiled, self._lock = OrderedDict(), Lock()

    def prepare(self, height: int, width: int) -> None:
        """Compile for tiles of `height` x `width` pixels; may be called from another thread."""
        self._for(height, width)

    def run(self, tile: np.ndarray) -> np.ndarray:
        """Return the enlarged tile.

        Args:
            tile: `(h + 8, w + 8, 3)`, the tile with 4 pixels of context: uint8, or float32 levels
                0 to 255 if the engine was opened for deep pictures.

        Returns:
            `(h * scale, w * scale, 3)` of the same dtype, valid until the next call; float32 is
            clipped to 0 to 255 and not rounded.
        """
        height, width = (side - 2 * CONTEXT for side in tile.shape[:2])
        return self._infer(self._for(height, width), np.ascontiguousarray(tile))

    def use_float32(self) -> None:
        """Compute in float32 from now on, see `careful`."""
        with self._lock:
            self.precision = "f32"
            self._compiled.clear()

    def _for(self, height: int, width: int):
        """Return what runs tiles of a size; different sizes are compiled side by side."""
        size = height, width
        with self._lock:
            held = self._compiled.get(size)
            if compiling := held is None:
                while len(self._compiled) >= SHAPES_HELD:
                    self._compiled.popitem(last=False)
                held = self._compiled[size] = Future()
            self._compiled.move_to_end(size)
        if compiling:
            try:
                held.set_result(self._compile(height, width))
            except BaseException as error:
                with self._lock:  # the next call tries again
                    if self._compiled.get(size) is held:
                        del self._compiled[size]
                held.set_exception(error)
        return held.result()

    def _graph(self, height: int, width: int) -> bytes:
        return onnx.serving(self.network, height, width, deep=self.deep, projection=self.projection)

    def _compile(self, height, width):
        raise NotImplementedError

    def _infer(self, compiled, tile):
        raise NotImplementedError


class OpenVino(Engine):
    """Intel's engine; it runs on AMD and Arm as well."""

    name = "openvino"

    def __init__(self, network, deep, threads, projection="none"):
        super().__init__(network, deep, threads, projection)
        openvino = import_openvino()
        self._core = openvino.Core()
        able = self._core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self.precision = "bf16" if "BF16" in able and not deep else "f32"

    def _compile(self, height, width):
        # 0.05 s, while the picture is decoded: keeping the result on disk saved nothing.
        model = self._core.read_model(self._graph(height, width))
        options = {
            "INFERENCE_PRECISION_HINT": self.precision,  # or else it depends on the machine
            "PERFORMANCE_HINT": "LATENCY",
            **({"INFERENCE_NUM_THREADS": self.threads} if self.threads else {}),
        }
        return self._core.compile_model(model, "CPU", options).create_infer_request()

    def _infer(self, compiled, tile):
        compiled.infer([tile[None]], share_inputs=True)
        return compiled.get_output_tensor().data[0]


class OnnxRuntime(Engine):
    """Microsoft's engine, float32."""

    name = "onnxruntime"

    def _compile(self, height, width):
        return onnx_session(self._graph(height, width), self.threads)

    def _infer(self, compiled, tile):
        return compiled.run(None, {"tile": tile[None]})[0][0]


class OpenCv(Engine):
    """OpenCV's own engine, float32: slower, but it is there whenever a picture can be read."""

    name = "opencv"

    def _compile(self, height, width):
        import cv2

        if self.threads:
            cv2.setNumThreads(self.threads)
        graph = np.frombuffer(self._graph(height, width), np.uint8)
        return cv2.dnn.readNetFromONNX(graph, cv2.dnn.ENGINE_CLASSIC)

    def _infer(self, compiled, tile):
        compiled.setInput(tile[None])
        return compiled.forward()[0]


class Keras(Engine):
    """The model as it was trained, on the device that Keras uses; the base is added in numpy."""

    name = "keras"

    def __init__(self, network, deep, threads, projection="none"):
        super().__init__(network, deep, threads, projection)
        if isinstance(network.plan, ServedPlan):
            raise UserError("Networks of other programs do not run on Keras: choose --engine auto.")
        import_core()  # chooses the backend before Keras looks for one
        from gantools.nets.superres import build, set_weights_by_name

        self._model = build(network.plan)
        set_weights_by_name(self._model, network.arrays)

    def _compile(self, height, width):
        return self._model  # any size

    def _infer(self, compiled, tile):
        from .tiles import bicubic
        from .training.patches import shuffle

        low = tile[CONTEXT:-CONTEXT, CONTEXT:-CONTEXT].astype(np.float32)
        residual = compiled.predict_on_batch(low[None] / np.float32(255))
        residual = shuffle(residual[0], self.scale)
        levels = bicubic(tile, self.scale) + np.float32(255) * residual
        levels = np.clip(projected(levels, low, self.projection), 0, 255)
        return levels if self.deep else np.rint(levels).astype(np.uint8)


_CLASSES = {kind.name: kind for kind in (OpenVino, OnnxRuntime, OpenCv, Keras)}


def _installed(module: str) -> bool:
    """Return whether a module can be found; another thread may be importing it right now."""
    try:
        return bool(find_spec(module))
    except ValueError:  # half imported: it stands in sys.modules without a spec
        return module in sys.modules


def choose(name: str = "auto") -> list[str]:
    """Return the installed engines that `name` allows, best first; nothing is imported.

    Args:
        name: "auto" or a key of `ENGINES`.

    Raises:
        UserError: the engine is unknown or not installed.
    """
    if name == "auto":
        return [key for key, (module, _, _) in ENGINES.items() if _installed(module)]
    if name not in ENGINES:
        known = ", ".join(ENGINES)
        raise UserError(f"There is no engine {name!r}. Choose auto or one of: {known}.")
    module, distribution, extra = ENGINES[name]
    if not _installed(module):
        if extra:
            raise missing_extra(f"The engine {name!r}", distribution, extra)
        raise UserError(f"The engine {name!r} needs {distribution}: pip install {distribution}.")
    return [name]


def _on_graphics(name: str) -> str:
    """Make Keras use a graphics processor and return the name of its engine."""
    if name not in ("auto", "keras"):
        raise UserError(f"--device gpu is for --engine keras. Received: --engine {name}.")
    choose("keras")
    loaded = sys.modules.get("keras")
    wanted = loaded.config.backend() if loaded else os.environ.get("KERAS_BACKEND")
    asked = (wanted,) if wanted else GRAPHICS
    with error_stream_held:  # backends remark on what they do not find
        reached = next((b for b in asked if b in GRAPHICS and _installed(b) and GRAPHICS[b]()), "")
    if not reached:
        raise UserError(
            f"No graphics processor is reached by {' or '.join(asked)}. Install JAX, PyTorch or "
            "TensorFlow with its support for yours, or leave out --device gpu."
        )
    os.environ["KERAS_BACKEND"] = reached
    return "keras"


def _jax_reaches() -> bool:
    import jax

    try:
        return bool(jax.devices("gpu"))
    except RuntimeError:  # no such platform
        return False


def _torch_reaches() -> bool:
    import torch

    return torch.cuda.is_available()


def _tensorflow_reaches() -> bool:
    import tensorflow

    return bool(tensorflow.config.list_physical_devices("GPU"))


GRAPHICS = {"jax": _jax_reaches, "torch": _torch_reaches, "tensorflow": _tensorflow_reaches}


def open_engine(
    network: Network, name: str = "auto", *, deep: bool = False, threads: int | None = None,
    projection: str = "none", device: str = "cpu",
) -> Engine:  # fmt: skip
    """Return an engine for `network`.

    Args:
        network: What to run.
        name: "auto" takes the first of `ENGINES` that works; a name takes that one or fails.
        deep: For pictures of more than 8 bits: float32 in, out and inside.
        threads: Processor threads; None leaves it to the engine.
        projection: One of `projection.MODES`.
        device: "cpu", or "gpu": Keras on a backend that reaches one.

    Raises:
        EngineError: the engine is unknown, missing, or does not start; there is no such device.
    """
    try:
        return _opened(network, name, deep, threads, projection, device)
    except UserError as error:
        raise EngineError(str(error), error.code) from error


def _opened(network, name, deep, threads, projection, device):
    """Return an engine, see `open_engine`."""
    ours = isinstance(network, Network) and not isinstance(network.plan, ServedPlan)
    if device == "gpu" and not ours:
        raise UserError(
            "--device gpu is for networks of this program, which Keras runs; those of other "
            "programs run on the processor. Leave out --device gpu."
        )
    if device == "gpu":
        name = _on_graphics(name)
    if not isinstance(network, Network):
        from .foreign_onnx import open_file_engine

        return open_file_engine(network, choose(name)[0], deep, threads, projection)
    reasons = []
    for key in choose(name):
        try:
            return _CLASSES[key](network, deep, threads, projection)
        except (ImportError, RuntimeError) as error:  # not made for this machine
            reasons.append(f"{key}: {error}")
    raise UserError(f"No engine starts. {'; '.join(reasons)}")
