import io
import zlib

import cv2
import numpy as np
import pytest

from gantools.data import png, strips
from gantools.data.png import PngWriter, encode, joined_adler32


def picture(shape, dtype=np.uint8, seed=0):
    top = np.iinfo(dtype).max
    return np.random.default_rng(seed).integers(0, top + 1, shape).astype(dtype)


def decoded(data, channels):
    """Decode by OpenCV, back to RGB order and the number of channels."""
    out = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if channels == 2:  # OpenCV expands grey with alpha
        return out[:, :, 2:]
    if channels == 1:
        return out[:, :, None]
    return out[:, :, [2, 1, 0, 3][:channels]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("size", [(1, 1), (1, 37), (37, 1), (65, 50)])
def test_another_decoder_reads_the_same_pixels(size, channels, dtype, monkeypatch):
    monkeypatch.setattr(strips, "STRIP_BYTES", 1000)  # several strips
    pixels = picture((*size, channels), dtype)
    np.testing.assert_array_equal(decoded(encode(pixels), channels), pixels)


def test_the_widest_rows_and_two_dimensions():
    pixels = picture((3, 65536))
    np.testing.assert_array_equal(decoded(encode(pixels), 1)[:, :, 0], pixels)


@pytest.mark.parametrize("bands", [[100], [1] * 100, [33, 66, 1], [64, 36]])
@pytest.mark.parametrize("threads", [1, 3])
def test_bands_and_threads_do_not_change_the_pixels(bands, threads, monkeypatch):
    monkeypatch.setattr(strips, "STRIP_BYTES", 2000)
    pixels, file, at = picture((100, 40, 3)), io.BytesIO(), 0
    with PngWriter(file, 100, 40, 3, threads=threads) as writer:
        for rows in bands:
            band = pixels[at : at + rows].copy()
            writer.rows(band)
            band[:] = 0  # the caller may reuse its buffer
            at += rows
    np.testing.assert_array_equal(decoded(file.getvalue(), 3), pixels)


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_levels(level):
    pixels = np.repeat(picture((40, 40, 3)), 4, axis=0)
    data = encode(pixels, level=level)
    np.testing.assert_array_equal(decoded(data, 3), pixels)
    assert (len(data) < pixels.nbytes / 2) == (level > 0)


def test_the_library_without_isal_writes_too(monkeypatch):
    monkeypatch.setattr(png, "fast", zlib)
    pixels = picture((30, 30, 4))
    np.testing.assert_array_equal(decoded(encode(pixels, level=1), 4), pixels)


def test_the_checksum_of_the_stream_is_right():
    """OpenCV forgives a wrong Adler-32, a strict reader does not."""
    pixels, data, at, stream = picture((50, 20, 3)), None, 8, b""
    data = encode(pixels)
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        check = int.from_bytes(data[at + 8 + length : at + 12 + length], "big")
        assert zlib.crc32(kind + body) == check
        stream += body if kind == b"IDAT" else b""
        at += 12 + length
    rows = np.frombuffer(zlib.decompress(stream), np.uint8).reshape(50, 61)
    assert (rows[:, 0] == 2).all()
    np.testing.assert_array_equal(
        np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8), pixels.reshape(50, 60)
    )


def test_joined_adler32():
    for first, second in [(b"", b"abc"), (b"abc", b""), (b"x" * 70000, b"\xff" * 100001)]:
        joined = joined_adler32(zlib.adler32(first), zlib.adler32(second), len(second))
        assert joined == zlib.adler32(first + second)


def test_metadata_chunks_are_read_by_another_reader():
    image = pytest.importorskip("PIL.Image")
    exif = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    data = encode(picture((5, 5, 3)), icc=b"a profile", exif=exif, xmp=b"<x/>")
    with image.open(io.BytesIO(data)) as opened:
        opened.load()
        assert opened.info["icc_profile"] == b"a profile"
        assert opened.info["XML:com.adobe.xmp"] == "<x/>"
        assert opened.getexif()[0x112] == 6


def test_a_path_and_too_few_rows(tmp_path):
    writer = PngWriter(tmp_path / "a.png", 4, 4, 1)
    writer.rows(np.zeros((3, 4), np.uint8))
    with pytest.raises(ValueError, match="4 rows. Received: 3"):
        writer.close()
    with PngWriter(tmp_path / "b.png", 4, 4, 1) as writer, pytest.raises(ValueError, match="more"):
        writer.rows(np.zeros((4, 4), np.uint8))
        writer.rows(np.zeros((1, 4), np.uint8))


@pytest.mark.parametrize(
    "bad",
    [(0, 4, 3, np.uint8), (4, 2**31, 3, np.uint8), (4, 4, 5, np.uint8), (4, 4, 3, np.float32)],
)
def test_what_png_cannot_hold(bad):
    with pytest.raises(ValueError, match="Received"):
        PngWriter(io.BytesIO(), *bad)


def test_a_full_disk_is_an_os_error():
    class Full(io.BytesIO):
        def write(self, data):
            if self.tell() > 50:
                raise OSError(28, "No space left on device")
            return super().write(data)

    with pytest.raises(OSError, match="No space"), PngWriter(Full(), 64, 64, 3) as writer:
        writer.rows(picture((64, 64, 3)))
