import json
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from gantools.apps.superres import compare, options
from gantools.apps.superres.compare import Comparison, Pair, bicubic, places, window

from gantools.cli import main
from gantools.data.pictures import Picture, read, write
from gantools.data.resample import resize
from gantools.errors import ALL_FAILED, DONE, USAGE, UserError

NAME = "<img src=x onerror=alert(1)>\"'&.png"


@pytest.fixture
def page(picture):
    before, after = picture(300, 400, seed=1), picture(300, 400, seed=2)
    pairs = (Pair(NAME, before, after, ("<b>fact</b>",)), Pair("wide.png", before, after))
    return compare.html(Comparison(pairs, left_out=("Cannot read '<u>'.",)))


@pytest.mark.parametrize("size", [(120, 160), (75, 101), (30, 40), (480, 300)])
@pytest.mark.parametrize("wrap", [False, True])
def test_the_part_is_that_of_the_whole_enlargement(picture, size, wrap):
    small = picture(30, 40)
    whole = bicubic(small, size, (0, 0, *size), wrap=wrap)
    box = (size[0] // 3, size[1] // 4, size[0] // 2, size[1] // 2)
    part = bicubic(small, size, box, wrap=wrap)
    top, left, height, width = box
    np.testing.assert_array_equal(part, whole[top : top + height, left : left + width])
    if not wrap:
        exact = resize(small.astype(np.float64), size=size)
        assert np.abs(whole - np.clip(exact, 0, 255)).max() <= 0.501


def test_the_window_has_the_room_it_was_given_and_the_detail():
    small = np.full((100, 200, 3), 90, np.uint8)
    small[60:80, 150:180] = np.random.default_rng(0).integers(0, 256, (20, 30, 3))
    assert window(small, (400, 800), 400 * 800) == (0, 0, 400, 800)
    top, left, height, width = window(small, (400, 800), 200 * 200)
    assert height * width <= 200 * 200
    assert height * width > 190 * 190
    assert top <= 4 * 60 + 4
    assert top + height >= 4 * 80 - 4
    assert left <= 4 * 150 + 4
    assert left + width >= 4 * 180 - 4
    for size, room in [((4, 30_000), 10_000), ((30_000, 4), 10_000), ((5, 5), 1), ((7, 9), 10)]:
        grey = np.zeros((max(1, size[0] // 2), max(1, size[1] // 2), 3), np.uint8)
        top, left, height, width = window(grey, size, room)
        assert 0 <= top <= size[0] - height
        assert 0 <= left <= size[1] - width
        assert 1 <= height * width <= room


def test_names_are_text_and_no_request_leaves(page):
    assert "<img src=x" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;&quot;&#x27;&amp;.png" in page
    assert "<b>fact" not in page
    assert "Cannot read &#x27;&lt;u&gt;" in page
    addresses = re.findall(r'\b(?:src|href|action|srcset|poster)\s*=\s*["\']([^"\']*)', page)
    assert all(a.startswith(("#", "data:")) for a in addresses if a != "x onerror=alert(1)&gt;")
    assert not re.search(r"https?:|@import|url\(", page)
    assert "default-src 'none'; img-src data:" in page


def test_without_script_both_are_there(page):
    plain = re.sub(r"<script>.*?</script></body>", "</body>", page, flags=re.DOTALL)
    assert plain.count("data:image/jpeg") == 4
    assert plain.count("<figcaption>bicubic</figcaption>") == 2


def test_the_assets_ask_for_nothing():
    for path in Path(compare.ASSETS).iterdir():
        assert not re.search(
            r"https?:|fetch\(|XMLHttp|import\(|eval\(|innerHTML|url\(", path.read_text()
        ), path.name


def test_many_large_pictures_stay_under_ten_megabytes():
    noise = np.random.default_rng(0).integers(0, 256, (600, 800, 3), np.uint8)
    pairs = tuple(Pair(f"{i}.png", noise, noise) for i in range(20))
    assert len(compare.html(Comparison(pairs))) < 10_000_000


SCRIPT = """
const pair = document.querySelector(".pair"), line = pair.querySelector(".line");
const before = pair.querySelector(".before"), view = pair.querySelector(".view");
const stage = pair.querySelector(".stage");
const share = () => 100 - parseFloat(before.style.clipPath.split(" ")[1]);
const press = (key, more = {}) => line.dispatchEvent(
  new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true, ...more}));
const point = (target, type, x, kind) => {
  const box = view.getBoundingClientRect();
  target.dispatchEvent(new PointerEvent(type, {
    bubbles: true, cancelable: true, pointerId: 1, pointerType: kind, button: 0,
    clientX: box.left + x * view.clientWidth, clientY: box.top + 20}));
};
Element.prototype.setPointerCapture = () => {};  // a made-up pointer cannot be captured
found.start = share();
press("ArrowRight"); found.right = share();
press("ArrowLeft", {shiftKey: true}); found.left = share();
press("Home"); found.home = share(); press("End"); found.end = share();
found.spoken = line.getAttribute("aria-valuenow");
press(" "); found.held = share();
line.dispatchEvent(new KeyboardEvent("keyup", {key: " "})); found.released = share();
point(view, "pointerdown", 0.25, "mouse"); found.mouse = share();
point(view, "pointermove", 0.75, "mouse"); found.dragged = share();
point(view, "pointerup", 0.75, "mouse"); point(view, "pointermove", 0.1, "mouse");
found.dropped = share();
point(view, "pointerdown", 0.1, "touch"); found.scrolls = share();
point(line, "pointerdown", 0.4, "touch"); point(line, "pointermove", 0.6, "touch");
found.touch = share(); point(line, "pointerup", 0.6, "touch");
const width = () => stage.getBoundingClientRect().width;
const zoom = (name) => document.querySelector(`[data-zoom='${name}']`).click();
found.fit = width(); zoom("1"); found.one = width(); zoom("2"); found.two = width();
found.wide = view.scrollWidth > view.clientWidth || width() <= view.clientWidth;
found.boxes = document.querySelectorAll("h2 img, h2 b, p b, p u").length;
found.title = document.querySelector("h2").textContent;
found.asked = performance.getEntriesByType("resource").map((e) => e.name)
  .filter((name) => !name.startsWith("data:"));
const violated = new Promise((done) => {
  document.addEventListener("securitypolicyviolation", (e) => done(e.effectiveDirective));
  setTimeout(() => done("nothing"), 2000);
});
new Image().src = "http://127.0.0.1:9/x.png";
found.violated = await violated;
found.fetched = await fetch("http://127.0.0.1:9/x").then(() => "sent", () => "refused");
"""


def test_the_slider_moves_in_a_browser(browse, page):
    found = browse(page, SCRIPT)
    assert "error" not in found, found["error"]
    close = lambda value: pytest.approx(value, abs=0.3)
    assert found["start"] == close(50)
    assert found["right"] == close(51)
    assert found["left"] == close(41)
    assert (found["home"], found["end"], found["spoken"]) == (close(0), close(100), "100")
    assert (found["held"], found["released"]) == (close(0), close(100))
    assert (found["mouse"], found["dragged"], found["dropped"]) == (close(25), close(75), close(75))
    assert (found["scrolls"], found["touch"]) == (close(75), close(60))
    assert (found["fit"], found["one"], found["two"]) == (close(400), close(400), close(800))
    assert found["wide"]
    assert found["boxes"] == 0
    assert found["title"] == NAME
    assert found["violated"] == "img-src"
    assert found["fetched"] == "refused"
    assert found["asked"] == []


def run(*words):
    return main(["superres", *map(str, words)])


@pytest.fixture
def photos(tmp_path, picture):
    (tmp_path / "in").mkdir()
    for seed, name in enumerate(("a.png", "b.png")):
        write(tmp_path / "in" / name, Picture(picture(24, 32, seed=seed)))
    write(tmp_path / "in/clear.png", Picture(picture(24, 32, 4, np.uint16)))
    return tmp_path / "in"


def test_the_command_makes_a_page_and_a_picture_of_both(photos, weights, tmp_path, capsys):
    assert run("--compare", photos / "a.png", "--model", weights) == DONE
    assert "a_x4_compare.html" in capsys.readouterr().err
    text = (photos / "a_x4_compare.html").read_text()
    assert text.count("data:image/jpeg") == 2
    assert "32x24 became 128x96 pixels." in text
    both = read(photos / "a_x4_compare.png").pixels
    assert both.shape == (96 + compare.STRIP + compare.GAP, 2 * 128 + compare.GAP, 3)
    small, large = read(photos / "a.png").pixels, read(photos / "a_x4.png").pixels
    cut = np.s_[compare.STRIP : compare.STRIP + 96]
    np.testing.assert_array_equal(both[cut][:, -128:], large)
    assert np.abs(both[cut][:, :128].astype(int) - resize(small, 4)).mean() < 0.5
    assert both[: compare.STRIP, :128].min() < 100  # the label
    assert both[: compare.STRIP, -128:].min() < 100


def test_a_folder_has_one_page_also_of_what_was_there(photos, weights, tmp_path, capsys):
    out = tmp_path / "out"
    (photos / "broken.png").write_bytes(b"no")
    run(photos, "-o", out, "--model", weights, "-q")
    run(photos, "-o", out, "--model", weights, "--compare", "-q")
    text = (out / "compare.html").read_text()
    assert all(f"<h2>{name}</h2>" in text for name in ("a.png", "b.png", "clear.png"))
    assert run(photos, "-o", out, "--model", weights, "--compare") == USAGE
    assert "already there. Give --overwrite" in capsys.readouterr().err


def test_mistakes_are_known_before_the_work(photos, weights, tmp_path, capsys):
    assert run(photos / "a.png", "--model", weights, f"--compare={tmp_path / 'x.png'}") == USAGE
    assert "a name that ends in .html" in capsys.readouterr().err
    assert not (photos / "a_x4.png").exists()
    with pytest.raises(UserError, match=r"a\.png' would be a result, too"):
        places(str(tmp_path / "a.html"), [], [tmp_path / "a.png"], overwrite=True)
    (photos / "broken.png").write_bytes(b"no")
    assert run(photos / "broken.png", "--model", weights, "--compare") == ALL_FAILED
    assert not list(photos.glob("*.html"))


def test_neither_page_nor_report_replaces_an_input(photos, weights, tmp_path, capsys):
    small, there = photos / "a.png", tmp_path / "there.json"
    there.write_text("mine")
    before = {path: path.read_bytes() for path in (*photos.iterdir(), there)}
    for words, text in [
        (["--compare", photos / "a.html", "--overwrite"], "a.png' would replace an input"),
        (["--report", photos / "b.png"], "Give a name that ends in .json"),
        (["--report", there], "there.json' is already there. Give --overwrite"),
        (["--report", tmp_path / "none/r.json"], "its folder does not exist"),
        ([f"--compare={tmp_path / 'none/c.html'}"], "its folder does not exist"),
    ]:
        assert run(small, "--model", weights, *words) == USAGE
        assert text in capsys.readouterr().err
    assert {path: path.read_bytes() for path in (*photos.iterdir(), there)} == before
    assert run(small, "--model", weights, "--report", there, "--overwrite") == DONE
    assert there.read_text() != "mine"


def test_a_word_after_compare_is_its_value_only_if_it_is_a_page():
    assert options.page_named(["--compare", "a.png"]) == ["--compare=", "a.png"]
    assert options.page_named(["a.png", "--compare"]) == ["a.png", "--compare="]
    assert options.page_named(["--compare", "p.HTML", "a"]) == ["--compare", "p.HTML", "a"]
    assert options.page_named(["--compare=p.html"]) == ["--compare=p.html"]


def test_what_cannot_be_shown_is_told(photos, weights, tmp_path, capsys, monkeypatch):
    write(photos / "bright.tif", Picture(np.full((24, 32, 3), 2.5, np.float32)))
    words = ("--model", weights, "--compare", "-q")
    assert run(photos / "bright.tif", "-o", tmp_path / "b.tif", *words) == DONE
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith("Not compared: bright.tif: expected floating-point levels in [0, 1].")
    assert second == "There is no page of before and after: no picture can be shown."
    assert not list(tmp_path.glob("*.html"))
    real = compare.pictures.read
    monkeypatch.setattr(compare.pictures, "read", lambda path: real(path, max_pixels=5000))
    assert run(photos / "a.png", *words) == DONE
    assert "Not compared: a.png: " in capsys.readouterr().err  # the result is too large
    monkeypatch.undo()
    assert run(photos, "-o", tmp_path / "out", *words) == DONE
    assert capsys.readouterr().err.startswith("Not compared: bright.tif: ")
    assert "bright.tif: expected floating-point" in (tmp_path / "out/compare.html").read_text()


def test_each_share_has_a_page_of_its_own(photos, weights, tmp_path):
    out = tmp_path / "out"
    for part in ("1/2", "2/2"):
        words = ("-o", out, "--model", weights, "-q", "--compare", "--shard", part)
        assert run(photos, *words) == DONE
    assert {path.name for path in out.glob("compare*")} == {
        f"compare_{i}-of-2.{ext}" for i in (1, 2) for ext in ("html", "png")
    }
    pages = [(out / f"compare_{i}-of-2.html").read_text() for i in (1, 2)]
    names = [set(re.findall("<h2>(.*?)</h2>", text)) for text in pages]
    assert names[0] | names[1] == {"a.png", "b.png", "clear.png"}
    assert not names[0] & names[1]


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
def test_names_that_are_not_utf_8(photos, weights, tmp_path, capsys):
    odd = os.fsdecode(b"caf\xe9.png")
    (photos / "b.png").rename(photos / odd)
    (photos / "a.png").rename(photos / "a\u00e9.png")
    out, words = tmp_path / "out", (photos, "--model", weights, "-o", tmp_path / "out", "-q")
    assert run(*words, "--dry-run") == DONE
    assert "caf\\xe9.png -> " in capsys.readouterr().out
    assert run(*words, "--compare", "--json", "--report", tmp_path / "r.json") == DONE
    text = (out / "compare.html").read_text("utf-8")
    assert "<h2>caf\\xe9.png</h2>" in text
    assert "<h2>a\u00e9.png</h2>" in text
    for told in (capsys.readouterr().out, (tmp_path / "r.json").read_text("utf-8")):
        assert str(photos / odd) in [one["source"] for one in json.loads(told)["pictures"]]
    for part in ("1/2", "2/2"):
        assert run(*words, "--shard", part, "--overwrite") == DONE


@pytest.mark.parametrize("channels", [2, 4])
def test_before_and_after_stand_before_one_background(channels, weights, tmp_path):
    pixels = np.full((24, 32, channels), 200, np.uint8)
    pixels[:, :16, -1] = 0
    write(tmp_path / "a.png", Picture(pixels))
    words = ("--background", "black", "--model", weights, "--compare", "-q")
    assert run(tmp_path / "a.png", *words) == DONE
    both = read(tmp_path / "a_x4_compare.png").pixels[compare.STRIP : compare.STRIP + 96]
    assert both[:, :40].max() < 10
    assert both[:, -128:-88].max() < 10
    assert both[:, 90:128].min() > 150
