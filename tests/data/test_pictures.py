import struct
import zlib
from contextlib import suppress

import cv2
import numpy as np
import pytest

from gantools.data import pictures
from gantools.data.pictures import Metadata, Picture, header, icc_for, read, write
from gantools.errors import UserError

EXIF = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"  # orientation 6
# A profile that libpng accepts: a header of 132 bytes without tags, and something after it.
ICC = struct.pack(">I4xI4s4s4s12x4s28xIII48xI", 332, 0x02000000, b"mntr", b"RGB ", b"XYZ ", b"acsp",
                  0xF6D6, 0x10000, 0xD32D, 0) + np.random.default_rng(0).bytes(200)  # fmt: skip


def pixels(channels=3, dtype=np.uint8, size=(24, 31)):
    rng = np.random.default_rng(channels)
    smooth = cv2.resize(rng.random((4, 5, channels)), size[::-1]).reshape(*size, channels)
    return (smooth * np.iinfo(dtype).max).astype(dtype)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_keeps_depth_channels_and_metadata(tmp_path, channels, dtype):
    icc = ICC if channels > 2 else ICC.replace(b"RGB ", b"GRAY")
    picture = Picture(pixels(channels, dtype), Metadata(EXIF, icc, b"<x/>"))
    write(tmp_path / "a.png", picture)
    back = read(tmp_path / "a.png")
    assert back.pixels.dtype == dtype
    np.testing.assert_array_equal(back.pixels, picture.pixels)
    assert back.metadata == picture.metadata
    assert back.format == "png"


@pytest.mark.parametrize(("suffix", "channels"), [("jpg", 1), ("jpg", 3), ("webp", 3), ("webp", 4)])
def test_lossy_formats_keep_metadata_and_colours(tmp_path, suffix, channels):
    icc = ICC if channels > 2 else ICC.replace(b"RGB ", b"GRAY")
    write(tmp_path / f"a.{suffix}", Picture(pixels(channels), Metadata(EXIF, icc, b"<x/>")))
    back = read(tmp_path / f"a.{suffix}")
    assert back.metadata == Metadata(EXIF, icc, b"<x/>")
    error = back.pixels.astype(int) - pixels(channels)
    if channels == 4:
        assert (error[:, :, 3] == 0).all()
    assert np.abs(error[:, :, : min(channels, 3)]).mean() < 4


def test_red_is_first(tmp_path):
    red = np.zeros((8, 8, 3), np.uint8)
    red[:, :, 0] = 255
    for suffix in ("png", "jpg", "webp", "tif", "bmp"):
        write(tmp_path / f"a.{suffix}", Picture(red))
        assert read(tmp_path / f"a.{suffix}").pixels[4, 4, 0] > 240
        assert read(tmp_path / f"a.{suffix}").pixels[4, 4, 2] < 15
    assert tuple(cv2.imread(str(tmp_path / "a.png"))[0, 0]) == (0, 0, 255)


def test_formats_without_exif_are_turned_upright(tmp_path):
    picture = Picture(pixels(), Metadata(exif=EXIF))
    for suffix in ("tif", "bmp"):
        write(tmp_path / f"a.{suffix}", picture)
        np.testing.assert_array_equal(read(tmp_path / f"a.{suffix}").pixels, np.rot90(pixels(), -1))
    upright = picture.upright()
    assert upright.pixels.shape == (31, 24, 3)
    assert upright.upright().pixels.shape == (31, 24, 3)


def test_a_tiff_that_says_it_lies_on_its_side(tmp_path):
    image = pytest.importorskip("PIL.Image")
    side = image.Exif()
    side[0x112] = 6
    image.fromarray(pixels()).save(tmp_path / "a.tif", exif=side)
    back = read(tmp_path / "a.tif")  # OpenCV's imread returns None here
    np.testing.assert_array_equal(back.upright().pixels, np.rot90(pixels(), -1))


def test_tiff_keeps_16_bits_and_floats(tmp_path):
    for array in (pixels(3, np.uint16), pixels().astype(np.float32) / 255):
        write(tmp_path / "a.tif", Picture(array))
        back = read(tmp_path / "a.tif").pixels
        assert back.dtype == array.dtype
        np.testing.assert_array_equal(back, array)


def test_tiff_with_straight_alpha_keeps_its_colours(tmp_path):
    image = pytest.importorskip("PIL.Image")
    array = pixels(4)
    array[:, :, 3] = np.maximum(array[:, :, 3], 100)
    image.fromarray(array).save(tmp_path / "a.tif")
    assert np.abs(read(tmp_path / "a.tif").pixels.astype(int) - array).max() <= 2


def test_palette_with_transparency_and_one_bit(tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(pixels()).quantize(8).save(tmp_path / "p.png")
    assert read(tmp_path / "p.png").pixels.shape == (24, 31, 3)
    image.fromarray(pixels()).quantize(8).save(tmp_path / "t.png", transparency=0)
    assert read(tmp_path / "t.png").pixels.shape == (24, 31, 4)
    image.fromarray(pixels(1)[:, :, 0] > 128).save(tmp_path / "b.png")
    assert set(np.unique(read(tmp_path / "b.png").pixels)) <= {0, 255}


def test_one_transparent_grey(tmp_path):
    grey = np.array([[7, 8], [9, 7]], np.uint8)
    rows = zlib.compress(b"\0" + grey[0].tobytes() + b"\0" + grey[1].tobytes())
    head = struct.pack(">IIBBBBB", 2, 2, 8, 0, 0, 0, 0)
    body = (
        chunk(b"IHDR", head)
        + chunk(b"tRNS", b"\0\x07")
        + chunk(b"IDAT", rows)
        + chunk(b"IEND", b"")
    )
    (tmp_path / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    back = read(tmp_path / "a.png").pixels
    np.testing.assert_array_equal(back[:, :, 0], grey)
    np.testing.assert_array_equal(back[:, :, 1], [[0, 255], [255, 0]])


def test_depth_is_the_type_and_not_the_maximum(tmp_path):
    dark = np.full((5, 5, 3), 200, np.uint16)
    write(tmp_path / "a.png", Picture(dark))
    np.testing.assert_array_equal(read(tmp_path / "a.png").pixels, dark)


def test_16_bits_become_8_by_rounding(tmp_path):
    deep = np.array([0, 128, 129, 65535 - 129, 65535], np.uint16).reshape(1, 5, 1)
    write(tmp_path / "a.bmp", Picture(np.repeat(deep, 3, axis=2)))
    np.testing.assert_array_equal(read(tmp_path / "a.bmp").pixels[0, :, 0], [0, 0, 1, 254, 255])


def test_a_profile_of_another_kind_of_picture_is_left_out():
    assert icc_for(3, ICC) == ICC
    assert icc_for(1, ICC) is None
    assert icc_for(3, ICC.replace(b"RGB ", b"CMYK")) is None


def test_a_bomb_is_refused_before_decoding(tmp_path, monkeypatch):
    head = struct.pack(">IIBBBBB", 50_000, 50_000, 8, 2, 0, 0, 0)
    (tmp_path / "bomb.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    )
    monkeypatch.setattr(pictures, "_decode", lambda data: pytest.fail("decoded"))
    with pytest.raises(UserError, match="50000x50000 pixels, at most 300 million"):
        read(tmp_path / "bomb.png")
    assert header(tmp_path / "bomb.png").width == 50_000


def test_what_cannot_be_read(tmp_path, capfd):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("not a picture at all")
    good = cv2.imencode(".bmp", pixels())[1].tobytes()
    (tmp_path / "cut.bmp").write_bytes(good[: len(good) // 2])
    (tmp_path / "folder.png").mkdir()
    for name, words in [
        ("empty.png", "it is empty"),
        ("text.png", "not a known picture format"),
        ("cut.bmp", "BMP data are truncated or broken"),
        ("folder.png", "directory"),
        ("missing.png", "No such file"),
    ]:
        with pytest.raises(UserError, match=words):
            read(tmp_path / name)
    assert capfd.readouterr().err == ""


def test_what_cannot_be_written(tmp_path):
    for name, array, words in [
        ("a.xyz", pixels(), "written as .png"),
        ("a.jpg", pixels(4), "no transparency"),
        ("a.webp", np.zeros((1, 16384, 3), np.uint8), "at most 16383"),
        ("a.png", pixels().astype(np.float32), "no floating point"),
        ("none/a.png", pixels(), "folder does not exist"),
    ]:
        with pytest.raises(UserError, match=words):
            write(tmp_path / name, Picture(array))
    assert not list(tmp_path.iterdir())


def test_a_profile_that_cannot_be_used_is_told_in_one_sentence_and_by_nobody_else(tmp_path, capfd):
    whole = cv2.imencode(".png", np.zeros((8, 8, 3), np.uint8))[1].tobytes()
    body = b"iCCP" + b"bad\0\0" + zlib.compress(b"\0" * 140)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    path = tmp_path / "in.png"
    path.write_bytes(whole[:33] + chunk + whole[33:])
    found = pictures.read(path)
    assert found.metadata.icc is None
    (note,) = found.notes
    assert "cannot be used" in note
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("top", [1, 15, 100, 254, 255, 256, 1023, 4095, 65534, 65535])
@pytest.mark.parametrize("kind", [2, 3, 5, 6])
def test_levels_of_pnm_fill_their_range(tmp_path, kind, top):
    """By hand: round(level * most / top); OpenCV leaves them, or rounds them down."""
    levels = np.unique(np.linspace(0, top, 24).astype(int))
    levels = np.resize(levels, (4, 6, 3 if kind in (3, 6) else 1))
    raw = levels.astype(">u2" if top > 255 else "u1").tobytes()
    body = " ".join(map(str, levels.ravel())).encode() + b"\n" if kind < 4 else raw
    (tmp_path / "a.pnm").write_bytes(f"P{kind}\n6 4\n{top}\n".encode() + body)
    found = read(tmp_path / "a.pnm").pixels
    most = 65535 if top > 255 else 255
    assert found.dtype == (np.uint16 if top > 255 else np.uint8)
    np.testing.assert_array_equal(found, np.floor(levels * most / top + 0.5))
    assert header(tmp_path / "a.pnm").depth == 8 * found.itemsize


def test_an_animation_without_transparency_has_none(tmp_path):
    image = pytest.importorskip("PIL.Image")
    several = [image.fromarray(pixels(3, size=(20, 20 + i))).resize((20, 20)) for i in range(2)]
    several[0].save(tmp_path / "a.gif", save_all=True, append_images=several[1:])
    assert read(tmp_path / "a.gif").pixels.shape == (20, 20, 3)
    clear = image.fromarray(pixels(4))
    clear.putalpha(image.fromarray((pixels(1)[:, :, 0] > 128).astype(np.uint8) * 255))
    clear.save(tmp_path / "b.gif")
    assert set(np.unique(read(tmp_path / "b.gif").pixels[:, :, 3])) == {0, 255}


def test_a_text_that_is_too_long_is_told(tmp_path):
    write(tmp_path / "a.png", Picture(pixels(), Metadata(chunks=((b"tEXt", bytes(1 << 20)),))))
    assert read(tmp_path / "a.png").notes == ("Its texts of 1 MB and more are left out.",)


def tiff(path, array, **how):
    pytest.importorskip("tifffile").imwrite(path, array, **how)
    return read(path).pixels


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [2, 4])
@pytest.mark.parametrize("extra", [0, 1, 2])
def test_transparency_of_tiff_by_what_its_tag_says(tmp_path, dtype, channels, extra):
    most = 1 if dtype == np.float32 else np.iinfo(dtype).max
    straight = pixels(channels).astype(np.float64) / 255
    straight[..., -1] = np.maximum(straight[..., -1], 0.4)
    stored = straight.copy()
    if extra == 1:
        stored[..., :-1] *= straight[..., -1:]
    stored = (stored * most if most == 1 else np.rint(stored * most)).astype(dtype)
    kind = "minisblack" if channels == 2 else "rgb"
    found = tiff(tmp_path / "a.tif", stored, photometric=kind, extrasamples=[extra])
    assert found.dtype == dtype
    step = most / 255 if dtype == np.float32 else 1
    assert np.abs(found - straight * most).max() <= (2 if dtype == np.uint8 else 1.5) * step


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_of_opencv_says_nothing_of_its_alpha(tmp_path, dtype):
    array = pixels(4, dtype)
    cv2.imwrite(str(tmp_path / "a.tif"), cv2.cvtColor(array, cv2.COLOR_RGBA2BGRA))
    np.testing.assert_array_equal(read(tmp_path / "a.tif").pixels, array)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_tiff_of_one_plane_a_colour(tmp_path, dtype, channels, order):
    array = pixels(channels) / np.float32(255) if dtype == np.float32 else pixels(channels, dtype)
    how = {"photometric": "rgb", "planarconfig": "separate", "byteorder": order}
    how |= {"extrasamples": [0]} if channels == 4 else {}
    found = tiff(tmp_path / "a.tif", array.transpose(2, 0, 1), **how)
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_tiff_in_which_0_is_white(tmp_path, dtype):
    array = pixels(1, dtype)
    found = tiff(tmp_path / "a.tif", np.iinfo(dtype).max - array[:, :, 0], photometric="miniswhite")
    np.testing.assert_array_equal(found, array)


@pytest.mark.parametrize("channels", [1, 2, 3])
def test_a_deep_tiff_on_its_side_is_seen_upright(tmp_path, channels):
    array = pixels(channels, np.uint16)
    how = {"photometric": "rgb" if channels == 3 else "minisblack", "extratags": [(274, 3, 1, 6)]}
    how |= {"extrasamples": [2]} if channels == 2 else {}
    found = tiff(tmp_path / "a.tif", array if channels > 1 else array[:, :, 0], **how)
    np.testing.assert_array_equal(found, np.rot90(array, -1))
    assert (header(tmp_path / "a.tif").height, header(tmp_path / "a.tif").width) == (31, 24)


def test_the_stack_of_a_microscope(tmp_path):
    how = {"imagej": True, "metadata": {"axes": "ZYX", "spacing": 2.0}}
    tiff(tmp_path / "a.tif", np.stack([pixels(1)[:, :, 0]] * 5), **how)
    found = read(tmp_path / "a.tif")
    assert found.notes == (
        "Only the first of 5 pages is read.",
        "Its description is left out: it tells the size of a stack (ImageJ, OME).",
    )
    assert b"ImageJ=" not in found.metadata.exif


@pytest.mark.parametrize("side", [1, 6])
def test_the_density_of_a_tiff_is_turned_with_its_pixels(tmp_path, side):
    how = {"resolution": (300, 150), "resolutionunit": 2, "extratags": [(274, 3, 1, side)]}
    for array in (pixels(), pixels(2)):  # by OpenCV, by tifffile
        kind = "rgb" if array.shape[2] == 3 else "minisblack"
        tiff(tmp_path / "a.tif", array, photometric=kind, planarconfig="contig", **how)
        found = read(tmp_path / "a.tif")
        assert found.metadata.density == ((150, 300) if side == 6 else (300, 150))
        assert found.pixels.shape[:2] == ((31, 24) if side == 6 else (24, 31))


@pytest.mark.parametrize("kind", ["half floats", "a fifth channel"])
def test_a_whole_tiff_of_a_rare_kind_is_not_only_called_broken(tmp_path, kind):
    array = pixels().astype(np.float16) if kind == "half floats" else pixels(5)
    with pytest.raises(UserError, match=r"or of a kind that is not read .*\. Save it as PNG first"):
        tiff(tmp_path / "a.tif", array, photometric="rgb", planarconfig="contig")


def test_a_bigtiff_has_its_own_sentence(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(tmp_path / "a.tif", pixels(), bigtiff=True)
    with pytest.raises(UserError, match="it is a BigTIFF, which is not read. Save it as"):
        read(tmp_path / "a.tif")


@pytest.mark.parametrize("suffix", ["png", "webp", "gif", "tif", "avif", "mpo"])
def test_of_several_pictures_the_first_is_taken_and_a_sentence_says_so(tmp_path, suffix):
    image = pytest.importorskip("PIL.Image")
    several = [image.fromarray(pixels(3, size=(20, 20 + i))).resize((20, 20)) for i in range(3)]
    path = tmp_path / f"a.{suffix}"
    try:
        several[0].save(path, save_all=True, append_images=several[1:])
    except (KeyError, OSError, ValueError):
        pytest.skip(f"this Pillow writes no {suffix}")
    assert read(path).metadata.icc is None  # the index of an MPO is none
    (note,) = read(path).notes
    assert note == f"Only the first of 3 {'pages' if suffix == 'tif' else 'frames'} is read."
    several[0].save(path)
    assert read(path).notes == ()
    for end in range(20, path.stat().st_size, 31):  # a cut gives no other error
        (tmp_path / "cut").write_bytes(path.read_bytes()[:end])
        with suppress(UserError):
            header(tmp_path / "cut")


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_the_header_tells_which_way_is_up(tmp_path, suffix):
    write(tmp_path / f"a.{suffix}", Picture(pixels(), Metadata(exif=EXIF)))
    assert header(tmp_path / f"a.{suffix}").orientation == 6
    write(tmp_path / f"a.{suffix}", Picture(pixels()))
    assert header(tmp_path / f"a.{suffix}").orientation == 1


def halved(data):
    return data[: len(data) // 2] + b"\xff\xd9"


def zeroed(data):
    return data[: len(data) // 2] + bytes(3000) + data[len(data) // 2 + 3000 :]


@pytest.mark.parametrize("inks", [False, True])
@pytest.mark.parametrize("damage", [halved, zeroed])
def test_damaged_jpeg_data_are_told(tmp_path, damage, inks, capfd):
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    path = tmp_path / "a.jpg"
    if inks:
        pytest.importorskip("PIL.Image").fromarray(noise).convert("CMYK").save(path)
    else:
        write(path, Picture(noise))
    assert pictures.DAMAGED not in read(path).notes
    path.write_bytes(damage(path.read_bytes()))
    assert read(path).notes.count(pictures.DAMAGED) == 1
    write(path, Picture(noise))
    assert read(path).notes == ()  # that of another file is not told again
    assert capfd.readouterr().err == ""
