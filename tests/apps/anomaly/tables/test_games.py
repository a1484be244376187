"""GANs of the literature on rows: trained, calibrated, kept, explained as simple rows are."""

import copy
import csv
import json
import re
import subprocess
import sys
from contextlib import contextmanager
from functools import partial

import numpy as np
import pytest
from gantools.apps.anomaly import Detector
from gantools.apps.anomaly.api import looked_table
from gantools.apps.anomaly.detectors.named import Named
from gantools.apps.anomaly.settings import Settings
from gantools.apps.anomaly.tables import job
from gantools.apps.anomaly.tables.model import GAMES, ROWS, load_model

from gantools import cli
from gantools.errors import DONE, USAGE, UserError
from gantools.metrics.detection import auroc

from .files import write


def ring(count, seed, noise=0.05):
    """Return points on a circle in a plane of four dimensions: no column alone tells them."""
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(np.random.default_rng(9).normal(size=(4, 4)))
    angle = random.uniform(0, 2 * np.pi, count)
    flat = np.stack([np.cos(angle), np.sin(angle), 0 * angle, 0 * angle], axis=1)
    return (flat + random.normal(0, noise, (count, 4))) @ turn


def off_ring(count, seed):
    return np.random.default_rng(seed).uniform(-1.2, 1.2, (count, 4))


@contextmanager
def short(steps):
    """Let games on tables train for so many steps, whatever the clock says."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(job, "Named", partial(Named, steps=steps))
        yield


@pytest.fixture(scope="module")
def on_ring():
    with short(400):
        return Detector("egbad").fit(ring(300, 0))


def test_a_game_learns_the_rows_and_ranks_alone(on_ring):
    found = on_ring.score(np.concatenate([ring(100, 1), off_ring(100, 2)]))
    assert auroc(np.repeat([0, 1], 100), found.scores) > 0.95
    assert on_ring.model.judge.ranking == ("egbad",)
    assert {"egbad", "residual", *ROWS} <= set(found.parts)
    assert found.flagged[:100].mean() < 0.2
    assert found.flagged[100:].mean() > 0.6
    assert on_ring.facts["detector"]["steps"] == 400
    assert on_ring.facts["detector"]["width"] == on_ring.model.members[0].transform.width


def test_a_row_counts_alone_as_among_others(on_ring):
    x = np.concatenate([ring(50, 3), off_ring(50, 4)])
    order = np.random.default_rng(0).permutation(100)
    whole, turned, alone = (on_ring.score(rows) for rows in (x, x[order], x[7:8]))
    np.testing.assert_allclose(turned.scores, whole.scores[order], rtol=1e-6)
    assert turned.p.tolist() == whole.p[order].tolist()
    assert alone.p[0] == whole.p[7]
    assert alone.scores[0] == pytest.approx(whole.scores[7], rel=1e-6)


def test_a_kept_model_scores_the_same(on_ring, tmp_path):
    x = np.concatenate([ring(30, 5), off_ring(30, 6)])
    on_ring.save(tmp_path / "model")
    again = Detector.load(tmp_path / "model")
    before, after = on_ring.score(x), again.score(x)
    assert again.model.kind == "egbad"
    assert after.p.tobytes() == before.p.tobytes()
    np.testing.assert_allclose(after.scores, before.scores, rtol=1e-6)
    (tmp_path / "model" / "members" / "0" / "detector" / "named.npz").unlink()
    with pytest.raises(
        UserError, match=r"is incomplete: .* members/0/detector/named.npz is missing"
    ):
        Detector.load(tmp_path / "model")


def test_reasons_name_the_column_that_the_game_finds_odd(on_ring):
    """Both ends of the axis that leaves the ring's plane; the score is that of the game alone."""
    table = {f"x{i}": column for i, column in enumerate(ring(70, 7).T)}
    table["x2"][66] += 3
    reader = looked_table(table, None).reader
    items = looked_table(table, None).collection.items
    found = on_ring.model.reasons(reader, items, [66, 3])
    assert found[66][0].column == "x2"
    assert found[66][0].drop > 3 * abs(found[3][0].drop)
    alone = on_ring.model.reasons(reader, items, [66])[66]
    assert [r.drop for r in alone] == pytest.approx([r.drop for r in found[66]], rel=1e-6)


def test_interfaces_of_others_train_the_same_game():
    x, new = ring(100, 0), np.concatenate([ring(10, 1), off_ring(10, 2)])
    with short(6):
        detector = Detector("ganomaly", fpr=0.1, seed=3).fit(x)
        estimator = detector.as_sklearn().fit(x)
        pyod = detector.as_pyod().fit(x)
    wanted = detector.score(new).scores
    np.testing.assert_allclose(-estimator.score_samples(new), wanted, rtol=1e-5)
    np.testing.assert_allclose(pyod.decision_function(new), wanted, rtol=1e-5)
    assert estimator.get_params()["detector"] == "ganomaly"
    twin = copy.deepcopy(estimator)
    np.testing.assert_allclose(twin.score_samples(new), estimator.score_samples(new), rtol=1e-6)


def test_few_rows_are_trained_on_by_folds(tmp_path):
    x, shares = ring(50, 0), []
    with short(4):
        model = job.fit(looked_table(x, None), Settings("ganomaly"), progress=shares.append)
    assert model.judge.is_crossed and len(model.members) == 5
    assert shares == sorted(shares) and shares[-1] == 1.0
    model.save(tmp_path / "model")
    again, items = load_model(tmp_path / "model"), looked_table(off_ring(20, 1), None)
    before, after = (m.score(items.reader, items.collection.items) for m in (model, again))
    assert after.p.tobytes() == before.p.tobytes()


def test_a_stopped_training_goes_on_to_the_same_model(tmp_path):
    def stop(share):
        if share > 0.4:
            raise KeyboardInterrupt

    x, new = ring(100, 0), looked_table(off_ring(20, 1), None)
    fit = partial(job.fit, settings=Settings("ganomaly"))
    with short(24):
        whole = fit(looked_table(x, None))
        with pytest.raises(KeyboardInterrupt):
            fit(looked_table(x, None), out=tmp_path, progress=stop)
        shares = []
        rest = fit(looked_table(x, None), out=tmp_path, progress=shares.append)
    assert shares[0] > 0.4
    ours, theirs = (m.score(new.reader, new.collection.items) for m in (whole, rest))
    np.testing.assert_allclose(theirs.scores, ours.scores, rtol=1e-5)
    assert theirs.p.tolist() == ours.p.tolist()


def run(*args):
    return cli.main(["anomaly", *map(str, args)])


def rows_of(normals, odd, seed):
    """Return rows of which the odd ones break the rule b = 2 a; a label says so."""
    random = np.random.default_rng(seed)
    rows = []
    for i in range(normals + odd):
        a = random.normal()
        b = 2 * a + random.normal(0, 0.1) + (12 if i >= normals else 0)
        kind = random.choice(["red", "blue"])
        rows.append(
            {"a": a, "b": b, "kind": kind, "part": f"p{i // 2}", "label": int(i >= normals)}
        )
    return rows


def test_a_csv_from_the_first_line_to_a_second_file(tmp_path, capsys):
    data, out = write(tmp_path / "t.csv", rows_of(200, 20, 0)), tmp_path / "out"
    with short(30):
        assert run("--data", data, "-o", out, "--detector", "ganomaly", "--groups", "part") == DONE
    said = capsys.readouterr().err
    assert re.search(r"^Fitting ganomaly on \d+ normal rows, some held out\.$", said, re.MULTILINE)
    verdict = (
        r"^The detector (does not beat|is not clearly better than) the simple row|^A simple row"
    )
    assert re.search(verdict, said, re.MULTILINE)
    found = json.loads((out / "evaluation.json").read_text())
    assert found["rows"]["detector"]["auroc"] > 0.9
    assert set(found["rows"]) == {"detector", *ROWS}
    rows = list(csv.DictReader((out / "scores.csv").read_text().splitlines()))
    assert rows[0]["reason"].startswith("b = ")
    assert json.loads((out / "plan.json").read_text())["kind"] == "ganomaly"
    text = (out / "report.html").read_text()
    assert "The detector ganomaly of the literature ranks the items." in text
    assert not (out / "training").exists()
    new = write(tmp_path / "new.csv", rows_of(30, 5, 1))
    assert run("score", "--data", new, "--model", out / "model", "-o", tmp_path / "n", "-q") == DONE
    rows = list(csv.DictReader((tmp_path / "n" / "scores.csv").read_text().splitlines()))
    assert {row["path"] for row in rows[:5]} == {f"row {i + 2}" for i in range(30, 35)}


def test_what_no_game_can_do_gets_a_sentence(tmp_path, capsys):
    data = write(tmp_path / "t.csv", rows_of(100, 0, 0))
    for name in ("skip_ganomaly", "restorer"):
        assert run("--data", data, "-o", tmp_path / "out", "--detector", name) == USAGE
        assert f"--detector {name} needs pictures. For a table give auto" in capsys.readouterr().err
    assert (
        run("--data", data, "-o", tmp_path / "out", "--detector", "alad", "--without", "knn5") == 2
    )
    assert "the parts that rank here are alad" in capsys.readouterr().err
    with pytest.raises(UserError, match="skip_ganomaly redraws pictures"):
        Named("skip_ganomaly").fit(ring(30, 0))
    with pytest.raises(UserError, match="at least 20 normal rows.*Received: 18, the other 12"):
        Detector("alad").fit(ring(30, 0))


def test_points_of_another_width_and_of_nan(on_ring):
    named = on_ring.model.members[0].detector
    x = np.zeros((3, named.shape[0]), np.float32)
    x[1] = np.nan
    assert np.isnan(named.parts(x)["egbad"]).tolist() == [False, True, False]
    assert named.restored(x[:1]).shape == x[:1].shape
    with pytest.raises(UserError, match=rf"points \(n, {x.shape[1]}\). Received: \(3, 2\)"):
        named.parts(x[:, :2])


def test_a_model_of_simple_rows_needs_no_keras(tmp_path):
    Detector().fit(ring(100, 0)).save(tmp_path / "model")
    code = (
        "import sys, numpy as np\n"
        "from gantools.apps.anomaly import Detector\n"
        "found = Detector.load(sys.argv[1]).score(np.zeros((2, 4)))\n"
        "assert np.isfinite(found.p).all()\n"
        "assert not {'keras', 'tensorflow', 'jax', 'torch'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "model")], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("faithful", [False, True])
def test_every_game_takes_rows(name, faithful, tmp_path):
    with short(4):
        found = Detector(name, faithful=faithful).fit(ring(100, 0))
    new = off_ring(3, 1)
    before = found.score(new)
    assert np.isfinite(before.p).all()
    found.save(tmp_path / "model")
    after = Detector.load(tmp_path / "model").score(new)
    np.testing.assert_allclose(after.scores, before.scores, rtol=1e-5)
