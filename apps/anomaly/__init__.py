"""Anomaly detection: normals in, a ranked, calibrated, explained list out."""


def __getattr__(name):
    """Import `Detector` and `Found` when they are used: a command's help needs neither."""
    if name in ("Detector", "Found"):
        from importlib import import_module

        return getattr(import_module(".api", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
