import hashlib
import json

import pytest

from gantools import record
from gantools.errors import UserError

RECORD = record.Record("train", {"game": "gan", "shape": [8, 8, 1]}, seed=3, results={"cycles": 5})


def test_round_trip(tmp_path):
    path = record.write(tmp_path / "run.json", RECORD)
    assert record.read(path) == RECORD
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]
    assert RECORD.versions["gantools"]
    assert RECORD.versions["numpy"]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d | {"extra": 1}, "unknown keys extra"),
        (lambda d: {k: v for k, v in d.items() if k != "seed"}, "missing keys seed"),
        (lambda d: d | {"schema": 99}, "Received: 99"),
        (lambda d: [d], "Received: 'list'"),
    ],
)
def test_reading_is_strict(tmp_path, change, text):
    path = record.write(tmp_path / "run.json", RECORD)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(UserError, match=text):
        record.read(path)


def test_rubbish_is_one_sentence(tmp_path):
    (tmp_path / "run.json").write_bytes(b'{"schema": 1, "comm')
    with pytest.raises(UserError, match="not a record of gantools"):
        record.read(tmp_path / "run.json")


def test_a_failed_write_leaves_the_old_record(tmp_path):
    path = record.write(tmp_path / "run.json", RECORD)
    with pytest.raises(ValueError, match="JSON"):
        record.write(path, record.Record("train", {"rate": float("nan")}))
    assert record.read(path) == RECORD
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_differences_are_named():
    old = {"game": "gan", "batch": 64, "net": {"width": 8, "depth": 2}, "shape": [8, 8], "flag": 1}
    new = {
        "game": "gan",
        "batch": 32,
        "net": {"width": 8, "depth": 3},
        "shape": (8, 8),
        "flag": True,
    }
    assert record.differences(old, old) == {}
    expected = {"batch": (64, 32), "net.depth": (2, 3), "flag": (1, True)}
    assert record.differences(old, new) == expected
    assert record.differences({}, {"seed": 1}) == {"seed": (None, 1)}


def test_changed_settings_are_refused_by_name():
    record.refuse_differences("run", {"batch": 64}, {"batch": 64}, "")
    with pytest.raises(UserError, match=r"batch \(64, now 32\)\. Use --fresh\."):
        record.refuse_differences("run", {"batch": 64}, {"batch": 32}, "Use --fresh.")


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert record.sha256(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()
