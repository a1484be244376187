"""The settings that the papers give, and the formulas of the games for one generator and one D."""

from dataclasses import dataclass, field

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core.schedules import value_at
from gantools.registry import load_game

RGB, GREY = (32, 32, 3), (16, 16, 1)
STEPS = 100_000 * 64  # pictures of 100 000 generator updates
DCGAN = {"generator": {"widths": (4, 4)}, "discriminator": {"widths": (4, 4)}}
CRITIC = {"generator": {"widths": (4, 4)}, "critic": {"widths": (4, 4)}}
RESNET = {"generator": {"width": 4}, "critic": {"width": 4}}
R3GAN = {"networks": {"widths": (16, 8), "blocks": 1}}


@dataclass
class Published:
    """What a paper says of its runs; the rest of `narrow` only makes its networks small.

    Attributes:
        narrow: Overrides of the size "paper".
        batch: Samples in a minibatch.
        repeats: Updates of each turn in a cycle.
        rates: Of each turn, a number or (pictures, rate) pairs of a schedule.
        betas: Of Adam.
        rest: More of the optimizer by attribute.
        kind: The optimizer's class.
        clip: Of the weights of the first turn's players.
        weights: Of the first turn's terms, as `rates`.
        penalties: Of the first turn.
    """

    narrow: dict
    batch: int
    repeats: tuple
    rates: tuple
    betas: tuple = (0.5, 0.999)
    rest: dict = field(default_factory=dict)
    kind: str = "Adam"
    clip: float | None = None
    weights: dict = field(default_factory=dict)
    penalties: tuple = ()


FALLING = ((0, 2e-4), (STEPS // 2, 1e-4), (STEPS, 0.0), (2 * STEPS, 0.0))
# v(n) = end + (start - end) (1 + cos(pi n / N)) / 2 at 0, N / 4 and N
COSINE = ((0, 2e-4), (5e6, 1.780330e-4), (2e7, 5e-5))
GAMMA = ((0, 0.05), (1e7, 0.0275), (2e7, 0.005))
TABLE = {
    "dcgan": Published(DCGAN, 128, (1, 1), (2e-4, 2e-4)),
    "lsgan": Published(DCGAN, 64, (1, 1), (1e-3, 1e-3)),
    "wgan": Published(
        CRITIC, 64, (5, 1), (5e-5, 5e-5), (), {"momentum": 0.0}, kind="RMSprop", clip=0.01,
    ),
    "wgan_gp": Published(
        RESNET, 64, (5, 1), (FALLING, FALLING), (0.0, 0.9), weights={"gp": 10.0}, penalties=("gp",)
    ),
    "sngan": Published(RESNET, 64, (5, 1), (FALLING, FALLING), (0.0, 0.9)),
    "r3gan": Published(
        R3GAN, 512, (1, 1), (COSINE, COSINE), (0.0, 0.99), {"epsilon": 1e-8},
        weights={"r1": GAMMA, "r2": GAMMA}, penalties=("r1", "r2"),
    ),
    "acgan": Published(
        {**DCGAN, "discriminator": {"widths": (4,) * 6}}, 100, (1, 1), (2e-4, 2e-4),
        weights={"class_real": 1.0, "class_fake": 1.0},
    ),
    "infogan": Published(
        DCGAN, 128, (1, 1), (2e-4, 1e-3), weights={"category": 1.0, "continuous": 0.1},
    ),
    "bigan": Published(
        {**DCGAN, "encoder": {"widths": (4, 4)}}, 128, (1, 1), (2e-4, 2e-4)
    ),
    "pix2pix": Published(
        {"generator": {"widths": (4, 4)}, "discriminator": {"widths": (4, 4), "halvings": 1}}, 1,
        (1, 1), (2e-4, 2e-4), weights={"adv": 0.5},
    ),
}  # fmt: skip


def course(number, points):
    """Return a number or a schedule as what it is compared with."""
    if not isinstance(points, tuple):
        return float(number)
    return [(n, float(ops.convert_to_numpy(value_at(number, n)))) for n, _ in points]


@pytest.mark.parametrize("name", TABLE)
def test_settings_are_the_published_ones(name):
    wanted = TABLE[name]
    recipe = load_game(name)("paper", RGB, **wanted.narrow)
    turns = recipe.game.turns
    assert recipe.batch == wanted.batch
    assert tuple(turn.repeats for turn in turns) == wanted.repeats
    assert [turn.clip for turn in turns] == [wanted.clip, None]
    assert [turn.penalties for turn in turns] == [wanted.penalties, ()]
    assert {turn.every for turn in turns} == {1}
    for key, points in wanted.weights.items():
        np.testing.assert_allclose(course(turns[0].weights[key], points), points, rtol=1e-5)
    assert set(turns[0].weights) == set(wanted.weights)
    for turn, rate in zip(turns, wanted.rates, strict=True):
        optimizer = recipe.optimizers[turn.name]
        assert type(optimizer).__name__ == wanted.kind
        np.testing.assert_allclose(course(optimizer._learning_rate, rate), rate, 1e-5, 1e-12)
        if wanted.betas:
            assert (optimizer.beta_1, optimizer.beta_2) == wanted.betas
        assert {key: getattr(optimizer, key) for key in wanted.rest} == wanted.rest


def test_pix2pix_weighs_the_distance_a_hundred_times():
    narrow = TABLE["pix2pix"].narrow
    assert load_game("pix2pix")("paper", RGB, **narrow).game.turns[1].weights == {"l1": 100.0}


def sp(x):
    return np.logaddexp(0, x)


def relu(x):
    return np.maximum(0, x)


# name: (what D minimises, what G does, its penalties on a D that is linear with the slope w)
FORMULAS = {
    "dcgan": (lambda r, f: sp(-r) + sp(f), lambda r, f: sp(-f), {}),
    "lsgan": (lambda r, f: (r - 1) ** 2 / 2 + f**2 / 2, lambda r, f: (f - 1) ** 2 / 2, {}),
    "wgan": (lambda r, f: f - r, lambda r, f: -f, {}),
    "wgan_gp": (lambda r, f: f - r, lambda r, f: -f, {"gp": lambda w: (w - 1) ** 2}),
    "sngan": (lambda r, f: relu(1 - r) + relu(1 + f), lambda r, f: -f, {}),
    "r3gan": (
        lambda r, f: sp(f - r),
        lambda r, f: sp(r - f),
        {"r1": lambda w: w**2 / 2, "r2": lambda w: w**2 / 2},
    ),
}


@pytest.mark.backends
@pytest.mark.parametrize("name", FORMULAS)
def test_terms_are_the_formulas(name):
    critic, generator, penalties = FORMULAS[name]
    model = load_game(name)("tiny", GREY).model(run_eagerly=True)
    x = keras.Input(GREY)
    judge = keras.Model(x, keras.layers.Dense(1)(keras.layers.Flatten()(x)))
    random = np.random.default_rng(0)
    w, bias = random.normal(0, 0.2, 256), 0.7
    judge.set_weights([w[:, None], np.array([bias])])
    model._players["discriminator"] = judge
    real = random.uniform(-1, 1, (6, *GREY)).astype("float32")
    latent = model.game.players["generator"].input_shape[1]
    z = random.normal(size=(6, latent)).astype("float32")
    logs = model.evaluate({"x": real, "z": z}, batch_size=6, verbose=0, return_dict=True)
    fake = ops.convert_to_numpy(model.game.players["generator"](z, training=False))
    r, f = (images.reshape(6, -1).astype("float64") @ w + bias for images in (real, fake))
    assert np.abs(r - f).min() > 0.01
    expected = {
        "discriminator/adv": np.mean(critic(r, f)),
        "generator/adv": np.mean(generator(r, f)),
    }
    expected |= {"discriminator/real": r.mean(), "discriminator/fake": f.mean()}
    slope = np.linalg.norm(w)
    expected |= {f"discriminator/{key}": value(slope) for key, value in penalties.items()}
    assert logs == pytest.approx(expected, rel=1e-4)


@pytest.mark.backends
def test_sngan_refines_its_singular_vectors_whenever_the_critic_is_called():
    """Twice in each of 2 critic updates, once in the generator's: 5 steps, not 3."""
    recipe = load_game("sngan")("tiny", GREY, rate=0.0)  # the weights stand still
    model = recipe.model()
    layer = model.game.players["discriminator"].get_layer("block0_conv2")
    matrix = ops.convert_to_numpy(layer.layer.kernel.value).reshape(-1, layer.u.shape[0])
    u = ops.convert_to_numpy(layer.u.value).astype("float64")
    after = [u := one_step(matrix.astype("float64"), u) for _ in range(6)]
    x = np.random.default_rng(0).uniform(-1, 1, (3, recipe.batch, *GREY)).astype("float32")
    model.train_on_batch({"x": x[0]})
    found = ops.convert_to_numpy(layer.u.value)
    gaps = [np.abs(found - u).max() for u in after]
    assert np.argmin(gaps) == 4, gaps
    assert gaps[4] < 1e-5 < 0.1 * min(gaps[3], gaps[5]), gaps


def one_step(matrix, u):
    """Return u after one power iteration, arXiv 1802.05957, algorithm 1."""
    v = matrix @ u
    u = matrix.T @ (v / np.linalg.norm(v))
    return u / np.linalg.norm(u)
