import json
import os
import subprocess
from dataclasses import replace

import cv2
import numpy as np
import pytest

from gantools import record
from gantools.cli import main
from gantools.core.callbacks import read_log
from gantools.core.state import newest_state
from gantools.errors import ALL_FAILED, DONE, INTERRUPTED, USAGE
from gantools.gans import run
from gantools.record import LARGEST_SEED

pytestmark = pytest.mark.usefixtures("tiny_game")


@pytest.fixture
def train(tmp_path, pictures, capsys):
    """Return a function that trains "tiny" in tmp_path/run: (exit code, stdout, stderr)."""

    def call(*args, game="tiny", data=pictures):
        out = str(tmp_path / "run")
        code = main(["train", game, "--data", str(data), "--out", out, *map(str, args)])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def trained(train, tmp_path):
    assert train("--steps", 3)[0] == DONE
    return tmp_path / "run"


def test_a_run_has_record_state_samples_and_log(train, tmp_path):
    code, out, err = train("--steps", 200, "--json", "--seed", 5)
    assert code == DONE
    outcome = json.loads(out)
    assert (outcome["cycles"], outcome["images"], outcome["resumed"]) == (200, 200 * 16, 0)
    kept = record.read(tmp_path / "run" / "run.json")
    assert kept.command == "train"
    assert kept.seed == kept.settings["seed"] == 5
    assert kept.settings["shape"] == [8, 8, 1]
    assert kept.results["cycles"] == 200
    assert [line["cycle"] for line in read_log(tmp_path / "run" / "log.jsonl")] == [100, 200]
    grid = cv2.imread(str(tmp_path / "run" / "samples" / "00000200.png"), cv2.IMREAD_UNCHANGED)
    assert grid.shape == (64, 64)
    assert grid.std() > 5
    lines = [line for line in err.splitlines() if "images/s" in line]
    assert len(lines) == 10  # one for each tenth, as nobody looks at a terminal
    assert "discriminator/adv" in lines[0]
    assert "left" in lines[0]


def test_the_same_command_again_goes_on(train, trained):
    code, out, err = train("--steps", 5, "--json", "-q")
    assert code == DONE
    assert (json.loads(out)["resumed"], json.loads(out)["cycles"]) == (3, 5)
    assert err == ""


def test_a_used_budget_is_said(train, trained):
    code, _, err = train("--steps", 3)
    assert code == DONE
    assert "has used its budget: 3 cycles" in err


def test_changed_settings_are_refused_by_name(train, trained):
    code, _, err = train("--steps", 5, "--batch", 8, "--size", "tiny", "--seed", 1)
    assert code == USAGE
    for change in ("batch (16, now 8)", "size ('small', now 'tiny')", "seed (0, now 1)", "--fresh"):
        assert change in err
    assert record.read(trained / "run.json").results["cycles"] == 3


def test_changed_pictures_are_refused(train, trained, tmp_path):
    images = np.zeros((50, 8, 8), np.uint8)
    np.savez(tmp_path / "other.npz", images=images)
    code, _, err = train("--steps", 5, data=tmp_path / "other.npz")
    assert code == USAGE
    assert "pictures (100, now 50)" in err


def test_moved_pictures_are_the_same_pictures(train, trained, pictures):
    moved = pictures.rename(pictures.with_name("moved.npz"))
    assert train("--steps", 4, data=moved)[0] == DONE


def test_fresh_starts_over_and_deletes_nothing_else(train, trained):
    (trained / "notes.txt").write_text("mine")
    code, out, _ = train("--steps", 2, "--batch", 8, "--fresh", "--json")
    assert code == DONE
    assert (json.loads(out)["resumed"], json.loads(out)["cycles"]) == (0, 2)
    assert (trained / "notes.txt").read_text() == "mine"
    assert [p.name for p in (trained / "samples").iterdir()] == ["00000002.png"]


def test_a_folder_that_is_no_run_is_left_alone(train, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    code, _, err = train("--steps", 2, "--fresh")
    assert code == USAGE
    assert "thesis.txt" in err
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["thesis.txt"]


def test_bad_input_is_one_sentence(train, tmp_path):
    (tmp_path / "empty").mkdir()
    code, _, err = train("--steps", 2, data=tmp_path / "empty")
    assert (code, len(err.splitlines())) == (ALL_FAILED, 1)
    assert "holds no pictures" in err
    code, _, err = train("--steps", 2, "--batch", 101)
    assert code == USAGE
    assert "100 pictures, fewer than one batch of 101" in err
    code, _, err = train("--steps", 2, game="tinny")
    assert code == USAGE
    assert "Did you mean 'tiny'" in err
    code, _, err = train("--steps", 2, "--size", "huge")
    assert code == USAGE
    assert "one of tiny, small. Received: 'huge'" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("out", ["/proc/run", "/dev/null/run", "{pictures}"])
def test_unwritable_output_is_one_sentence(pictures, capsys, out):
    out = out.format(pictures=pictures)
    words = ["train", "tiny", "--data", str(pictures), "--out", out, "--steps", "2", "-q"]
    assert main(words) == USAGE
    err = capsys.readouterr().err
    assert err.startswith("Error: Cannot ")
    assert out in err
    assert len(err.splitlines()) == 1


def test_full_disk_is_one_sentence_and_leaves_the_old_state(train, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=192k", "tmpfs", str(run)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        assert train("--steps", 3, "-q")[0] == DONE
        (run / "samples" / "fill").write_bytes(bytes(os.statvfs(run).f_bavail * 4096))
        code, _, err = train("--steps", 6, "-q")
        assert code != DONE
        assert "bug" not in err
        assert "Cannot write" in err or "No space left" in err
        assert newest_state(run / "states").name.endswith("-3")
        (run / "samples" / "fill").unlink()
        assert train("--steps", 6, "-q")[0] == DONE
        assert newest_state(run / "states").name.endswith("-6")
    finally:
        subprocess.run(["umount", str(run)], check=True)


def test_unreadable_pictures_are_listed_and_skipped(train, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for i in range(16):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((8, 8), 9 * i, np.uint8))
    (folder / "bad.png").write_bytes(b"no picture")
    code, _, err = train("--steps", 2, data=folder)
    assert code == DONE
    assert "Skipped bad.png" in err
    assert record.read(tmp_path / "run" / "run.json").results["skipped"] == ["bad.png"]


def test_quiet_hides_progress_and_no_warning(train, tmp_path, monkeypatch):
    folder, out = tmp_path / "folder", tmp_path / "run"
    folder.mkdir()
    for i in range(16):
        cv2.imwrite(str(folder / f"{i}.png"), np.full((8, 8), 9 * i, np.uint8))
    (folder / "bad.png").write_bytes(b"no picture")
    watch = run._health

    def alarmed(out, unseen, seen, on_alarm, say):
        say("collapse")
        return watch(out, unseen, seen, on_alarm, lambda line: None)

    monkeypatch.setattr(run, "_health", alarmed)
    code, _, err = train("--steps", 2, "-q", data=folder)
    assert code == DONE
    assert [line.split(":")[0] for line in err.splitlines()] == ["Skipped bad.png", "collapse"]
    kept = record.read(out / "run.json")
    record.write(out / "run.json", replace(kept, versions={**kept.versions, "numpy": "0.1"}))
    _, _, err = train("--steps", 2, "-q", data=folder)
    _, versions, budget = err.splitlines()
    assert "numpy 0.1 -> " in versions
    assert "has used its budget: 2 cycles" in budget
    ended = run.Outcome(2, 32, 1.0, 0, "SIGINT")
    monkeypatch.setattr(run, "train", lambda *args, **given: ended)
    code, _, err = train("--steps", 3, "-q", data=folder)
    assert code == INTERRUPTED
    assert err.splitlines()[1:] == ["Interrupted: the state is saved, the same command goes on."]


@pytest.mark.parametrize("minutes", ["inf", "nan", "-inf", "0", "-1", "1e308"])
def test_a_time_that_is_no_finite_positive_number_is_refused(train, tmp_path, minutes):
    code, _, err = train("--minutes", minutes)
    assert code == USAGE
    assert "Invalid value for '--minutes'" in err
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("command", ["train", "sample"])
def test_a_seed_that_no_generator_takes_is_refused_at_once(command, tmp_path, pictures, capsys):
    words = {"train": ["tiny", "--data", str(pictures)], "sample": [str(tmp_path)]}[command]
    words = [command, *words, "-o", str(tmp_path / "out.png"), "--seed"]
    for seed in ("4294967296", "202611291514", "-1"):
        assert main([*words, seed]) == USAGE
        assert "0<=x<=2147000000" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


def test_the_largest_seed_trains(train, tmp_path):
    assert train("--steps", 1, "--seed", LARGEST_SEED)[0] == DONE
    words = ["sample", str(tmp_path / "run"), "-n", "8", "--seed", str(LARGEST_SEED)]
    assert main([*words, "-o", str(tmp_path / "a.png")]) == DONE


def test_sample_draws_the_same_grid_for_the_same_seed(trained, tmp_path, capsys):
    def draw(name, *args):
        assert main(["sample", str(trained), "-o", str(tmp_path / name), *args]) == DONE
        return cv2.imread(str(tmp_path / name), cv2.IMREAD_UNCHANGED)

    first = draw("a.png", "-n", "9")
    assert first.shape == (24, 24)
    np.testing.assert_array_equal(first, draw("b.png", "-n", "9"))
    assert (first != draw("c.png", "-n", "9", "--seed", "1")).any()
    assert draw("d.png", "-n", "12", "--interpolate").shape == (16, 64)
    assert main(["sample", str(trained), "-o", str(tmp_path / "a.png")]) == USAGE
    assert "--overwrite" in capsys.readouterr().err
    assert main(["sample", str(trained), "-o", str(tmp_path / "a.png"), "--overwrite"]) == DONE


def test_a_class_is_drawn_by_the_name_of_its_folder(train, tmp_path, capsys):
    for i in range(16):
        folder = tmp_path / "pets" / ("cat", "dog")[i % 2]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{i}.png"), np.full((8, 8), 9 * i, np.uint8))
    words = ["--size", "tiny", "--steps", 1, "-q"]
    assert train(*words, game="cgan", data=tmp_path / "pets")[0] == DONE

    def draw(asked):
        out = str(tmp_path / f"{asked}.png")
        code = main(["sample", str(tmp_path / "run"), "-n", "4", "-o", out, "--class", asked])
        return cv2.imread(out) if code == DONE else capsys.readouterr().err

    np.testing.assert_array_equal(draw("dog"), draw("1"))
    assert (draw("dog") != draw("cat")).any()
    for unknown in ("cow", "2", "-1"):
        assert f"Expected --class cat, dog, or a number from 0 to 1. Received: {unknown}." in draw(
            unknown
        )


def test_sample_needs_a_run(tmp_path, capsys):
    assert main(["sample", str(tmp_path), "-o", str(tmp_path / "a.png")]) == USAGE
    assert "is not a run" in capsys.readouterr().err


def test_zoo_lists_every_game(capsys):
    assert main(["zoo", "--json"]) == DONE
    games = json.loads(capsys.readouterr().out)["games"]
    (tiny,) = [game for game in games if game["name"] == "tiny"]
    assert (tiny["title"], tiny["source"]) == ("A tiny game", "a test")
    assert (tiny["sizes"], tiny["data"]) == (["tiny", "small"], "pictures")
    assert main(["zoo"]) == DONE
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "tiny A tiny game (a test; tiny, small; pictures)" in lines
