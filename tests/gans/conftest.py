"""A tiny game and a tiny set for the tests of the commands."""

import sys
from pathlib import Path

import numpy as np
import pytest

from gantools import registry
from gantools.data.synthetic import digit_labels, digits

HERE = Path(__file__).parent


@pytest.fixture
def tiny_game(monkeypatch):
    """Register `tiny_game.py` under the name "tiny"."""
    monkeypatch.setitem(registry.GAMES, "tiny", "tiny_game:game")
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.delitem(sys.modules, "tiny_game", raising=False)


@pytest.fixture
def pictures(tmp_path):
    """Return the path of a set of 100 drawn digits, 8x8, with labels."""
    path = tmp_path / "digits.npz"
    np.savez(path, images=digits(100, 8), labels=digit_labels(100))
    return path
