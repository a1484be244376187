import numpy as np
import pytest

from gantools.data.damage import KINDS, PICTURES, SCANS, VISIBLE, check_table, damage
from gantools.data.synthetic import shapes
from gantools.errors import UserError


def pictures(n=24, size=48, channels=1):
    return shapes(n, size, channels).astype(np.float32) / 127.5 - 1


def test_mask_is_where_the_picture_changed():
    x = pictures()
    damaged, mask = damage(x, np.random.default_rng(0))
    assert damaged.shape == x.shape and damaged.dtype == np.float32
    assert mask.shape == (*x.shape[:3], 1) and set(np.unique(mask)) == {0.0, 1.0}
    assert np.abs(damaged).max() <= 1.0
    changed = np.abs(damaged - x).max(axis=-1, keepdims=True)
    assert np.array_equal(mask == 1, changed > VISIBLE)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_kind_damages_a_part_of_most_pictures(kind, channels):
    x = pictures(channels=channels)
    _, mask = damage(x, np.random.default_rng(1), table={kind: 1.0}, clean=0.0)
    area = mask.mean(axis=(1, 2, 3))
    assert np.mean(area > 0) >= 0.5
    assert area.max() <= (1.0 if kind == "coarse_noise" else 0.7)


def test_seed_decides_and_the_originals_stay():
    x = pictures()
    kept = x.copy()
    first, again, other = (damage(x, np.random.default_rng(seed))[0] for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.array_equal(x, kept)


def test_share_of_clean_pictures():
    x = pictures(400, 16)
    noise = {"coarse_noise": 1.0}
    _, mask = damage(x, np.random.default_rng(5), table=noise, clean=0.2)
    untouched = np.mean(mask.max(axis=(1, 2, 3)) == 0)
    assert 0.14 <= untouched <= 0.3
    _, mask = damage(x, np.random.default_rng(5), table=noise, clean=1.0)
    assert not mask.any()


def test_textures_come_from_the_donors():
    x = np.zeros((6, 32, 32, 1), np.float32)
    donors = np.full((2, 32, 32, 1), 0.6, np.float32)
    damaged, mask = damage(
        x, np.random.default_rng(0), table={"paste": 1.0}, donors=donors, clean=0.0
    )
    inside = damaged[mask == 1]
    assert inside.size and inside.min() >= 0.29 and inside.max() <= 0.91  # 0.6 +- 0.3


def test_oblong_pictures():
    x = pictures(8)[:, :32, :]
    for table in (PICTURES, SCANS):
        damaged, mask = damage(x, np.random.default_rng(0), table=table, clean=0.0)
        assert damaged.shape == x.shape and mask.any()


def test_tables_are_checked():
    assert check_table(SCANS) == SCANS
    with pytest.raises(UserError, match="sum to 1 of the kinds paste, scar"):
        check_table({"paste": 0.5})
    with pytest.raises(UserError, match="Received: {'rust': 1.0}"):
        check_table({"rust": 1.0})
