"""What a new model may take the place of."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from gantools.apps.anomaly import Detector, model_files

from gantools import cli
from gantools.errors import DONE, INTERRUPTED, USAGE, UserError


@pytest.fixture(scope="module")
def fitted():
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


class Killed(BaseException):
    """What nobody catches, as a machine that goes down."""


def kill_after(monkeypatch, renames):
    """Let so many folders be renamed, then stop for good: nothing is tidied up."""
    real, done = Path.rename, []

    def rename(self, target):
        if self.is_dir():
            done.append(self)
            if len(done) > renames:
                raise Killed
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: renames > 1 or None)


@pytest.mark.parametrize("renames", [0, 1, 2])
def test_a_run_that_is_killed_while_a_model_is_replaced_leaves_one(fitted, tmp_path, renames):
    place = tmp_path / "model"
    fitted.save(place)
    plan = json.loads((place / "plan.json").read_text())
    plan["facts"]["refined"] = 7
    (place / "plan.json").write_text(json.dumps(plan))
    with pytest.MonkeyPatch.context() as patch:
        kill_after(patch, renames)
        if renames < 2:
            with pytest.raises(Killed):
                fitted.save(place)
        else:
            fitted.save(place)  # only the old one was not deleted
    assert place.exists() == (renames != 1)
    left = Detector.load(place)
    assert left.facts.get("refined") == (None if renames == 2 else 7)
    model_files.may_replace(place)
    fitted.save(place)
    assert "refined" not in Detector.load(place).facts
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_model_that_was_set_aside_is_not_replaced_without_a_word(fitted, tile_folder, tmp_path):
    fitted.save(tmp_path / ".m.replaced")
    options = ("--data", tile_folder, "--detector", "references", "--model", tmp_path / "m")
    assert cli.main(["anomaly", "fit", *map(str, options)]) == USAGE
    assert Detector.load(tmp_path / "m").model.is_table


def test_a_place_that_cannot_be_taken_keeps_the_old_one(fitted, tmp_path, monkeypatch):
    place, real = tmp_path / "model", Path.rename
    fitted.save(place)
    before = (place / "judge.json").read_bytes()

    def rename(self, target):
        if self.name == ".model.part":
            raise OSError(28, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(UserError, match="the disk is full"):
        fitted.save(place)
    assert (place / "judge.json").read_bytes() == before


@pytest.mark.parametrize("again", [False, True])
def test_a_job_that_is_killed_while_it_tells_leaves_no_report_and_goes_on(
    tile_folder, tmp_path, monkeypatch, again
):
    from gantools.apps.anomaly.reporting import report

    out, real = tmp_path / "out", report.write
    words = ("anomaly", "--data", str(tile_folder), "--detector", "references", "-q", "-o")
    if again:
        assert cli.main([*words, str(out)]) == DONE

    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(report, "write", stop)
    assert cli.main([*words, str(out)]) == INTERRUPTED
    assert not (out / "report.html").exists() and (out / "maps").is_dir()
    monkeypatch.setattr(report, "write", real)
    assert cli.main([*words, str(out)]) == DONE
    assert (out / "report.html").stat().st_mtime_ns == max(
        path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()
    )
