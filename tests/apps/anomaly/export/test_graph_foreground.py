"""The object of a scan is found in a graph as by `scans.foreground`, pixel by pixel."""

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly.export.graph_foreground import OPSET
from gantools.apps.anomaly.export.graph_foreground import foreground as node_of
from gantools.apps.anomaly.scans.foreground import foreground

from gantools.data.onnx import Graph

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")


def graph(size):
    """Return a function from a picture to the mask that a graph finds."""
    g = Graph(OPSET)
    x = g.node("Unsqueeze", g.node("Transpose", "x", perm=(2, 0, 1)), g.numbers(0))
    g.node("Identity", node_of(g, x, size), out="mask")
    content = g.file("foreground", {"x": size}, {"mask": (1, 1, *size[:2])})
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    session = runtime.InferenceSession(content)
    return lambda picture: session.run(None, {"x": picture})[0][0, 0] > 0


def levels(pixels):
    """Return uint8 `(h, w, c)` in [-1, 1], as `loading.to_levels`."""
    return pixels.astype(np.float32) / np.float32(255) * np.float32(2) - 1


def scan(random, size):
    """Return a few bright parts, with dark holes, on a noisy dark background."""
    height, width, channels = size
    y, x = np.mgrid[:height, :width]
    found = np.zeros((height, width))
    for _ in range(random.integers(1, 7)):
        (cy, cx), (a, b) = random.uniform(0.1, 0.9, 2), random.uniform(0.04, 0.4, 2)
        part = ((y / height - cy) / a) ** 2 + ((x / width - cx) / b) ** 2 < 1
        found = np.where(part, random.choice([0, random.uniform(20, 255)]), found)
    found += random.normal(0, random.uniform(0, 12), found.shape) + random.choice([0, 0, 10, 60])
    found = found[..., None] + random.integers(0, 6, size)
    return np.clip(found, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("size", [(64, 64, 1), (100, 73, 3), (8, 9, 1), (150, 200, 1)])
def test_parts_holes_and_noise(size):
    find, random, whole = graph(size), np.random.default_rng(0), 0
    for i in range(40):
        picture = levels(scan(random, size))
        if i % 2:  # as resized pictures are: between the levels
            picture = np.float32(picture + random.uniform(0, 0.005, size)).clip(-1, 1)
        wanted = foreground(picture)
        np.testing.assert_array_equal(find(picture), wanted, err_msg=str(i))
        whole += wanted.all()
    assert whole < 40


def drawn(kind):
    """Return a mask of thin lines, `(96, 96)`."""
    line = np.zeros((96, 96), np.uint8)
    if kind == "spiral":
        turns = np.linspace(0.6, 6 * np.pi, 4000)
        rows, columns = ((48 + 2.2 * turns * f(turns)).astype(int) for f in (np.sin, np.cos))
        line[rows, columns] = 255
    elif kind == "comb":
        line[10:86:8, 10:86] = line[10:86, 10] = 255
    elif kind == "corners":  # squares that touch by their corners, around what is a hole
        for i in range(5):
            for y, x in ((40 - 8 * i, 48 + 8 * i - 40), (40 - 8 * i, 48 - 8 * i + 40),
                         (8 * i + 8, 8 * i + 8), (80 - 8 * i, 8 * i + 8)):  # fmt: skip
                line[max(y, 2) : y + 8, max(x, 2) : x + 8] = 255
    else:  # a ring in a ring, both closed: the outer one and all within
        for radius in (40, 24):
            cv2.circle(line, (48, 48), radius, 255, 3)
    return line


@pytest.mark.parametrize("kind", ["spiral", "comb", "corners", "rings"])
def test_shapes_that_turn_and_touch(kind, monkeypatch):
    """The blur would close thin lines: it is left out of both."""
    from gantools.apps.anomaly.export import graph_foreground

    monkeypatch.setattr(cv2, "GaussianBlur", lambda x, size, sigma: x)
    monkeypatch.setattr(graph_foreground, "_weights", lambda sigma: np.array([256]))
    dim = 3 * (np.random.default_rng(0).random((96, 96)) < 0.1)  # else nothing is below the cut
    picture = levels(np.maximum(drawn(kind), dim)[..., None])
    wanted = foreground(picture)
    assert wanted.any() and not wanted.all()
    np.testing.assert_array_equal(graph((96, 96, 1))(picture), wanted)


def test_without_a_background_everything_counts():
    bright = levels(np.random.default_rng(0).integers(90, 200, (40, 50, 1)).astype(np.uint8))
    assert graph((40, 50, 1))(bright).all() and foreground(bright).all()
    assert graph((40, 50, 1))(np.full((40, 50, 1), -1, np.float32)).all()
