"""The detectors of the literature on points, where the right answer is known."""

from importlib import import_module

import keras
import numpy as np
import pytest
from keras import ops

from gantools.core import Stream
from gantools.errors import UserError
from gantools.gans.settings import EXTENT, choose
from gantools.nets import pyramid

# steps and settings that give the bound in a few seconds
RUNS = {
    "anogan": (500, {}),
    "f_anogan": (500, {}),
    "egbad": (500, {}),
    "alad": (500, {}),
    "ganomaly": (500, {}),
}
OPTIONS = {"anogan": {"steps": 60, "restarts": 3}}


def ring(n, seed):
    """Return points on a circle of radius 1 in a plane of four dimensions, noise 0.05."""
    random = np.random.default_rng(seed)
    angle = random.uniform(0, 2 * np.pi, n)
    flat = np.stack([np.cos(angle), np.sin(angle), 0 * angle, 0 * angle], axis=1)
    turn, _ = np.linalg.qr(np.random.default_rng(9).normal(size=(4, 4)))
    return ((flat + random.normal(0, 0.05, (n, 4))) @ turn).astype("float32")


def auroc(odd, good):
    return np.mean(odd[:, None] > good[None]) + 0.5 * np.mean(odd[:, None] == good[None])


@pytest.fixture(scope="module", params=RUNS)
def trained(request):
    """Return (name, module, model) of a detector trained on the ring."""
    steps, settings = RUNS[request.param]
    module = import_module(f"gantools.gans.{request.param}")
    recipe = module.game("small", (4,), **settings)
    model = recipe.model(seed=0)
    model.fit(Stream(ring(400, 1), recipe.batch), steps_per_epoch=steps, verbose=0)
    return request.param, module, model


def weights(model):
    return [
        np.array(ops.convert_to_numpy(v.value))
        for group in model.state_groups().values()
        for v in group
    ]


def test_ring_is_told_from_its_surroundings(trained):
    name, module, model = trained
    bad = np.random.default_rng(3).uniform(-1.2, 1.2, (100, 4)).astype("float32")
    before = weights(model)
    good = module.score_parts(model, ring(100, 2), **OPTIONS.get(name, {}))
    odd = module.score_parts(model, bad, **OPTIONS.get(name, {}))
    after = weights(model)
    assert all(np.array_equal(a, b) for a, b in zip(before, after, strict=True))
    areas = {part: auroc(odd[part], good[part]) for part in good}
    assert areas[name] >= (0.95 if name == "anogan" else 0.90), areas


def test_score_depends_on_the_sample_alone(trained):
    name, module, model = trained
    options = OPTIONS.get(name, {})
    x = np.concatenate([ring(5, 4), ring(5, 4)[:1], np.zeros((1, 4), "float32")])
    whole = module.score_parts(model, x, **options)
    order = np.random.default_rng(0).permutation(len(x))
    mixed = module.score_parts(model, x[order], **options)
    alone = module.score_parts(model, x[3:4], **options)
    for part, values in whole.items():
        assert values.shape == (7,) and values.dtype == np.float64
        np.testing.assert_allclose(mixed[part], values[order], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(alone[part][0], values[3], rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(values[5], values[0], rtol=1e-5, atol=1e-7)


def test_reconstructions_answer_to_the_query(trained):
    name, module, model = trained
    x = ring(20, 5)
    made = module.explained(model, x, **OPTIONS.get(name, {}))[1]
    assert made.shape == x.shape
    assert np.mean(np.abs(made - x)) < 0.5 * np.mean(np.abs(x - x.mean(axis=0)))
    assert np.linalg.norm(made[:10] - made[10:], axis=1).min() > 1e-4


SIX = [*RUNS, "skip_ganomaly"]
BY_CALL = ("anogan", "egbad", "skip_ganomaly")  # whose scores are the paper's where asked for


@pytest.mark.parametrize("faithful", [False, True], ids=["ours", "faithful"])
@pytest.mark.parametrize("name", SIX)
def test_score_of_a_picture_depends_on_it_alone_whatever_the_norms(name, faithful):
    module = import_module(f"gantools.gans.{name}")
    model = module.game("tiny", (16, 16, 1), faithful=faithful).model(seed=0)
    random, moved = np.random.default_rng(0), 0
    for player in model.game.players.values():
        for v in player.non_trainable_variables:  # as if batch norms had seen something
            if "moving" in v.path:
                moved += 1
                v.assign(random.uniform(0.5, 1.5, v.shape))
    assert (moved > 0) == faithful
    options = {"faithful": True} if faithful and name in BY_CALL else {}
    options = {"steps": 5, "restarts": 2} if name == "anogan" and not faithful else options
    x = np.tanh(random.normal(0, 1.5, (6, 16, 16, 1))).astype("float32")
    x = np.concatenate([x, np.ones_like(x[:1]), x[:1]])
    whole = module.score_parts(model, x, **options)
    order = random.permutation(len(x))
    mixed = module.score_parts(model, x[order], **options)
    alone = module.score_parts(model, x[3:4], **options)
    for part, values in whole.items():
        assert len(set(np.round(values[:7], 9))) == 7, part  # or equality would say nothing
        np.testing.assert_allclose(mixed[part], values[order], rtol=1e-4, atol=1e-7, err_msg=part)
        np.testing.assert_allclose(alone[part][0], values[3], rtol=1e-4, atol=1e-7, err_msg=part)
        np.testing.assert_allclose(values[7], values[0], rtol=1e-4, atol=1e-7, err_msg=part)


PUBLISHED = {  # the papers' rates, and what they have no weight for
    "anogan": (2e-4, {}),
    "f_anogan": (1e-4, {}),
    "egbad": (1e-5, {"pixels": 0.0}),
    "alad": (2e-4, {"pixels": 0.0}),
    "ganomaly": (2e-4, {"pixels": 50.0}),
    "skip_ganomaly": (2e-4, {"pixels": 40.0}),
}


@pytest.mark.parametrize("name", SIX)
def test_faithful_is_the_paper_but_for_its_size(name):
    module = import_module(f"gantools.gans.{name}")
    for size in ("tiny", "small"):
        found = choose(module.SIZES, size, {"faithful": True})
        for key, value in found.items():
            assert value == module.SIZES[size if key in EXTENT else "paper"][key], key
        assert choose(module.SIZES, size, {"faithful": True, "rate": 1.0})["rate"] == 1.0
    recipe, (rate, weights) = module.game("tiny", (16, 16, 1), faithful=True), PUBLISHED[name]
    for optimizer in recipe.optimizers.values():
        assert float(optimizer.learning_rate) == pytest.approx(rate)
    assert dict(recipe.game.turns[-1].weights) == weights
    assert bool(recipe.game.ema) == (name in ("egbad", "alad"))  # as their authors' code
    layers = [type(one) for player in recipe.game.players.values() for one in player.layers]
    assert keras.layers.GroupNormalization not in layers
    assert keras.layers.BatchNormalization in layers


def test_kappa_holds_in_both_stages_of_f_anogan_and_in_its_score():
    module = import_module("gantools.gans.f_anogan")
    x = np.tanh(np.random.default_rng(0).normal(0, 1, (4, 16, 16, 1))).astype("float32")
    for true in (False, True):
        model = module.game("tiny", (16, 16, 1), faithful=true, kappa=7.0).model(seed=0)
        assert dict(module.encoder_stage(model).game.turns[0].weights) == {"features": 7.0}
        parts = module.score_parts(model, x)
        expected = parts["residual"] + 7 * parts["features"]
        np.testing.assert_allclose(parts["f_anogan"], expected, rtol=1e-5)


def test_the_published_anogan_has_batch_norms_and_no_penalty():
    module = import_module("gantools.gans.anogan")
    ours, theirs = (module.game("tiny", (16, 16, 1), faithful=true).game for true in (False, True))
    for game, norms in ((ours, False), (theirs, True)):
        judge = game.players["discriminator"]
        assert any("moving" in v.path for v in judge.variables) == norms
        assert bool(game.turns[0].penalties) != norms


def test_a_state_of_networks_that_did_not_follow_the_resolution_is_refused(tmp_path, monkeypatch):
    module = import_module("gantools.gans.ganomaly")
    make = lambda: module.game("tiny", (48, 48, 1)).model()
    with monkeypatch.context() as before:
        before.setattr(pyramid, "_lengthened", lambda widths, shape, largest: tuple(widths))
        make().save(tmp_path)
    model = make()
    first = model.game.players["encoder"].get_weights()
    with pytest.raises(UserError, match="another game: .* differ in name or shape") as told:
        model.restore(tmp_path)
    assert str(told.value).endswith("Use the settings of that run or a new folder.")
    for a, b in zip(first, model.game.players["encoder"].get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)  # nothing was taken


@pytest.mark.parametrize("shape", [(9, 17, 1), (9, 9, 1), (12, 57, 3)])
def test_restorer_pools_masks_to_the_cells_of_its_network(shape):
    recipe = import_module("gantools.gans.restorer").game("tiny", shape)
    x = np.tanh(np.random.default_rng(0).normal(0, 1, (recipe.batch, *shape))).astype("float32")
    logs = recipe.model(seed=0).train_on_batch({"x": x}, return_dict=True)
    assert all(np.isfinite(float(value)) for value in logs.values())
