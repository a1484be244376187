"""Measuring over seeds."""

from gantools.apps.anomaly import job, layouts
from gantools.apps.anomaly.evaluation import trials
from gantools.apps.anomaly.reporting import outputs
from gantools.apps.anomaly.settings import Settings


def test_figures_of_pixels_are_of_all_maps_however_much_memory_there_is(tile_folder, monkeypatch):
    looked = job.look(layouts.find(tile_folder))
    settings = Settings(detector="references")
    whole = trials.measure(job, looked, settings, 1)["pixels"]
    monkeypatch.setattr(outputs, "MOST_KEPT", 3 * 2 * 32 * 32)
    assert trials.measure(job, looked, settings, 1)["pixels"] == whole
    assert set(whole) == {"aupro_30", "aupro_5", "pixel_ap"}
