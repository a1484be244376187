import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gantools.apps.superres.batch import Names
from gantools.apps.superres.pipes import piped

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
    assert np.float32(1) == 1
