"""Picture sets in array files: `.npz`, `.npy`, `.npy.xz` and the idx files of MNIST.

Every reader returns `(images, labels)` as stored; `to_uint8` brings pictures into the one form the
rest of the house uses. Sizes are checked in the header, before anything is allocated; nothing is
ever unpickled.
"""

import gzip
import lzma
import math
import os
import zipfile
import zlib
from pathlib import Path

import numpy as np

from gantools.errors import UserError

SUFFIXES = (".npz", ".npy", ".npy.xz", "-ubyte", "-ubyte.gz", ".idx", ".idx.gz")

# Names under which people store pictures and their labels, in the order they are looked for.
_PAIRS = (
    ("images", "labels"),
    ("x_train", "y_train"),
    ("train_images", "train_labels"),
    ("x", "y"),
    ("data", "target"),
    ("arr_0", "arr_1"),
)
_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
CHUNK = 1 << 24  # numbers that become bytes at a time: their floats take four times as much


def is_array_file(path: Path) -> bool:
    """Return whether `read_arrays` knows the file by its name."""
    return path.name.lower().endswith(SUFFIXES)


def read_arrays(path: Path, labels: bool = True) -> tuple[np.ndarray, np.ndarray | None]:
    """Read the pictures, and the labels when there are any, of an array file.

    Labels are taken from the same `.npz`, from `NAME_labels.npy` or `.npz` beside `NAME.npy` or
    `NAME_images.npy.xz`, or from the `labels` file beside an idx `images` file.

    Args:
        path: A file with one of `SUFFIXES`.
        labels: Whether labels are wanted; else they are not read, whatever they are.

    Returns:
        Pictures as stored, `(n, ...)`, and labels as stored, or None.

    Raises:
        UserError: the file is broken, too large for the memory, or holds no known name.
    """
    name = path.name.lower()
    try:
        if name.endswith(".npz"):
            return _read_npz(path, labels)
        if name.endswith((".npy", ".npy.xz")):
            return _read_npy(path), _labels_beside_npy(path) if labels else None
        return read_idx(path), _labels_beside_idx(path) if labels else None
    except (
        ValueError,
        EOFError,
        OSError,
        KeyError,
        TypeError,  # what is no archive inside
        zipfile.BadZipFile,
        lzma.LZMAError,
        zlib.error,
    ) as e:
        if isinstance(e, UserError | FileNotFoundError | PermissionError):
            raise
        raise UserError(
            f"Cannot read {path} ({e}). Expected a complete, unpickled array file."
        ) from e


def read_idx(path: Path) -> np.ndarray:
    """Read an idx file, gzipped or not: two zero bytes, type, number of axes, sizes, numbers.

    Args:
        path: For example `train-images-idx3-ubyte.gz`.

    Returns:
        The array, in the shape that the header declares.

    Raises:
        ValueError: the magic number is wrong or the data are shorter or longer than declared.
        UserError: the array is too large for the memory.
    """
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as file:
        magic = file.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _IDX_TYPES:
            raise ValueError("not an idx file")
        shape = tuple(np.frombuffer(file.read(4 * magic[3]), ">u4").tolist())
        dtype = np.dtype(_IDX_TYPES[magic[2]])
        size = math.prod(shape) * dtype.itemsize
        check_memory(size, path)
        data = file.read(size + 1)
    if len(data) != size:
        raise ValueError(
            f"declared {size} bytes of data, found {'more' if data[size:] else len(data)}"
        )
    return np.frombuffer(data, dtype).reshape(shape)


def check_memory(size: int, source: str | os.PathLike) -> None:
    """Refuse what would not fit: more than half of the machine's memory.

    Args:
        size: Bytes that would be needed.
        source: What would be loaded, for the message.

    Raises:
        UserError: it would not fit. Nothing is known of the memory on some systems: then it passes.
    """
    try:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return
    if size > memory // 2:
        raise UserError(
            f"{source} needs {size / 2**30:.1f} GiB, more than half of this machine's "
            f"{memory / 2**30:.1f} GiB. Give a smaller resolution or fewer pictures."
        )


def to_uint8(images: np.ndarray, source: str | os.PathLike = "the array") -> np.ndarray:
    """Bring pictures of any common form to uint8 `(n, height, width, channels)`, channels last.

    Args:
        images: `(n, h, w)`, `(n, h, w, c)` or `(n, c, h, w)` with c in 1, 3, 4. Integers in
            [0, 255] or uint16; booleans; floats in [0, 1], [-1, 1] or [0, 255].
        source: Where they come from, for messages.

    Returns:
        uint8 `(n, h, w, c)`, rounded to nearest.

    Raises:
        UserError: another shape, type or range.
    """
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim == 4 and images.shape[-1] not in (1, 3, 4) and images.shape[1] in (1, 3, 4):
        images = images.transpose(0, 2, 3, 1)
    if images.ndim != 4 or images.shape[-1] not in (1, 3, 4) or not images.size:
        raise UserError(
            f"{source}: expected pictures of shape (n, height, width) or (n, height, width, "
            f"channels) with 1, 3 or 4 channels. Received: {images.shape}."
        )
    if images.dtype == np.uint8:
        return np.ascontiguousarray(images)
    return np.ascontiguousarray(_to_bytes(images, source))


def _to_bytes(images: np.ndarray, source: str | os.PathLike) -> np.ndarray:
    if images.dtype == bool:
        return images.astype(np.uint8) * 255
    if images.dtype.kind not in "iuf":
        raise UserError(f"{source}: expected numbers. Received: {images.dtype}.")
    low, high = float(images.min()), float(images.max())
    decimal = images.dtype.kind == "f"
    if images.dtype == np.uint16 and high > 255:
        scale, offset = 1 / 257, 0.0
    elif low >= 0 and high <= 1 and decimal:
        scale, offset = 255.0, 0.0
    elif low >= -1 and high <= 1 and decimal:
        scale, offset = 127.5, 127.5
    elif low >= 0 and high <= 255:
        scale, offset = 1.0, 0.0
    else:  # also NaN, for which every comparison is false
        raise UserError(
            f"{source}: expected values in [0, 1], [-1, 1] or [0, 255]. "
            f"Received: {low:g} to {high:g}."
        )
    found = np.empty(images.shape, np.uint8)
    rows = max(1, CHUNK // images[0].size)
    for start in range(0, len(images), rows):
        part = images[start : start + rows].astype(np.float32)
        found[start : start + rows] = np.rint(part * np.float32(scale) + np.float32(offset))
    return found


def _read_npz(path: Path, wanted: bool) -> tuple[np.ndarray, np.ndarray | None]:
    with np.load(path, allow_pickle=False) as file:
        names = {name.lower(): name for name in file.files}
        for images, labels in _PAIRS:
            if images in names:
                with file.zip.open(names[images] + ".npy") as member:
                    pictures = _read_stream(member, path)
                return pictures, file[names[labels]] if wanted and labels in names else None
        expected = ", ".join(pair[0] for pair in _PAIRS)
        raise UserError(
            f"{path}: expected an array named {expected}. Received: {', '.join(file.files)}."
        )


def _read_npy(path: Path) -> np.ndarray:
    opener = lzma.open if path.suffix.lower() == ".xz" else open
    with opener(path, "rb") as file:
        return _read_stream(file, path)


def _read_stream(file, path: Path) -> np.ndarray:
    """Read one npy stream, after a look at the size that its header declares."""
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise ValueError(f"npy version {version} is not supported")
    shape, fortran, dtype = read_header(file)
    if dtype.hasobject:
        raise ValueError("it holds pickled objects")
    size = math.prod(shape) * dtype.itemsize
    check_memory(size, path)
    data = file.read(size)
    if len(data) != size:
        raise ValueError(f"declared {size} bytes of data, found {len(data)}")
    return np.frombuffer(data, dtype).reshape(shape, order="F" if fortran else "C")


def _labels_beside_npy(path: Path) -> np.ndarray | None:
    stem = path.name.split(".npy")[0].removesuffix("_images")
    single, several = (path.with_name(f"{stem}_labels.{kind}") for kind in ("npy", "npz"))
    if single.is_file():
        return _read_npy(single)
    if several.is_file():  # parts, as y_train and y_test, in the order of the pictures
        with np.load(several, allow_pickle=False) as file:
            return np.concatenate([file[name] for name in file.files])
    return None


def _labels_beside_idx(path: Path) -> np.ndarray | None:
    beside = path.with_name(path.name.replace("images", "labels").replace("idx3", "idx1"))
    return read_idx(beside) if beside != path and beside.is_file() else None
