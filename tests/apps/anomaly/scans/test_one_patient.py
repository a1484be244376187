"""Anonymised DICOM, in which all files bear one PatientID."""

import numpy as np
import pytest

from gantools import cli
from gantools.errors import ALL_FAILED, DONE, USAGE


def run(*args):
    return cli.main(["anomaly", *map(str, args), "--detector", "references", "-q"])


@pytest.fixture
def anonymous(dicom_file, tmp_path):
    random = np.random.default_rng(0)
    for k in range(80):
        pixels = random.integers(500, 2000, (24, 24)).astype(np.int16)
        how = {"patient": "ANON", "series": f"1.2.{k}", "RescaleSlope": 1}
        dicom_file(tmp_path / "scans" / f"IM{k:02}", pixels, RescaleIntercept=-1024, **how)
    return tmp_path / "scans"


def test_the_way_out_is_told_and_works(anonymous, tmp_path, capsys):
    model = tmp_path / "model"
    assert run("fit", "--data", anonymous, "--model", model) == USAGE
    said = capsys.readouterr().err
    assert "all bear one PatientID" in said and "Give --groups REGEX on file names" in said
    assert "leave out --groups" not in said
    assert run("--data", anonymous, "-o", tmp_path / "out") == ALL_FAILED
    said = capsys.readouterr().err
    assert "(all bear one PatientID, which leaves 1 of 80 to divide)" in said
    assert "Give --groups REGEX on file names" in said
    assert run("fit", "--data", anonymous, "--model", model, "--groups", r"IM(\d+)") == DONE
