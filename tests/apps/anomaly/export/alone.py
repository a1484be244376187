"""Running an exported file where nothing of ours can be imported, and making its inputs ready."""

import math
import subprocess
import sys
from zlib import crc32

import numpy as np

SCRIPT = """
import sys
for name in ("keras", "tensorflow", "torch", "jax", "openvino", "cv2", "sklearn", "gantools"):
    sys.modules[name] = None
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
names = [output.name for output in session.get_outputs()]
calls = np.load(sys.argv[2])
inputs = {i.name: calls[i.name] for i in session.get_inputs()}
inputs = {n: x.astype(object) if x.dtype.kind == "U" else x for n, x in inputs.items()}
count = {len(x) for x in inputs.values()}.pop()
found = [session.run(None, {n: x[i] for n, x in inputs.items()}) for i in range(count)]
np.savez(sys.argv[3], **{name: np.stack(rows) for name, rows in zip(names, zip(*found))})
"""


def run(content, calls, folder):
    """Return the outputs of a file, by an interpreter that has nothing but its engine.

    Args:
        content: The file.
        calls: Input -> `(calls, ...)`: what it is given call by call.
        folder: For what is in between.
    """
    (folder / "s.onnx").write_bytes(content)
    texts = {name: x.astype(str) if x.dtype == object else x for name, x in calls.items()}
    np.savez(folder / "x.npz", **texts)
    files = [folder / name for name in ("s.onnx", "x.npz", "found.npz")]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, files)], capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with np.load(files[2]) as found:
        return dict(found)


def pieces(text):
    """Return the numbers of free text that the metadata of a file ask for, `(68,)`."""
    if not text:
        return [math.nan] * 68
    shares = [sum(map(kind, text)) / len(text) for kind in (str.isdigit, str.isupper)]
    counts, padded = [0] * 64, f" {text.lower()} "
    for i in range(len(padded) - 2):
        counts[crc32(padded[i : i + 3].encode()) % 64] += 1
    return [math.log1p(len(text)), math.log1p(len(text.split())), *shares, *counts]
