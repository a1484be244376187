import json
from types import SimpleNamespace

import pytest
from gantools.apps.anomaly import folder
from gantools.apps.anomaly.settings import Settings

from gantools.errors import UserError


def test_an_empty_folder_and_an_own_one_are_taken(tmp_path):
    out = tmp_path / "new"
    assert folder.output_folder(out).is_dir()
    (out / "model").mkdir()
    (out / "training").mkdir()
    folder.output_folder(out)  # of a job that was stopped
    (out / "notes.txt").write_text("x")
    with pytest.raises(UserError, match=r"It holds notes.txt. Give another -o"):
        folder.output_folder(out)
    (out / "plan.json").write_text('{"schema": 1, "command": "gantools anomaly"}')
    folder.output_folder(out)
    with pytest.raises(UserError, match="a file has that name"):
        folder.output_folder(out / "notes.txt")


@pytest.mark.parametrize("name", ["maps", "scores.csv", "report.html", "plan.json"])
def test_what_has_the_name_of_a_result_and_is_none_is_kept(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(UserError, match=f"It holds {name}. Give another -o"):
        folder.output_folder(tmp_path)
    assert (tmp_path / name).read_text() == "{}"


def test_figures_of_others_are_kept(tmp_path):
    assert folder.free_for_figures(tmp_path / "new") == tmp_path / "new" / "evaluation.json"
    assert not (tmp_path / "new").exists()
    (tmp_path / "evaluation.json").write_text('{"accuracy": 0.9}')
    with pytest.raises(UserError, match="evaluation.json' was not written by .*Give another -o"):
        folder.free_for_figures(tmp_path)
    with pytest.raises(UserError, match=r"It holds evaluation.json. Give another -o"):
        folder.output_folder(tmp_path)
    (tmp_path / "evaluation.json").write_text('{"schema": 1, "command": "x", "rows": {}}')
    assert folder.free_for_figures(tmp_path) == tmp_path / "evaluation.json"
    folder.output_folder(tmp_path)


def test_own_folders_are_known(tmp_path):
    plans = {
        "results of an earlier job": ("plan.json", {"schema": 1, "command": "x", "detector": {}}),
        "a fitted model": ("plan.json", {"schema": 2, "facts": {}, "detector": "encoder"}),
        "a training that was stopped": (folder.NOTE, {"normals": "a", "settings": {}, "salt": "s"}),
        "": ("plan.json", {"schema": 1, "rooms": 3}),
    }
    for number, (what, (name, plan)) in enumerate(plans.items()):
        (tmp_path / str(number)).mkdir()
        (tmp_path / str(number) / name).write_text(json.dumps(plan))
        assert folder.own(tmp_path / str(number)) == what
    (tmp_path / "3" / "plan.json").write_text("[1]")
    assert folder.own(tmp_path / "3") == folder.own(tmp_path / "nowhere") == ""


@pytest.mark.parametrize("fresh", [False, True])
def test_a_folder_that_is_no_trainings_is_kept(tmp_path, fresh):
    place = tmp_path / "scans.training"
    place.mkdir()
    (place / "a.png").write_text("x")
    with pytest.raises(UserError, match=r"scans.training to be free.*kept"):
        folder.training_folder(place, Settings(), looked(), "secret", fresh=fresh)
    (place / "a.png").unlink()
    folder.training_folder(place, Settings(), looked(), "secret", fresh=fresh)


def test_a_training_that_left_nothing_to_go_on_with_leaves_no_folder(tmp_path):
    place = tmp_path / "training"
    with pytest.raises(UserError), folder.training(place, Settings(), looked(), "secret"):
        raise UserError("Too few normals.")
    assert not place.exists()
    with (
        pytest.raises(KeyboardInterrupt),
        folder.training(place, Settings(), looked(), "secret") as kept,
    ):
        (kept / "state").write_text("half way")
        raise KeyboardInterrupt
    with folder.training(place, Settings(), looked(), "secret") as kept:
        assert (kept / "state").read_text() == "half way"
    assert not place.exists()


def test_the_secret_of_a_project_stays(tmp_path):
    one, other = folder.project_salt(tmp_path / "none.json"), folder.project_salt()
    assert one != other
    assert len(one) == 16
    (tmp_path / "plan.json").write_text(json.dumps({"salt": "abc"}))
    assert folder.project_salt(tmp_path / "none.json", tmp_path / "plan.json") == "abc"
    (tmp_path / "plan.json").write_text(json.dumps({"facts": {"salt": "def"}}))
    assert folder.project_salt(tmp_path / "plan.json") == "def"


def looked(names="abc", table=None, group=None, content="x"):
    items = [SimpleNamespace(name=name, group=group) for name in names]
    return SimpleNamespace(
        normals=lambda: items, collection=SimpleNamespace(table=table),
        contents=lambda: dict.fromkeys(names, content),
    )  # fmt: skip


def test_a_kept_model_needs_the_same_settings(tmp_path):
    (tmp_path / "plan.json").write_text("{}")
    facts = {
        "settings": Settings(seed=3, without=("a",)).to_dict(),
        "normals": folder.normals_code(looked()),
    }
    said = []

    def kept(settings, data=None, place=tmp_path, fresh=False):
        load = lambda path: SimpleNamespace(facts=facts, is_table=False)  # noqa: E731
        how = {"fresh": fresh, "say": said.append}
        return folder.kept_model(place, settings, data or looked(), load, **how)

    same = Settings(seed=3, without=("a",), fpr=0.2)
    assert kept(same).facts is facts
    assert len(said) == 1 and "--fresh fits again" in said[0]
    for other in (looked("abcd"), looked(group="g"), looked(content="y")):
        said.clear()
        kept(same, other)
        assert "the normals are not those" in said[-1]
    for name in ("groups", "label", "time_col"):
        with pytest.raises(UserError, match=f"{name} None -> c.*Give --fresh"):
            kept(Settings(seed=3, without=("a",), **{name: "c"}))
    with pytest.raises(UserError, match="seed 3 -> 0"):
        kept(Settings(without=("a",)))
    with pytest.raises(UserError, match="without"):
        kept(Settings(seed=3))
    with pytest.raises(UserError, match="pictures -> a table"):
        kept(same, looked(table="t.csv"))
    assert kept(same, fresh=True) is None
    assert kept(same, place=tmp_path / "none") is None


def test_a_stopped_training_goes_on_only_where_it_is_the_same_job(tmp_path):
    place = tmp_path / "training"

    def left(settings, data=None, **how):
        folder.training_folder(place, settings, data or looked(), "secret", **how)
        found = (place / "state").exists()
        (place / "state").write_text("x")
        return found

    assert not left(Settings(seed=1))
    assert left(Settings(seed=1))
    assert folder.project_salt(place / folder.NOTE) == "secret"
    assert left(Settings(seed=1, fpr=0.3))
    assert not left(Settings(seed=2))
    assert not left(Settings(seed=2), looked("xyz"))
    assert not left(Settings(seed=2), looked("xyz", content="y"))
    assert not left(Settings(seed=2), looked("xyz", content="y", group="g"))
    assert not left(Settings(seed=2, groups="(.)"), looked("xyz", content="y", group="g"))
    assert left(Settings(seed=2, groups="(.)"), looked("xyz", content="y", group="g"))
    assert not left(Settings(seed=2), looked("xyz"), fresh=True)


def test_settings_leave_parts_out():
    assert Settings(without=("b",)).ranked(("a", "b")) == ("a",)
    with pytest.raises(UserError, match="--without c: the parts that rank here are a, b"):
        Settings(without=("c",)).ranked(("a", "b"))
    with pytest.raises(UserError, match="--without everything"):
        Settings(without=("a",)).ranked(("a",))
    assert Settings.of({"seed": 1, "schema": 9, "without": ["a"]}, fpr=0.3) == Settings(
        seed=1, without=("a",), fpr=0.3
    )


def test_only_what_was_published_can_be_faithful():
    assert Settings("egbad", faithful=True).changed(Settings("egbad").to_dict()) == [
        "faithful False -> True"
    ]
    for name in ("auto", "encoder", "restorer", "references"):
        with pytest.raises(UserError, match=f"--faithful: expected --detector anogan.*{name}"):
            Settings(name, faithful=True)
    old = {n: v for n, v in Settings("alad").to_dict().items() if n != "faithful"}
    assert not Settings.of(old).faithful  # of a model that was stored before
