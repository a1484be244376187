"""Whole jobs on scans: maps back in the patient's space, nobody's name in any output."""

import csv

import numpy as np
import pytest

from gantools import cli
from gantools.errors import DONE

FAST = ("--detector", "references", "-q")
CANARIES = ("CANARY", "Jane", "19451117", "1.2.826")


def run(*args):
    return cli.main(["anomaly", *map(str, args)])


def scores(out):
    return list(csv.DictReader((out / "scores.csv").read_text().splitlines()))


def volume(random, slices=5, spot=False):
    """Return a bright ball with a little noise, float32 `(20, 24, slices)`."""
    x, y = np.mgrid[-1:1:20j, -1:1:24j]
    ball = ((x**2 + y**2) < 0.6)[..., None] * (100 + random.normal(0, 6, (20, 24, slices)))
    if spot:
        ball[8:13, 9:14, 2] = 400
    return ball.astype(np.float32)


def test_nifti_volumes_are_groups_and_maps_lie_in_their_space(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    random, affine = np.random.default_rng(0), np.diag([-1.0, 1.0, 4.0, 1.0])
    affine[:3, 3] = 7, -3, 11
    for part, count in (("train/good", 30), ("test/good", 4), ("test/bad", 3)):
        (tmp_path / "data" / part).mkdir(parents=True)
        for i in range(count):
            data = volume(random, spot=part == "test/bad")
            name = f"{part.replace('/', '_')}_{i:02}.nii.gz"
            nibabel.save(nibabel.Nifti1Image(data, affine), tmp_path / "data" / part / name)
    out = tmp_path / "out"
    assert run("--data", tmp_path / "data", "-o", out, *FAST) == DONE
    rows = scores(out)
    assert len(rows) == 35
    assert len({row["group"] for row in rows}) == 7
    assert sum("bad" in row["path"] for row in rows[:3]) == 3
    groups = list(csv.DictReader((out / "groups.csv").read_text().splitlines()))
    assert all("bad" in row["group"] for row in groups[:3])
    maps = sorted((out / "maps").iterdir())
    assert len(maps) == 7
    bad = nibabel.load(next(path for path in maps if "bad_00" in path.name))
    np.testing.assert_allclose(bad.affine, affine)
    heat = np.asarray(bad.dataobj)
    assert heat.shape == (20, 24, 5)
    assert np.unravel_index(np.nanargmax(heat), heat.shape)[2] == 2


def test_no_patient_data_in_any_byte_of_a_dicom_job(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    random, data = np.random.default_rng(0), tmp_path / "scans"
    data.mkdir()
    for i in range(40):
        pixels = (volume(random, 1)[..., 0] * 5 + 1000).clip(0, 4000).astype(np.uint16)
        save(pydicom, pixels, data / f"Jane_{i}", patient=f"CANARY{i // 2}", number=i)
    out = tmp_path / "out"
    assert run("--data", data, "-o", out, *FAST) == DONE
    rows = scores(out)
    assert len(rows) == 40
    assert len({row["group"] for row in rows}) == 20
    for path in out.rglob("*"):
        content = path.read_bytes() if path.is_file() else b""
        for canary in CANARIES:
            assert canary.encode() not in content, f"{canary} in {path.name}"
            assert canary not in path.name
    before = {row["path"] for row in rows}
    assert run("--data", data, "-o", out, "--fresh", *FAST) == DONE
    assert {row["path"] for row in scores(out)} == before  # the project's secret stays


def save(pydicom, pixels, path, *, patient, number):
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.{number + 1}"
    data.SeriesInstanceUID, data.StudyInstanceUID = f"1.2.826.77.{patient[6:]}", "1.2.826.9"
    data.PatientName, data.PatientID, data.PatientBirthDate = "CANARY^Jane", patient, "19451117"
    data.InstitutionName = data.StudyDescription = data.Manufacturer = "CANARY"
    data.Modality, data.InstanceNumber = "CT", number
    data.Rows, data.Columns = pixels.shape
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.BitsAllocated = data.BitsStored = 16
    data.HighBit, data.PixelRepresentation = 15, 0
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.PixelData = pixels.tobytes()
    data.save_as(path, enforce_file_format=True)
    assert pydicom.dcmread(path).PatientID == patient
