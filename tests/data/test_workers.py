import os

import joblib
import pytest

from gantools.data import workers
from gantools.errors import UserError


def square(n):
    return n * n


def die(n):
    os._exit(3)


def fail(n):
    raise UserError(f"no {n}")


@pytest.mark.parametrize("processes", [1, 2])
def test_results_come_in_order(processes):
    found = workers.results(square, ((n,) for n in range(7)), processes)
    assert list(found) == [n * n for n in range(7)]


def test_joblib_decides_where_nobody_says(monkeypatch):
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert list(workers.results(square, [(3,), (4,)])) == [9, 16]


def test_a_backend_that_gives_lists_only_is_asked_in_rounds(monkeypatch):
    from joblib._parallel_backends import ThreadingBackend

    monkeypatch.setattr(ThreadingBackend, "supports_return_generator", False)
    begun, count = [], 3 * 2 * workers.ROUND + 1

    def tasks():
        for n in range(count):
            begun.append(n)
            yield (n,)

    with joblib.parallel_config(backend="threading", n_jobs=2):
        found = workers.results(square, tasks())
        assert next(found) == 0
        assert len(begun) == 2 * workers.ROUND
        assert [0, *found] == [n * n for n in range(count)]


def test_errors_come_through_and_a_dead_process_gets_a_sentence():
    with pytest.raises(UserError, match="no 1"):
        list(workers.results(fail, [(1,)], 2))
    with pytest.raises(UserError, match="A process died.* Do less."):
        list(workers.results(die, [(1,)], 2, "Do less."))


def test_opened_once_a_key():
    made = []

    def make():
        made.append(1)
        return len(made)

    assert [workers.opened(key, make) for key in ("a", "a", "b", "b")] == [1, 1, 2, 2]
