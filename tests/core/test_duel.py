"""What a duel is built of: lazy penalties, LeCam, packs, and a critic that waits."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers, ops

from gantools.core import (
    ADA,
    R1,
    R2,
    AdversarialModel,
    DiffAugment,
    Dragan,
    GradientPenalty,
    LeCam,
    MinibatchStd,
    SpectralNormalization,
    Stream,
    duel,
)
from gantools.core.penalties import ScoreMeans
from gantools.core.testing import check_turns, same_state
from gantools.errors import UserError

from .games import critic, generator, numbered, points, small_data

pytestmark = pytest.mark.backends

REAL, FAKE = [1.5, -0.5, 0.25, 2.0], [-1.0, 0.75, 0.0, -2.5]


def played(penalties, *, d=None, rate=0.1, **options):
    """Return a compiled game of points with plain SGD, the same weights each time."""
    d = numbered(critic() if d is None else d, 2)
    game = duel(numbered(generator(norm=False), 1), d, penalties=penalties, **options)
    model = AdversarialModel(game, seed=3)
    model.compile({turn.name: keras.optimizers.SGD(rate) for turn in game.turns})
    return model


def cycle(model, n=1):
    """Play cycles; return the critic's weights and the logs of the last one."""
    stream = Stream(points(), 8, minibatches=model.game.minibatches)
    logs = model.fit(stream, steps_per_epoch=n, verbose=0).history
    return model.game.players["discriminator"].get_weights(), {k: v[-1] for k, v in logs.items()}


def assert_equal(first, second):
    for a, b in zip(first, second, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_a_lazy_penalty_acts_in_each_fourth_update_with_four_times_its_weight():
    lazy = played([R1(0.5, every=4), R2(0.25, every=4)])
    strong, none = played([R1(2.0), R2(1.0)]), played([])
    for n in range(6):
        for other in (strong, none):
            other.set_weights(lazy.get_weights())
            other.cycle.assign(n)
        ours, logs = cycle(lazy)
        with_penalty, plain_logs = cycle(strong)
        without, _ = cycle(none)
        assert not np.allclose(with_penalty[0], without[0], atol=1e-5)
        assert_equal(ours, with_penalty if n % 4 == 0 else without)
        expected = 4 * plain_logs["discriminator/r1"] if n % 4 == 0 else 0.0
        assert logs["discriminator/r1"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "penalties", [[R1(0.5), R1(0.1, every=4)], [GradientPenalty(1.0), GradientPenalty(sided="one")],
                  [LeCam(), LeCam(0.1)]],
)  # fmt: skip
def test_two_penalties_of_one_name_are_refused(penalties):
    with pytest.raises(UserError, match="different names.*Rename one: dataclasses.replace"):
        played(penalties)


def test_two_penalties_of_different_names_are_both_trained():
    both = played([R1(0.5), replace(R1(0.25), name="r1b")])
    assert_equal(cycle(both)[0], cycle(played([R1(0.75)]))[0])


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
@pytest.mark.parametrize(
    "penalty", [R1(0.1), R2(0.1), GradientPenalty(1.0), Dragan(1.0), GradientPenalty(1.0, every=2)]
)
def test_penalties_of_plain_layers_in_every_precision(penalty, policy):
    """The last layer of such a generator gives bfloat16, the data are float64."""
    keras.config.set_dtype_policy(policy)
    try:
        make = keras.Sequential([keras.Input((4,)), layers.Dense(8, "tanh"), layers.Dense(2)])
        judge = keras.Sequential([keras.Input((2,)), layers.Dense(8, "tanh"), layers.Dense(1)])
        for reuse in (False, True):
            model = AdversarialModel(duel(make, judge, penalties=[penalty], reuse=reuse))
            model.compile({turn.name: keras.optimizers.SGD(0.1) for turn in model.game.turns})
            data = points().astype("float64")
            logs = model.fit(Stream(data, 8), steps_per_epoch=2, verbose=0).history
            assert all(np.isfinite(values).all() for values in logs.values())
    finally:
        keras.config.set_dtype_policy("float32")


def test_every_one_is_the_plain_penalty():
    assert_equal(cycle(played([R1(0.5)]), 3)[0], cycle(played([R1(0.5, every=1)]), 3)[0])


def test_lazy_penalties_count_updates_and_not_cycles():
    lazy = played([GradientPenalty(1.0, every=2), Dragan(1.0, every=3)], repeats=3)
    logs = [cycle(lazy)[1] for _ in range(2)]  # logged is the last of updates 0 1 2 and 3 4 5
    assert [log["discriminator/gp"] > 0 for log in logs] == [True, False]
    assert [log["discriminator/dragan"] > 0 for log in logs] == [False, False]


def test_evaluate_has_a_lazy_penalty_each_time():
    lazy, plain = played([R1(1.0, every=4)]), played([R1(1.0)])
    cycle(lazy)
    plain.set_weights(lazy.get_weights())
    scores = [
        m.evaluate(points(), batch_size=64, verbose=0, return_dict=True)["discriminator/r1"]
        for m in (lazy, plain)
    ]
    assert scores[0] == pytest.approx(scores[1], rel=1e-5)


def test_a_lazy_penalty_writes_nothing():
    """Spectral normalisation stores its vector while training: once a pass, not twice."""

    def net():
        inputs = keras.Input((2,))
        x = SpectralNormalization(layers.Dense(8, "tanh"))(inputs)
        x = layers.Dropout(0.2, seed=1)(x)
        return keras.Model(inputs, layers.Dense(1)(x))

    lazy, none = played([R1(0.5, every=2)], d=net(), rate=0.0), played([], d=net(), rate=0.0)
    assert_equal(cycle(lazy, 2)[0], cycle(none, 2)[0])


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="others differentiate it")
def test_silent_loss_of_second_order_is_an_error_when_lazy():
    discriminator = keras.Sequential(
        [keras.Input((4, 4, 1)), layers.Conv2D(2, 3, padding="same", activation="tanh")]
        + [layers.UpSampling2D(2, interpolation="bilinear"), layers.Conv2D(2, 3, activation="tanh")]
        + [layers.Flatten(), layers.Dense(1)]
    )
    maker = keras.Sequential([keras.Input((2,)), layers.Dense(16), layers.Reshape((4, 4, 1))])
    model = AdversarialModel(duel(maker, discriminator, penalties=[R1(1.0, every=4)]))
    model.compile({t: keras.optimizers.SGD(0.1) for t in ("discriminator", "generator")})
    with pytest.raises(ValueError, match="no second-order gradient"):
        model.fit(np.zeros((4, 4, 4, 1), "float32"), batch_size=4, verbose=0)


@pytest.mark.parametrize(("one_sided", "expected"), [(False, 4.46125), (True, 4.388125)])
def test_golden_values_of_lecam(one_sided, expected):
    scores = [ops.convert_to_tensor(s, "float32") for s in (REAL, FAKE)]
    value = LeCam(one_sided=one_sided).value(*scores, 0.3, -0.2)
    assert float(ops.convert_to_numpy(value)) == pytest.approx(expected, rel=2e-6)


def test_lecam_remembers_scores_and_waits():
    rule, means = LeCam(decay=0.6, start=3), ScoreMeans()
    updates, terms = [(1.0, -1.0), (2.0, 0.0), (6.0, 3.0), (4.0, 1.0)], []
    for real, fake in updates:
        scores = [ops.full((4,), s) for s in (real, fake)]
        terms.append(float(ops.convert_to_numpy(rule.term(means, *scores, True))))
    plain = 3.0, 2 / 3  # means of the first three: decays 0, 1/2 and 0.6 (2/3 is above it)
    real, fake = 0.6 * 1.5 + 0.4 * 6.0, 0.6 * -0.5 + 0.4 * 3.0
    assert terms[:3] == [0.0, 0.0, 0.0]
    assert terms[3] == pytest.approx((4 - fake) ** 2 + (1 - real) ** 2, rel=1e-5)
    assert (real, fake) != plain
    before = means.get_weights()
    rule.term(means, ops.full((4,), 9.0), ops.full((4,), 9.0), False)
    assert_equal(before, means.get_weights())
    with pytest.raises(UserError, match="start=0"):
        LeCam(start=0)


def test_a_run_with_everything_resumes_bit_for_bit(tmp_path):
    """Five cycles and five: ADA is in the middle of its four cycles, the lazy R1 is due."""
    x = np.random.default_rng(0).integers(0, 256, (64, 8, 8, 1)).astype("uint8")
    stream = Stream(x, 8, minibatches=2)
    make = lambda: small_data(augment=ADA("translation,cutout", (8, 8, 1), images=200, target=-1))
    whole, first, second = make(), make(), make()
    whole.fit(stream, steps_per_epoch=10, verbose=0)
    first.fit(stream, steps_per_epoch=5, verbose=0)
    first.save(tmp_path)
    second.restore(tmp_path)
    second.fit(stream, steps_per_epoch=5, verbose=0)
    assert same_state(whole, second)
    memory = {n: layer.get_weights() for n, layer in whole.game.memory.items()}
    assert memory["lecam"][2] == 10
    assert memory["ada"][0] == pytest.approx(2 * 4 * 8 / 200)
    assert memory["ada"][2] == 2


def test_draws_of_an_augmentation_may_come_with_the_batch():
    x = np.random.default_rng(0).uniform(-1, 1, (8, 8, 8, 1)).astype("float32")
    augment = DiffAugment("translation,cutout", (8, 8, 1))
    numbers = np.random.default_rng(1).uniform(size=(8, augment.numbers)).astype("float32")
    model = small_data(augment=augment)
    given = {"x": x, "augment": numbers}
    terms = [
        model.evaluate(batch, batch_size=8, verbose=0, return_dict=True)["discriminator/real"]
        for batch in (given, given, {"x": x, "augment": 1 - numbers})
    ]
    critic = model.player("discriminator").func
    expected = critic.predict_on_batch(ops.convert_to_numpy(augment(x, {"augment": numbers})))
    assert terms[0] == terms[1] == pytest.approx(float(expected.mean()), rel=1e-4)
    assert terms[2] != terms[0]


def pack_critic(count):
    inputs = keras.Input((2 * count,))
    x = layers.Dense(16, "tanh")(inputs)
    return keras.Model(inputs, layers.Dense(1)(x))


@pytest.mark.parametrize("penalty", [R1(1.0), GradientPenalty(1.0), Dragan(1.0, every=2)])
def test_packs_are_trained_and_penalised_together(penalty):
    model = played([penalty], d=pack_critic(2), pack=2, objective="relativistic")
    check_turns(model, {"minibatches": {"x": points(16).reshape(8, 2, 2)}})
    _, logs = cycle(model, 2)
    assert all(np.isfinite(v) for v in logs.values())


def test_the_penalty_of_a_pack_is_the_norm_over_its_samples():
    net = keras.Sequential([keras.Input((6,)), layers.Dense(1)])
    weight = np.arange(6, dtype="float32").reshape(6, 1)
    model = played([R1(2.0)], d=net, pack=3, rate=0.0)
    net.set_weights([weight, np.zeros(1)])
    scores = model.evaluate(points(12), batch_size=12, verbose=0, return_dict=True)
    assert scores["discriminator/r1"] == pytest.approx(0.5 * float(np.sum(weight**2)), rel=1e-5)


def test_packs_are_checked():
    with pytest.raises(UserError, match="takes 2 x 2 channels"):
        duel(generator(), critic(), pack=2)
    with pytest.raises(UserError, match="no condition"):
        duel(generator(), pack_critic(2), pack=2, condition="y")


def test_a_critic_with_minibatch_deviations_trains():
    inputs = keras.Input((2,))
    x = MinibatchStd(4)(layers.Dense(8, "tanh")(inputs))
    net = keras.Model(inputs, layers.Dense(1)(layers.Dense(8, "tanh")(x)))
    weights, logs = cycle(played([R1(0.1)], d=net), 2)
    assert all(np.all(np.isfinite(w)) for w in weights)
    assert np.isfinite(logs["discriminator/r1"])


def linear(bias):
    """Return a critic that scores the first coordinate."""
    net = keras.Sequential([keras.Input((2,)), layers.Dense(1)])
    net.set_weights([np.array([[1.0], [0.0]]), np.array([bias])])
    return net


def constant():
    """Return a generator of points near (-3, 0)."""
    net = keras.Sequential([keras.Input((4,)), layers.Dense(2)])
    net.set_weights([np.full((4, 2), 1e-4), np.array([-3.0, 0.0])])
    return net


@pytest.mark.parametrize(("bias", "accuracy"), [(0.0, 1.0), (-10.0, 0.5)])
def test_a_critic_may_wait_until_the_generator_has_caught_up(bias, accuracy):
    """3D-GAN: the discriminator moves only while its accuracy is at most 80 %."""
    rule = lambda logs: logs["discriminator/accuracy"] <= 0.8
    model = AdversarialModel(duel(constant(), linear(bias), when=rule))
    model.compile({t: keras.optimizers.Adam(1e-2) for t in ("discriminator", "generator")})
    parts = model.optimizer.parts
    before = {
        "discriminator": model.game.players["discriminator"].get_weights(),
        "slots": [v.numpy() for v in parts["discriminator"].variables],
        "generator": model.game.players["generator"].get_weights(),
    }
    x = np.tile(np.array([[3.0, 0.0]], "float32"), (8, 1))
    logs = model.fit(Stream(x, 8), steps_per_epoch=2, verbose=0).history
    assert logs["discriminator/accuracy"] == [accuracy]
    assert logs["discriminator/played"] == [float(accuracy <= 0.8)]
    after = model.game.players["discriminator"].get_weights()
    slots = [v.numpy() for v in parts["discriminator"].variables]
    assert np.array_equal(before["discriminator"][0], after[0]) == (accuracy > 0.8)
    assert int(parts["discriminator"].iterations) == (2 if accuracy <= 0.8 else 0)
    if accuracy > 0.8:
        for old, new in zip(before["slots"], slots, strict=True):
            np.testing.assert_array_equal(old, new)
    moved = model.game.players["generator"].get_weights()
    assert not np.array_equal(before["generator"][1], moved[1])


def test_every_and_when_hold_together():
    game = duel(constant(), linear(-10.0), when=lambda logs: logs["discriminator/accuracy"] > 0)
    first, second = game.turns
    model = AdversarialModel(replace(game, turns=(replace(first, every=2), second)))
    model.compile({turn.name: keras.optimizers.SGD(1e-3) for turn in game.turns})
    model.fit(Stream(points(), 8), steps_per_epoch=3, verbose=0)
    assert int(model.optimizer.parts["discriminator"].iterations) == 2
    assert int(model.optimizer.parts["generator"].iterations) == 3


def test_latents_have_the_shape_of_the_input_named_z():
    told, z = keras.Input((3,), name="y"), keras.Input((8,), name="z")
    make = keras.Model({"y": told, "z": z}, layers.Dense(2)(layers.Concatenate()([told, z])))
    x, y = keras.Input((2,), name="x"), keras.Input((3,), name="y")
    judge = keras.Model({"x": x, "y": y}, layers.Dense(1)(layers.Concatenate()([x, y])))
    game = duel(make, judge, condition="y")
    drawn = game.samplers["z"](5, keras.random.SeedGenerator(0), {})
    assert tuple(drawn.shape) == (5, 8)
    nameless = keras.Model([told, keras.Input((8,), name="noise")], layers.Dense(2)(told))
    with pytest.raises(UserError, match='an input named "z"'):
        duel(nameless, judge, condition="y")
