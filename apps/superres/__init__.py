"""Enlarge pictures: `gantools superres`, and `SuperResolver` for arrays.

Importing this costs nothing: the class is loaded when it is first used.
"""

__all__ = ["SuperResolver"]


def __getattr__(name: str):
    if name != "SuperResolver":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .resolver import SuperResolver

    return SuperResolver
