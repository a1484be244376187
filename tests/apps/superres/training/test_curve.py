"""The curve of a training: each score at its place, one line for each kind of picture."""

import numpy as np
import pytest
from gantools.apps.superres.training import curve

from gantools.data import pictures
from gantools.report.svg import COLOURS

BLUE, ORANGE = (tuple(int(c[i : i + 2], 16) for i in (1, 3, 5)) for c in COLOURS[:2])


def drawn(tmp_path, rows):
    curve.draw(tmp_path / "curve.png", rows, "fast x4")
    return pictures.read(tmp_path / "curve.png").pixels


def test_scores_lie_where_they_belong(tmp_path):
    rows = [{"cycle": 1000 * i, "psnr_y": 28.0 + i} for i in (1, 2, 4)]
    pixels = drawn(tmp_path, rows)
    width, height = curve.SIZE
    assert pixels.shape == (height, width, 3)
    inside = width - curve.LEFT - curve.RIGHT
    assert tuple(pixels[height - curve.BOTTOM, curve.LEFT + inside // 4]) == BLUE  # the lowest
    assert tuple(pixels[curve.TOP, width - curve.RIGHT]) == BLUE  # the highest, at the end
    between = pixels[46 : curve.TOP - 8]  # the legend and the plot
    assert not (between == BLUE).all(axis=2).any()


def test_damaged_pictures_have_a_line_of_their_own(tmp_path):
    rows = [{"cycle": c, "psnr_y": 29.0, "psnr_y_damaged": 26.0} for c in (5, 10)]
    pixels = drawn(tmp_path, rows)
    for colour, row in ((BLUE, curve.TOP), (ORANGE, curve.SIZE[1] - curve.BOTTOM)):
        assert (pixels[row, curve.SIZE[0] // 2 + 60 :] == colour).all(axis=1).sum() > 200


@pytest.mark.parametrize("cycle", [1, 7])
def test_a_single_score_is_drawn(tmp_path, cycle):
    pixels = drawn(tmp_path, [{"cycle": cycle, "psnr_y": 30.0}])
    assert (pixels == np.array(BLUE, np.uint8)).all(axis=2).sum() > 10
