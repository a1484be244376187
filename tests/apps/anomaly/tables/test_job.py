"""Tables end to end, and what their columns are for."""

import csv
import json

import numpy as np
import pytest
from gantools.apps.anomaly.tables import model as table_model

from gantools import cli
from gantools.errors import ALL_FAILED, DONE, SOME_FAILED, USAGE

from .files import write


def run(*args):
    return cli.main(["anomaly", *map(str, args)])


def scores(out):
    return list(csv.DictReader((out / "scores.csv").read_text().splitlines()))


def rows_of(normals=150, odd=12, seed=0):
    """Return rows of mixed columns; the odd ones break the rule weight = 2 * height."""
    random = np.random.default_rng(seed)
    rows = []
    for i in range(normals + odd):
        height = random.normal(10, 2)
        weight = 2 * height + random.normal(0, 0.3) + (9 if i >= normals else 0)
        colour = "violet" if i >= normals + odd // 2 else random.choice(["red", "blue"])
        rows.append({
            "height": f"{height:.3f}", "weight": f"{weight:.3f}", "colour": colour,
            "date": f"2024-01-{1 + i % 28:02} 10:{i % 60:02}", "patient": f"p{i // 3}",
            "label": "normal" if i < normals else "sick",
        })  # fmt: skip
    return rows


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    return write(tmp_path_factory.mktemp("table") / "visits.csv", rows_of())


@pytest.fixture(scope="module")
def done(table, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "out"
    assert run("--data", table, "-o", out, "--groups", "patient", "-q") == DONE
    return out


def test_a_labelled_table_is_ranked_and_explained(done):
    rows = scores(done)
    truth = {f"row {i + 2}" for i in range(150, 162)}
    assert {row["path"] for row in rows[:12]} == truth
    assert 12 + 3 < len(rows) < 12 + 50  # the anomalies, and 20 % of the normals
    assert "weight" in rows[0]["reason"] or "colour = violet" in rows[0]["reason"]
    assert all(row["group"].startswith("p") for row in rows)
    text = (done / "report.html").read_text()
    assert "<th>nearest normal</th>" in text and "violet" in text
    found = json.loads((done / "evaluation.json").read_text())
    assert found["rows"]["detector"]["auroc"] > 0.98
    assert not list((done / "maps").iterdir())


def test_the_label_is_never_a_feature(done):
    member = table_model.FittedTable.load(done / "model").members[0]
    names = [column.name for column in member.transform.columns if column.width]
    assert "height" in names
    assert not {"label", "patient"} & set(names)


def test_a_kept_model_scores_a_new_table(done, tmp_path, capsys):
    fresh = write(tmp_path / "new.csv", [{k: v for k, v in row.items() if k != "label"}
                                         for row in rows_of(60, 10, seed=3)])  # fmt: skip
    out = tmp_path / "out"
    assert (
        run("score", "--data", fresh, "--model", done / "model", "-o", out, "--json", "-q") == DONE
    )
    counts = json.loads(capsys.readouterr().out)
    assert counts["items"] == 70
    assert "too-few" not in (out / "audit.json").read_text()
    rows = scores(out)
    assert {row["path"] for row in rows[:10]} == {f"row {i + 2}" for i in range(60, 70)}
    for number in (1, 2):
        shard = tmp_path / f"s{number}"
        assert run("score", "--data", fresh, "--model", done / "model", "-o", shard,
                   "--shard", f"{number}/2", "-q") == DONE  # fmt: skip
    assert run("merge", tmp_path / "s1", tmp_path / "s2", "-o", tmp_path / "all", "-q") == DONE
    key = lambda row: row["path"]  # noqa: E731
    merged, whole = (sorted(rows, key=key) for rows in (scores(tmp_path / "all"), rows))
    assert [row["p"] for row in merged] == [row["p"] for row in whole]
    missing = write(tmp_path / "less.csv", [{"height": "1"}, {"height": "2"}])
    assert run("score", "--data", missing, "--model", done / "model", "-o", tmp_path / "x") == USAGE
    assert "are missing: the model was fitted on" in capsys.readouterr().err


def test_a_table_with_decimal_commas_is_scored_as_with_points(done, table, tmp_path):
    """Also a row beside one whose cell is no number."""
    new = rows_of(20, 4, seed=5)
    new[0]["height"] = "tall"
    points = write(tmp_path / "points.csv", new)
    commas = tmp_path / "commas.csv"
    lines = points.read_text().replace(",", ";").replace(".", ",")
    commas.write_text(lines)
    for path in (points, commas):
        how = ("--data", path, "--model", done / "model", "-o", tmp_path / path.stem, "-q")
        assert run("score", *how) == DONE
    assert scores(tmp_path / "points") == scores(tmp_path / "commas")
    twin = tmp_path / "visits.csv"
    twin.write_text(table.read_text().replace(",", ";").replace(".", ","))
    assert run("--data", twin, "-o", tmp_path / "out", "--groups", "patient", "-q") == DONE
    assert scores(tmp_path / "out") == scores(done)


def test_a_saved_table_model_gives_the_same_p(done, table, tmp_path):
    from gantools.data.tables import read_table

    model = table_model.FittedTable.load(done / "model")
    reader = table_model.Rows(read_table(table))
    items = [
        type("Row", (), {"name": str(i), "index": i, "group": None})() for i in range(150, 162)
    ]
    before = model.score(reader, items)
    model.save(tmp_path / "again")
    after = table_model.load_model(tmp_path / "again").score(reader, items)
    assert after.p.tobytes() == before.p.tobytes()
    assert np.all(before.p < 0.05)


def test_time_orders_fit_calibration_and_test(table, tmp_path, capsys):
    out = tmp_path / "out"
    assert run("--data", table, "-o", out, "--time-col", "date") == DONE
    assert "latest 25% of the rows by date are scored" in capsys.readouterr().err
    dates = {f"row {i + 2}": row["date"] for i, row in enumerate(rows_of())}
    scored = {dates[row["path"]] for row in scores(out)}
    assert min(scored) > "2024-01-20"
    assert max(set(dates.values()) - scored) < min(scored)


def test_an_unlabelled_table_is_scored_by_halves(tmp_path, capsys):
    rows = [{k: row[k] for k in ("height", "weight", "colour")} for row in rows_of(200, 3)]
    out = tmp_path / "out"
    assert run("--data", write(tmp_path / "t.csv", rows), "-o", out) == DONE
    assert "each half" in capsys.readouterr().err
    found = scores(out)
    assert len(found) == 203
    odd = {f"row {i + 2}" for i in range(200, 203)}
    assert odd <= {row["path"] for row in found[:6]}


def test_halves_of_rows_that_are_rightly_equal(tmp_path):
    """Two contents beside a number of the row: by content alone one half would be empty."""
    rows = [{"id": 7000 + i, "a": 3 * (i % 2), "b": 1} for i in range(200)]
    out = tmp_path / "out"
    assert run("--data", write(tmp_path / "t.csv", rows), "-o", out, "-q") == DONE
    assert all(row["p"] for row in scores(out))


def test_arrays_and_few_rows_by_folds(tmp_path):
    random = np.random.default_rng(0)
    x = np.r_[random.normal(size=(50, 4)), random.normal(6, 1, size=(5, 4))]
    y = np.r_[np.zeros(50), np.ones(5)]
    np.savez(tmp_path / "set.npz", X=x, y=y)
    out = tmp_path / "out"
    assert run("--data", tmp_path / "set.npz", "-o", out, "-q") == DONE
    model = table_model.FittedTable.load(out / "model")
    assert model.judge.is_crossed
    assert len(model.members) == 5
    assert {row["path"] for row in scores(out)[:5]} == {f"row {i + 2}" for i in range(50, 55)}


def test_few_rows_of_two_groups_are_refused_as_pictures_are(tmp_path, capsys):
    rows = [row | {"split": "train"} for row in rows_of(40, 0)]
    rows = [row | {"patient": f"p{i % 2}"} for i, row in enumerate(rows)]
    rows += [row | {"patient": "new", "split": "test"} for row in rows_of(5, 5, seed=1)]
    data = write(tmp_path / "t.csv", rows)
    assert run("--data", data, "-o", tmp_path / "out", "--groups", "patient") == USAGE
    assert "40 normals in 2 groups cannot be divided" in capsys.readouterr().err


def test_eval_of_a_table(table, tmp_path, capsys):
    assert run("eval", "--data", table, "--seeds", "2", "-q", "-o", tmp_path / "e") == DONE
    assert "detector (table)" in capsys.readouterr().out


MISTAKES = [
    ("a,b\n1,2\n", (), ALL_FAILED, "1 normal rows"),
    ("a,b\n", (), ALL_FAILED, "no rows"),
    ("a,b\n1\n", (), USAGE, "has 1 cells"),
    ("a,b\n" + "1,2\n3,4\n" * 40, ("--label", "c"), USAGE, "--label c: the table has a, b"),
    ("a,b\n" + "1,2\n3,4\n" * 40, ("--time-col", "c"), USAGE, "--time-col c"),
    ("a,b\n" + "1,2\n3,4\n" * 40, ("--detector", "encoder"), USAGE, "needs pictures"),
    ("a,b\n" + "1,2\n3,4\n" * 40, ("--groups", "a", "--time-col", "b"), USAGE, "not both"),
]


@pytest.mark.parametrize(("text", "options", "code", "sentence"), MISTAKES)
def test_bad_tables_get_a_sentence(tmp_path, capsys, text, options, code, sentence):
    (tmp_path / "t.csv").write_text(text)
    assert run("--data", tmp_path / "t.csv", "-o", tmp_path / "out", *options) == code
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert not (tmp_path / "out" / "scores.csv").exists()


def noise(count, seed=0, **columns):
    """Return rows of two numbers; a further column is a function of the row's number."""
    random = np.random.default_rng(seed)
    return [
        {"a": f"{random.normal():.4f}", "b": f"{random.normal():.4f}"}
        | {name: cell(i) for name, cell in columns.items()}
        for i in range(count)
    ]


def p_of(out):
    return {row["path"]: row["p"] for row in scores(out)}


def test_p_of_a_row_does_not_depend_on_the_other_rows_of_its_file(tmp_path):
    """Codes of which only some look like numbers: without X1 a file reads 01 and 1.0 as 1."""
    codes = ("01", "02", "1.0", "2.0", "X1")
    fit_on = noise(300, code=lambda i: codes[i % 5])
    model = tmp_path / "model"
    assert run("fit", "--data", write(tmp_path / "fit.csv", fit_on), "--model", model, "-q") == DONE
    new = noise(40, seed=1, code=lambda i: codes[2 + i % 3])
    for name, rows in (("with", new), ("without", [row for row in new if row["code"] != "X1"])):
        data = write(tmp_path / f"{name}.csv", rows)
        assert run("score", "--data", data, "--model", model, "-o", tmp_path / name, "-q") == DONE
    known = [i for i, row in enumerate(new) if row["code"] != "X1"]
    whole, alone = p_of(tmp_path / "with"), p_of(tmp_path / "without")
    assert [whole[f"row {i + 2}"] for i in known] == [alone[f"row {k + 2}"] for k in range(27)]
    report = (tmp_path / "without" / "report.html").read_text()
    assert "<td>1.0</td>" in report and "<td>2.0</td>" in report  # the codes as they are written


@pytest.mark.parametrize(
    "names", [range(9 * 10**16, 9 * 10**16 + 60), [f"{i}_{i}" for i in range(60)]]
)
def test_long_identifiers_of_groups_stay_apart(tmp_path, names):
    rows = noise(300, patient=lambda i: names[i // 5])
    data, model = write(tmp_path / "t.csv", rows), tmp_path / "model"
    assert run("fit", "--data", data, "--model", model, "--groups", "patient", "-q") == DONE
    new = write(tmp_path / "new.csv", noise(300, seed=1, patient=lambda i: names[i // 5]))
    assert run("score", "--data", new, "--model", model, "-o", tmp_path / "out", "-q") == DONE
    assert {row["group"] for row in scores(tmp_path / "out")} == {str(name) for name in names}


def test_a_label_that_so_far_said_normal_is_no_feature(tmp_path, capsys):
    model, out = tmp_path / "model", tmp_path / "out"
    old = write(tmp_path / "old.csv", noise(200, label=lambda i: 0))
    assert run("fit", "--data", old, "--model", model) == DONE
    assert "Labels: column 'label', 200 normal, 0 anomalous." in capsys.readouterr().err
    new = write(tmp_path / "new.csv", noise(200, seed=1, label=lambda i: i % 2))
    assert run("score", "--data", new, "--model", model, "-o", out) == DONE
    assert "Labels: column 'label', 100 normal, 100 anomalous." in capsys.readouterr().err
    found = json.loads((out / "evaluation.json").read_text())
    assert 0.4 < found["rows"]["detector"]["auroc"] < 0.6


def test_a_feature_of_the_model_is_never_the_label(tmp_path, capsys):
    model, out = tmp_path / "model", tmp_path / "out"
    old = write(tmp_path / "old.csv", noise(200, y=lambda i: i % 25))
    assert run("fit", "--data", old, "--model", model) == DONE
    assert "Labels" not in capsys.readouterr().err
    new = write(tmp_path / "new.csv", noise(200, seed=1, y=lambda i: i % 2))
    assert run("score", "--data", new, "--model", model, "-o", out) == DONE
    assert "Labels" not in capsys.readouterr().err
    assert run("score", "--data", new, "--model", model, "-o", out, "--label", "y") == USAGE
    assert "Column 'y' is taken for the label, and the model was fitted" in capsys.readouterr().err


def test_parts_without_a_defect_are_the_normals(tmp_path, capsys):
    data = write(tmp_path / "t.csv", noise(200, defect=lambda i: "none" if i % 5 else "scratch"))
    assert run("--data", data, "-o", tmp_path / "out") == DONE
    assert "Labels: column 'defect', 160 normal, 40 anomalous." in capsys.readouterr().err


def test_rows_that_are_all_anomalous_are_scored(table, done, tmp_path, capsys):
    sick = write(tmp_path / "sick.csv", [row for row in rows_of() if row["label"] == "sick"])
    out = tmp_path / "out"
    assert run("score", "--data", sick, "--model", done / "model", "-o", out) == DONE
    assert "Labels: column 'label', 0 normal, 12 anomalous." in capsys.readouterr().err
    assert all(float(row["p"]) < 0.05 for row in scores(out))


def test_rows_are_named_by_their_number_in_a_spreadsheet(tmp_path, capsys):
    lines = [f"{row['a']},{row['b']}" for row in noise(200)]
    lines[99] = "50,50"
    gaps = ["a,b", *lines[:30], "", "", *lines[30:]]
    for name, text, number in (("gaps", gaps, 103), ("no heading", lines, 100)):
        (tmp_path / f"{name}.csv").write_text("\n".join(text) + "\n")
        assert run("--data", tmp_path / f"{name}.csv", "-o", tmp_path / name, "-q") == DONE
        found = [row["path"] for row in scores(tmp_path / name) if "= 50; " in row["reason"]]
        assert found == [f"row {number}"]
    (tmp_path / "twice.csv").write_text("\n".join(["a,b", "", *lines, lines[-1]]) + "\n")
    assert run("audit", "--data", tmp_path / "twice.csv", "--json") == DONE
    (found,) = json.loads(capsys.readouterr().out)["findings"]
    assert found["items"] == ["row 203"]


def test_what_was_fitted_on_is_known_again_in_any_form_of_the_file(tmp_path):
    random = np.random.default_rng(0)
    codes = ["01", "7", "X1"]
    rows = noise(120, seed=2, code=lambda i: codes[i % 3], label=lambda i: "normal")
    model = tmp_path / "model"
    assert run("fit", "--data", write(tmp_path / "fit.csv", rows), "--model", model, "-q") == DONE
    rows = [row for row in rows if row["code"] != "X1"]
    plain = [{n: row[n] for n in ("code", "b", "a")} | {"note": f"n{random.random()}"}
             for row in rows]  # fmt: skip
    new = noise(5, seed=3, code=lambda i: "7", note=lambda i: "new")
    data = write(tmp_path / "new.csv", [*plain, *plain[:3], *new])
    out = tmp_path / "out"
    assert run("score", "--data", data, "--model", model, "-o", out, "-q") == SOME_FAILED
    found = p_of(out)
    assert {name for name, p in found.items() if p} == {f"row {85 + i}" for i in range(5)}


def test_one_row_is_scored_by_a_model_of_a_time(table, tmp_path):
    model, out = tmp_path / "model", tmp_path / "out"
    assert run("fit", "--data", table, "--model", model, "--time-col", "date", "-q") == DONE
    one = write(tmp_path / "one.csv", rows_of(1, 0, seed=5))
    assert run("score", "--data", one, "--model", model, "-o", out, "-q") == DONE
    assert len(scores(out)) == 1


def test_a_number_of_the_row_is_no_drift(tmp_path, capsys):
    model = tmp_path / "model"
    old = write(tmp_path / "old.csv", noise(200, id=lambda i: i))
    assert run("fit", "--data", old, "--model", model, "-q") == DONE
    new = write(tmp_path / "new.csv", noise(200, seed=1, id=lambda i: 200 + i))
    assert run("score", "--data", new, "--model", model, "-o", tmp_path / "out") == DONE
    assert "differ from the fitted normals in their own numbers" not in capsys.readouterr().err
