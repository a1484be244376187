"""Measuring over seeds."""

from types import SimpleNamespace

import numpy as np
from gantools.apps.anomaly import job, layouts
from gantools.apps.anomaly.calibration.calibrate import Rule
from gantools.apps.anomaly.evaluation import trials
from gantools.apps.anomaly.reporting import outputs
from gantools.apps.anomaly.settings import Settings


def test_normals_without_p_do_not_count_among_the_false_alarms():
    labels = (0, 0, 0, 0, 1)
    items = [SimpleNamespace(label=label) for label in labels]
    run = SimpleNamespace(p=np.array([0.01, 0.5, np.nan, np.nan, 0.01]))
    model = SimpleNamespace(judge=SimpleNamespace(rule=lambda level: Rule.of(99, level)))
    found = trials._realised(items, [run], [model])
    assert found["0.05"] == {"mean": 0.5, "seeds": [0.5]}


def test_figures_of_pixels_are_of_all_maps_however_much_memory_there_is(tile_folder, monkeypatch):
    looked = job.look(layouts.find(tile_folder))
    settings = Settings(detector="references")
    whole = trials.measure(job, looked, settings, 1)["pixels"]
    monkeypatch.setattr(outputs, "MOST_KEPT", 3 * 2 * 32 * 32)
    assert trials.measure(job, looked, settings, 1)["pixels"] == whole
    assert set(whole) == {"aupro_30", "aupro_5", "pixel_ap"}


def test_masks_of_another_size_are_told_once(tiles, tmp_path):
    import cv2

    root = tiles(tmp_path / "a", bad=4)
    for path in (root / "ground_truth").rglob("*.png"):
        cv2.imwrite(str(path), np.full((64, 64), 255, np.uint8))
    looked, lines = job.look(layouts.find(root)), []
    found = trials.measure(job, looked, Settings(detector="references"), 2, say=lines.append)
    (line,) = [line for line in lines if "Masks" in line]
    assert line.startswith("warning: Masks of another size than their picture count in no figure")
    assert ": 4, patch/lotx" in line or ": 4, test/patch/lotx" in line
    assert found["pixels"] == {}
    assert len(found["masks_unfit"]) == 4
