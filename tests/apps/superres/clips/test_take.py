"""The command on clips, and its options."""

import json

import pytest
from gantools.apps.superres import batch
from gantools.apps.superres.clips.take import part_label

from gantools.cli import main
from gantools.data.pictures import Picture, write
from gantools.errors import ALL_FAILED, DONE, INTERRUPTED, MISSING_EXTRA, USAGE

pytest.importorskip("av")


def test_the_command(make_clip, moving, weights, tmp_path, capsys):
    make_clip("in.mp4", moving(6, still=True))
    words = ["superres", str(tmp_path / "in.mp4"), "--model", str(weights), "-v"]
    assert main([*words, "--report", str(tmp_path / "r.json"), "--frames", "5"]) == DONE
    err = capsys.readouterr().err
    assert "in_x4_5f.mp4, 256x192" in err
    assert "frames/s, " in err
    assert "% of tiles unchanged" in err
    (told,) = json.loads((tmp_path / "r.json").read_text())["pictures"]
    assert told["frames"] == 5
    assert 0 <= told["tiles_reused"] < 1
    assert main(words) == DONE  # a part of it that was tried is not the whole
    assert "in_x4.mp4, 256x192" in capsys.readouterr().err
    assert main(words) == DONE
    assert "already there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("start", "frames", "label"),
    [(60.0, 48, "_60s_48f"), (1.5, None, "_1.5s"), (None, 3, "_3f"), (None, None, ""),
     (0.0, None, ""), (36000.25, None, "_36000.25s")],
)  # fmt: skip
def test_a_part_has_a_name_of_its_own(start, frames, label, tmp_path):
    assert part_label(start, frames) == label
    names = batch.Names(label="x2", part=label)
    jobs = batch.plan_jobs([tmp_path / "a.mov", tmp_path / "b.png"], names)
    assert [job.target.name for job in jobs] == [f"a_x2{label}.mov", "b_x2.png"]


def test_options_for_clips_in_a_share_without_one(make_clip, moving, weights, tmp_path, picture):
    make_clip("in.mp4", moving(2))
    write(tmp_path / "a.png", Picture(picture(16, 16)))
    words = ["superres", *(str(tmp_path / name) for name in ("in.mp4", "a.png")), "--crf", "20"]
    for part in ("1/2", "2/2"):
        assert main([*words, "--model", str(weights), "--shard", part]) == DONE
    assert (tmp_path / "in_x4.mp4").exists()
    assert (tmp_path / "a_x4.png").exists()


@pytest.mark.parametrize(
    "words", [["--wrap"], ["--format", "png"], ["--background", "white"], ["--quality", "95"]]
)
def test_options_without_meaning_for_a_clip(words, make_clip, moving, weights, tmp_path, capsys):
    path = make_clip("in.mp4", moving(2))
    assert main(["superres", str(path), "--model", str(weights), *words]) == USAGE
    assert f"{words[0]}: for pictures, without meaning for a clip." in capsys.readouterr().err
    for option in ("--start", "--crf"):
        for value in ("2", "0"):
            assert main(["superres", str(tmp_path / "a.png"), option, value]) == USAGE
            assert f"{option}: only for clips" in capsys.readouterr().err


def test_without_the_extra(monkeypatch, make_clip, moving, weights, capsys):
    path = make_clip("in.mp4", moving(2))
    monkeypatch.setattr("gantools.apps.superres.clips.take.find_spec", lambda name: None)
    assert main(["superres", str(path), "--model", str(weights)]) == MISSING_EXTRA
    assert 'pip install "gantools[video]"' in capsys.readouterr().err


def test_control_c_says_how_to_go_on(make_clip, moving, weights, tmp_path, capsys, monkeypatch):
    from gantools.apps.superres.clips import work

    def stop(work, frame):
        raise KeyboardInterrupt

    path = make_clip("in.mp4", moving(3))
    words = ["superres", str(path), "--model", str(weights), "-o", str(tmp_path / "out.mp4")]
    with monkeypatch.context() as patch:
        patch.setattr(work.Work, "_tell", stop)
        assert main(words) == INTERRUPTED
    err = capsys.readouterr().err
    assert "The first 0 frames of " in err
    assert "The same command goes on." in err
    assert main(words) == DONE


def test_a_dry_run_makes_nothing(make_clip, moving, weights, tmp_path, capsys):
    make_clip("in.mp4", moving(10))
    words = ["superres", str(tmp_path / "in.mp4"), "--model", str(weights), "--dry-run"]
    assert main([*words, "--json", "--start", "0.2"]) == DONE
    (told,) = json.loads(capsys.readouterr().out)["pictures"]
    assert (told["width"], told["height"], told["frames"]) == (256, 192, 5)
    assert told["seconds"] > 0
    assert main([*words, "--frames", "3"]) == DONE
    assert "256x192, 3 frames, " in capsys.readouterr().out
    assert main([*words, "--start", "1000"]) == ALL_FAILED
    out, err = capsys.readouterr()
    assert (out, "has no frame at 1000 s or later: it is 0.4 s long." in err) == ("", True)
    assert [path.name for path in tmp_path.glob("in*")] == ["in.mp4"]


def test_several_processes_make_the_same_bytes(make_clip, moving, weights, tmp_path):
    """Also other threads do: x264 writes how many it had into the clip."""
    clips = [make_clip(name, moving(8), sound=None) for name in ("a.mp4", "b.mp4")]
    words = ["superres", *map(str, clips), "--model", str(weights), "-q"]
    made = []
    for name, more in (("one", ()), ("two", ("--jobs", "2")), ("three", ("--threads", "1"))):
        assert main([*words, "-o", str(tmp_path / name), *more]) == DONE
        made.append([(tmp_path / name / f"{x}_x4.mp4").read_bytes() for x in "ab"])
    assert made[0] == made[1] == made[2]


def test_a_start_behind_all_times(make_clip, moving, weights, tmp_path, capsys):
    path = make_clip("in.mp4", moving(3))
    for start in ("5", "1e300"):
        words = ["superres", str(path), "--model", str(weights), "--start", start]
        assert main(words) == ALL_FAILED
        assert f"has no frame at {float(start):g} s or later" in capsys.readouterr().err
    assert [path.name for path in tmp_path.glob("in*")] == ["in.mp4"]


@pytest.mark.parametrize("suffix", ["mkv", "avi"])
@pytest.mark.parametrize(
    ("out", "name"), [((), "in_x2.mkv"), (("-o", "large"), "large/in_x2.mkv"),
                      (("-o", "{stem}-big.{ext}"), "in-big.mkv")],
)  # fmt: skip
def test_containers_without_a_name_for_the_result(
    suffix, out, name, make_clip, moving, weights, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    path = make_clip(f"in.{suffix}", moving(2, 16, 16), sound=None)
    words = ["superres", path.name, "--model", str(weights), "--scale", "2"]
    assert main([*words, *out, "--dry-run"]) == DONE
    assert f"-> {name}, 32x32" in capsys.readouterr().out
    assert main([*words, *out, "-q"]) == DONE
    assert (tmp_path / name).is_file()
