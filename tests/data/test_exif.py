import struct

import numpy as np
import pytest

from gantools.data import tags
from gantools.data.exif import changed, density, orientation, turned, with_software


def exif(value=6, order="<", width=8, height=9, thumbnail=True):
    """EXIF with an orientation, sizes in the EXIF directory, and a second directory."""
    start = b"II*\0" if order == "<" else b"MM\0*"
    pack = lambda tag, kind, number: (  # noqa: E731
        struct.pack(order + "HHI", tag, kind, 1)
        + (struct.pack(order + "HH", number, 0) if kind == 3 else struct.pack(order + "I", number))
    )
    main = struct.pack(order + "H", 2) + pack(0x0112, 3, value) + pack(0x8769, 4, 38)
    main += struct.pack(order + "I", 68 if thumbnail else 0)
    inner = (
        struct.pack(order + "H", 2) + pack(0xA002, 3, width) + pack(0xA003, 4, height) + bytes(4)
    )
    second = struct.pack(order + "H", 1) + pack(0x0103, 3, 6) + bytes(4)
    return start + struct.pack(order + "I", 8) + main + inner + second


@pytest.mark.parametrize("order", "<>")
def test_orientation_is_read(order):
    assert [orientation(exif(v, order)) for v in range(10)] == [1, 1, 2, 3, 4, 5, 6, 7, 8, 1]


@pytest.mark.parametrize("broken", [None, b"", b"II*\0", b"junkjunkjunk", b"II*\0\xff\xff\0\0"])
def test_no_or_broken_exif_means_upright(broken):
    assert orientation(broken) == 1
    assert changed(broken, width=5, height=5) == broken


def test_every_cut_is_harmless():
    whole = exif()
    for end in range(len(whole)):
        orientation(whole[:end])
        changed(whole[:end], width=1, height=1, upright=True)


def test_a_loop_of_directories_ends():
    data = bytearray(exif())
    struct.pack_into("<I", data, 8 + 2 + 12 + 8, 8)  # the EXIF directory is the main one again
    assert orientation(bytes(data)) == 6


@pytest.mark.parametrize("order", "<>")
def test_changes_are_read_by_another_reader(order):
    image = pytest.importorskip("PIL.Image")
    new = image.Exif()
    new.load(changed(exif(6, order), width=32, height=70000, upright=True))
    assert new[0x0112] == 1
    inner = new.get_ifd(0x8769)
    assert (inner[0xA002], inner[0xA003]) == (32, 70000)


def test_the_thumbnail_is_cut_off():
    link = slice(8 + 2 + 24, 8 + 2 + 24 + 4)
    assert exif()[link] == struct.pack("<I", 68)
    assert changed(exif())[link] == bytes(4)


def with_thumbnail(order, *, plain=False, after=b""):
    """EXIF with a thumbnail of 400 bytes, as JPEG or as plain pixels, and what stands behind it."""
    pack = lambda tag, number: struct.pack(order + "HHII", tag, 4, 1, number)  # noqa: E731
    start = b"II*\0" if order == "<" else b"MM\0*"
    main = struct.pack(order + "HHHI", 1, 271, 2, 9) + struct.pack(order + "II", 26, 36)
    second = struct.pack(order + "H", 2) + pack(0x111 if plain else 0x201, 66)
    second += pack(0x117 if plain else 0x202, 400) + bytes(4)
    block = start + struct.pack(order + "I", 8) + main + b"A maker\0\0\0" + second
    return block + b"private." * 50 + after


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("plain", [False, True])
def test_the_bytes_of_the_thumbnail_are_gone(order, plain):
    old = with_thumbnail(order, plain=plain)
    made = changed(old)
    assert len(made) == 36
    assert tags.read(made)[271] == tags.read(old)[271] == (2, 9, b"A maker\0\0")
    old = with_thumbnail(order, plain=plain, after=b"offsets point here")
    made = changed(old)
    assert made.endswith(bytes(400) + b"offsets point here")
    assert len(made) == len(old)
    assert tags.read(made) == tags.read(old)


def test_a_thumbnail_that_is_said_to_lie_in_something_else_is_not_touched():
    broken = bytearray(with_thumbnail("<"))
    struct.pack_into("<I", broken, 36 + 2 + 8, 20)  # the name of the maker is in it
    assert b"A maker" in changed(bytes(broken))
    assert tags.read(changed(bytes(broken))) == tags.read(bytes(broken))


def test_nothing_else_changes():
    assert changed(exif(thumbnail=False)) == exif(thumbnail=False)


def test_turned_undoes_what_a_camera_did():
    """Each orientation tells where the scene's top left corner was stored."""
    scene = np.arange(6).reshape(2, 3, 1)
    stored = {
        1: scene, 2: scene[:, ::-1], 3: scene[::-1, ::-1], 4: scene[::-1],
        5: scene.swapaxes(0, 1), 6: np.rot90(scene, 1), 7: np.rot90(scene, 2).swapaxes(0, 1),
        8: np.rot90(scene, -1),
    }  # fmt: skip
    for value, pixels in stored.items():
        np.testing.assert_array_equal(turned(pixels, value), scene, str(value))


@pytest.mark.parametrize("order", "<>")
def test_the_program_is_named_and_nothing_else_moves(order):
    image = pytest.importorskip("PIL.Image")
    old = exif(6, order)
    made = with_software(with_software(old, "first, a long name"), "me")
    assert made[8 : len(old)] == old[8:]
    new = image.Exif()
    new.load(made)
    assert new[0x131] == "me"
    assert new[0x112] == 6
    assert new.get_ifd(0x8769)[0xA003] == 9
    assert orientation(made) == 6


@pytest.mark.parametrize(
    "nothing",
    [None, b"", b"junk", b"II*\0\xff\xff\0\0\0\0\0\0\0\0\0", exif()[:30],
     b"II*\0\x08\0\0\0\xff\xff" + bytes(24)],
)  # fmt: skip
def test_the_program_is_named_where_there_was_nothing(nothing):
    assert tags.read(with_software(nothing, "me")) == {0x131: tags.text("me")}


def test_resolutions_grow_with_the_picture():
    block = tags.block({0x11A: tags.rational(72), 0x11B: tags.rational(72)})
    found = tags.read(changed(block, factors=(4, 2.5)))
    assert (tags.number(found, 0x11A), tags.number(found, 0x11B)) == (288, 180)
    assert changed(block, factors=(1, 1)) == block


@pytest.mark.parametrize(("value", "sides"), [(1, (288, 300)), (3, (288, 300)), (6, (600, 144))])
def test_resolutions_are_turned_with_the_picture(value, sides):
    """288 by 300 after 4 times 72 across and twice 150 down; 4 times 150 across on its side."""
    book = {0x112: tags.short(value), 0x11A: tags.rational(72), 0x11B: tags.rational(150)}
    found = tags.read(changed(tags.block(book), upright=True, factors=(4, 2)))
    assert tuple(tags.number(found, tag) for tag in (0x11A, 0x11B)) == sides


@pytest.mark.parametrize(("old", "new"), [(254_000, 1_016_000), (2_540_000, 10_160_000)])
def test_large_resolutions_grow_too(old, new):
    block = tags.block({0x11A: tags.rational(old)})
    assert tags.number(tags.read(changed(block, factors=(4, 4))), 0x11A) == new


def test_a_resolution_that_cannot_grow_becomes_unknown():
    block = tags.block({0x11A: tags.rational(4e9)})
    assert tags.number(tags.read(changed(block, factors=(4, 4))), 0x11A, None) is None


def test_two_resolutions_that_share_one_number_grow_once():
    entries = struct.pack("<HHII", 0x11A, 5, 1, 38) + struct.pack("<HHII", 0x11B, 5, 1, 38)
    block = b"II*\0\x08\0\0\0\x02\0" + entries + bytes(4) + struct.pack("<II", 72, 1)
    found = tags.read(changed(block, factors=(4, 4)))
    assert (tags.number(found, 0x11A), tags.number(found, 0x11B)) == (288, 288)


@pytest.mark.parametrize(
    ("book", "found"),
    [({282: 300, 283: 150, 296: 2}, (300, 150)), ({282: 300, 283: 150}, (300, 150)),
     ({282: 100, 283: 100, 296: 3}, (254, 254)), ({282: 4, 283: 3, 296: 1}, None),
     ({282: 300}, None), ({}, None)],
)  # fmt: skip
def test_the_resolution_is_read(book, found):
    entry = {tag: tags.short(n) if tag == 296 else tags.rational(n) for tag, n in book.items()}
    assert density(tags.block(entry)) == found
    assert density(None) is None
