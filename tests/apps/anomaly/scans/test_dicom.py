"""DICOM: levels, windows, order of series, and nobody's name."""

import copy

import numpy as np
import pytest
from gantools.apps.anomaly import layouts
from gantools.apps.anomaly.audit.run import audit
from gantools.apps.anomaly.fingerprint import fingerprint
from gantools.apps.anomaly.items import Collection
from gantools.apps.anomaly.loading import Reader
from gantools.apps.anomaly.scans import dicom, dicom_pixels, medical

from gantools.errors import MISSING_EXTRA, UserError

from . import files

pydicom = pytest.importorskip("pydicom")
CANARY = "CANARY"


def dataset(pixels, *, patient="CANARY1", **more):
    """Return a data set as `files.dataset` does, full of names."""
    names = ("PatientName", "InstitutionName", "StationName", "StudyDescription", "Manufacturer")
    days = {"StudyDate": "19991231", "PatientBirthDate": "19451117"}
    told = {**dict.fromkeys(names, "CANARY"), **days, "StudyInstanceUID": "1.2.9"}
    return files.dataset(pixels, patient=patient, **told | more)


def save(data, path):
    data.save_as(path, enforce_file_format=True)
    return path


def test_hounsfield_units_in_the_fixed_window(tmp_path):
    stored = np.array([[24, 1024, 2024, 3000]], np.uint16).repeat(4, axis=0)
    data = dataset(stored, RescaleSlope=1, RescaleIntercept=-1024, WindowCenter=40, WindowWidth=80)
    frame = dicom_pixels.read_frame(save(data, tmp_path / "a"))
    np.testing.assert_array_equal(frame.values[0], [-1000, 0, 1000, 1976])
    assert dicom_pixels.window_of([frame]) == (-1000, 1000)
    np.testing.assert_allclose(
        dicom_pixels.levels(frame, (-1000, 1000))[0, :, 0], [0, 0.5, 1, 1]
    )  # the operator's window of 80 units is not used


@pytest.mark.parametrize("modality", ["CT", "DX", "MR"])
def test_monochrome1_and_2_give_the_same_levels(tmp_path, modality):
    stored = np.random.default_rng(0).integers(0, 2000, (40, 40)).astype(np.uint16)
    two = dataset(stored, modality=modality, RescaleSlope=1, RescaleIntercept=-1000)
    one = dataset((2000 - stored).astype(np.uint16), modality=modality, RescaleSlope=1,
                  RescaleIntercept=-1000, PhotometricInterpretation="MONOCHROME1")  # fmt: skip
    made = []
    for name, data in (("one", one), ("two", two)):
        frame = dicom_pixels.read_frame(save(data, tmp_path / name))
        window = (-1000, 1000) if modality != "DX" else dicom_pixels.window_of([frame])
        made.append(dicom_pixels.levels(frame, window))
    np.testing.assert_allclose(made[0], made[1], atol=2e-4)


def test_padding_is_no_part_of_the_percentiles(tmp_path):
    stored = np.random.default_rng(0).integers(500, 600, (40, 40)).astype(np.int16)
    stored[:10] = -2000
    data = dataset(stored, modality="DX")
    data.add_new(0x00280120, "SS", -2000)
    frame = dicom_pixels.read_frame(save(data, tmp_path / "a"))
    low, high = dicom_pixels.window_of([frame])
    assert 499 < low < high < 600
    assert (dicom_pixels.levels(frame, (low, high))[:10] == 0).all()


def test_bits_above_those_stored_are_cleared(tmp_path):
    stored = np.array([[5, 4000]], np.uint16).repeat(4, axis=0)
    data = dataset(stored | np.uint16(0xF000), BitsStored=12, HighBit=11)
    frame = dicom_pixels.read_frame(save(data, tmp_path / "a"))
    np.testing.assert_array_equal(frame.values[0], [5, 4000])
    signed = np.array([[-7, 7]], np.int16).repeat(4, axis=0)
    data = dataset(signed & np.int16(0x0FFF), BitsStored=12, HighBit=11)
    frame = dicom_pixels.read_frame(save(data, tmp_path / "b"))
    np.testing.assert_array_equal(frame.values[0], [-7, 7])


def test_colour_is_read_as_rgb(tmp_path):
    rgb = np.random.default_rng(0).integers(0, 255, (3, 8, 8)).astype(np.uint8)  # planar
    data = dataset(np.zeros((8, 8), np.uint16), modality="US", SamplesPerPixel=3,
                   PlanarConfiguration=1, PhotometricInterpretation="RGB", BitsAllocated=8,
                   BitsStored=8, HighBit=7, PixelData=rgb.tobytes())  # fmt: skip
    frame = dicom_pixels.read_frame(save(data, tmp_path / "a"))
    np.testing.assert_allclose(frame.values, rgb.transpose(1, 2, 0) / 255, atol=1e-6)


def volume(folder, gaps=(3.0,) * 9, **more):
    """Write a series in a shuffled order of files; the level of a slice tells its place."""
    folder.mkdir(exist_ok=True)
    places = np.concatenate([[0], np.cumsum(gaps)])
    order = np.random.default_rng(0).permutation(len(places))
    for name, k in enumerate(order):
        pixels = np.full((16, 16), 100 * k, np.int16) + np.arange(16, dtype=np.int16)
        data = dataset(pixels, modality="MR", number=int(len(places) - k), **more)
        data.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
        data.ImagePositionPatient = [0, 0, float(places[k])]
        save(data, folder / f"IM{name:04d}")
    return folder


def test_series_in_the_order_of_space_with_one_window(tmp_path):
    found = layouts.find(volume(tmp_path / "s"))
    assert found.layout == "dicom"
    reader = Reader(found.items)
    means = [float(reader.pixels(item).mean()) for item in found.items]
    assert means == sorted(means) and means[0] < 0.1 and means[-1] > 0.9
    assert len({item.group for item in found.items}) == 1
    assert dict(found.items[-1].facts)["slice position"] == 1.0


def test_localisers_twins_and_gaps_are_told(tmp_path):
    folder = volume(tmp_path / "s", gaps=(3, 3, 3, 0, 3, 9, 3))
    scout = dataset(
        np.zeros((16, 16), np.int16), modality="MR", ImageType=["ORIGINAL", "LOCALIZER"]
    )
    save(scout, folder / "scout")
    turned = dataset(np.zeros((16, 16), np.int16), modality="MR")
    turned.ImageOrientationPatient, turned.ImagePositionPatient = [1, 0, 0, 0, 0, -1], [0, 0, 0]
    save(turned, folder / "turned")
    found = layouts.find(folder)
    assert len(found.items) == 8
    assert len(found.skipped) == 2
    text = " ".join(found.notes)
    assert "1 slices lie at the place of another" in text
    assert "from 3.00 to 9.00 mm" in text


def test_frames_of_a_multi_frame_file_are_one_group(tmp_path):
    pixels = np.stack([np.full((8, 8), 100 * k, np.uint16) for k in range(5)])
    save(dataset(pixels, RescaleSlope=1, RescaleIntercept=-200), tmp_path / "a.dcm")
    found = layouts.find(tmp_path)
    assert [item.index for item in found.items] == list(range(5))
    assert len({item.group for item in found.items}) == 1
    means = [Reader(found.items).pixels(item).mean() for item in found.items]
    np.testing.assert_allclose(means, [0.4, 0.45, 0.5, 0.55, 0.6], atol=1e-6)


def test_no_patient_data_in_anything_that_is_written(tmp_path):
    for i in range(20):
        volume(tmp_path / f"s{i}", patient=f"CANARY{i}", series=f"1.2.{i}")
    found = layouts.find(tmp_path)
    made = audit(found)
    named = [(item.name, item.group, item.series, item.facts) for item in found.items]
    text = repr((named, found.notes, found.skipped, found.description, made.findings))
    text += repr(fingerprint(found, made.sheet))
    for secret in (CANARY, "19991231", "19451117", "1.2.3", "1.2.9"):
        assert secret not in text
    assert len({item.group for item in found.items}) == 20
    by_folder = layouts.find(tmp_path, groups=r"s\d+/")
    assert len({item.group for item in by_folder.items}) == 20
    assert not any("/" in item.group for item in by_folder.items)
    other = layouts.find(tmp_path, salt="another")
    assert not {item.name for item in found.items} & {item.name for item in other.items}


def test_mixed_modalities_are_an_error(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 999, (20, 16, 16)).astype(np.uint16)
    for i, one in enumerate(pixels):
        save(dataset(one, modality=f"M{i}", series=f"1.2.{i}"), tmp_path / f"{i}")
    rules = {f.rule: f for f in audit(layouts.find(tmp_path)).findings}
    assert rules["mixed-modalities"].severity == "error"
    assert rules["mixed-modalities"].number == 20


def test_files_without_pixels(tmp_path):
    data = dataset(np.zeros((8, 8), np.uint16))
    report = copy.deepcopy(data)
    del report.PixelData, report.Rows, report.Columns
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.11"  # a structured report
    save(report, tmp_path / "a.dcm")
    with pytest.raises(UserError, match="None of 1 DICOM files holds a picture"):
        layouts.find(tmp_path)
    del data.PixelData
    save(data, tmp_path / "b.dcm")
    (item,) = layouts.find(tmp_path).items
    with pytest.raises(UserError, match="has no pixels"):
        Reader([item]).pixels(item)
    truncated = dataset(np.zeros((8, 8), np.uint16))
    truncated.PixelData = truncated.PixelData[:40]
    save(truncated, tmp_path / "c.dcm")
    with pytest.raises(UserError, match="truncated"):
        dicom_pixels.read_frame(tmp_path / "c.dcm")


def test_files_of_one_uid_have_a_name_each(tmp_path):
    draw = np.random.default_rng(0)
    for i in range(3):
        data = dataset(draw.integers(0, 900, (16, 16)).astype(np.uint16), number=i)
        data.SOPInstanceUID = "1.2.3.4" if i else "1.2.3.5"
        save(data, tmp_path / f"{i}.dcm")
    names = {item.path.name: item.name for item in layouts.find(tmp_path).items}
    assert len(set(names.values())) == 3
    (tmp_path / "2.dcm").unlink()
    alone = {item.path.name: item.name for item in layouts.find(tmp_path).items}
    assert alone["0.dcm"] == names["0.dcm"]


def test_dicom_that_no_item_uses_is_skipped_by_its_code(tmp_path):
    draw = np.random.default_rng(0)
    for i in range(3):
        pixels = draw.integers(0, 900, (16, 16)).astype(np.uint16)
        save(dataset(pixels), tmp_path / f"{CANARY}{i}.dcm")
    (tmp_path / "list.csv").write_text(f"file\n{CANARY}0.dcm\n{CANARY}1.dcm\n")
    found = layouts.find(tmp_path)
    assert len(found.skipped) == 1
    assert CANARY not in str((found.skipped, found.notes))


def test_a_title_is_that_of_the_folder_but_not_of_dicom(tmp_path):
    assert medical.title_of(Collection(tmp_path, "flat")) == tmp_path.name
    save(dataset(np.arange(256, dtype=np.uint16).reshape(16, 16)), tmp_path / "a.dcm")
    assert medical.title_of(layouts.find(tmp_path)) == "DICOM"


def test_without_the_extra(tmp_path, monkeypatch):
    save(dataset(np.zeros((8, 8), np.uint16)), tmp_path / "a.dcm")
    monkeypatch.setitem(__import__("sys").modules, "pydicom", None)
    with pytest.raises(UserError, match=r"gantools\[medical\]") as error:
        layouts.find(tmp_path)
    assert error.value.code == MISSING_EXTRA


def test_files_of_pydicom_in_every_coding():
    from pydicom.data import get_testdata_file

    names = ["MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm"]
    paths = [get_testdata_file(name, download=False) for name in names]
    if not all(paths):
        pytest.skip("this pydicom has no test files")
    frames = [dicom_pixels.read_frame(path).values for path in paths]
    np.testing.assert_array_equal(frames[0], frames[1])
    np.testing.assert_array_equal(frames[0], frames[2])
    ct = dicom_pixels.read_frame(get_testdata_file("CT_small.dcm", download=False))
    assert ct.modality == "CT" and ct.values.min() < -500


def test_codes_need_the_salt():
    assert dicom.code("1.2.3", "a") == dicom.code("1.2.3", "a") != dicom.code("1.2.3", "b")
    assert len(dicom.code("x", "a")) == 12


def test_folders_named_after_patients_are_in_no_output(tmp_path):
    draw = np.random.default_rng(0)
    listed = ["path,label,finding"]
    for i in range(3):
        path = tmp_path / "data" / f"{CANARY}_{i}" / f"{i}.dcm"
        path.parent.mkdir(parents=True)
        save(dataset(draw.integers(0, 900, (32, 32)).astype(np.uint16), series=f"1.2.{i}"), path)
        listed.append(f"{CANARY}_{i}/{i}.dcm,{int(i == 2)},{'mass' if i == 2 else ''}")
    (tmp_path / "data" / "list.csv").write_text("\n".join(listed))
    found = layouts.find(tmp_path / "data")
    assert found.layout == "manifest"
    kinds = sorted((item.label, item.kind) for item in found.items)
    assert kinds == [(0, ""), (0, ""), (1, "mass")]
    known = fingerprint(found, audit(found, Reader(found.items)).sheet)
    assert known["kinds"] == {"mass": 1}
    assert CANARY not in str(known)


def test_only_words_of_a_class_are_kinds_of_undescribed_folders(tmp_path):
    draw = np.random.default_rng(0)
    for i, place in enumerate((f"train/{CANARY}", f"test/{CANARY}", "test/abnormal")):
        (tmp_path / place).mkdir(parents=True)
        pixels = draw.integers(0, 900, (32, 32)).astype(np.uint16)
        save(dataset(pixels, series=f"1.2.{i}"), tmp_path / place / "a.dcm")
    found = layouts.find(tmp_path)
    assert found.layout == "train-test"
    assert sorted((i.part, i.label or 0, i.kind) for i in found.items) == [
        ("test", 0, ""), ("test", 1, "abnormal"), ("train", 0, "")
    ]  # fmt: skip


@pytest.mark.parametrize("tilt", [0, 18.3, 20, 32, 33.2, 45])
def test_a_tilted_series_is_whole_and_its_scout_is_not(tmp_path, tilt):
    angle = np.radians(tilt)
    along = np.array([0, np.cos(angle), np.sin(angle)])
    across = np.array([0, -np.sin(angle), np.cos(angle)])
    for i in range(7):
        data = dataset(np.arange(256, dtype=np.int16).reshape(16, 16), modality="MR", number=i)
        data.ImageOrientationPatient = [1, 0, 0, *(across if i == 6 else along).round(6).tolist()]
        data.ImagePositionPatient = (across * 3 * i).round(6).tolist()
        save(data, tmp_path / f"{i}.dcm")
    found = layouts.find(tmp_path)
    assert [item.path.name for item in found.items] == [f"{i}.dcm" for i in range(6)]
    assert [reason for _, reason in found.skipped] == [dicom.ASIDE]


def test_doses_and_segmentations_are_no_pictures(tmp_path):
    pixels = np.arange(256, dtype=np.uint16).reshape(16, 16)
    save(dataset(pixels, RescaleSlope=1, RescaleIntercept=0), tmp_path / "ct.dcm")
    made = {"481.2": "RTDOSE", "66.4": "SEG", "66.7": "SEG", "30": "MR", "9": "SEG"}
    for number, modality in made.items():
        kind = f"1.2.840.10008.5.1.4.1.1.{number}"
        data = dataset(np.stack([pixels] * 3), modality=modality, SOPClassUID=kind, series=number)
        save(data, tmp_path / f"{number}.dcm")
    portal = "1.2.840.10008.5.1.4.1.1.481.1"  # a picture of the patient, by the same machine
    save(dataset(pixels, modality="RTIMAGE", SOPClassUID=portal, series="1.9"), tmp_path / "p.dcm")
    found = layouts.find(tmp_path)
    assert {item.path.name for item in found.items} == {"ct.dcm", "p.dcm"}
    assert [reason for _, reason in found.skipped] == [dicom.NO_PICTURE] * len(made)


def test_pictures_of_several_modalities_are_counted(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 900, (5, 16, 16)).astype(np.uint16)
    save(dataset(pixels, modality="NM", series="1.1"), tmp_path / "nm.dcm")
    for i, one in enumerate(pixels[:2]):
        save(dataset(one[::-1].copy(), modality="MR", number=i), tmp_path / f"mr{i}.dcm")
    found = layouts.find(tmp_path)
    assert "warning: the pictures come from 2 modalities: 5 NM, 2 MR." in found.notes
    (error,) = (f for f in audit(found).findings if f.rule == "mixed-modalities")
    assert "2 modalities: 5 NM, 2 MR." in error.sentence
