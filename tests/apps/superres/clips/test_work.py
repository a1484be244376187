"""Work on a clip that is stopped, killed, or mixed up with other work."""

import os
import resource
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from gantools.cli import main
from gantools.errors import DONE

pytest.importorskip("av")

from gantools.apps.superres.batch import Job, run_jobs  # noqa: E402
from gantools.apps.superres.clips import work  # noqa: E402
from gantools.apps.superres.clips.clip import look  # noqa: E402
from gantools.apps.superres.clips.take import Take  # noqa: E402
from gantools.apps.superres.enlarge import Output  # noqa: E402
from gantools.apps.superres.upscaler import Upscaler  # noqa: E402


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


def test_a_full_disk_keeps_what_is_finished(short_segments, make_clip, moving, enlarge, tmp_path):
    source, calls = make_clip("in.mp4", moving(12), sound=None), []

    def stop(share, speed):
        calls.append(share)
        if len(calls) == 11:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match="first 10 frames"):
        enlarge(source, advance=stop)
    names = sorted(path.name for path in (tmp_path / "out.mp4.part").iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, limits[1]))  # files may have no bytes
    try:
        with pytest.raises(ValueError, match=r"^Cannot write '.*out.mp4': ") as error:
            enlarge(source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "cannot hold" not in str(error.value)
    assert sorted(path.name for path in (tmp_path / "out.mp4.part").iterdir()) == names
    made = enlarge(source, advance=lambda *told: calls.append(told))
    assert len(calls) == 11 + 2
    assert made.target.read_bytes() == enlarge(source, "b.mp4").target.read_bytes()


def test_nothing_is_left_of_work_that_never_began(make_clip, moving, enlarge, tmp_path):
    source = make_clip("in.mp4", moving(2))
    with pytest.raises(ValueError, match="NaN"):  # no `UserError`
        enlarge(source, start=float("nan"))
    assert not list(tmp_path.glob("out*"))


def test_a_folder_of_somebody_else_is_left(make_clip, moving, enlarge, tmp_path):
    source = make_clip("in.mp4", moving(2))
    (tmp_path / "out.mp4.part").mkdir()
    enlarge(source)  # an empty one is nobody's
    (tmp_path / "out.mp4.part").mkdir()
    (tmp_path / "out.mp4.part/notes.txt").write_text("mine")
    for fresh in (False, True):
        with pytest.raises(ValueError, match=r"out.mp4.part' is in the way: .* Move it away"):
            enlarge(source, fresh=fresh)
    assert (tmp_path / "out.mp4.part/notes.txt").read_text() == "mine"


def test_threads_are_no_part_of_a_job(make_clip, moving, make_network, tmp_path):
    clip, found = look(make_clip("in.mp4", moving(2))), []
    for threads in (None, 1, 2):
        upscaler = Upscaler(make_network(), threads=threads)
        coding, _ = work.coding_for(clip, tmp_path / "out.mp4", upscaler, Output())
        found.append(work.job_of(clip, coding, upscaler, Take()))
    assert found[0] == found[1] == found[2]


def test_clips_are_jobs_like_pictures(make_clip, moving, make_network, tmp_path):
    job = Job(make_clip("in.mp4", moving(2)), tmp_path / "out.mp4")
    (outcome,) = run_jobs([job], Upscaler(make_network()))
    assert outcome.error is None
    assert outcome.result.figures["frames"] == 2


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
