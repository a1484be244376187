"""Textures much larger than the encoder's square: thin defects are found, at the right place."""

import numpy as np
import pytest
from gantools.apps.anomaly import api, fitted, job, views
from gantools.apps.anomaly.detectors import efficientnet
from gantools.apps.anomaly.settings import Settings

from benchmarks.quality.windows import SIDE, scratched, texture
from gantools.metrics.detection import auroc


def as_bytes(pictures):
    return np.clip(np.stack(pictures), 0, 255).astype(np.uint8)


def fit(normals):
    """Return a model of all normals, without its calibration, and its task."""
    looked = api._looked(normals, None)
    task = job._task(looked, Settings("encoder"), print)
    items = looked.normals()
    levels = task.levels(items)
    member, _ = task.member(items, levels)
    return fitted.Fitted("encoder", (member,), levels, task.view), task


@pytest.mark.skipif(not efficientnet.is_installed(), reason="needs the extra [encoder]")
def test_a_thin_scratch_is_found_and_drawn_where_it_is(monkeypatch):
    random = np.random.default_rng(0)
    room = 4 * 224 * 224 * 64  # of four windows of each normal
    monkeypatch.setattr(job, "MOST_ENCODED", room)
    normals = as_bytes([texture(random) for _ in range(16)])
    odd, lines = zip(*(scratched(random) for _ in range(6)), strict=True)
    x = as_bytes([*(texture(random) for _ in range(6)), *odd])
    labels, reader, items = np.arange(12) // 6, api._Array(x), api._items(12, None)
    model, task = fit(normals)
    assert task.view == views.View("windows", 224, 168, 1024) and task.lost() == ""
    facts = model.members[0].detector.facts
    assert (facts["side"], facts["aligned"], facts["scan"]) == (224, False, False)
    maps = {}
    raw = model.raw(reader, items, maps=lambda i, item, heat: maps.update({i: heat}))
    parts = raw.members[0]
    assert auroc(labels, parts["enc_patch_top"]) > 0.9
    apart = []
    for i, line in enumerate(lines, 6):
        y, x = np.unravel_index(maps[i].argmax(), maps[i].shape)
        apart.append(np.min(np.hypot(*(np.argwhere(line) - (y, x)).T)))
    assert maps[6].shape == (SIDE, SIDE) and np.median(apart) < 16  # pixels
    alone = model.raw(reader, items[6:7]).members[0]
    for name, values in alone.items():
        np.testing.assert_allclose(values[0], parts[name][6], rtol=1e-5, err_msg=name)


def test_many_windows_are_looked_at_a_few_pictures_at_a_time(fitted_tiles, monkeypatch):
    looked, model = fitted_tiles
    model = fitted.Fitted(model.kind, model.members, model.levels, views.View("windows", 32, 16))
    pictures = [np.zeros((64, 64, 1), np.float32)] * 7  # nine windows of 4 KB each
    monkeypatch.setattr(fitted, "MOST_BYTES", 80_000)
    shown = list(model._shown(pictures, list(range(7))))
    assert [numbers for numbers, _ in shown] == [[0, 1], [2, 3], [4, 5], [6]]
    items = looked.collection.of("test")
    few = model.raw(looked.reader, items, maps=lambda *_: None).members[0]
    monkeypatch.setattr(fitted, "MOST_BYTES", 10**9)
    whole = model.raw(looked.reader, items).members[0]
    for name, values in whole.items():
        np.testing.assert_allclose(few[name], values, rtol=1e-5, err_msg=name)
