import struct
import zlib

import cv2
import numpy as np
import pytest

from gantools.data import tags
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


@pytest.mark.parametrize(("top", "depth"), [(1, 8), (15, 8), (255, 8), (256, 16), (65535, 16)])
@pytest.mark.parametrize("kind", [2, 3, 5, 6])
def test_the_largest_level_of_a_pnm(kind, top, depth):
    found = parse(f"P{kind} 4 3 # a comment\n{top}\n".encode() + bytes(72))
    assert (found.top, found.depth, found.channels) == (top, depth, 3 if kind in (3, 6) else 1)


def test_a_pnm_of_black_and_white_has_no_largest_level():
    for data in (b"P1\n4 3\n0 1 0 1\n", b"P4\n4 3\n\n5 "):
        assert (parse(data).top, parse(data).depth, parse(data).frames) == (None, 8, 1)


@pytest.mark.parametrize("top", [0, 65536, 70000])
def test_a_largest_level_that_cannot_be(top):
    with pytest.raises(ValueError, match=f"its largest level is {top}, and 1 to 65535 are expec"):
        parse(f"P5 4 3 {top}\n".encode() + bytes(24))


@pytest.mark.parametrize(
    ("start", "length"),
    [(b"P4\n9 3\n", 6), (b"P5\n9 3\n255\n", 27), (b"P5\n9 3\n256\n", 54), (b"P6\n9 3\n7\n", 81)],
)
def test_pnm_after_pnm_in_one_file(start, length):
    assert [parse((start + bytes(length)) * n).frames for n in (1, 2, 3)] == [1, 2, 3]


@pytest.mark.parametrize("order", "<>")
def test_pictures_in_a_jpeg_are_counted_without_its_thumbnails(order):
    kinds = (0x20030000, 0x010001, 0x010002, 0x020003, 0)
    entries = b"".join(struct.pack(order + "IIIHH", kind, 9, 9, 0, 0) for kind in kinds)
    index = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "IH", 8, 1)
    index += struct.pack(order + "HHII", 0xB002, 7, len(entries), 26) + bytes(4) + entries
    segment = b"\xff\xe2" + struct.pack(">H", 6 + len(index)) + b"MPF\0" + index
    data = cv2.imencode(".jpg", PIXELS)[1].tobytes()
    assert parse(data).frames == 1
    assert parse(data[:20] + segment + data[20:]).frames == 3


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 0, 1, 2), (0, 2, 3, 1, 0)])
def test_the_profile_of_a_jpeg_is_put_together_without_what_only_looks_like_it(order):
    icc = np.random.default_rng(0).bytes(300)
    made = {n: b"ICC_PROFILE\0" + bytes([n, 3]) + icc[100 * n - 100 : 100 * n] for n in (1, 2, 3)}
    made[0] = b"MPF\0II*\0"  # the index of a JPEG of several pictures
    segments = (b"\xff\xe2" + struct.pack(">H", 2 + len(made[n])) + made[n] for n in order)
    data = cv2.imencode(".jpg", PIXELS)[1].tobytes()
    assert parse(data[:20] + b"".join(segments) + data[20:]).icc == icc
    assert parse(data).icc is None


def test_texts_of_a_png_that_are_too_long_are_known():
    short, long = (chunk(b"tEXt", b"Title\0" + b"a" * n) for n in (9, 1 << 20))
    xmp = chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + b"a" * (1 << 20))
    found = parse(png(2, 3, 2, 8, short, long))
    assert found.long_texts
    assert found.chunks == ((b"tEXt", b"Title\0aaaaaaaaa"),)
    assert not parse(png(2, 3, 2, 8, short, xmp)).long_texts


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


@pytest.mark.parametrize(
    ("book", "raw"),
    [({254: tags.long(1), 330: tags.long(8)}, True), ({50706: (1, 4, b"\1\4\0\0")}, True),
     ({262: tags.short(32803)}, True), ({262: tags.short(34892)}, True),
     ({254: tags.long(1)}, False), ({254: tags.long(0), 330: tags.long(8)}, False)],
)  # fmt: skip
def test_the_raw_file_of_a_camera_is_refused(book, raw):
    """Its first picture is a thumbnail."""
    data = tags.block({256: tags.short(9), 257: tags.short(8), 262: tags.short(2)} | book)
    if not raw:
        assert (parse(data).height, parse(data).width) == (8, 9)
        return
    with pytest.raises(ValueError, match="a camera's raw file. Develop it and save it as TIFF"):
        parse(data)


@pytest.mark.parametrize(("start", "raw"), [(b"CR\2\0", True), (b"CR\3\0", False)])
def test_the_raw_file_of_a_canon_is_known_by_its_start(start, raw):
    book = {256: tags.short(9), 257: tags.short(8)}
    data = b"II*\0\x10\0\0\0" + start + bytes(4) + tags.written(book, 16)
    if raw:
        with pytest.raises(ValueError, match="a camera's raw file"):
            parse(data)
    else:
        assert parse(data).width == 9


def test_iptc_of_a_tiff_is_said_to_be_left_out():
    book = {256: tags.short(9), 257: tags.short(8), 33723: (7, 3, b"\x1c\2x")}
    assert parse(tags.block(book)).left_out == ("IPTC",)
