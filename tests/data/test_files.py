import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gantools.data import files
from gantools.data.files import atomic, check_free, check_place, make_folder
from gantools.errors import UserError


def test_the_file_appears_at_the_end(tmp_path):
    with atomic(tmp_path / "a.txt") as part:
        part.write_text("new")
        assert not (tmp_path / "a.txt").exists()
        assert part.name.endswith(".part")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert [f.name for f in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_whatever_stops_it_leaves_the_old_file(tmp_path, error):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(error), atomic(tmp_path / "a.txt") as part:
        part.write_text("half")
        raise error
    assert (tmp_path / "a.txt").read_text() == "old"
    assert [f.name for f in tmp_path.iterdir()] == ["a.txt"]


def test_a_full_disk_is_one_sentence(tmp_path):
    with (
        pytest.raises(UserError, match="disk is full. Free some space"),
        atomic(tmp_path / "a") as part,
    ):
        part.write_bytes(b"x")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_real_full_device_is_an_os_error_that_is_understood(tmp_path):
    full = Path("/dev/full")
    with pytest.raises(UserError, match="disk is full"), atomic(tmp_path / "a"):
        full.write_bytes(b"x" * 100_000)


def test_bad_places(tmp_path):
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for path, words in [
        (tmp_path / "missing/a.png", "folder does not exist"),
        (tmp_path / "file/a.png", "folder is a file"),
        (tmp_path / "folder", "it is a folder"),
        (tmp_path / ("n" * 300), "name is too long"),
    ]:
        with pytest.raises(UserError, match=words), atomic(path):
            pass
    assert sorted(f.name for f in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes everywhere"
)
def test_an_unwritable_folder(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(UserError, match="permission denied"), atomic(tmp_path / "a"):
            pass
    finally:
        tmp_path.chmod(0o700)


def test_make_folder(tmp_path):
    make_folder(tmp_path / "a/b")
    make_folder(tmp_path / "a/b")
    assert (tmp_path / "a/b").is_dir()
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="a file has that name"):
        make_folder(tmp_path / "file")
    with pytest.raises(UserError, match="folder is a file"):
        make_folder(tmp_path / "file/c")


def test_a_file_that_would_harm_another_is_refused_before_the_work(tmp_path):
    (tmp_path / "there.json").touch()
    (tmp_path / "link.json").symlink_to(tmp_path / "there.json")
    made = [tmp_path / "out/a.json"]
    for name, words, more in [
        ("a.txt", "ends in .json. Received", {}),
        ("link.json", "would replace an input", {"sources": [tmp_path / "there.json"]}),
        ("out/a.json", "would be a result, too", {"results": made}),
        ("none/a.json", "its folder does not exist", {"results": made}),
        ("there.json", "already there. Give --overwrite", {}),
        ("there.json", "already there. Go away.", {"remedy": "Go away"}),
    ]:
        with pytest.raises(UserError, match=words):
            check_free(tmp_path / name, (".json",), **more)
    check_free(tmp_path / "there.json", (".json",), overwrite=True)
    check_free(tmp_path / "out/b.JSON", (".json",), results=made)


def killed(folder, name):
    """Leave what a process leaves that is killed while it makes a file."""
    code = (
        "import os, sys; from gantools.data.files import atomic\n"
        "with atomic(sys.argv[1]) as part:\n"
        "    part.write_text('half'); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(folder / name)], check=False)


@pytest.mark.skipif(os.name != "posix", reason="processes cannot be asked for")
def test_what_a_killed_process_has_left_goes_with_the_next_file(tmp_path):
    killed(tmp_path, "a.png")
    killed(tmp_path, "b.png")
    elsewhere = f"a.png.{(1 << 30) << 16 | (files.MACHINE + 1) % 65536}.part"  # another machine
    living = f"a.png.{os.getppid() << 16 | files.MACHINE}.part"
    for name in (elsewhere, living, "a.png.old.part", "a.png.7.part"):
        (tmp_path / name).touch()
    assert len(list(tmp_path.glob("*.part"))) == 6
    with atomic(tmp_path / "a.png") as part:
        part.write_text("whole")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left[:1] + left[-1:] == ["a.png", left[-1]]
    assert set(left) - {left[-1]} == {"a.png", elsewhere, living, "a.png.old.part", "a.png.7.part"}
    assert left[-1].startswith("b.png.")  # it goes when b.png is made
    with atomic(tmp_path / "b.png"):
        pass
    assert not list(tmp_path.glob("b.png.*"))


def test_a_place_is_tried_and_left_as_it_was(tmp_path):
    (tmp_path / "a.png").write_text("old")
    check_place(tmp_path / "a.png")
    check_place(tmp_path / "b.png")
    assert [(f.name, f.read_text()) for f in tmp_path.iterdir()] == [("a.png", "old")]
    for name, words in [("none/a.png", "folder does not exist"), ("n" * 250, "name is too long")]:
        with pytest.raises(UserError, match=words):
            check_place(tmp_path / name)
