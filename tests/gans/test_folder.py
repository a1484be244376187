"""The folder of a run: what is deleted, what never is, and what is no run."""

import cv2
import numpy as np
import pytest

from gantools import record
from gantools.cli import main
from gantools.core.state import claimed, newest_state
from gantools.errors import DONE, USAGE, UserError
from gantools.gans import material
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


def draw_set(folder, classes):
    """Write 16 pictures into a folder, or into folders below it, one a class."""
    for i in range(16):
        place = folder / classes[i % len(classes)] if classes else folder
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{i}.png"), np.full((8, 8), 9 * i, np.uint8))
    return folder


@pytest.mark.usefixtures("tiny_game")
@pytest.mark.parametrize("classes", [(), ("cat", "dog")])
@pytest.mark.parametrize("fresh", [(), ("--fresh",)])
def test_a_run_among_its_own_pictures_is_refused(tmp_path, capsys, monkeypatch, classes, fresh):
    data = draw_set(tmp_path / "data", classes)
    before = names(data)
    (tmp_path / "link").symlink_to(data)
    monkeypatch.chdir(data)
    loaded = []
    with monkeypatch.context() as patch:
        patch.setattr(material, "load", lambda *args, **given: loaded.append(args))
        for out in (
            data,
            data / "run",
            data / "cat" / "deep" / "run",
            "run",
            tmp_path / "link/run",
        ):
            words = ["train", "tiny", "--data", data, "-o", out, "--steps", 1, "-q", *fresh]
            assert main([*map(str, words)]) == USAGE
            err = capsys.readouterr().err
            assert err.startswith(f"Error: --out {out} lies in --data {data}: ")
            assert len(err.splitlines()) == 1
    assert not loaded
    assert names(data) == before
    words = ["train", "tiny", "--data", ".", "-o", tmp_path / "data-run", "-q", "--steps"]
    for steps in (1, 2):
        assert main([*map(str, words), str(steps)]) == DONE
    assert record.read(tmp_path / "data-run" / "run.json").results["cycles"] == 2


def test_a_run_in_a_folder_that_the_data_link_to_is_refused(tmp_path, capsys):
    photos = draw_set(tmp_path / "photos", ())
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a").symlink_to(photos)
    words = ["train", "cyclegan", "--data", tmp_path / "data", "-o", photos / "run"]
    assert main([*map(str, words)]) == USAGE
    assert "lies in --data" in capsys.readouterr().err


@pytest.fixture
def train(tiny_game, tmp_path, pictures, capsys):
    """Return a function that trains "tiny" in tmp_path/run: (exit code, stderr)."""

    def call(steps, *args):
        words = ["train", "tiny", "--data", pictures, "-o", tmp_path / "run", "--steps", steps]
        return main([*map(str, words), "-q", *args]), capsys.readouterr().err

    return call


def test_a_run_that_trains_is_read_and_not_trained_twice(train, tmp_path, capsys):
    run, grid = tmp_path / "run", tmp_path / "grid.png"
    assert train(1)[0] == DONE
    with claimed(run):
        code, err = train(2, "--fresh")
        assert (code, len(err.splitlines())) == (USAGE, 1)
        assert err.startswith(f"Error: Another process trains in {run}.")
        assert main(["sample", str(run), "-o", str(grid)]) == DONE
        assert int(open_run(run)[0].cycle) == 1
    assert train(2)[0] == DONE


def flip(path):
    """Change one byte in the middle of a file."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_run_whose_only_state_is_damaged_does_not_start_again_by_itself(train, tmp_path, capsys):
    run = tmp_path / "run"
    assert train(3)[0] == DONE
    flip(newest_state(run / "states") / "arrays.npz")
    code, err = train(5)
    assert code == USAGE
    assert err.startswith(f"Error: No state of {run} is whole: ")
    assert "--fresh starts over" in err
    assert len(err.splitlines()) == 1
    assert record.read(run / "run.json").results["cycles"] == 3
    assert main(["sample", str(run), "-o", str(tmp_path / "a.png")]) == USAGE
    assert "No state of" in capsys.readouterr().err
    assert train(2, "--fresh") == (DONE, "")


@pytest.mark.parametrize("damage", ["flipped", "missing", "no meta"])
def test_the_state_before_a_damaged_one_is_taken_and_that_is_said(train, tmp_path, damage):
    run = tmp_path / "run"
    for steps in (3, 5):
        assert train(steps)[0] == DONE
    newest = newest_state(run / "states")
    if damage == "flipped":
        flip(newest / "arrays.npz")
    else:
        (newest / ("arrays.npz" if damage == "missing" else "meta.json")).unlink()
    assert int(open_run(run)[0].cycle) == 3
    code, err = train(6)
    assert code == DONE
    assert err == f"{run}: {newest.name} is damaged; an older state is taken.\n"
    assert record.read(run / "run.json").results["cycles"] == 6
