"""GANs that train with `fit`, and the programs made of them.

`cli` is the command line, `core` the adversarial engine, `nets` and `gans` the networks and games,
`data` and `metrics` what goes in and what is measured, `apps` what a user runs. Importing this
package costs nothing: the names below load `gantools.core`, and with it Keras, when first used.
"""

from importlib import import_module

__version__ = "0.1.0"

_LAZY = dict.fromkeys(("AdversarialModel", "Game", "Turn", "duel"), "gantools.core")
_LAZY["SuperResolver"] = "gantools.apps.superres"  # without Keras
__all__ = ["__version__", *_LAZY]


def __getattr__(name: str):
    if name not in _LAZY:
        raise AttributeError(f"module 'gantools' has no attribute {name!r}")
    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
