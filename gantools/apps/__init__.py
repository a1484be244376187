"""Applications: what a user runs. In a checkout they live in the top-level folder `apps/`."""

from pathlib import Path

_SOURCE = Path(__file__).resolve().parents[2] / "apps"
if (_SOURCE / "superres").is_dir():  # false in an installed wheel
    __path__.append(str(_SOURCE))
