"""Exact resume: in one process, in another one, and after kill -9 during a save."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from gantools.core import AdversarialModel, Stream, duel
from gantools.core.state import claimed, newest_state
from gantools.core.testing import check_resume, same_state
from gantools.errors import UserError

from .games import critic, generator, points, wgan_gp

pytestmark = pytest.mark.backends

ROOT = Path(__file__).parents[2]
# state n holds n in every trainable variable of the generator
SAVE_FOREVER = """
import sys
from tests_games import wgan_gp
model, n = wgan_gp(), 0
while True:
    n += 1
    model.cycle.assign(n)
    for v in model.player("generator").func.trainable_variables:
        v.assign(v * 0 + n)
    model.save(sys.argv[1])
    if n == 1:  # however slow the machine is, the kill comes after a first state
        print("ready", flush=True)
"""
RUN = """
import sys
from tests_games import points, wgan_gp
from gantools.core import Stream
from gantools.core.callbacks import Checkpoints
folder, cycles, minutes = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
model = wgan_gp(dropout=0.3)
model.restore(folder)
print("from", int(model.cycle), flush=True)
left = cycles - int(model.cycle)
stream = Stream(points(), 8, minibatches=4)
model.fit(stream, steps_per_epoch=left, verbose=0, callbacks=[Checkpoints(folder, minutes)])
"""


def spawn(script, *arguments):
    """Run a script in a new process; it finds `games.py` of this folder as `tests_games`."""
    games = str(Path(__file__).with_name("games.py"))
    loader = (
        "import importlib.util as u, sys\n"
        f"spec = u.spec_from_file_location('tests_games', {games!r})\n"
        "sys.modules['tests_games'] = games = u.module_from_spec(spec)\n"
        "spec.loader.exec_module(games)\n"
    )
    command = [sys.executable, "-c", loader + script, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_resume_is_bit_for_bit():
    check_resume(lambda: wgan_gp(dropout=0.3), Stream(points(), 8, minibatches=4), 6)


@pytest.mark.skipif(keras.backend.backend() == "torch", reason="Keras has no such loop on PyTorch")
def test_resume_with_several_steps_per_execution():
    make = lambda: wgan_gp(dropout=0.3, steps_per_execution=3)
    check_resume(make, Stream(points(), 8, minibatches=4), 12)


def test_resume_in_another_process_equals_the_whole_run(tmp_path):
    for cycles in (3, 8):
        process = spawn(RUN, tmp_path, cycles, 10.0)
        assert process.communicate()[0].strip() == f"from {0 if cycles == 3 else 3}"
        assert process.returncode == 0
    whole, resumed = wgan_gp(dropout=0.3), wgan_gp(dropout=0.3)
    whole.fit(Stream(points(), 8, minibatches=4), steps_per_epoch=8, verbose=0)
    resumed.restore(tmp_path)
    assert same_state(whole, resumed)


def test_sigterm_saves_the_cycle_and_the_run_goes_on(tmp_path):
    process = spawn(RUN, tmp_path, 10**7, 10.0)
    process.stdout.readline()
    time.sleep(5)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    model = wgan_gp(dropout=0.3)
    cycle = model.restore(tmp_path)["cycle"]
    whole = wgan_gp(dropout=0.3)
    if cycle:
        whole.fit(Stream(points(), 8, minibatches=4), steps_per_epoch=cycle, verbose=0)
    assert same_state(whole, model)


def test_kill_during_a_save_leaves_a_complete_state(tmp_path):
    delays = random.Random(0)
    for _ in range(3):
        process = spawn(SAVE_FOREVER, tmp_path)
        process.stdout.readline()
        time.sleep(0.2 + delays.random() / 4)
        process.kill()
        process.wait()
        process.stdout.close()
        model = wgan_gp()
        cycle = model.restore(tmp_path)["cycle"]
        values = model.player("generator").func.get_weights()[0]
        np.testing.assert_array_equal(values, np.full_like(values, cycle))
    model.save(tmp_path)
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_folder_is_claimed_by_one_at_a_time(tmp_path):
    folder = tmp_path / "new" / "run"
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), claimed(folder):
            with pytest.raises(UserError, match=f"Another process trains in {folder}"):
                claimed(folder).__enter__()
            with claimed(tmp_path / "other"):
                raise ZeroDivisionError
    with claimed(folder):
        assert not list(folder.iterdir())


def test_a_damaged_state_is_passed_over(tmp_path):
    model = wgan_gp()
    model.save(tmp_path)
    model.fit(Stream(points(), 8, minibatches=4), steps_per_epoch=1, verbose=0)
    model.save(tmp_path)
    newest = newest_state(tmp_path) / "arrays.npz"
    newest.write_bytes(newest.read_bytes()[:-100])
    assert wgan_gp().restore(tmp_path)["cycle"] == 0
    assert wgan_gp().restore(tmp_path / "none") is None


def two_states(folder):
    """Save cycles 0 and 1; return the folder of the newer state."""
    model = wgan_gp()
    for cycle in (0, 1):
        model.cycle.assign(cycle)
        model.save(folder)
    return newest_state(folder)


@pytest.mark.parametrize("name", ["arrays.npz", "meta.json"])
def test_a_byte_that_changed_in_either_state(tmp_path, name):
    newest = two_states(tmp_path)
    content = bytearray((newest / name).read_bytes())
    key = content.find(b"blake2b")  # of meta.json
    content[key if name == "meta.json" else len(content) // 2] ^= 1
    (newest / name).write_bytes(content)
    meta = wgan_gp().restore(tmp_path)
    assert (meta["cycle"], meta["damaged"]) == (0, [newest.name])
    shutil.rmtree(next(place for place in tmp_path.iterdir() if place != newest))
    assert wgan_gp().restore(tmp_path) is None


def test_a_state_whose_file_is_gone_is_passed_over(tmp_path):
    newest = two_states(tmp_path)
    (newest / "arrays.npz").unlink()
    assert wgan_gp().restore(tmp_path)["damaged"] == [newest.name]
    (newest / "arrays.npz").mkdir()  # something that cannot be read
    assert wgan_gp().restore(tmp_path)["cycle"] == 0
    model = wgan_gp()
    model.cycle.assign(2)
    model.save(tmp_path)
    assert wgan_gp().restore(tmp_path)["damaged"] == []


def test_what_was_saved_last_is_kept_and_restored_whatever_its_cycle(tmp_path):
    model = wgan_gp()
    for cycle in (7, 8, 2, 2):
        model.cycle.assign(cycle)
        model.images.assign(model.images + 1)
        model.save(tmp_path, keep=2)
    names = [p.name for p in sorted(tmp_path.iterdir())]
    assert names == ["state-000003-2", "state-000004-2"]
    assert wgan_gp().restore(tmp_path)["images"] == 4


def test_a_model_that_is_not_compiled_is_saved_and_restored_for_its_samples(tmp_path):
    model = wgan_gp()
    model.fit(Stream(points(), 8, minibatches=4), steps_per_epoch=2, verbose=0)
    model.save(tmp_path / "compiled")
    bare = AdversarialModel(wgan_gp().game, seed=7)
    bare.restore(tmp_path / "compiled")
    np.testing.assert_array_equal(bare.sample(4), model.sample(4))
    bare.save(tmp_path / "bare")
    again = AdversarialModel(wgan_gp().game, seed=7)
    assert again.restore(tmp_path / "bare")["cycle"] == 2
    np.testing.assert_array_equal(again.sample(4), model.sample(4))
    with pytest.raises(UserError, match="for example optimizer/"):
        wgan_gp().restore(tmp_path / "bare")  # it could not go on exactly


def test_the_state_of_another_game_is_refused(tmp_path):
    wgan_gp().save(tmp_path)
    model = AdversarialModel(duel(generator(norm=False), critic()))
    adam = lambda: keras.optimizers.Adam(1e-3)
    model.compile({"discriminator": adam(), "generator": adam()})
    with pytest.raises(UserError, match="state of another game"):
        model.restore(tmp_path)
