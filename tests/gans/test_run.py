"""Runs in processes of their own: stopped, killed, resumed, and still the uninterrupted one."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from gantools import record
from gantools.cli import main
from gantools.core.state import newest_state, read_meta
from gantools.errors import DONE, INTERRUPTED, USAGE
from gantools.gans import run
from gantools.gans.material import load

ROOT, HERE = Path(__file__).resolve().parents[2], Path(__file__).parent
STEPS = 3000
# a state after every cycle, so that a kill falls between or into two of them
SCRIPT = """
import sys
from gantools import cli, registry
registry.GAMES["tiny"] = "tiny_game:game"
from gantools.gans import run
run.CHECKPOINT_MINUTES = float(sys.argv[1])
sys.exit(cli.main(sys.argv[2:]))
"""


def start(out, pictures, minutes, *args):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}
    words = ["train", "tiny", "--data", pictures, "--out", out, "--json", *args]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, [minutes, *words])],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for_cycle(out, cycle, process):
    """Wait until a state of at least that cycle is complete."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and process.poll() is None:
        newest = newest_state(out / "states")
        meta = newest and read_meta(newest)
        if meta and meta["cycle"] >= cycle:
            return
        time.sleep(0.01)
    pytest.fail(f"No state of cycle {cycle}: {process.communicate()[1][-2000:]}")


def arrays(out):
    with np.load(newest_state(out / "states") / "arrays.npz") as file:
        return {name: file[name] for name in file.files}


@pytest.mark.usefixtures("tiny_game")
def test_a_run_that_goes_on_with_another_backend_says_so(tmp_path, pictures):
    data, said = load("pictures", pictures), []
    for steps in (2, 3):
        run.train("tiny", data, tmp_path / "run", budget=run.Budget(steps=steps), warn=said.append)
    assert said == []
    path = newest_state(tmp_path / "run" / "states") / "meta.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "backend": "theano"}))
    run.train("tiny", data, tmp_path / "run", budget=run.Budget(steps=4), warn=said.append)
    assert said == [
        "This run's newest state is of theano, and this is "
        f"{keras.backend.backend()}: it goes on, not bit for bit."
    ]


@pytest.mark.usefixtures("tiny_game")
def test_stopped_killed_and_resumed_equals_uninterrupted(tmp_path, pictures, capsys):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    process = start(broken, pictures, 0, "--steps", STEPS)
    wait_for_cycle(broken, 5, process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED, err[-2000:]
    assert json.loads(out)["interrupted"] == "SIGINT"
    assert "the same command goes on" in err
    first = json.loads(out)["cycles"]
    assert record.read(broken / "run.json").results["cycles"] == first < STEPS

    process = start(broken, pictures, 0, "--steps", STEPS)
    wait_for_cycle(broken, first + 5, process)
    words = ["train", "tiny", "--data", pictures, "--out", broken, "--steps", STEPS, "-q"]
    for fresh in ([], ["--fresh"]):  # a second start beside it spoils nothing
        assert main([*map(str, words), *fresh]) == USAGE
        assert capsys.readouterr().err.startswith(f"Error: Another process trains in {broken}.")
    process.kill()
    process.communicate()
    stopped = read_meta(newest_state(broken / "states"))["cycle"]
    assert first < stopped < STEPS

    last = stopped + 20
    process = start(broken, pictures, 5, "--steps", last)
    out, err = process.communicate(timeout=120)
    assert process.returncode == DONE, err[-2000:]
    assert json.loads(out)["cycles"] == last
    words = ["train", "tiny", "--data", pictures, "--out", whole, "--steps", last, "-q"]
    assert main([*map(str, words)]) == DONE  # in this process, in one go
    ours, expected = arrays(broken), arrays(whole)
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(ours[name], value, err_msg=name)
    leftovers = [*broken.glob("*.part"), *(broken / "states").glob(".tmp-*")]
    assert not leftovers
