"""Settings that are words: what a game does not know is refused, not taken for something else."""

import pytest

from gantools.errors import UserError
from gantools.registry import load_game


@pytest.mark.parametrize(
    ("name", "given", "expected"),
    [
        ("gan", {"optimizer": "rmsprop"}, "optimizer must be one of adam, sgd. Received: optimi"),
        ("cgan", {"optimizer": "Adam"}, "optimizer must be one of adam, sgd"),
        ("cgan", {"condition": "tiled"}, "condition must be one of branches, concatenation, proj"),
        ("lsgan", {"objective": "hinge"}, "objective must be one of least_squares, least_squares_"),
        ("gan", {"objective": "minmax"}, "Unknown objective 'minmax'"),
        ("cgan", {"augment": 3}, "augment must be DiffAugment, ADA or a callable"),
        ("r3gan", {"augment": "blur"}, "An augmentation is a list of color, translation, cutout"),
        ("dcgan", {"generator": {"up": "bilinear"}}, "up must be transpose, subpixel or nearest"),
        ("dcgan", {"discriminator": {"norm_kind": "group"}}, "norm must be batch, layer, instance"),
        ("sngan", {"critic": {"head": "max"}}, "head must be mean or sum"),
    ],
)
def test_words_that_a_game_does_not_know(name, given, expected):
    with pytest.raises(UserError, match=expected.replace("(", r"\(")):
        load_game(name)("tiny", (16, 16, 1), **given)


@pytest.mark.parametrize("name", ["gan", "cgan"])
@pytest.mark.parametrize(("word", "kind"), [("sgd", "SGD"), ("adam", "Adam")])
def test_optimizers_are_those_that_are_asked_for(name, word, kind):
    recipe = load_game(name)("tiny", (16, 16, 1), optimizer=word)
    assert {type(part).__name__ for part in recipe.optimizers.values()} == {kind}


@pytest.mark.parametrize("name", ["wgan_gp", "sngan"])
@pytest.mark.parametrize("size", ["tiny", "small"])
def test_critics_that_are_bounded_sample_by_sample_are_not_normalised_by_batches(name, size):
    players = load_game(name)(size, (16, 16, 1)).game.players
    layers = [type(layer).__name__ for layer in players["discriminator"].layers]
    assert "BatchNormalization" not in layers
    assert ("SpectralNormalization" in layers) == (name == "sngan")
    assert name != "sngan" or not {"Conv2D", "Dense"} & set(layers)  # every kernel is bounded
    assert "BatchNormalization" in [type(a).__name__ for a in players["generator"].layers]
