import struct

import numpy as np
import pytest
from gantools.apps.superres.enlarge import Output, Upscaler, enlarge_file

from gantools.data import exif, tags
from gantools.data.pictures import Metadata, Picture, read, write
from gantools.errors import UserError

# Orientation 6 and a width of 56 pixels.
EXIF = (
    b"II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"
    b"\0\x01\x03\0\x01\0\0\0\x38\0\0\0\0\0\0\0"
)


@pytest.fixture
def upscaler(make_network):
    return Upscaler(make_network(), largest=32)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_files_equal_what_is_made_in_memory(tmp_path, upscaler, picture, channels, dtype):
    pixels = picture(40, 56, channels, dtype)
    write(tmp_path / "a.png", Picture(pixels))
    shares = []
    result = enlarge_file(tmp_path / "a.png", tmp_path / "b.png", upscaler, advance=shares.append)
    made = read(tmp_path / "b.png").pixels
    assert made.dtype == dtype
    np.testing.assert_array_equal(made, upscaler.enlarge(Picture(pixels)).pixels)
    assert (result.height, result.width) == (160, 224)
    assert result.engine.endswith("f32") or dtype == np.uint8
    assert len(shares) > 1
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize("source", ["png", "jpg", "webp", "tif", "bmp", "avif"])
@pytest.mark.parametrize("target", ["png", "jpg", "webp", "tif", "bmp", "avif"])
def test_every_format_into_every_other(tmp_path, upscaler, picture, source, target):
    icc_free = Metadata(exif=EXIF)
    write(tmp_path / f"a.{source}", Picture(picture(24, 36), icc_free))
    enlarge_file(tmp_path / f"a.{source}", tmp_path / f"b.{target}", upscaler)
    made = read(tmp_path / f"b.{target}")
    value = exif.orientation(made.metadata.exif)
    keeps = source in ("png", "jpg", "webp") and target in ("png", "jpg", "webp")
    assert value == (6 if keeps else 1)
    upright = made.upright().pixels
    assert upright.shape == (144, 96, 3)  # as the viewer of the source saw it, four times as large
    seen = read(tmp_path / f"a.{source}").upright().pixels
    assert np.abs(upright[2::4, 2::4].astype(int) - seen).mean() < 12


def test_exif_tells_the_new_size(tmp_path, upscaler, picture):
    write(tmp_path / "a.png", Picture(picture(40, 56), Metadata(exif=EXIF)))
    enlarge_file(tmp_path / "a.png", tmp_path / "b.png", upscaler)
    data = read(tmp_path / "b.png").metadata.exif
    assert int.from_bytes(data[30:34], "little") == 224
    assert exif.orientation(data) == 6


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 2), (50, 1)])
def test_tiny_pictures(tmp_path, upscaler, picture, size):
    write(tmp_path / "a.png", Picture(picture(*size)))
    enlarge_file(tmp_path / "a.png", tmp_path / "b.png", upscaler)
    assert read(tmp_path / "b.png").pixels.shape == (4 * size[0], 4 * size[1], 3)


def test_limits_are_known_before_anything_is_decoded(tmp_path, upscaler, picture, monkeypatch):
    write(tmp_path / "wide.png", Picture(picture(1, 4100)))
    write(tmp_path / "alpha.png", Picture(picture(8, 8, 4)))
    monkeypatch.setattr("gantools.data.pictures._decode", lambda data: pytest.fail("decoded"))
    with pytest.raises(UserError, match="WEBP holds at most 16383 pixels a side"):
        enlarge_file(tmp_path / "wide.png", tmp_path / "b.webp", upscaler)
    with pytest.raises(UserError, match="no transparency"):
        enlarge_file(tmp_path / "alpha.png", tmp_path / "b.jpg", upscaler)


def test_floating_point_needs_a_format_that_holds_it(tmp_path, upscaler, picture):
    write(tmp_path / "a.tif", Picture(picture().astype(np.float32) / 255))
    with pytest.raises(UserError, match=r"floating point, which PNG does not hold.*\.tif"):
        enlarge_file(tmp_path / "a.tif", tmp_path / "b.png", upscaler)
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize("strip", [False, True])
@pytest.mark.parametrize("length", [64_000, 65_500, 90_000])
def test_what_a_jpeg_has_no_room_for_is_told(tmp_path, upscaler, picture, length, strip):
    block = tags.block({271: tags.text("Maker")}).ljust(length, b"p")
    write(tmp_path / "a.png", Picture(picture(), Metadata(exif=block, xmp=b"x" * length)))
    told = enlarge_file(tmp_path / "a.png", tmp_path / "b.jpg", upscaler, Output(strip=strip)).notes
    words = ("EXIF of more than 64 KB, but for the orientation", "XMP of more than 64 KB")
    kept = words[: 0 if length < 65_000 or strip else 1 if length < 65_503 else 2]
    assert told == tuple(f"JPEG cannot keep {what}." for what in kept)


def test_pictures_of_inks_and_animations_may_become_jpeg(tmp_path, upscaler):
    image = pytest.importorskip("PIL.Image")
    image.new("CMYK", (16, 12)).save(tmp_path / "a.tif")
    frames = [image.effect_noise((16, 12), n).convert("RGB") for n in (50, 60)]
    frames[0].save(tmp_path / "b.gif", save_all=True, append_images=frames[1:])
    for name in ("a.tif", "b.gif"):
        enlarge_file(tmp_path / name, tmp_path / "c.jpg", upscaler)
        assert read(tmp_path / "c.jpg").pixels.shape == (48, 64, 3)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError(28, "No space left on device")])
def test_an_interrupted_picture_leaves_nothing(
    tmp_path, upscaler, picture, monkeypatch, suffix, error
):
    write(tmp_path / "a.png", Picture(picture()))
    (tmp_path / f"b.{suffix}").write_text("old")

    def stop(*_, **__):
        raise error

    monkeypatch.setattr("gantools.data.png.PngWriter._job", stop)
    monkeypatch.setattr("gantools.data.writing._encoded", stop)
    expected = KeyboardInterrupt if error is KeyboardInterrupt else UserError
    with pytest.raises(expected):
        enlarge_file(tmp_path / "a.png", tmp_path / f"b.{suffix}", upscaler)
    assert sorted(f.name for f in tmp_path.iterdir()) == ["a.png", f"b.{suffix}"]
    assert (tmp_path / f"b.{suffix}").read_text() == "old"


@pytest.mark.parametrize("suffix", ["png", "tif", "jpg", "webp", "avif"])
@pytest.mark.parametrize("source", ["jpg", "webp"])
def test_a_resolution_that_only_exif_tells_grows_too(tmp_path, upscaler, picture, source, suffix):
    """As telephones tell it: their JPEGs have no JFIF header, and WebP no other place."""
    book = tags.resolution((300, 150)) | {271: tags.text("Maker")}
    write(tmp_path / f"a.{source}", Picture(picture(20, 20), Metadata(tags.block(book))))
    if source == "jpg":
        data = (tmp_path / "a.jpg").read_bytes()
        (tmp_path / "a.jpg").write_bytes(data[:2] + data[20:])
    enlarge_file(tmp_path / f"a.{source}", tmp_path / f"b.{suffix}", upscaler)
    assert read(tmp_path / f"b.{suffix}").metadata.density == pytest.approx((1200, 600), abs=0.01)
    if suffix == "tif":
        assert tags.number(tags.read((tmp_path / "b.tif").read_bytes()), 282) == 1200
    if suffix == "png":
        per_metre = struct.pack(">IIB", 47244, 23622, 1)
        assert b"pHYs" + per_metre in (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif", "bmp", "avif"])
def test_a_place_that_may_not_be_written_is_known_before_the_work(
    tmp_path, upscaler, picture, suffix
):
    write(tmp_path / "a.png", Picture(picture(20, 20)))
    long, shares = tmp_path / ("n" * 245 + f".{suffix}"), []  # a name, but not with what is added
    with pytest.raises(UserError, match="the name is too long"):
        enlarge_file(tmp_path / "a.png", long, upscaler, advance=shares.append)
    assert shares == []
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


def test_damage_and_what_is_lost_are_told_with_the_result(tmp_path, upscaler, picture):
    said = Metadata(iptc=b"\x1c\2xodd", comments=(b"by hand",))
    write(tmp_path / "a.jpg", Picture(picture(64, 64), said), quality=100)
    data = (tmp_path / "a.jpg").read_bytes()
    whole = enlarge_file(tmp_path / "a.jpg", tmp_path / "b.jpg", upscaler)
    assert whole.notes == ()
    made = read(tmp_path / "b.jpg").metadata
    assert (made.iptc, made.comments) == (said.iptc, said.comments)
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2] + b"\xff\xd9")
    made = enlarge_file(tmp_path / "a.jpg", tmp_path / "b.png", upscaler)
    assert made.notes == (
        "The JPEG data are damaged: parts of the picture may be wrong.",
        "PNG cannot keep IPTC.", "PNG cannot keep the comments of the JPEG.",
    )  # fmt: skip
