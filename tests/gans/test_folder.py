"""The folder of a run: what is deleted, what never is, and what is no run."""

import pytest

from gantools import record
from gantools.cli import main
from gantools.errors import DONE, USAGE, UserError
from gantools.gans.folder import OWN, open_folder, open_run

SETTINGS = {"game": "tiny", "seed": 0}


@pytest.fixture
def out(tmp_path):
    """Return a folder that is a run by its record."""
    folder = tmp_path / "run"
    folder.mkdir()
    record.write(folder / "run.json", record.Record("train", SETTINGS))
    return folder


def put(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    return path


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))


@pytest.mark.parametrize("fresh", [True, False])
@pytest.mark.parametrize(
    "name",
    [*(f"{own}/1.png" for own in ("samples", "states", "healthy")),
     "log.jsonl", "health.jsonl", "movie.mkv.part", "log.jsonl.7.part", ".hidden"],
)  # fmt: skip
def test_without_a_record_nothing_counts_as_a_run(tmp_path, name, fresh):
    mine = put(tmp_path / "precious" / name)
    with pytest.raises(UserError, match=f"to be empty or a run. It holds {name.split('/')[0]}"):
        open_folder(tmp_path / "precious", SETTINGS, fresh)
    assert mine.read_text() == "mine"


@pytest.mark.usefixtures("tiny_game")
def test_pictures_that_a_command_learns_from_are_kept(tmp_path, pictures, capsys):
    out = tmp_path / "precious"
    (out / "samples").mkdir(parents=True)
    data = pictures.rename(out / "samples" / pictures.name)
    words = ["train", "tiny", "--data", str(data), "-o", str(out), "--steps", "1", "--fresh"]
    assert main(words) == USAGE
    assert "It holds samples" in capsys.readouterr().err
    assert names(out) == ["samples/digits.npz"]


def test_a_record_that_was_not_finished_does_not_stop_the_next_try(tmp_path):
    put(tmp_path / "run" / "run.json.123.part")
    assert open_folder(tmp_path / "run", SETTINGS, False) is None
    assert names(tmp_path / "run") == []


def test_parts_of_a_run_are_deleted_and_those_of_others_are_not(out):
    for name in ("log.jsonl.7.part", "run.json.8.part", "movie.mkv.part", "log.jsonl.old.part"):
        put(out / name)
    put(out / "states.9.part" / "a.txt")
    assert open_folder(out, SETTINGS, False).settings == SETTINGS
    assert names(out) == [
        "log.jsonl.old.part", "movie.mkv.part", "run.json", "states.9.part", "states.9.part/a.txt",
    ]  # fmt: skip


def test_fresh_deletes_what_a_run_made_only(out):
    for name in OWN[1:]:
        put(out / name if "." in name else out / name / "1.png")
    put(out / "notes.txt")
    changed = {**SETTINGS, "seed": 1}
    with pytest.raises(UserError, match="--fresh"):
        open_folder(out, changed, False)
    assert open_folder(out, changed, True) is None
    assert names(out) == ["notes.txt", "run.json"]  # the record is there until it is replaced


def test_fresh_spares_what_a_link_points_to(out, tmp_path):
    mine = put(tmp_path / "elsewhere" / "1.png")
    (out / "samples").symlink_to(mine.parent)
    assert open_folder(out, SETTINGS, True) is None
    assert not (out / "samples").exists()
    assert mine.exists()


def test_fresh_is_refused_where_it_would_delete_the_data(out, monkeypatch):
    mine = put(out / "samples" / "deep" / "1.png")
    monkeypatch.chdir(out / "samples")
    for data in (mine, mine.parent, out / "samples", "deep", "../samples"):
        with pytest.raises(UserError, match=r"--fresh deletes .*samples, and --data .* lies in it"):
            open_folder(out, SETTINGS, True, str(data))
        assert mine.exists()
    put(out / "mine" / "1.png")
    open_folder(out, SETTINGS, True, str(out / "mine"))
    assert names(out) == ["mine/1.png", "run.json"]


@pytest.mark.parametrize("fresh", [True, False])
def test_a_run_of_another_command_is_kept(tmp_path, fresh):
    record.write(tmp_path / "run.json", record.Record("superres train", {"network": "fast"}))
    before = (tmp_path / "run.json").read_bytes()
    put(tmp_path / "samples" / "1.png")
    with pytest.raises(UserError, match="is a run of `superres train`, not of `gantools train`"):
        open_folder(tmp_path, SETTINGS, fresh)
    assert names(tmp_path) == ["run.json", "samples/1.png"]
    assert (tmp_path / "run.json").read_bytes() == before


def test_a_run_of_another_command_is_refused_in_a_sentence(tmp_path, capsys):
    run, picture = tmp_path / "run", put(tmp_path / "in.png")
    run.mkdir()
    record.write(run / "run.json", record.Record("superres train", {"network": "fast"}))
    with pytest.raises(UserError, match="not of `gantools train`"):
        open_run(run)
    grid = str(tmp_path / "grid.png")
    for words in (["sample", run, "-o", grid], ["translate", run, picture, "-o", grid],
                  ["doctor", run]):  # fmt: skip
        assert main([*map(str, words)]) == USAGE
        err = capsys.readouterr().err
        assert err.startswith(f"Error: {run} is a run of `superres train`, not of `gantools train`")
        assert len(err.splitlines()) == 1


@pytest.mark.usefixtures("tiny_game")
def test_the_place_of_the_data_is_kept_from_the_start(tmp_path, pictures, monkeypatch):
    monkeypatch.chdir(tmp_path)
    expected = {"data": str(pictures), "side_by_side": False}
    from gantools.gans import run

    def stop(*_):
        raise KeyboardInterrupt

    words = ["train", "tiny", "--data", pictures.name, "-o", "run", "--steps", "1", "-q"]
    with monkeypatch.context() as patch:
        patch.setattr(run, "_fit", stop)
        assert main(words) != DONE
    assert record.read("run/run.json").results == expected
    assert main(words) == DONE
    results = record.read("run/run.json").results
    assert {key: results[key] for key in expected} == expected
