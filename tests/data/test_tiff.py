import io
import struct

import cv2
import numpy as np
import pytest

from gantools.data import strips, tags, tiff
from gantools.data.tiff import TiffWriter, encode


def picture(shape, dtype=np.uint8):
    rng = np.random.default_rng(0)
    if dtype == np.float32:
        return rng.normal(0, 3, shape).astype(dtype)
    return rng.integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)


def decoded(data):
    out = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    out = out[:, :, None] if out.ndim == 2 else out
    return out[:, :, [2, 1, 0, 3][: out.shape[2]]] if out.shape[2] > 1 else out


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1, 1), (1, 37), (300, 50)])
def test_opencv_reads_the_same_pixels(size, channels, dtype, monkeypatch):
    monkeypatch.setattr(strips, "STRIP_BYTES", 4000)
    pixels = picture((*size, channels), dtype)
    np.testing.assert_array_equal(decoded(encode(pixels)), pixels)


@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_alpha_is_straight(channels, dtype):
    library = pytest.importorskip("tifffile")
    pixels = picture((20, 30, channels), dtype)
    with library.TiffFile(io.BytesIO(encode(pixels))) as file:
        page = file.pages[0]
        assert page.tags[338].value in ((2,), 2)
        assert page.shape == (20, 30, channels)
    if dtype == np.uint8:
        image = pytest.importorskip("PIL.Image")
        with image.open(io.BytesIO(encode(pixels))) as opened:
            np.testing.assert_array_equal(np.asarray(opened).reshape(pixels.shape), pixels)


@pytest.mark.parametrize("bands", [[100], [1] * 100, [33, 66, 1]])
@pytest.mark.parametrize("threads", [1, 3])
def test_bands_and_threads_do_not_change_the_file(bands, threads, monkeypatch):
    monkeypatch.setattr(strips, "STRIP_BYTES", 2000)
    pixels, file, at = picture((100, 40, 3)), io.BytesIO(), 0
    with TiffWriter(file, 100, 40, 3, threads=threads) as writer:
        for rows in bands:
            band = pixels[at : at + rows].copy()
            writer.rows(band)
            band[:] = 0
            at += rows
    assert file.getvalue() == encode(pixels)


def test_big_tiff_is_read_by_others():
    image = pytest.importorskip("PIL.Image")
    pixels = picture((40, 50, 3))
    data = encode(pixels, big=True, density=(300, 300))
    assert data[:4] == b"II+\0"
    np.testing.assert_array_equal(decoded(data), pixels)
    with image.open(io.BytesIO(data)) as opened:
        np.testing.assert_array_equal(np.asarray(opened), pixels)


def test_metadata_come_back_and_others_read_them():
    image = pytest.importorskip("PIL.Image")
    exif = tags.block({
        271: tags.text("Maker"), 274: tags.short(6), 306: tags.text("2026:01:02 03:04:05"),
        0x8769: {37386: tags.rational(50)}, 0x8825: {1: tags.text("N")},
    })  # fmt: skip
    data = encode(
        picture((9, 8, 3)), exif=exif, icc=b"a profile", xmp=b"<x/>", density=(300, 150),
        software="gantools",
    )  # fmt: skip
    found, icc, xmp, density = tiff.metadata(data)
    assert (icc, xmp, density) == (b"a profile", b"<x/>", (300, 150))
    about = tags.read(found)
    assert about[271] == tags.text("Maker")
    assert about[305] == tags.text("gantools")
    assert 274 not in about  # the pixels stand upright
    assert about[0x8769] == {37386: tags.rational(50)}
    assert about[0x8825] == {1: tags.text("N")}
    with image.open(io.BytesIO(data)) as opened:
        assert opened.info["icc_profile"] == b"a profile"
        assert opened.info["dpi"] == (300, 150)
        assert opened.tag_v2[305] == "gantools"
        assert opened.getexif().get_ifd(0x8769)[37386] == 50


@pytest.mark.parametrize(
    ("text", "kept"),
    [("ImageJ=1.54f\nimages=5\nslices=5\n", False), ("<?xml?><OME xmlns='x'/>", False),
     ("Made with ImageJ=", True), ("a cell", True)],
)  # fmt: skip
def test_the_description_of_a_stack_is_left_out(text, kept):
    """tifffile finds no page 1 to 4 in an enlarged page that says ImageJ=, and refuses the file."""
    book = {270: tags.text(text), 271: tags.text("Maker")}
    found = tags.read(tiff.metadata(encode(picture((9, 8, 1)), exif=tags.block(book)))[0])
    assert found == (book if kept else {271: tags.text("Maker")})


@pytest.mark.parametrize(("value", "density"), [(1, (300, 150)), (4, (300, 150)), (6, (150, 300))])
def test_the_density_is_that_of_what_is_seen(value, density):
    block = {274: tags.short(value)} | tags.resolution((300, 150))
    assert tiff.metadata(tags.block(block))[3] == density


def test_the_density_of_a_microscope():
    data = encode(picture((9, 8, 1)), density=(508_000, 25_400_000))
    assert tiff.metadata(data)[3] == (508_000, 25_400_000)


def test_what_does_not_fit_is_said():
    writer = TiffWriter(io.BytesIO(), 4, 4, 1)
    writer.rows(np.zeros((3, 4, 1), np.uint8))
    with pytest.raises(ValueError, match=r"4 rows. Received: 3"):
        writer.close()
    with TiffWriter(io.BytesIO(), 1, 4, 1) as writer:
        writer.rows(np.zeros((1, 4, 1), np.uint8))
        with pytest.raises(ValueError, match="more"):
            writer.rows(np.zeros((1, 4, 1), np.uint8))
        writer._done = 1


def test_the_limit_of_small_offsets():
    file = io.BytesIO()
    writer = TiffWriter(file, 40_000, 40_000, 3)
    writer.abandon()
    assert file.getvalue()[:4] == b"II+\0"
    assert struct.unpack("<H", file.getvalue()[4:6]) == (8,)
