"""Reading weights that PyTorch pickled before 2020, without PyTorch and without running anything.

Such a file is a row of pickles followed by raw numbers. The unpickler here knows three names and
refuses all others; the file's SHA-256 is checked before the first byte is looked at.
"""

import hashlib
import io
import pickle
from collections import OrderedDict
from pathlib import Path

import numpy as np

from gantools.errors import UserError

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGES = {"FloatStorage": np.dtype("<f4"), "LongStorage": np.dtype("<i8")}


def read_state_dict(path, sha256):
    """Return name -> array of a file of weights in PyTorch's legacy format.

    Args:
        path: The file.
        sha256: Hexadecimal digest that it must have.

    Raises:
        UserError: the file is another one or cannot be read.
    """
    content = Path(path).read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise UserError(
            f"{path} is not the file of weights that is known here: its SHA-256 differs. "
            "Install the package again."
        )
    try:
        return parse(content)
    except (pickle.UnpicklingError, EOFError, ValueError, KeyError, IndexError) as error:
        raise UserError(f"{path} cannot be read as weights ({error}).") from error


def parse(content):
    """Return name -> array of the file's bytes.

    Raises:
        pickle.UnpicklingError: it names anything but tensors, or is of another format.
    """
    file, storages = io.BytesIO(content), {}
    if _Reader(file, {}).load() != MAGIC or _Reader(file, {}).load() != PROTOCOL:
        raise pickle.UnpicklingError("not PyTorch's legacy format")
    _Reader(file, {}).load()  # about the machine that wrote it
    named = _Reader(file, storages).load()
    for key in _Reader(file, {}).load():
        count = int.from_bytes(file.read(8), "little")
        storage = storages[key]
        if count != len(storage):
            raise pickle.UnpicklingError("a storage is cut short")
        storage[:] = np.frombuffer(file.read(count * storage.itemsize), storage.dtype)
    return {str(name): np.array(array) for name, array in named.items()}


class _Reader(pickle.Unpickler):
    """An unpickler of ordered dicts of tensors and nothing else."""

    def __init__(self, file, storages):
        super().__init__(file)
        self.storages = storages

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _tensor
        if module == "torch" and name in STORAGES:
            return name
        raise pickle.UnpicklingError(f"the name {module}.{name} is not allowed")

    def persistent_load(self, found):
        kind, storage, key, _, count, _ = found
        if kind != "storage" or storage not in STORAGES:
            raise pickle.UnpicklingError(f"a reference to {kind} is not allowed")
        return self.storages.setdefault(key, np.zeros(int(count), STORAGES[storage]))


def _tensor(storage, offset, size, stride, *_):
    """Return a view of a storage: its numbers come later in the file."""
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    if offset < 0 or min((*size, 1)) < 1 or min((*stride, 0)) < 0 or last >= len(storage):
        raise pickle.UnpicklingError("a tensor lies outside its storage")
    strides = [step * storage.itemsize for step in stride]
    return np.lib.stride_tricks.as_strided(storage[offset:], size, strides)
