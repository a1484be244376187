import dataclasses
import json

import numpy as np
import pytest
from gantools.apps.anomaly import fitted, job, layouts
from gantools.apps.anomaly.settings import Settings

from gantools.errors import ALL_FAILED, UserError


def test_scores_find_the_defects(fitted_tiles):
    looked, model = fitted_tiles
    items = looked.collection.of("test")
    scored = model.score(looked.reader, items)
    labels = np.array([item.label for item in items])
    assert scored.scores[labels == 1].min() > np.median(scored.scores[labels == 0])
    assert np.all((scored.p > 0) & (scored.p <= 1))
    assert not scored.errors


def test_a_score_depends_on_its_picture_alone(fitted_tiles, monkeypatch):
    looked, model = fitted_tiles
    items = list(looked.collection.of("test"))
    whole = model.score(looked.reader, items)
    order = np.random.default_rng(0).permutation(len(items))
    mixed = model.score(looked.reader, [items[i] for i in order] + [items[0]])
    monkeypatch.setattr(fitted, "CHUNK", 3)
    small = model.score(looked.reader, items)
    alone = model.score(looked.reader, items[:1])
    for name, values in whole.parts.items():  # products of other sizes round differently
        np.testing.assert_allclose(mixed.parts[name][:-1], values[order], rtol=1e-6)
        np.testing.assert_allclose(small.parts[name], values, rtol=1e-6)
        np.testing.assert_allclose(alone.parts[name][0], values[0], rtol=1e-6)
        np.testing.assert_allclose(mixed.parts[name][-1], values[0], rtol=1e-6)
    np.testing.assert_array_equal(small.p, whole.p)
    np.testing.assert_array_equal(mixed.p[:-1], whole.p[order])


def test_a_saved_model_gives_the_same_p_byte_for_byte(fitted_tiles, tmp_path):
    looked, model = fitted_tiles
    items = looked.collection.of("test")
    model.save(tmp_path / "model")
    loaded = fitted.Fitted.load(tmp_path / "model")
    maps, again = {}, {}
    before = model.score(looked.reader, items, maps=lambda i, item, heat: maps.update({i: heat}))
    after = loaded.score(looked.reader, items, maps=lambda i, item, heat: again.update({i: heat}))
    assert after.p.tobytes() == before.p.tobytes()
    for name, values in before.parts.items():
        assert after.parts[name].tobytes() == values.tobytes(), name
    assert after.scores.tobytes() == before.scores.tobytes()
    assert all(maps[i].tobytes() == again[i].tobytes() for i in maps)
    assert loaded.facts == model.facts
    texts = [path for path in (tmp_path / "model").rglob("*") if path.is_file()]
    assert {path.suffix for path in texts} == {".json", ".npz"}


def test_saving_replaces_an_older_model_whole(fitted_tiles, tmp_path):
    _, model = fitted_tiles
    model.save(tmp_path / "model")
    (tmp_path / "model" / "stale").write_text("x")
    model.save(tmp_path / "model")
    assert not (tmp_path / "model" / "stale").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_unreadable_picture_is_a_row_without_a_verdict(fitted_tiles, tmp_path):
    looked, model = fitted_tiles
    items = list(looked.collection.of("test"))[:4]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n nothing")
    items[2] = dataclasses.replace(items[2], path=broken)
    seen = []
    scored = model.score(looked.reader, items, maps=lambda i, *_: seen.append(i))
    assert list(np.isnan(scored.p)) == [False, False, True, False]
    assert np.isnan(scored.scores[2])
    assert list(scored.errors) == [items[2].name]
    assert seen == [0, 1, 3]
    with pytest.raises(UserError, match="None of 1 items can be scored") as failed:
        model.score(looked.reader, [items[2]])
    assert failed.value.code == ALL_FAILED


def test_what_was_fitted_on_gets_no_p(fitted_tiles):
    looked, model = fitted_tiles
    normals = looked.collection.normals()
    scored = model.score(looked.reader, normals)
    assert np.isnan(scored.p).all()
    assert "fitted on" in scored.errors[normals[0].name]


def test_a_copy_between_fit_and_calibration_is_refused(fitted_tiles):
    from gantools.apps.anomaly.calibration.judge import Judge

    _, model = fitted_tiles
    first, second, hashes = model.held
    shared = dataclasses.replace(second, hashes=[*second.hashes[:-1], first.hashes[0]])
    judge = Judge.fit(model.judge.ranking, first, shared, hashes)
    assert len(judge.normal_scores) == len(second) - 1  # the copy does not count
    from gantools.apps.anomaly.calibration.calibrate import Calibration

    with pytest.raises(UserError, match="both fit and calibration"):
        Calibration.fit([1.0, 2.0], ["a", "b"], ["b"])


def test_few_normals_are_calibrated_by_folds(tiles, tmp_path):
    looked = job.look(layouts.find(tiles(tmp_path / "few", normals=24)))
    model = job.fit(looked, Settings(detector="references"))
    assert model.judge.is_crossed
    assert len(model.members) == 8
    assert len(model.judge.normal_scores) == 24
    items = looked.collection.of("test")
    scored = model.score(looked.reader, items)
    model.save(tmp_path / "model")
    again = fitted.Fitted.load(tmp_path / "model").score(looked.reader, items)
    assert again.p.tobytes() == scored.p.tobytes()
    assert scored.p.min() == pytest.approx(1 / 25)
    assert np.isnan(model.score(looked.reader, looked.normals()[:3]).p).all()
    assert "twice" in model.judge.sentence(model.judge.rule(0.1))


@pytest.mark.parametrize("text", ["", "{", '{"schema": 1, "detector": "x"}'])
def test_other_folders_are_refused_in_one_sentence(tmp_path, text):
    folder = tmp_path / "model"
    folder.mkdir()
    if text:
        (folder / "plan.json").write_text(text)
        (folder / "judge.json").write_text(text)
    with pytest.raises(UserError, match="holds no fitted model|another version"):
        fitted.Fitted.load(folder)


def test_a_model_that_was_copied_in_part_says_what_is_missing(fitted_tiles, tmp_path):
    from gantools.apps.anomaly.tables.model import load_model

    _, model = fitted_tiles
    folder = tmp_path / "model"
    model.save(folder)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    assert len(files) == 3 + len(fitted.ROWS) + 2
    for path in files:
        path.rename(tmp_path / "aside")
        name = path.relative_to(folder).as_posix()
        with pytest.raises(UserError) as failed:
            load_model(folder)
        assert name in str(failed.value)
        if path.parent != folder or path.name == "inputs.json":
            assert str(failed.value) == (
                f"The model in {folder} is incomplete: expected 11 files beside plan.json and "
                f"judge.json, {name} is missing. Copy it again, or fit it again."
            )
        (tmp_path / "aside").rename(path)
    load_model(folder)
    (folder / "members").rename(tmp_path / "members")
    with pytest.raises(UserError, match="members/0/references/knn5.npz and 9 more files are miss"):
        load_model(folder)


def test_a_model_of_rows_that_was_copied_in_part_says_what_is_missing(tmp_path):
    from gantools.apps.anomaly import Detector
    from gantools.apps.anomaly.tables.model import ROWS

    folder, random = tmp_path / "model", np.random.default_rng(0)
    Detector().fit(random.normal(size=(20, 3))).save(folder)
    files = sorted(path for path in (folder / "members").rglob("*") if path.is_file())
    assert len(files) == 5 * (len(ROWS) + 2)
    for path in files[: len(ROWS) + 2] + files[-1:]:
        path.rename(tmp_path / "aside")
        name = path.relative_to(folder).as_posix()
        with pytest.raises(UserError, match=f"incomplete.*{name} is missing"):
            Detector.load(folder)
        (tmp_path / "aside").rename(path)
    assert np.isfinite(Detector.load(folder).score(random.normal(size=(2, 3))).p).all()


def test_settings_and_counts_are_kept(fitted_tiles, tmp_path):
    _, model = fitted_tiles
    model.save(tmp_path / "model")
    plan = json.loads((tmp_path / "model" / "plan.json").read_text())
    assert plan["facts"]["settings"]["detector"] == "references"
    assert plan["facts"]["fit"] + sum(plan["facts"]["calibration"]) == 80


def test_every_detector_of_the_command_line_has_a_class():
    from gantools.apps.anomaly.settings import DETECTORS, LITERATURE

    for name in set(DETECTORS) - {"auto", *LITERATURE}:
        assert fitted.detector_class(name)
    for name in LITERATURE:
        assert fitted.detector_class(name)().name == name
    with pytest.raises(UserError, match="no detector"):
        fitted.detector_class("oracle")
