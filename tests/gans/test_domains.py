"""pix2pix, CycleGAN and DiscoGAN play what their papers say."""

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core import Stream
from gantools.core.schedules import value_at
from gantools.errors import UserError
from gantools.gans import domains
from gantools.nets.blocks import InstanceNormalization
from gantools.registry import load_game

SHAPE = (8, 8, 1)


def batch(n=4, shape=SHAPE, seed=0):
    random = np.random.default_rng(seed)
    return {side: random.uniform(-1, 1, (n, *shape)).astype("float32") for side in "ab"}


def model_of(name, shape=SHAPE, **options):
    return load_game(name)("tiny", shape, **options).model()


def terms(model, turn, arrays):
    """Return a turn's terms as NumPy numbers, its weights and the weighted sum."""
    (turn,) = (t for t in model.game.turns if t.name == turn)
    tensors = {name: ops.convert_to_tensor(x) for name, x in arrays.items()}
    draw = model._draw(tensors, 4, model._seeds)
    tensors |= model._make(tensors, 4, model._seeds).tensors
    found = turn.terms(model, tensors, draw)
    found = found[0] if isinstance(found, tuple) else found
    return {name: float(as_numpy(value)) for name, value in found.items()}, turn.weights


def as_numpy(x):
    return ops.convert_to_numpy(x).astype("float64")


def sp(x):
    return np.logaddexp(0, x)


def test_pix2pix_is_the_formula():
    model, arrays = model_of("pix2pix", generator={"dropout": 0.0}), batch()
    fake = as_numpy(model.player("generator")(arrays["a"]))
    judge = lambda b: as_numpy(
        model.player("discriminator")(np.concatenate([arrays["a"], b], -1, dtype="float32"))
    )
    r, f = judge(arrays["b"]), judge(fake)
    found, weights = terms(model, "discriminator", arrays)
    assert found["adv"] == pytest.approx(np.mean(sp(-r)) + np.mean(sp(f)), rel=1e-5)
    assert weights == {"adv": 0.5}
    found, weights = terms(model, "generator", arrays)
    assert found["adv"] == pytest.approx(np.mean(sp(-f)), rel=1e-5)
    assert found["l1"] == pytest.approx(np.mean(np.abs(arrays["b"] - fake)), rel=1e-5)
    assert weights == {"l1": 100.0}


@pytest.mark.parametrize("side", [64, 128, 100])
def test_pix2pix_normalises_no_map_of_one_pixel(side):
    """It would be all zeros: with 8 halvings three such maps at 64 pixels, those with dropout."""
    narrow = {"generator": {"widths": (4,) * 8}, "discriminator": {"widths": (4, 4)}}
    net = load_game("pix2pix")("paper", (side, side, 1), **narrow).game.players["generator"]
    layers = [layer for layer in net.layers if isinstance(layer, InstanceNormalization)]
    dropped = [net.get_layer(f"drop{i}") for i in range(3)]
    look = keras.Model(net.input, [layer.output for layer in (*layers, *dropped)])
    random = np.random.default_rng(0)
    for v in net.trainable_variables:  # so few channels would fade with the first weights
        if len(v.shape) == 4:
            v.assign(random.normal(0, 1 / np.sqrt(np.prod(v.shape[:3])), v.shape))
    x = random.uniform(-1, 1, (1, side, side, 1)).astype("float32")
    maps = [as_numpy(found)[0] for found in look(x, training=False)]
    assert all(found.std(axis=(0, 1)).min() > 0.1 for found in maps)
    halvings = {64: 6, 100: 7, 128: 7}[side]
    assert len(layers) == 2 * halvings - 3  # all but the first and the coarsest on the way down


def test_pix2pix_keeps_all_widths_where_there_are_pixels_for_them():
    make, narrow = load_game("pix2pix"), {"generator": {"widths": (4,) * 8}}
    for side, count in ((256, 8), (512, 8), (64, 6), (16, 4), (2, 1)):
        net = make("paper", (side, 2 * side, 1), **narrow).game.players["generator"]
        names = {layer.name for layer in net.layers}
        assert sum(f"down{i}" in names for i in range(9)) == count


def test_cyclegan_is_the_formula_and_generators_move_first():
    model, arrays = model_of("cyclegan"), batch()
    assert [turn.players for turn in model.game.turns] == [
        ("to_b", "to_a"),
        ("critic_b", "critic_a"),
    ]
    net = lambda name, x: as_numpy(model.player(name)(np.asarray(x, "float32")))
    fake_b, fake_a = net("to_b", arrays["a"]), net("to_a", arrays["b"])
    gap = lambda x, y: np.mean(np.abs(x - y))
    found, weights = terms(model, "generators", arrays)
    adv = np.mean((net("critic_b", fake_b) - 1) ** 2) + np.mean((net("critic_a", fake_a) - 1) ** 2)
    assert weights["adv"] * found["adv"] == pytest.approx(adv, rel=1e-4)
    cycle = gap(net("to_a", fake_b), arrays["a"]) + gap(net("to_b", fake_a), arrays["b"])
    assert found["cycle"] == pytest.approx(cycle, rel=1e-4)
    same = gap(net("to_b", arrays["b"]), arrays["b"]) + gap(net("to_a", arrays["a"]), arrays["a"])
    assert found["identity"] == pytest.approx(same, rel=1e-4)
    assert (weights["cycle"], weights["identity"]) == (10.0, 5.0)
    found, weights = terms(model, "critics", arrays)
    r, f = net("critic_b", arrays["b"]), net("critic_b", fake_b)  # the pool is still empty
    assert found["b"] == pytest.approx(np.mean((r - 1) ** 2) / 2 + np.mean(f**2) / 2, rel=1e-4)
    assert weights == {}


def test_cyclegan_without_identity_is_equation_3():
    full, bare, arrays = model_of("cyclegan"), model_of("cyclegan", identity=0), batch()
    wanted, _ = terms(full, "generators", arrays)
    found, weights = terms(bare, "generators", arrays)
    assert found == pytest.approx({key: wanted[key] for key in ("adv", "cycle")}, rel=1e-6)
    assert weights == {"adv": 2.0, "cycle": 10.0}


def test_cyclegan_fills_its_pool_and_knows_other_channels():
    recipe = load_game("cyclegan")("tiny", SHAPE, target=(8, 8, 3))
    model = recipe.model()
    data = {"a": np.zeros((20, 8, 8, 1), "uint8"), "b": np.zeros((12, 8, 8, 3), "uint8")}
    stream = Stream(data, 4, minibatches=recipe.game.minibatches, paired=False)
    history = model.fit(stream, steps_per_epoch=3, verbose=0).history
    assert "generators/identity" not in history
    assert int(model.memory("a").filled) == int(model.memory("b").filled) == 6
    assert model.memory("b").samples.shape == (6, 8, 8, 3)
    assert "memory/a" in model.state_groups()


def test_cyclegan_critics_see_translations_from_before_the_update_of_the_translators():
    model, arrays = model_of("cyclegan"), batch()
    before = {side: as_numpy(model.player(f"to_{side}")(arrays[o])) for side, o in ("ba", "ab")}
    model.train_on_batch(arrays)
    for side, other in ("ba", "ab"):
        stored = as_numpy(model.memory(side).samples.value)[:4]
        np.testing.assert_allclose(stored, before[side], atol=1e-5)
        after = as_numpy(model.player(f"to_{side}")(arrays[other]))
        assert np.abs(after - before[side]).max() > 1e-4


def test_cyclegan_rate_falls_in_the_second_half():
    rate = load_game("cyclegan")("paper", (16, 16, 3), images=1000).optimizers["critics"]
    at = [float(rate._learning_rate.at(np.float32(n))) for n in (0, 500, 750, 1000)]
    np.testing.assert_allclose(at, [2e-4, 2e-4, 1e-4, 0], atol=1e-9)


def test_discogan_as_coded():
    recipe = load_game("discogan")("paper", (32, 32, 1))
    assert (recipe.batch, recipe.game.minibatches) == (64, 3)
    critics, generators = recipe.game.turns
    assert (critics.repeats, generators.repeats) == (1, 2)
    assert critics.weights == {"a": 0.5, "b": 0.5, "decay": 1e-5}
    weights = lambda n: {k: float(value_at(v, n)) for k, v in generators.weights.items()}
    early = {"adv": 0.099, "match": 0.891, "recon": 0.01, "decay": 1e-5}
    late = {"adv": 0.05, "match": 0.45, "recon": 0.5, "decay": 1e-5}
    # 10 000 iterations of 64 pictures, three to a cycle
    assert weights(213_000) == pytest.approx(early)
    assert weights(213_500) == pytest.approx(late)


def test_discogan_as_published():
    recipe = load_game("discogan")("paper", (32, 32, 1), form="paper")
    assert (recipe.batch, recipe.game.minibatches) == (200, 2)
    critics, generators = recipe.game.turns
    assert critics.weights == {"a": 1.0, "b": 1.0, "decay": 1e-4}
    assert generators.weights == {"adv": 1.0, "match": 0.0, "recon": 1.0, "decay": 1e-4}
    with pytest.raises(UserError, match="form must be one of code, paper. Received: form='codes'"):
        load_game("discogan")("tiny", SHAPE, form="codes")


def test_discogan_terms():
    model, arrays = model_of("discogan"), batch()
    net = lambda name, x: model.player(name)(np.asarray(x, "float32"))
    adv, match, recon = 0.0, 0.0, 0.0
    for near, far in (("a", "b"), ("b", "a")):
        fake = as_numpy(net(f"to_{far}", arrays[near]))
        score, found = net(f"critic_{far}", fake)
        _, wanted = net(f"critic_{far}", arrays[far])
        adv += np.mean(sp(-as_numpy(score)))
        for w, f in zip(wanted, found, strict=True):
            match += np.mean((as_numpy(w).mean(axis=0) - as_numpy(f).mean(axis=0)) ** 2)
        recon += np.mean((as_numpy(net(f"to_{near}", fake)) - arrays[near]) ** 2)
    found, _ = terms(model, "generators", arrays)
    assert found["adv"] == pytest.approx(adv, rel=1e-4)
    assert found["match"] == pytest.approx(match, rel=1e-4)
    assert found["recon"] == pytest.approx(recon, rel=1e-4)


def test_features_in_bfloat16_are_averaged_and_compared_in_float32():
    random = np.random.default_rng(0)
    real = random.normal(1, 0.1, (64, 7, 7, 16))
    fake = real + 0.0015  # less than bfloat16 can tell apart at 1
    pair = [[ops.cast(x, "bfloat16")] for x in (real, fake)]
    exact = [np.array(ops.cast(x[0], "float32"), np.float64).mean(axis=0) for x in pair]
    found = float(domains.feature_distance(*pair))
    np.testing.assert_allclose(found, np.mean((exact[0] - exact[1]) ** 2), rtol=1e-4)


def test_weight_decay_adds_the_weights_to_the_gradient():
    model = model_of("discogan")
    players = ("to_a", "to_b")
    weights = [v for name in players for v in model.game.players[name].trainable_variables]
    expected = sum(np.sum(as_numpy(v.value) ** 2) for v in weights) / 2
    assert as_numpy(domains.weight_decay(model, players)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.backends
def test_discogan_plays_with_points():
    recipe = load_game("discogan")("tiny", (2,), target=(3,), form="paper")
    model = recipe.model()
    random = np.random.default_rng(0)
    data = {"a": random.normal(size=(30, 2)), "b": random.normal(size=(40, 3))}
    data = {name: x.astype("float32") for name, x in data.items()}
    stream = Stream(data, 8, minibatches=2, paired=False)
    history = model.fit(stream, steps_per_epoch=3, verbose=0).history
    assert all(np.isfinite(v).all() for v in history.values())
    assert model.best("to_b")(data["a"]).shape == (30, 3)


@pytest.mark.parametrize("name", ["pix2pix", "cyclegan", "discogan"])
def test_kinds_of_different_sizes_are_refused(name):
    with pytest.raises(UserError, match="equal height and width.*--resolution"):
        load_game(name)("tiny", (16, 16, 1), target=(16, 8, 1))


@pytest.mark.backends
@pytest.mark.slow
@pytest.mark.parametrize("name", ["pix2pix", "cyclegan", "discogan"])
def test_a_cycle_runs_in_mixed_precision(name):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = model_of(name, (16, 16, 1))
    finally:
        keras.config.set_dtype_policy("float32")
    logs = model.train_on_batch(batch(4, (16, 16, 1)), return_dict=True)
    assert all(np.isfinite(float(value)) for value in logs.values())
