from pathlib import Path

import numpy as np
import pytest
from gantools.apps.superres.enlarge import Upscaler
from gantools.apps.superres.evaluate import Score, evaluate, mean, sharp_pictures

from gantools.data.pictures import Picture, write
from gantools.data.resample import resize
from gantools.errors import ALL_FAILED, UserError
from gantools.metrics.pixels import psnr_y, ssim_y
from gantools.nets import plans

EVAL = Path(__file__).parents[4] / "shared/data/sr/eval"


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_untrained_network_scores_like_bicubic(tmp_path, make_network, picture, scale):
    high = picture(101, 133)
    write(tmp_path / "a.png", Picture(high))
    network = make_network(plans.fast(scale, width=8, blocks=1), gain=0)
    (score,) = evaluate(tmp_path, Upscaler(network, projection=False))
    cut = high[: 101 // scale * scale, : 133 // scale * scale]
    plain = resize(resize(cut, 1 / scale), scale)
    assert score.bicubic_psnr == psnr_y(plain, cut, scale)
    assert score.bicubic_ssim == ssim_y(plain, cut, scale)
    assert score.psnr == pytest.approx(score.bicubic_psnr, abs=0.05)
    assert score.ssim == pytest.approx(score.bicubic_ssim, abs=0.002)


def test_kinds_of_pictures(tmp_path, picture):
    write(tmp_path / "a.png", Picture(picture(65, 70, 1)))
    write(tmp_path / "b.png", Picture(picture(65, 70, 4)))
    (tmp_path / "notes.txt").write_text("x")
    found = dict(sharp_pictures(tmp_path, 4))
    assert list(found) == ["a.png", "b.png"]
    assert all(pixels.shape == (64, 68, 3) for pixels in found.values())
    assert (found["a.png"][..., 0] == found["a.png"][..., 2]).all()


def test_the_mean_is_that_of_the_decibels():
    scores = [Score("a", 30, 0.8, 28, 0.7), Score("b", 40, 0.9, 36, 0.8)]
    assert mean(scores) == Score("mean", 35, pytest.approx(0.85), 32, pytest.approx(0.75))


def test_mistakes(tmp_path, picture):
    with pytest.raises(UserError, match="There is no folder"):
        list(sharp_pictures(tmp_path / "none", 4))
    with pytest.raises(UserError, match="no pictures") as error:
        list(sharp_pictures(tmp_path, 4))
    assert error.value.code == ALL_FAILED
    write(tmp_path / "a.png", Picture(picture(40, 40, dtype=np.uint16)))
    with pytest.raises(UserError, match="8 bits and at least 64 pixels"):
        list(sharp_pictures(tmp_path, 4))


@pytest.mark.slow
@pytest.mark.skipif(not EVAL.is_dir(), reason="needs ../shared/data/sr")
@pytest.mark.parametrize(("scale", "expected"), [(2, 33.674), (3, 30.405), (4, 28.430)])
def test_bicubic_beside_the_network_is_the_published_row(make_network, scale, expected):
    network = make_network(plans.fast(scale, width=8, blocks=1), gain=0)
    found = mean(evaluate(EVAL / "Set5", Upscaler(network)))
    assert found.bicubic_psnr == pytest.approx(expected, abs=0.003)
    assert found.psnr == pytest.approx(expected, abs=0.03)
