import json
from datetime import datetime, timedelta

import numpy as np
import pytest
from gantools.apps.anomaly.tables.columns import CLIP, SURPRISE, Column, plan, texts_of

N = 400
RNG = np.random.default_rng(0)


def texts(values):
    return np.array([str(v) for v in values], object)


START = datetime(2024, 1, 1)
COLUMNS = {
    "number": (RNG.normal(size=N), "number"),
    "few levels": (RNG.integers(0, 4, N).astype(float), "number"),
    "numbers with 4 % text": (texts(["?x" if i % 25 == 0 else i % 60 for i in range(N)]), "number"),
    "binary": (RNG.integers(0, 2, N).astype(float), "boolean"),
    "words": (texts(np.where(RNG.random(N) > 0.5, "Yes", "no")), "boolean"),
    "constant": (np.full(N, 3.0), "constant"),
    "constant text": (texts(["a"] * N), "constant"),
    "category": (texts(RNG.choice(["a", "b", "c"], N)), "category"),
    "codes": (texts([f"c{i % 100}" for i in range(2200)]), "frequency"),
    "date": (texts([(START + timedelta(hours=7 * i)).isoformat() for i in range(N)]), "date"),
    "sentences": (texts([f"part {i // 2} of lot {i // 2 % 7}" for i in range(N)]), "text"),
    "persons": (texts([f"Ann Mc{i} Smith" for i in range(N)]), "dropped"),
    "patient_name": (texts([f"Ann{i // 9} Smith" for i in range(N)]), "dropped"),
    "row number": (np.arange(N) + 1000.0, "dropped"),
    "uuid": (texts([f"id-{i * 7919 % 10007}" for i in range(N)]), "dropped"),
    "empty": (np.full(N, np.nan), "dropped"),
}  # fmt: skip


@pytest.mark.parametrize("name", COLUMNS)
def test_kind_by_rule_and_finite_numbers(name):
    values, kind = COLUMNS[name]
    column = plan(name, values)
    assert column.kind == kind
    assert bool(column.note) == (kind in ("dropped", "constant"))
    encoded = column.encode(values)
    assert encoded.shape == (len(values), column.width) and encoded.dtype == np.float32
    assert np.isfinite(encoded).all() and np.abs(encoded).max(initial=0) <= CLIP
    stored = Column(**json.loads(json.dumps(column.__dict__)))
    np.testing.assert_array_equal(stored.encode(values), encoded)
    strange = np.array(["", "\u2603 never seen", "1e400", "-7"], object)
    for odd in (strange, np.array([np.nan, np.inf, -np.inf, 1e300])):
        assert np.isfinite(column.encode(odd)).all()


@pytest.mark.parametrize("name", [n for n, (_, kind) in COLUMNS.items() if kind != "dropped"])
def test_missing_where_none_was_missing_is_a_surprise(name):
    values, _ = COLUMNS[name]
    gone = np.array([""], object) if values.dtype == object else np.array([np.nan])
    assert plan(name, values).encode(gone)[0, -1] == SURPRISE
    half = np.concatenate([values, np.repeat(gone, len(values))])
    if plan(name, half).width:
        assert plan(name, half).encode(gone)[0, -1] == 1


def test_ordinary_numbers_are_standardised():
    x = RNG.normal(50, 5, N)
    z = plan("x", x).encode(np.r_[x, np.nan])[:, 0]
    assert z[:N].mean() == pytest.approx(0, abs=1e-5) and z[:N].std() == pytest.approx(1, abs=1e-5)
    assert z[-1] == 0


def test_heavy_tails_are_ranked_and_go_on():
    """Bytes of a connection: mostly 0, up to 1e5; 1e9 must not look like 1e5."""
    x = np.r_[np.zeros(600), np.exp(RNG.normal(5, 2, 400))]
    column = plan("bytes", x)
    assert column.width == 3
    grid = np.r_[0, np.sort(x)[700], x.max(), 10 * x.max(), 1e9]
    rank, standard, _ = column.encode(grid).T
    assert np.all(np.diff(rank) > 0) and np.all(np.diff(standard) >= 0)
    assert abs(rank[0]) < 0.5 and 1.5 < rank[2] < 3 and rank[4] > rank[2] + 2
    assert rank[1] - rank[0] > 0.5 > 0.1 > standard[1] - standard[0]  # what each view is for
    assert standard[3] == pytest.approx(CLIP / np.sqrt(2))
    assert column.encode(np.array([np.nan]))[0].tolist() == [0, 0, SURPRISE]
    from scipy.stats import skew

    assert abs(skew(column.encode(x)[600:, 0])) < 1.5 < skew(x) / 3


def test_unseen_category_is_its_own_number():
    column = plan("c", texts(["a", "b"] * 50))
    encoded = column.encode(texts(["a", "b", "z"]))
    np.testing.assert_array_equal(encoded, [[1, 0, 0], [0, 1, 0], [0, 0, SURPRISE]])
    codes = plan("codes", COLUMNS["codes"][0])
    assert codes.encode(texts(["c1", "new"]))[:, 1].tolist() == [0, SURPRISE]


def test_rare_category_is_odder_by_frequency():
    values = texts([f"c{i % 40}" for i in range(1200)] + ["rare"])
    z = plan("c", values).encode(texts(["c1", "rare"]))[:, 0]
    assert z[1] > z[0] + 3


def test_text_among_numbers_and_a_changed_constant():
    number = plan("x", np.arange(100.0) % 7)
    assert number.encode(texts(["3", "three"]))[:, 1].tolist() == [0, SURPRISE]
    for constant, same, other in ((np.full(9, 3.0), "3", "4"), (texts("aaa"), "a", "b")):
        got = plan("k", constant).encode(texts([same, other]))
        assert got.ravel().tolist() == [0, SURPRISE]
    boolean = plan("b", np.array([0.0, 1.0] * 20))
    assert boolean.encode(np.array([0.0, 1.0, 2.0]))[:, 1].tolist() == [0, 0, SURPRISE]


def test_hours_and_weekdays_of_dates():
    column = plan("t", COLUMNS["date"][0], time=True)
    monday = texts(["2024-05-27 06:00", "2024-06-03T06:00:00+00:00", "2024-06-04 18:00"])
    got = column.encode(monday)
    assert column.width == 5  # no age: every new row is younger
    np.testing.assert_allclose(got[0], got[1], atol=1e-6)
    np.testing.assert_allclose(got[:, 0], [1, 1, -1], atol=1e-6)
    np.testing.assert_allclose(got[0, 2:4], [0, 1], atol=1e-6)  # Monday starts the week
    assert plan("t", COLUMNS["date"][0]).width == 6


def test_time_as_a_number_is_left_out():
    assert "orders the rows" in plan("t", RNG.normal(size=N), time=True).note
    nanoseconds = texts(10**18 + 10**9 * (i // 2) + 1 for i in range(N))
    assert "orders the rows" in plan("t", nanoseconds, time=True).note


def test_kinds_that_are_read_as_texts():
    worded = {name: plan(name, values).worded for name, (values, _) in COLUMNS.items()}
    assert {name for name, told in worded.items() if told} == {
        "category", "codes", "date", "sentences",
    }  # fmt: skip
    days = texts(["20240531" if i % 3 else "2024-05-31" for i in range(N)])
    assert plan("day", days).worded  # a file of the first form alone has numbers


def test_like_texts_are_near():
    column = plan("note", COLUMNS["sentences"][0])
    a, b, c = column.encode(
        texts(["part 12 of lot 3", "part 13 of lot 3", "<script>alert(1)</script>"])
    )
    assert np.linalg.norm(a - b) < 0.5 * np.linalg.norm(a - c)


def test_long_numbers_keep_every_digit_as_texts():
    values = np.array([1234567.0, 1234568, np.nan, 0.1, -3, np.inf, 2.0**60])
    assert texts_of(values) == [
        "1234567", "1234568", "", "0.1", "-3", "inf", "1152921504606846976"
    ]  # fmt: skip
    assert texts_of(texts(["007", ""])) == ["007", ""]


def test_a_level_is_known_where_the_new_column_is_of_numbers():
    column = plan("device", texts(["1234567", "1234568", "x9"] * 40))
    assert column.kind == "category"
    new = column.encode(np.array([1234567.0, 1234569, np.nan]))
    assert new[:, -1].tolist() == [0, SURPRISE, SURPRISE]
    assert new[0].argmax() == 0


def test_padded_codes_are_categories():
    column = plan("code", texts(["01", "1", "007"] * 40))
    assert column.facts["levels"] == ["007", "01", "1"]
    assert column.encode(texts(["7", "1.0"]))[:, -1].tolist() == [SURPRISE, SURPRISE]
