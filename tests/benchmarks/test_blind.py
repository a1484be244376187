"""The blind sheet: pairs and sides are shuffled, and the key undoes it."""

import csv
import json

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.quality import blind
from gantools.data import pictures


@pytest.fixture
def sheet(tmp_path, monkeypatch):
    """Return a sheet of eight pictures: `dark` gives black, `bright` white."""
    ways = {"dark": 0, "bright": 255}
    monkeypatch.setattr(blind, "way", lambda name, scale: lambda low: np.full_like(low, ways[name]))
    (tmp_path / "in").mkdir()
    for i in range(8):
        noise = np.random.default_rng(i).integers(0, 256, (40, 50, 3), np.uint8)
        pictures.write(tmp_path / f"in/{i}.png", pictures.Picture(noise))
    words = ["make", str(tmp_path / "in"), str(tmp_path / "sheet"), "--pair", "dark", "bright"]
    assert CliRunner().invoke(blind.main, words).exit_code == 0
    return tmp_path / "sheet"


def answer(sheet, better):
    with (sheet / "answers.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("number", "better"), *enumerate(better, 1)])


def test_the_key_says_which_side_is_which(sheet, monkeypatch):
    rows = []
    monkeypatch.setattr(blind, "append", lambda *a, **measured: rows.append(measured))
    key = json.loads((sheet / "key.json").read_text())["pairs"]
    assert sorted(one["file"] for one in key) == [f"{i}.png" for i in range(8)]
    page = pictures.read(sheet / "page-01.png").pixels
    left = [page[64 * i + 44, 10, 0] for i in range(4)]  # rows of 24 + 40 pixels
    assert left == [255 * (one["left"] == "bright") for one in key[:4]]
    answer(sheet, ["left" if one["left"] == "dark" else "right" for one in key])
    result = CliRunner().invoke(blind.main, ["count", str(sheet), "--judge", "a test"])
    assert result.output == "bright 0, dark 8, same 0, sign test p 0.00781\n"
    assert rows[0]["judge"] == "a test" and rows[0]["folder"] == "in"
    assert rows[0]["better"] == [0, 8] and {a["better"] for a in rows[0]["answers"]} == {"dark"}


def test_every_pair_needs_an_answer(sheet):
    answer(sheet, ["left"] * 7 + ["perhaps"])
    result = CliRunner().invoke(blind.main, ["count", str(sheet), "--judge", "a test"])
    assert result.exit_code == 2 and "left, right, same" in result.output


def test_a_judged_sheet_is_not_replaced(sheet):
    words = ["make", str(sheet.parent / "in"), str(sheet), "--pair", "dark", "bright"]
    result = CliRunner().invoke(blind.main, words)
    assert result.exit_code == 2 and "is there already" in result.output


@pytest.mark.parametrize(("wins", "losses", "p"), [(5, 5, 1.0), (9, 1, 22 / 1024), (0, 0, 1.0)])
def test_sign_test(wins, losses, p):
    assert blind.sign_test(wins, losses) == pytest.approx(p)
