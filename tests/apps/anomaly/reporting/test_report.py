import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gantools.apps.anomaly.audit.findings import Finding
from gantools.apps.anomaly.calibration import drift
from gantools.apps.anomaly.calibration.calibrate import Rule, adjusted
from gantools.apps.anomaly.reporting import report
from gantools.apps.anomaly.tables.reasons import Reason

NAME = "<script>alert(1)</script>/\"a\", 'b'.png"


def contents(count=40, n=99, labelled=True, **changes):
    """Return what a report of `count` items tells; the first 10 are odd."""
    random = np.random.default_rng(0)
    ranks = np.sort(np.r_[random.integers(1, 5, 10), random.integers(1, n + 2, count - 10)])
    p = ranks / (n + 1)
    rule = Rule.of(n, 0.05)
    cases = []
    for i, (value, adjust) in enumerate(zip(p, adjusted(p), strict=True)):
        shown = {
            name: random.integers(0, 256, (40, 30, 3), np.uint8)
            for name in ("input", "nearest", "restored", "overlay")
        }
        cases.append(
            report.Case(
                NAME if i == 0 else f"item {i}.png", 9.0 - i / 10, value, adjust,
                rule.verdicts([value])[0], "lot 1", "scratch", int(i < 10) if labelled else None,
                {"ssim": 2.0, "knn5": 0.4}, shown if i < report.CARDS else {},
            )
        )  # fmt: skip
    known = {
        "title": "Anomalies in tiles", "verdict": ("10 of 40 look odd.", "More."), "rule": rule,
        "cases": tuple(cases), "promise": rule.sentence(),
        "findings": (Finding("x", "warning", "Sharpness <b>alone</b> tells."),),
        "lights": (drift.Light("batch", drift.DIFFERS, 0.0, 1.0, "The batch differs."),),
        "references": (("row", "AUROC"), (("knn5", "0.9"),)),
        "calibration": tuple(random.normal(size=99)),
        "groups": ({"group": "lot 1", "items": 3, "score": 1.0, "p": 0.02, "adjusted_p": 0.1,
                    "verdict": "flagged"},),
        "parts": (("part", "ssim", "knn5"), (("ssim", "1.00", "0.2"), ("knn5", "0.2", "1.00"))),
        "facts": {"found": "mvtec"}, "method": ("How.",), "repro": {"seed": 0},
    }  # fmt: skip
    return report.Contents(**known | changes)


@pytest.fixture(scope="module")
def text():
    return report.html(contents())


def test_it_tells_everything_without_script(text):
    plain = re.sub(r"<script>.*?</script></body>", "</body>", text, flags=re.DOTALL)
    assert plain.count("<article") == 40
    assert plain.count("<tr data-p") == 40
    assert plain.count('class="flag"') == plain.count('<article class="card flagged"') >= 10
    for anchor in ("verdict", "top", "all", "calibration", "audit", "parts", "baselines", "groups",
                   "data", "method", "limits", "repro"):  # fmt: skip
        assert f'<section id="{anchor}">' in plain
        assert f'href="#{anchor}"' in plain
    assert "no medical device" in plain
    assert '<label class="screen scripted">' in plain  # hidden until the script shows it
    assert ".scripted{display:none}" in plain
    assert 'id="item-0"' in plain


def test_no_request_leaves_it(text):
    addresses = re.findall(r'\b(?:src|href|action|srcset|poster)\s*=\s*["\']([^"\']*)', text)
    assert addresses
    assert all(a.startswith(("#", "data:")) for a in addresses)
    assert not re.search(r"https?:|//[a-z]+\.|@import|url\(", text)
    assert "default-src 'none'" in text


def test_names_are_text(text):
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;/&quot;a&quot;, &#x27;b&#x27;.png" in text
    assert "<b>alone</b>" not in text


def test_pictures_say_what_they_show(text):
    images = re.findall(r"<img [^>]*>", text)
    assert len(images) == 160
    assert all("alt=" in image and "data:image/jpeg" in image for image in images)
    assert "item 3.png: map, p 0." in text


def test_the_letter_of_the_side_is_on_the_items_own_pictures(text):
    assert '<figure class="input" data-left' not in text
    case = replace(contents().cases[0], left="R")
    marked = report.html(contents(cases=(case,)))
    figures = re.findall(r'<figure class="(\w+)" data-left="R">', marked)
    assert figures == ["input", "restored", "overlay"]
    assert marked.count("the patient&#x27;s right is on the left") == 3


def test_it_stays_small_with_many_items():
    large = contents(20_000)
    text = report.html(large)
    assert len(text) < 15e6
    assert text.count("<tr data-p") == report.ROWS
    assert text.count("<article") == report.CARDS
    assert "The other 15000 items are in scores.csv." in text
    counts = json.loads(re.search(r"data-rule='([^']+)'", text)[1].replace("&quot;", '"'))["counts"]
    assert sum(map(sum, counts.values())) == 20_000


def test_nothing_scored_and_reasons_of_rows():
    assert "Nothing was scored." in report.html(contents(10, cases=()))
    reason = Reason("pulse<", "190", "70", "72", 8.1, 0.5)
    case = report.Case("row 2", 1.0, 0.01, 0.1, "flagged", reasons=(reason,))
    text = report.html(contents(10, cases=(case,)))
    assert "<td>pulse&lt;</td><td>190</td><td>70</td>" in text
    assert "Maps have one scale" not in text


def test_it_is_written_whole_or_not_at_all(tmp_path, monkeypatch):
    report.write(tmp_path / "report.html", contents(10))
    before = (tmp_path / "report.html").read_bytes()
    monkeypatch.setattr(report, "html", lambda c: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        report.write(tmp_path / "report.html", contents(12))
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_bytes() == before


SCRIPT = """
const rows = () => [...document.querySelectorAll("#items tbody tr")];
const flags = () => rows().filter((row) => row.classList.contains("flag")).length;
const press = (key) => document.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
const slider = document.getElementById("fpr");
found.flagsAtStart = flags();
found.told = document.getElementById("fpr-out").textContent;
slider.value = -7; slider.dispatchEvent(new Event("input"));
found.flagsAtTwentyPercent = flags();
slider.value = -30; slider.dispatchEvent(new Event("input"));
found.flagsAtNone = flags();
const names = () => rows().map((row) => row.cells[0].textContent);
found.before = names()[0];
document.querySelector("[data-column='1']").click();
found.ascending = names()[0];
document.querySelector("[data-column='1']").click();
found.descending = names()[0];
const cards = [...document.querySelectorAll(".card")];
cards[0].focus();
const send = (key) => document.activeElement.dispatchEvent(
  new KeyboardEvent("keydown", {key, bubbles: true, cancelable: true}));
send("f"); send("ArrowDown"); send("t");
found.focus = cards.indexOf(document.activeElement);
cards[2].querySelector("[data-mark='f']").click();
cards[3].querySelector("[data-mark='f']").click();
cards[3].querySelector("[data-mark='f']").click();
found.marked = document.getElementById("marked").textContent;
send("m");
found.off = document.body.classList.contains("maps-off");
document.getElementById("opacity").value = 25;
document.getElementById("opacity").dispatchEvent(new Event("input"));
const over = document.querySelector(".overlay img.over");
const under = over.parentElement.querySelector(".under");
const shown = (image) => getComputedStyle(image).opacity;
const input = cards[0].querySelector(".input img");
found.strength = [shown(over), shown(under), under.src === input.src];
const places = [over, under].map((image) => image.getBoundingClientRect());
found.aligned = ["left", "top", "width", "height"].every((k) => places[0][k] === places[1][k]);
found.slider = getComputedStyle(document.querySelector(".scripted")).display;
const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
const print = rules.filter((r) => r instanceof CSSMediaRule && r.conditionText === "print");
found.print = print.map((r) => r.cssText).join(" ");
document.getElementById("feedback").click();
const link = document.getElementById("feedback-link").href;
found.feedback = decodeURIComponent(link.slice(link.indexOf(",") + 1));
"""


def test_the_script_sorts_flags_walks_and_hands_out_feedback(browse, text, tmp_path):
    found = browse(text, SCRIPT)
    assert "error" not in found, found["error"]
    p = np.array([case.p for case in contents().cases])
    assert found["flagsAtStart"] == np.sum(p <= 0.05)
    assert found["flagsAtTwentyPercent"] == np.sum(p <= 0.19 + 1e-9)  # 10 ** -0.7 = 0.1995
    assert found["flagsAtNone"] == 0
    assert "precision" in found["told"] and "recall" in found["told"]
    assert found["before"] == found["descending"] == NAME
    assert found["ascending"] == "item 39.png"
    assert found["focus"] == 1
    assert found["marked"] == "3 marked"
    assert found["off"]
    assert found["strength"] == ["0.25", "1", True]
    assert found["aligned"]
    assert found["slider"] == "inline"
    assert re.search(r"\.layers \.over \{ opacity: 1; \}", found["print"])
    assert ".has-script .scripted { display: none; }" in found["print"]
    lines = found["feedback"].splitlines()
    assert lines[0] == "path,verdict"
    assert lines[1] == '"' + NAME.replace('"', '""') + '",normal'
    assert lines[2:] == ['"item 1.png",anomalous', '"item 2.png",normal']
    from gantools.apps.anomaly.reporting.outputs import read_feedback

    back = tmp_path / "feedback.csv"
    back.write_text(found["feedback"], encoding="utf-8")
    assert read_feedback(back)[NAME] == "normal"


def test_the_assets_ask_for_nothing():
    for path in Path(report.ASSETS).iterdir():
        content = path.read_text()
        assert not re.search(r"https?:|fetch\(|XMLHttp|import\(|eval\(|innerHTML", content), (
            path.name
        )
