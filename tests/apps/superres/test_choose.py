"""Which engines are found, also while another thread imports one of them."""

import sys
import types

from gantools.apps.superres import engine, options


def test_a_half_imported_module_counts_as_installed(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", types.ModuleType("cv2"))  # its __spec__ is None
    assert "opencv" in engine.choose("auto")


def test_the_options_offer_every_engine():
    assert ("auto", *engine.ENGINES) == options.ENGINES
