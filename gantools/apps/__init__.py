"""Applications: what a user runs. A wheel has them in this package, a checkout in top-level `apps/`."""

from pathlib import Path

_SOURCE = Path(__file__).resolve().parents[2] / "apps"
if (_SOURCE / "superres").is_dir():  # false in an installed wheel
    __path__.append(str(_SOURCE))
