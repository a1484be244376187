import pytest

from gantools.data import packets


@pytest.mark.parametrize(
    ("before", "after"),
    [(b'<a tiff:Orientation="6"/>', b'<a tiff:Orientation="1"/>'),
     (b"<a tiff:Orientation = '8' b='8'/>", b"<a tiff:Orientation = '1' b='8'/>"),
     (b"<tiff:Orientation>3</tiff:Orientation>", b"<tiff:Orientation>1</tiff:Orientation>"),
     (b'<a x:Orientation="6" tiff:Make="6"/>', b'<a x:Orientation="6" tiff:Make="6"/>'),
     (b"", b""), (None, None)],
)  # fmt: skip
def test_a_packet_says_that_the_pixels_stand_upright(before, after):
    assert packets.upright(before) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [(b'<a b="1" xmpNote:HasExtendedXMP="0A1B" c="2"/>', b'<a b="1" c="2"/>'),
     (b"<a xmpNote:HasExtendedXMP='0A1B'/>", b"<a/>"),
     (b"<a><xmpNote:HasExtendedXMP>0A</xmpNote:HasExtendedXMP></a>", b"<a></a>"),
     (b"<a/>", b"<a/>"), (None, None)],
)  # fmt: skip
def test_a_packet_does_not_tell_of_more_than_there_is(before, after):
    assert packets.alone(before) == after
