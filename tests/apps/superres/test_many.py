import json
import os

import pytest
from gantools.apps.superres import batch, many
from gantools.apps.superres.choice import Choice
from gantools.apps.superres.enlarge import Output
from gantools.apps.superres.sizes import Wish

from gantools.cli import main
from gantools.data.pictures import Picture, write
from gantools.errors import ALL_FAILED, DONE, SOME_FAILED, USAGE, UserError

COUNT = 5


@pytest.fixture
def photos(tmp_path, picture):
    (tmp_path / "in/deep").mkdir(parents=True)
    for seed in range(COUNT):
        name = f"in/{'deep/' if seed % 2 else ''}{seed}.png"
        write(tmp_path / name, Picture(picture(30, 40 + seed, seed=seed)))
    return tmp_path / "in"


def files(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.png")}


def run(weights, *words):
    return main(["superres", *map(str, words), "--model", str(weights), "-q", "--recursive"])


def test_several_processes_make_the_same_bytes(photos, weights, tmp_path):
    (photos / "broken.png").write_bytes(b"no")
    report = tmp_path / "r.json"
    assert run(weights, photos, "-o", tmp_path / "one") == SOME_FAILED
    code = run(weights, photos, "-o", tmp_path / "two", "--jobs", 2, "--report", report)
    assert code == SOME_FAILED
    assert len(files(tmp_path / "one")) == COUNT
    assert files(tmp_path / "one") == files(tmp_path / "two")
    found = json.loads(report.read_text())
    assert [p["status"] for p in found["pictures"]].count("made") == COUNT
    assert (
        "broken.png"
        in found["pictures"][[p["status"] for p in found["pictures"]].index("failed")]["error"]
    )
    (network,) = found["networks"]
    assert network["scale"] == 4


def test_shares_are_disjoint_and_whole_whatever_the_place(photos, weights, tmp_path, monkeypatch):
    assert run(weights, photos, "-o", tmp_path / "all") == DONE
    monkeypatch.chdir(photos.parent)  # the second machine names the folder in another way
    assert run(weights, photos, "-o", tmp_path / "a", "--shard", "1/2") == DONE
    assert run(weights, "in", "-o", tmp_path / "b", "--shard", "2/2") == DONE
    a, b = files(tmp_path / "a"), files(tmp_path / "b")
    assert not set(a) & set(b)
    assert abs(len(a) - len(b)) == 1
    assert a | b == files(tmp_path / "all")


def test_wrong_and_empty_shares(photos, weights, tmp_path, capsys):
    assert run(weights, photos, "-o", tmp_path / "a", "--shard", "3/2") == USAGE
    assert "such as 1/4" in capsys.readouterr().err
    assert run(weights, photos / "0.png", "-o", tmp_path / "a.png", "--shard", "2/2") in (
        DONE, ALL_FAILED,
    )  # fmt: skip
    jobs = [batch.Job(photos / "0.png", tmp_path / "a.png")]
    assert many.share(jobs, (1, 2)) == jobs
    with pytest.raises(UserError, match="Share 2/2 is empty: there are only 1"):
        many.share(jobs, (2, 2))


def test_half_files_of_stopped_processes_are_swept(photos, tmp_path, monkeypatch):
    jobs = batch.plan_jobs([photos], batch.Names(tmp_path / "out"))

    def stopped(*_):
        raise KeyboardInterrupt

    (tmp_path / "out").mkdir()
    left = tmp_path / "out" / f"{jobs[0].target.name}.123.part"
    left.write_text("half")
    other = tmp_path / "out" / "mine.part"
    other.write_text("mine")
    monkeypatch.setattr(many, "_done", stopped)
    with pytest.raises(KeyboardInterrupt):
        many.run_many(jobs, Choice(), processes=1)
    assert not left.exists()
    assert other.exists()


def test_processes_share_the_processors(photos, tmp_path, monkeypatch, weights):
    seen = []
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(many, "_done", lambda job, choice, *_: seen.append(choice.threads))
    jobs = batch.plan_jobs([photos], batch.Names(tmp_path / "out"))
    many.run_many(jobs, Choice(weights), processes=1)
    assert set(seen) == {8}


@pytest.mark.filterwarnings("ignore")  # of the cluster's own libraries
def test_a_local_dask_cluster(photos, weights, tmp_path, monkeypatch):
    """The one line that docs/superres.md gives, on a cluster of one worker."""
    distributed = pytest.importorskip("distributed")
    import distributed.comm.inproc as inside
    import joblib

    monkeypatch.setattr(inside, "get_ip", lambda: "127.0.0.1")  # it asks for the way to 8.8.8.8
    jobs = batch.plan_jobs([photos], batch.Names(tmp_path / "out", recursive=True))
    output = Output(Wish(scale=4))
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        joblib.parallel_config(backend="dask"),
    ):
        outcomes = many.run_many(jobs, Choice(weights, threads=1), output)
    assert all(outcome.result for outcome in outcomes)
    assert run(weights, photos, "-o", tmp_path / "one") == DONE
    assert files(tmp_path / "out") == files(tmp_path / "one")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the cluster's own libraries
def test_a_local_ray_cluster(photos, weights, tmp_path, ray_cluster):
    """The same line for Ray, on a cluster of one worker process on this machine."""
    import joblib

    jobs = batch.plan_jobs([photos], batch.Names(tmp_path / "out", recursive=True))
    with joblib.parallel_config(backend="ray"):
        output = Output(Wish(scale=4))
        outcomes = many.run_many(jobs, Choice(weights, threads=1), output)
    assert all(outcome.result for outcome in outcomes)
    assert run(weights, photos, "-o", tmp_path / "one") == DONE
    assert files(tmp_path / "out") == files(tmp_path / "one")
