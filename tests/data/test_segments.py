import struct

import cv2
import numpy as np
import pytest

from gantools.data import segments
from gantools.data.headers import parse

IPTC = b"\x1c\x02\x78\0\x05Words"  # record 2, data set 120: the caption
PIXELS = np.random.default_rng(0).integers(0, 256, (16, 24, 3), np.uint8)


def resource(number, data, name=b""):
    name = bytes([len(name)]) + name + bytes((len(name) + 1) % 2)
    head = b"8BIM" + struct.pack(">H", number) + name
    return head + struct.pack(">I", len(data)) + data + bytes(len(data) % 2)


def jpeg(*told):
    """Return a JPEG with segments `(kind, data)`."""
    data = cv2.imencode(".jpg", PIXELS)[1].tobytes()
    made = (struct.pack(">BBH", 255, kind, 2 + len(body)) + body for kind, body in told)
    return data[:20] + b"".join(made) + data[20:]


@pytest.mark.parametrize("name", [b"", b"a", b"ab"])
@pytest.mark.parametrize("cut", [9, 40])  # within the thumbnail, within IPTC
def test_iptc_is_found_among_other_resources_in_several_segments(name, cut):
    data = resource(0x040C, b"thumb", name) + resource(0x0404, IPTC, name) + resource(1, b"x")
    pieces = (segments.PHOTOSHOP + data[:cut], segments.PHOTOSHOP + data[cut:])
    told = [(0xED, piece) for piece in pieces] + [(0xED, b"Adobe_CM"), (0xFE, b"by hand")]
    found = parse(jpeg(*told))
    assert (found.iptc, found.comments, found.left_out) == (IPTC, (b"by hand",), ())


def test_damaged_resources_are_harmless():
    whole = resource(0x040C, b"thumb", b"name") + resource(0x0404, IPTC)
    for end in range(len(whole) - len(IPTC)):
        assert segments.iptc([(0xED, segments.PHOTOSHOP + whole[:end])]) is None
    assert parse(jpeg((0xE2, segments.PROFILE))).icc is None
    assert parse(jpeg()).iptc is None


def test_xmp_that_goes_on_is_told():
    assert parse(jpeg((0xE1, segments.EXTENDED_XMP + bytes(40)))).left_out == ("extended XMP",)


@pytest.mark.parametrize("length", [1, 10, 65505, segments.LARGEST])
def test_what_is_written_is_read(length):
    block, said = b"i" * length, (b"one", b"c" * 65533)
    data = jpeg()
    found = parse(data[:20] + segments.written(block, said) + data[20:])
    assert (found.iptc, found.comments) == (block, said)
    assert segments.written(None, ()) == b""
