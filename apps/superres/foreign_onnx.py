"""Any ONNX file as a network: `--model path.onnx`.

Such a graph is taken as most programs export it: one picture in, RGB from 0 to 1 (bytes from 0 to
255), channels first or last, the same larger out. Its factor and how far it sees are found by
trying: a small picture is run, and run again with one pixel changed.
"""

import hashlib
import math
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from gantools.errors import UserError
from gantools.quiet import import_openvino, onnx_session

from . import projection
from .engine import Engine
from .projection import CONTEXT, projected
from .served import FARTHEST

PROBE = 64  # pixels a side
ENGINES = ("openvino", "onnxruntime")


class OnnxFile:
    """A graph in a file; has what `model.Network` has of a network that is served.

    Attributes:
        path: The file.
        scale: Enlargement.
        plan: Name and radius, in pixels.
        fixed: `(height, width)` if the graph takes one size only, else None.
        projection: Of `projection.MODES`.
    """

    projection, card, scale = "smooth", {}, 1

    def __init__(self, path: Path):
        self.path, openvino = path, import_openvino()
        self._core = openvino.Core()
        try:
            self.model = self._core.read_model(str(path))
        except RuntimeError as error:
            raise UserError(f"Cannot use the network '{path}': it is no ONNX file.") from error
        self._check()
        shape = [n.get_length() if n.is_static else 0 for n in self.model.input(0).partial_shape]
        self.last = shape[3] == 3 and shape[1] != 3
        sides = shape[1:3] if self.last else shape[2:]
        self.fixed = tuple(sides) if all(sides) else None
        self.bytes = self.model.input(0).element_type.get_type_name() == "u8"
        self.scale, radius = self._tried()
        self.plan = SimpleNamespace(name=path.stem, radius=radius, steps=(), scale=self.scale)

    def reach(self, mode: str) -> int:
        """Return the context in pixels that a finished pixel sees, with a projection `mode`."""
        return self.plan.radius + projection.reach(mode)

    @cached_property
    def digest(self) -> str:
        """Return a hash of the file, 16 hexadecimal digits."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]

    def given(self, low: np.ndarray) -> np.ndarray:
        """Return levels `(h, w, 3)` from 0 to 255 as the graph wants them."""
        low = np.rint(low).astype(np.uint8) if self.bytes else low.astype(np.float32) / 255
        return np.ascontiguousarray((low if self.last else low.transpose(2, 0, 1))[None])

    def levels(self, out: np.ndarray) -> np.ndarray:
        """Return the graph's answer as levels `(h, w, 3)`."""
        out = np.asarray(out)[0]
        out = out if out.shape[-1] == 3 else out.transpose(1, 2, 0)
        return out.astype(np.float32) * np.float32(1 if out.dtype == np.uint8 else 255)

    def _check(self):
        """Refuse a graph that is not one picture in, one picture out."""
        inputs, shape = self.model.inputs, self.model.input(0).partial_shape
        sides = [n.get_length() for n in shape if n.is_static] if shape.rank.is_static else []
        if len(inputs) != 1 or len(shape) != 4 or 3 not in sides:
            raise UserError(
                f"Cannot use the network '{self.path}': expected one input of shape (1, 3, height, "
                f"width) or (1, height, width, 3). Received: {len(inputs)} of {shape}."
            )

    def _tried(self):
        """Return `(scale, radius)`."""
        size = self.fixed or (PROBE, PROBE)
        engine = FileEngine(self, True, None)
        rng, radius, scale = np.random.default_rng(0), 0, 0
        for _ in range(2):
            low = rng.uniform(0, 255, (*size, 3)).astype(np.float32)
            before = engine.plain(low).copy()
            middle = (size[0] // 2, size[1] // 2)
            low[middle] = 255 - low[middle]
            rows, columns = np.nonzero((engine.plain(low) != before).any(axis=2))
            scale = self._factor(before.shape, size)
            for found, centre in ((rows, middle[0]), (columns, middle[1])):
                if len(found):
                    radius = max(
                        radius, centre - found.min() // scale, found.max() // scale - centre
                    )
        if radius >= min(size) // 2 - 1:  # it sees the whole tile, perhaps more
            radius = FARTHEST
        most = min(self.fixed) // 4 if self.fixed else FARTHEST
        return scale, max(1, min(int(radius), most))

    def _factor(self, made, size):
        """Return the factor from the size of an answer."""
        factors = [new / old for new, old in zip(made[:2], size, strict=True)]
        if factors[0] != factors[1] or factors[0] != math.floor(factors[0]) or made[2] != 3:
            raise UserError(
                f"Cannot use the network '{self.path}': {size[1]}x{size[0]} pixels became "
                f"{made[1]}x{made[0]} with {made[2]} channels. A whole factor and RGB are expected."
            )
        return int(factors[0])


class FileEngine(Engine):
    """OpenVINO or ONNX Runtime on a file, float32; the projection is done in numpy."""

    name = "openvino"

    def prepare(self, height: int, width: int) -> None:
        """Compile for tiles of `height` x `width` pixels, or the size that the graph takes."""
        self._for(*(self.network.fixed or (height, width)))

    def run(self, tile: np.ndarray) -> np.ndarray:
        """Return the enlarged tile, see `engine.Engine.run`."""
        low = tile[CONTEXT:-CONTEXT, CONTEXT:-CONTEXT]
        levels = projected(self.plain(low), low.astype(np.float32), self.projection)
        levels = np.clip(levels, 0, 255)
        return levels if tile.dtype == np.float32 else np.rint(levels).astype(np.uint8)

    def plain(self, low: np.ndarray) -> np.ndarray:
        """Return what the graph makes of levels `(h, w, 3)`: `(h * scale, w * scale, 3)`."""
        height, width = low.shape[:2]
        size = self.network.fixed or (height, width)
        pad = [(0, size[0] - height), (0, size[1] - width), (0, 0)]
        given = self.network.given(np.pad(low, pad, mode="symmetric"))
        try:
            levels = self.network.levels(self._infer(self._for(*size), given))
        except (RuntimeError, ValueError) as error:
            if "memory" in str(error).lower() or "alloc" in str(error).lower():
                raise
            raise UserError(
                f"The network '{self.network.path}' does not run on {size[1]}x{size[0]} pixels: "
                f"{str(error).strip().splitlines()[-1]}"
            ) from error
        scale = levels.shape[0] // size[0]
        return levels[: height * scale, : width * scale]

    def _compile(self, height, width):
        model = self.network.model.clone()
        shape = (1, height, width, 3) if self.network.last else (1, 3, height, width)
        model.reshape(shape)
        options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
        options |= {"INFERENCE_NUM_THREADS": self.threads} if self.threads else {}
        core = self.network._core
        return core.compile_model(model, "CPU", options).create_infer_request()

    def _infer(self, compiled, tile):
        compiled.infer([tile], share_inputs=True)
        return compiled.get_output_tensor(0).data


class FileOnRuntime(FileEngine):
    """The same on ONNX Runtime."""

    name = "onnxruntime"

    def _compile(self, height, width):
        return onnx_session(str(self.network.path), self.threads)

    def _infer(self, compiled, tile):
        return compiled.run(None, {compiled.get_inputs()[0].name: tile})[0]


def open_graph(path: str | Path) -> OnnxFile:
    """Return the network in an ONNX file.

    Raises:
        UserError: the file is missing or not such a graph.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"Cannot read the network '{path}': No such file.")
    return OnnxFile(path)


def open_file_engine(network: OnnxFile, name: str, deep, threads, mode) -> FileEngine:
    """Return an engine for a file; `name` as for `engine.open_engine`, already chosen."""
    kinds = {"openvino": FileEngine, "onnxruntime": FileOnRuntime}
    if name not in kinds:
        raise UserError(f"ONNX files run on {' or '.join(kinds)}. Received: --engine {name}.")
    return kinds[name](network, deep, threads, mode)
