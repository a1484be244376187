"""End to end: folders in, files and exit codes out."""

import csv
import json
import os
import shutil

import numpy as np
import pytest
from gantools.apps.anomaly import commands, fitted

from gantools import cli
from gantools.errors import ALL_FAILED, DONE, REQUIREMENT, SOME_FAILED, USAGE

FAST = ("--detector", "references")
FILES = {"scores.csv", "report.html", "maps", "model", "plan.json", "fingerprint.json",
         "audit.json", "evaluation.json"}  # fmt: skip


def run(*args):
    return cli.main(["anomaly", *map(str, args)])


def scores(out):
    return list(csv.DictReader((out / "scores.csv").read_text(encoding="utf-8").splitlines()))


def told(capsys):
    return capsys.readouterr().err


def same(a, b):
    """Return whether two lists of rows agree; scores may differ by rounding."""
    rows = [{row["path"]: row for row in rows} for rows in (a, b)]
    return rows[0].keys() == rows[1].keys() and all(
        abs(float(one["score"]) - float(other["score"])) < 1e-5
        and {**one, "score": ""} == {**other, "score": ""}
        for one, other in ((row, rows[1][name]) for name, row in rows[0].items())
    )


@pytest.fixture(scope="module")
def done(tile_folder, tmp_path_factory):
    """Return the output folder of one whole job that nobody may change."""
    out = tmp_path_factory.mktemp("out") / "out"
    assert run("--data", tile_folder, "-o", out, *FAST, "-q") == DONE
    return out


def test_a_whole_job_writes_its_files_and_ranks(done):
    assert {path.name for path in done.iterdir()} == FILES
    rows = scores(done)
    assert len(rows) == 20
    assert all(row["path"].startswith("test/patch") for row in rows[:6])
    assert [float(row["p"]) for row in rows] == sorted(float(row["p"]) for row in rows)
    assert len(list((done / "maps").iterdir())) == 20
    found = json.loads((done / "evaluation.json").read_text())
    assert found["rows"]["detector"]["auroc"] > 0.95
    assert {"aupro_30", "pixel_ap"} <= set(found["pixels"])


def test_nothing_of_this_machine_is_in_the_outputs(done, tile_folder):
    for path in done.rglob("*"):
        if path.suffix in (".json", ".csv", ".html"):
            assert str(tile_folder.parent) not in path.read_text(encoding="utf-8"), path.name


def test_the_same_job_again_uses_the_model(done, tile_folder, tmp_path, capsys):
    out = tmp_path / "out"
    shutil.copytree(done, out)
    before = scores(out)
    assert run("--data", tile_folder, "-o", out, *FAST) == DONE
    assert "Using the model in" in told(capsys)
    assert scores(out) == before
    assert run("--data", tile_folder, "-o", out, *FAST, "--seed", "1") == USAGE
    assert "other settings (seed 0 -> 1). Give --fresh" in told(capsys)
    assert run("--data", tile_folder, "-o", out, *FAST, "--groups", r"lot\w+\d+(?=_)") == USAGE
    assert "(groups None -> lot" in told(capsys)
    assert scores(out) == before
    assert run("--data", tile_folder, "-o", out, *FAST, "--seed", "1", "--fresh", "-q") == DONE
    assert scores(out) != before


def test_a_folder_of_somebody_else_is_refused(tile_folder, tmp_path, capsys):
    (tmp_path / "thesis.txt").write_text("precious")
    assert run("--data", tile_folder, "-o", tmp_path, *FAST) == USAGE
    assert "It holds thesis.txt. Give another -o." in told(capsys)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_unreadable_file_is_a_row_and_exit_code_4(tiles, tmp_path, capsys):
    root = tiles(tmp_path / "data")
    (root / "test" / "good" / "zz.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    (root / "train" / "good" / "zz.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    assert run("--data", root, "-o", tmp_path / "out", *FAST, "-q", "--json") == SOME_FAILED
    counts = json.loads(capsys.readouterr().out)
    assert (counts["schema"], counts["items"], counts["unreadable"]) == (1, 21, 1)
    last = scores(tmp_path / "out")[-1]
    assert (last["path"], last["verdict"], last["p"]) == ("test/good/zz.png", "not scored", "")
    assert last["reason"]


def test_a_listed_file_that_is_missing_is_a_row_and_exit_code_4(tile_folder, tmp_path):
    names = sorted(path.relative_to(tile_folder) for path in tile_folder.glob("t*/*/*.png"))
    rows = [f"{n},{n.parts[0]},{int(n.parts[1] == 'patch')}" for n in names]
    rows += ["test/good/lost.png,test,0", "train/good/lost.png,train,0"]
    (tmp_path / "list.csv").write_text("\n".join(["path,split,label", *rows]))
    listed = ("--manifest", tmp_path / "list.csv", "-o", tmp_path / "out")
    assert run("--data", tile_folder, *listed, *FAST, "-q") == SOME_FAILED
    last = scores(tmp_path / "out")[-1]
    assert (last["path"], last["verdict"]) == ("test/good/lost.png", "not scored")
    assert "no such file" in last["reason"]
    told = (tmp_path / "out" / "audit.json").read_text()
    assert '"test/good/lost.png",' in told and '"train/good/lost.png"' in told


def test_an_unreadable_file_of_undivided_data_is_a_row_too(tile_folder, tmp_path, capsys):
    shutil.copytree(tile_folder / "train" / "good", tmp_path / "data")
    (tmp_path / "data" / "zz.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    assert run("--data", tmp_path / "data", "-o", tmp_path / "out", *FAST, "-q", "--json") == (
        SOME_FAILED
    )
    counts = json.loads(capsys.readouterr().out)
    assert (counts["items"], counts["unreadable"]) == (81, 1)
    last = scores(tmp_path / "out")[-1]
    assert (last["path"], last["verdict"]) == ("zz.png", "not scored")
    assert last["reason"]


def test_one_picture_is_scored_and_told_nothing_of_training(done, tile_folder, tmp_path, capsys):
    (tmp_path / "one").mkdir()
    shutil.copy(next((tile_folder / "test" / "patch").iterdir()), tmp_path / "one" / "a.png")
    out = tmp_path / "out"
    assert run("score", "--data", tmp_path / "one", "--model", done / "model", "-o", out) == DONE
    (row,) = scores(out)
    assert float(row["p"]) < 0.1
    assert "for training" not in told(capsys)


def test_fit_and_score_give_what_the_whole_job_gives(done, tile_folder, tmp_path, capsys):
    model = tmp_path / "tiles.model"
    assert run("fit", "--data", tile_folder, "--model", model, *FAST, "-q") == DONE
    assert run("fit", "--data", tile_folder, "--model", model, *FAST) == USAGE
    assert "--overwrite" in told(capsys)
    test = tile_folder / "test"
    assert run("score", "--data", test, "--model", model, "-o", tmp_path / "out", "-q") == DONE
    whole = {row["path"].removeprefix("test/"): row["p"] for row in scores(done)}
    assert {row["path"]: row["p"] for row in scores(tmp_path / "out")} == whole


def test_score_leaves_out_what_it_was_fitted_on(done, tile_folder, tmp_path):
    out = tmp_path / "out"
    assert run("score", "--data", tile_folder, "--model", done / "model", "-o", out, "-q") == (
        SOME_FAILED
    )
    rows = {row["path"]: row for row in scores(out)}
    assert len(rows) == 100
    assert all(rows[name]["p"] == "" for name in rows if name.startswith("train"))
    assert all(rows[name]["p"] for name in rows if name.startswith("test"))


def test_shards_merge_to_the_whole(done, tile_folder, tmp_path, capsys):
    test, model, parts = tile_folder / "test", done / "model", []
    common = ("--data", test, "--model", model, "--groups", r"lot\w+\d+(?=_)", "-q")
    for number in (1, 2, 3):
        parts.append(tmp_path / f"part{number}")
        assert run("score", *common, "--shard", f"{number}/3", "-o", parts[-1]) == DONE
    assert run("score", *common, "-o", tmp_path / "whole") == DONE
    assert run("merge", *parts, "-o", tmp_path / "merged", "-q") == DONE
    merged, whole = scores(tmp_path / "merged"), scores(tmp_path / "whole")
    assert same(merged, whole)
    groups = [{row["group"] for row in scores(part)} for part in parts]
    assert not groups[0] & groups[1] and not groups[1] & groups[2] and not groups[0] & groups[2]
    assert len(list((tmp_path / "merged" / "maps").iterdir())) == 20
    assert (tmp_path / "merged" / "report.html").read_text().count('class="overlay"') == 20
    assert run("merge", parts[0], parts[0], "-o", tmp_path / "x") == USAGE
    assert "given twice" in told(capsys)
    assert run("score", *common, "--shard", "4/3", "-o", tmp_path / "y") == USAGE
    assert "expected I/N" in told(capsys)
    assert run("merge", done, "-o", tmp_path / "z") == USAGE
    assert "no outcome" in told(capsys)


def test_what_an_earlier_job_said_of_labels_and_shards_goes(done, tile_folder, tmp_path):
    test, model, out = tile_folder / "test", done / "model", tmp_path / "out"
    assert run("score", "--data", test, "--model", model, "-o", out, "--shard", "1/1", "-q") == DONE
    assert {"evaluation.json", "outcome.json", "outcome.npz"} <= {p.name for p in out.iterdir()}
    assert run("score", "--data", test / "patch", "--model", model, "-o", out, "-q") == DONE
    left = {path.name for path in out.iterdir()}
    assert not left & {"evaluation.json", "outcome.json", "outcome.npz"}


def test_eval_prints_a_table_and_ablates(tile_folder, tmp_path, capsys):
    out = tmp_path / "eval"
    options = ("--seeds", "2", "--ablate", "-q", "-o", out)
    assert run("eval", "--data", tile_folder, *FAST, *options) == DONE
    shown = capsys.readouterr().out
    assert "seeds 0, 1" in shown
    assert "detector (references)" in shown
    assert "False alarms at a wanted rate of 5%" in shown
    found = json.loads((out / "evaluation.json").read_text())
    assert set(found["without"]) == {"knn5", "pca80", "mahalanobis", "forest"}
    assert len(found["realised"]["0.05"]["seeds"]) == 2
    assert found["rows"]["detector"]["auroc"] > 0.9


def test_undivided_data_are_fitted_again_with_the_same_settings_only(tile_folder, tmp_path, capsys):
    data, out = tile_folder / "train" / "good", tmp_path / "out"
    assert run("--data", data, "-o", out, *FAST, "-q") == DONE
    before = scores(out)
    assert run("--data", data, "-o", out, *FAST, "-q") == DONE
    assert scores(out) == before
    assert run("--data", data, "-o", out, *FAST, "--seed", "1") == USAGE
    assert "other settings (seed 0 -> 1). Give --fresh" in told(capsys)
    plan = json.loads((out / "model" / "plan.json").read_text())
    plan["facts"]["refined"] = 3
    (out / "model" / "plan.json").write_text(json.dumps(plan))
    assert run("--data", data, "-o", out, *FAST) == USAGE
    assert "holds 3 verdicts of a person, which would be lost" in told(capsys)
    assert json.loads((out / "model" / "plan.json").read_text()) == plan
    assert run("--data", data, "-o", out, *FAST, "--fresh", "-q") == DONE
    assert "refined" not in json.loads((out / "model" / "plan.json").read_text())["facts"]


def test_results_below_the_data_are_no_data_of_the_next_job(tiles, tmp_path, capsys):
    data = tiles(tmp_path / "data", good=0, bad=0) / "train" / "good"
    for _ in range(2):
        assert run("--data", data, "-o", data / "out", *FAST) == DONE
        assert len(scores(data / "out")) == 80
    assert "The folder 'out' holds results of an earlier job: left out." in told(capsys)


def test_a_missing_shard_and_shards_of_other_data_are_refused(done, tile_folder, tmp_path, capsys):
    common = ("--model", done / "model", "-q")
    for data in ("test", "test/patch"):
        for number in (1, 2, 3):
            out = tmp_path / f"{data[-5:]}{number}"
            shard = ("--shard", f"{number}/3", "-o", out)
            assert run("score", "--data", tile_folder / data, *common, *shard) == DONE
    one, two, three = (tmp_path / f"test{number}" for number in (1, 2, 3))
    shutil.copytree(one, tmp_path / "again")
    out = tmp_path / "merged"
    for given, words in (
        ((one, three), "each of 3 shards once. Missing or given twice: 2."),
        ((one, two, three, tmp_path / "again"), "Missing or given twice: 1."),
        ((one, two, tmp_path / "patch3"), "not of one collection"),
    ):
        assert run("merge", *given, "-o", out) == USAGE
        assert words in told(capsys)
        assert not out.exists()
    assert run("merge", three, one, two, "-o", out, "-q") == DONE
    assert len(scores(out)) == 20


def test_shares_that_are_empty_are_not_missed(done, tile_folder, tmp_path):
    (tmp_path / "few").mkdir()
    for path in sorted((tile_folder / "test" / "patch").iterdir())[:2]:
        shutil.copy(path, tmp_path / "few")
    common = ("--data", tmp_path / "few", "--model", done / "model", "-q")
    codes = [
        run("score", *common, "--shard", f"{i}/3", "-o", tmp_path / f"p{i}") for i in (1, 2, 3)
    ]
    assert codes == [DONE, DONE, USAGE]
    assert run("merge", tmp_path / "p1", tmp_path / "p2", "-o", tmp_path / "m", "-q") == DONE
    assert len(scores(tmp_path / "m")) == 2


def test_eval_with_required_figures(tile_folder, tmp_path, capsys):
    words = ("eval", "--data", tile_folder, *FAST, "--seeds", "1", "-q", "-o", tmp_path / "eval")
    assert run(*words, "--require", "auroc", "0.01", "--require", "fpr_at_tpr_95", "1") == DONE
    assert run(*words, "--require", "auroc", "1.01") == REQUIREMENT
    assert "at least 1.01 is required" in told(capsys)
    assert (tmp_path / "eval/evaluation.json").exists()
    assert run(*words, "--require", "accuracy", "0.9") == USAGE


def test_eval_keeps_figures_of_others_and_says_where_it_cannot_ablate(tiles, tmp_path, capsys):
    data, out = tiles(tmp_path / "data", normals=50), tmp_path / "eval"
    options = (*FAST, "--seeds", "1", "-q", "-o", out)
    assert run("eval", "--data", data, *options, "--ablate") == DONE
    assert "needs several parts and 60 normals to hold some out of. There are 50." in told(capsys)
    assert run("eval", "--data", data, *options) == DONE  # its own may be replaced
    assert "--ablate" not in told(capsys)
    (out / "evaluation.json").write_text('{"accuracy": 1}')
    assert run("eval", "--data", data, *options) == USAGE
    assert "was not written by `gantools anomaly eval`" in told(capsys)
    assert (out / "evaluation.json").read_text() == '{"accuracy": 1}'


def test_names_that_are_no_text_go_through_a_whole_job(tiles, tmp_path, capsys):
    data = tiles(tmp_path / "data", good=6, bad=4, masks=False)
    for i, name in enumerate((b"Pr\xfcf.png", b"Pr\xe4f.png")):
        picture = sorted((data / "test" / "good").iterdir())[i]
        try:
            picture.rename(picture.with_name(os.fsdecode(name)))
        except OSError:
            pytest.skip("this file system has names of UTF-8 only")
    (data / "test" / "good" / os.fsdecode(b"br\xfcck.png")).write_bytes(b"broken")
    assert run("--data", data, "-o", tmp_path / "out", *FAST, "-q") == SOME_FAILED
    rows = {row["path"]: row for row in scores(tmp_path / "out")}
    assert rows[r"test/good/Pr\xfcf.png"]["p"] and rows[r"test/good/Pr\xe4f.png"]["p"]
    assert r"br\xfcck.png" in rows[r"test/good/br\xfcck.png"]["reason"]
    assert run("audit", "--data", data) in (DONE, SOME_FAILED)
    assert r"br\xfcck.png" in capsys.readouterr().out


def test_stream_and_confidence_and_manifest(tile_folder, tmp_path, capsys):
    listed = [("path", "label", "split")]
    for path in sorted(tile_folder.glob("*/*/*.png")):
        part, kind, _ = path.relative_to(tile_folder).parts
        if part != "ground_truth":
            listed.append((path.relative_to(tile_folder), int(kind != "good"), part))
    manifest = tmp_path / "list.csv"
    manifest.write_text("\n".join(",".join(map(str, row)) for row in listed))
    out = tmp_path / "out"
    options = ("--manifest", manifest, "--stream", "name", "--fpr", "0.2", "--confidence", "0.9")
    assert run("--data", tile_folder, "-o", out, *FAST, *options) == DONE
    assert "manifest layout" in told(capsys)
    values = [float(row["martingale"]) for row in scores(out)]
    assert max(values) > 0
    assert "stream" in (out / "report.html").read_text()


MISTAKES = [
    (("--data", "{tmp}/nowhere"), USAGE, "There is no folder or file"),
    (("--data", "{tmp}/empty"), ALL_FAILED, "holds no files that can be used"),
    (("--data", "{tmp}/one"), ALL_FAILED, "holds 1 picture"),
    (("--data", "{tmp}/same"), ALL_FAILED, "normals"),
    (("--data", "{tmp}/text"), ALL_FAILED, "nothing that can be scored"),
    (("--data", "{tiles}", "--layout", "spiral"), USAGE, "as layout"),
    (("--data", "{tiles}", "--groups", "("), USAGE, "neither a column nor a regular expression"),
    (("--data", "{tiles}", "--layout", "flat", "--manifest", "{tmp}/x.csv"), USAGE, "not be read"),
    (("--data", "{tiles}", "--label", "y"), USAGE, "holds pictures, no table"),
    (("--data", "{tiles}", "--without", "ssim", *FAST), USAGE, "the parts that rank here are"),
    (("--data", "{tiles}", "--manifest", "{tmp}/none.csv"), USAGE, "no manifest"),
    (("eval", "--data", "{tiles}/train"), USAGE, "needs normal and anomalous items"),
    (("score", "--data", "{tiles}", "--model", "{tmp}/empty"), USAGE, "holds no fitted model"),
    ((), USAGE, "Give --data FOLDER"),
    (("--seed", "7", "eval", "--data", "{tiles}"), USAGE, "after the command: eval --seed"),
    (("--data", "{tiles}", "--fpr", "2"), USAGE, "2.0"),
]


@pytest.mark.parametrize(("args", "code", "sentence"), MISTAKES, ids=lambda v: str(v)[:40])
def test_a_bad_input_gives_one_sentence_and_no_half_written_file(
    tile_folder, tmp_path, capsys, args, code, sentence
):
    for name in ("empty", "one", "same", "text"):
        (tmp_path / name).mkdir()
    picture = next((tile_folder / "train" / "good").iterdir())
    shutil.copy(picture, tmp_path / "one" / "a.png")
    for i in range(3):
        shutil.copy(picture, tmp_path / "same" / f"{i}.png")
    (tmp_path / "text" / "notes.txt").write_text("nothing to see")
    args = [word.format(tmp=tmp_path, tiles=tile_folder) for word in args]
    out = tmp_path / "out"
    where = ("-o", out) if args else ()
    assert run(*args, *where) == code
    said = told(capsys)
    assert sentence in said
    assert "Traceback" not in said
    assert not out.exists() or not any(out.rglob("*.csv")) and not (out / "report.html").exists()


def test_a_job_that_fails_in_scoring_leaves_the_older_result(
    done, tile_folder, tmp_path, monkeypatch
):
    out = tmp_path / "out"
    shutil.copytree(done, out)
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}

    def stop(self, *args, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(fitted.Fitted, "_parts", stop)
    assert run("--data", tile_folder, "-o", out, *FAST, "-q") == 130
    after = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    assert after == before


def test_names_that_are_markup_stay_text(tiles, tmp_path):
    root = tiles(tmp_path / "data", good=6, bad=4, masks=False)
    name = "<script>alert(1)&amp;'x'.png"
    picture = next((root / "test" / "patch").iterdir())
    picture.rename(picture.with_name(name))
    assert run("--data", root, "-o", tmp_path / "out", *FAST, "-q") == DONE
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&amp;amp;&#x27;x&#x27;.png" in text
    assert np.any([row["path"].endswith(name) for row in scores(tmp_path / "out")])


@pytest.mark.parametrize(("quiet", "told"), [(True, 2), (False, 3)])
def test_quietly_only_troubles_are_told(quiet, told, capsys):
    say = commands.teller(quiet)
    for line in ("80 for train", "warning: copies", "error: leaks"):
        say(line)
    assert capsys.readouterr().err.splitlines() == [
        "80 for train", "warning: copies", "error: leaks"
    ][-told:]  # fmt: skip
