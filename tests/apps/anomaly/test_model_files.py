"""What a new model may take the place of."""

import json

import pytest
from gantools.apps.anomaly import Detector, model_files

from gantools import cli
from gantools.errors import USAGE, UserError


@pytest.fixture(scope="module")
def fitted():
    import numpy as np

    return Detector().fit(np.random.default_rng(0).normal(size=(80, 3)))


def test_a_folder_of_somebody_else_is_never_deleted(fitted, tile_folder, tmp_path, capsys):
    thesis = tmp_path / "work" / "thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("precious")
    with pytest.raises(UserError, match="holds something else"):
        fitted.save(thesis.parent)
    with pytest.raises(UserError, match="holds something else"):
        fitted.save(thesis)
    options = ("--data", tile_folder, "--detector", "references", "--overwrite")
    assert cli.main(["anomaly", "fit", *map(str, options), "--model", str(thesis.parent)]) == USAGE
    assert "holds something else" in capsys.readouterr().err
    assert thesis.read_text() == "precious"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["work"]


def test_the_folder_of_a_whole_job_is_no_model(tmp_path):
    plan = {"schema": 1, "command": "gantools anomaly", "kind": "table", "detector": {"width": 3}}
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    with pytest.raises(UserError, match="another name"):
        model_files.may_replace(tmp_path)
    (tmp_path / "plan.json").write_text("[]")
    with pytest.raises(UserError, match="another name"):
        model_files.may_replace(tmp_path)


def test_an_empty_folder_and_a_model_of_another_version_are_replaced(fitted, tmp_path):
    place = tmp_path / "model"
    place.mkdir()
    fitted.save(place)
    plan = json.loads((place / "plan.json").read_text())
    (place / "plan.json").write_text(json.dumps(plan | {"schema": 1}))
    with pytest.raises(UserError, match="another version"):
        Detector.load(place)
    fitted.save(place)
    assert Detector.load(place).model.is_table
