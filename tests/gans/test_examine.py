"""`gantools doctor RUN` and checks of every game of the zoo."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from gantools import record
from gantools.cli import main
from gantools.core import Turn
from gantools.core import observe as observation
from gantools.core.observe import observe
from gantools.core.opponents import made_of_reals
from gantools.data.synthetic import digits
from gantools.doctor import doctor
from gantools.errors import DONE, SOME_FAILED, USAGE, UserError
from gantools.gans import examine, run
from gantools.gans.folder import build, open_run
from gantools.gans.material import load
from gantools.registry import GAMES

from .tiny_data import pictures, tiny_arrays


@pytest.fixture
def trained(tiny_game, tmp_path):
    """Return the folder of a run of 20 cycles on 2500 pictures, of which it sets 250 aside."""
    np.savez(tmp_path / "digits.npz", images=digits(2500, 8))
    material = load("pictures", tmp_path / "digits.npz")
    run.train("tiny", material, tmp_path / "run", budget=run.Budget(steps=20))
    return tmp_path / "run"


def test_a_run_is_compared_with_what_it_set_aside(trained):
    found = examine.examine(trained)
    assert found["cycle"] == 20
    assert found["compared_with"] == "250 pictures that it set aside"
    assert len(found["checks"]) == 3
    witnesses = {verdict["witness"] for verdict in found["verdicts"]}
    assert witnesses >= {"blindness", "diversity", "rank", "auc_gap"}
    by_finding = {verdict["finding"]: verdict for verdict in found["verdicts"]}
    assert by_finding["collapse"]["state"] == "alarm"  # 20 cycles: one grey mist
    assert examine.alarms(found) >= 1
    lines = examine.describe(found)
    assert lines[0] == f"{trained}: cycle 20, compared with 250 pictures that it set aside"
    assert lines[1].startswith("alarm  ")
    assert lines[-1].endswith("alarms") or lines[-1] == "1 alarm"


@pytest.mark.parametrize("name", ["srgan", "esrgan", "restorer", "dcgan", "cgan"])
def test_games_that_make_their_samples_of_reals_are_known(name):
    model = build(name, "tiny", {"shape": (16, 16, 3)}, 0).model()
    known = dict(tiny_arrays(name, (16, 16, 3), 2))
    known["x"] = known["x"] / np.float32(127.5) - 1
    assert made_of_reals(model, known) == (name in ("srgan", "esrgan", "restorer"))


def test_a_discriminator_that_waits_gets_no_verdict_and_no_note(tmp_path):
    """It once was noted 1.386 below the balance, the value of zeros in place of its losses."""
    np.savez(tmp_path / "shapes.npz", images=pictures(600, (16, 16, 3)))
    words = ["train", "srgan", "--data", tmp_path / "shapes.npz", "-o", tmp_path / "run", "-q"]
    words = [str(word) for word in (*words, "--size", "tiny", "--set", "pretrain=8", "--steps")]
    assert main([*words, "1"]) == DONE
    found = examine.examine(tmp_path / "run")
    assert [row["waiting"] for row in found["checks"]] == ["discriminator"] * 3
    witnesses = {verdict["witness"] for verdict in found["verdicts"]}
    assert "diversity" in witnesses
    assert not witnesses & {"blindness", "overfitting", "auc_gap", "p_real"}
    assert not [v for v in found["verdicts"] if v["state"] == "note"]
    assert main([*words, "5"]) == DONE
    found = examine.examine(tmp_path / "run")
    assert "waiting" not in found["checks"][0]
    assert {"blindness", "p_real"} <= {verdict["witness"] for verdict in found["verdicts"]}


def test_balance_is_told_of_cycles_that_all_play():
    turn = Turn("discriminator", (), None, when=bool)
    played = lambda *shares: [{"cycle": i, "discriminator/played": p} for i, p in enumerate(shares)]
    since = lambda *shares: [x["cycle"] for x in examine._since_all_play(played(*shares), [turn])]
    assert since(0.0, 0.0) == []
    assert since(0.0, 0.4, 1.0, 1.0) == [2, 3]  # of the line in which it begins a part is missing
    assert since(0.0, 1.0, 0.3) == [1, 2]  # afterwards it may pause
    assert since(0.5, 1.0) == [1]
    still = Turn("discriminator", (), None)
    assert examine._since_all_play([{"cycle": 7}], [still]) == [{"cycle": 7}]


def test_other_pictures_take_the_place_of_those_set_aside(trained, tmp_path):
    np.savez(tmp_path / "new.npz", images=digits(300, 8, seed=5))
    found = examine.examine(trained, tmp_path / "new.npz")
    assert found["compared_with"] == f"the pictures of {tmp_path / 'new.npz'}"
    assert "auc_gap" in found["checks"][0]  # its own pictures are still there
    (tmp_path / "digits.npz").unlink()
    found = examine.examine(trained, tmp_path / "new.npz")
    assert "auc_gap" not in found["checks"][0]
    assert any("not judged" in verdict["text"] for verdict in found["verdicts"])
    np.savez(tmp_path / "wide.npz", images=np.zeros((300, 9, 8, 3), np.uint8))
    with pytest.raises(UserError, match=r"holds pictures of shape \(8, 8, 3\)"):
        examine.examine(trained, tmp_path / "wide.npz")


def test_few_pictures_are_named_for_what_they_are(tiny_game, tmp_path, pictures, capsys):
    """Where few are set aside the learned ones are compared; the report once named the few."""
    out, few = tmp_path / "run", tmp_path / "few.npz"
    run.train("tiny", load("pictures", pictures), out, budget=run.Budget(steps=2))
    found = examine.examine(out)
    learned = "the 90 pictures that it learned from"
    assert found["compared_with"] == f"{learned} (only 10 were set aside, 50 are needed)"
    assert "diversity" in found["checks"][0]
    np.savez(few, images=digits(49, 8, seed=5))
    assert main(["doctor", str(out), "--data", str(few)]) == USAGE
    err = capsys.readouterr().err
    assert err == f"Error: {few} holds 49 pictures, too few to compare with. Give at least 50.\n"
    np.savez(few, images=digits(50, 8, seed=5))
    assert examine.examine(out, few)["compared_with"] == f"the pictures of {few}"


@pytest.mark.parametrize("kind", ["pictures", "domains"])
def test_pictures_are_loaded_as_the_run_did_and_once(tmp_path, monkeypatch, kind):
    """Photographs are far larger than what a run of --resolution 8 learned from."""
    for folder, side in (("a", 32), ("b", 64)):
        (tmp_path / folder).mkdir()
        for i in range(3):
            picture = np.random.default_rng(i).integers(0, 256, (side, side, 3), np.uint8)
            cv2.imwrite(str(tmp_path / folder / f"{i}.png"), picture)
    source, loads = tmp_path / ("" if kind == "domains" else "a"), []
    own = load(kind, source, 8)
    settings = {"data": kind, "data_sha256": own.sha256, **own.options}
    kept = record.Record("train", settings, results={"data": str(source)})
    with monkeypatch.context() as patch:
        patch.setattr(
            examine, "load", lambda *args, **given: loads.append(load(*args, **given)) or loads[-1]
        )
        assert examine._own(kept).options == own.options
    assert [found.options for found in loads] == [own.options]


def test_partners_of_another_shape_are_refused(tmp_path):
    for folder, shape in (("a", (8, 12)), ("b", (8, 12, 3))):
        (tmp_path / folder).mkdir()
        for i in range(50):
            cv2.imwrite(str(tmp_path / folder / f"{i}.png"), np.full(shape, i, np.uint8))
    settings = {"data": "pairs", "data_sha256": "", "shape": [8, 12, 1], "target": [8, 12, 3]}
    kept = record.Record("train", settings)
    assert examine.reals(kept, tmp_path)[0]["b"].shape == (50, 8, 12, 3)
    settings["target"] = [8, 12, 1]
    expected = r"\(8, 12, 1\) and \(8, 12, 3\). The run learned from \(8, 12, 1\) and \(8, 12, 1\)"
    with pytest.raises(UserError, match=expected):
        examine.reals(kept, tmp_path)


def test_a_run_without_its_data_is_examined_as_far_as_possible(trained, tmp_path):
    (tmp_path / "digits.npz").unlink()
    found = examine.examine(trained)
    assert found["compared_with"] == "nothing: give pictures with --data"
    assert {verdict["state"] for verdict in found["verdicts"]} <= {"note", "ok"}


def test_the_command(trained, monkeypatch):
    done = CliRunner().invoke(doctor, [str(trained)])
    assert done.exit_code == SOME_FAILED
    assert "collapse: " in done.output
    done = CliRunner().invoke(doctor, [str(trained), "--json"])
    found = json.loads(done.output)
    assert found["schema"] == 1
    assert done.exit_code == SOME_FAILED
    found["verdicts"] = [v for v in found["verdicts"] if v["state"] != "alarm"]
    monkeypatch.setattr(examine, "examine", lambda run, data: found)
    done = CliRunner().invoke(doctor, [str(trained)])
    assert done.exit_code == DONE
    assert done.output.endswith("No alarms\n")
    done = CliRunner().invoke(doctor, ["--data", str(trained)])
    assert done.exit_code == USAGE
    assert "--data goes with a RUN" in done.output


def test_health_knows_all_of_the_training_set_and_looks_at_samples_from_everywhere(
    tiny_game, tmp_path, monkeypatch
):
    """It once took a random part for the whole, and the errors of its scores for smaller."""
    images = np.repeat(np.arange(200, dtype=np.uint8), 320).reshape(1000, 8, 8, 1)  # 0 to 199
    np.savez(tmp_path / "sorted.npz", images=images)
    watch, given = run._health, {}

    def spy(out, unseen, seen, *args):
        given.update(seen)
        return watch(out, unseen, seen, *args)

    monkeypatch.setattr(run, "_health", spy)
    material = load("pictures", tmp_path / "sorted.npz")
    run.train("tiny", material, tmp_path / "run", budget=run.Budget(steps=1))
    assert given["x"].shape == (900, 8, 8, 1)
    monkeypatch.setattr(observation, "SCORED", 300)
    monkeypatch.setattr(observation, "COMPARED", 100)
    looked_at = observation._pick(given, 0)["x"]
    assert len(looked_at) == 300
    assert looked_at.mean() == pytest.approx(images.mean(), abs=15)


def test_a_run_that_diverged_needs_no_more_pictures(trained):
    """Beside the divergence it was once told that overfitting needs 200 pictures."""
    model, _ = open_run(trained)
    v = model.game.players["generator"].trainable_variables[0]
    v.assign(np.full(v.shape, np.nan, "float32"))
    model.save(trained / "states")
    found = examine.examine(trained)
    assert [verdict["finding"] for verdict in found["verdicts"]] == ["divergence"]


def test_no_run(tmp_path):
    with pytest.raises(UserError, match="is not a run"):
        examine.examine(tmp_path)


def test_a_run_of_halves_is_examined_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    for folder, count in (("halves", 40), ("new", 50)):
        Path(folder).mkdir()
        for i in range(count):
            picture = random.integers(0, 256, (16, 32), np.uint8)
            cv2.imwrite(f"{folder}/{i}.png", picture)
    words = ["train", "pix2pix", "--side-by-side", "--data", "halves", "-o", "run", "-q"]
    assert main([*words, "--size", "tiny", "--steps", "1", "--batch", "4"]) == DONE
    kept = record.read("run/run.json")
    assert kept.results["side_by_side"] is True
    assert kept.results["data"] == str(tmp_path / "halves")
    monkeypatch.chdir("/")
    found = examine.examine(tmp_path / "run")
    learned = "the 36 pictures that it learned from"
    assert found["compared_with"] == f"{learned} (only 4 were set aside, 50 are needed)"
    held_out, learned, _ = examine.reals(kept, tmp_path / "new")
    assert held_out["a"].shape == held_out["b"].shape == (50, 16, 16, 1)
    assert len(learned["a"]) == 36


def test_data_that_are_no_pairs_are_refused_with_what_doctor_takes(tmp_path):
    kept = record.Record("train", {"shape": [8, 8, 1], "data": "pairs", "data_sha256": ""})
    with pytest.raises(UserError, match="two folders of pictures, a and b") as error:
        examine.reals(kept, tmp_path)
    assert "--" not in str(error.value)


def test_labels_count_by_the_names_of_the_run(tmp_path):
    settings = {"shape": [8, 8, 1], "data": "labelled", "data_sha256": ""}
    kept = record.Record("train", {**settings, "class_names": ["3", "5", "7", "8"]})
    images = digits(52, 8)
    np.savez(tmp_path / "new.npz", images=images, labels=[8, 5, 8, 7] * 13)
    given, _, _ = examine.reals(kept, tmp_path / "new.npz")
    assert given["y"].dtype == np.int32
    np.testing.assert_array_equal(given["y"], [3, 1, 3, 2] * 13)
    np.testing.assert_array_equal(given["x"].squeeze(), images.squeeze())
    own = load("labelled", tmp_path / "new.npz")
    settings |= {"class_names": list(own.class_names), "data_sha256": own.sha256}
    results = {"data": str(tmp_path / "new.npz")}
    again = examine._own(record.Record("train", settings, results=results))
    np.testing.assert_array_equal(again.arrays["y"], own.arrays["y"])
    np.savez(tmp_path / "new.npz", images=images, labels=[8, 5, 9, 7] * 13)
    with pytest.raises(UserError, match="not learned: 9. Expected some of 3, 5, 7, 8. Rename"):
        examine.reals(kept, tmp_path / "new.npz")


def test_old_records_without_pictures_set_aside(trained):
    kept = record.read(trained / "run.json")
    del kept.settings["held_out"]
    held_out, learned, words = examine.reals(kept, None)
    assert held_out is None
    assert len(learned["x"]) == 2500
    assert words == "the pictures that it learned from"


@pytest.mark.parametrize("name", GAMES)
def test_every_game_is_checked_or_says_why_not(name):
    arrays = tiny_arrays(name, (16, 16, 3))
    options = {"shape": (16, 16, 3)}
    options |= {"classes": 10} if "y" in arrays else {}
    model = build(name, "tiny", options, 0).model(0)
    row = observe(model, arrays, arrays)
    if "unseen" in row:
        assert row["unseen"].startswith(("its ", "the game"))
    else:
        assert 0 <= row["auc"] <= 1
        assert row["diversity"] >= 0
