"""`gantools translate` and what trains for it."""

import json

import cv2
import numpy as np
import pytest

from gantools import record
from gantools.cli import main
from gantools.core import AdversarialModel
from gantools.errors import ALL_FAILED, DONE, SOME_FAILED, USAGE
from gantools.gans import translate
from gantools.gans.folder import open_run
from gantools.registry import load_game


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def read(path):
    return cv2.imread(str(path), cv2.IMREAD_UNCHANGED)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Return a function that trains a game for two cycles, once: name -> its folder."""
    root = tmp_path_factory.mktemp("runs")
    random = np.random.default_rng(0)
    for i in range(24):
        grey = random.integers(0, 256, (16, 16), np.uint8)
        save(root / "data" / "a" / f"{i}.png", grey)
        save(root / "data" / "b" / f"{i}.png", np.stack([grey, 255 - grey, grey], axis=-1))

    def train(name):
        out = root / name
        if not out.exists():
            whole = name in ("pix2pix", "cyclegan", "discogan")
            data = root / "data" if whole else root / "data" / "b"
            words = ["train", name, "--data", str(data), "--out", str(out), "-q"]
            assert main([*words, "--size", "tiny", "--steps", "2"]) == DONE
        return out

    return train


def test_a_run_of_pairs_keeps_its_settings_and_shows_translations(runs):
    run = runs("pix2pix")
    settings = record.read(run / "run.json").settings
    assert (settings["shape"], settings["target"]) == ([16, 16, 1], [16, 16, 3])
    assert settings["data"] == "pairs"
    assert settings["pictures"] == 24
    assert settings["held_out"] == {"a": 2, "b": 2}
    grid = read(run / "samples" / "00000002.png")
    assert grid.shape == (2 * 16, 3 * 16, 3)  # a row a pair: a, its translation, b
    np.testing.assert_array_equal(grid[:16, :16, 0], grid[:16, :16, 1])
    np.testing.assert_array_equal(grid[:, 32:, 0], grid[:, :16, 0])  # b's blue is a's grey


def test_translation_has_size_and_channels_of_the_other_kind(runs, tmp_path, capsys):
    source = save(tmp_path / "in.png", np.full((21, 33, 3), 90, np.uint8))
    out = tmp_path / "out.png"
    assert main(["translate", str(runs("pix2pix")), str(source), "-o", str(out)]) == DONE
    assert read(out).shape == (21, 33, 3)
    assert f"{source} -> {out}" in capsys.readouterr().err
    assert main(["translate", str(runs("pix2pix")), str(source), "-o", str(out)]) == USAGE
    assert "--overwrite" in capsys.readouterr().err
    words = ["translate", str(runs("pix2pix")), str(source), "-o", str(out), "--overwrite"]
    assert main([*words, "--resolution", "16"]) == DONE
    assert read(out).shape == (16, 16, 3)


@pytest.mark.parametrize("name", ["cyclegan", "discogan"])
def test_domains_are_translated_both_ways(runs, tmp_path, name):
    run = runs(name)
    settings = record.read(run / "run.json").settings
    assert settings["pictures"] == {"a": 24, "b": 24}
    assert read(run / "samples" / "00000002.png").shape == (2 * 16, 6 * 16, 3)
    source = save(tmp_path / "in.png", np.full((12, 20, 3), 90, np.uint8))
    for to, shape in (("b", (12, 20, 3)), ("a", (12, 20))):
        out = tmp_path / f"{to}.png"
        assert main(["translate", str(run), str(source), "-o", str(out), "--to", to]) == DONE
        assert read(out).shape == shape


def test_folders_and_pictures_that_cannot_be_read(runs, tmp_path, capsys):
    for i in range(2):
        save(tmp_path / "in" / f"{i}.bmp", np.full((9, 9, 3), 90 * i, np.uint8))
    words = ["translate", str(runs("pix2pix")), str(tmp_path / "in")]
    assert main([*words, "-o", str(tmp_path / "out"), "-q"]) == DONE
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["0.png", "1.png"]
    assert capsys.readouterr().err == ""
    save(tmp_path / "in" / "2.bmp", np.zeros((5, 9, 3), np.uint8))
    (tmp_path / "in" / "3.png").write_bytes(b"no picture")
    assert main([*words, "-o", str(tmp_path / "two")]) == SOME_FAILED
    err = capsys.readouterr().err
    assert "sides of at least 8 pixels" in err
    assert "3.png" in err
    assert main(["translate", words[1], str(tmp_path / "in" / "3.png"), "-o",
                 str(tmp_path / "three.png")]) == ALL_FAILED  # fmt: skip
    assert not (tmp_path / "three.png").exists()


def test_wrong_use_is_one_sentence(runs, tmp_path, capsys):
    source = save(tmp_path / "in.png", np.full((9, 9), 90, np.uint8))

    def refused(*words):
        assert main([*map(str, words)]) in (USAGE, ALL_FAILED)
        err = capsys.readouterr().err
        assert len(err.splitlines()) == 1
        return err

    run, out = runs("pix2pix"), tmp_path / "o.png"
    assert "only learns the way to b" in refused("translate", run, source, "-o", out, "--to", "a")
    assert "is not a run" in refused("translate", tmp_path, source, "-o", out)
    assert "no picture or folder" in refused("translate", run, tmp_path / "x", "-o", out)
    assert "would replace an input" in refused("translate", run, source, "-o", source)
    assert "written as .png" in refused("translate", run, source, "-o", tmp_path / "o.xyz")
    assert "would become" in refused("translate", run, source, source, "-o", tmp_path / "two")
    for given in ((source, source), (tmp_path,)):
        said = refused("translate", run, *given, "-o", tmp_path / "result.PNG")
        assert f"-o {tmp_path / 'result'} or" in said
    assert "with `gantools translate`" in refused("sample", run, "-o", out)


def test_a_folder_may_be_named_like_a_picture(runs, tmp_path):
    for i in range(2):
        save(tmp_path / "in" / f"{i}.png", np.full((9, 9, 3), 90 * i, np.uint8))
    (tmp_path / "result.png").mkdir()
    words = ["translate", str(runs("pix2pix")), str(tmp_path / "in"), "-q"]
    assert main([*words, "-o", str(tmp_path / "result.png")]) == DONE
    assert len(list((tmp_path / "result.png").iterdir())) == 2


def test_pictures_that_the_memory_does_not_hold_are_skipped(runs, tmp_path, capsys, monkeypatch):
    """Else the system kills the whole command, without a word."""
    save(tmp_path / "in" / "large.png", np.full((400, 600, 3), 90, np.uint8))
    save(tmp_path / "in" / "small.png", np.full((40, 60, 3), 90, np.uint8))
    monkeypatch.setattr(translate, "free_memory", lambda: 20_000_000)
    words = ["translate", str(runs("cyclegan")), "-o", str(tmp_path / "out")]
    assert main([*words, "-q", str(tmp_path / "in")]) == SOME_FAILED
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["small.png"]
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "large.png: At 600x400 pixels this network needs about 0.1 GiB" in said
    side = int(said.partition("--resolution ")[2].split()[0])
    large = [*words, "--overwrite", str(tmp_path / "in" / "large.png")]
    assert main([*large, "--resolution", str(side + 3)]) == ALL_FAILED
    assert main([*large, "--resolution", str(side - 3)]) == DONE


def test_the_memory_needed_is_that_of_all_maps():
    """Measured: 1.95 GB for a megapixel of cyclegan's small network, 2.9 GB of srgan's output."""
    network = load_game("cyclegan")("small", (16, 16, 3)).model().game.players["to_b"]
    assert 1.9e9 < translate.memory_needed(network, 1000, 1000) < 2.3e9
    network = load_game("srgan")("small", (16, 16, 3)).model().game.players["generator"]
    assert 2.7e9 < translate.memory_needed(network, 400, 400) < 3.2e9


@pytest.mark.parametrize("name", ["srgan", "esrgan"])
def test_a_run_that_enlarges_enlarges(runs, tmp_path, capsys, name):
    run = runs(name)
    source = save(tmp_path / "in.png", np.full((10, 13, 3), 200, np.uint8))
    words = ["translate", str(run), str(source), "-o", str(tmp_path / "out.png")]
    assert main(words) == DONE
    made = read(tmp_path / "out.png")
    assert made.shape == (40, 52, 3)
    low = np.full((1, 10, 13, 3), 200 / 127.5 - 1, np.float32)
    expected = open_run(run)[0].sample(1, low=low)[0] * 127.5 + 127.5
    assert np.abs(made[..., ::-1] - expected).max() < 0.51  # OpenCV reads blue first
    assert main([*words, "--overwrite", "--to", "a"]) == USAGE
    assert "no way back" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["restorer", "skip_ganomaly"])
def test_a_run_that_restores_takes_its_own_size(runs, tmp_path, capsys, name):
    source = save(tmp_path / "in.png", np.full((16, 20, 3), 90, np.uint8))
    words = ["translate", str(runs(name)), str(source), "-o", str(tmp_path / "out.png")]
    assert main(words) == ALL_FAILED
    said = capsys.readouterr().err
    assert "takes pictures of 16x16 pixels only. Received: 20x16. Give --resolution 16." in said
    assert main([*words, "--resolution", "16"]) == DONE
    assert read(tmp_path / "out.png").shape == (16, 16, 3)


@pytest.mark.usefixtures("tiny_game")
def test_runs_that_do_not_translate_are_refused(pictures, tmp_path, capsys):
    run, source = tmp_path / "run", save(tmp_path / "in.png", np.full((9, 9), 90, np.uint8))
    words = ["train", "tiny", "--data", pictures, "--out", run, "--steps", 2, "-q"]
    assert main([*map(str, words)]) == DONE
    assert main(["translate", str(run), str(source), "-o", str(tmp_path / "o.png")]) == USAGE
    assert "does not translate any" in capsys.readouterr().err


def test_zoo_tells_what_games_train_on(capsys):
    assert main(["zoo", "--json"]) == DONE
    kinds = {game["name"]: game["data"] for game in json.loads(capsys.readouterr().out)["games"]}
    assert (kinds["pix2pix"], kinds["cyclegan"], kinds["dcgan"]) == ("pairs", "domains", "pictures")


def test_translation_uses_the_averaged_network():
    recipe = load_game("pix2pix")("tiny", (16, 16, 1), half_life=100)
    model = recipe.model()
    assert isinstance(model, AdversarialModel)
    assert translate.translator(model) is model.averaged["generator"]
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 1), np.uint8)
    expected = np.asarray(model.averaged["generator"](image[None] / 127.5 - 1, training=False))
    found = translate.translate(translate.translator(model), image)
    assert np.abs(found[None] - (expected * 127.5 + 127.5)).max() <= 0.51
