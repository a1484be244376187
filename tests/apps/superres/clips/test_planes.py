import numpy as np
import pytest
from gantools.apps.superres.clips.planes import (
    Layout,
    enlarged_chroma,
    frame_of,
    layout_of,
    planes,
    requantised,
)

av = pytest.importorskip("av")


@pytest.mark.parametrize(
    ("name", "read", "written"),
    [
        ("yuv420p", "yuv420p", "yuv420p"),
        ("yuvj422p", "yuv422p", "yuv422p"),
        ("nv12", "yuv420p", "yuv420p"),
        ("p010le", "yuv420p10le", "yuv420p10le"),
        ("yuv422p12le", "yuv422p12le", "yuv422p10le"),
        ("yuva444p10le", "yuv444p10le", "yuv444p10le"),
        ("yuyv422", "yuv422p", "yuv422p"),
        ("yuv411p", "yuv411p", "yuv422p"),
        ("yuv410p", "yuv410p", "yuv420p"),
        ("yuv440p", "yuv440p", "yuv444p"),
        ("gray", "gray", "yuv420p"),
        ("gray10le", "gray10le", "yuv420p10le"),
        ("bgra", "yuv444p", "yuv444p"),
        ("gbrp10le", "yuv444p10le", "yuv444p10le"),
        ("pal8", "yuv444p", "yuv444p"),
    ],
)
def test_layouts(name, read, written):
    layout = layout_of(av.VideoFormat(name, 64, 48))
    assert layout.name == read
    assert layout.written().name == written
    assert layout.written(deep=False).bits == 8


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("shifts", [(1, 1), (1, 0), (0, 0)])
@pytest.mark.parametrize("size", [(48, 64), (47, 61)])
def test_planes_survive_a_frame(bits, shifts, size):
    layout, rng = Layout(bits, shifts), np.random.default_rng(0)
    kind = np.uint8 if bits == 8 else np.uint16
    sizes = [size, *2 * [layout.chroma_size(*size)]]
    arrays = [rng.integers(0, layout.top, shape, kind, endpoint=True) for shape in sizes]
    frame = frame_of(arrays, layout)
    assert frame.format.name == layout.name
    for mine, other in zip(planes(frame, layout), arrays, strict=True):
        np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("range_", [1, 2])
@pytest.mark.parametrize("other", ["nv12", "p010le"])
def test_other_orders_hold_the_same_numbers(range_, other):
    layout, rng = Layout(8, (1, 1)), np.random.default_rng(0)
    arrays = [rng.integers(0, 256, s, np.uint8) for s in ((48, 64), (24, 32), (24, 32))]
    frame = frame_of(arrays, layout)
    frame.color_range = range_
    frame = frame.reformat(format=other)
    found = planes(frame, layout_of(frame.format))
    for mine, expected in zip(found, arrays, strict=True):
        np.testing.assert_array_equal(mine, expected * np.uint16(4 if other == "p010le" else 1))


def test_rgb_becomes_bt709():
    colour = np.array([200, 30, 90], float)
    pixels = np.broadcast_to(colour.astype(np.uint8), (16, 16, 3)).copy()
    frame = av.VideoFrame.from_ndarray(pixels, "rgb24")
    luma, blue, red = (plane[8, 8] for plane in planes(frame, layout_of(frame.format)))
    y = colour @ [0.2126, 0.7152, 0.0722]
    assert abs(luma - (16 + y * 219 / 255)) <= 1
    assert abs(blue - (128 + (colour[2] - y) / 1.8556 * 224 / 255)) <= 1
    assert abs(red - (128 + (colour[0] - y) / 1.5748 * 224 / 255)) <= 1


def test_fewer_bits():
    codes = np.array([[0, 64 * 4, 940 * 4 + 1, 4095]], np.uint16)
    assert requantised(codes, 12, 10).tolist() == [[0, 64, 940, 1023]]
    assert requantised(codes // 4, 10, 8).dtype == np.uint8
    assert requantised(codes // 4, 10, 8).tolist() == [[0, 16, 235, 255]]
    assert requantised(codes, 8, 10) is codes


@pytest.mark.parametrize("factor", [2, 3, 4])
@pytest.mark.parametrize("centred", [False, True])
def test_colours_creep_aside(factor, centred):
    """A ramp of chroma stays the same function of the place in the picture."""
    height, width = 40, 48
    layout = Layout(10, (1, 1))
    left = (np.arange(width // 2) * 2.0) + (0.5 if centred else 0)  # small luma pixels
    ramp = np.rint(100 + 16 * left).astype(np.uint16)
    plane = np.broadcast_to(ramp, (height // 2, width // 2)).copy()
    size = (height * factor, width * factor)
    made = enlarged_chroma(plane, (height, width), size, layout, layout, centred=centred)
    assert made.shape == (size[0] // 2, size[1] // 2)
    places = (2 * np.arange(made.shape[1]) + 0.5) / factor - 0.5  # samples lie at the left pixel
    inside = slice(4 * factor, -4 * factor)
    np.testing.assert_allclose(made[5][inside], (100 + 16 * places)[inside], atol=1.01)
    down = np.broadcast_to(ramp[:20, None], (20, 24)).copy()
    made = enlarged_chroma(down, (height, width), size, layout, layout, centred=centred)
    offset = 0 if centred else 0.5  # the ramp above counts from the middle or from the left
    places = (2 * np.arange(made.shape[0]) + 0.5 + 0.5) / factor - 0.5 - offset
    np.testing.assert_allclose(made[inside, 5], (100 + 16 * places)[inside], atol=1.01)


@pytest.mark.parametrize("level", [0, 1, 16, 128, 240, 255])
def test_chroma_without_detail_stays(level):
    plane, layout = np.full((20, 31), level, np.uint8), Layout(8, (1, 1))
    made = enlarged_chroma(plane, (40, 61), (100, 153), layout, layout)
    assert made.shape == (50, 77)
    assert (made == level).all()
