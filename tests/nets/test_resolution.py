"""Small networks follow the resolution: more stages for larger pictures, nothing else changes."""

import keras
import numpy as np
import pytest

from gantools.nets import dcgan, pyramid, r3gan
from gantools.nets.blocks import further_halvings
from gantools.registry import load_game

R3GAN = {"widths": (96, 64, 48), "blocks": 1, "patch": 2, "largest": 8}
NETS = {
    "dcgan G": (dcgan.generator, dcgan.CPU_GENERATOR),
    "dcgan D": (dcgan.discriminator, dcgan.CPU_DISCRIMINATOR),
    "r3gan G": (r3gan.generator, R3GAN),
    "r3gan D": (r3gan.critic, R3GAN),
}
# As they were when their widths alone decided.
COUNTS = {
    "dcgan G": {(28, 28, 1): 397_057, (32, 32, 3): 490_755},
    "dcgan D": {(28, 28, 1): 356_161, (32, 32, 3): 357_761},
    "r3gan G": {(28, 28, 1): 141_824, (32, 32, 3): 145_280},
    "r3gan D": {(28, 28, 1): 135_776, (32, 32, 3): 139_232},
}
GAMES = ("dcgan", "cgan", "infogan", "bigan", "r3gan")
DETECTORS = ("anogan", "f_anogan", "egbad", "alad", "ganomaly", "skip_ganomaly")
SIDES = {28: 4, 32: 4, 48: 6, 64: 8, 96: 6, 128: 8}  # side of a picture: of the smallest map
PYRAMIDS = {  # shape, options -> networks
    "pair": lambda shape, **options: list(
        pyramid.pair(shape, latent=5, widths=(3, 4, 6), **options).values()
    ),
    "judge": lambda shape, **options: [
        pyramid.judge({"x": shape, "y": shape, "z": (5,)}, widths=(3, 4, 6), hidden=7, **options)
    ],
    "unet": lambda shape, **options: [pyramid.unet(shape, widths=(3, 4, 6), **options)],
}


def smallest_map(net):
    """Return the shortest side of the smallest map between the layers of a network."""
    layers = [layer for layer in net._flatten_layers() if layer is not net and layer._inbound_nodes]
    outputs = keras.tree.flatten([layer.output for layer in layers])
    return min(min(x.shape[1:3]) for x in outputs if len(x.shape) == 4)


@pytest.mark.parametrize("shape", [(28, 28, 1), (32, 32, 3)])
@pytest.mark.parametrize("name", NETS)
def test_up_to_32_pixels_nothing_is_added(name, shape):
    make, options = NETS[name]
    net, plain = make(shape, **options), make(shape, **{**options, "largest": None})
    assert net.count_params() == COUNTS[name][shape]
    assert [v.path for v in net.weights] == [v.path for v in plain.weights]
    pairs = zip(net.get_weights(), plain.get_weights(), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("name", GAMES)
def test_small_games_end_in_small_maps_at_any_resolution(name):
    counts = {}
    for side in (64, 128, 256):
        players = load_game(name)("small", (side, side, 3)).game.players
        for player, net in players.items():
            assert smallest_map(net) <= 8, (player, side)
            counts.setdefault(player, []).append(net.count_params())
        keras.backend.clear_session()
    for player, (at_64, at_128, at_256) in counts.items():
        # One more stage of the same width each; the dense layers stay as they are.
        assert at_64 <= at_128 <= at_64 + 150_000, player
        assert at_128 <= at_256 <= at_128 + 150_000, player
        assert at_256 < 1_600_000, player


@pytest.mark.parametrize(("shape", "base"), [((64, 256, 3), (8, 32)), ((72, 96, 3), (5, 6))])
def test_the_shorter_side_decides(shape, base):
    net = dcgan.generator(shape, **dcgan.CPU_GENERATOR)
    assert net.get_layer("up1").input.shape[1:3] == base
    assert net.output_shape == (None, *shape)


def test_halvings_that_are_missing():
    assert [further_halvings((side, 999), 4, 8) for side in (8, 32, 33, 64, 65, 256)] == [
        0, 0, 1, 1, 2, 3,
    ]  # fmt: skip
    assert further_halvings((256, 256), 4, None) == 0


def test_further_convolutions_are_like_the_last_one():
    net = dcgan.discriminator((128, 128, 3), **{**dcgan.CPU_DISCRIMINATOR, "widths": (4, 5, 6)})
    kernels = [net.get_layer(f"down{i}").kernel.shape for i in range(4)]
    assert kernels == [(5, 5, 3, 4), (3, 3, 4, 5), (3, 3, 5, 6), (3, 3, 6, 6)]


@pytest.mark.parametrize("name", PYRAMIDS)
@pytest.mark.parametrize("side", SIDES)
def test_pyramids_end_in_small_maps(name, side):
    shape = (side, side, 2)
    nets, plain = (PYRAMIDS[name](shape, **options) for options in ({}, {"largest": None}))
    for net in nets:
        assert smallest_map(net) == SIDES[side]
        if net.name == "generator":
            assert net.output_shape == (None, *shape)
            x = np.zeros((2, *net.input_shape[1:]), "float32")
            assert net(x).shape == (2, *shape)
    for net, without in zip(nets, plain, strict=True) if side <= 64 else ():
        pairs = zip(net.get_weights(), without.get_weights(), strict=True)
        assert all(np.array_equal(a, b) for a, b in pairs)  # as it always was


def test_the_shorter_side_decides_of_pyramids_too():
    net = pyramid.decoder((48, 160, 1), widths=(8, 4, 2))
    assert smallest_map(net) == 6
    assert net.output_shape == (None, 48, 160, 1)
    further = pyramid.encoder((160, 224, 1), widths=(2, 4, 8))
    assert [further.get_layer(f"down{i}").filters for i in range(5)] == [2, 4, 8, 8, 8]
    points = pyramid.encoder((160,), widths=(2, 4, 8))
    assert sum("dense" in layer.name for layer in points.layers) == 3


@pytest.mark.parametrize(
    ("name", "size"), [*((name, "small") for name in DETECTORS), ("egbad", "paper")]
)
def test_detectors_of_the_literature_at_128_pixels(name, size):
    players = load_game(name)(size, (128, 128, 1)).game.players
    widest = {"small": 64, "paper": 128}[size]  # channels of the smallest map
    for player, net in players.items():
        kernels = [w.shape[0] for w in net.weights if len(w.shape) == 2]
        assert max(kernels, default=0) <= 8 * 8 * (widest + 8), player  # a code stands beside it
    keras.backend.clear_session()
