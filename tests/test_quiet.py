"""The error stream: held back while a library works, also by several threads at once."""

import os
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
