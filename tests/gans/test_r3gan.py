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
