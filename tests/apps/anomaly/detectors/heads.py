"""Drawn heads on black, whose lesions differ in texture alone."""

import cv2
import numpy as np


def smooth(shape, sigma, random):
    """Return noise of standard deviation 1 `(h, w)`, blurred by sigma."""
    found = cv2.GaussianBlur(random.normal(0, 1, shape).astype(np.float32), (0, 0), sigma)
    return found / found.std()


def heads(count, seed, side=128):
    """Return heads of many sizes and levels, float32 `(n, side, side, 1)` in [-1, 1]."""
    random, made = np.random.default_rng(seed), []
    y, x = np.mgrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    for _ in range(count):
        wide, high = random.uniform(0.5, 0.8, 2)
        brain = random.uniform(-0.4, 0.2) + 0.08 * smooth((side, side), side / 50, random)
        made.append(np.where((x / wide) ** 2 + (y / high) ** 2 < 1, brain, -1))
    return np.stack(made).astype(np.float32)[..., None]


def lesions(count, seed, side=128):
    """Return fresh heads with a finer texture of equal level in the middle, and its rows."""
    random, found = np.random.default_rng(seed), heads(count, seed, side)
    rows = slice(side * 7 // 16, side * 9 // 16)
    for one in found[..., 0]:
        part = one[rows, rows]
        fine = smooth(part.shape, 0.6, random)
        one[rows, rows] = part.mean() + 0.08 * (fine - fine.mean())
    return found, rows
