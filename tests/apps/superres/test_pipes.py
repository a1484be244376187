import io
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from gantools.apps.superres.batch import Names
from gantools.apps.superres.pipes import piped

from gantools.cli import main
from gantools.data.pictures import Picture, read, write
from gantools.errors import ALL_FAILED, DONE, USAGE, UserError


def run(*words, given=b"", weights):
    command = [sys.executable, "-m", "gantools", "superres", *map(str, words), "--model", weights]
    path = os.pathsep.join(filter(None, [str(Path.cwd()), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        check=False,
        env=os.environ | {"PYTHONPATH": path},
    )
    return done.returncode, done.stdout, done.stderr.decode()


@pytest.fixture
def photo(tmp_path, picture):
    write(tmp_path / "a.png", Picture(picture(20, 30)))
    return tmp_path / "a.png"


def test_bytes_through_pipes_are_those_of_files(tmp_path, photo, weights):
    assert run(photo, "-q", weights=weights)[0] == DONE
    expected = (tmp_path / "a_x4.png").read_bytes()
    code, out, err = run("-", given=photo.read_bytes(), weights=weights)
    assert (code, out, err) == (DONE, expected, "")
    code, out, _ = run(photo, "-o", "-", weights=weights)
    assert (code, out) == (DONE, expected)
    code, out, _ = run("-", "-o", tmp_path / "b.png", given=photo.read_bytes(), weights=weights)
    assert (code, out) == (DONE, b"")
    assert (tmp_path / "b.png").read_bytes() == expected


def test_the_format_is_kept_or_chosen(tmp_path, photo, weights, picture):
    write(tmp_path / "a.jpg", Picture(picture(20, 30)))
    code, out, _ = run("-", given=(tmp_path / "a.jpg").read_bytes(), weights=weights)
    assert (code, out[:3]) == (DONE, b"\xff\xd8\xff")
    code, out, _ = run(
        "-", "--format", "tif", "--scale", "1.5", given=photo.read_bytes(), weights=weights
    )
    (tmp_path / "c.tif").write_bytes(out)
    assert read(tmp_path / "c.tif").pixels.shape == (30, 45, 3)


def test_what_cannot_go_through_a_pipe(tmp_path, weights):
    code, out, err = run("-", given=b"no picture", weights=weights)
    assert code in (USAGE, ALL_FAILED)
    assert out == b""
    assert "not a known picture format" in err
    assert "Traceback" not in err
    for words, out in ((("-", "a.png"), None), (("a.png", "b.png"), "-"), ((str(tmp_path),), "-")):
        with pytest.raises(UserError, match="hold one picture"), piped(words, out, Names()):
            pass


def test_nothing_is_piped_without_the_word():
    with piped(("a.png",), "b.png", Names()) as found:
        assert found.jobs == []
        assert found.out is None


def test_a_picture_and_json_do_not_share_standard_output(photo, weights):
    for words in ((photo, "-o", "-", "--json"), ("-", "--json")):
        code, out, err = run(*words, given=photo.read_bytes(), weights=weights)
        assert (code, out) == (USAGE, b"")
        assert "--json has no place there. Give -o FILE" in err
    code, out, _ = run(photo, "-o", "-", "--json", "--dry-run", weights=weights)
    assert code == DONE
    assert json.loads(out)["pictures"][0]["target"] == "standard output"


def test_a_pipe_that_fails_is_told_once_by_its_name(tmp_path, weights):
    code, out, err = run("-", given=b"no picture", weights=weights)
    assert (code, out) == (ALL_FAILED, b"")
    assert len(err.splitlines()) == 1
    assert err.startswith("Cannot read 'standard input': it is not a known picture format")
    words = ("-", "-o", tmp_path / "b.png", "--json", "--report", tmp_path / "r.json")
    code, out, err = run(*words, given=b"no picture", weights=weights)
    assert err.startswith("Cannot read 'standard input'")
    for text in (out, (tmp_path / "r.json").read_bytes()):
        (told,) = json.loads(text)["pictures"]
        assert told["source"] == "standard input"
        assert told["error"].startswith("Cannot read 'standard input'")


def test_patterns_name_what_comes_through_a_pipe(tmp_path, photo, weights, monkeypatch):
    data = io.BytesIO(photo.read_bytes())
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=data))
    for out, name in [
        ("{stem}_y.{ext}", "stdin_y.png"), ("folder", "folder/stdin_x2.png"), ("c.jpg", "c.jpg"),
    ]:  # fmt: skip
        data.seek(0)
        with piped(("-",), str(tmp_path / out), Names(tmp_path / out, "x2")) as found:
            assert found.jobs[0].target == tmp_path / name


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_with_a_name_is_no_file(tmp_path, capsys):
    os.mkfifo(tmp_path / "a.png")
    assert main(["superres", str(tmp_path / "a.png")]) == ALL_FAILED
    assert "it is a pipe or a device and no file" in capsys.readouterr().err
