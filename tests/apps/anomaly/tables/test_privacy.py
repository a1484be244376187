"""Nobody's name in a model of a table or in any output, and columns that are left out by hand."""

import json
import zipfile

import numpy as np
import pytest
from gantools.apps.anomaly.tables.columns import names_persons, plan
from gantools.apps.anomaly.tables.model import FittedTable

from gantools import cli
from gantools.errors import DONE, USAGE

from .files import write

CANARIES = ("CANARY", "555-0")


def run(*args):
    return cli.main(["anomaly", *map(str, args)])


def visits(count=300, odd=15, seed=0, **more):
    """Return rows of visits with everything in them that says who somebody is."""
    random, rows = np.random.default_rng(seed), []
    for i in range(count):
        person = i // 3
        rows.append({
            "patient_name": f"CANARY Surname{person}", "contact": f"CANARY van der Mc{i} Berg",
            "Email": f"CANARY{person}@example.org", "Home Phone": f"555-0{person:04}",
            "address": f"CANARY Road {person}", "case": f"CANARY{i}", "ward": "AB"[i % 2],
            "pulse": random.integers(50, 90) + 60 * (i % odd == 0),
            "pressure": f"{random.normal(120, 9):.3f}", "who": f"CANARY-{person}",
            "outcome": "CANARY ill" if i % odd == 0 else "normal",
        } | {name: cell(i) for name, cell in more.items()})  # fmt: skip
    return rows


def contents(folder):
    """Yield `(name, bytes)` of all files, and of what is packed in them."""
    for path in (path for path in folder.rglob("*") if path.is_file()):
        yield path.name, path.read_bytes()
        if path.suffix == ".npz":
            with zipfile.ZipFile(path) as file:
                yield from ((f"{path.name}/{name}", file.read(name)) for name in file.namelist())


def leaks(folder, words=CANARIES):
    """Return the files in which a word stands, in any coding of texts that is written here."""
    codings = ("utf-8", "utf-16-le", "utf-32-le")
    return [
        name for name, data in contents(folder)
        for word in words if any(word.encode(coding) in data for coding in codings)
    ]  # fmt: skip


@pytest.mark.parametrize("count", [300, 45])
def test_nobody_is_named_in_a_model_or_an_output(tmp_path, count):
    data, out = write(tmp_path / "visits.csv", visits(count)), tmp_path / "out"
    roles = ("--label", "outcome", "--groups", "who", "-q")
    assert run("--data", data, "-o", out, *roles) == DONE
    assert not leaks(out / "model")
    for name in ("Surname", "van der", "example.org", "555-0", "Road"):  # the label may be told
        assert not leaks(out, (name,))
    model = FittedTable.load(out / "model")
    for member in model.members:
        assert set(member.normals) == {"ward", "pulse", "pressure"}
    report = (out / "report.html").read_text()
    assert "<th>nearest normal</th>" in report and "pulse" in report


def test_dropped_columns_are_in_no_file_and_the_model_does_without(tmp_path, capsys):
    rows = visits(300, place=lambda i: f"CANARY{i % 5}", level=lambda i: i % 7)
    rows = [{k: v for k, v in row.items() if k != "outcome"} for row in rows]
    data, model, out = write(tmp_path / "v.csv", rows), tmp_path / "m", tmp_path / "out"
    dropped = ("--drop", "place", "--drop", "level", "--drop", "who")
    assert run("fit", "--data", data, "--model", model, *dropped, "-q") == DONE
    assert not leaks(model)
    facts = json.loads((model / "plan.json").read_text())["facts"]
    assert facts["roles"]["left_out"] == ["place", "level", "who"]
    assert facts["settings"]["drop"] == ["place", "level", "who"]
    assert facts["roles"]["features"] == ["pressure", "pulse", "ward"]
    less = [{k: row[k] for k in ("ward", "pulse", "pressure")} for row in visits(60, seed=1)]
    new = write(tmp_path / "new.csv", less)
    assert run("score", "--data", new, "--model", model, "-o", out, "-q") == DONE
    assert len((out / "scores.csv").read_text().splitlines()) == 61
    capsys.readouterr()
    assert run("fit", "--data", data, "--model", tmp_path / "x", "--drop", "plase") == USAGE
    assert "--drop plase: the table has patient_name" in capsys.readouterr().err


def test_a_column_that_is_left_out_is_no_label_and_other_columns_are_another_model(
    tmp_path, capsys
):
    rows = [{"a": row["pressure"], "b": row["pulse"], "class": i % 2, "ward": row["ward"]}
            for i, row in enumerate(visits(200))]  # fmt: skip
    data, out = write(tmp_path / "v.csv", rows), tmp_path / "out"
    words = ("--data", data, "-o", out)
    assert run(*words, "--drop", "class") == DONE
    assert "Labels" not in capsys.readouterr().err
    assert run("score", "--data", data, "--model", out / "model", "-o", tmp_path / "s") in (0, 4)
    assert "Labels" not in capsys.readouterr().err
    assert run(*words) == USAGE
    assert "other settings (drop ('class',) -> ()" in capsys.readouterr().err


def test_pictures_have_no_columns_to_leave_out(tile_folder, tmp_path, capsys):
    assert run("--data", tile_folder, "-o", tmp_path / "out", "--drop", "x") == USAGE
    assert "--drop: " in capsys.readouterr().err


def test_the_audit_says_how_a_column_is_left_out_and_does_so(tmp_path, capsys):
    rows = visits(200, **{"risk score": lambda i: i % 15 == 0})
    data = write(tmp_path / "v.csv", rows)
    assert run("audit", "--data", data, "--label", "outcome", "--groups", "who") == 4
    assert "leave it out of the features by --drop 'risk score'." in capsys.readouterr().out
    left = ("--label", "outcome", "--groups", "who", "--drop", "risk score")
    run("audit", "--data", data, *left)
    assert "risk score" not in capsys.readouterr().out


NAMES = [
    "name", "Name", "patient", "Patient ID", "patient_name", "PatientName", "patient-no", "surname",
    "last name", "FirstName", "SSN", "ssn_last4", "e-mail", "Email address", "home_address",
    "Phone", "phone2", "Phone No.", "customer_id", "user id", "date_of_birth", "dob", "MRN",
]  # fmt: skip
OTHERS = [
    "pulse", "patient age", "process name", "service_name", "ip_address", "src address", "customer",
    "user", "class", "x0", "number", "id", "", "ward", "phones sold per day", "birth weight",
]  # fmt: skip


def test_headings_that_say_who_somebody_is():
    assert [name for name in NAMES if not names_persons(name)] == []
    assert [name for name in OTHERS if names_persons(name)] == []


def test_what_asks_for_yes_or_no_names_nobody():
    for cells in (np.array([0.0, 1] * 40), np.array(["yes", "no"] * 40, object)):
        assert plan("phone", cells).kind == "boolean"
    numbers = plan("phone", np.random.default_rng(0).integers(1e6, 9e6, 80).astype(float))
    assert numbers.kind == "dropped" and "says who somebody is" in numbers.note
