import os
import struct
from types import SimpleNamespace

import numpy as np
import pytest

from gantools.data import exif, pictures, segments, strips, tags, writing
from gantools.data.pictures import SUFFIXES, Metadata, Picture, header, read, write
from gantools.errors import UserError

PIXELS = np.random.default_rng(0).integers(0, 256, (24, 31, 3), np.uint8)
SRGB = (b"gAMA", (45455).to_bytes(4, "big"))
P3 = (b"cICP", bytes([12, 13, 0, 1]))


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif"])
def test_resolution_is_kept(tmp_path, suffix):
    write(tmp_path / f"a.{suffix}", Picture(PIXELS, Metadata(density=(300, 150))))
    found = read(tmp_path / f"a.{suffix}").metadata.density
    assert found == pytest.approx((300, 150), rel=1e-3)
    image = pytest.importorskip("PIL.Image")
    with image.open(tmp_path / f"a.{suffix}") as opened:
        assert tuple(map(float, opened.info["dpi"])) == pytest.approx((300, 150), rel=1e-3)


def test_a_picture_on_its_side_has_its_resolution_on_its_side(tmp_path):
    exif = tags.block({274: tags.short(6)})
    lying = Picture(PIXELS, Metadata(exif=exif, density=(300, 150)))
    assert lying.upright().metadata.density == (150, 300)


def test_colour_and_text_chunks_of_png_are_kept(tmp_path):
    chunks = (SRGB, P3, (b"tEXt", b"Title\0A cat"), (b"iTXt", b"Comment\0\0\0\0\0meow"))
    write(tmp_path / "a.png", Picture(PIXELS, Metadata(xmp=b"<x/>", chunks=chunks)))
    found = read(tmp_path / "a.png").metadata
    assert found.chunks == chunks
    assert found.xmp == b"<x/>"
    assert found.without_traces() == Metadata(chunks=(SRGB, P3))


def test_high_dynamic_range_is_told(tmp_path):
    for transfer, count in ((16, 1), (18, 1), (13, 0)):
        chunk = (b"cICP", bytes([9, transfer, 0, 1]))
        write(tmp_path / "a.png", Picture(PIXELS, Metadata(chunks=(chunk,))))
        assert len(read(tmp_path / "a.png").notes) == count


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "tif"])
def test_the_file_tells_what_made_it(tmp_path, suffix):
    image = pytest.importorskip("PIL.Image")
    old = Metadata(
        exif=tags.block({271: tags.text("Maker"), 305: tags.text("Camera 1.0")}),
        chunks=((b"tEXt", b"Software\0Painter"),),
    )
    write(tmp_path / f"a.{suffix}", Picture(PIXELS, old), software="gantools 9 superres fast x4")
    with image.open(tmp_path / f"a.{suffix}") as opened:
        opened.load()
        said = opened.info.get("Software") or opened.getexif()[305]
        assert said == "gantools 9 superres fast x4"
        assert opened.getexif()[271] == "Maker"


def test_a_jpeg_without_exif_gets_the_name_too(tmp_path):
    write(tmp_path / "a.jpg", Picture(PIXELS), software="me")
    assert tags.read(read(tmp_path / "a.jpg").metadata.exif) == {305: tags.text("me")}


def test_the_png_does_not_depend_on_the_bands(tmp_path, monkeypatch):
    monkeypatch.setattr(strips, "STRIP_BYTES", 700)
    files = []
    for i, heights in enumerate(([24], [1] * 24, [5, 18, 1])):
        with writing.stream(tmp_path / f"{i}.png", PIXELS.shape, np.uint8, Metadata()) as writer:
            at = 0
            for height in heights:
                writer.rows(PIXELS[at : at + height])
                at += height
        files.append((tmp_path / f"{i}.png").read_bytes())
    assert files[0] == files[1] == files[2]


def test_a_full_disk_is_known_before(tmp_path, monkeypatch):
    little = SimpleNamespace(f_bavail=10, f_frsize=1000)
    monkeypatch.setattr(os, "statvfs", lambda path: little)
    writing.check_space(tmp_path / "a.png", 100, 100, 3)
    with pytest.raises(UserError, match="at least 3 MB are needed and 0 MB are free"):
        writing.check_space(tmp_path / "a.png", 3000, 3000, 3)
    writing.check_space(tmp_path / "a.jpg", 500, 500, 3)


def test_four_gigabytes_of_bmp(tmp_path):
    with pytest.raises(UserError, match="at most 4 GB"):
        writing.check_writable(tmp_path / "a.bmp", 40_000, 40_000, 3)
    assert writing.check_writable(tmp_path / "a.tif", 40_000, 40_000, 3) == "tiff"


def test_what_a_format_cannot_keep():
    full = Metadata(b"e", bytes(16) + b"RGB ", b"x", (72, 72), (P3, (b"tEXt", b"a\0b")))
    assert writing.lost(full, "png", 3) == []
    assert writing.lost(full, "jpeg", 3) == ["the texts of the PNG"]
    assert writing.lost(full, "bmp", 3)[:2] == ["EXIF, ICC profile and XMP", "the resolution"]
    assert len(writing.lost(Metadata(chunks=(P3,)), "webp", 3)) == 1
    assert writing.lost(Metadata(), "bmp", 3) == []


@pytest.mark.parametrize(
    ("space", "channels", "kept"),
    [(b"GRAY", 1, ("png", "jpeg", "tiff", "avif")), (b"GRAY", 2, ("png", "jpeg", "tiff")),
     (b"RGB ", 1, ("webp",)), (b"RGB ", 3, ("png", "jpeg", "webp", "tiff", "avif"))],
)  # fmt: skip
def test_a_profile_of_another_kind_is_told(space, channels, kept):
    for kind in ("png", "jpeg", "webp", "tiff", "avif"):
        told = writing.lost(Metadata(icc=bytes(16) + space), kind, channels)
        assert [words[:18] for words in told] == ["the colour profile"] * (kind not in kept)


@pytest.mark.parametrize(
    ("length", "software", "kept"),
    [(65527, None, True), (65528, None, False), (65400, "me", True), (65500, "me", False)],
)
def test_exif_fills_a_segment_of_a_jpeg_or_what_is_up_is_kept(tmp_path, length, software, kept):
    """The name of the program makes it longer."""
    book = {271: tags.text("Maker"), 274: tags.short(6)}
    data = Metadata(tags.block(book).ljust(length, b"p"))
    write(tmp_path / "a.jpg", Picture(PIXELS, data), software=software)
    found = tags.read(read(tmp_path / "a.jpg").metadata.exif)
    named = {305: tags.text("me")} if software else {}
    assert found == (book if kept else {274: tags.short(6)}) | named
    told = writing.lost(data, "jpeg", 3, software)
    assert told == ([] if kept else ["EXIF of more than 64 KB, but for the orientation"])
    for suffix in ("png", "webp", "avif"):
        write(tmp_path / f"a.{suffix}", Picture(PIXELS, data), software=software)
        assert 271 in tags.read(read(tmp_path / f"a.{suffix}").metadata.exif)
        assert writing.lost(data, suffix, 3, software) == []


@pytest.mark.parametrize(("length", "kept"), [(65502, True), (65503, False), (200_000, False)])
def test_xmp_of_a_jpeg_has_one_segment(tmp_path, length, kept):
    data = Metadata(xmp=b"<" + b"x" * (length - 2) + b">")
    write(tmp_path / "a.jpg", Picture(PIXELS, data))
    assert read(tmp_path / "a.jpg").metadata.xmp == (data.xmp if kept else None)
    assert writing.lost(data, "jpeg", 3) == ([] if kept else ["XMP of more than 64 KB"])
    for suffix in ("png", "webp", "tif", "avif"):
        write(tmp_path / f"a.{suffix}", Picture(PIXELS, data))
        assert read(tmp_path / f"a.{suffix}").metadata.xmp == data.xmp


@pytest.mark.parametrize("length", [200, 65519, 65520, 300_000])
def test_a_profile_of_any_length_goes_into_a_jpeg(tmp_path, length):
    icc = (bytes(16) + b"RGB ").ljust(length, b"p")
    write(tmp_path / "a.jpg", Picture(PIXELS, Metadata(icc=icc, xmp=b"<x/>", density=(72, 72))))
    found = read(tmp_path / "a.jpg")
    assert found.metadata == Metadata(icc=icc, xmp=b"<x/>", density=(72, 72))
    image = pytest.importorskip("PIL.Image")
    with image.open(tmp_path / "a.jpg") as opened:
        assert opened.info["icc_profile"] == icc
    assert writing.lost(Metadata(icc=icc), "jpeg", 3) == []
    assert writing.lost(Metadata(icc=bytes(16) + b"RGB " + bytes(1 << 24)), "jpeg", 3)


def test_what_opencv_cannot_encode_is_told_with_the_name(tmp_path, monkeypatch):
    opencv = SimpleNamespace(**vars(writing.opencv()))
    opencv.imencodeWithMetadata = lambda *_: (False, None)
    monkeypatch.setattr(writing, "opencv", lambda: opencv)
    with pytest.raises(UserError, match=r"Cannot write '.*a\.webp': .* Choose \.png or \.tif"):
        write(tmp_path / "a.webp", Picture(PIXELS))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("suffix", "most"), [("png", 5e7), ("jpg", 65534), ("tif", 4e9), ("webp", 4e9), ("avif", 4e9)]
)
def test_resolutions_of_microscopes_are_kept_or_told(tmp_path, suffix, most):
    for density, kept in (((most, most), True), ((300, 1.01 * most), False)):
        data, path = Metadata(density=density), tmp_path / f"a.{suffix}"
        write(path, Picture(PIXELS, data))
        found = read(path).metadata
        about = tags.read(found.exif or b"")
        found = found.density or tuple(tags.number(about, tag) for tag in (282, 283))
        assert found == (pytest.approx(density) if kept else (0, 0))
        told = writing.lost(data, writing.kind_of(path), 3)
        assert told == ([] if kept else ["the resolution"])


@pytest.mark.parametrize("order", [b"II", b"MM", None])
@pytest.mark.parametrize("suffix", ["webp", "avif"])
def test_resolution_goes_into_exif_where_there_is_no_other_place(tmp_path, suffix, order):
    old = tags.block({271: tags.text("Maker")})
    if order == b"MM":
        old = b"MM\0*" + struct.pack(">IHHHI4s4x", 8, 1, 271, 2, 4, b"abc\0")
    data = Metadata(exif=old if order else None, density=(300, 150))
    write(tmp_path / f"a.{suffix}", Picture(PIXELS, data), software="me")
    found = tags.read(read(tmp_path / f"a.{suffix}").metadata.exif)
    assert [tags.number(found, tag) for tag in (282, 283, 296)] == [300, 150, 2]
    assert found[305] == tags.text("me")
    assert (271 in found) == (order is not None)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_with_alpha_goes_into_tiff_and_back(tmp_path, dtype):
    pytest.importorskip("tifffile")
    pixels = PIXELS[:, :, :2].astype(dtype) * (np.iinfo(dtype).max // 255)
    write(tmp_path / "a.tif", Picture(pixels, Metadata(density=(300, 300))))
    found = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.pixels, pixels)
    assert found.metadata.density == (300, 300)


def test_float_has_one_format(tmp_path):
    for suffix in ("png", "jpg", "webp", "bmp", "avif"):
        with pytest.raises(UserError, match=r"no floating point.*\.tif"):
            write(tmp_path / f"a.{suffix}", Picture(PIXELS.astype(np.float32)))
    assert not list(tmp_path.iterdir())


def inked(path, icc=None, **how):
    image = pytest.importorskip("PIL.Image")
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 1:3] = 255  # magenta and yellow: red
    image.fromarray(inks, "CMYK").save(path, icc_profile=icc, quality=95, **how)
    return path


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("suffix", ["jpg", "tif"])
def test_inks_become_colours_with_a_sentence(tmp_path, suffix):
    found = read(inked(tmp_path / f"a.{suffix}"))
    assert header(tmp_path / f"a.{suffix}").cmyk
    assert found.pixels.shape == (16, 16, 3)
    assert found.pixels[8, 8, 0] > 230
    assert found.pixels[8, 8, 1:].max() < 40
    assert "CMYK" in found.notes[0]
    assert "no profile" in found.notes[0]


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_what_a_picture_of_inks_says_is_kept(tmp_path):
    book = tags.block({270: tags.text("A rose"), 274: tags.short(6)})
    how = {"dpi": (300, 150), "exif": b"Exif\0\0" + book, "xmp": b"<x/>"}
    found = read(inked(tmp_path / "a.jpg", **how)).metadata
    assert found == Metadata(book, None, b"<x/>", (300, 150))
    assert header(tmp_path / "a.jpg").channels == 3
    inked(tmp_path / "a.tif", dpi=(300, 150), description="A rose", tiffinfo={700: b"<x/>"})
    found = read(tmp_path / "a.tif").metadata
    assert tags.read(found.exif)[270] == tags.text("A rose")
    assert (found.icc, found.xmp, found.density) == (None, b"<x/>", (300, 150))
    assert header(tmp_path / "a.tif").channels == 3  # and so it may become a JPEG


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_of_several_pages_of_inks_the_first_is_told(tmp_path):
    image = pytest.importorskip("PIL.Image")
    page = image.new("CMYK", (9, 8))
    page.save(tmp_path / "a.tif", save_all=True, append_images=[page, page])
    assert read(tmp_path / "a.tif").notes[1:] == ("Only the first of 3 pages is read.",)


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_deep_inks_and_a_fifth_ink(tmp_path):
    library, inks = pytest.importorskip("tifffile"), np.zeros((9, 8, 5), np.uint16)
    library.imwrite(tmp_path / "a.tif", inks[..., :4], photometric="separated")
    found = read(tmp_path / "a.tif")
    assert (found.pixels.dtype, found.pixels.min()) == (np.uint8, 255)
    assert "to sRGB of 8 bits by a plain formula" in found.notes[0]
    library.imwrite(tmp_path / "b.tif", inks, photometric="separated", extrasamples=[2])
    with pytest.raises(UserError, match=r"cannot be read \(its depth or channels are of a rare"):
        read(tmp_path / "b.tif")


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
@pytest.mark.parametrize("value", range(1, 9))
@pytest.mark.parametrize("packed", ["raw", "tiff_lzw"])
def test_inks_on_their_side_are_seen_upright(tmp_path, value, packed):
    """Pillow spoils 5 to 8 in plain TIFFs that it opens by their path."""
    image = pytest.importorskip("PIL.Image")
    inks = np.zeros((*PIXELS.shape[:2], 4), np.uint8)
    inks[..., :3] = 255 - PIXELS
    how = {"compression": packed, "tiffinfo": {274: value}, "dpi": (300, 150)}
    image.fromarray(inks, "CMYK").save(tmp_path / "a.tif", **how)
    found = read(tmp_path / "a.tif")
    np.testing.assert_array_equal(found.pixels, exif.turned(PIXELS, value))
    assert found.metadata.density == ((150, 300) if value > 4 else (300, 150))


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_inks_without_the_library_are_refused_with_the_remedy(tmp_path, monkeypatch):
    path = inked(tmp_path / "a.jpg")
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(UserError, match=r"CMYK.*pip install \"gantools\[pictures\]\""):
        read(path)


def test_damage_gives_one_sentence_each(tmp_path):
    """300 files with bytes changed or cut: read, or refused by a sentence; nothing else."""
    rng, seen = np.random.default_rng(0), set()
    rich = Picture(PIXELS, Metadata(tags.block({271: tags.text("Maker")}), None, b"<x/>", (72, 72)))
    for suffix in ("png", "jpg", "webp", "tif", "bmp", "avif"):
        write(tmp_path / f"good.{suffix}", rich)
        good = (tmp_path / f"good.{suffix}").read_bytes()
        for i in range(60):
            bad = bytearray(good[: rng.integers(1, len(good))] if i % 2 else good)
            for at in rng.integers(0, len(bad), 4):
                bad[at] = rng.integers(256)
            (tmp_path / f"bad.{suffix}").write_bytes(bad)
            try:
                read(tmp_path / f"bad.{suffix}")
                seen.add("read")
            except UserError as error:
                assert str(error).count("\n") == 0
                seen.add("refused")
    assert seen == {"read", "refused"}
    assert pictures.MAX_PIXELS > 0


XMP = b'<a tiff:Orientation="6"/>'
SIDE = tags.block({274: tags.short(6)} | tags.resolution((300, 150)))


@pytest.mark.parametrize("suffix", ["tif", "avif", "bmp"])
def test_what_stands_upright_says_so_everywhere(tmp_path, suffix):
    """Lightroom turns by XMP what has no other orientation."""
    write(tmp_path / f"a.{suffix}", Picture(PIXELS, Metadata(SIDE, xmp=XMP)))
    back = read(tmp_path / f"a.{suffix}")
    assert back.pixels.shape[:2] == PIXELS.shape[1::-1]
    if suffix != "bmp":
        assert back.metadata.xmp == XMP.replace(b"6", b"1")
    if suffix == "tif":
        assert tags.read((tmp_path / "a.tif").read_bytes())[274] == tags.short(1)


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
def test_what_lies_on_its_side_says_so_everywhere(tmp_path, suffix):
    write(tmp_path / f"a.{suffix}", Picture(PIXELS, Metadata(SIDE, xmp=XMP)))
    back = read(tmp_path / f"a.{suffix}").metadata
    assert (exif.orientation(back.exif), back.xmp) == (6, XMP)
    assert back.density == (300, 150)  # no other place tells it


def test_a_tiff_that_its_reader_turns_has_xmp_that_stands_upright(tmp_path):
    image = pytest.importorskip("PIL.Image")
    image.fromarray(PIXELS).save(tmp_path / "a.tif", tiffinfo={274: 6, 700: XMP})
    assert read(tmp_path / "a.tif").metadata.xmp == XMP.replace(b"6", b"1")


def test_exif_of_a_webp_that_begins_as_in_a_jpeg(tmp_path):
    write(tmp_path / "a.webp", Picture(PIXELS, Metadata(exif.PREFIX + SIDE)))
    assert b"Exif\0\0II" in (tmp_path / "a.webp").read_bytes()
    back = read(tmp_path / "a.webp")
    assert back.metadata.exif == SIDE
    assert back.upright().pixels.shape[:2] == PIXELS.shape[1::-1]


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp", "avif"])
def test_iptc_and_comments_are_kept_in_jpeg_and_told_elsewhere(tmp_path, suffix):
    data, kind = Metadata(iptc=b"\x1c\2xodd", comments=(b"one", b"two")), SUFFIXES[f".{suffix}"]
    write(tmp_path / f"a.{suffix}", Picture(PIXELS, data))
    back = read(tmp_path / f"a.{suffix}").metadata
    kept = suffix == "jpg"
    assert (back.iptc, back.comments) == ((data.iptc, data.comments) if kept else (None, ()))
    told = writing.lost(data, kind, 3)
    assert told == ([] if kept else ["IPTC", "the comments of the JPEG"])
    large = Metadata(iptc=bytes(segments.LARGEST + 1))
    assert writing.lost(large, "jpeg", 3) == ["IPTC of more than 64 KB"]
    write(tmp_path / "large.jpg", Picture(PIXELS, large))
    assert read(tmp_path / "large.jpg").metadata.iptc is None
    assert data.without_traces() == Metadata()


def test_xmp_that_goes_on_is_left_out_with_a_sentence(tmp_path):
    packet = b'<a xmpNote:HasExtendedXMP="0A" b="1"/>'
    write(tmp_path / "a.jpg", Picture(PIXELS, Metadata(xmp=packet)))
    data, body = (tmp_path / "a.jpg").read_bytes(), segments.EXTENDED_XMP + bytes(40)
    more = struct.pack(">BBH", 255, 0xE1, 2 + len(body)) + body
    (tmp_path / "a.jpg").write_bytes(data[:20] + more + data[20:])
    back = read(tmp_path / "a.jpg")
    assert back.metadata.xmp == b'<a b="1"/>'
    assert back.notes == ("Left out: its extended XMP.",)
