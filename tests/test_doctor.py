import json

import pytest
from click.testing import CliRunner

from gantools import doctor
from gantools.core.probe import probe
from gantools.errors import ALL_FAILED, DONE, SOME_FAILED, USAGE
from gantools.machine import CPU_FEATURES

TRAINED = {
    "backend": "jax", "reason": "KERAS_BACKEND says so", "version": "1.2", "devices": ["cpu:0"],
    "train_s": 1.5, "seconds": 3.5, "finite": True,
}  # fmt: skip


def run(monkeypatch, *args, training=TRAINED, superres=None):
    monkeypatch.setattr(doctor, "try_training", lambda: training)
    monkeypatch.setattr(
        doctor, "try_superres", lambda: superres or {"ran": "openvino", "seconds": 0.4}
    )
    return CliRunner().invoke(doctor.doctor, args)


def test_tells_a_person_what_will_be_used_and_why(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    done = run(monkeypatch)
    assert done.exit_code == DONE
    for fact in (
        "Versions   python 3.", "keras 3.", "cores, ", "AVX2: ", "KERAS_BACKEND=jax",
        "Training   jax 1.2 (KERAS_BACKEND says so) on cpu:0: two cycles in 1.5 s",
        "Superres   openvino (the first installed of openvino,",
        "a 64x64 picture by openvino in 0.4 s",
    ):  # fmt: skip
        assert fact in done.output
    assert "FAILED" not in done.output


def test_tells_a_program_the_same(monkeypatch):
    found = json.loads(run(monkeypatch, "--json").output)
    assert found["schema"] == 1
    assert found["training"] == TRAINED
    assert found["superres"]["engine"] == "openvino"
    assert found["versions"]["numpy"]
    assert set(found["machine"]["features"]) == set(CPU_FEATURES)


def test_failures_are_said_and_counted(monkeypatch):
    done = run(monkeypatch, superres={"error": "Illegal instruction (exit code -4)"})
    assert done.exit_code == SOME_FAILED
    assert "Superres   FAILED: Illegal instruction (exit code -4)" in done.output
    done = run(monkeypatch, training={"error": "a"}, superres={"error": "b"})
    assert done.exit_code == ALL_FAILED


def test_looking_only(monkeypatch):
    monkeypatch.setattr(doctor, "_run", lambda *args: pytest.fail("ran something"))
    done = CliRunner().invoke(doctor.doctor, ["--no-test", "--json"])
    assert done.exit_code == DONE
    assert json.loads(done.output)["superres"]["engine"]


def test_looking_only_is_not_for_a_run(tmp_path):
    done = CliRunner().invoke(doctor.doctor, ["--no-test", str(tmp_path)])
    assert done.exit_code == USAGE
    assert "--no-test does not go with a RUN" in done.output


def test_processes_that_end_badly_are_reported():
    result = doctor._run("-c", "import os, sys; print('last words', file=sys.stderr); os.abort()")
    assert doctor._reason(result) == "last words (exit code -6)"


@pytest.mark.backends
def test_the_probe_trains():
    found = probe()
    assert found["finite"]
    assert found["devices"]
    assert found["version"]


def test_superres_is_tried_for_real():
    found = doctor.try_superres()
    assert "error" not in found
    assert found["ran"].startswith(doctor.choose_engine()["engine"])
