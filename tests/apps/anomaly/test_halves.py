"""Undivided data: what is told of an item is told by the model that scored it."""

import csv
from functools import partial

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly import fitted, job, layouts, loading
from gantools.apps.anomaly.detectors import efficientnet
from gantools.apps.anomaly.detectors.simple import Simple
from gantools.apps.anomaly.halves import sides
from gantools.apps.anomaly.reporting import report
from gantools.apps.anomaly.reporting.cards import nearest
from gantools.apps.anomaly.settings import Settings
from gantools.apps.anomaly.tables import job as table_job
from gantools.apps.anomaly.tables.model import Rows

from gantools import cli
from gantools.data.tables import read_table
from gantools.errors import DONE, USAGE, UserError


def run(*args):
    return cli.main(["anomaly", *map(str, args)])


@pytest.fixture
def told(monkeypatch):
    """Return a dict that gets the contents of the report, and what `halves` returned."""
    kept, write = {}, report.write

    def spy(path, contents):
        kept["contents"] = contents
        return write(path, contents)

    def watched(score, *args, **how):
        kept["halves"] = score(*args, **how)
        return kept["halves"]

    monkeypatch.setattr(report, "write", spy)
    for module in (job, table_job):
        score = module.score_unsupervised
        monkeypatch.setattr(module, "score_unsupervised", partial(watched, score))
    return kept


def flat(tiles, root, count=80):
    """Write a folder of pictures that nobody has divided."""
    tiles(root / "made", normals=count, good=0, bad=0)
    (root / "made" / "train" / "good").rename(root / "flat")
    return root / "flat"


def cards(told, count):
    """Return the cases that have a card; their bars have to be by the judge that scored them."""
    _, scored, _ = told["halves"]
    judges, side = scored.halves
    assert [model.judge for model in scored.models] == list(judges)
    bars = [judge.bars(scored.parts) for judge in judges]
    shown = [case for case in told["contents"].cases if case.bars]
    for case in shown:
        i = scored.names.index(case.name)
        own, other = ({n: v[i] for n, v in bars[half].items()} for half in (side[i], 1 - side[i]))
        assert case.bars == own != other
    assert len(shown) == count
    return shown


def test_the_nearest_normal_and_the_bars_of_pictures_are_those_of_their_judge(
    tiles, tmp_path, told
):
    root = flat(tiles, tmp_path, 44)
    assert run("--data", root, "-o", tmp_path / "out", "--detector", "references", "-q") == DONE
    items, scored, last = told["halves"]
    found = {case.name: case for case in cards(told, 44)}
    reader = loading.Reader(items)
    used = [scored.models[half] for half in scored.halves[1]]
    assert {id(model) for model in used} == {id(model) for model in scored.models}
    own = 0
    for item, model in zip(items, used, strict=True):
        picture = loading.to_levels(reader.pixels(item), model.levels)
        assert np.abs(nearest(model, picture) - picture).max() > 0.05
        own += np.abs(nearest(last, picture) - picture).max() < 1e-3
        near = found[item.name].pictures["nearest"]
        shown = np.round(np.clip(nearest(model, picture), -1, 1) * 127.5 + 127.5).astype(np.uint8)
        assert np.array_equal(near, report.thumbnail(np.kron(shown, np.ones((4, 4, 1), np.uint8))))
    assert own > 10  # the last model alone would show these items as their own neighbours


def test_the_reasons_of_rows_are_those_of_their_judge(tmp_path, told):
    random = np.random.default_rng(0)
    rows = random.normal(size=(120, 4)) * np.where(np.arange(120) % 40 == 0, 4, 1)[:, None]
    with (tmp_path / "flat.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["a", "b", "c", "d"], *np.round(rows, 4).tolist()])
    assert run("--data", tmp_path / "flat.csv", "-o", tmp_path / "out", "-q") == DONE
    found = cards(told, 60)
    assert all(case.reasons for case in found)
    assert not any(all(r.value == r.nearest for r in case.reasons) for case in found)
    items, scored, _ = told["halves"]
    number = {item.name: i for i, item in enumerate(items)}
    for case in found[:6]:
        i = number[case.name]
        model = scored.models[scored.halves[1][i]]
        again = model.reasons(Rows(read_table(tmp_path / "flat.csv")), items, [i])[i]
        texts = [(r.column, r.value, r.typical, r.nearest) for r in again]
        assert texts == [(r.column, r.value, r.typical, r.nearest) for r in case.reasons]


def test_a_stream_needs_a_test_part(tiles, tmp_path, capsys):
    root, out = flat(tiles, tmp_path, 44), tmp_path / "out"
    args = ("--data", root, "-o", out, "--detector", "references", "-q")
    assert run(*args, "--stream", "name") == USAGE
    assert "--stream: expected a test part" in capsys.readouterr().err
    assert not (out / "model").exists() and not (out / "report.html").exists()


class Wavering(Simple):
    """A detector that ranks by other parts where its own normals are dark."""

    def __init__(self, traits=None):
        super().__init__()
        self.traits = traits

    @staticmethod
    def traits_of(pictures):
        return {"dark": float(np.mean(pictures[:, 0, 0, 0] < -0.9)) >= 0.9}

    def fit(self, pictures, **how):
        super().fit(pictures, **how)
        found = self.traits or self.traits_of(pictures)
        self.ranking, self.facts = ("extra",) if found["dark"] else ("knn5",), found
        return self

    def parts(self, pictures):
        return {"extra": self.maps(pictures).max(axis=(1, 2))} if self.facts["dark"] else {}


def discs(count, lit, side=32, seed=0):
    """Return noisy discs on black, uint8 `(n, side, side)`; those of numbers `lit` on grey."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    made = []
    for i in range(count):
        noise = random.normal(150, 20, (side, side))
        made.append(
            random.normal(128, 30, (side, side)) if i in lit else noise * (y**2 + x**2 < 0.5)
        )
    return np.clip(made, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("seed", range(3))
def test_members_rank_by_one_decision_on_all_normals(seed, monkeypatch):
    from gantools.apps.anomaly import Detector

    monkeypatch.setattr(fitted, "detector_class", lambda kind: Wavering)
    pictures = discs(40, {0, 10, 20, 30})
    folds = Detector("encoder", seed=seed).fit(pictures)
    assert len(folds.model.members) == 5
    assert {member.detector.facts["dark"] for member in folds.model.members} == {True}
    assert np.isfinite(folds.score(discs(6, {1}, seed=9)).p).all()


def test_halves_rank_by_one_decision_on_all_normals(tmp_path, monkeypatch, told):
    monkeypatch.setattr(fitted, "detector_class", lambda kind: Wavering)
    side = sides([f"{i:03}.png" for i in range(100)], 0).tolist()
    lit = [i for i in range(100) if side[i] == 0][:7]  # alone, one half would not count as dark
    (tmp_path / "flat").mkdir()
    for i, picture in enumerate(discs(100, lit)):
        cv2.imwrite(str(tmp_path / "flat" / f"{i:03}.png"), picture)
    assert run("--data", tmp_path / "flat", "-o", tmp_path / "out", "--detector", "encoder",
               "-q") == DONE  # fmt: skip
    _, scored, model = told["halves"]
    assert scored.halves[1].tolist() == side
    assert 0.8 < 1 - len(lit) / side.count(0) < 0.9
    assert [one.judge.ranking for one in scored.models] == [("extra",)] * 2
    assert "extra" in scored.parts and np.isfinite(scored.p).all()
    assert model.facts["settings"]["detector"] == "encoder"


def test_halves_are_of_one_kind(tiles, tmp_path, monkeypatch):
    def without(kind):
        if kind == "encoder":
            raise UserError("not installed")
        return Simple

    monkeypatch.setattr(fitted, "detector_class", without)
    looked, lines = job.look(layouts.find(flat(tiles, tmp_path, 119))), []
    _, scored, model = job.score_unsupervised(looked, Settings(), say=lines.append)
    sizes = [int(np.sum(scored.halves[1] != half)) for half in (0, 1)]
    assert min(sizes) < 60 <= max(sizes)
    assert len({one.kind for one in scored.models}) == 1
    assert sum("not installed" in line for line in lines) == 1
    assert model.facts["settings"]["detector"] == "auto"


@pytest.mark.skipif(not efficientnet.is_installed(), reason="needs the extra [encoder]")
def test_the_encoder_of_few_scans_with_some_that_are_none():
    from gantools.apps.anomaly import Detector

    pictures = discs(40, {0, 10, 20, 30}, side=72)
    detector = Detector("encoder", side=96).fit(pictures)
    traits = [member.detector.facts for member in detector.model.members]
    assert [one["scan"] for one in traits] == [True] * 5
    assert len({(one["alike"], one["aligned"]) for one in traits}) == 1
    assert detector.model.judge.ranking == ("enc_near_few", "enc_wide_few")
    assert np.isfinite(detector.score(discs(4, {1}, side=72, seed=9)).p).all()


@pytest.mark.parametrize("seed", range(5))
def test_halves_have_as_many_groups_of_each(seed):
    place = [f"patient {i // 3}" for i in range(60)]
    side = sides(place, seed)
    assert side.sum() == 30 and len({*zip(place, side, strict=True)}) == 20
    assert not np.array_equal(side, sides(place, seed + 1))
