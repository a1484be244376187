"""Values of DICOM pixels: broken ones are a sentence, and CT without units has its own window."""

import numpy as np
import pytest
from gantools.apps.anomaly import layouts
from gantools.apps.anomaly.audit.run import audit
from gantools.apps.anomaly.loading import Reader
from gantools.apps.anomaly.scans import dicom_pixels

from gantools.errors import UserError

pydicom = pytest.importorskip("pydicom")
RESCALE = {"RescaleSlope": 1, "RescaleIntercept": -1024}


def ramp(top, dtype=np.uint16):
    return np.linspace(0, top, 64).astype(dtype)[None].repeat(16, axis=0)


@pytest.mark.parametrize(
    "broken",
    [{"RescaleSlope": 1, "RescaleIntercept": None}, {"PhotometricInterpretation": "PALETTE COLOR"},
     {"PixelPaddingValue": [0, 1]}],
)  # fmt: skip
def test_broken_values_are_a_row_and_no_bug(dicom_file, tmp_path, broken):
    random = np.random.default_rng(0)
    for i in range(4):
        pixels = random.integers(0, 900, (16, 16)).astype(np.uint16)
        path = dicom_file(tmp_path / f"IM{i}", pixels, number=i, **RESCALE)
    data = pydicom.dcmread(path)
    for name, value in broken.items():
        setattr(data, name, value)
    if "PixelPaddingValue" in broken:
        data["PixelPaddingValue"].VR = "US"
    data.save_as(path)
    found = layouts.find(tmp_path)
    (item,) = (item for item in found.items if item.path == path)
    with pytest.raises(UserError, match="palette, rescale or padding of a DICOM file is broken"):
        Reader(found.items).pixels(item)
    assert {f.rule: f for f in audit(found).findings}["unreadable"].items == (item.name,)


@pytest.mark.parametrize("top", [255, 4095])
def test_ct_without_rescale_uses_all_levels_and_is_told(dicom_file, tmp_path, top):
    for i in range(3):
        dicom_file(tmp_path / f"IM{i}", ramp(top) * (i + 1) // 3, number=i)
    for i in range(2):
        dicom_file(tmp_path / f"HU{i}", ramp(2048), series="1.9", number=i, **RESCALE)
    found = layouts.find(tmp_path)
    (note,) = (note for note in found.notes if "Hounsfield" in note)
    assert note.startswith("warning: 3 of 5 CT files give no Hounsfield units")
    reader, shown = Reader(found.items), {}
    for item in found.items:
        shown[item.path.name] = reader.pixels(item)[0, :, 0]
    dark, bright = shown["IM0"], shown["IM2"]
    assert bright.min() == 0 and bright.max() == 1
    assert (bright < 1).mean() > 0.9  # hardly any is saturated
    assert dark.max() == pytest.approx(1 / 3, abs=0.1)  # one window for the series
    np.testing.assert_allclose(shown["HU1"], (ramp(2048)[0] - 24) / 2000 * (ramp(2048)[0] > 24),
                               atol=0.025)  # fmt: skip


def test_each_of_a_series_with_and_without_units_has_its_window(dicom_file, tmp_path):
    for i in range(4):
        dicom_file(tmp_path / f"IM{i}", ramp(1024), number=i, **(RESCALE if i % 2 else {}))
    found = layouts.find(tmp_path)
    reader = Reader(found.items)
    tops = {item.path.name: float(reader.pixels(item).max()) for item in found.items}
    assert tops == {"IM0": 1, "IM1": 0.5, "IM2": 1, "IM3": 0.5}


def test_a_modality_table_and_functional_groups_are_units(dicom_file, tmp_path):
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    path = dicom_file(tmp_path / "a", np.stack([ramp(1024)] * 2))
    data, group, inner = pydicom.dcmread(path), Dataset(), Dataset()
    inner.RescaleSlope, inner.RescaleIntercept = 1, -1024
    group.PixelValueTransformationSequence = Sequence([inner])
    data.SharedFunctionalGroupsSequence = Sequence([group])
    data.save_as(path)
    frame = dicom_pixels.read_frame(path, 1)
    assert dicom_pixels.window_of([frame]) == (-1000, 1000) and frame.values.max() == 0
    assert not any("Hounsfield" in note for note in layouts.find(tmp_path).notes)
