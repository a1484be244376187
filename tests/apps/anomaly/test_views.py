import numpy as np
import pytest
from gantools.apps.anomaly import views
from gantools.apps.anomaly.views import View


def picture(height=40, width=56, channels=1, seed=0):
    return np.random.default_rng(seed).uniform(-1, 1, (height, width, channels)).astype(np.float32)


@pytest.mark.parametrize("view", [View("whole", 32), View("windows", 16, 8)], ids=lambda v: v.kind)
@pytest.mark.parametrize("channels", [1, 3])
def test_tensors_are_squares_and_maps_come_back_in_the_pictures_size(view, channels):
    tensors, shown = view.tensors(picture(channels=channels))
    assert tensors.shape[1:] == (view.side, view.side, channels)
    maps = np.full(tensors.shape[:3], 0.7, np.float32)
    joined = view.join(maps, shown)
    assert joined.shape == (40, 56)
    np.testing.assert_allclose(joined, 0.7, atol=1e-6)


def test_a_defect_stays_in_its_place():
    grey = np.zeros((64, 96, 1), np.float32)
    grey[20:28, 70:78] = 1
    for view in (View("whole", 48), View("windows", 32, 16)):
        tensors, shown = view.tensors(grey)
        joined = view.join(np.abs(tensors[..., 0]), shown)
        y, x = np.unravel_index(joined.argmax(), joined.shape)
        assert 18 <= y <= 30 and 68 <= x <= 80


def test_windows_cover_everything_and_large_pictures_are_reduced_first():
    tensors, shown = View("windows", 32, 32, longest=64).tensors(picture(200, 100))
    assert shown.size == (64, 32)
    assert len(tensors) == 2


def test_the_score_of_a_picture_is_that_of_its_oddest_tenth():
    assert views.of_picture(np.array([3.0])) == 3
    assert views.of_picture(np.arange(20.0)) == 18.5
    assert views.of_picture(np.arange(20.0)[::-1]) == 18.5


def known(longest, aligned):
    row = {"q50": longest}
    return {"numbers": {"height": row, "width": row}, "is_aligned": aligned}


@pytest.mark.parametrize(
    ("longest", "aligned", "fine", "kind", "side"),
    [(28, True, False, "whole", 32), (300, False, False, "windows", 64),
     (300, True, False, "whole", 64), (1000, True, False, "whole", 128),
     (28, True, True, "whole", 48), (160, False, True, "whole", 160),
     (999, False, True, "whole", 224)],
)  # fmt: skip
def test_the_view_suits_the_data(longest, aligned, fine, kind, side):
    view = views.choose(known(longest, aligned), fine=fine)
    assert (view.kind, view.side) == (kind, side)
    assert views.choose(known(longest, aligned), 96, fine=fine).side == 96
