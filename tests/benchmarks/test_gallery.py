"""The benchmark that shows every game runs from end to end, on drawn digits and for seconds."""

import numpy as np
import pytest

from benchmarks.quality import gallery, judge
from gantools.data.synthetic import digit_labels, digits
from gantools.registry import GAMES

pytestmark = pytest.mark.slow


def drawn(folder, split="train", name="mnist"):
    """Return drawn digits in place of MNIST and Fashion-MNIST."""
    seed = len(split)
    return digits(600, 28, seed=seed), digit_labels(600, seed=seed).astype(np.int32)


@pytest.mark.parametrize("name", ["gan", "ganomaly", "restorer", "srgan"])
def test_a_game_is_trained_measured_and_shown(name, tmp_path, monkeypatch):
    monkeypatch.setattr(judge, "mnist", drawn)
    for size, value in {"LEARNT": 300, "SAMPLES": 100, "HELD_OUT": 300, "ENLARGED": 20}.items():
        monkeypatch.setattr(gallery, size, value)
    figures, shown, columns = gallery.GAMES[name]("nowhere", tmp_path).run(name, 0.05, 0)
    assert figures["cycles"] > 1
    assert all(np.isfinite(value) for value in figures.values())
    assert shown.ndim == 4
    assert len(shown) % columns == 0
    assert -1 <= shown.min() < shown.max() <= 1


def test_every_game_is_shown_by_some_benchmark():
    from benchmarks.quality import conditional, translation

    others = {game for _, game, _ in translation.GAMES.values()} | set(conditional.GAMES)
    assert set(GAMES) <= set(gallery.GAMES) | others
