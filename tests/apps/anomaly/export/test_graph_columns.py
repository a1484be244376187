"""Every kind of column becomes in a graph the numbers of `Column.encode`."""

from datetime import UTC, datetime

import numpy as np
import pytest
from gantools.apps.anomaly.export.graph_columns import NUMBER, TEXT, Cells, encoded
from gantools.apps.anomaly.export.tabular import OPSET
from gantools.apps.anomaly.tables.columns import plan

from gantools.data.onnx import Graph
from gantools.data.tables import without_missing

from .alone import pieces

pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")
RANDOM = np.random.default_rng(0)
N = 400


def texts(values):
    return np.array([str(v) for v in values], object)


WORDS = ["a", "B", "é", "", "NA", "n/a", "?", "None", "nan", "new", "yes", "No", "TRUE", "off", "2"]
READ = ["3", "-2.5e3", ".5", "5.", "+7", "-0.0", "1e99", "1E-9", "inf", "-Infinity", "0e5", "0.50",
        "123456789012345"]  # fmt: skip
UNREAD = ["007", "-01", "1_000", "0x10", "1,5", "three", "00.5", "--1", "12345678901234567"]
NUMBERS = np.array([0, 1, 2, -3.5, 1e12, np.nan, np.inf, -np.inf, 3, 1e-9, 47.3, 6000])
COLUMNS = {  # normals, new cells
    "number": (RANDOM.normal(size=N), NUMBERS),
    "lacking": (np.where(RANDOM.random(N) < 0.1, np.nan, RANDOM.normal(size=N)), NUMBERS),
    "tails": (np.r_[np.zeros(300), np.exp(RANDOM.normal(5, 2, 100))], NUMBERS),
    "two values": (np.r_[np.zeros(396), 5, 5, 5, 5], NUMBERS),
    "binary": (RANDOM.integers(0, 2, N).astype(float), NUMBERS),
    "one number": (np.full(N, 3.0), NUMBERS),
    "words": (texts(["?x" if i % 25 == 0 else i % 60 for i in range(N)]), WORDS + READ + UNREAD),
    "lacking words": (
        texts(["" if i % 9 == 0 else "x" if i % 50 == 1 else i / 7 for i in range(N)]),
        WORDS + READ + UNREAD,
    ),
    "yes": (texts(np.where(RANDOM.random(N) > 0.3, "Yes", "no")), WORDS + READ + UNREAD),
    "one word": (texts(["a"] * N), WORDS),
    "one of few": (texts([""] * 9 + ["3"] * N + ["x"]), WORDS + READ),
    "category": (texts(RANDOM.choice(["a", "B", "é", "2"], N)), WORDS),
    "lacking category": (texts(RANDOM.choice(["a", "B", ""], N)), WORDS),
    "frequency": (texts([f"c{i % 90}" for i in range(2200)] + ["a"] * 30), [*WORDS, "c1", "c89"]),
}  # fmt: skip


def by_graph(column, values, kind):
    """Return the numbers of cells by a graph, `(n, width)` float64."""
    g = Graph(OPSET, "/")
    g.node("Identity", encoded(Cells(g, "cells", kind), column), out="found")
    shapes = {"cells": (None, *np.shape(values)[1:])}, {"found": (None, column.width)}
    content = g.file("column", *shapes, {"cells": kind, "found": NUMBER})
    session = runtime.InferenceSession(content)
    return session.run(None, {"cells": values})[0]


@pytest.mark.parametrize("name", COLUMNS)
def test_numbers_of_cells(name):
    normals, new = COLUMNS[name]
    normals = without_missing(normals) if normals.dtype == object else normals
    column, text = plan(name, normals), normals.dtype == object
    assert column.width
    given = texts(new) if text else new
    wanted = column.encode(without_missing(given) if text else given)
    found = by_graph(column, given, TEXT if text else NUMBER)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6, err_msg=str(column))


@pytest.mark.parametrize("time", [False, True])
@pytest.mark.parametrize("lacking", [False, True])
def test_dates_are_seconds(time, lacking):
    days = [f"2024-{1 + i % 12:02}-{1 + i % 28:02}T{i % 24:02}:30:00" for i in range(N)]
    days = [""] * 9 * lacking + days
    column = plan("t", texts(days), time)
    assert column.kind == "date" and column.width == (5 if time else 6)
    new = ["2024-05-27T06:00:00", "1969-12-31T23:59:59", "2031-01-01T00:00:00", "", "some day"]
    seconds = [datetime.fromisoformat(t).replace(tzinfo=UTC).timestamp() for t in new[:3]]
    found = by_graph(column, np.array([*seconds, np.nan, np.inf]), NUMBER)
    np.testing.assert_allclose(found, column.encode(texts(new)), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("lacking", [False, True])
def test_free_text_comes_in_pieces(lacking):
    notes = [""] * 9 * lacking + [f"part {i // 2} of lot {i // 2 % 7}, OK" for i in range(N)]
    column = plan("note", texts(notes))
    assert column.kind == "text"
    new = ["part 3 of lot 4, OK", "", "<script>É!</script>", "a", "ÄÖ 12  3\tx", " " * 7]
    found = by_graph(column, np.array([pieces(text) for text in new]), NUMBER)
    np.testing.assert_allclose(found, column.encode(texts(new)), rtol=1e-6, atol=1e-6)
