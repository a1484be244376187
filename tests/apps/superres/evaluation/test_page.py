import os
import re
import sys

import numpy as np
import pytest
from gantools.apps.superres.enlarge import Upscaler
from gantools.apps.superres.evaluation.evaluate import evaluate, mean
from gantools.apps.superres.evaluation.page import Worst, html

from gantools.cli import main
from gantools.data.pictures import Picture, write
from gantools.errors import DONE, REQUIREMENT, USAGE

NAME = "<script>alert(1)<b>.png"  # a slash cannot be in a name


@pytest.fixture
def page(tmp_path, make_network, picture):
    (tmp_path / "in").mkdir()
    for name, seed in ((NAME, 1), ("b.png", 2)):
        write(tmp_path / "in" / name, Picture(picture(200, 240, seed=seed)))
    worst = Worst(side=64)
    scores = evaluate(tmp_path / "in", Upscaler(make_network(gain=0.2)), seen=worst.add)
    return html("Evaluation of <x>", [("in & out", scores, mean(scores))], worst)


def test_the_worst_window_is_found():
    high = np.random.default_rng(0).integers(0, 256, (100, 120, 3), np.uint8)
    off = high.astype(int)
    off[50:60, 70:90] += np.where(off[50:60, 70:90] < 128, 60, -60)
    results = {"network": off.astype(np.uint8), "bicubic": high, "lanczos": high}
    worst = Worst(most=1, side=32)
    worst.add("good", high, dict.fromkeys(results, high))
    worst.add("bad", high, results)
    (crop,) = worst.crops
    assert crop.name == "bad"
    left, top = crop.at
    assert top <= 50
    assert top + 32 >= 60
    assert left <= 70
    assert left + 32 >= 90
    assert crop.errors["network"] == pytest.approx(3600 * 10 * 20 / 32**2)
    assert crop.errors["bicubic"] == 0
    np.testing.assert_array_equal(crop.pixels["original"], high[top : top + 32, left : left + 32])


def test_the_page_tells_all_ways_and_names_are_text(page):
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;b&gt;.png" in page
    assert "in &amp; out" in page
    for word in ("network", "bicubic", "lanczos", "original"):
        assert f"<td>{word}</td>" in page
        assert page.count(f"<figcaption>{word}") == 2
    assert page.count("data:image/png") == 8
    addresses = re.findall(r'\b(?:src|href)\s*=\s*["\']([^"\']*)', page)
    assert all(a.startswith(("#", "data:")) for a in addresses)


def test_in_a_browser_nothing_leaves_and_nothing_runs(browse, page):
    script = """
    found.images = [...document.images].every((i) => i.src.startsWith("data:"));
    await Promise.all([...document.images].map((i) => { i.loading = "eager"; return i.decode(); }));
    found.sizes = [...document.images].map((i) => i.naturalWidth);
    found.title = document.querySelector("#worst h3").textContent;
    found.names = [...document.querySelectorAll("#worst h3")].map((h) => h.textContent);
    found.lines = document.querySelectorAll("polyline").length;
    """
    found = browse(page, script)
    assert "error" not in found, found["error"]
    assert found["images"]
    assert found["sizes"] == [64] * 8
    assert NAME in found["names"]
    assert found["lines"] == 3
    assert found["asked"] == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_utf_8(tmp_path, weights, picture, capsys):
    (tmp_path / "in").mkdir()
    write(tmp_path / "in/a.png", Picture(picture(80, 96)))
    (tmp_path / "in/a.png").rename(tmp_path / "in" / os.fsdecode(b"caf\xe9.png"))
    words = ["superres", "eval", str(tmp_path / "in"), "--model", str(weights), "-q", "-v"]
    assert main([*words, "--html", str(tmp_path / "p.html")]) == DONE
    assert "  caf\\xe9.png: " in capsys.readouterr().out
    assert "<h3>caf\\xe9.png</h3>" in (tmp_path / "p.html").read_text("utf-8")


def test_required_figures(tmp_path, weights, picture, capsys):
    write(tmp_path / "a.png", Picture(picture(80, 96)))
    words = ["superres", "eval", str(tmp_path), "--model", str(weights), "-q"]
    assert main([*words, "--require", "gain", "-50", "--require", "drift", "50"]) == DONE
    assert main([*words, "--require", "gain", "50"]) == REQUIREMENT
    shown = capsys.readouterr()
    assert "lanczos" in shown.out and "at least 50 is required" in shown.err
    assert main([*words, "--require", "psnr_y", "50"]) == USAGE
    assert "no figure 'psnr_y'. Expected one of consistency, drift, gain" in capsys.readouterr().err


def test_a_page_replaces_only_an_earlier_page(tmp_path, weights, picture, capsys):
    write(tmp_path / "sharp.png", Picture(picture(80, 96)))
    (tmp_path / "mine.html").write_text("<p>mine")
    words = ["superres", "eval", str(tmp_path / "sharp.png"), "--model", str(weights), "-q"]
    for name, text in [
        ("mine.html", "already there. It is no page of an earlier command"),
        ("sharp.png", "Give a name that ends in .html"),
        ("none/a.html", "its folder does not exist"),
    ]:
        assert main([*words, "--html", str(tmp_path / name)]) == USAGE
        out, err = capsys.readouterr()
        assert text in err
        assert out == ""  # before anything was measured
    assert (tmp_path / "mine.html").read_text() == "<p>mine"
    for _ in range(2):
        assert main([*words, "--html", str(tmp_path / "page.html")]) == DONE
