"""Tables end to end, and what their columns are for."""

import csv
import json

import numpy as np
import pytest
from gantools.apps.anomaly.tables import model as table_model
from gantools.apps.anomaly.tables import rows as table_rows
from gantools.apps.anomaly.tables.rows import Roles

from gantools import cli
from gantools.errors import ALL_FAILED, DONE, USAGE, UserError


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


def write(path, rows):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


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


def column(*values):
    return np.array(values, object)


def test_labels_are_numbers_or_words():
    labels, kinds = table_rows.labels_of({"y": np.array([0.0, 1, 2, np.nan])}, "y")
    assert labels.tolist() == [0, 1, 1, -1]
    labels, kinds = table_rows.labels_of({"y": column("normal.", "smurf.", "", "Good")}, "y")
    assert labels.tolist() == [0, 1, -1, 0]
    assert kinds == ["", "smurf.", "", ""]
    assert table_rows.labels_of({"y": column("True", "", "false")}, "y")[0].tolist() == [1, -1, 0]
    assert table_rows.labels_of({"a": column("x")}, None)[0].tolist() == [-1]
    with pytest.raises(UserError, match="Column 'y' never says normal"):
        table_rows.labels_of({"y": column("a", "b")}, "y")


def test_roles_by_name_by_word_and_by_model():
    columns = {
        "Label": np.array([0.0, 1]),
        "split": column("train", "test"),
        "who": column("a", "b"),
    }
    found = table_rows.find_roles(columns, Roles())
    assert found == Roles("Label", None, None, "split")
    assert found.drop() == ("Label", "split")
    plain = {"label": np.array([0.1, 0.2]), "part": column("left", "right")}
    assert table_rows.find_roles(plain, Roles()) == Roles()
    assert table_rows.find_roles(columns, Roles(), {"groups": "who"}).groups == "who"
    assert table_rows.find_roles(columns, Roles(), {"groups": "gone"}).groups is None
    with pytest.raises(UserError, match="--groups ward: the table has Label, split, who"):
        table_rows.find_roles(columns, Roles(groups="ward"))


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
