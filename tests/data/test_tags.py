import numpy as np
import pytest

from gantools.data import tags

BOOK = {
    271: tags.text("A maker of cameras"),
    282: tags.rational(300),
    296: tags.short(2),
    0x8769: {36867: tags.text("2026:01:02 03:04:05"), 40962: tags.long(70000)},
    0x8825: {1: tags.text("N")},
}


def test_a_block_is_read_as_it_was_written():
    block = tags.block(BOOK)
    assert tags.read(block) == BOOK
    assert tags.number(BOOK, 282) == 300
    assert tags.number(BOOK, 296) == 2
    assert tags.number(BOOK, 999, 7) == 7


@pytest.mark.parametrize("value", [0.5, 72, 254_000, 399_999, 508_000.4, 25_400_000, 4e9])
def test_rationals_of_any_size(value):
    entry = tags.rational(value)
    assert tags.number({282: entry}, 282) == pytest.approx(value, abs=1e-4, rel=2e-6)


def test_of_tags_that_come_twice_the_first_counts():
    twice = bytearray(tags.block({270: tags.short(1), 271: tags.short(2)}))
    twice[8 + 2 + 12 : 8 + 2 + 14] = (270).to_bytes(2, "little")
    assert tags.read(bytes(twice)) == {270: tags.short(1)}


def test_all_numbers_of_a_tag():
    found = {273: tags.long(8, 70000), 279: tags.short(3), 282: tags.rational(1), 0x8769: {}}
    assert tags.numbers(found, 273) == [8, 70000]
    assert tags.numbers(found, 279) == [3]
    assert tags.numbers(found, 282) == tags.numbers(found, 0x8769) == tags.numbers(found, 1) == []


def test_another_reader_reads_it():
    image = pytest.importorskip("PIL.Image")
    found = image.Exif()
    found.load(tags.block(BOOK))
    assert found[271] == "A maker of cameras"
    assert found[282] == 300
    assert found.get_ifd(0x8769)[40962] == 70000
    assert found.get_ifd(0x8825)[1] == "N"


def test_big_endian_numbers_are_turned():
    image = pytest.importorskip("PIL.Image")
    made = image.Exif()
    made.endian = ">"
    made[282], made[274], made[315] = 72.5, 6, "Ann"
    raw = made.tobytes().removeprefix(b"Exif\0\0")
    assert raw[:2] == b"MM"
    found = tags.read(raw)
    assert tags.number(found, 282) == 72.5
    assert tags.number(found, 274) == 6
    assert found[315] == tags.text("Ann")


def test_every_cut_and_random_damage_is_harmless():
    whole, rng = tags.block(BOOK), np.random.default_rng(0)
    for end in range(len(whole)):
        tags.read(whole[:end])
    for _ in range(500):
        broken = bytearray(whole)
        for at in rng.integers(0, len(whole), 3):
            broken[at] = rng.integers(256)
        tags.read(bytes(broken))


def test_directories_that_point_to_each_other_end():
    block = bytearray(tags.block({0x8769: {1: tags.short(1)}}))
    block[8 + 2 + 8 : 8 + 2 + 12] = (8).to_bytes(4, "little")
    assert isinstance(tags.read(bytes(block)), dict)
