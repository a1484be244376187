import pytest
from gantools.apps.superres.sizes import Wish

from gantools.errors import UserError


@pytest.mark.parametrize(
    ("wish", "size", "label"),
    [
        ({"scale": 4}, (240, 400), "x4"),
        ({"scale": 2.5}, (150, 250), "x2.5"),
        ({"scale": 1.0}, (60, 100), "x1"),
        ({"scale": 1.01}, (61, 101), "x1.01"),
        ({"size": (300, 900)}, (900, 300), "300x900"),
        ({"width": 333}, (200, 333), "w333"),
        ({"height": 333}, (333, 555), "h333"),
        ({"fit": (1000, 300)}, (300, 500), "fit1000x300"),
        ({"fit": (301, 1600)}, (181, 301), "fit301x1600"),
        ({"megapixels": 0.24}, (379, 632), "0.24mp"),
    ],
)
def test_what_60_by_100_becomes(wish, size, label):
    assert Wish(**wish).of(60, 100) == size
    assert Wish(**wish).label == label


def test_a_size_is_said_in_one_way():
    for said in ({}, {"scale": 2, "width": 5}, {"fit": (1, 1), "size": (1, 1)}):
        with pytest.raises(UserError, match="in one way"):
            Wish(**said)


@pytest.mark.parametrize("wish", [{"width": 99}, {"height": 961}, {"size": (100, 59)},
                                  {"megapixels": 0.001}, {"fit": (99, 9999)}])  # fmt: skip
def test_neither_smaller_nor_more_than_16_times(wish):
    with pytest.raises(UserError, match="100x60 pixels cannot become"):
        Wish(**wish).of(60, 100)
    for scale in (0.9, 16.1, float("nan")):
        with pytest.raises(UserError, match="1 to 16 times"):
            Wish(scale=scale)


def test_any_factor_within_the_limits_is_accepted():
    for scale in (1, 1.001, 3.3333, 15.999, 16):
        for height, width in ((1, 1), (1, 77), (333, 41)):
            made = Wish(scale=scale).of(height, width)
            assert all(
                abs(new - old * scale) <= 0.5
                for new, old in zip(made, (height, width), strict=True)
            )


def test_a_picture_on_its_side():
    assert Wish(width=200).turned() == Wish(height=200)
    assert Wish(size=(30, 40)).turned() == Wish(size=(40, 30))
    assert Wish(fit=(30, 40)).turned() == Wish(fit=(40, 30))
    assert Wish(scale=3).turned() == Wish(scale=3)


@pytest.mark.parametrize("wish", [{"megapixels": float("nan")}, {"megapixels": float("inf")},
                                  {"width": 0}, {"height": -3}, {"fit": (9, 0)}])  # fmt: skip
def test_a_size_is_a_number(wish):
    with pytest.raises(UserError, match="expected numbers above 0. Received"):
        Wish(**wish)
