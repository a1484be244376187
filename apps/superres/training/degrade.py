"""Small pictures as cameras and the web leave them, made of large ones: most mildly damaged.

A chain of two rounds: resize by some kernel, blur, noise, JPEG; then the same again to the final
size. Half of all pictures are not damaged at all, so that a network trained on them still trusts
detail. Values are small on purpose: what much stronger chains teach is to wash texture out. Noise
alone is strong now and then: who knows that of 3 levels only draws 20 as short strokes.

Source: Wang et al. 2021, arXiv 2107.10833 (Real-ESRGAN), section 3, is the second-order chain; its
noise goes from 1 to 30 levels and its blur to 3 pixels. Differs: one blur and one resize a round,
the ringing filter is separable, and the strengths are those named below.
"""

import cv2
import numpy as np

DAMAGED = 0.5  # share of pictures that are damaged; the others are only reduced
AREA = 0.25  # of those: means of blocks instead of the exact bicubic reduction
BLUR = 0.5  # largest standard deviation, in pixels of the small picture
NOISE = 20.0  # largest standard deviation of one round, in levels of 255; the median is 2.5
QUALITY = (35, 95)  # of JPEG; good ones are drawn more often, the median is 77
# Kernels that are drawn: programs that resize use all of them.
KERNELS = (cv2.INTER_AREA, cv2.INTER_AREA, cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def reduced(high: np.ndarray, scale: int, draw: np.random.Generator) -> np.ndarray:
    """Return a picture only reduced, by means of blocks; nothing is drawn.

    Args:
        high: `(h, w, 3)` uint8, sides multiples of `scale`.
        scale: Reduction.
        draw: Source of all choices.

    Returns:
        `(h / scale, w / scale, 3)` uint8.
    """
    return cv2.resize(high, _size(high, scale), interpolation=cv2.INTER_AREA)


def damaged(high: np.ndarray, scale: int, draw: np.random.Generator) -> np.ndarray:
    """Return a picture reduced and damaged; the same state of `draw`, the same picture.

    Arguments and result as of `reduced`.
    """
    size = _size(high, scale)
    between = np.exp(draw.uniform(np.log(0.85), np.log(max(0.75 * scale, 1.0))))
    x = _resized(high.astype(np.float32), [max(1, round(n * between)) for n in size], draw)
    x = _blurred(x, draw, BLUR * between) if draw.random() < 0.7 else x
    x = _noisy(x, draw) if draw.random() < 0.6 else x
    x = jpeg(x, draw) if draw.random() < 0.5 else x
    x = _blurred(x, draw, 0.5 * BLUR * between) if draw.random() < 0.3 else x
    compress_first = draw.random() < 0.5
    if compress_first and draw.random() < 0.75:
        x = jpeg(x, draw)
    x = _resized(x, size, draw)
    x = _ringing(x, draw) if draw.random() < 0.15 else x
    x = _noisy(x, draw) if draw.random() < 0.3 else x
    if not compress_first and draw.random() < 0.75:
        x = jpeg(x, draw)
    return np.clip(np.round(x), 0, 255).astype(np.uint8)


def jpeg(x: np.ndarray, draw: np.random.Generator, quality: int | None = None) -> np.ndarray:
    """Return a picture compressed as JPEG and read again.

    Args:
        x: `(h, w, 3)` RGB, levels from 0 to 255, any real dtype.
        draw: Source of quality, chroma subsampling, and of where the blocks lie.
        quality: 1 to 100; None draws it.

    Returns:
        `(h, w, 3)` float32, whole levels.
    """
    if quality is None:
        lowest, highest = QUALITY
        quality = round(lowest + (highest - lowest) * draw.random() ** 0.5)
    top, left = (int(n) for n in draw.integers(0, 8, 2))  # else blocks always start at the border
    sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
    if draw.random() < 0.6:
        sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420
    levels = np.clip(np.round(x), 0, 255).astype(np.uint8)[..., ::-1]
    levels = cv2.copyMakeBorder(levels, top, 0, left, 0, cv2.BORDER_REPLICATE)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
    _, code = cv2.imencode(".jpg", levels, options)
    found = cv2.imdecode(code, cv2.IMREAD_COLOR)[top:, left:, ::-1]
    return found.astype(np.float32)


def _size(high, scale):
    """Return `(width, height)` of the small picture, in OpenCV's order."""
    return [high.shape[1] // scale, high.shape[0] // scale]


def _resized(x, size, draw):
    kernel, factor = KERNELS[int(draw.integers(len(KERNELS)))], size[0] / x.shape[1]
    if factor < 0.6:
        kernel = cv2.INTER_AREA  # the others alias: 19 dB from the exact reduction at 1/4
    elif factor > 1 and kernel == cv2.INTER_AREA:
        kernel = cv2.INTER_LINEAR  # OpenCV's area enlarges by repeating pixels
    return cv2.resize(x, size, interpolation=kernel)


def _blurred(x, draw, most):
    """Blur by a Gaussian, in one of two cases longer in one direction than across it."""
    one, other = draw.uniform(0.1 * most, most, 2)
    if draw.random() < 0.5:
        far = max(1, int(np.ceil(2.5 * one)))
        return cv2.GaussianBlur(x, (2 * far + 1,) * 2, one, borderType=cv2.BORDER_REFLECT)
    turn = draw.uniform(0, np.pi)
    far = max(1, int(np.ceil(2.5 * max(one, other))))
    across, down = np.meshgrid(*[np.arange(-far, far + 1)] * 2)
    u = (across * np.cos(turn) + down * np.sin(turn)) / one
    v = (down * np.cos(turn) - across * np.sin(turn)) / other
    kernel = np.exp(-0.5 * (u * u + v * v))
    return cv2.filter2D(x, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT)


def _noisy(x, draw):
    """Add Gaussian noise, evenly or with the variance of counted light, at times all grey."""
    strength = NOISE * draw.random() ** 3
    shot, grey = draw.random() < 0.5, draw.random() < 0.4
    noise = draw.standard_normal((*x.shape[:2], 1 if grey else 3), dtype=np.float32)
    if shot:
        light = x.mean(axis=2, keepdims=True) if grey else x
        noise = noise * np.sqrt(np.clip(light, 0, 255) / 255)
    return x + np.float32(strength) * noise


def _ringing(x, draw):
    """Cut the highest frequencies sharply, as sharpening and bad reductions do: halos at edges."""
    cut, far = draw.uniform(0.5, 0.95), int(draw.integers(3, 7))
    line = np.sinc(cut * np.arange(-far, far + 1))
    line /= line.sum()
    return cv2.sepFilter2D(x, -1, line, line, borderType=cv2.BORDER_REFLECT)
