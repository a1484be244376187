import json

import numpy as np
import pytest
from gantools.apps.anomaly.detectors.references import TABLE_REFERENCES
from gantools.apps.anomaly.tables.transform import (
    TableTransform,
    row_hashes,
    split_by_time,
    telling,
)

from gantools.errors import UserError
from gantools.metrics.detection import auroc


def flows(n, seed, attack=False):
    """Network flows: bytes follow the service, attacks are long and quiet on a rare service."""
    rng = np.random.default_rng(seed)
    service = rng.choice(["http", "smtp", "dns"], n, p=[0.6, 0.3, 0.1]).astype(object)
    size = np.exp(rng.normal(np.select([service == "http", service == "smtp"], [8, 6], 4), 1))
    duration = rng.gamma(4, 0.5, n)
    if attack:
        duration, size = duration + 12, np.exp(rng.normal(2, 1, n))
    return {
        "id": np.arange(n) + seed * 1e6,
        "service": service,
        "bytes": np.round(size),
        "duration": duration,
        "version": np.full(n, 4.0),
        "label": np.array(["attack" if attack else "normal"] * n, object),
    }


@pytest.fixture(scope="module")
def transform():
    return TableTransform.fit(flows(500, 0), drop=("label",))


def test_widths_and_notes(transform):
    x = transform.transform(flows(50, 1))
    assert x.shape == (50, transform.width) == (50, 4 + 3 + 2 + 1) and x.dtype == np.float32
    assert list(transform.slices) == ["service", "bytes", "duration", "version"]
    assert any("'id' numbers the rows" in note for note in transform.notes)
    assert transform.slices["bytes"] == slice(4, 7)


@pytest.mark.parametrize("name", TABLE_REFERENCES)
def test_references_find_the_attacks(transform, name):
    detector = TABLE_REFERENCES[name]().fit(transform.transform(flows(500, 0)))
    scores = [detector.score(transform.transform(flows(100, 2 + a, bool(a)))) for a in (0, 1)]
    assert auroc(np.repeat([0, 1], 100), np.concatenate(scores)) > 0.9


def test_fitted_on_the_chosen_rows_only():
    table = flows(200, 0)
    table["bytes"][100:] = 1e9
    table["service"][100:] = "irc"
    first = TableTransform.fit(table, np.arange(100), drop=("label",))
    alone = TableTransform.fit({k: v[:100] for k, v in table.items()}, drop=("label",))
    assert first.to_dict() == alone.to_dict()
    assert first.transform(table)[150, first.slices["service"]][-1] > 0  # unseen


def test_each_row_by_itself_and_in_any_column_order(transform):
    table = flows(40, 3)
    x = transform.transform(table)
    one = {k: v[7:8] for k, v in reversed(table.items())}
    np.testing.assert_array_equal(transform.transform(one)[0], x[7])


def test_typical_row(transform):
    row = dict(zip([c.name for c in transform.columns], transform.typical, strict=True))
    assert row["service"] == "http" and float(row["version"]) == 4
    table = flows(500, 0)
    assert float(row["bytes"]) in table["bytes"]
    typical = transform.typical_row()
    assert np.abs(typical[transform.slices["duration"]]).max() < 1


def test_stored_and_read(transform):
    again = TableTransform.from_dict(json.loads(json.dumps(transform.to_dict())))
    table = flows(60, 4, attack=True)
    assert again.transform(table).tobytes() == transform.transform(table).tobytes()
    with pytest.raises(UserError, match="transform"):
        TableTransform.from_dict({"schema": 0})


def test_unusable_tables_get_a_sentence(transform):
    table = flows(20, 0)
    with pytest.raises(UserError, match="No column \\['price'\\]"):
        TableTransform.fit(table, drop=("price",))
    with pytest.raises(UserError, match="missing"):
        transform.transform({"service": table["service"]})
    with pytest.raises(UserError, match="no rows"):
        TableTransform.fit(table, np.array([], int))
    with pytest.raises(UserError, match="empty: left out"):
        TableTransform.fit({"a": np.full(30, np.nan)})


def test_the_latest_rows_calibrate():
    times = np.array([f"2024-01-{1 + i % 10:02d}" for i in range(100)], object)
    fit, calibration = split_by_time(times)
    assert len(calibration) == 20 and set(times[calibration]) == {"2024-01-09", "2024-01-10"}
    assert set(fit) | set(calibration) == set(range(100)) and not set(fit) & set(calibration)
    ns = np.array([str(10**18 + 10**9 * i + 1) for i in range(100)], object)  # no floats, in order
    assert split_by_time(ns)[1].tolist() == list(range(80, 100))
    fit, calibration = split_by_time(np.r_[np.zeros(5), np.ones(95)])
    assert len(fit) == 5  # equal times stay together
    with pytest.raises(UserError, match="1 of 3 rows"):
        split_by_time(np.array(["2024-01-01", "soon", "2024-01-02"], object))
    with pytest.raises(UserError, match="cannot be split"):
        split_by_time(np.zeros(10))


def test_hashes_of_rows():
    table = {"a": np.array([1.0, 1.0, 2.0, np.nan]), "b": np.array(["x", "x", "x", ""], object)}
    hashes = row_hashes(table)
    assert len(set(hashes)) == 4 and hashes == row_hashes(table)
    assert hashes[0][:-1] == hashes[1][:-1] != hashes[2][:-1]  # equal content, told apart
    parted = {"a": np.array(["xy"], object), "b": np.array(["z"], object)}
    other = {"a": np.array(["x"], object), "b": np.array(["yz"], object)}
    assert row_hashes(parted) != row_hashes(other)


def test_only_a_content_that_is_there_once_tells_that_it_was_seen():
    hashes = row_hashes({"a": np.array([1.0, 1, 2]), "b": np.array(["x", "x", "y"], object)})
    marked = telling(hashes)
    assert marked[2] == hashes[2]
    assert not set(marked[:2]) & set(hashes) and len(set(marked)) == 3
    # where the other one is no normal, the one is known as the first of its content
    assert telling(hashes[1:]) == [hashes[0], hashes[2]]


def test_a_hash_is_the_rows_own():
    mixed = {"a": np.array(["1", "2.50", "", "x"], object), "b": np.zeros(4)}
    plain = {"a": np.array([1, 2.5, np.nan]), "b": np.zeros(3)}
    assert row_hashes(mixed)[:3] == row_hashes(plain)
    codes = [row_hashes({"a": np.array([text], object)}) for text in ("007", "7", "7_4", "74")]
    assert len({text for (text,) in codes}) == 4
