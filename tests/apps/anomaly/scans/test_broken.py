"""Scans that cannot be read: each is a row with its reason, and takes nothing else along."""

import csv
import json

import numpy as np
import pytest
from gantools.apps.anomaly import layouts
from gantools.apps.anomaly.audit.run import audit
from gantools.apps.anomaly.loading import Reader
from gantools.apps.anomaly.scans import dicom

from gantools import cli
from gantools.errors import SOME_FAILED, UserError

FAST = ("--detector", "references", "-q")
STRUCTURED_REPORT = "1.2.840.10008.5.1.4.1.1.88.11"


def run(*args):
    return cli.main(["anomaly", *map(str, args)])


def scores(out):
    return {r["path"]: r for r in csv.DictReader((out / "scores.csv").read_text().splitlines())}


def in_trouble(out):
    return {name: row["reason"] for name, row in scores(out).items() if not row["p"]}


def pictures(count, seed=0):
    draw = np.random.default_rng(seed).integers(0, 900, (count, 24, 24))
    return draw.astype(np.uint16)


def test_a_truncated_volume_is_a_row(nifti_file, tmp_path):
    random, data, out = np.random.default_rng(0), tmp_path / "data", tmp_path / "out"
    for part, count in (("train/good", 30), ("test/good", 4), ("test/bad", 3)):
        for i in range(count):
            nifti_file(data / part / f"{part[:2]}{part[-1]}{i:02}.nii.gz", random)
    lost = data / "test/bad/ted01.nii.gz"
    lost.write_bytes(lost.read_bytes()[:600])
    (data / "train/good/trd05.nii.gz").write_bytes(b"")
    whole = (data / "test/bad/ted00.nii.gz").read_bytes()
    for name in ("ted00", "ted01"):  # its mask cannot be held against it
        (data / "ground_truth/bad").mkdir(parents=True, exist_ok=True)
        (data / f"ground_truth/bad/{name}.nii.gz").write_bytes(whole)
    assert run("--data", data, "-o", out, *FAST) == SOME_FAILED
    assert list(in_trouble(out)) == ["test/bad/ted01.nii.gz"]
    assert "truncated" in in_trouble(out)["test/bad/ted01.nii.gz"]
    assert len(scores(out)) == 6 * 3 + 1
    told = {f["rule"]: f for f in json.loads((out / "audit.json").read_text())["findings"]}
    assert set(told["unreadable"]["items"]) == {"test/bad/ted01.nii.gz", "train/good/trd05.nii.gz"}


def test_a_volume_without_a_slice_to_look_at_is_a_row(nifti_file, tmp_path):
    import nibabel

    random = np.random.default_rng(0)
    for i in range(2):
        nifti_file(tmp_path / f"{i}.nii.gz", random)
    nibabel.save(nibabel.Nifti1Image(np.zeros((9, 9, 3), np.float32), np.eye(4)),
                 tmp_path / "void.nii")  # fmt: skip
    found = {item.name: item for item in layouts.find(tmp_path).items}
    assert len(found) == 7
    with pytest.raises(UserError, match="Every slice of it is empty"):
        Reader(found.values()).pixels(found["void.nii"])


def test_a_broken_header_is_a_row_and_a_localiser_is_named(dicom_file, tmp_path):
    data, model, out = tmp_path / "data", tmp_path / "m", tmp_path / "out"
    for i, one in enumerate(pictures(30)):
        dicom_file(data / f"IM{i}", one, patient=f"p{i}", series=f"1.2.{i}", number=i)
    assert run("fit", "--data", data, "--model", model, *FAST) == 0
    new = tmp_path / "CANARY_Jane"
    plane = {"ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    for i, one in enumerate(pictures(4, seed=1)):
        place = {"ImagePositionPatient": [0, 0, 3.0 * i]}
        dicom_file(new / f"IM{i}", one, patient="q", number=i, **plane, **place)
    dicom_file(new / "scout", pictures(1, 2)[0], patient="q", ImageType=["ORIGINAL", "LOCALIZER"])
    cut = dicom_file(new / "CANARY_cut", pictures(1, 3)[0], patient="CANARY")
    cut.write_bytes(cut.read_bytes()[:400])
    (new / "CANARY_junk.dcm").write_bytes(b"no header at all" * 20)
    (new / "CANARY_void.dcm").write_bytes(b"")
    nothing = dict.fromkeys(("Rows", "Columns", "PixelData"))
    dicom_file(new / "report", pictures(1)[0], SOPClassUID=STRUCTURED_REPORT, **nothing)
    assert run("score", "--data", new, "--model", model, "-o", out, "-q") == SOME_FAILED
    assert len(scores(out)) == 4 + 3
    salt = json.loads((model / "plan.json").read_text())["facts"]["salt"]
    codes = {dicom.code(f"CANARY_{name}", salt) for name in ("cut", "junk.dcm", "void.dcm")}
    assert set(in_trouble(out)) == codes
    assert all("DICOM" in text or "empty" in text for text in in_trouble(out).values())
    told = json.loads((out / "audit.json").read_text())["findings"]
    aside = [f for f in told if f["rule"] == "left-out"]
    assert ["a localiser" in f["sentence"] for f in aside] == [True, False]
    assert all(len(f["items"]) == 1 and f["items"][0] in f["sentence"] for f in aside)
    written = b"".join(path.read_bytes() for path in out.rglob("*") if path.is_file())
    assert b"CANARY" not in written


def test_listed_dicom_that_is_missing_is_a_row_under_a_code(dicom_file, tmp_path):
    listed = ["file"]
    for i, one in enumerate(pictures(12)):
        dicom_file(tmp_path / f"CANARY_{i}" / "IM", one, series=f"1.2.{i}", patient=f"p{i}")
        listed.append(f"CANARY_{i}/IM")
    (tmp_path / "list.csv").write_text("\n".join([*listed, "CANARY_lost/IM"]))
    found = layouts.find(tmp_path)
    (lost,) = (item for item in found.items if item.trouble)
    assert "no such file" in lost.trouble
    assert "CANARY" not in str([(i.name, i.kind, i.group, i.series) for i in found.items])
    assert "CANARY" not in str(audit(found).findings)


@pytest.mark.parametrize("modality", ["MR", "PT", "NM"])
def test_one_bad_slice_does_not_take_its_series_along(dicom_file, tmp_path, modality):
    for i, one in enumerate(pictures(10)):
        path = dicom_file(tmp_path / f"IM{i}", one, modality=modality, number=i)
        if i == 4:
            path.write_bytes(path.read_bytes()[:-900])
    found = layouts.find(tmp_path)
    reader, lost = Reader(found.items), []
    for item in found.items:
        try:
            assert 0 <= reader.pixels(item).min() < reader.pixels(item).max() <= 1
        except UserError as error:
            assert "truncated" in str(error)
            lost.append(item)
    assert [item.path.name for item in lost] == ["IM4"]
    rules = {f.rule: f for f in audit(found).findings}
    assert rules["unreadable"].items == rules["not-as-meant"].items == (lost[0].name,)
    assert "no part in the window of its series" in rules["not-as-meant"].sentence


def test_a_series_of_which_one_slice_is_left_has_its_window(dicom_file, tmp_path):
    for i, one in enumerate(pictures(40)):
        path = dicom_file(tmp_path / f"IM{i:02}", one, modality="MR", number=i)
        if i != 7:  # not among those that are chosen for the window
            path.write_bytes(path.read_bytes()[:-900])
    found = layouts.find(tmp_path)
    (good,) = (item for item in found.items if item.path.name == "IM07")
    assert Reader(found.items).pixels(good).max() == 1


def test_burned_in_text_is_warned_of_unless_a_file_says_that_there_is_none(dicom_file, tmp_path):
    for i, one in enumerate(pictures(6)):
        said = [{"BurnedInAnnotation": "NO"}, {"BurnedInAnnotation": "YES"}, {}][i % 3]
        dicom_file(tmp_path / f"IM{i}", one, number=i, **said)
    (note,) = (n for n in layouts.find(tmp_path).notes if "burned" in n)
    assert note.startswith("warning: 4 of 6 DICOM files may have text burned into the picture")
    assert "YES in 2, not said in 2" in note
    for i in (1, 2, 4, 5):
        (tmp_path / f"IM{i}").unlink()
    assert not any("burned" in n for n in layouts.find(tmp_path).notes)
