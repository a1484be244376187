"""Training: patches fit together, both stages run, a run resumes, settings are compared."""

import dataclasses
import json

import cv2
import keras
import numpy as np
import pytest
from gantools.apps.superres import model as files
from gantools.apps.superres.training import cli, stages
from gantools.apps.superres.training import train as training
from gantools.apps.superres.training.patches import UNIT, Patches, load_photos, shuffle, unshuffle
from gantools.apps.superres.training.train import PATCH, Settings, train

from gantools import record
from gantools.cli import main
from gantools.core.state import claimed
from gantools.data.resample import resize
from gantools.errors import USAGE, UserError
from gantools.nets import plans


@pytest.fixture
def photos(tmp_path):
    """Three soft random pictures as files, one of them too small."""
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for name, side in (("a", 200), ("b", 220), ("small", 40)):
        coarse = random.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{name}.png"), cv2.resize(coarse, (side, side)))
    return folder


@pytest.fixture(autouse=True)
def small_discriminator(monkeypatch):
    """Make the second stage's discriminator small."""
    monkeypatch.setattr(
        training, "discriminator", lambda scale, seed: stages.discriminator(scale, seed, width=4)
    )


def settings(photos, **changes):
    small = Settings(str(photos), 2, steps=4, width=16, blocks=1, batch=2, name="mini")
    return dataclasses.replace(small, **changes)


def test_shuffle_is_the_inverse_of_unshuffle():
    picture = np.random.default_rng(0).normal(size=(6, 9, 3))
    blocks = unshuffle(picture, 3)
    assert blocks.shape == (2, 3, 27)
    assert blocks[1, 2, 1 * 9 + 2 * 3 + 1] == picture[3 * 1 + 2, 3 * 2 + 1, 1]
    np.testing.assert_array_equal(shuffle(blocks, 3), picture)


def test_patches_add_up_to_the_picture(photos):
    stream = Patches(load_photos(photos, 2, PATCH), 2, 4, PATCH).with_high()
    assert {name for name, _ in load_photos(photos, 2, PATCH)} == {"a.png", "b.png"}
    batch = stream.at(3)
    assert batch["low"].shape == (4, PATCH, PATCH, 3)
    for low, residual, high in zip(batch["low"], batch["residual"], batch["high"], strict=True):
        base = resize(low.astype(np.float32), 2)
        rebuilt = base + 255 * shuffle(residual, 2)
        inner = np.s_[8:-8, 8:-8]  # a patch's border is the picture's inside
        assert np.abs(rebuilt - high)[inner].max() <= 0.5 + 255 / UNIT
    np.testing.assert_array_equal(stream.at(3)["low"], batch["low"])
    assert not np.array_equal(stream.at(4)["low"], batch["low"])


def test_a_run_is_not_trained_twice_at_a_time(photos, tmp_path):
    with claimed(tmp_path / "run"), pytest.raises(UserError, match="Another process trains in"):
        train(tmp_path / "run", settings(photos))
    assert not list((tmp_path / "run").iterdir())


def test_both_stages_make_a_network_and_a_resume_equals_the_whole(photos, tmp_path):
    both = settings(photos, gan_minutes=1e-6)
    outcome = train(tmp_path / "whole", both)
    assert outcome.path.name == "gan.safetensors"
    assert not outcome.interrupted
    scores = (tmp_path / "whole" / "fidelity-scores.jsonl").read_text().splitlines()
    assert json.loads(scores[-1])["cycle"] == 4
    network = files.read(tmp_path / "whole" / "fidelity.safetensors")
    assert (network.scale, network.plan.name) == (2, "mini")
    assert str(photos) not in json.dumps(network.card)
    assert keras.config.dtype_policy().name == "float32"
    again = train(tmp_path / "whole", both)
    assert again.score == pytest.approx(outcome.score, abs=0.01)
    for state in (tmp_path / "whole").glob("gan-state/*/arrays.npz"):
        state.write_bytes(b"damaged")
    with pytest.raises(UserError, match="No state in .*gan-state is whole"):
        train(tmp_path / "whole", both)


def test_photo_networks_say_how_they_are_projected_and_are_scored_on_both_kinds(photos, tmp_path):
    run = tmp_path / "run"
    photo = settings(photos, steps=2, degrade="photo", gan_steps=3)
    outcome = train(run, photo)
    for stage, cycle in (("fidelity", 2), ("gan", 3)):
        network = files.read(run / f"{stage}.safetensors")
        assert network.projection == "smooth"
        assert network.card["settings"]["degrade"] == "photo"
        line = json.loads((run / f"{stage}-scores.jsonl").read_text().splitlines()[-1])
        assert line["cycle"] == cycle
        assert line["psnr_y_damaged"] < line["psnr_y"]
        mean = (line["psnr_y_damaged"] + line["psnr_y"]) / 2
        assert network.card["validation_psnr_y"] == pytest.approx(mean, abs=1e-3)
    assert outcome.score == pytest.approx(mean, abs=1e-3)
    assert files.read(run / "gan-000003.safetensors").digest == network.digest
    train(tmp_path / "clean", settings(photos, steps=1))
    assert files.read(tmp_path / "clean" / "fidelity.safetensors").projection == "full"


def test_the_second_stage_can_follow_another_runs_first(photos, tmp_path):
    train(tmp_path / "first", settings(photos))
    base = files.read(tmp_path / "first" / "fidelity.safetensors")
    given = settings(photos, steps=0, base=base.digest, gan_steps=1)
    train(tmp_path / "second", given, base=base)
    same = files.read(tmp_path / "second" / "fidelity.safetensors")
    assert same.digest == base.digest
    assert files.read(tmp_path / "second" / "gan.safetensors").plan.steps == base.plan.steps
    with pytest.raises(UserError, match="Expected a mini x3"):
        train(tmp_path / "third", settings(photos, steps=0, scale=3), base=base)


def test_other_photographs_are_noticed(photos, tmp_path):
    run = tmp_path / "run"
    train(run, settings(photos, steps=1))
    cv2.imwrite(str(photos / "c.png"), np.zeros((200, 200, 3), np.uint8))
    with pytest.raises(UserError, match="The photographs are not those"):
        train(run, settings(photos, steps=1))
    train(run, settings(photos, steps=1), fresh=True)


def test_a_run_of_another_command_is_not_deleted(photos, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    record.write(run / "run.json", record.Record("train", {}))
    with pytest.raises(UserError, match="holds a run of `gantools train`"):
        train(run, settings(photos), fresh=True)
    assert record.read(run / "run.json").command == "train"


def test_a_flat_picture_does_not_stop_the_choice(photos, tmp_path):
    checks = tmp_path / "checks"
    checks.mkdir()
    cv2.imwrite(str(checks / "black.png"), np.zeros((200, 200, 3), np.uint8))
    found = train(tmp_path / "run", settings(photos, validation=str(checks)))
    assert found.score == 100.0
    assert "Infinity" not in (tmp_path / "run" / "fidelity-scores.jsonl").read_text()


def test_every_checkpoint_has_a_page(photos, tmp_path):
    train(tmp_path / "run", settings(photos, degrade="photo", gan_steps=2))
    names = {p.name for p in (tmp_path / "run").glob("*.html")}
    assert names == {"fidelity.html", "gan-000002.html"}
    assert all((tmp_path / f"run/{stage}-curve.png").exists() for stage in ("fidelity", "gan"))
    page = (tmp_path / "run" / "fidelity.html").read_text()
    assert "mini x2 after 4 cycles" in page
    assert "a.png, clean" in page
    assert "a.png, damaged" in page
    assert cv2.imread(str(tmp_path / "run" / "fidelity.png")).shape[1] > 100


def test_the_command_offers_every_kind_of_network():
    (option,) = (option for option in cli.train.params if option.name == "network")
    assert list(option.type.choices) == list(plans.PLANS)


@pytest.mark.parametrize("kind", ["compact", "srresnet", "rrdb"])
def test_other_kinds_of_networks_are_trained(kind, photos, tmp_path):
    other = settings(photos, steps=1, network=kind, width=8, name=None)
    network = files.read(train(tmp_path / "run", other).path)
    assert network.plan.name == kind
    assert network.plan == training.plan_of(other)


def test_other_settings_are_refused_by_name(photos, tmp_path):
    train(tmp_path / "run", settings(photos))
    with pytest.raises(UserError, match=r"seed \(0, now 1\).*--fresh"):
        train(tmp_path / "run", settings(photos, seed=1))
    train(tmp_path / "run", settings(photos, seed=1), fresh=True)


def test_fresh_deletes_the_run_and_nothing_else(photos, tmp_path):
    run = tmp_path / "run"
    train(run, settings(photos))
    (run / "notes.txt").write_text("mine")
    train(run, settings(photos, steps=2), fresh=True)
    assert (run / "notes.txt").exists()
    scores = (run / "fidelity-scores.jsonl").read_text().splitlines()
    assert [json.loads(line)["cycle"] for line in scores] == [2]


def test_an_unreadable_photograph_is_named_and_skipped(photos, tmp_path):
    (photos / "bad.png").write_bytes(b"no picture")
    said = []
    train(tmp_path / "run", settings(photos, steps=1), say=said.append)
    assert len(said) == 1
    assert "bad.png" in said[0]


def test_a_resumed_run_measures_and_keeps_what_the_whole_one_does(photos, tmp_path, monkeypatch):
    train(tmp_path / "whole", settings(photos))
    play = training._play

    def cut(model, stream, steps, *rest):
        return play(model, stream, 2, *rest) and steps == 2

    monkeypatch.setattr(training, "_play", cut)
    assert train(tmp_path / "parts", settings(photos)).interrupted
    assert not (tmp_path / "parts" / "fidelity-scores.jsonl").exists()
    monkeypatch.setattr(training, "_play", play)
    train(tmp_path / "parts", settings(photos))
    first, second = (
        files.read(tmp_path / name / "fidelity.safetensors") for name in ("whole", "parts")
    )
    for name, array in first.arrays.items():
        np.testing.assert_array_equal(second.arrays[name], array)


def test_minutes_become_cycles_once(photos, tmp_path):
    train(tmp_path / "run", settings(photos, steps=None, minutes=1e-4))
    kept = record.read(tmp_path / "run" / "run.json").results
    train(tmp_path / "run", settings(photos, steps=None, minutes=1e-4))
    assert record.read(tmp_path / "run" / "run.json").results == kept
    assert kept["fidelity_cycles"] >= 1


def test_bad_data_leave_no_run_behind(tmp_path):
    with pytest.raises(UserError, match="There is no folder"):
        train(tmp_path / "run", settings(tmp_path / "none"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("change", [{"scale": 3}, {"width": 24, "blocks": 2}])
def test_a_network_can_start_from_another(photos, tmp_path, change):
    train(tmp_path / "first", settings(photos))
    base = files.read(tmp_path / "first" / "fidelity.safetensors")
    other = settings(photos, steps=1, base=base.digest, **change)
    train(tmp_path / "second", other, base=base)
    second = files.read(tmp_path / "second" / "fidelity.safetensors")
    kept = second.arrays["head/kernel"][..., :16]
    moved = np.abs(kept - base.arrays["head/kernel"]).max()
    assert moved < 0.01  # a fresh head would differ by its whole size


def test_a_network_of_which_nothing_would_be_used_is_refused(photos, tmp_path):
    train(tmp_path / "first", settings(photos, steps=1))
    base = files.read(tmp_path / "first" / "fidelity.safetensors")
    for change in ({"width": 8}, {"network": "compact"}):
        with pytest.raises(UserError, match="% of the convolutions of mini x2 fit"):
            train(tmp_path / "other", settings(photos, base=base.digest, **change), base=base)
    with pytest.raises(UserError, match="Expected a mini x3 of this size. Received: mini x2"):
        train(tmp_path / "other", settings(photos, steps=0, scale=3, base=base.digest), base=base)
    assert not (tmp_path / "other").exists()


def test_bad_input(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no 8-bit picture of at least 96 pixels"):
        train(tmp_path / "run", settings(tmp_path / "empty"))
    (tmp_path / "busy").mkdir()
    (tmp_path / "busy" / "x").write_text("")
    with pytest.raises(UserError, match="not empty"):
        train(tmp_path / "busy", settings(tmp_path))


@pytest.mark.parametrize(
    ("options", "rate"),
    [
        ({}, 1e-3),
        ({"width": 24}, 1e-3),
        ({"width": 96, "blocks": 6}, 5e-4),
        ({"network": "srresnet"}, 7.5e-4),
        ({"width": 96, "rate": 2e-3}, 2e-3),
    ],
)
def test_wide_networks_learn_at_a_lower_rate(options, rate):
    assert training.peak_rate(Settings(data="photos", **options)) == pytest.approx(rate)


@pytest.mark.parametrize("base", ["x.onnx", "x.pth", "nobody"])
def test_what_training_cannot_start_from(base, photos, tmp_path, capsys):
    words = ["--data", str(photos), "--from", base, "-o", str(tmp_path / "run")]
    assert main(["superres", "train", *words]) == USAGE
    err = capsys.readouterr().err
    assert "expected a shipped network (fast, photo" in err
    assert f"path of a .safetensors file. Received: '{base}'" in err
    assert ".onnx file" not in err
    assert main(["superres", "train", *words[:2], "--minutes", "nan"]) == USAGE
    assert "'nan' is not finite" in capsys.readouterr().err
