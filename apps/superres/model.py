"""Trained networks as files: the plan, the numbers, a check sum and a model card in one.

The layout is that of safetensors: 8 bytes with the length of a JSON header, the header, raw arrays.
Nothing in it can run, and no code has to know a network's name to use it.
"""

import hashlib
import json
import math
import struct
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from gantools.data.files import atomic
from gantools.errors import UserError
from gantools.nets.plans import Plan

from . import projection

FORMAT = "gantools-superres-1"
SUFFIX = ".safetensors"
SHIPPED = Path(__file__).parent / "weights"
DTYPES = {
    "F16": np.dtype("<f2"), "F32": np.dtype("<f4"), "BF16": np.dtype("<u2"), "I8": np.dtype("i1")
}  # fmt: skip
STEP = "/step"  # after the name of an I8 kernel: what one unit of each output channel is worth
LONGEST_HEADER = 1 << 24
PICKLES = (".pth", ".pt", ".ckpt", ".pkl", ".bin")


@dataclass(frozen=True)
class Network:
    """A trained network.

    Attributes:
        plan: Its topology.
        arrays: Float32 weights by name, shaped as `plan.weight_shapes()` says.
        card: Model card, JSON-ready: training data, licence, scores and whatever else is known.
    """

    plan: Plan
    arrays: dict[str, np.ndarray]
    card: dict = field(default_factory=dict)

    def __post_init__(self):
        shapes = {name: tuple(array.shape) for name, array in self.arrays.items()}
        if shapes != self.plan.weight_shapes():
            wrong = sorted(set(shapes.items()) ^ set(self.plan.weight_shapes().items()))
            raise UserError(
                f"The weights do not fit the plan {self.plan.name!r}. Received a wrong, missing or "
                f"unknown {wrong[0][0]} of shape {wrong[0][1]}."
            )

    @property
    def scale(self) -> int:
        """Return the enlargement."""
        return self.plan.scale

    @property
    def projection(self) -> str:
        """Return how results are brought back to the input, one of `projection.MODES`.

        Networks of clean reductions say nothing in their card: all of the error is put back.
        """
        return self.card.get("projection", "full")

    def reach(self, mode: str) -> int:
        """Return the context in pixels that a finished pixel sees, with a projection `mode`."""
        return self.plan.radius + projection.reach(mode)

    @cached_property
    def digest(self) -> str:
        """Return a hash of the topology and the numbers, 16 hexadecimal digits."""
        found = hashlib.sha256(json.dumps(self.plan.to_dict()).encode())
        for name in sorted(self.arrays):
            found.update(self.arrays[name].astype("<f4").tobytes())
        return found.hexdigest()[:16]


def write(path: str | Path, network: Network, dtype: str = "F16") -> None:
    """Write a network, whole or not at all.

    Args:
        path: File to make, by custom `{name}_x{scale}.safetensors`.
        network: The network.
        dtype: "F16" halves the size and costs under 0.001 dB; "F32" keeps every bit; "I8" has a
            byte for each weight of a kernel, a step for each output channel and F16 for the rest:
            half the size of F16 for under 0.01 dB (`quality` x4).

    Raises:
        UserError: the file cannot be written, or a weight is not finite in `dtype`.
    """
    entries, blocks, at = {}, [], 0
    stored = (part for item in network.arrays.items() for part in _stored(*item, dtype))
    for name, kind, array in stored:
        with np.errstate(over="ignore"):
            block = np.ascontiguousarray(array, DTYPES[kind])
        if not np.isfinite(block).all():
            raise UserError(f"Cannot write '{path}': {name} is not finite in {kind}.")
        end = at + block.nbytes
        entries[name] = {"dtype": kind, "shape": list(block.shape), "data_offsets": [at, end]}
        blocks.append(block.tobytes())
        at = end
    data = b"".join(blocks)
    entries["__metadata__"] = {
        "format": FORMAT,
        "scale": str(network.scale),
        "radius": str(network.plan.radius),
        "sha256": hashlib.sha256(data).hexdigest(),
        "plan": json.dumps(network.plan.to_dict()),
        "card": json.dumps(network.card),
    }
    header = json.dumps(entries).encode()
    header += b" " * (-len(header) % 8)
    with atomic(path) as part:
        part.write_bytes(struct.pack("<Q", len(header)) + header + data)


def _stored(name, array, dtype):
    """Yield the entries `(name, dtype, array)` that keep one array."""
    if dtype != "I8":
        yield name, dtype, array
    elif not name.endswith("/kernel") or not np.isfinite(array).all():
        yield name, "F16", array
    else:
        largest = np.abs(array).max(axis=tuple(range(array.ndim - 1)))
        step = np.where(largest > 0, largest / np.iinfo(np.int8).max, 1).astype(np.float32)
        yield name, "I8", np.round(array / step)
        yield name + STEP, "F32", step


def read(path: str | Path) -> Network:
    """Return the network in a file made by `write`.

    Raises:
        UserError: the file is missing, of another kind or version, or damaged.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"Cannot read the network '{path}': {error.strerror}.") from error
    try:
        return _parsed(content)
    except (KeyError, TypeError, ValueError, struct.error) as error:
        reason = str(error) if isinstance(error, UserError) else f"it is damaged ({error})"
        raise UserError(f"Cannot use the network '{path}': {reason.rstrip('.')}.") from error


def load(name: str | Path, scale: int) -> Network:
    """Return a network for an enlargement.

    Args:
        name: Name of a shipped network, or path of a weight file.
        scale: The enlargement it has to make.

    Raises:
        UserError: there is none of that name and scale, or the file cannot be used.
    """
    path = Path(name)
    if path.suffix != SUFFIX:
        path = SHIPPED / f"{name}_x{scale}{SUFFIX}"
        if not path.is_file():
            raise unknown(name, scale)
    network = read(path)
    if network.scale != scale:
        raise UserError(
            f"The network '{path}' enlarges x{network.scale}. Received: x{scale}. "
            f"Use --scale {network.scale}."
        )
    return network


def unknown(name: str | Path, scale: int | None = None) -> UserError:
    """Return the error for a name that no shipped network has, at all or for a scale."""
    known = ", ".join(f"{n} x{s}" for n, s in shipped()) or "none"
    wanted = f" for x{scale}" if scale else ""
    return UserError(
        f"There is no network {str(name)!r}{wanted}. Shipped: {known}. Give one of them or the "
        f"path of a {SUFFIX} or .onnx file."
    )


def shipped() -> list[tuple[str, int]]:
    """Return `(name, scale)` of the networks that come with the package."""
    names = [path.stem.rpartition("_x") for path in sorted(SHIPPED.glob(f"*_x*{SUFFIX}"))]
    return [(name, int(scale)) for name, _, scale in names if scale.isdigit()]


def _parsed(content: bytes) -> Network:
    """Return the network in the bytes of a file; any error of Python's own means damage."""
    (length,) = struct.unpack("<Q", content[:8])
    if content[:2] in (b"PK", b"\x80\x02") and length > len(content):
        raise UserError(
            "it is a pickle, which can run a program when it is opened, so it never is. Convert "
            "it to .safetensors with the program that made it"
        )
    if length > min(LONGEST_HEADER, len(content)):
        raise UserError("it is truncated or not a weight file")
    entries = json.loads(content[8 : 8 + length])
    metadata, data = entries.pop("__metadata__", {}), content[8 + length :]
    ours = metadata.get("format", "").startswith("gantools")
    if ours and metadata["format"] != FORMAT:
        raise UserError(f"expected the format {FORMAT}. Received: {metadata['format']}")
    if ours and hashlib.sha256(data).hexdigest() != metadata["sha256"]:
        raise UserError("its check sum is wrong: it is truncated or damaged")
    arrays = {name: _array(name, entry, data) for name, entry in entries.items()}
    if not ours:
        from .foreign import translated

        return translated(arrays)
    for name in [name for name in arrays if name.endswith(STEP)]:
        arrays[name.removesuffix(STEP)] *= arrays.pop(name)
    plan = Plan.from_dict(json.loads(metadata["plan"]))
    return Network(plan, arrays, json.loads(metadata["card"]))


def _array(name, entry, data):
    """Return a float32 array that an entry of the header tells of."""
    start, end = entry["data_offsets"]
    dtype, count = DTYPES[entry["dtype"]], math.prod(entry["shape"])
    if not 0 <= start <= end <= len(data) or end - start != count * dtype.itemsize:
        raise UserError(f"the place of {name} is wrong")
    block = np.frombuffer(data, dtype, count, start).reshape(entry["shape"])
    if entry["dtype"] == "BF16":  # the upper half of a float32
        return (block.astype(np.uint32) << 16).view(np.float32)
    return block.astype(np.float32)
