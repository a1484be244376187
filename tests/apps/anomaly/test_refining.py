"""What a person says of flagged items, and what it may do to p: only raise it."""

import csv
import re
from types import SimpleNamespace

import numpy as np
import pytest
from gantools.apps.anomaly import fitted, refining
from gantools.apps.anomaly.calibration.judge import Judge, Raw

from gantools import cli
from gantools.errors import DONE, USAGE

from .conftest import make_tiles

FAST = ("--detector", "references", "-q")


def run(*args):
    return cli.main(["anomaly", *map(str, args)])


@pytest.fixture(scope="module")
def scored(tile_folder, tmp_path_factory):
    """Return a model and `scores.csv` of the test part as rows, oddest first."""
    out = tmp_path_factory.mktemp("out")
    assert run("fit", "--data", tile_folder, "--model", out / "m", *FAST) == DONE
    data = ("--data", tile_folder / "test", "--model", out / "m")
    assert run("score", *data, "-o", out / "o", "-q") == DONE
    return out / "m", list(csv.DictReader((out / "o/scores.csv").read_text().splitlines()))


def refined(scored, tile_folder, tmp_path, marks, *more):
    feedback = tmp_path / "feedback.csv"
    feedback.write_text("\n".join(["path,verdict", *(f"{n},{w}" for n, w in marks.items())]))
    data = ("--data", tile_folder / "test", "-o", tmp_path / "refined")
    return run("refine", scored[0], feedback, *data, *more)


def test_only_marks_of_flagged_items_count_and_all_are_told(scored, tile_folder, tmp_path, capsys):
    model, rows = scored
    flagged = [row["path"] for row in rows if row["verdict"] == "flagged"]
    assert len(flagged) > 3
    marks = {flagged[0]: "anomalous", flagged[1]: "normal", flagged[2]: "normal",
             rows[-1]["path"]: "normal", "gone.png": "normal", "lost.png": "anomalous"}  # fmt: skip
    assert refined(scored, tile_folder, tmp_path, marks) == DONE
    said = capsys.readouterr().err
    assert "warning: 2 of 6 names of" in said and "(gone.png, lost.png)" in said
    assert f"{flagged[0]} is anomalous by your word" in said
    assert "1 marks of normal are of items that are not flagged" in said
    assert "2 normals took the place of the least odd" in said
    old, new = (fitted.Fitted.load(path) for path in (model, tmp_path / "refined"))
    assert len(new.judge.normal_scores) == len(old.judge.normal_scores)
    assert (np.sort(new.judge.normal_scores) >= np.sort(old.judge.normal_scores)).all()
    assert new.facts["refined"] == 2
    assert new.judge.rule(0.05).level == old.judge.rule(0.05).level


def test_nothing_of_the_feedback_is_there(scored, tile_folder, tmp_path, capsys):
    assert refined(scored, tile_folder, tmp_path, {"nobody.png": "normal"}) == USAGE
    assert "None of the 1 items" in capsys.readouterr().err


def test_marks_are_judged_at_the_rate_that_the_items_were_flagged_at(
    scored, tile_folder, tmp_path, capsys
):
    rows = [row for row in scored[1] if 0.05 < float(row["p"]) < 0.4][:3]
    marks = {row["path"]: "normal" for row in rows}
    assert refined(scored, tile_folder, tmp_path, marks, "--fpr", "0.5") == DONE
    assert f"{len(rows)} normals took the place" in capsys.readouterr().err


def model_of(random, grouped=False):
    first, second = (
        Raw(({"a": random.normal(size=100)},), [f"{part}{i}" for i in range(100)],
            [f"{part}{i // (1 + i % 7)}" if grouped else None for i in range(100)])
        for part in "ab"
    )  # fmt: skip
    return SimpleNamespace(judge=Judge.fit(("a",), first, second), facts={})


def take(model, values, level, marked=None):
    items = [SimpleNamespace(name=f"n{i}") for i in range(len(values))]
    model.raw = lambda *_: Raw(
        ({"a": np.asarray(values)},), [i.name for i in items], [None] * len(items)
    )
    marked = {item.name: "normal" for item in items} if marked is None else marked
    return refining.take(model, None, items, marked, level)


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_p_never_becomes_smaller_whatever_a_person_marks(seed, grouped):
    random = np.random.default_rng(seed)
    model = model_of(random, grouped)
    assert bool(model.judge.calibration.groups) == grouped
    grid = np.linspace(-9, 9, 900)
    before = model.judge.calibration.p(grid)
    take(model, random.normal(1, 2, 40), 1.0)
    after = model.judge.calibration.p(grid)
    assert (after >= before - 1e-12).all() and (after > before + 1e-9).any()


def test_false_alarms_keep_to_the_rate_when_a_person_marks_the_sure_ones():
    """A person marks the less odd two thirds of what was flagged: added, they gave 7 % for 5 %."""
    rates, random = [], np.random.default_rng(0)
    for _ in range(300):
        model, seen = model_of(random), random.normal(size=100)
        scores, p = model.judge.judged(
            Raw(({"a": seen},), [f"x{i}" for i in range(100)], [None] * 100)
        )
        flagged = np.sort(seen[p <= 0.1])
        take(model, flagged[: 2 * len(flagged) // 3], 0.1)
        new = Raw(({"a": random.normal(size=200)},), [f"y{i}" for i in range(200)], [None] * 200)
        found = model.judge
        rates.append(np.mean(found.rule(0.05).flags(found.judged(new)[1])))
    assert np.mean(rates) < 0.05


def test_marks_that_change_nothing_are_told_with_the_reason():
    model = model_of(np.random.default_rng(0))
    take(model, [5.0, 6.0], 0.5)
    lines = " ".join(take(model, [5.0, 6.0, 7.0], 0.5))
    assert "2 marks of normal are of items that this model was fitted on or calibrated" in lines
    assert "1 normals took the place" in lines
    items = [SimpleNamespace(name=name) for name in ("x", "y")]
    model.raw = lambda *_: Raw(({"a": np.array([8.0, 8.0])},), ["one", "one"], [None, None])
    lines = " ".join(refining.take(model, None, items, dict.fromkeys("xy", "normal"), 0.5))
    assert "1 marks are of copies of other items" in lines and "1 normals took" in lines


def test_marks_on_the_half_that_the_kept_model_was_made_of_are_told(tmp_path, capsys):
    data, out = (
        make_tiles(tmp_path / "tiles", 160, good=0, bad=0) / "train" / "good",
        tmp_path / "out",
    )
    assert run("--data", data, "-o", out, *FAST) == DONE
    names = [path.name for path in sorted(data.iterdir())]
    marks = "\n".join(["path,verdict", *(f"{name},normal" for name in names)])
    (tmp_path / "feedback.csv").write_text(marks)
    kept = ("refine", out / "model", tmp_path / "feedback.csv", "--data", data)
    capsys.readouterr()
    assert run(*kept, "-o", tmp_path / "new") == DONE
    said = capsys.readouterr().err
    assert re.search(r"\b(7\d|8\d) marks of normal are of items that this model was fitted", said)


def test_marked_items_are_known_again():
    model = model_of(np.random.default_rng(0))
    take(model, [5.0, 6.0], 0.5)
    assert model.judge.seen(["n0", "n1", "b3", "new"]).tolist() == [True, True, True, False]
    take(model, [5.0, 6.0], 0.5)
    assert model.facts["refined"] == 2
