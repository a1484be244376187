from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from gantools.apps.anomaly import fitted, job, layouts
from gantools.apps.anomaly.detectors.simple import Simple
from gantools.apps.anomaly.items import Item
from gantools.apps.anomaly.settings import Settings

from gantools.errors import ALL_FAILED, UserError

LOTS = r"lot\w\w\d+"


def test_audit_and_reference_rows_are_said_before_any_fit(tile_folder):
    lines = []
    looked = job.look(layouts.find(tile_folder), lines.append)
    (row,) = [line for line in lines if line.startswith("Simple rows")]
    assert "AUROC" in row
    assert looked.first.labelled
    assert set(looked.first.figures) == set(fitted.ROWS)
    best = next(iter(looked.first.figures.values()))
    assert best == max(looked.first.figures.values()) > 0.8


def test_without_labels_the_first_rows_are_shares(tiles, tmp_path):
    root = tiles(tmp_path / "a", normals=60, bad=0)
    (root / "test" / "good").rename(root / "test" / "new")
    (root / "train" / "good").rename(root / "train" / "all")
    lines = []
    looked = job.look(layouts.find(root, "train-test"), lines.append)
    assert not looked.first.labelled
    assert all(0 <= share <= 0.6 for share in looked.first.figures.values())
    assert any("share of 12 items" in line for line in lines)


def test_groups_are_never_divided_and_calibrate_groups(tiles, tmp_path):
    root = tiles(tmp_path / "lots", normals=160)
    looked = job.look(layouts.find(root, groups=LOTS))
    parts = job.divide(looked.normals(), 0)
    groups = [{item.group for item in part} for part in parts]
    assert not groups[0] & groups[1]
    assert not groups[0] & groups[2]
    assert not groups[1] & groups[2]
    model = job.fit(looked, Settings(detector="references"))
    assert model.judge.groups is not None
    items = looked.collection.of("test")
    found = model.score(looked.reader, items).groups
    assert set(found) == {item.group for item in items}
    odd = [p for name, (_, _, p) in found.items() if name.startswith("lotx")]
    plain = [p for name, (_, _, p) in found.items() if not name.startswith("lotx")]
    assert max(odd) <= min(plain)
    stored = str(model.judge.to_dict()["groups"])
    assert "lot" not in stored  # whose pictures they were is nobody's business


def test_copies_stay_in_one_part():
    items = [Item(f"{i}", f"{i:03}") for i in range(200)]
    same = {f"{i:03}": f"{i - 1:03}" for i in range(1, 200, 2)}
    for part in job.divide(items, 0, same):
        names = {item.name for item in part}
        assert all((name in names) == (other in names) for name, other in same.items())


def test_normals_that_cannot_be_divided_are_refused():
    items = [Item(f"{i}", f"{i:03}", group="one") for i in range(100)]
    with pytest.raises(UserError, match="1 groups cannot be divided"):
        job.divide(items, 0)


def test_too_few_normals_are_refused(tiles, tmp_path):
    with pytest.raises(UserError, match="10 readable normals.*at least 15") as failed:
        job.look(layouts.find(tiles(tmp_path / "a", normals=10)))
    assert failed.value.code == ALL_FAILED


class Recorder(Simple):
    """A detector that keeps what it was given."""

    given = []

    def fit(self, pictures, **options):
        self.given.append((len(pictures), options))
        return super().fit(pictures, **options)


def test_the_detector_gets_the_fit_part_only(tile_folder, monkeypatch):
    monkeypatch.setattr(fitted, "detector_class", lambda kind: Recorder)
    Recorder.given.clear()
    looked = job.look(layouts.find(tile_folder))
    ticks = []
    model = job.fit(
        looked, Settings(detector="restorer", minutes=0.5, seed=7, without=("knn5",)),
        out="somewhere", progress=ticks.append,
    )  # fmt: skip
    ((count, options),) = Recorder.given
    assert count == model.facts["fit"] < 80
    assert options["minutes"] == 0.5
    assert options["seed"] == 7
    assert options["out"] == "somewhere"
    assert ticks == [1.0]
    assert "knn5" not in model.judge.ranking


def test_a_part_that_does_not_rank_cannot_be_left_out(tile_folder):
    looked = job.look(layouts.find(tile_folder))
    with pytest.raises(UserError, match="--without ssim: the parts that rank here are knn5"):
        job.fit(looked, Settings(detector="references", without=("ssim",)))


def test_same_seed_same_model_and_other_seed_another(tile_folder):
    looked = job.look(layouts.find(tile_folder))
    items = looked.collection.of("test")
    found = [
        job.fit(looked, Settings(detector="references", seed=seed)).score(looked.reader, items)
        for seed in (0, 0, 1)
    ]
    assert found[0].scores.tobytes() == found[1].scores.tobytes()
    assert found[0].scores.tobytes() != found[2].scores.tobytes()


def test_undivided_pictures_are_scored_by_halves(tiles, tmp_path):
    root = tiles(tmp_path / "a", normals=120, good=0, bad=0)
    (root / "train" / "good").rename(tmp_path / "flat")
    bad = np.random.default_rng(5).integers(0, 256, (32, 32)).astype(np.uint8)
    import cv2

    cv2.imwrite(str(tmp_path / "flat" / "zz_odd.png"), bad)
    looked = job.look(layouts.find(tmp_path / "flat"))
    maps = {}
    items, scored, model = job.score_unsupervised(
        looked, Settings(detector="references", minutes=3), maps=lambda i, *_: maps.update({i: 1}),
        say=lambda line: None,
    )  # fmt: skip
    assert scored.names == [item.name for item in items]
    assert len(items) == 121
    assert scored.names[int(np.argmin(scored.p - 1e-9 * scored.scores))] == "zz_odd.png"
    assert sorted(maps) == list(range(121))
    (first, last), side = scored.halves
    assert last is model.judge is not first
    rule = scored.rule(model.judge, 0.1, 0.8)
    for number, judge in enumerate((first, last)):
        own = side == number
        assert rule.flags(scored.p)[own].tolist() == (
            judge.rule(0.1, 0.8).flags(scored.p[own]).tolist()
        )
    assert model.facts["settings"]["minutes"] == 3


def test_each_half_has_a_training_of_its_own_to_go_on_with(tiles, tmp_path, monkeypatch):
    monkeypatch.setattr(fitted, "detector_class", lambda kind: Recorder)
    Recorder.given.clear()
    looked = job.look(layouts.find(tiles(tmp_path / "a", normals=140, good=0, bad=0) / "train"))
    settings = Settings(detector="restorer", minutes=3)
    job.score_unsupervised(looked, settings, out="training", say=lambda line: None)
    outs = [options["out"] for _, options in Recorder.given]
    assert outs == [Path("training") / "0", Path("training") / "1"]
    assert [options["minutes"] for _, options in Recorder.given] == [1.5, 1.5]


def test_halves_of_too_few_are_refused(tile_folder):
    looked = job.look(layouts.find(tile_folder / "train"))
    few = looked.collection.items[:16]
    looked = replace(looked, collection=replace(looked.collection, items=few))
    with pytest.raises(UserError, match="one half of train has .* normals.*at least 15") as failed:
        settings = Settings(detector="references")
        job.score_unsupervised(looked, settings, say=lambda line: None)
    assert failed.value.code == ALL_FAILED


def test_auto_takes_what_is_installed(monkeypatch):
    def without(kind):
        if kind == "encoder":
            raise UserError("not installed")
        return Simple

    lines = []
    monkeypatch.setattr(fitted, "detector_class", without)
    assert job.make("auto", 500, lines.append)[0] == "restorer"
    assert job.make("auto", 30, lines.append)[0] == "references"
    assert "not installed" in lines[0]
    with pytest.raises(UserError, match="not installed"):
        job.make("encoder", 500)[1]()


def scenes(root, shots, count=40):
    """Write several noisy shots of each scene; `shots` are folders, one a shot."""
    import cv2

    random = np.random.default_rng(0)
    for scene in range(count):
        rough = random.integers(0, 256, (6, 6), np.uint8)
        base = cv2.resize(rough, (48, 48), interpolation=cv2.INTER_CUBIC).astype(float)
        for number, folder in enumerate(shots):
            (root / folder).mkdir(parents=True, exist_ok=True)
            shot = (base + random.normal(0, 2, base.shape)).clip(0, 255).astype(np.uint8)
            cv2.imwrite(str(root / folder / f"s{scene:02}_{number}.png"), shot)
    odd = root / ("test/bad" if shots[-1].startswith("test") else "bad")
    odd.mkdir(parents=True)
    cv2.imwrite(str(odd / "z.png"), random.integers(0, 256, (48, 48), np.uint8))


@pytest.mark.parametrize("shots", [["train/good"] * 3 + ["test/good"], ["good"] * 4])
def test_shots_of_one_scene_stay_together_where_one_of_them_is_in_the_test_part(tmp_path, shots):
    scenes(tmp_path, shots)
    looked = job.look(layouts.find(tmp_path))
    tested = {item.path.name[:3] for item in looked.collection.of("test")}
    parts = job.divide(looked.normals(), 0, job.copies(looked.audit.sheet))
    fit, first, second = ({item.path.name[:3] for item in part} for part in parts)
    assert len(tested & (fit | first | second)) > 15
    assert not fit & first
    assert not fit & second
    assert not first & second


def test_parts_in_a_jig_are_fitted_although_each_is_a_near_copy_of_another(tmp_path):
    import cv2

    random, base = np.random.default_rng(0), np.full((64, 64), 40, np.uint8)
    cv2.circle(base, (32, 32), 22, 200, -1)
    cv2.rectangle(base, (20, 20), (44, 28), 90, -1)
    base = cv2.GaussianBlur(base, (0, 0), 1.5).astype(float)
    for i in range(100):
        rough = cv2.resize(random.normal(0, 4, (6, 6)), (64, 64))
        shot = base * random.normal(1, 0.02) + random.normal(0, 4, base.shape) + rough
        cv2.imwrite(str(tmp_path / f"{i:03}.png"), shot.clip(0, 255).astype(np.uint8))
    lines = []
    looked = job.look(layouts.find(tmp_path), lines.append)
    assert any("likeness is a property of this set" in line for line in lines)
    items, scored, _ = job.score_unsupervised(
        looked, Settings(detector="references"), say=lambda line: None
    )
    assert len(items) == 100
    assert np.isfinite(scored.p).all()


def test_halves_of_few_places_say_what_hangs_together(tmp_path):
    scenes(tmp_path, ["good"] * 8, count=3)
    looked = job.look(layouts.find(tmp_path / "good"))
    with pytest.raises(UserError, match="groups and copies stay together, which leaves 3 of 24"):
        job.score_unsupervised(looked, Settings("references", seed=1), say=lambda line: None)


def test_faithful_reaches_the_detector(fitted_tiles):
    looked, _ = fitted_tiles
    for faithful, wanted in ((True, {"faithful": True}), (False, {})):
        task = job._task(looked, Settings("ganomaly", faithful=faithful), print)
        assert task.new().name == "ganomaly" and task.new().settings == wanted
