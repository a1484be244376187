import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gantools.apps.anomaly import Detector, fitted, many
from gantools.apps.anomaly.detectors import efficientnet
from threadpoolctl import threadpool_info

from gantools import cli
from gantools.data import workers
from gantools.errors import DONE, SOME_FAILED


def run(*words):
    return cli.main(["anomaly", *map(str, words)])


@pytest.mark.parametrize("kind", ["references", pytest.param("encoder", marks=pytest.mark.slow)])
def test_several_processes_write_the_same_bytes(tiles, tmp_path, monkeypatch, kind):
    if kind == "encoder" and not efficientnet.is_installed():
        pytest.skip("needs the extra [encoder]")
    data, model = tiles(tmp_path / "data", bad=30), tmp_path / "m"
    (data / "test" / "good" / "broken.png").write_bytes(b"no")
    assert run("fit", "--data", data, "--model", model, "--detector", kind, "-q") == DONE
    score = ("score", "--data", data / "test", "--model", model, "-q", "-o")
    assert run(*score, tmp_path / "one") == SOME_FAILED
    asked, results = [], workers.results
    monkeypatch.setattr(many, "results", lambda *a: asked.append(a[2]) or results(*a))
    assert run(*score, tmp_path / "two", "--jobs", 2) == SOME_FAILED
    assert asked == [2]
    one, two = ((tmp_path / name / "scores.csv").read_bytes() for name in ("one", "two"))
    assert one == two and one.count(b"\n") == 44
    maps = [sorted((tmp_path / name / "maps").iterdir()) for name in ("one", "two")]
    assert [p.name for p in maps[0]] == [p.name for p in maps[1]] and len(maps[0]) == 42
    assert all(a.read_bytes() == b.read_bytes() for a, b in zip(*maps, strict=True))


def test_arrays_are_dealt_too(monkeypatch):
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (130, 20, 20), np.uint8)
    detector = Detector("references").fit(x[:60])
    alone = detector.score(x[60:], maps=True)
    parts = []
    real = workers.results

    def spied(do, tasks, jobs):
        tasks = list(tasks)
        parts.extend(len(task[2].x) for task in tasks)
        return real(do, tasks, jobs)

    monkeypatch.setattr(many, "results", spied)
    several = detector.score(x[60:], maps=True, jobs=2)
    assert parts == [fitted.CHUNK, fitted.CHUNK, 6]  # no process gets all of it
    assert several.scores.tobytes() == alone.scores.tobytes()
    assert several.p.tobytes() == alone.p.tobytes()
    assert several.maps.tobytes() == alone.maps.tobytes()


def test_threads_score_in_turn_and_with_one_blas_thread(monkeypatch):
    """The number of BLAS threads is one for the process: with a limit each, one ends another's."""
    x = np.random.default_rng(0).integers(0, 256, (100, 16, 16), np.uint8)
    detector = Detector("references").fit(x[:60])
    real, inside, seen = fitted.Fitted._parts, [], []

    def spied(self, *arguments):
        inside.append(1)
        time.sleep(0.05)
        blas = {lib["num_threads"] for lib in threadpool_info() if lib["user_api"] == "blas"}
        seen.append((len(inside), blas))
        found = real(self, *arguments)
        inside.pop()
        return found

    monkeypatch.setattr(fitted.Fitted, "_parts", spied)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: detector.score(x[60:]).scores, range(4)))
    assert seen == [(1, {1})] * len(seen)
    assert len({scores.tobytes() for scores in found}) == 1


@pytest.mark.filterwarnings("ignore")  # of the cluster's own libraries
def test_a_local_dask_cluster(monkeypatch):
    """The line that the module gives, on a cluster of one worker."""
    distributed = pytest.importorskip("distributed")
    import distributed.comm.inproc as inside
    import joblib

    monkeypatch.setattr(inside, "get_ip", lambda: "127.0.0.1")  # it asks for the way to 8.8.8.8
    x = np.random.default_rng(0).integers(0, 256, (100, 16, 16), np.uint8)
    detector = Detector("references").fit(x[:60])
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        found = detector.score(x[60:], jobs=-1)
    assert found.scores.tobytes() == detector.score(x[60:]).scores.tobytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the cluster's own libraries
def test_a_local_ray_cluster(ray_cluster):
    """The same line for Ray, on a cluster of one worker process on this machine."""
    import joblib

    x = np.random.default_rng(0).integers(0, 256, (100, 16, 16), np.uint8)
    detector = Detector("references").fit(x[:60])
    with joblib.parallel_config(backend="ray"):
        found = detector.score(x[60:], maps=True, jobs=-1)
    alone = detector.score(x[60:], maps=True)
    assert found.scores.tobytes() == alone.scores.tobytes()
    assert found.maps.tobytes() == alone.maps.tobytes()
