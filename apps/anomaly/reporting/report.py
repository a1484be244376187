"""`report.html`: the verdict in one sentence, then every item that deserves a look, with reasons.

One file without a request. Without script it is complete: cards and table are HTML; the script
sorts, filters, moves the threshold, walks by keyboard and hands out `feedback.csv`.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from gantools.data.files import atomic
from gantools.report import page, svg
from gantools.report.page import Section, escape, paragraphs, picture, table

from ..calibration.drift import SAME
from . import outputs

SIDE, CARDS = 160, 60  # pixels of a thumbnail; cards of the oddest items
ROWS = 5000  # of the table of all items; the rest is in scores.csv
LEFT = {"R": "the patient's right is on the left", "A": "the front is on the left"}
ASSETS = Path(__file__).with_name("report_assets")


@dataclass(frozen=True)
class Case:
    """One item of the report.

    Attributes:
        name, group, kind: Texts, "" if unknown.
        label: 0, 1 or None.
        score, p, adjusted: Numbers, NaN if not scored.
        verdict: "flagged", "normal" or "not scored".
        bars: Part -> value in units of the normals' 95 % level.
        pictures: "input", "nearest", "restored", "overlay" -> uint8 `(h, w, c)`; may be empty.
        reason: Sentence instead of a score.
        group_p: p-value of its group, NaN if unknown.
        reasons: `reasons.Reason`s of a table's row.
        stream: Value of the martingale after it, or None.
        left: A key of `LEFT`: what lies on the left of its own pictures; "" unknown.
    """

    name: str
    score: float
    p: float
    adjusted: float
    verdict: str
    group: str = ""
    kind: str = ""
    label: int | None = None
    bars: dict[str, float] = field(default_factory=dict)
    pictures: dict[str, np.ndarray] = field(default_factory=dict)
    reason: str = ""
    group_p: float = float("nan")
    reasons: tuple = ()
    stream: float | None = None
    left: str = ""


@dataclass(frozen=True)
class Contents:
    """What a report tells; empty parts are left out.

    Attributes:
        title: Of the page.
        verdict: Sentences, the first in large type.
        cases: In the order of p, oddest first.
        rule: `calibrate.Rule` or `calibrate.Rules`.
        promise: What the rule promises, in words.
        findings: Of the audit.
        lights: `drift.Light` values.
        references: Rows `(name, values...)` and their head.
        evaluation: `evaluate.Evaluation` or None.
        calibration: Scores of the calibration normals.
        groups: Dicts with the keys `outputs.GROUP_COLUMNS`.
        parts: Head and rows of the rank correlations of the parts.
        facts: Name -> value, of the data.
        method: Sentences.
        repro: Name -> value.
    """

    title: str
    verdict: tuple[str, ...]
    cases: tuple[Case, ...]
    rule: object
    promise: str = ""
    findings: tuple = ()
    lights: tuple = ()
    references: tuple = ((), ())
    evaluation: object = None
    calibration: tuple[float, ...] = ()
    groups: tuple = ()
    parts: tuple = ((), ())
    facts: dict = field(default_factory=dict)
    method: tuple[str, ...] = ()
    repro: dict = field(default_factory=dict)


LIMITS = (
    "For research and sorting only. It is no medical device and must not be used for diagnosis.",
    "It ranks by unlikeness to the normals it was given. What is unlike is not always wrong, and "
    "what is wrong is not always unlike: an anomaly that also occurs among the normals is missed.",
    "A p-value says how rarely a normal of the same source would look this odd. It is no "
    "probability that the item is anomalous.",
)


def write(path, contents: Contents) -> None:
    """Write the report, whole or not at all."""
    text = html(contents)
    with atomic(path) as part:
        part.write_text(text, encoding="utf-8")


def html(c: Contents) -> str:
    """Return the report as one page."""
    sections = [
        Section("verdict", "Verdict", _verdict(c)),
        Section("top", "Look at these", _cards(c)),
        Section("all", "All items", _all(c)),
        Section("calibration", "Calibration", _calibration(c)),
        Section("audit", "Audit of the data", _audit(c)),
        *([Section("parts", "Parts of the score", _parts(c))] if c.parts[1] else []),
        Section("baselines", "Reference rows", _baselines(c)),
        *([Section("eval", "Against the labels", c.evaluation.html())] if c.evaluation else []),
        *([Section("groups", "Groups", _groups(c))] if c.groups else []),
        Section("data", "Data", table(("what", "value"), c.facts.items())),
        Section("method", "Method", paragraphs(*c.method)),
        Section("limits", "Limits", paragraphs(*LIMITS)),
        Section("repro", "To repeat this", table(("what", "value"), c.repro.items())),
    ]
    style, script = ((ASSETS / name).read_text("utf-8") for name in ("report.css", "report.js"))
    return page.page(c.title, sections, lead=c.verdict[0], style=style, script=script)


def _verdict(c):
    return paragraphs(*c.verdict[1:]) + _lights(light for light in c.lights if light.state != SAME)


def _lights(lights):
    rows = [(light.name, light.state, light.sentence) for light in lights]
    return table(("drift check", "state", "what it says"), rows) if rows else ""


def _cards(c):
    shown = [(n, case) for n, case in enumerate(c.cases) if case.pictures or case.reasons][:CARDS]
    if not shown:
        return paragraphs("Nothing was scored.")
    start = (
        '<p class="screen soft">Keys: arrows walk, <kbd>m</kbd> shows or hides the maps, '
        "<kbd>t</kbd> marks a true anomaly, <kbd>f</kbd> a false alarm. "
        '<button id="feedback">Download feedback.csv</button> '
        '<span id="marked" role="status">nothing is marked yet</span></p>'
    )
    legend = _legend() if any("overlay" in case.pictures for _, case in shown) else ""
    return start + legend + "".join(_card(number, case) for number, case in shown)


def _legend():
    colours = "".join(
        f'<i style="background:rgb({",".join(str(int(v)) for v in colour)})"></i>'
        for colour in outputs.RAMP
    )
    return (
        f'<p class="soft">Maps have one scale for all items: 1 <span class="ramp">{colours}</span> '
        "4 times the level that 99.9 % of normal pixels stay under; clear below 1. "
        '<label class="screen scripted">Strength of the maps <input type="range" id="opacity" '
        'min="0" max="100" value="100" aria-label="strength of the maps in percent"></label></p>'
    )


def _card(number, case):
    captions = {
        "input": "input",
        "nearest": "nearest normal (small)",
        "restored": "as if normal",
        "overlay": "map",
    }
    figures = "".join(
        _figure(case, kind, text) for kind, text in captions.items() if kind in case.pictures
    )
    known = {0: "labelled normal", 1: "labelled anomalous"}.get(case.label, "")
    facts = [
        f"score {case.score:.3g}", f"p {case.p:.3g}", f"adjusted p {case.adjusted:.3g}",
        case.group and f"group {case.group}", case.kind, known,
    ]  # fmt: skip
    line = " · ".join(escape(fact) for fact in facts if fact)
    bars = svg.bars(case.bars, title="Parts, in units of the normals' 95 % level", most=4.0)
    return (
        f'<article class="card {escape(case.verdict)}" id="item-{number}" tabindex="0" '
        f'data-name="{escape(case.name)}"><h3><a href="#item-{number}">{escape(case.name)}</a>'
        f'<span class="word">{escape(case.verdict)}</span></h3><p class="soft">{line}</p>'
        f'<div class="row">{figures}<figure class="bars">{bars}'
        "<figcaption>parts; the line is the normals' 95 % level</figcaption></figure></div>"
        f'{_reasons(case)}<p class="screen marks"><button data-mark="t">true anomaly</button> '
        '<button data-mark="f">false alarm</button></p></article>'
    )


def _figure(case, kind, text):
    """Return a picture of a card; the nearest normal may have been taken from another side."""
    left = case.left if kind != "nearest" else ""
    alt = f"{case.name}: {text}, p {case.p:.3g}" + (f", {LEFT[left]}" if left else "")
    mark = f' data-left="{left}"' if left else ""
    return (
        f'<figure class="{kind}"{mark}>{picture(case.pictures[kind], alt, side=SIDE)}'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _reasons(case):
    head = ("column", "value", "typical", "nearest normal", "z", "drop of the score")
    rows = [
        (r.column, r.value, r.typical, r.nearest, f"{r.z:.1f}", f"{r.drop:.3g}")
        for r in case.reasons
    ]
    return table(head, rows, numbers=(4, 5)) if rows else ""


def _all(c):
    rows = "".join(_row(number, case) for number, case in enumerate(c.cases[:ROWS]))
    slider = (
        '<p class="screen"><label>Wanted false alarms among normals <input id="fpr" type="range" '
        f'min="-30" max="-7" value="{round(10 * np.log10(c.rule.fpr))}"></label> '
        '<output id="fpr-out"></output></p>'
    )
    head = "".join(
        f"<th{' class=number' if 0 < i < 4 else ''}><button data-column='{i}'>{name}</button></th>"
        for i, name in enumerate(("item", "score", "p", "adjusted p", "verdict", "group", "kind"))
    )
    data = json.dumps({
        "level": c.rule.level, "grids": c.rule.grids, "counts": _counts(c.cases),
        "told": _counts([case for case in c.cases if case.verdict == "flagged"]),
    })  # fmt: skip
    more = len(c.cases) - ROWS
    left = paragraphs(f"The other {more} items are in scores.csv.") if more > 0 else ""
    return (
        f"{slider}<div class='scroll'><table id='items' data-rule='{escape(data)}'>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>{left}"
    )


def _row(number, case):
    known = case.pictures or case.reasons
    name = f'<a href="#item-{number}">{escape(case.name)}</a>' if known else escape(case.name)
    flag = ' class="flag"' if case.verdict == "flagged" else ""
    return (
        f'<tr data-p="{case.p:.9g}"{flag}><td>{name}</td>'
        f"<td class='number'>{_number(case.score)}</td>"
        f"<td class='number'>{_number(case.p)}</td><td class='number'>{_number(case.adjusted)}</td>"
        f"<td class='verdict'>{escape(case.reason or case.verdict)}</td>"
        f"<td>{escape(case.group)}</td><td>{escape(case.kind)}</td></tr>"
    )


def _counts(cases):
    """Return p -> items without label, normal and anomalous, for the threshold."""
    found = {}
    for case in cases:
        if case.p == case.p:
            row = found.setdefault(f"{case.p:.9g}", [0, 0, 0])
            row[0 if case.label is None else 1 + case.label] += 1
    return found


def _number(value):
    return "" if value != value else f"{value:.3g}"


def _calibration(c):
    p = [case.p for case in c.cases]
    drawn = svg.histogram(
        {"items": p}, title="p-values of the items", axis="p", limits=(0, 1), bins=20,
        marks=[(c.rule.level, "threshold")],
    )  # fmt: skip
    scores = {"held-out normals": c.calibration, "items": [case.score for case in c.cases]}
    both = svg.histogram(scores, title="Scores of held-out normals and of the items", axis="score")
    charts = f'<div class="row">{drawn}{both}</div>'
    lights = f"<details><summary>All drift checks</summary>{_lights(c.lights)}</details>"
    return f"{paragraphs(c.promise)}{charts}{_stream(c)}{lights}"


def _stream(c):
    values = [case.stream for case in c.cases if case.stream]
    if not values:
        return ""
    told = f"Highest value of the stream's martingale: {max(values):.3g}; it rings at 100."
    return paragraphs(told)


def _parts(c):
    head, rows = c.parts
    told = "Rank correlation of the parts over the items: parts that agree count double."
    return paragraphs(told) + table(head, rows, numbers=range(1, len(head)))


def _audit(c):
    if not c.findings:
        return paragraphs("Nothing was found.")
    return "".join(paragraphs(f.sentence, kind=f.severity) for f in c.findings)


def _baselines(c):
    head, rows = c.references
    told = paragraphs(
        "Simple methods on the same data. Where one of them ranks better than the detector, use it."
    )
    return told + table(head, rows, numbers=range(1, len(head))) if rows else paragraphs("None.")


def _groups(c):
    rows = [
        (g["group"], g["items"], _number(g["score"]), _number(g["p"]), g["verdict"])
        for g in c.groups
    ]
    told = (
        "One p for a group, by its oddest item against the chance that so odd a one turns up among "
        "as many normals: large and small groups compare."
    )
    return paragraphs(told) + table(
        ("group", "items", "score", "p", "verdict"), rows, numbers=(1, 2, 3)
    )


def thumbnail(pixels):
    """Return pixels `(h, w, c)` uint8 reduced to the size of a card."""
    longest = max(pixels.shape[:2])
    if longest <= SIDE:
        return pixels
    height, width = (max(1, round(n * SIDE / longest)) for n in pixels.shape[:2])
    small = cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
    return small if small.ndim == 3 else small[..., None]


__all__ = ["Case", "Contents", "html", "thumbnail", "write"]
