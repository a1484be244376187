"""Dividing by group: whole, stable, in the wanted shares."""

from pathlib import Path

import numpy as np
import pytest
from gantools.apps.anomaly.calibration.split import FEW, folds, full_folds, is_few, keys, split
from gantools.apps.anomaly.items import Item

from gantools.errors import UserError


def items(groups):
    return [Item(Path("x"), f"{i:05d}.png", group=group) for i, group in enumerate(groups)]


def test_shares_and_disjoint():
    some = items([None] * 4000)
    parts = split(some)
    sizes = np.array([len(parts.fit), len(parts.early), len(parts.calibration)]) / 4000
    np.testing.assert_allclose(sizes, [0.65, 0.10, 0.25], atol=0.03)
    assert sorted(parts.fit + parts.early + parts.calibration) == list(range(4000))


def test_groups_stay_whole_and_seeds_differ():
    some = items([f"p{i // 7}" for i in range(700)])
    parts = split(some)
    groups = [{some[i].group for i in part} for part in (parts.fit, parts.early, parts.calibration)]
    assert not groups[0] & groups[1] and not groups[0] & groups[2] and not groups[1] & groups[2]
    assert split(some, seed=1) != parts
    assert split(some) == parts


def test_adding_files_moves_nobody():
    before, after = items([None] * 500), items([None] * 900)
    old, new = split(before), split(after)
    for name in ("fit", "early", "calibration"):
        assert set(getattr(old, name)) <= set(getattr(new, name))


def test_copies_stay_together_and_join_groups():
    some = items([f"p{i // 2}" for i in range(600)])
    copies = {"00003.png": "00100.png", "00101.png": "00200.png", "nobody.png": "00001.png"}
    parts = split(some, copies=copies)
    place = {
        i: n for n, part in enumerate((parts.fit, parts.early, parts.calibration)) for i in part
    }
    assert len({place[i] for i in (2, 3, 100, 101, 200, 201)}) == 1


def test_copies_of_a_picture_that_is_not_among_the_items_stay_together():
    some = items([None] * 40)
    elsewhere = {f"{i:05d}.png": f"00000/test_{i % 4}.png" for i in range(40)}
    some_keys = keys(some, elsewhere)
    assert some_keys == [f"{i % 4:05d}.png" for i in range(40)]  # names of items, not of others
    assert len(set(keys(some[8:], elsewhere))) == 4
    grouped = items([f"p{i // 2}" for i in range(8)])
    assert keys(grouped, elsewhere) == ["p0", "p0", "p1", "p1"] * 2  # 0 and 4, 1 and 5 ...


def test_folds_are_whole_groups_of_like_size():
    some = items([f"p{i // 3}" for i in range(FEW - 6)])
    made = folds(some)
    assert sorted(i for fold in made for i in fold) == list(range(FEW - 6))
    assert max(map(len, made)) - min(map(len, made)) <= 3
    groups = [{some[i].group for i in fold} for fold in made]
    assert sum(map(len, groups)) == len(set.union(*groups))


def test_groups_count_as_one_where_folds_are_decided_on():
    assert is_few(items([None] * (FEW - 1))) and not is_few(items([None] * FEW))
    assert is_few(items([f"p{i // 20}" for i in range(400)]))
    assert not is_few(items([f"p{i // 2}" for i in range(2 * FEW)]))
    assert is_few(items(["p"] * 300 + [None] * (FEW - 2)))


def test_what_cannot_be_divided_is_told_with_what_would_help():
    of_two = [Item(Path("x"), f"{i:03}", group=f"g{i % 2}") for i in range(40)]
    with pytest.raises(UserError, match="40 normals in 2 groups.*leave out --groups"):
        full_folds(of_two)
    plain = [Item(Path("x"), f"{i:03}") for i in range(40)]
    assert len(full_folds(plain)) == 5
    same = {item.name: "000" for item in plain[1:]}
    with pytest.raises(UserError, match="all but 1 copy another one.*Add other normals") as failed:
        full_folds(plain, copies=same)
    assert "--groups" not in str(failed.value)
