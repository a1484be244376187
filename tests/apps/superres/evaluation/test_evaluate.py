from pathlib import Path

import numpy as np
import pytest
from gantools.apps.superres.enlarge import Upscaler
from gantools.apps.superres.evaluation.evaluate import (
    Figures,
    Score,
    evaluate,
    mean,
    sharp_pictures,
)

from gantools.data.pictures import Picture, write
from gantools.data.resample import resize
from gantools.errors import ALL_FAILED, UserError
from gantools.metrics.pixels import psnr_y, ssim_y
from gantools.nets import plans

EVAL = Path(__file__).parents[5] / "shared/data/sr/eval"


@pytest.mark.parametrize("scale", [2, 3, 4])
def test_an_untrained_network_scores_like_bicubic(tmp_path, make_network, picture, scale):
    high = picture(101, 133)
    write(tmp_path / "a.png", Picture(high))
    network = make_network(plans.fast(scale, width=8, blocks=1), gain=0)
    (score,) = evaluate(tmp_path, Upscaler(network, projection=False))
    cut = high[: 101 // scale * scale, : 133 // scale * scale]
    plain = resize(resize(cut, 1 / scale), scale)
    assert score.bicubic.psnr == psnr_y(plain, cut, scale)
    assert score.bicubic.ssim == ssim_y(plain, cut, scale)
    assert score.network.psnr == pytest.approx(score.bicubic.psnr, abs=0.05)
    assert score.network.ssim == pytest.approx(score.bicubic.ssim, abs=0.002)
    assert score.lanczos.psnr == pytest.approx(score.bicubic.psnr, abs=4)
    error = resize(plain.astype(np.float64), 1 / scale) - resize(cut, 1 / scale)
    assert score.bicubic.consistency == pytest.approx(
        10 * np.log10(255**2 / np.mean(error**2)), abs=0.02
    )
    assert score.bicubic.drift == pytest.approx(np.abs(error.mean(axis=(0, 1))).max(), abs=0.002)
    assert score.bicubic.octaves[-1] < -3  # bicubic blurs the finest octave
    assert score.bicubic.spectrum == pytest.approx(np.mean(np.abs(score.bicubic.octaves)))


def test_kinds_of_pictures(tmp_path, picture):
    write(tmp_path / "a.png", Picture(picture(65, 70, 1)))
    write(tmp_path / "b.png", Picture(picture(65, 70, 4)))
    (tmp_path / "notes.txt").write_text("x")
    found = dict(sharp_pictures(tmp_path, 4))
    assert list(found) == ["a.png", "b.png"]
    assert all(pixels.shape == (64, 68, 3) for pixels in found.values())
    assert (found["a.png"][..., 0] == found["a.png"][..., 2]).all()


def figures(psnr, consistency=50.0, niqe=4.0):
    return Figures(psnr, 0.8, niqe, 2.0, 10.0, consistency, 0.1, (1.0, psnr))


def test_the_mean_is_that_of_the_decibels_and_leaves_out_what_is_unknown():
    nan = float("nan")
    one = Score("a", figures(30), figures(28), figures(29), 3.0)
    other = Score("b", figures(40, np.inf, nan), figures(36), figures(37), nan)
    found = mean([one, other])
    assert (found.name, found.network.psnr, found.bicubic.psnr) == ("mean", 35, 32)
    assert found.gain == 3
    assert (found.network.niqe, found.truth_niqe) == (4.0, 3.0)
    assert found.network.consistency == np.inf
    assert found.network.octaves == (1.0, 35)


def test_small_pictures_that_are_given(tmp_path, make_network, picture):
    high = picture(96, 128)
    for folder in ("high", "low"):
        (tmp_path / folder).mkdir()
    write(tmp_path / "high/a.png", Picture(high))
    low = resize(high, 1 / 4)
    upscaler = Upscaler(make_network(gain=0))
    (made,) = evaluate(tmp_path / "high", upscaler)
    for name in ("a.png", "a_x4.png", "ax4.png"):
        write(tmp_path / "low" / name, Picture(low))
        (given,) = evaluate(tmp_path / "high", upscaler, low=tmp_path / "low")
        assert given == made
        (tmp_path / "low" / name).unlink()
    with pytest.raises(UserError, match="no small picture for 'a'"):
        evaluate(tmp_path / "high", upscaler, low=tmp_path / "low")
    write(tmp_path / "low/a.png", Picture(low[:, 1:]))
    with pytest.raises(UserError, match="32x24 pixels are expected at x4. Received: 31x24"):
        evaluate(tmp_path / "high", upscaler, low=tmp_path / "low")
    with pytest.raises(UserError, match="no folder"):
        evaluate(tmp_path / "high", upscaler, low=tmp_path / "none")


def test_small_pictures_in_capitals_and_with_alpha(tmp_path, make_network, picture):
    """Alpha is left out of both; the same letters go first, then the commoner format."""
    high, upscaler = picture(96, 128, 4), Upscaler(make_network(gain=0))
    high[..., 3] = np.linspace(0, 255, 128).astype(np.uint8)
    for folder in ("high", "low"):
        (tmp_path / folder).mkdir()
    write(tmp_path / "high/a.png", Picture(high))
    low = np.concatenate([resize(high[..., :3], 1 / 4), high[::4, ::4, 3:]], axis=2)
    (made,) = evaluate(tmp_path / "high", upscaler)
    assert made.network.psnr > 20
    write(tmp_path / "low/A_X4.PNG", Picture(low))
    (given,) = evaluate(tmp_path / "high", upscaler, low=tmp_path / "low")
    assert given == made
    write(tmp_path / "low/a.bmp", Picture(low[:, 1:, :3]))
    with pytest.raises(UserError, match=r"a\.bmp' does not belong to 'a\.png'"):
        evaluate(tmp_path / "high", upscaler, low=tmp_path / "low")
    write(tmp_path / "low/a.png", Picture(low))
    (given,) = evaluate(tmp_path / "high", upscaler, low=tmp_path / "low")
    assert given == made


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
    found = mean(evaluate(EVAL / "Set5", Upscaler(network, projection=False)))
    assert found.bicubic.psnr == pytest.approx(expected, abs=0.003)
    assert found.network.psnr == pytest.approx(expected, abs=0.03)
