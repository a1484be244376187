"""Every rule about tables, on a table made to break it."""

import numpy as np
import pytest
from gantools.apps.anomaly.audit.shortcuts import separations
from gantools.apps.anomaly.audit.tables import audit_table, row_digests

from gantools.metrics.detection import auroc


def table(n=400, seed=0):
    draw = np.random.default_rng(seed)
    town = np.array(["a", "b", "c"], object)[draw.integers(0, 3, n)]
    return {"x": draw.normal(size=n), "y": draw.normal(size=n), "town": town}


def rules(*arguments, **more):
    return {finding.rule: finding for finding in audit_table(*arguments, **more)}


def labels(n=400, bad=100):
    return np.array([0] * (n - bad) + [1] * bad)


def test_a_clean_table_is_silent():
    assert set(rules(table(), labels())) == {"text-column"}


def test_duplicate_rows_inside_and_across_parts():
    data = table()
    for values in data.values():
        values[10:14] = values[0]
        values[350] = values[20]
    parts = np.array(["train"] * 300 + ["test"] * 100)
    found = rules(data, labels(), parts)
    assert found["duplicates"].items == ("row 12", "row 13", "row 14", "row 15")
    assert found["duplicates-across-parts"].severity == "error"
    assert found["duplicates-across-parts"].items == ("row 352",)
    assert found["conflicting-labels"].number == 1


def test_missing_values_are_equal_to_each_other():
    data = {"x": np.array([np.nan, np.nan, 1.0]), "t": np.array([None, None, "q"], object)}
    codes = row_digests(data)
    assert codes[0] == codes[1] != codes[2]


def test_columns_that_are_empty_constant_sparse_or_infinite():
    data = table()
    data["void"] = np.full(400, np.nan)
    data["blank"] = np.array([""] * 400, object)
    data["same"] = np.full(400, 3.0)
    data["holes"] = np.where(np.arange(400) % 3, np.arange(400.0), np.nan)
    data["far"] = np.where(np.arange(400) == 5, np.inf, np.arange(400.0) % 7)
    found = rules(data)
    assert found["empty-column"].items == ("void", "blank")
    assert found["constant-column"].items == ("same",)
    assert found["missing-values"].items == ("holes",)
    assert found["infinite-values"].items == ("far",)
    assert "missing" not in found["infinite-values"].sentence


def test_columns_of_dates_are_no_words():
    data = table()
    data["day"] = np.array([f"2024-01-{1 + i % 28:02}" for i in range(400)], object)
    assert rules(data)["text-column"].items == ("town",)


def test_codes_of_digits_are_words():
    data = table()
    data["code"] = np.array([("01", "1", "7_4")[i % 3] for i in range(400)], object)
    data["number"] = np.array([("1.5", "1e3", "")[i % 3] for i in range(400)], object)
    assert rules(data)["text-column"].items == ("town", "code")


def test_rows_have_the_names_that_were_given():
    data = {"x": np.r_[np.arange(100.0), 0, 1]}
    names = [f"row {3 * i + 7}" for i in range(102)]
    assert rules(data, names=names)["duplicates"].items == ("row 307", "row 310")


def test_one_column_beats_the_model():
    data, y = table(), labels()
    data["count"] = np.random.default_rng(1).normal(size=400) - 3 * y
    finding = rules(data, y)["one-column-shortcut"]
    assert finding.items == ("count",)
    assert finding.number == pytest.approx(auroc(y, -data["count"]))
    assert finding.severity == "warning"


def test_texts_count_by_frequency_among_normals():
    data, y = table(), labels()
    data["proto"] = np.where(y == 1, "rare", "usual").astype(object)
    data["proto"][::9] = "usual"
    assert rules(data, y)["one-column-shortcut"].items == ("proto",)


def test_columns_made_from_the_label():
    data, y = table(), labels()
    data["difficulty"] = np.random.default_rng(1).normal(size=400) + y
    data["code"] = y * 7.0 + 1
    leaks = [f for f in audit_table(data, y) if f.rule == "leak-column"]
    assert {f.items[0] for f in leaks} == {"difficulty", "code"}
    assert {f.severity for f in leaks} == {"error"}


@pytest.mark.parametrize("name", ["apgar_score", "pain score", "class", "outcome", "fold"])
def test_a_column_that_is_only_named_like_a_leak_is_a_note(name):
    data, y, random = table(), labels(), np.random.default_rng(1)
    data[name] = random.integers(0, 10, 400).astype(float)
    for finding in (rules(data, y)["leak-column"], rules(data)["leak-column"]):
        assert finding.severity == "note"
        assert "may be, by its name" in finding.sentence and "--drop" in finding.sentence
    data[name][y == 1] += 8
    found = rules(data, y)["leak-column"]
    assert (found.severity, found.items) == ("error", (name,)) and found.number > 0.9


def wards(seed, n=400):
    """Return rows of few categories, of which most are there several times, and their parts."""
    random = np.random.default_rng(seed)
    data = {
        "ward": random.choice(list("abcdefgh"), n, p=np.arange(8, 0, -1) / 36).astype(object),
        "sex": random.choice(["f", "m"], n).astype(object),
        "smoker": random.choice(["no", "yes"], n, p=[0.8, 0.2]).astype(object),
        "visits": random.geometric(0.4, n).astype(float),
    }
    return data, np.where(np.arange(n) % 4 == 0, "test", "train")


def test_rows_of_few_categories_may_be_equal_across_parts():
    rung = 0
    for seed in range(40):
        found = rules(*wards(seed)[:1], None, wards(seed)[1])
        rung += "duplicates-across-parts" in found
        if "equal-rows-across-parts" in found:
            finding = found["equal-rows-across-parts"]
            assert finding.severity == "note" and finding.number > 50
    assert rung <= 1


def test_copies_among_rows_of_few_categories_are_found():
    data, parts = wards(0)
    codes = row_digests(data)
    once = np.flatnonzero((np.bincount(codes)[codes] == 1) & (parts == "train"))[:25]
    for values in data.values():
        values[np.flatnonzero(parts == "test")[: len(once)]] = values[once]
    finding = rules(data, None, parts)["duplicates-across-parts"]
    assert len(once) == 25 and finding.number >= 25 and finding.severity == "error"


def test_leak_columns_do_not_hide_duplicates():
    data = {name: np.tile(v[:200], 2) for name, v in table().items()}
    data["difficulty"] = np.arange(400.0)
    parts = np.array(["train"] * 200 + ["test"] * 200)
    assert rules(data, None, parts)["duplicates-across-parts"].number == 200


def test_new_and_dominant_kinds():
    y = labels()
    kinds = np.where(y == 0, "normal", "smurf").astype(object)
    kinds[390:] = ["a", "b", "c", "a", "b", "c", "a", "b", "c", "d"]
    parts = np.array((["train"] * 150 + ["test"] * 150) + ["train"] * 50 + ["test"] * 50)
    found = rules(table(), y, parts, kinds)
    assert found["new-kinds"].number == 10
    assert found["dominant-kinds"].number == pytest.approx(0.93)
    assert found["imbalance"].severity == "note"


def test_groups_and_too_few_and_nothing():
    groups = np.array([f"g{i % 100}" for i in range(400)])
    parts = np.array(["train"] * 300 + ["test"] * 100)
    assert rules(table(), None, parts, groups=groups)["groups-across-parts"].number == 100
    assert rules(table(20))["too-few"].severity == "warning"
    assert rules(table(10))["too-few"].severity == "error"
    assert rules({})["empty-table"].severity == "error"


def test_a_perfect_separation_by_few_items_is_not_sure():
    values, positive = np.arange(16.0), np.arange(16) >= 8
    (row,) = separations({"n": values}, positive, "anomalous")
    assert (row.auroc, row.error) == (1.0, pytest.approx(0.5 / 8**0.5))
    assert not row.sure
