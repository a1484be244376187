"""The schedules of R3GAN."""

import numpy as np
import pytest
from keras import ops

from gantools.registry import load_game


@pytest.mark.backends
@pytest.mark.parametrize(("images", "half_life"), [(5e6, 732_233), (1e7, 2.5e6), (2e7, 5e6)])
def test_the_half_life_is_the_cosines_and_no_ramp_cuts_it(images, half_life):
    """With StyleGAN2's ramp of 0.05 it was 0.5 million after 10 million pictures."""
    narrow = {"networks": {"widths": (16, 8), "blocks": 1}, "latent": 8}
    rule = load_game("r3gan")("paper", (32, 32, 3), **narrow).game.ema["generator"]
    decay = float(ops.convert_to_numpy(rule.decay(256, np.float32(images))))
    assert 256 * np.log(0.5) / np.log(decay) == pytest.approx(half_life, rel=2e-3)


@pytest.mark.parametrize(
    ("side", "batch", "gamma"),
    [(28, 512, 0.05), (32, 512, 0.05), (64, 256, 2.0), (200, 256, 150.0)],
)
def test_batch_and_gamma_are_those_of_the_nearest_resolution(side, batch, gamma):
    """CIFAR-10 at 32 pixels, FFHQ at 64 and 256."""
    narrow = {"networks": {"widths": (16, 8), "blocks": 1}, "latent": 8}
    make = load_game("r3gan")
    recipe = make("paper", (side, side, 3), **narrow)
    assert recipe.batch == batch
    weights = recipe.game.turns[0].weights
    assert (weights["r1"].start, weights["r2"].start) == (gamma, gamma)
    assert make("paper", (side, side, 3), batch=7, **narrow).batch == 7


def test_small_has_normalisation_where_the_penalties_allow_it():
    """Without it G fell behind for good; in D it would mix the samples whose slopes count."""
    players = load_game("r3gan")("small", (28, 28, 1)).game.players
    kinds = {
        name: {type(layer).__name__ for layer in net._flatten_layers()}
        for name, net in players.items()
    }
    generator = kinds.pop("generator")
    (critic,) = kinds.values()
    assert "BatchNormalization" in generator and "BatchNormalization" not in critic


def test_networks_of_either_family_can_be_given():
    make, own = load_game("r3gan"), {"widths": (8, 4)}
    pair = {"generator": own, "critic": {**own, "norm_kind": "none"}}
    for networks in (pair, {**own, "blocks": 1}):
        recipe = make("small", (16, 16, 3), latent=5, networks=networks)
        model = recipe.model(0)
        assert model.sample(2).shape == (2, 16, 16, 3)
        assert recipe.game.players["generator"].input_shape == (None, 5)
