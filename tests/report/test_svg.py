import re
import xml.etree.ElementTree as tree

import numpy as np
import pytest

from gantools.report import svg

SPACE = "{http://www.w3.org/2000/svg}"


def parsed(text):
    return tree.fromstring(text)


def numbers(text, attribute, tag):
    return [float(v) for v in re.findall(rf'<{tag} [^>]*\b{attribute}="([-\d.]+)"', text)]


def test_bars_are_as_long_as_their_values():
    text = svg.bars({"a": 1.0, "b": 2.0, "low": -3.0, "nan": float("nan")}, title="<T>", most=4)
    parsed(text)
    one, two, low, nan = numbers(text, "width", "rect")
    assert two == pytest.approx(2 * one, abs=0.2)
    assert low == nan == 0
    assert "<title>&lt;T&gt;</title>" in text
    colours = re.findall(r'<rect [^>]*fill="([^"]+)"', text)
    assert colours == [svg.BLUE, svg.ORANGE, svg.BLUE, svg.BLUE]


def test_a_bar_beyond_the_end_is_cut_and_the_unit_line_is_the_normals_level():
    text = svg.bars({"a": 99.0}, title="t", most=4)
    (width,) = numbers(text, "width", "rect")
    (line,) = numbers(text, "x1", "line")
    (start,) = numbers(text, "x", "rect")
    assert line == pytest.approx(start + width / 4, abs=0.2)


def test_a_histogram_sums_to_one_and_leaves_nan_out():
    values = np.r_[np.random.default_rng(0).uniform(0, 1, 500), np.nan]
    text = svg.histogram({"items": values}, title="h", axis="p", limits=(0, 1), bins=10,
                         marks=[(0.05, "threshold")])  # fmt: skip
    parsed(text)
    assert "threshold" in text
    points = re.search(r'<polyline points="([^"]+)"', text)[1].split()
    assert len(points) == 20


@pytest.mark.parametrize("values", [[], [1.0], [2.0, 2.0], [float("nan")]])
def test_charts_of_next_to_nothing_are_drawn(values):
    parsed(svg.histogram({"a": values}, title="t", axis="x"))
    parsed(svg.curves({"a": (values, values)}, title="t", axes=("x", "y")))


def test_curves_run_from_corner_to_corner_and_have_a_legend():
    text = svg.curves({"up<": ([0, 1], [0, 1])}, title="t", axes=("x", "y"), size=(200, 100))
    root = parsed(text)
    assert root.get("viewBox") == "0 0 200 100"
    left, right, bottom, top = svg.MARGIN
    points = re.search(r'<polyline points="([^"]+)"', text)[1]
    first, last = ([float(v) for v in pair.split(",")] for pair in points.split())
    assert first == [left, 100 - bottom]
    assert last == [200 - right, top]
    assert "up&lt;" in text


def test_levels_and_a_band_belong_to_the_range():
    text = svg.curves(
        {"a": ([0, 10], [1, 1.5])}, title="t", axes=("x", "y"), levels=[(2, "limit")], band=(0, 1)
    )
    parsed(svg.as_file(text))
    assert svg.as_file(text).startswith('<svg xmlns="http://www.w3.org/2000/svg" ')
    _, _, bottom, top = svg.MARGIN
    (level,) = numbers(text, "y1", "line")[-1:]
    assert level == top  # the highest value of all
    (band,) = numbers(text, "height", "rect")
    assert band == pytest.approx((260 - bottom - top) / 2, abs=0.11)


def test_ticks_are_round_numbers():
    assert svg.ticks(0, 1) == [0, 0.2, 0.4, 0.6, 0.8, 1.0]
    assert svg.ticks(-3, 7) == [-2, 0, 2, 4, 6]
    assert all(0.13 <= t <= 0.19 for t in svg.ticks(0.13, 0.19))
