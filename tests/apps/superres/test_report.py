import json

import numpy as np
import pytest
from gantools.apps.superres import model as files
from gantools.apps.superres.batch import Job
from gantools.apps.superres.enlarge import Output, enlarge_file
from gantools.apps.superres.fidelity import Fidelity
from gantools.apps.superres.foretell import foretold
from gantools.apps.superres.sizes import Wish
from gantools.apps.superres.upscaler import Upscaler

from gantools.cli import main
from gantools.data import tags
from gantools.data.pictures import Metadata, Picture, check_size, read, write
from gantools.data.resample import resize
from gantools.errors import SOME_FAILED


@pytest.fixture
def photo(tmp_path, picture):
    write(tmp_path / "a.png", Picture(picture(40, 50)))
    return tmp_path / "a.png"


def test_the_report_tells_engine_time_and_truth(tmp_path, photo, weights):
    (tmp_path / "broken.png").write_bytes(b"no")
    words = [
        photo,
        tmp_path / "broken.png",
        "-o",
        tmp_path / "out",
        "--report",
        tmp_path / "r.json",
    ]
    code = main(["superres", *map(str, words), "-q", "--model", str(weights), "--scale", "3"])
    assert code == SOME_FAILED
    found = json.loads((tmp_path / "r.json").read_text())
    assert found["schema"] == 1
    assert found["networks"][0]["digest"] == files.read(weights).digest
    made, failed = found["pictures"]
    assert failed["status"] == "failed"
    assert made["engine"].startswith("openvino")
    assert 0 < made["seconds"] <= found["seconds"]
    low, high = read(photo).pixels, read(tmp_path / "out/a_x3.png").pixels
    error = resize(high.astype(np.float64), size=low.shape[:2]) - low
    assert made["consistency_db"] == pytest.approx(
        10 * np.log10(255**2 / np.mean(error**2)), abs=0.02
    )
    assert made["drift"] == pytest.approx(list(error.mean(axis=(0, 1))), abs=0.002)


@pytest.mark.parametrize("channels", [1, 2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_perfect_enlargement_has_no_error(channels, dtype):
    low = np.full((9, 8, channels), 7, dtype)
    judge = Fidelity(low, (36, 32))
    bands = [np.full((rows, 32, channels), 7, dtype) for rows in (10, 20, 6)]
    assert [len(band) for band in judge.watched(bands)] == [10, 20, 6]
    found = judge.found()
    assert found["consistency_db"] is None or found["consistency_db"] > 100
    assert len(found["drift"]) == (1 if channels < 3 else 3)
    assert max(map(abs, found["drift"])) < 1e-3


def test_drift_is_told_in_levels_of_255():
    low = np.zeros((8, 8, 3), np.uint16)
    judge = Fidelity(low, (16, 16))
    list(judge.watched([np.full((16, 16, 3), 257, np.uint16)]))
    assert judge.found()["drift"] == pytest.approx([1, 1, 1], abs=1e-3)
    assert judge.found()["consistency_db"] == pytest.approx(20 * np.log10(255), abs=0.02)


def test_a_dry_run_makes_nothing_and_tells_all(tmp_path, photo, weights, capsys):
    words = ["superres", str(photo), "--model", str(weights), "--dry-run", "--scale", "8"]
    assert main(words) == 0
    (line,) = capsys.readouterr().out.splitlines()
    for part in ("a_x8.png, 400x320", " s, ", "MB of memory", "file of"):
        assert part in line
    assert main([*words, "--json"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["pictures"]
    assert record["status"] == "would be made"
    assert 100 < record["memory_mb"] < 400
    assert record["seconds"] > 0
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.png"]


def test_a_dry_run_finds_what_would_fail(tmp_path, photo, weights, picture, capsys):
    write(tmp_path / "clear.png", Picture(picture(8, 8, 4)))
    (tmp_path / "a_x4.jpg").write_text("there")
    words = ["superres", photo, tmp_path / "clear.png", "--model", weights, "--format", "jpg"]
    assert main([*map(str, words), "--dry-run"]) == SOME_FAILED
    out, err = capsys.readouterr()
    assert "already there" in out
    assert "--background white" in err


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("wish", [Wish(width=48), Wish(scale=2), Wish(fit=(60, 999))])
def test_a_dry_run_of_a_photograph_on_its_side_tells_what_is_made(
    wish, suffix, strip, tmp_path, make_network, picture
):
    lying = Metadata(tags.block({274: tags.short(6)}))
    write(tmp_path / "a.jpg", Picture(picture(24, 72), lying))  # 24 wide and 72 high, as seen
    upscaler, output = Upscaler(make_network()), Output(wish, strip=strip)
    job = Job(tmp_path / "a.jpg", tmp_path / f"b.{suffix}")
    told = foretold(job, upscaler, output)
    made = enlarge_file(job.source, job.target, upscaler, output)
    assert (told.get("width"), told.get("height")) == (made.width, made.height)
    if wish.width:
        assert read(job.target).upright().pixels.shape == (144, 48, 3)


def test_a_dry_run_refuses_what_is_not_read(tmp_path, photo, make_network, monkeypatch):
    monkeypatch.setattr(check_size, "__defaults__", (1999,))
    told = foretold(Job(photo, tmp_path / "b.png"), Upscaler(make_network()), Output())
    assert told["status"] == "failed"
    assert "a.png' is too large: 50x40 pixels" in told["error"]
