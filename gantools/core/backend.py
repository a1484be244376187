"""Which backend Keras will run on: decided before Keras is imported, because Keras does not look.

With JAX installed and TensorFlow absent, `import keras` alone fails. This module imports nothing
heavy: installed backends are found, not loaded.
"""

import functools
import json
import os
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from gantools.errors import MISSING_EXTRA, UserError

BACKENDS = ("tensorflow", "jax", "torch")  # in order of preference; only these can train


@dataclass(frozen=True)
class Backend:
    """The backend that Keras will use, and why.

    Attributes:
        name: "tensorflow", "jax" or "torch".
        reason: The deciding fact in a few words, for `gantools doctor`.
    """

    name: str
    reason: str


@functools.cache  # the reason must survive: afterwards KERAS_BACKEND is always set
def choose_backend() -> Backend:
    """Decide the backend and tell Keras by the variable KERAS_BACKEND of this process.

    The order: the backend of a Keras that is already imported, KERAS_BACKEND, the user's
    keras.json, the first installed of TensorFlow, JAX and PyTorch.

    Raises:
        UserError: a backend is named that cannot train or is not installed, or none is installed.
    """
    backend = find_backend()
    os.environ["KERAS_BACKEND"] = backend.name
    return backend


def find_backend() -> Backend:
    """Return what `choose_backend` would choose, without changing anything.

    Raises:
        UserError: as `choose_backend`.
    """
    loaded = sys.modules.get("keras")
    if loaded is not None and hasattr(loaded, "config"):
        return _usable(loaded.config.backend(), "Keras is already loaded with it")
    wanted = os.environ.get("KERAS_BACKEND")
    if wanted:
        return _usable(wanted, "KERAS_BACKEND says so")
    configured = configured_backend()
    if configured in BACKENDS and is_installed(configured):
        return Backend(configured, "keras.json says so")
    for name in BACKENDS:
        if is_installed(name):
            return Backend(name, f"the first installed of {', '.join(BACKENDS)}")
    raise UserError(
        "Training needs TensorFlow, JAX or PyTorch, and none is installed. "
        'Install one with: pip install "gantools[jax]" or pip install "gantools[torch]"',
        MISSING_EXTRA,
    )


def configured_backend() -> str | None:
    """Return the backend that the user's keras.json names, or None.

    Keras writes that file itself at its first import, so a backend it names may be a mere default:
    `find_backend` passes over it when that backend is not installed.
    """
    home = os.environ.get("KERAS_HOME")
    folder = Path(home) if home else Path("~/.keras").expanduser()
    try:
        config = json.loads((folder / "keras.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return config.get("backend") if isinstance(config, dict) else None


def is_installed(name: str) -> bool:
    """Return whether a module can be found; it is not imported."""
    try:
        return find_spec(name) is not None
    except ValueError:  # a module without a spec stands in sys.modules
        return name in sys.modules


def _usable(name: str, reason: str) -> Backend:
    if name not in BACKENDS:
        raise UserError(
            f"Expected KERAS_BACKEND to be one of {', '.join(BACKENDS)}: others cannot train. "
            f"Received: {name!r}."
        )
    if not is_installed(name):
        extra = "" if name == "tensorflow" else f"[{name}]"
        raise UserError(
            f"The backend {name!r} is not installed ({reason}). "
            f'Install it with: pip install "gantools{extra}", or choose another by KERAS_BACKEND.',
            MISSING_EXTRA,
        )
    return Backend(name, reason)
