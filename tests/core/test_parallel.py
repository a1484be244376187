"""The same training on one device and on two: core.md's three experiments, each in processes."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

GAMES = Path(__file__).with_name("games.py")
STEPS, BATCH = 3, 16
SCRIPT = f"""
import importlib.util as u, json, sys
import keras, numpy as np
from gantools.core import parallel
spec = u.spec_from_file_location("games", {str(GAMES)!r})
games = u.module_from_spec(spec)
spec.loader.exec_module(games)
path, devices, states, name = sys.argv[1:]
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

def batches():
    random = np.random.default_rng(0)
    normal = lambda *shape: random.normal(size=shape).astype("float32")
    while True:
        several = {{"x": normal({BATCH}, 4, 2), "z": normal({BATCH}, 4, 4)}}
        several["between"] = random.uniform(size=({BATCH}, 4)).astype("float32")
        yield ({{"minibatches": several}},)

with parallel.spread(devices):
    model = getattr(games, name)(norm=False, rate=keras.optimizers.SGD)
    if states != "none":
        model.restore(states)
    data = parallel.stripe(batches())
    logs = model.fit(data, steps_per_epoch=1, epochs={STEPS}, verbose=0).history
    folder = model.save(path)
    if parallel.is_main():
        (folder / "logs.json").write_text(json.dumps(logs))
"""


def trained(backend, devices, folder, states="none", game="wgan_gp"):
    states_after = folder / f"{backend}-{devices}-{states != 'none'}"
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": str(GAMES.parents[2]),
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    script = folder / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(states_after), str(devices), str(states), game]
    if backend == "torch" and devices == 2:
        command[1:1] = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    (newest,) = states_after.iterdir()
    arrays = {n: a for n, a in np.load(newest / "arrays.npz").items() if "seed" not in n}
    logs = json.loads((newest / "logs.json").read_text())
    return arrays | {f"log/{n}": np.array(value) for n, value in logs.items()}, states_after


def largest_gap(first, second):
    assert set(first) == set(second)
    return max(float(np.max(np.abs(first[n].astype(float) - second[n]), initial=0)) for n in first)


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_two_devices_train_like_one(backend, tmp_path):
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    one, states = trained(backend, 1, tmp_path)
    two, _ = trained(backend, 2, tmp_path)
    assert one["counter/0001"] == STEPS * BATCH  # images count over all devices
    assert largest_gap(one, two) <= 1e-6

    longer, _ = trained(backend, 1, tmp_path, states)
    resumed, _ = trained(backend, 2, tmp_path, states)  # a state of one device goes on with two
    assert resumed["counter/0000"] == 2 * STEPS
    assert largest_gap(longer, resumed) <= 1e-6


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_devices_agree_on_a_condition(backend, tmp_path):
    """In the first cycle the halves of the batch have -0.312 and -0.285, all of it -0.298."""
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    one, _ = trained(backend, 1, tmp_path, game="waiting")
    two, _ = trained(backend, 2, tmp_path, game="waiting")
    assert list(one["log/discriminator/played"]) == [0.0, 1.0, 1.0]
    assert largest_gap(one, two) <= 1e-6


TOGETHER = f"""
import importlib.util as u, signal, sys, time
import keras, numpy as np
from pathlib import Path
from gantools.core import Stream, parallel
from gantools.core.callbacks import Checkpoints, Deadline
from gantools.core.health import Health
spec = u.spec_from_file_location("games", {str(GAMES)!r})
games = u.module_from_spec(spec)
spec.loader.exec_module(games)
out, reason = Path(sys.argv[1]), sys.argv[2]

class Slow(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        time.sleep(0.01)
        if reason == "signal" and batch == 20:
            signal.raise_signal(signal.SIGTERM)

class Never(Health):
    def _check(self):
        self._keep(True)
        if self.cycle == 20:
            self.model.stop_training = True
        self._due = self.cycle + 10

with parallel.spread("all"):
    model = games.wgan_gp(norm=False)
    states = Checkpoints(out / "states", minutes=0.05 / 60)
    deadline = Deadline(1 / 60 if reason == "time" else None)
    calls = [deadline, states]
    if parallel.is_main():  # only the first process is slow, tells, and is asked to stop
        watch = [Never(every=10, states=out / "healthy", on_alarm="rollback")]
        calls = [deadline, *(watch if reason == "alarm" else []), Slow(), states]
    stream = Stream(games.points(), 16, minibatches=3)
    model.fit(stream, steps_per_epoch=10**6, verbose=0, callbacks=calls)
    told = f"{{int(model.cycle)}} {{states.interrupted}}"
    (out / f"cycle-{{parallel.is_main()}}").write_text(told)
"""


@pytest.mark.parametrize("reason", ["time", "signal", "alarm"])
def test_processes_save_and_stop_together_whoever_has_a_reason(reason, tmp_path):
    if find_spec("torch") is None:
        pytest.skip("torch is not installed")
    script = tmp_path / "script.py"
    script.write_text(TOGETHER)
    environment = {**os.environ, "KERAS_BACKEND": "torch", "PYTHONPATH": str(GAMES.parents[2])}
    run = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [sys.executable, *run, str(script), str(tmp_path), reason]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    first, second = ((tmp_path / f"cycle-{main}").read_text() for main in (True, False))
    assert first.split()[0] == second.split()[0]  # and neither waits for the other for ever
    if reason == "signal":
        assert (first.split()[1], second.split()[1]) == ("SIGTERM", "a")
    if reason == "alarm":
        assert int(first.split()[0]) == 20


UNEVEN = f"""
import importlib.util as u
import keras
from gantools.core import Stream, parallel
from gantools.errors import UserError
spec = u.spec_from_file_location("games", {str(GAMES)!r})
games = u.module_from_spec(spec)
spec.loader.exec_module(games)
if keras.backend.backend() == "tensorflow":
    import tensorflow as tf
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
with parallel.spread("all"):
    parallel.check_batch(6)
    model = games.wgan_gp(norm=False)
    try:
        model.fit(Stream(games.points(), 5), steps_per_epoch=1, verbose=0)
    except UserError as error:
        print(error)
"""


@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
def test_a_batch_that_devices_cannot_share_evenly_is_refused(backend, tmp_path):
    """TensorFlow gave one device more than the other, and JAX failed deep inside."""
    told = spoken(backend, UNEVEN, tmp_path, processes=2)
    assert "2 devices share each batch. Expected a multiple of 2. Received: batch=5." in told


GPUS = """
import os, sys
import torch, torch.distributed as dist
from gantools.core import parallel
from gantools.errors import UserError
os.environ |= {"WORLD_SIZE": "2", "LOCAL_RANK": "1"}
taken = []
torch.cuda.is_available = lambda: True
torch.cuda.set_device = taken.append
dist.init_process_group = dist.destroy_process_group = lambda *args: taken.extend(args)
for found in (2, 1):
    torch.cuda.device_count = lambda: found
    try:
        with parallel.spread():
            print(taken)
    except UserError as error:
        print(error)
"""


def test_each_process_of_pytorch_takes_a_gpu_of_its_own(tmp_path):
    """All took the first one, which NCCL refuses."""
    first, second = spoken("torch", GPUS, tmp_path).splitlines()
    assert first == "[1, 'nccl']"
    assert second.startswith("PyTorch takes one process a GPU, and 1 are here. Received: 2 or more")


def spoken(backend, text, folder, processes=1):
    """Return what a script prints on a backend; PyTorch runs it in several processes."""
    if find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    script = folder / "script.py"
    script.write_text(text)
    environment = {
        **os.environ,
        "KERAS_BACKEND": backend,
        "PYTHONPATH": str(GAMES.parents[2]),
        "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
    }
    command = [sys.executable, str(script)]
    if backend == "torch" and processes > 1:
        command[1:1] = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
