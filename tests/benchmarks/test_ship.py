"""Shipping a network: its card says how it came about, and the package stays small."""

import dataclasses
import json

import numpy as np
import pytest
from gantools.apps.superres import model
from gantools.apps.superres.training.train import Settings

from benchmarks.quality import ship
from gantools import record
from gantools.errors import UserError
from gantools.nets import plans


@pytest.fixture
def run(tmp_path):
    """Return the folder of a run of 40 cycles, 30 a second, with scores every fifth."""
    settings = Settings("in", 2, steps=40, width=8, blocks=1, name="mini", validation="val")
    folder = tmp_path / "run"
    folder.mkdir()
    kept = record.Record("superres train", dataclasses.asdict(settings))
    record.write(folder / "run.json", kept)
    plan = plans.fast(2, width=8, blocks=1, name="mini")
    random = np.random.default_rng(0)
    arrays = {k: random.normal(size=v).astype("f4") for k, v in plan.weight_shapes().items()}
    facts = {"trained_on": ship.OURS, "validation_psnr_y": 30.123}
    model.write(folder / "fidelity.safetensors", model.Network(plan, arrays, facts), "F32")
    log = [{"cycle": n, "cycles_per_s": 0.1} for n in (20, 40)]
    scores = [{"cycle": n, "psnr_y": 29 + n / 40} for n in range(5, 41, 5)]
    for name, lines in (("log", log), ("scores", scores)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (folder / f"fidelity-{name}.jsonl").write_text(text)
    return folder


def test_a_card_tells_command_minutes_and_curve(run, tmp_path):
    path = ship.ship(run, cores=2, said={"beside": "nothing"}, folder=tmp_path, curves=tmp_path)
    kept = model.read(path)
    assert (path.name, kept.card["stored"]) == ("mini_x2.safetensors", "a byte a weight")
    assert kept.card["command"] == (
        "gantools superres train --data TRAIN --validation VAL --scale 2 --steps 40 "
        "--width 8 --blocks 1 --name mini"
    )
    assert kept.card["minutes on 2 cores"] == 6.7  # 40 cycles of 10 seconds
    assert kept.card["curve"].endswith("35 cycles 29.88, 40 cycles 30.00")
    assert (kept.card["beside"], kept.card["validation_psnr_y"]) == ("nothing", 30.123)
    assert (tmp_path / "mini_x2.png").stat().st_size > 1000
    assert not list(tmp_path.glob("*.new"))


def test_what_a_run_started_from_is_found_among_the_shipped(run):
    kept = record.read(run / "run.json")
    hashes = {"base": model.load("fast", 4).digest, "teacher": model.load("quality", 2).digest}
    settings = {**kept.settings, **hashes, "teacher_share": 0.5}
    record.write(run / "run.json", dataclasses.replace(kept, settings=settings))
    network = model.read(run / "fidelity.safetensors")
    made = ship.card(run, network, 1, "I8")
    assert (made["started_from"], made["taught_by"]) == ("fast x4", "quality x2, 8 views")
    assert "--from fast --teacher quality --teacher-share 0.5 " in made["command"]


def test_a_run_by_minutes_tells_its_cycles_and_an_unfinished_one_is_refused(run):
    kept, network = record.read(run / "run.json"), model.read(run / "fidelity.safetensors")
    for cycles in (40, 41):
        settings, found = {**kept.settings, "steps": None}, {"fidelity_cycles": cycles}
        changed = dataclasses.replace(kept, settings=settings, results=found)
        record.write(run / "run.json", changed)
        if cycles == 40:
            assert "--steps 40 " in ship.card(run, network, 1, "I8")["command"]
        else:
            with pytest.raises(UserError, match="has 40 of 41 cycles"):
                ship.card(run, network, 1, "I8")


def test_a_twin_tells_its_cycle_of_how_many_and_what_it_is_the_twin_of(run, tmp_path):
    kept, network = record.read(run / "run.json"), model.read(run / "fidelity.safetensors")
    settings = {**kept.settings, "gan_minutes": 3.0, "degrade": "photo", "flat": 3.0}
    changed = dataclasses.replace(kept, settings=settings, results={"gan_cycles": 60})
    record.write(run / "run.json", changed)
    facts = {**network.card, "projection": "smooth", "validation_psnr_y": 28.5}
    model.write(run / "gan-000040.safetensors", dataclasses.replace(network, card=facts), "F32")
    log = [{"cycle": n, "cycles_per_s": 0.1} for n in (20, 40, 60)]
    scores = [{"cycle": n, "psnr_y": 29 - n / 40} for n in (20, 40, 60)]
    for name, lines in (("log", log), ("scores", scores)):
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (run / f"gan-{name}.jsonl").write_text(text)
    path = ship.ship(run, told={"twin": 40}, folder=tmp_path, curves=tmp_path)
    made = model.read(path)
    assert (path.name, made.plan.name) == ("mini-gan_x2.safetensors", "mini-gan")
    assert made.card["command"] == (
        "gantools superres train --data TRAIN --validation VAL --scale 2 --steps 0 --gan-steps 60 "
        "--width 8 --blocks 1 --degrade photo --flat 3.0 --from mini --name mini"
    )
    told = ("steps", "started_from", "minutes on 1 core", "projection", "validation_psnr_y")
    assert [made.card[key] for key in told] == [40, "mini x2", 6.7, "smooth", 28.5]
    assert made.card["curve"].endswith("20 cycles 28.50, 40 cycles 28.00")
    assert "up to 60" in made.card["chosen_by"]


def test_other_photographs_and_too_large_a_package_are_refused(run, tmp_path, monkeypatch):
    network = model.read(run / "fidelity.safetensors")
    other = dataclasses.replace(network, card={**network.card, "trained_on": "3 photographs"})
    with pytest.raises(UserError, match="NOTICE lists 366"):
        ship.card(run, other, 1, "I8")
    monkeypatch.setattr(ship, "MOST_BYTES", 1 << 10)
    with pytest.raises(UserError, match="may have"):
        ship.ship(run, folder=tmp_path, curves=tmp_path)
    assert not list(tmp_path.glob("mini*"))
