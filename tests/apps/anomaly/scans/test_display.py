"""What people see of DICOM: the window that is stored decides, not the picture's own extremes."""

import numpy as np
import pytest
from gantools.apps.anomaly.scans import dicom_pixels

pydicom = pytest.importorskip("pydicom")
RESCALE = {"RescaleSlope": 1, "RescaleIntercept": 0}


def ramp(low, high):
    return np.linspace(low, high, 64).astype(np.int16)[None].repeat(4, axis=0)


def shown(path, index=None):
    out = dicom_pixels.display(path, index)
    assert out.dtype == np.uint8 and out.shape[2] == 1
    return out[0, :, 0]


def test_the_window_is_that_of_the_file(dicom_file, tmp_path):
    path = dicom_file(tmp_path / "a", ramp(0, 2000), WindowCenter=1000, WindowWidth=100, **RESCALE)
    seen = shown(path)
    assert (seen[:30] == 0).all() and (seen[34:] == 255).all()


def test_pictures_of_one_window_have_one_scale(dicom_file, tmp_path):
    window = {"WindowCenter": 1000.5, "WindowWidth": 2001, **RESCALE}
    for name, low, high in (("whole", 0, 2000), ("dark", 100, 300), ("flat", 1000, 1000)):
        seen = shown(dicom_file(tmp_path / name, ramp(low, high), **window))
        assert abs(int(seen[0]) - 255 * low / 2000) <= 1
        assert abs(int(seen[-1]) - 255 * high / 2000) <= 1


def test_inverted_and_several_windows(dicom_file, tmp_path):
    window = {"WindowCenter": [1000.5, 40], "WindowWidth": [2001, 80], **RESCALE}
    plain = shown(dicom_file(tmp_path / "a", ramp(100, 300), **window))
    kind = {"PhotometricInterpretation": "MONOCHROME1"}
    turned = shown(dicom_file(tmp_path / "b", ramp(100, 300), **window, **kind))
    np.testing.assert_array_equal(turned, 255 - plain)


@pytest.mark.parametrize(
    ("kind", "wanted"), [("LINEAR_EXACT", [0, 127.5, 255]), ("SIGMOID", [4.6, 127.5, 250.4])]
)
def test_functions_of_the_window(dicom_file, tmp_path, kind, wanted):
    pixels = np.array([[0, 500, 1000]], np.int16).repeat(3, axis=0)
    window = {"WindowCenter": 500, "WindowWidth": 1000, "VOILUTFunction": kind, **RESCALE}
    if kind == "SIGMOID":
        wanted = [255 / (1 + np.exp(-4 * x)) for x in (-0.5, 0, 0.5)]
    np.testing.assert_allclose(shown(dicom_file(tmp_path / "a", pixels, **window)), wanted, atol=1)


def sequence(**values):
    from pydicom.dataset import Dataset
    from pydicom.sequence import Sequence

    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return Sequence([item])


@pytest.mark.parametrize("shared", [True, False])
def test_windows_of_enhanced_files_are_read(dicom_file, tmp_path, shared):
    from pydicom.sequence import Sequence

    pixels = np.stack([ramp(0, 2000), ramp(0, 2000)])
    path = dicom_file(tmp_path / "a", pixels, **RESCALE)
    data = pydicom.dcmread(path)
    groups = [sequence(FrameVOILUTSequence=sequence(WindowCenter=c, WindowWidth=100))[0]
              for c in (0, 1000)]  # fmt: skip
    if shared:
        data.SharedFunctionalGroupsSequence = Sequence(groups[1:])
    else:
        data.PerFrameFunctionalGroupsSequence = Sequence(groups)
    data.save_as(path)
    seen = shown(path, 1)
    assert (seen[:30] == 0).all() and (seen[34:] == 255).all()
    if not shared:
        assert (shown(path, 0)[2:] == 255).all()  # a window around 0 is one, too


@pytest.mark.parametrize("bits", [8, 12])
def test_a_table_in_the_file_has_its_own_range(dicom_file, tmp_path, bits):
    top = 2**bits - 1
    path = dicom_file(tmp_path / "a", ramp(0, 1000), **RESCALE)
    data = pydicom.dcmread(path)
    cells = [top * i // 999 // 2 for i in range(1000)]  # up to half of the range
    data.VOILUTSequence = sequence(LUTDescriptor=[1000, 0, bits], LUTData=cells)
    data.VOILUTSequence[0]["LUTData"].VR = "US"
    data.save_as(path)
    seen = shown(path)
    assert seen[0] == 0 and abs(int(seen[-1]) - 127) <= 1
    assert (np.diff(seen.astype(int)) >= 0).all()


@pytest.mark.parametrize("window", [{}, {"WindowCenter": 3, "WindowWidth": 0},
                                    {"WindowCenter": 3}])  # fmt: skip
def test_without_a_window_the_picture_has_its_own(dicom_file, tmp_path, window):
    seen = shown(dicom_file(tmp_path / "a", ramp(100, 900), modality="DX", **window))
    assert seen[0] == 0 and seen[-1] == 255
