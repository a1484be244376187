"""Work on a clip that is stopped, killed, or mixed up with other work."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from gantools.cli import main
from gantools.errors import DONE

pytest.importorskip("av")

from gantools.apps.superres.clips import work  # noqa: E402


@pytest.fixture
def short_segments(monkeypatch):
    monkeypatch.setattr(work, "SEGMENT", 5)


def test_stopped_work_goes_on(short_segments, make_clip, moving, enlarge, tmp_path):
    """The same bytes as without a stop, damping included."""
    rng = np.random.default_rng(0)
    noisy = moving(18, still=True) + rng.integers(0, 3, (18, 72, 64), np.uint8)
    source = make_clip("in.mkv", noisy, codec="ffv1", options=())
    whole, calls = enlarge(source, "whole.mp4"), []

    def stop(share, speed):
        calls.append(share)
        if len(calls) == 12:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"first 10 frames .* The same command goes on"):
        enlarge(source, "out.mp4", advance=stop)
    assert not (tmp_path / "out.mp4").exists()
    names = sorted(path.name for path in (tmp_path / "out.mp4.part").iterdir())
    assert names == ["00000.segment", "00001.segment", "00001.state", "job.json"]
    calls.clear()
    made = enlarge(source, "out.mp4", advance=lambda *told: calls.append(told))
    assert len(calls) == 8
    assert made.figures["frames"] == 18
    assert (tmp_path / "out.mp4").read_bytes() == whole.target.read_bytes()
    assert not (tmp_path / "out.mp4.part").exists()


def test_segments_of_another_job_are_not_mixed_in(short_segments, make_clip, moving, enlarge):
    source = make_clip("in.mp4", moving(12))

    def stop(share, speed):
        if share > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enlarge(source, advance=stop)
    with pytest.raises(ValueError, match=r"another job: crf 16, .*--overwrite starts afresh"):
        enlarge(source, crf=20)
    fresh = enlarge(source, crf=20, fresh=True)
    assert fresh.target.read_bytes() == enlarge(source, "b.mp4", crf=20).target.read_bytes()


def command(*words):
    return [sys.executable, "-m", "gantools", "superres", *map(str, words)]


def test_a_killed_run_begins_again(make_clip, moving, weights, tmp_path):
    """kill -9 in the middle; the same command then makes the bytes of an uninterrupted run."""
    source = make_clip("in.mp4", moving(250, 32, 32), options=(("preset", "ultrafast"),))
    words = (source, "--model", weights, "--threads", "1", "-q", "-o")
    killed = subprocess.Popen(command(*words, tmp_path / "out.mp4"))
    kept = tmp_path / "out.mp4.part/00000.segment"
    until = time.monotonic() + 60
    while not kept.exists() and killed.poll() is None and time.monotonic() < until:
        time.sleep(0.001)
    os.kill(killed.pid, signal.SIGKILL)
    killed.wait()
    assert kept.exists()
    assert not (tmp_path / "out.mp4").exists()
    before = kept.stat().st_mtime_ns
    for name in ("out.mp4", "whole.mp4"):
        assert main(["superres", *map(str, words), str(tmp_path / name)]) == DONE
        assert before == kept.stat().st_mtime_ns if kept.exists() else True
    assert (tmp_path / "out.mp4").read_bytes() == (tmp_path / "whole.mp4").read_bytes()
    assert not (tmp_path / "out.mp4.part").exists()
