import os

import pytest

from gantools.data.shards import bucket, parsed, portion
from gantools.errors import UserError


def test_shares_are_said_as_fractions():
    assert parsed(None) is None
    assert parsed("2/16") == (2, 16)
    for wrong in (
        "",
        "1",
        "0/4",
        "5/4",
        "a/4",
        "1/",
        "1/0",
        "-1/2",
        "1/2/3",
        "\u00b2/4",
        "1/\u00b2",
    ):
        with pytest.raises(UserError, match="such as 1/4"):
            parsed(wrong)


def test_shares_are_disjoint_whole_and_even():
    keys = [f"picture {i}" for i in range(103)]
    shares = [portion(keys, (i, 4)) for i in (1, 2, 3, 4)]
    assert sorted(i for share in shares for i in share) == list(range(103))
    assert {len(share) for share in shares} == {25, 26}
    assert all(share == sorted(share) for share in shares)
    assert portion(keys, None) == list(range(103))
    assert portion(keys, (1, 1)) == list(range(103))


def test_names_of_files_need_not_be_utf_8():
    names = ["a.png", "b.png", os.fsdecode(b"caf\xe9.png")]
    shares = [portion(names, (i, 2)) for i in (1, 2)]
    assert sorted(shares[0] + shares[1]) == [0, 1, 2]


def test_what_belongs_together_stays_and_order_does_not_matter():
    keys = ["a", "b", "a", "c", "b", "d"]
    chosen = {keys[i] for i in portion(keys, (1, 2))}
    assert len(chosen) == 2
    again = keys[::-1]
    assert {again[i] for i in portion(again, (1, 2))} == chosen


def test_the_rule_is_the_same_for_ever():
    """Machines of one job may have several versions."""
    assert [bucket(name, 0, "shard") for name in ("a", "b", "ä")] == [
        5036,
        3724,
        2960,
    ]
