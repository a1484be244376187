import numpy as np
import pytest
from gantools.apps.anomaly import views
from gantools.apps.anomaly.views import View

from gantools.errors import UserError


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


def known(longest, aligned, *, short=None, least=None):
    """Return what a fingerprint says of pictures of one size; the smallest may be another."""
    height, width = ({"q0": least or n, "q50": n, "q100": n} for n in (short or longest, longest))
    return {"numbers": {"height": height, "width": width}, "is_aligned": aligned}


@pytest.mark.parametrize(
    ("longest", "aligned", "fine", "kind", "side"),
    [(28, True, False, "whole", 32), (300, False, False, "windows", 64),
     (300, True, False, "whole", 64), (1000, True, False, "whole", 128),
     (28, True, True, "whole", 48), (160, False, True, "whole", 160),
     (335, False, True, "whole", 224), (336, False, True, "windows", 224),
     (999, True, True, "whole", 224)],
)  # fmt: skip
def test_the_view_suits_the_data(longest, aligned, fine, kind, side):
    view = views.choose(known(longest, aligned), fine=fine)
    assert (view.kind, view.side) == (kind, side)
    assert views.choose(known(longest, aligned), 96, fine=fine).side == 96
    if fine:
        assert views.choose(known(longest, aligned), fine=True, scans=True).kind == "whole"


@pytest.mark.parametrize("aligned", [False, True])
def test_scans_are_shown_whole_and_in_detail(aligned):
    for longest, side in ((48, 32), (64, 128), (300, 128), (1000, 128)):
        view = views.choose(known(longest, aligned), scans=True)
        assert (view.kind, view.side) == ("whole", side)
    assert views.choose(known(300, aligned), 64, scans=True) == View("whole", 64)


def test_a_square_too_large_to_be_trained_on_is_refused():
    assert views.choose(known(999, True), 448, fine=True).side == 448
    with pytest.raises(UserError, match=r"at most 256 pixels for this detector \(448 for the enc"):
        views.choose(known(999, True), 300)
    with pytest.raises(UserError, match="at most 448 pixels for this detector. Received: 512"):
        views.choose(known(999, True), 512, fine=True)


@pytest.mark.parametrize(
    ("print_of_data", "view", "most", "wanted"),
    [
        (known(300, True), View("whole", 224), 448, ""),
        (known(1024, False), View("windows", 224, 168, 1024), 448, ""),
        (known(1024, True), View("whole", 224), 448,
         "Pictures of 1024x1024 are shown at 224x224: details of less than about 9 pixels are not "
         "seen. --side 448 shows more, and takes longer."),
        (known(1200, True, short=600, least=100), View("whole", 128), 256,
         "Pictures of up to 1200x600 are shown at 128x64: details of less than about 19 pixels are "
         "not seen. --side 256 shows more, and takes longer."),
        (known(4096, False), View("windows", 64, 32, 512), 256,
         "Pictures of 4096x4096 are shown at 512x512: details of less than about 16 pixels are not "
         "seen. Cut into pieces they would be seen as they are."),
        (known(160, False), View("whole", 32), 0,
         "Pictures of 160x160 are shown at 32x32: details of less than about 10 pixels are not "
         "seen."),
    ],
)  # fmt: skip
def test_what_is_not_seen_is_said(print_of_data, view, most, wanted):
    assert views.lost(view, print_of_data, most) == wanted


def test_a_picture_is_redrawn_in_its_own_size():
    one = picture(40, 56, 3)
    for view in (View("whole", 56), View("windows", 16, 8)):
        np.testing.assert_allclose(view.redrawn(one, lambda x: x), one, atol=1e-5)
        assert view.redrawn(one, lambda x: None) is None
