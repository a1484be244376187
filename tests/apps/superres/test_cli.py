import errno
import json
import os
import signal
import struct
import subprocess
import sys
import time
import zlib

import numpy as np
import pytest
from gantools.apps.superres import model as files
from gantools.apps.superres.enlarge import Upscaler

from gantools.cli import main
from gantools.data.pictures import Picture, read, write
from gantools.data.resample import resize
from gantools.errors import ALL_FAILED, DONE, INTERRUPTED, MISSING_EXTRA, SOME_FAILED, USAGE
from gantools.metrics.pixels import psnr_y


@pytest.fixture
def run(weights, capsys):
    """Return a function that runs the command and returns `(exit code, stdout, stderr)`."""

    def call(*words, model=weights):
        code = main(["superres", *map(str, words), "--model", str(model)])
        return code, *capsys.readouterr()

    return call


@pytest.fixture
def photo(tmp_path, picture):
    path = tmp_path / "photo.png"
    write(path, Picture(picture(30, 44)))
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.is_file())


def test_a_picture_is_enlarged_beside_itself(run, photo, tmp_path, weights):
    code, out, err = run(photo)
    assert (code, out) == (DONE, "")
    assert "photo_x4.png, 176x120" in err
    made = read(tmp_path / "photo_x4.png").pixels
    np.testing.assert_array_equal(made, Upscaler(files.read(weights)).enlarge(read(photo)).pixels)


def test_options_may_come_first(run, photo, tmp_path):
    assert run("--engine", "opencv", "-q", photo, "-o", tmp_path / "b.webp") == (DONE, "", "")
    assert read(tmp_path / "b.webp").pixels.shape == (120, 176, 3)


def test_json_tells_everything(run, photo, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"no")
    code, out, _ = run(photo, tmp_path / "broken.png", "-o", tmp_path / "out", "--json", "-q")
    assert code == SOME_FAILED
    made, failed = json.loads(out)["pictures"]
    assert (made["status"], made["width"], made["height"]) == ("made", 176, 120)
    assert failed["status"] == "failed"
    assert "broken.png" in failed["error"]
    _, out, _ = run(photo, "-o", tmp_path / "out/photo_x4.png", "--json")
    assert json.loads(out)["pictures"][0]["status"] == "kept"


def test_a_folder_with_a_broken_picture(run, photo, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(photo.read_bytes())
    (folder / "c.png").write_bytes(photo.read_bytes()[:200])
    code, _, err = run(folder)
    assert code == SOME_FAILED
    assert "c.png': it is truncated or broken." in err
    assert err.splitlines()[-1] == "2 enlarged, 0 already there, 1 failed."
    assert names(tmp_path / "in_x4") == ["a_x4.png", "b_x4.png"]
    code, _, err = run(folder)
    assert err.splitlines()[-1] == "0 enlarged, 2 already there, 1 failed."


def test_nothing_is_overwritten_unless_told(run, photo, tmp_path):
    (tmp_path / "photo_x4.png").write_text("mine")
    code, _, err = run(photo)
    assert code == DONE
    assert "already there" in err
    assert (tmp_path / "photo_x4.png").read_text() == "mine"
    assert run(photo, "--overwrite")[0] == DONE
    assert read(tmp_path / "photo_x4.png").pixels.shape == (120, 176, 3)


def bomb():
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def test_bad_input_is_one_sentence_and_a_code(run, photo, tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "bomb.png").write_bytes(bomb())
    (tmp_path / "file").write_text("x")
    for words, code, text in [
        ([tmp_path / "empty"], ALL_FAILED, "has no pictures"),
        ([tmp_path / "none.png"], ALL_FAILED, "No such file"),
        ([tmp_path / "bomb.png"], ALL_FAILED, "50000x50000 pixels, at most 300 million"),
        ([photo, "-o", photo, "--overwrite"], USAGE, "would replace an input"),
        ([photo, "-o", tmp_path / "a.xyz"], ALL_FAILED, "pictures are written as .png"),
        ([photo, "-o", tmp_path / "file/a.png"], USAGE, "a file has that name"),
        ([photo, "--scale", "17"], USAGE, "1<=x<=16"),
        ([photo, "--scale", "2", "--width", "99"], USAGE, "--scale and --width"),
        ([photo, "--width", "30"], ALL_FAILED, "44x30 pixels cannot become 30x20"),
        ([photo, "--size", "tall"], USAGE, "'tall' is not like 1920x1080"),
        ([photo, "--size", "10\u00b2x20"], USAGE, "is not like 1920x1080"),
        ([photo, "--megapixels", "nan"], USAGE, "'nan' is not finite"),
        ([photo, "--megapixels", "inf"], USAGE, "'inf' is not finite"),
        ([photo, "--strength", "nan"], USAGE, "'nan' is not finite"),
        ([photo, "--start", "nan"], USAGE, "'nan' is not finite"),
        ([photo, "-o", tmp_path / "a.png", "--format", "jpg"], USAGE, "--format jpg contradicts"),
        ([photo, "--background", "pinkish"], USAGE, "not like #ff8800"),
        ([photo, "--memory", "lots"], USAGE, "not like 800M or 1G"),
        ([photo, "--memory", "10M"], USAGE, "needs at least"),
        ([photo, "--strength", "0.5"], USAGE, "no adversarially trained twin"),
        ([tmp_path / "*.gif"], ALL_FAILED, "Nothing is called like"),
        ([photo, "-o", str(tmp_path / "{name}.png")], USAGE, "may hold {stem}"),
        ([photo, "--engine", "caffe"], USAGE, "caffe"),
    ]:
        found, out, err = run(*words)
        assert (found, out) == (code, ""), words
        assert text in err, words
        assert "Traceback" not in err
        assert len(err.strip().splitlines()) <= 4  # usage errors of click have a hint above
    assert run(photo, model="nobody")[0] == USAGE
    assert run(photo, model=photo.with_suffix(".safetensors"))[0] == USAGE
    assert not [name for name in names(tmp_path) if name.endswith(".part")]


@pytest.mark.skipif(not os.access("/dev/full", os.F_OK), reason="needs /dev/full")
def test_a_full_disk(run, photo, tmp_path, monkeypatch):
    """The file that the writer opens lies on a device that is always full."""
    real = type(photo).open

    def full(path, mode="r", *rest, **more):
        return real(type(photo)("/dev/full") if mode == "wb" else path, mode, *rest, **more)

    monkeypatch.setattr(type(photo), "open", full)
    code, _, err = run(photo, "-o", tmp_path / "b.png")
    assert code == ALL_FAILED
    assert "the disk is full. Free some space" in err
    assert names(tmp_path) == ["photo.png"]


def test_an_unwritable_place(run, photo, tmp_path, monkeypatch):
    """Root may write everywhere, so the system's refusal is played."""

    def refuse(path, *_, **__):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(type(photo), "touch", refuse)
    code, _, err = run(photo, "-o", tmp_path / "b.png")
    assert code == ALL_FAILED
    assert "permission denied. Choose a place that may be written" in err
    assert names(tmp_path) == ["photo.png"]


def python(*words, **more):
    command = [sys.executable, "-m", "gantools", *map(str, words)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more
    )


def test_ctrl_c_leaves_finished_pictures_and_no_part(tmp_path, weights, picture):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in/a.png", Picture(picture(16, 16)))
    for name in "bcdefgh":
        write(tmp_path / f"in/{name}.png", Picture(picture(1200, 1600)))
    words = ["superres", tmp_path / "in", "--model", weights, "--engine", "opencv"]
    # a job started in the background inherits an ignored SIGINT; a person's shell does not
    heard = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        process = python(*words, process_group=0)
    finally:
        signal.signal(signal.SIGINT, heard)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob("in_x4/b_x4.png.*.part")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, err
    assert "Traceback" not in err
    assert names(tmp_path / "in_x4") == ["a_x4.png"]


def test_on_a_picture_nothing_heavy_is_imported(photo, weights, tmp_path):
    code = (
        "import sys, json; from gantools.cli import main; "
        f"code = main(['superres', {str(photo)!r}, '-q', '--model', {str(weights)!r}]); "
        "print(json.dumps([code, sorted({m.split('.')[0] for m in sys.modules})]))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    found, modules = json.loads(run.stdout)
    assert found == DONE
    assert "numpy" in modules
    heavy = {"keras", "tensorflow", "torch", "jax", "sklearn", "pandas", "rich", "PIL"}
    assert not heavy & set(modules)
    assert "openvino_telemetry" not in modules


@pytest.mark.parametrize("words", [["--help"], ["eval", "--help"], ["train", "--help"]])
def test_help_is_light(words):
    code = (
        "import sys; from gantools.cli import main; "
        f"main(['superres', *{words!r}]); "
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'numpy', 'cv2', 'keras'}))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "[]"
    assert "Usage: gantools superres" in run.stdout


def test_help_shows_the_options_of_enlarging(run, capsys):
    assert main(["superres", "--help"]) == DONE
    out = capsys.readouterr().out
    for word in ("PICTURE_OR_FOLDER", "--overwrite", "--engine", "train", "eval"):
        assert word in out
    assert main(["superres"]) == USAGE


def test_eval_prints_a_table_and_json(run, tmp_path, picture):
    (tmp_path / "sharp").mkdir()
    for seed, name in enumerate(("a.png", "b.png")):
        write(tmp_path / "sharp" / name, Picture(picture(80, 96, seed=seed)))
    code, out, err = run("eval", tmp_path / "sharp")
    assert code == DONE
    assert err.split() == ["a.png", "b.png"]
    head, folder, *lines = out.splitlines()
    assert head.split()[1:] == ["x4", "PSNR-Y", "SSIM-Y", "NIQE", "spectrum", "patches", "consist.",
                                "drift"]  # fmt: skip
    assert folder.startswith(str(tmp_path / "sharp"))
    assert [line.split()[0] for line in lines] == ["network", "bicubic", "lanczos", "original"]
    code, out, _ = run("eval", tmp_path / "sharp", "-v", "-q")
    assert len(out.splitlines()) == 1 + 3 * 5
    page = tmp_path / "page.html"
    code, out, _ = run(
        "eval", tmp_path / "sharp", "--json", "-q", "--html", page, "--tta", 2, "--no-projection"
    )
    document = json.loads(out)
    assert (document["views"], document["projection"]) == (2, False)
    found = document["folders"][0]
    values = [score["network"]["psnr"] for score in found["pictures"]]
    assert found["mean"]["network"]["psnr"] == pytest.approx(np.mean(values))
    assert found["mean"]["network"]["niqe"] is None  # smaller than one block
    assert "The worst crops" in page.read_text()
    assert run("eval", tmp_path, tmp_path, "--lr", tmp_path)[0] == USAGE
    assert run("eval", tmp_path / "sharp", "--scale", "3")[0] == USAGE


def test_eval_of_a_scale_that_no_network_has(run, tmp_path, picture):
    """x3 is measured as users get it: by x4, and an exact reduction."""
    high = picture(96, 96)
    write(tmp_path / "a.png", Picture(high))
    code, out, _ = run("eval", tmp_path, "--scale", "3", "--json", "-q", model="fast")
    assert code == DONE
    (tmp_path / "low").mkdir()
    write(tmp_path / "low/a.png", Picture(resize(high, 1 / 3)))
    made = tmp_path / "made.png"
    assert run(tmp_path / "low/a.png", "--scale", "3", "-o", made, model="fast")[0] == DONE
    found = json.loads(out)["folders"][0]["mean"]["network"]["psnr"]
    assert found == pytest.approx(psnr_y(read(made).pixels, high, 3))
    head = run("eval", tmp_path, "--scale", "3", "-q", model="fast")[1].splitlines()[0]
    assert head.startswith("fast x3 (x4, reduced)")


def test_eval_of_a_scale_without_a_twin(run, tmp_path):
    code, _, err = run("eval", tmp_path, "--scale", "2", "--strength", "0.5", model="srgan")
    assert code == USAGE
    assert "'srgan' has an adversarially trained twin for x4, and none for x2" in err


def test_quiet_tells_warnings_once(run, tmp_path, picture):
    deep = Picture(picture(8, 8, dtype=np.uint16))
    for name in ("a.png", "b.png"):
        write(tmp_path / name, deep)
    words = (tmp_path / "a.png", tmp_path / "b.png", "-o", tmp_path / "out", "--format", "jpg")
    code, out, err = run(*words, "-q")
    assert (code, out) == (DONE, "")
    assert err == f"Note on {tmp_path / 'a.png'}: JPEG holds 8 bits of the picture's 16.\n"
    _, _, err = run(*words, "--overwrite")
    assert err.count("JPEG holds 8 bits") == 1


def test_inks_without_the_extra_end_with_its_code(run, photo, tmp_path, picture, monkeypatch):
    inks = pytest.importorskip("PIL.Image").fromarray(picture(16, 16)).convert("CMYK")
    for name in ("inks.jpg", "more.jpg"):
        inks.save(tmp_path / name)
    monkeypatch.setitem(sys.modules, "PIL", None)
    code, _, err = run(tmp_path / "inks.jpg")
    assert (code, 'pip install "gantools[pictures]"' in err) == (MISSING_EXTRA, True)
    assert run(tmp_path / "inks.jpg", tmp_path / "more.jpg")[0] == MISSING_EXTRA
    assert run(tmp_path / "inks.jpg", photo)[0] == SOME_FAILED
    (tmp_path / "broken.png").write_bytes(b"no")
    assert run(tmp_path / "inks.jpg", tmp_path / "broken.png")[0] == ALL_FAILED


def test_a_dry_run_says_what_it_does_not_write(run, photo, tmp_path):
    words = (photo, "--dry-run", "--report", tmp_path / "r.json", "--compare")
    code, out, err = run(*words)
    assert (code, err) == (DONE, "--report and --compare: a dry run writes no file.\n")
    assert "photo_x4.png, 176x120" in out
    assert names(tmp_path) == ["photo.png"]
    (tmp_path / "r.json").touch()
    assert run(*words)[0] == USAGE  # as without --dry-run
    assert run(photo, "--dry-run")[2] == ""
