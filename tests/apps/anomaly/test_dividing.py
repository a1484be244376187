"""Normals that cannot be divided, and what is said of why."""

from pathlib import Path

import pytest
from gantools.apps.anomaly import dividing
from gantools.apps.anomaly.calibration.split import full_folds, undivided
from gantools.apps.anomaly.items import Item

from gantools.errors import UserError


def scans(count, patients, suffix=".dcm", series=True):
    return [
        Item(Path(f"{i:03}{suffix}"), f"{i:03}", group=f"p{i % patients}",
             series=f"s{i % patients}" if series else "")
        for i in range(count)
    ]  # fmt: skip


DICOM = "Give --groups REGEX on file names, or add normals of more patients."


@pytest.mark.parametrize(
    ("items", "asked", "said"),
    [
        (scans(80, 1), False, f"80 normals cannot be divided into fit and calibration: all bear "
         f"one PatientID, and groups stay whole. {DICOM}"),
        (scans(80, 2), False, f"they bear 2 PatientIDs, and groups stay whole. {DICOM}"),
        (scans(80, 1), True, "80 normals in 1 groups cannot be divided into fit and calibration, "
         "for groups stay whole. Add normals of other groups, or leave out --groups."),
        (scans(80, 1, ".nii.gz"), False, "all are slices of one volume, and groups stay whole. "
         "Add normals of more volumes."),
        (scans(80, 2, ".png", series=False), False, "80 normals in 2 groups cannot be divided "
         "into fit and calibration, for groups stay whole. Add normals of other groups."),
    ],
)  # fmt: skip
def test_the_origin_of_the_groups_is_told(items, asked, said):
    with pytest.raises(UserError) as failed:
        dividing.divide(items, 0, asked=asked)
    assert str(failed.value).endswith(said)
    with pytest.raises(UserError) as failed:
        full_folds(items, asked=asked)
    assert str(failed.value).endswith(said)


def test_copies_are_told_apart_from_groups():
    items = [Item(Path(f"{i}.png"), f"{i}") for i in range(40)]
    said = str(undivided(items, {f"{i}": "0" for i in range(1, 40)}))
    assert said.endswith("all but 1 copy another one, and copies stay together. Add other normals.")
