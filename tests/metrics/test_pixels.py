import json
from pathlib import Path

import numpy as np
import pytest

from gantools.data.resample import resize
from gantools.metrics.pixels import luma, psnr_y, ssim_y

EVAL = Path(__file__).parents[3] / "shared/data/sr/eval"


def noise(seed, shape=(40, 50, 3)):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def test_luma_of_the_corners_of_the_cube():
    corners = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]])
    expected = [[16, 235, 81.481, 144.553, 40.966]]
    np.testing.assert_allclose(luma(corners), expected, atol=1e-9)


def test_luma_of_grey_equals_three_equal_channels():
    grey = noise(0)[:, :, 0]
    same = luma(np.repeat(grey[:, :, None], 3, axis=2))
    np.testing.assert_allclose(luma(grey), same, atol=1e-9)
    np.testing.assert_allclose(luma(grey[:, :, None]), same, atol=1e-9)


def test_psnr_of_a_known_error():
    a = np.full((20, 20, 3), 100, np.uint8)
    step = 219 / 255  # one grey level in Y
    assert psnr_y(a, a + 1) == pytest.approx(10 * np.log10(255**2 / step**2), abs=1e-9)
    assert psnr_y(a, a) == float("inf")


def test_the_border_is_left_out():
    a = noise(1)
    b = a.copy()
    b[:3], b[-3:], b[:, :3], b[:, -3:] = 0, 0, 0, 0
    assert psnr_y(a, b) < 20
    assert psnr_y(a, b, border=3) == float("inf")
    assert psnr_y(a, b, border=2) < 40


def test_ssim_by_the_definition_at_one_pixel():
    a, b = noise(2, (11, 11)), noise(3, (11, 11))
    x, y = luma(a), luma(b)
    g = np.exp(-((np.arange(11) - 5.0) ** 2) / 4.5)
    w = np.outer(g, g) / g.sum() ** 2
    ma, mb = (w * x).sum(), (w * y).sum()
    va, vb = (w * (x - ma) ** 2).sum(), (w * (y - mb) ** 2).sum()
    cov = (w * (x - ma) * (y - mb)).sum()
    c1, c2 = 6.5025, 58.5225
    value = (2 * ma * mb + c1) * (2 * cov + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))
    assert ssim_y(a, b) == pytest.approx(value, abs=1e-9)
    assert ssim_y(a, a) == pytest.approx(1, abs=1e-12)


def test_ssim_equals_the_reference_implementation():
    metrics = pytest.importorskip("skimage.metrics")
    a = noise(4)
    b = resize(resize(a, 0.5), 2)
    _, full = metrics.structural_similarity(
        luma(a), luma(b), gaussian_weights=True, sigma=1.5, use_sample_covariance=False,
        data_range=255, full=True,
    )  # fmt: skip
    assert ssim_y(a, b) == pytest.approx(full[5:-5, 5:-5].mean(), abs=1e-9)


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="one size"):
        psnr_y(noise(0), noise(0, (41, 50, 3)))
    with pytest.raises(ValueError, match="border of 20 px"):
        psnr_y(noise(0), noise(0), border=20)
    with pytest.raises(ValueError, match="11x11"):
        ssim_y(noise(0), noise(0), border=15)


@pytest.mark.slow
@pytest.mark.skipif(not EVAL.is_dir(), reason="needs ../shared/data/sr")
@pytest.mark.parametrize(("scale", "mean"), [(2, 33.674), (3, 30.405), (4, 28.430)])
def test_bicubic_set5(scale, mean):
    import cv2

    table = json.loads((EVAL / "bicubic_psnr_y.json").read_text())[f"Set5_x{scale}"]
    values = []
    for file in sorted((EVAL / "Set5").glob("*.png")):
        high = cv2.imread(str(file))[:, :, ::-1]
        high = high[: high.shape[0] // scale * scale, : high.shape[1] // scale * scale]
        values.append(psnr_y(high, resize(resize(high, 1 / scale), scale), border=scale))
        assert values[-1] == pytest.approx(table["per_picture"][file.name], abs=0.002)
    assert np.mean(values) == pytest.approx(mean, abs=0.003)
