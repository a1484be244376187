"""A job that trains: stopped and started again it gives the scores of an unbroken one."""

import csv
from functools import partial

import pytest
from gantools.apps.anomaly import fitted
from gantools.apps.anomaly.detectors.auto import Auto

from gantools import cli
from gantools.errors import DONE, INTERRUPTED


class Small(Auto):
    """The restorer at its smallest, with steps that do not depend on the clock."""

    def __init__(self, size="tiny", table=None, steps=24, threads=None):
        super().__init__(size, table, steps, threads)


def run(data, out):
    return cli.main(
        ["anomaly", "--data", str(data), "-o", str(out), "--detector", "restorer", "-q"]
    )


def scores(out):
    rows = csv.DictReader((out / "scores.csv").read_text().splitlines())
    return {row["path"]: (float(row["score"]), float(row["p"])) for row in rows}


@pytest.mark.slow
def test_ctrl_c_in_training_changes_nothing(tiles, tmp_path, monkeypatch):
    original = fitted.detector_class
    monkeypatch.setattr(
        fitted, "detector_class", lambda kind: Small if kind == "restorer" else original(kind)
    )
    data = tiles(tmp_path / "data", good=8, bad=6)
    assert run(data, tmp_path / "unbroken") == DONE

    def stop(share):
        if share > 0.4:
            raise KeyboardInterrupt

    from gantools.apps.anomaly.detectors import training

    whole = training.trained_restorer
    with monkeypatch.context() as patch:
        broken = partial(whole)
        patch.setattr(
            training, "trained_restorer", lambda x, **k: broken(x, **(k | {"progress": stop}))
        )
        assert run(data, tmp_path / "out") == INTERRUPTED
    assert not (tmp_path / "out" / "report.html").exists()
    assert (tmp_path / "out" / "training").is_dir()
    assert run(data, tmp_path / "out") == DONE
    assert not (tmp_path / "out" / "training").exists()
    ours, theirs = scores(tmp_path / "out"), scores(tmp_path / "unbroken")
    assert ours.keys() == theirs.keys()
    for name, (score, p) in ours.items():
        assert score == pytest.approx(theirs[name][0], abs=1e-4)
        assert p == theirs[name][1]
    restored = (tmp_path / "out" / "report.html").read_text().count('class="restored"')
    assert restored == 14
