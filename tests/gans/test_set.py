"""`gantools train --set`: what is taken, what is refused, and that a run remembers it."""

import json

import cv2
import pytest

from gantools import record
from gantools.cli import main
from gantools.errors import DONE, USAGE
from gantools.gans.folder import build, open_run, parse_set, settings_of
from gantools.gans.material import load

NARROW = "generator={'latent': 4, 'widths': (8,)}"


@pytest.fixture
def train(tmp_path, pictures, capsys):
    """Return a function that trains a tiny "gan" in tmp_path/run: (exit code, stdout, stderr)."""

    def call(*words, game="gan"):
        out = str(tmp_path / "run")
        given = ["train", game, "--data", str(pictures), "--out", out, "--size", "tiny", "-q"]
        return main([*given, "--json", *map(str, words)]), *capsys.readouterr()

    return call


def test_a_setting_trains_goes_on_and_is_kept(train, tmp_path):
    words = ["--set", "objective=minimax", "--set", "k=2"]
    assert train("--steps", 2, *words)[0] == DONE
    assert record.read(tmp_path / "run" / "run.json").settings["set"] == {
        "objective": "minimax", "k": "2",
    }  # fmt: skip
    code, out, err = train("--steps", 3, *words)
    assert (code, err) == (DONE, "")
    assert (json.loads(out)["resumed"], json.loads(out)["cycles"]) == (2, 3)
    code, _, err = train("--steps", 4, "--set", "objective=nonsaturating")
    assert code == USAGE
    assert "set.k ('2', now None), set.objective ('minimax', now 'nonsaturating')" in err
    assert open_run(tmp_path / "run")[0].game.minibatches == 3  # two of the discriminator


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("objektive=minimax", "no setting 'objektive'. It has: objective, k, optimizer, rate, gen"),
        ("classes=3", "no setting 'classes'. It has: objective"),
        ("objective=minmax", "Unknown objective 'minmax'. Known: minimax, nonsaturating"),
        ("optimizer=rmsprop", "optimizer must be one of adam, sgd. Received: optimizer='rmsprop'"),
        ("objective=3", "to be a word, such as objective=nonsaturating. Received: 3"),
        ("k=two", "to be a whole number, such as k=1. Received: two"),
        ("k=1.5", "to be a whole number, such as k=1. Received: 1.5"),
        ("k=0", "repeats must be >= 1"),
        ("rate=True", "to be a number, such as rate=0.1. Received: True"),
        ("rate=1e999", "--set rate must be finite. Received: 1e999"),
        ("generator=(8,)", "to be a dict, such as generator={'latent': 100"),
        ("generator={'wide': 1}", "cannot be built with --set generator={'wide': 1}: generator() "),
        ("batch=4", "Give --batch"),
        ("minimax", "Expected --set NAME=VALUE, such as objective=minimax. Received: 'minimax'"),
        ("objective=", "Expected --set NAME=VALUE"),
    ],
)
def test_what_the_game_does_not_take_is_refused_in_a_sentence(train, tmp_path, given, expected):
    code, _, err = train("--steps", 1, "--set", given)
    assert code == USAGE
    assert expected in err
    assert len(err.splitlines()) == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("tiny_game")
def test_a_game_without_settings_says_so(train):
    code, _, err = train("--steps", 1, "--set", "rate=1", game="tiny")
    assert code == USAGE
    assert "The game tiny has no setting 'rate'. It has none." in err
    assert "--set k is given twice" in train("--set", "k=1", "--set", "k=2")[2]


def test_a_run_with_other_networks_is_opened_as_it_was_trained(train, tmp_path, capsys):
    assert train("--steps", 1, "--set", NARROW)[0] == DONE
    model = open_run(tmp_path / "run")[0]
    assert model.game.players["generator"].input_shape == (None, 4)
    assert main(["sample", str(tmp_path / "run"), "-n", "4", "-o", str(tmp_path / "a.png")]) == DONE
    assert cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED).shape == (16, 16)
    main(["doctor", str(tmp_path / "run"), "--json"])
    assert json.loads(capsys.readouterr().out)["cycle"] == 1


def test_values_come_back_from_a_record_as_they_were(pictures):
    words = ["a=x", "b='3'", "c=[1, (2, [3])]", "d=None", "e={'f': [1.5]}", "g=-2e-4", "h='a b'"]
    given = parse_set(words)
    assert given == {
        "a": "x", "b": "3", "c": (1, (2, (3,))), "d": None, "e": {"f": (1.5,)}, "g": -2e-4,
        "h": "a b",
    }  # fmt: skip
    kept = settings_of("gan", "tiny", load("pictures", pictures), {}, 8, 0, "float32", given)["set"]
    assert (
        parse_set(f"{name}={text}" for name, text in json.loads(json.dumps(kept)).items()) == given
    )


def test_every_form_that_the_documentation_offers_can_be_given():
    for name, words in (
        ("bigan", ["stochastic=True", "generator={'latent': 16}"]),
        ("discogan", ["form=paper"]),
        ("cgan", ["condition=concatenation", "augment=translation,cutout", "fill=-1"]),
        ("r3gan", ["augment=color"]),
        ("dcgan", ["half_life=100"]),  # None in some sizes
        ("stylegan", ["gamma=5", "widths=[8, 4]"]),  # a whole number is a number
        ("stylegan", ["rate=[1e-3, 1e-4, 100]", "critic_rate=0.001"]),
    ):
        build(name, "tiny", {"shape": (16, 16, 1)}, 0, overrides=parse_set(words))
