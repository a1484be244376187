"""Whole jobs on scans: maps back in the patient's space, nobody's name in any output."""

import csv
import json

import numpy as np
import pytest
from gantools.apps.anomaly import job, layouts
from gantools.apps.anomaly.detectors import auto
from gantools.apps.anomaly.reporting import cards
from gantools.apps.anomaly.scans import dicom_pixels, nifti
from gantools.apps.anomaly.settings import Settings

from gantools import cli
from gantools.data.damage import SCANS
from gantools.errors import DONE, SOME_FAILED, UserError

FAST = ("--detector", "references", "-q")
DONE_OR_SOME = (DONE, SOME_FAILED)  # its own normals get no p
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
    assert (bad.header["cal_min"], bad.header["cal_max"]) == (1, 4)  # the scale of all maps
    heat = np.asarray(bad.dataobj)
    assert heat.shape == (20, 24, 5)
    assert np.unravel_index(np.nanargmax(heat), heat.shape)[2] == 2


def save_volumes(folder, count, zoom=1.0, **how):
    """Write volumes of one patient each, pixels `zoom` mm wide and `1 / zoom` times as many."""
    import nibabel

    random = np.random.default_rng(3)
    folder.mkdir(parents=True)
    for i in range(count):
        data = volume(random, **how)
        data = data.repeat(round(1 / zoom), 0).repeat(round(1 / zoom), 1)
        image = nibabel.Nifti1Image(data, np.diag([zoom, zoom, 4.0, 1.0]))
        nibabel.save(image, folder / f"{folder.name}_{i:02}.nii.gz")


def test_slices_have_the_spacing_of_the_normals_and_maps_lie_inside_the_object(
    tmp_path, monkeypatch
):
    nibabel = pytest.importorskip("nibabel")
    save_volumes(tmp_path / "data", 30)
    save_volumes(tmp_path / "new", 2, zoom=0.5)  # a scanner of twice the resolution
    model, out, asked, read = tmp_path / "m", tmp_path / "out", [], nifti.read_slice
    assert run("fit", "--data", tmp_path / "data", "--model", model, *FAST) == DONE
    plan = json.loads((model / "plan.json").read_text())
    assert plan["facts"]["spacing"] == 1.0
    assert plan["levels"]["masked"]

    def spied(path, index, spacing=None):
        asked.append(spacing)
        return read(path, index, spacing)

    monkeypatch.setattr(nifti, "read_slice", spied)
    assert run("score", "--data", tmp_path / "new", "--model", model, "-o", out, "-q") == DONE
    assert set(asked) == {1.0}
    lights = json.loads((out / "fingerprint.json").read_text())["numbers"]
    assert lights["height"]["q50"] == 20  # not 40
    heat = np.asarray(nibabel.load(next((out / "maps").iterdir())).dataobj)
    assert heat.shape == (40, 48, 5)
    x, y = np.mgrid[-1:1:40j, -1:1:48j]
    assert np.nanmax(heat[(x**2 + y**2) > 0.95]) == 0 < np.nanmax(heat)


def test_spacing_is_read_from_headers_alone(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    turned = np.array([[0, 0, 5.0, 0], [0.7, 0, 0, 0], [0, 0.8, 0, 0], [0, 0, 0, 1]])
    path = tmp_path / "v.nii"
    nibabel.save(nibabel.Nifti1Image(np.zeros((6, 7, 3), np.float32), turned), path)
    path.write_bytes(path.read_bytes()[:400])  # the header, no pixels
    assert nifti.spacing_of([path]) == pytest.approx(0.7)
    path.write_bytes(b"no")
    with pytest.raises(UserError, match="'v.nii' cannot be read as NIfTI"):
        nifti.spacing_of([path])


def test_scans_are_damaged_as_scans(tmp_path, monkeypatch, tile_folder):
    pytest.importorskip("nibabel")
    tables = []

    def stop(self, *_, **__):
        tables.append(self.table)
        raise InterruptedError

    monkeypatch.setattr(auto.Auto, "fit", stop)
    save_volumes(tmp_path / "data", 16)
    for folder in (tmp_path / "data", tile_folder):
        with pytest.raises(InterruptedError):
            job.fit(job.look(layouts.find(folder)), Settings("restorer"))
    assert tables == [SCANS, None]


def test_people_see_a_scan_by_its_own_window(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    random = np.random.default_rng(0)
    for i in range(16):
        pixels = (volume(random, 1)[..., 0] * 5 + 1000).clip(0, 4000).astype(np.uint16)
        save(pydicom, pixels, tmp_path / f"{i}.dcm", patient=f"CANARY{i}", number=i)
        data = pydicom.dcmread(tmp_path / f"{i}.dcm")
        data.WindowCenter, data.WindowWidth = 200, 500
        data.save_as(tmp_path / f"{i}.dcm")
    looked = job.look(layouts.find(tmp_path))
    model, item = job.fit(looked, Settings("references")), looked.collection.items[0]
    heat = np.zeros((20, 24), np.float32)
    found = cards.pictures(looked, model, item, heat)
    wanted = dicom_pixels.display(item.path)
    np.testing.assert_array_equal(found["input"], wanted)
    np.testing.assert_array_equal(found["overlay"][..., :1], wanted)
    fixed = looked.reader.pixels(item) * 255  # -1000 to 1000 HU: what the detector sees
    assert np.ptp(wanted.astype(float)) > 1.5 * np.ptp(fixed)
    data = pydicom.dcmread(item.path)
    data.WindowWidth = 0  # no window
    data.save_as(item.path)
    assert dicom_pixels.display(item.path).shape == wanted.shape


def test_no_patient_data_in_any_byte_of_a_dicom_job(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    random, data = np.random.default_rng(0), tmp_path / "CANARY_Jane"
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
    command = json.loads((out / "plan.json").read_text())["command"]
    assert command == "gantools anomaly --detector references --quiet"
    assert "Anomalies in DICOM" in (out / "report.html").read_text()
    secret = json.loads((out / "model" / "plan.json").read_text())["facts"]["salt"]
    told = [path for path in out.rglob("*") if path.is_file() and "model" not in path.parts]
    assert len(secret) == 16 and not any(secret.encode() in path.read_bytes() for path in told)
    before = {row["path"] for row in rows}
    other = tmp_path / "other"
    assert run("score", "--data", data, "--model", out / "model", "-o", other, "-q") in DONE_OR_SOME
    assert {row["path"] for row in scores(other)} == before  # one model, the same codes
    shard = ("--shard", "1/1", "-o", tmp_path / "CANARY_1", "-q")
    assert run("score", "--data", data, "--model", out / "model", *shard) in DONE_OR_SOME
    merged = tmp_path / "merged"
    assert run("merge", tmp_path / "CANARY_1", "-o", merged, "-q") in DONE_OR_SOME
    written = [path.read_bytes() for path in merged.rglob("*") if path.is_file()]
    assert not any(canary.encode() in content for canary in CANARIES for content in written)
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
