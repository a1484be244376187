import time

import pytest
from gantools.apps.superres import progress
from gantools.apps.superres.batch import Job, Outcome
from gantools.apps.superres.enlarge import Result
from gantools.apps.superres.progress import Progress, describe


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path / "a.png", tmp_path / "b.png")


@pytest.fixture
def made(job):
    return Outcome(job, Result(job.source, job.target, 80, 120, "openvino bf16", 1.234))


def test_lines_elsewhere_than_on_a_terminal(job, made, capsys):
    with Progress(3) as told:
        told.started(job)
        told.advance(0.5)
        told.finished(made)
        told.finished(Outcome(job, error="It is broken."))
        told.finished(Outcome(job))
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == f"{job.source} -> {job.target}, 120x80"
    assert lines[1] == "It is broken."
    assert "already there" in lines[2]
    assert len(lines) == 3


def test_quiet_tells_errors_only(job, made, capsys):
    with Progress(2, quiet=True) as told:
        told.finished(made)
        told.finished(Outcome(job, error="It is broken."))
    assert capsys.readouterr().err == "It is broken.\n"


def test_verbose_names_engine_and_time(made):
    assert describe(made, verbose=True).endswith("120x80, 1.23 s, openvino bf16")


def test_a_long_picture_tells_each_tenth_once(job, monkeypatch, capsys):
    monkeypatch.setattr(progress, "PLAIN_AFTER", 0.0)
    with Progress(1) as told:
        told.started(job)
        for share in (0.02, 0.12, 0.13, 0.57, 0.58, 1.0):
            time.sleep(0.001)
            told.advance(share)
    assert capsys.readouterr().err.splitlines() == ["a.png: 10 %", "a.png: 50 %"]


def test_a_terminal_gets_a_bar_and_no_noise_after_it(job, made, monkeypatch, capsys):
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with Progress(2) as told:
        told.started(job)
        told.advance(0.4)
        assert told._bar is not None
        told.finished(made)
        told.advance(0.5)
        told.finished(made)
    err = capsys.readouterr().err
    assert err.count("b.png") == 2


def test_a_quick_picture_loads_no_bar(job, made, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with Progress(1) as told:
        told.started(job)
        told.advance(0.5)
        told.finished(made)
        assert told._bar is None


def test_a_note_is_told_once_for_a_folder(job, capsys):
    result = Result(job.source, job.target, 8, 8, "openvino bf16", 1.0, ("BMP cannot keep EXIF.",))
    with Progress(3) as told:
        for _ in range(3):
            told.finished(Outcome(job, result))
    err = capsys.readouterr().err
    assert err.count("b.png, 8x8") == 3
    assert err.count("Note: BMP cannot keep EXIF.") == 1


def test_of_a_clip_speed_and_the_time_that_is_left_are_told(job, capsys, monkeypatch):
    now = iter([0.0, 0.0, 0.0, 100.0, 100.0, 120.0, 120.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(now))
    told = Progress(1)
    told.started(job)
    told._begun = (100.0, 0.4)  # goes on after 40 %
    told.advance(0.5, "2.5 frames/s")
    assert capsys.readouterr().err == "a.png: 50 %, 2.5 frames/s, 0 s left\n"
    told.advance(0.6, "2.5 frames/s")
    assert capsys.readouterr().err == "a.png: 60 %, 2.5 frames/s, 40 s left\n"
