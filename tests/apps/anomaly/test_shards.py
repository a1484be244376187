"""Shares of a collection: each opens what is its own, and keeps what it was told."""

import csv
import json
import shutil
from collections import Counter
from dataclasses import replace

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly import layouts
from gantools.apps.anomaly.items import Item, share_keys, shared
from gantools.apps.anomaly.loading import Reader
from gantools.apps.anomaly.reporting.outcome import Outcome
from gantools.apps.anomaly.scans.medical import in_all_shares

from gantools import cli
from gantools.errors import ALL_FAILED, DONE, SOME_FAILED, USAGE

from .scans.files import write_nifti
from .tables.files import write

FAST = ("--detector", "references", "-q")


def run(*args):
    return cli.main(["anomaly", *map(str, args)])


def scores(out):
    return list(csv.DictReader((out / "scores.csv").read_text().splitlines()))


@pytest.fixture(scope="module")
def model(tile_folder, tmp_path_factory):
    """Return a model that was fitted at a rate of 1 in 8 and with a confidence."""
    place = tmp_path_factory.mktemp("model") / "m"
    rates = ("--fpr", "0.125", "--confidence", "0.6")
    assert run("fit", "--data", tile_folder, "--model", place, *FAST, *rates) == DONE
    return place


def same_bytes(whole, merged):
    """Return whether the tables of two folders are the same, byte by byte."""
    names = [n for n in ("scores.csv", "groups.csv") if (whole / n).exists()]
    assert names and [(merged / n).exists() for n in names] == [True] * len(names)
    return all((whole / n).read_bytes() == (merged / n).read_bytes() for n in names)


def wish(out):
    found = json.loads((out / "plan.json").read_text())["settings"]
    return found["fpr"], found["confidence"]


def test_the_models_own_rates_hold_unless_others_are_given(model, tile_folder, tmp_path):
    score = ("score", "--data", tile_folder / "test", "--model", model, "-q", "-o")
    assert run(*score, tmp_path / "own") == DONE
    assert wish(tmp_path / "own") == (0.125, 0.6)
    given = ("--fpr", "0.125", "--confidence", "0.6")
    assert run(*score, tmp_path / "given", *given) == DONE
    assert scores(tmp_path / "own") == scores(tmp_path / "given")
    assert run(*score, tmp_path / "other", "--fpr", "0.5") == DONE
    assert wish(tmp_path / "other") == (0.5, 0.6)
    verdicts = [Counter(r["verdict"] for r in scores(tmp_path / n)) for n in ("own", "other")]
    assert verdicts[0]["flagged"] < verdicts[1]["flagged"]


def test_merge_keeps_the_rate_of_its_shards(model, tile_folder, tmp_path, capsys):
    score = ("score", "--data", tile_folder / "test", "--model", model, "-q")
    parts = [tmp_path / f"p{i}" for i in (1, 2)]
    for i, part in enumerate(parts, 1):
        assert run(*score, "--shard", f"{i}/2", "--fpr", "0.3", "-o", part) == DONE
    assert run("merge", *parts, "-o", tmp_path / "m", "-q") == DONE
    assert wish(tmp_path / "m") == (0.3, 0.6)
    assert run("merge", *parts, "-o", tmp_path / "m", "-q", "--fpr", "0.2") == DONE
    assert wish(tmp_path / "m") == (0.2, 0.6)
    assert run(*score, "--shard", "2/2", "--fpr", "0.4", "-o", parts[1]) == DONE
    assert run("merge", *parts, "-o", tmp_path / "n", "-q") == USAGE
    assert "0.3 and 0.6, 0.4 and 0.6. Give --fpr and --confidence" in capsys.readouterr().err
    assert run("merge", *parts, "-o", tmp_path / "n", "-q", "--fpr", "0.2") == DONE


def lights(out):
    """Return the drift lights of a report, as its table shows them."""
    text = (out / "report.html").read_text()
    return text.partition("All drift checks</summary>")[2].partition("</details>")[0]


@pytest.mark.parametrize("groups", [(), ("--groups", r"(lot.+)_")])
def test_merged_shards_ring_as_the_whole_does(model, tile_folder, tmp_path, groups):
    data = tmp_path / "data"
    shutil.copytree(tile_folder / "test" / "good", data / "test" / "good")
    shutil.copytree(tile_folder / "train" / "good", data / "test" / "more")
    for number, path in enumerate(sorted(data.rglob("*.png"))):
        pixels = cv2.imread(str(path), 0)
        pixels = cv2.resize(pixels // 2, (40, 36))
        colour = np.stack([pixels, pixels // 2, pixels], -1)
        assert cv2.imwrite(str(path), colour if number % 3 else pixels)
    (data / "test" / "more" / "broken.png").write_bytes(b"no picture")
    how = ("--data", data, "--model", model, *groups, "-o")
    assert run("score", *how, tmp_path / "whole") == SOME_FAILED
    for i in (1, 2, 3):
        assert run("score", *how, tmp_path / f"p{i}", "--shard", f"{i}/3") in (DONE, SOME_FAILED)
    parts = [tmp_path / f"p{i}" for i in (2, 3, 1)]
    assert run("merge", *parts, "-o", tmp_path / "all", "-q") == SOME_FAILED
    assert lights(tmp_path / "all") == lights(tmp_path / "whole")
    for word in ("mean level", "height", "mode"):
        assert f"{word}</td><td>differs" in lights(tmp_path / "all")


def test_a_stream_of_a_share_that_rings_is_told_by_merge(model, tile_folder, tmp_path):
    score = ("score", "--data", tile_folder / "test" / "patch", "--model", model, "-q")
    for i in (1, 2):
        out = ("--shard", f"{i}/2", "-o", tmp_path / f"p{i}", "--stream", "name")
        assert run(*score, *out) == DONE
    outcomes = [Outcome.load(tmp_path / f"p{i}") for i in (1, 2)]
    for number, one in enumerate(outcomes):
        light = replace(one.lights[-1], state=("differs", "same")[number], sentence="It left.")
        one.lights = (*one.lights[:-1], light)
        one.save(tmp_path / f"p{number + 1}")
    assert run("merge", tmp_path / "p1", tmp_path / "p2", "-o", tmp_path / "all", "-q") == DONE
    assert lights(tmp_path / "all").count("Share ") == 1
    assert "Share 1: It left." in lights(tmp_path / "all")


def test_a_share_of_pictures_opens_its_own_alone(model, tile_folder, tmp_path, monkeypatch):
    opened, real = Counter(), Reader.pixels

    def spied(self, item):
        opened[item.name] += 1
        return real(self, item)

    monkeypatch.setattr(Reader, "pixels", spied)
    score, seen = ("score", "--data", tile_folder / "test", "--model", model, "-q"), []
    for i in (1, 2, 3, 4):
        assert run(*score, "--shard", f"{i}/4", "-o", tmp_path / f"p{i}") == DONE
        seen.append(set(opened))
        assert seen[-1] == {row["path"] for row in scores(tmp_path / f"p{i}")}
        counts = json.loads((tmp_path / f"p{i}" / "fingerprint.json").read_text())
        assert counts["pictures"] == len(seen[-1])
        opened.clear()
    assert sorted(name for names in seen for name in names) == sorted(set().union(*seen))
    assert len(set().union(*seen)) == 20
    assert run("merge", *(tmp_path / f"p{i}" for i in (1, 2, 3, 4)), "-o", tmp_path / "m") == DONE
    counts = json.loads((tmp_path / "m" / "fingerprint.json").read_text())
    assert counts["pictures"] == 20 and "numbers" not in counts
    assert run(*score, "-o", tmp_path / "whole") == DONE
    whole, merged = ({r["path"]: r["p"] for r in scores(tmp_path / n)} for n in ("whole", "m"))
    assert whole == merged


def test_volumes_of_other_shares_are_not_opened(tmp_path, monkeypatch):
    nibabel = pytest.importorskip("nibabel")
    from gantools.apps.anomaly.scans import nifti

    random, data = np.random.default_rng(0), tmp_path / "data"
    for part, count in (("fit", 20), ("data", 5)):
        (tmp_path / part).mkdir()
        for i in range(count):
            volume = np.zeros((20, 24, 3), np.float32)
            volume[4:16, 4:20] = 100 + random.normal(0, 6, (12, 16, 3))
            image = nibabel.Nifti1Image(volume, np.diag([1.0, 1, 4, 1]))
            nibabel.save(image, tmp_path / part / f"{part[0]}{i}.nii.gz")
    (data / "d2.nii.gz").write_bytes((data / "d2.nii.gz").read_bytes()[:200])
    assert run("fit", "--data", tmp_path / "fit", "--model", tmp_path / "m", *FAST) == DONE
    score = ("score", "--data", data, "--model", tmp_path / "m", "-q", "-o")
    assert run(*score, tmp_path / "whole") == SOME_FAILED
    opened, real = set(), nifti.volume
    monkeypatch.setattr(nifti, "volume", lambda path: opened.add(path.name) or real(path))
    seen = []
    for i in (1, 2):
        opened.clear()
        assert run(*score, tmp_path / f"p{i}", "--shard", f"{i}/2") in (DONE, SOME_FAILED)
        seen.append(set(opened))
    assert not seen[0] & seen[1] and len(seen[0] | seen[1]) == 5
    assert run("merge", *(tmp_path / f"p{i}" for i in (1, 2)), "-o", tmp_path / "all") == (
        SOME_FAILED
    )
    assert same_bytes(tmp_path / "whole", tmp_path / "all")
    assert "d2.nii.gz" in {row["path"] for row in scores(tmp_path / "all")}
    findings = json.loads((tmp_path / "all" / "audit.json").read_text())["findings"]
    (broken,) = (f["sentence"] for f in findings if f["rule"] == "unreadable")
    assert broken.startswith("Share ") and "d2.nii.gz" in broken


def visits(path, count, seed, groups=False):
    """Write a table; without groups of few values, so that most rows are equal to others."""
    random, rows = np.random.default_rng(seed), []
    for i in range(count):
        row = {"kind": random.choice(["a", "b", "c"], p=[0.6, 0.3, 0.1]), "n": random.integers(3)}
        if groups:
            row |= {"who": f"w{i // 3}", "x": random.normal(), "y": random.normal(), "z": i % 7}
        rows.append(row)
    return write(path, rows)


@pytest.mark.parametrize("groups", [False, True])
def test_shares_of_a_table_have_the_bytes_of_the_whole(tmp_path, groups):
    """Also of equal rows, and of those beyond the cards, which a share has reasons of."""
    how = ("--groups", "who") if groups else ()
    normals = visits(tmp_path / "n.csv", 400, 0, groups)
    new = visits(tmp_path / "new.csv", 250, 1, groups)
    assert run("fit", "--data", normals, "--model", tmp_path / "m", "-q", *how) == DONE
    score = ("score", "--data", new, "--model", tmp_path / "m", "-q", *how, "-o")
    assert run(*score, tmp_path / "whole") == DONE
    for i in (1, 2, 3):
        assert run(*score, tmp_path / f"p{i}", "--shard", f"{i}/3") == DONE
    parts = [tmp_path / f"p{i}" for i in (2, 3, 1)]
    assert run("merge", *parts, "-o", tmp_path / "all", "-q") == DONE
    assert same_bytes(tmp_path / "whole", tmp_path / "all")
    assert lights(tmp_path / "all") == lights(tmp_path / "whole")
    assert sum(bool(row["reason"]) for row in scores(tmp_path / "all")) == 60


def test_a_share_of_which_every_item_is_broken_is_merged(model, tile_folder, tmp_path, capsys):
    data = tmp_path / "data"
    shutil.copytree(tile_folder / "test", data)
    broken = sorted((data / "patch").iterdir())[:4]
    for path in broken:
        path.write_bytes(b"no picture")
    how = ("--groups", r"(lot.+)_", "-q", "--model", model, "--data", data, "-o")
    assert run("score", *how, tmp_path / "whole") == SOME_FAILED
    codes = [run("score", *how, tmp_path / f"p{i}", "--shard", f"{i}/5") for i in range(1, 6)]
    assert sorted(codes) == [DONE] * 4 + [ALL_FAILED]
    lost = tmp_path / f"p{codes.index(ALL_FAILED) + 1}"
    assert "error: none of 4 items can be scored. The first: Cannot read" in capsys.readouterr().err
    assert {row["verdict"] for row in scores(lost)} == {"not scored"} and len(scores(lost)) == 4
    parts = [tmp_path / f"p{i}" for i in range(1, 6)]
    parts.insert(0, parts.pop(codes.index(ALL_FAILED)))  # the first knows no names of parts
    assert run("merge", *parts, "-o", tmp_path / "all", "-q") == SOME_FAILED
    assert same_bytes(tmp_path / "whole", tmp_path / "all")
    assert run("score", *how, tmp_path / "lost", "--shard", "1/1") == SOME_FAILED
    for path in data.rglob("*.png"):
        path.write_bytes(b"no picture")
    assert run("score", *how, tmp_path / "none") == ALL_FAILED  # of the whole nothing is written
    assert not (tmp_path / "none" / "scores.csv").exists()
    assert run("score", *how, tmp_path / "one", "--shard", "1/1") == ALL_FAILED
    assert run("merge", tmp_path / "one", "-o", tmp_path / "nothing", "-q") == ALL_FAILED
    assert len(scores(tmp_path / "nothing")) == 20


def test_a_share_of_broken_volumes_is_merged(tmp_path):
    pytest.importorskip("nibabel")
    random, data = np.random.default_rng(0), tmp_path / "data"
    for i in range(20):
        write_nifti(tmp_path / "fit" / f"f{i}.nii.gz", random)
    for i in range(4):
        path = write_nifti(data / f"d{i}.nii.gz", random)
        if i % 2:
            path.write_bytes(path.read_bytes()[:300])
    assert run("fit", "--data", tmp_path / "fit", "--model", tmp_path / "m", *FAST) == DONE
    score = ("score", "--data", data, "--model", tmp_path / "m", "-q", "-o")
    assert run(*score, tmp_path / "whole") == SOME_FAILED
    codes = [run(*score, tmp_path / f"p{i}", "--shard", f"{i}/4") for i in (1, 2, 3, 4)]
    assert sorted(codes) == [DONE, DONE, ALL_FAILED, ALL_FAILED]
    parts = [tmp_path / f"p{i}" for i in (1, 2, 3, 4)]
    assert run("merge", *parts, "-o", tmp_path / "all", "-q") == SOME_FAILED
    assert same_bytes(tmp_path / "whole", tmp_path / "all")


def test_every_share_knows_the_same_collection(tmp_path):
    for i in range(9):
        (tmp_path / f"{i}.png").write_bytes(b"x")
    found = [layouts.find(tmp_path, part=(i, 4)) for i in (1, 2, 3, 4)]
    codes = [in_all_shares(one) for one in found]
    assert codes[0] == codes[1] == codes[2] == codes[3] and len(codes[0]) == 9
    assert sorted(i.name for one in found for i in one.items) == [f"{i}.png" for i in range(9)]


def test_groups_and_series_stay_whole():
    items = [Item(None, f"{i}", group=f"g{i // 2}", series=f"s{i % 4 // 2}") for i in range(8)]
    keys = share_keys(items)
    assert keys == ["g0", "g0", "g1", "g1"] * 2  # slices of a series have one window
    assert share_keys(items[::-1]) == keys[::-1]
    plain = [Item(None, f"{i}", group=f"g{i // 2}" if i < 4 else None) for i in range(6)]
    assert share_keys(plain) == ["g0", "g0", "g1", "g1", "4", "5"]
    mine, others = shared(items, (1, 2))
    assert {i.series for i in mine}.isdisjoint(i.series for i in others)
    assert shared(items, None) == (items, [])
