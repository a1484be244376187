"""The error stream: held back while a library works, also by several threads at once."""

import os
import subprocess
import sys
from threading import Barrier, Thread

import pytest

from gantools import quiet


def test_the_stream_flows_again_when_the_last_thread_lets_go(capfd):
    both, done = Barrier(2, timeout=20), Barrier(2, timeout=20)

    def work(first):
        with quiet.error_stream_held:
            both.wait()
            os.write(2, b"chatter ")
            if first:
                return  # while the other still holds it
            done.wait()
            os.write(2, b"chatter ")

    threads = [Thread(target=work, args=(first,)) for first in (True, False)]
    for thread in threads:
        thread.start()
    threads[0].join()
    done.wait()
    threads[1].join()
    os.write(2, b"word")
    assert capfd.readouterr().err == "word"


def test_a_failed_import_shows_what_was_said(capfd, monkeypatch):
    def broken(name):
        os.write(2, b"no such driver ")
        raise ImportError(name)

    monkeypatch.setattr(quiet, "import_module", broken)
    with pytest.raises(ImportError):
        quiet.import_core()
    assert capfd.readouterr().err == "no such driver "


def test_a_closed_stream_is_no_error(monkeypatch):
    def closed(_):
        raise OSError

    monkeypatch.setattr(os, "dup", closed)
    with quiet.error_stream_held:
        pass


def test_a_full_disk_is_no_error(monkeypatch, capfd):
    def full():
        raise OSError("no space")

    monkeypatch.setattr(quiet.tempfile, "TemporaryFile", full)
    with quiet.error_stream_held as held:
        os.write(2, b"chatter")
        held.show()
    os.write(2, b"word")
    assert capfd.readouterr().err == "word"


def test_threads_may_be_the_first_to_use_openvino_together():
    """OpenVINO's first look at an array waits for ever where two threads take it at once."""
    code = (
        "import numpy as np, sys\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "from gantools.apps.superres.engine import open_engine\n"
        "from gantools.apps.superres.model import load\n"
        "sys.setswitchinterval(1e-6)\n"
        "tile = np.zeros((40, 40, 3), np.uint8)\n"
        "run = lambda _: open_engine(load('fast', 2), 'openvino').run(tile).shape\n"
        "print(set(ThreadPoolExecutor(4).map(run, range(4))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == "{(64, 64, 3)}"


def test_what_was_held_back_can_be_read_from_any_place_on(capfd):
    with quiet.error_stream_held as held:
        os.write(2, b"one ")
        start = held.size()
        os.write(2, b"two ")
        assert (start, held.text(start)) == (4, b"two ")
        os.write(2, b"three")
        assert held.text() == b"one two three"
        held.show()
    assert (held.size(), held.text()) == (0, b"")
    assert capfd.readouterr().err == "one two three"
