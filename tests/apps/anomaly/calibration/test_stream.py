"""The order of a stream of rows is that of their time."""

import csv

import numpy as np
import pytest
from gantools.apps.anomaly.calibration import stream
from gantools.apps.anomaly.items import Item

from gantools import cli
from gantools.errors import DONE, USAGE, UserError


def run(*args):
    return cli.main(["anomaly", *map(str, args)])


def write(path, rows, odd_from):
    """Write rows in the order of time, of which those from a number on are odd."""
    random = np.random.default_rng(rows)
    table = random.normal(size=(rows, 3)) + 8 * (np.arange(rows) >= odd_from)[:, None]
    lines = ["a,b,c,when"]
    for i, row in enumerate(table):
        when = f"2024-01-{1 + i // 24:02} {i % 24:02}:00"
        lines.append(",".join([*(f"{v:.4f}" for v in row), when]))
    path.write_text("\n".join(lines))
    return path


def reversed_copy(path):
    head, *rows = path.read_text().splitlines()
    other = path.with_name("reversed.csv")
    other.write_text("\n".join([head, *rows[::-1]]))
    return other


def martingale(out):
    """Return row -> value, by the number of the row."""
    with (out / "scores.csv").open() as file:
        return {int(r["path"].split()[1]) - 2: float(r["martingale"]) for r in csv.DictReader(file)}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    place = tmp_path_factory.mktemp("model")
    data = write(place / "normals.csv", 120, 120)
    assert run("fit", "--data", data, "--model", place / "m", "--time-col", "when", "-q") == DONE
    return place / "m"


def test_rows_come_by_their_time_wherever_they_stand(model, tmp_path):
    """A table that is written backwards is the same stream: it leaves the normals at its end."""
    forth = write(tmp_path / "new.csv", 60, 30)
    back, found = reversed_copy(forth), {}
    for data in (forth, back):
        out = tmp_path / data.stem
        options = ("--model", model, "-o", out, "--stream", "time", "-q")
        assert run("score", "--data", data, *options) == DONE
        found[data] = martingale(out)
    assert [found[back][59 - i] for i in range(60)] == [found[forth][i] for i in range(60)]
    assert max(found[forth][i] for i in range(30)) < 100 < found[forth][59]
    by_name = ("--model", model, "-o", tmp_path / "name", "--stream", "name", "-q")
    assert run("score", "--data", back, *by_name) == DONE
    assert martingale(tmp_path / "name")[29] > 100  # as they stand, the odd ones come first


def test_without_a_column_of_times_it_is_refused(tmp_path, capsys):
    data, plain = write(tmp_path / "normals.csv", 120, 120), tmp_path / "m"
    data.write_text("\n".join(line.rpartition(",")[0] for line in data.read_text().splitlines()))
    assert run("fit", "--data", data, "--model", plain, "-q") == DONE
    options = ("--model", plain, "-o", tmp_path / "out", "-q")
    assert run("score", "--data", data, *options, "--stream", "time") == USAGE
    assert "Name it with --time-col" in capsys.readouterr().err
    assert not (tmp_path / "out" / "scores.csv").exists()


def test_times_of_rows():
    assert stream.rows_in_time(np.array([3.0, 1.0, 2.0, 1.0])) == [1, 3, 2, 0]
    texts = np.array(["2024-05-31 14:00", "2023-01-01", "2024-05-31"], object)
    assert stream.rows_in_time(texts) == [1, 2, 0]
    assert stream.rows_in_time(np.array(["10", "9"], object)) == [1, 0]
    with pytest.raises(UserError, match="1 of 3 rows have no readable time"):
        stream.rows_in_time(np.array([1.0, np.nan, 2.0]))
    with pytest.raises(UserError, match="Received: none"):
        stream.rows_in_time(None)


def test_only_rows_have_no_file_of_their_own(tmp_path):
    table = tmp_path / "x.csv"
    table.touch()
    rows = [Item(table, f"row {i}", index=i) for i in (3, 2)]
    assert stream.order_of(rows, "time") == stream.TIME
    assert stream.order_of(rows, "name") == [1, 0]
    assert stream.order_of(rows, None) is None
    named = [Item(table, "row 1")]  # a picture may be called so
    assert stream.order_of(named, "time") == [0]
