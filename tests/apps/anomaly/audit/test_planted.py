"""A planted defect on drawn tiles is found and shown: the whole detector, without outside data."""

import time

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly.calibration.parts import PartScales
from gantools.apps.anomaly.detectors.auto import Auto

from gantools.metrics.detection import aupro, auroc

pytestmark = pytest.mark.slow


def tiles(n, seed, scale=1.5):
    """Return brushed surfaces, float32 `(n, 64, 64, 1)`: noise smoothed along the columns."""
    random = np.random.default_rng(seed)
    noise = random.normal(size=(n, 64, 64)).astype(np.float32)
    smooth = [cv2.GaussianBlur(one, (0, 0), scale, sigmaY=3 * scale) for one in noise]
    return np.stack([np.clip(0.45 * s / s.std(), -1, 1) for s in smooth])[..., None]


def planted(n, seed):
    """Return tiles with a square of 16 pixels of a coarser surface, brushed across, and masks."""
    x, other = tiles(n, seed), tiles(n, seed + 1000, scale=3.0).transpose(0, 2, 1, 3)
    masks = np.zeros(x.shape[:3], bool)
    for i, (top, left) in enumerate(np.random.default_rng(seed).integers(4, 44, (n, 2))):
        place = np.s_[i, top : top + 16, left : left + 16]
        x[place], masks[place] = other[place], True
    return x, masks


def test_planted_squares_are_found_and_shown(capsys):
    began = time.process_time()
    found = Auto(steps=300).fit(tiles(200, 1), seed=0)
    seconds = time.process_time() - began
    good, (bad, masks) = tiles(100, 3), planted(100, 4)
    scales = PartScales.fit({k: found.parts(tiles(100, 2))[k] for k in found.ranking})
    parts = found.parts(np.concatenate([good, bad]))
    labels = np.repeat([0, 1], 100)
    area = auroc(labels, scales.combine({k: parts[k] for k in found.ranking}))
    maps = found.maps(np.concatenate([good, bad]))
    shown = aupro(maps, np.concatenate([np.zeros_like(masks), masks]), 0.3)
    coloured = np.mean(maps[:100] > 1)
    with capsys.disabled():
        singles = {k: round(float(auroc(labels, v)), 3) for k, v in parts.items()}
        print(
            f"\n[planted] AUROC {area:.3f}, AUPRO {shown:.3f}, coloured {coloured:.4f}, "
            f"{seconds:.0f} CPU s, {found.facts}, {singles}"
        )
    assert area >= 0.97
    assert shown >= 0.85
    assert coloured <= 0.002
    assert seconds <= 90
