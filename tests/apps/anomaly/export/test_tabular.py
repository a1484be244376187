"""The exported file of a table gives the numbers of the program, without it."""

import json
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from gantools.apps.anomaly import Detector
from gantools.apps.anomaly.api import looked_table
from gantools.apps.anomaly.export import exporting

from gantools import cli
from gantools.errors import DONE, USAGE, UserError

from . import alone

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def visits(count, seed=0):
    """Return a table of every kind of column that a graph reads."""
    random = np.random.default_rng(seed)
    start, minutes = datetime(2024, 1, 1), random.integers(0, 500_000, count)
    size = np.round(np.r_[np.zeros(count // 2), np.exp(random.normal(5, 2, count - count // 2))])
    x = random.normal(50, 5, count)
    return {
        "age": np.where(random.random(count) < 0.05, np.nan, x),
        "bytes": size,
        "kind": random.choice(["a", "b", "", "ü"], count).astype(object),
        "flag": random.integers(0, 2, count).astype(float),
        "one": np.full(count, 3.0),
        "code": np.array([f"c{i}" for i in random.integers(0, 40, count)], object),
        "when": np.array([str(start + timedelta(minutes=int(m))) for m in minutes], object),
        "mixed": np.array(["n/k" if v > 9 else f"{v:.3f}" for v in x - 50], object),
        "note": np.array([f"part {i % 150} of lot {i % 7}" for i in range(count)], object),
        "score": 2 * x + random.normal(0, 1, count),
        "/Sub_1": random.normal(size=count),
    }


def strange(table):
    """Return the table with cells that no normal had."""
    table["kind"][:3] = ["new", "NA", "A"]
    table["age"][1:4] = np.inf, 1e9, np.nan
    table["bytes"][2:5] = np.nan, 1e12, -4
    table["mixed"][:5] = ["word", "", "1e5", "007", "-inf"]
    table["flag"][3], table["one"][4], table["code"][5] = 7, 4, "c77"
    table["when"][:3] = ["no date", "", "2031-05-27 06:00"]
    table["note"][2:5] = ["", "ALL WRONG!", "part 3"]
    table["score"][6:9] += 60
    return table


def seconds(text):
    """Return what the file's metadata say of dates."""
    if not text:
        return np.nan
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return np.inf


def facts_of(content):
    return {p.key: p.value for p in onnx.load_from_string(content).metadata_props}


def same(detector, table, folder):
    """Compare the file with the program, row by row."""
    content, judge = exporting.exported(detector.model), detector.model.judge
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    ready, calls = {"date": seconds, "pieces": alone.pieces}, {}
    for name, told in json.loads(facts_of(content)["inputs"]).items():
        make, cells = ready.get(told["holds"]), table[told["column"]]
        calls[name] = cells if make is None else np.array([make(text) for text in cells])
    found = alone.run(content, {name: x[None] for name, x in calls.items()}, folder)
    looked = looked_table(table, None)
    raw = detector.model.raw(looked.reader, list(looked.collection.items))
    raw.hashes = None  # then ties count against an item's oddness, as in the file
    scores, p = judge.judged(raw)
    np.testing.assert_allclose(found["score"][0], scores, rtol=1e-4, atol=1e-5)
    parts = np.stack([raw.mean()[name] for name in judge.ranking], axis=1)
    np.testing.assert_allclose(found["parts"][0], parts, rtol=1e-4, atol=1e-6)
    ranks = (found["p"][0] - p) * (len(judge.normal_scores) + 1)
    assert np.abs(ranks).max() < 1.01, ranks
    return content, found


def test_every_kind_of_column(tmp_path):
    detector = Detector().fit(visits(1500))
    kinds = {c.kind for m in detector.model.members for c in m.transform.columns}
    assert kinds == {"number", "category", "boolean", "constant", "date", "text", "frequency"}
    content, found = same(detector, strange(visits(60, 1)), tmp_path)
    assert found["p"].min() < 0.05 < 0.3 < found["p"].max()
    facts = facts_of(content)
    inputs = json.loads(facts["inputs"])
    assert inputs["score_"] == {"column": "score", "holds": "number"} and "score" not in inputs
    assert inputs["mixed"]["holds"] == "text" and inputs["when"]["holds"] == "date"
    assert inputs["note"]["holds"] == "pieces" and inputs["code"]["holds"] == "text"
    assert [told["column"] for told in inputs.values()] == list(visits(2))
    assert facts["parts"] == "knn5,pca80,mahalanobis,forest" and facts["detector"] == "table"
    assert "seconds since 1970-01-01 UTC" in facts["rows"]


def test_folds_of_few_rows(tmp_path):
    detector = Detector().fit(visits(50))
    assert detector.model.judge.is_crossed
    content, _ = same(detector, strange(visits(20, 1)), tmp_path)
    inputs = json.loads(facts_of(content)["inputs"])  # of codes there are 20 in one fold
    assert {inputs[n]["holds"] for n in ("code", "code_")} == {"text", "pieces"}


def test_equal_rows_tie_whatever_is_rounded(tmp_path):
    """Of rows of few values most are equal: the file must not tell them apart by the last bits."""
    random = np.random.default_rng(0)

    def table(count):
        return {"a": random.choice(["x", "y", "z"], count, p=[0.6, 0.3, 0.1]).astype(object),
                "b": random.integers(0, 3, count).astype(float),
                "c": random.integers(0, 2, count).astype(float)}  # fmt: skip

    detector = Detector().fit(table(600))
    _, found = same(detector, table(40), tmp_path)
    assert len(np.unique(found["p"])) < 20


def test_groups_count_in_the_file_as_in_the_program(tmp_path):
    detector = Detector().fit(visits(400), groups=[f"g{i // 4}" for i in range(400)])
    assert detector.model.judge.is_grouped
    same(detector, strange(visits(20, 1)), tmp_path)


def test_what_cannot_be_exported_gets_a_sentence():
    model = Detector().fit(visits(40)).model
    with pytest.raises(UserError, match="--size, --deep and --bytes are for models of pictures"):
        exporting.exported(model, (8, 8))
    model.kind = "alad"
    with pytest.raises(
        UserError, match="'alad' scores with Keras .* --detector auto or references"
    ):
        exporting.exported(model)


def test_the_command(tmp_path, capsys):
    Detector().fit(visits(100)).save(tmp_path / "m")

    def run(*words):
        return cli.main(["anomaly", "export", "--model", str(tmp_path / "m"), *words])

    out = str(tmp_path / "s.onnx")
    assert run("-o", out) == DONE
    assert "score and p of knn5, pca80, mahalanobis, forest." in capsys.readouterr().err
    outputs = {o.name for o in onnx.load(out).graph.output}
    assert outputs == {"score", "p", "parts"}
    assert run("-o", out, "--overwrite", "--bytes") == USAGE
