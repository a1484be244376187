import numpy as np
import pytest
from gantools.apps.anomaly.detectors.held import PIXELS, held_out, level_of, some_pixels

HOW = {"share": 0.1, "least": 4, "most": 200, "seed": 3}


@pytest.mark.parametrize("count", [12, 100, 5000])
def test_without_groups_a_tenth_is_drawn_at_random(count):
    held, kept = held_out(count, **HOW)
    assert len(held) == min(200, max(4, count // 10))
    assert sorted([*held, *kept]) == list(range(count))
    again = held_out(count, np.arange(count), **HOW)
    assert np.array_equal(again[0], held) and np.array_equal(again[1], kept)
    assert not np.array_equal(held_out(count, **HOW | {"seed": 4})[0], held)


def test_groups_stay_whole_and_several_are_held_out():
    groups = np.repeat([f"g{i}" for i in range(300)], 50)  # windows of 300 pictures
    held, kept = held_out(len(groups), groups, **HOW)
    assert not set(groups[held]) & set(groups[kept])
    assert len(held) == 200
    assert len(set(groups[held])) == 10  # not the windows of four pictures
    assert len(kept) == 290 * 50


def test_what_is_large_is_fitted_on_and_one_group_is_divided():
    for seed in range(20):
        groups = np.repeat(["large", "a", "b", "c"], [70, 10, 10, 10])
        held, kept = held_out(100, groups, **HOW | {"seed": seed})
        assert len(set(groups[held])) == 1 and len(held) == 10 and len(kept) == 90
    held, kept = held_out(40, ["one"] * 40, **HOW)
    assert (len(held), len(kept)) == (4, 36)
    held, kept = held_out(40, ["one"] * 20 + ["two"] * 20, **HOW)
    assert (len(held), len(kept)) == (20, 20)


def test_the_level_of_many_is_their_quantile_and_that_of_few_lies_above():
    random = np.random.default_rng(0)
    many = [random.lognormal(size=400) for _ in range(150)]
    assert level_of(many) == pytest.approx(np.quantile(np.concatenate(many), 0.999))
    assert level_of(many[:5]) > np.quantile(np.concatenate(many[:5]), 0.999)
    assert level_of([np.zeros((4, 4))] * 3) == 1e-6


def test_pictures_of_one_group_are_one_unit():
    random = np.random.default_rng(0)
    groups = np.repeat(["a", "b", "c"], 40)
    level = {"a": 1.0, "b": 1.5, "c": 2.0}
    maps = [level[group] * random.lognormal(0, 0.1, 300) for group in groups]
    assert level_of(maps, groups) > level_of(maps) * 1.1
    assert level_of(maps[:40], groups[:40]) == level_of(maps[:40])  # of one group nothing is known


def test_pixels_are_spread_over_the_map_and_bounded():
    heat = np.arange(600 * 700, dtype=np.float32).reshape(600, 700)
    some = some_pixels(heat)
    assert PIXELS <= len(some) < 2 * PIXELS
    assert some[0] == 0 and some[-1] > 0.99 * heat.max()
    assert np.array_equal(some_pixels(heat[:4, :4]), heat[:4, :4].ravel())
