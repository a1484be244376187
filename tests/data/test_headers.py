import struct
import zlib

import cv2
import numpy as np
import pytest

from gantools.data.headers import parse

PIXELS = np.random.default_rng(0).integers(0, 256, (23, 41, 3), np.uint8)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, colour=2, depth=8, *more):
    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(more) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("suffix", "format"),
    [("png", "png"), ("jpg", "jpeg"), ("webp", "webp"), ("tif", "tiff"), ("bmp", "bmp"),
     ("gif", "gif"), ("avif", "avif"), ("ppm", "pnm")],
)  # fmt: skip
def test_sizes_of_what_opencv_writes(suffix, format):
    made, data = cv2.imencode(f".{suffix}", PIXELS)
    assert made
    found = parse(data.tobytes())
    assert (found.format, found.height, found.width) == (format, 23, 41)


@pytest.mark.parametrize("quality", [50, 101])  # VP8 and VP8L
@pytest.mark.parametrize("channels", [3, 4])  # VP8X with alpha
def test_kinds_of_webp(quality, channels):
    pixels = np.random.default_rng(1).integers(0, 256, (9, 300, channels), np.uint8)
    data = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, quality])[1].tobytes()
    assert (parse(data).height, parse(data).width) == (9, 300)


def test_progressive_jpeg_and_grey():
    data = cv2.imencode(".jpg", PIXELS, [cv2.IMWRITE_JPEG_PROGRESSIVE, 1])[1].tobytes()
    assert (parse(data).height, parse(data).width, parse(data).channels) == (23, 41, 3)
    assert parse(cv2.imencode(".jpg", PIXELS[:, :, 0])[1].tobytes()).channels == 1


def test_a_bomb_is_measured_without_decoding():
    found = parse(png(50_000, 50_000))
    assert (found.height, found.width) == (50_000, 50_000)


def test_colour_types_and_the_transparent_grey():
    assert [parse(png(2, 3, colour)).channels for colour in (0, 2, 3, 4, 6)] == [1, 3, 3, 2, 4]
    assert parse(png(2, 3, 0, 8, chunk(b"tRNS", b"\0\x07"))).transparent == 7
    assert parse(png(2, 3, 0, 1, chunk(b"tRNS", b"\0\x01"))).transparent == 255
    assert parse(png(2, 3, 2)).transparent is None
    assert [parse(png(2, 3, 0, depth)).depth for depth in (1, 8, 16)] == [1, 8, 16]


def test_big_endian_tiff():
    entries = [(256, 3, 1, 41 << 16), (257, 4, 1, 23), (277, 3, 1, 4 << 16), (338, 3, 1, 1 << 16)]
    body = b"".join(struct.pack(">HHII", *entry) for entry in entries)
    found = parse(b"MM\0*" + struct.pack(">IH", 8, 4) + body + bytes(4))
    assert (found.height, found.width, found.channels, found.extra) == (23, 41, 4, 1)


def test_pnm_with_comments():
    found = parse(b"P5\n# made by hand\n12 # width\n 34\n255\n" + bytes(12 * 34))
    assert (found.height, found.width, found.channels) == (34, 12, 1)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_every_cut_is_noticed(suffix):
    data = cv2.imencode(f".{suffix}", PIXELS)[1].tobytes()
    for end in range(1, len(data) - 1, 13):
        with pytest.raises(ValueError, match="truncated or broken|not a known"):
            parse(data[:end])


@pytest.mark.parametrize("suffix", ["tif", "bmp", "gif", "ppm", "avif"])
def test_cut_headers_give_no_other_error(suffix):
    data = cv2.imencode(f".{suffix}", PIXELS)[1].tobytes()
    for end in range(1, 60):
        try:
            parse(data[:end])
        except ValueError as error:
            assert "it is" in str(error)  # noqa: PT017


def test_a_flipped_bit_in_a_png():
    data = bytearray(cv2.imencode(".png", PIXELS)[1].tobytes())
    data[len(data) // 2] ^= 1
    with pytest.raises(ValueError, match="checksum"):
        parse(bytes(data))


@pytest.mark.parametrize(
    ("data", "words"),
    [(b"", "empty"), (b"hello, world", "not a known"), (png(0, 5), "no pixels"),
     (b"\xff\xd8\xff", "truncated")],
)  # fmt: skip
def test_what_is_no_picture(data, words):
    with pytest.raises(ValueError, match=words):
        parse(data)
