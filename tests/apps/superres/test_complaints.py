"""What users of other upscalers suffer from, one test a fault, named after it.

Where the fault was reported: "ours" would be the same mistake made here.
"""

import json
import re
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gantools.apps.superres import model as files
from gantools.apps.superres.enlarge import Output, enlarge_file
from gantools.apps.superres.sizes import Wish
from gantools.apps.superres.upscaler import Upscaler

from gantools.cli import main
from gantools.data import exif, tags
from gantools.data.pictures import Metadata, Picture, read, write
from gantools.data.resample import resize
from gantools.errors import ALL_FAILED, UserError

ICC = struct.pack(">I4xI4s4s4s12x4s28xIII48xI", 332, 0x02000000, b"mntr", b"RGB ", b"XYZ ", b"acsp",
                  0xF6D6, 0x10000, 0xD32D, 0) + np.random.default_rng(0).bytes(200)  # fmt: skip


@pytest.fixture
def upscaler(make_network):
    return Upscaler(make_network(gain=0.1), largest=48)


def through(tmp_path, upscaler, picture, source="png", target="png", **output):
    """Write a picture, enlarge the file, read the result."""
    write(tmp_path / f"a.{source}", picture)
    made = enlarge_file(
        tmp_path / f"a.{source}", tmp_path / f"b.{target}", upscaler, Output(**output)
    )
    return read(tmp_path / f"b.{target}"), made


def test_import_of_a_training_stack_breaks_enlarging(tmp_path, weights, picture):
    """BasicSR #533, #663: here keras, tensorflow and torch may be missing altogether."""
    write(tmp_path / "a.png", Picture(picture(20, 20)))
    words = ["superres", str(tmp_path / "a.png"), "-q", "--model", str(weights)]
    code = (
        "import sys\n"
        "for name in ('keras', 'tensorflow', 'torch', 'torchvision', 'jax', 'sklearn', 'PIL'):\n"
        "    sys.modules[name] = None\n"
        f"from gantools.cli import main; sys.exit(main({words!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "a_x4.png").exists()


def test_black_pictures_in_half_precision(make_network, picture):
    """Real-ESRGAN #330, #479: a tile that is not the picture is made again in float32."""
    upscaler, pixels = Upscaler(make_network()), picture(60, 60) // 2 + 100
    engine = upscaler.engine()
    expected = np.concatenate([b.copy() for b in upscaler.bands(pixels)]).astype(int)
    engine.run = lambda tile: np.zeros((240, 240, 3), np.uint8)
    made = np.concatenate([b.copy() for b in upscaler.bands(pixels)])
    assert np.abs(made - expected).max() <= 1
    assert upscaler.redone() == 1


def test_an_error_in_a_tile_is_printed_and_success_reported(
    tmp_path, weights, picture, monkeypatch
):
    """Real-ESRGAN #306: the tile loop swallowed the error."""
    write(tmp_path / "a.png", Picture(picture(20, 20)))

    def full(*_):
        raise MemoryError("std::bad_alloc")

    monkeypatch.setattr("gantools.apps.superres.engine.OpenCv.run", full)
    words = ["superres", str(tmp_path / "a.png"), "--model", str(weights), "--engine", "opencv"]
    assert main(words) == ALL_FAILED
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == ["a.png"]


def test_seams_between_tiles(make_network, picture):
    """Real-ESRGAN #211."""
    network, pixels = make_network(gain=0.2), picture(100, 130)
    whole, tiled = (
        np.concatenate([b.copy() for b in Upscaler(network, largest=n).bands(pixels)])
        for n in (512, 40)
    )
    np.testing.assert_array_equal(whole, tiled)


@pytest.mark.parametrize("level", [0, 1, 77, 128, 254, 255])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_white_is_no_longer_white(level, dtype, make_network):
    """Real-ESRGAN #246: 255 became 254. The networks of the package, inside and at the edge."""
    pixels = np.full((40, 40, 3), level * (np.iinfo(dtype).max // 255), dtype)
    made = np.concatenate([b.copy() for b in Upscaler(files.load("fast", 4)).bands(pixels)])
    inside = made[44:-44, 44:-44].astype(float) / (np.iinfo(dtype).max / 255)
    assert np.abs(inside - level).max() <= (0 if dtype == np.uint8 else 0.1)
    at_edges = made.astype(float) / (np.iinfo(dtype).max / 255) - level
    assert np.abs(at_edges).max() <= 3  # zeros beyond the edge are seen by the network


def test_colours_drift(upscaler, picture):
    """Tencent/Real-SR #6, upscayl #1133: the mean of each channel stays."""
    pixels = picture(64, 80) // 2 + 60
    made = np.concatenate([b.copy() for b in upscaler.bands(pixels)])
    drift = made.mean(axis=(0, 1)) - pixels.mean(axis=(0, 1))
    plain = Upscaler(upscaler.network, projection=False).bands(pixels)
    without = np.concatenate([b.copy() for b in plain]).mean(axis=(0, 1)) - pixels.mean(axis=(0, 1))
    assert np.abs(drift).max() < 0.3
    assert np.abs(without).max() > 1


def test_grey_turns_yellow(upscaler, picture, tmp_path):
    """SAFMN #13: a grey picture has one channel before and after."""
    made, _ = through(tmp_path, upscaler, Picture(picture(30, 30, 1)))
    assert made.pixels.shape == (120, 120, 1)


@pytest.mark.parametrize("target", ["png", "jpg", "webp", "tif", "avif"])
def test_the_colour_profile_is_dropped(target, tmp_path, upscaler, picture):
    """upscayl #84, #565, #746: Display P3 photographs faded."""
    made, _ = through(tmp_path, upscaler, Picture(picture(), Metadata(icc=ICC)), target=target)
    assert made.metadata.icc == ICC


def test_a_profile_told_by_a_chunk_is_dropped(tmp_path, upscaler, picture):
    """upscayl #1265: cICP."""
    chunks = ((b"gAMA", b"\0\0\xb1\x8f"), (b"cICP", bytes([12, 13, 0, 1])))
    made, _ = through(tmp_path, upscaler, Picture(picture(), Metadata(chunks=chunks)))
    assert made.metadata.chunks[:2] == chunks
    _, told = through(tmp_path, upscaler, Picture(picture(), Metadata(chunks=chunks)), "png", "jpg")
    assert "JPEG cannot keep the colour space" in told.notes[0]


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("target", ["png", "jpg", "webp", "tif", "bmp", "avif"])
def test_png_to_jpeg_is_grey_garbage(channels, dtype, target, tmp_path, upscaler, picture):
    """upscayl #1040: every kind of picture in every format shows the same picture."""
    pixels = picture(24, 36, channels, dtype)
    background = (255, 255, 255) if channels in (2, 4) and target in ("jpg", "bmp") else None
    if target == "tif" and channels == 2:
        pytest.importorskip("tifffile")
    made, _ = through(tmp_path, upscaler, Picture(pixels), "png", target, background=background)
    expected = np.concatenate([b.copy() for b in upscaler.bands(pixels)]).astype(float)
    expected /= np.iinfo(dtype).max
    if background:
        alpha = expected[..., -1:]
        expected = expected[..., :-1] * alpha + 1 - alpha
    got = made.pixels / np.iinfo(made.pixels.dtype).max
    if got.shape[2] > expected.shape[2]:  # WebP and BMP have no grey
        expected = expected[..., [0, 0, 0, -1][: got.shape[2]]]
    visible = expected[..., -1:] > 0.05 if got.shape[2] in (2, 4) else np.ones((1, 1, 1), bool)
    assert np.abs(np.where(visible, got - expected, 0)).mean() < (
        0.003 if target in ("png", "tif", "bmp") else 0.05
    )


@pytest.mark.parametrize("target", ["png", "jpg", "webp", "tif", "avif"])
def test_exif_is_lost(target, tmp_path, upscaler, picture):
    """upscayl #214, #327, #941: date, place, and the camera."""
    book = {
        271: tags.text("Maker"), 306: tags.text("2026:01:02 03:04:05"),
        0x8769: {36867: tags.text("2026:01:02 03:04:05")}, 0x8825: {1: tags.text("N")},
    }  # fmt: skip
    old = Picture(picture(), Metadata(exif=tags.block(book), xmp=b"<x>words</x>"))
    made, _ = through(tmp_path, upscaler, old, "jpg", target)
    found = tags.read(made.metadata.exif)
    assert {tag: found[tag] for tag in (271, 306, 0x8825)} == {
        t: book[t] for t in (271, 306, 0x8825)
    }
    assert found[0x8769][36867] == book[0x8769][36867]
    assert made.metadata.xmp == b"<x>words</x>"


def test_private_data_cannot_be_left_out(tmp_path, upscaler, picture):
    """upscayl #746: --strip-metadata. Colours stay right, and so does what is up."""
    book = {274: tags.short(6), 0x8825: {1: tags.text("N")}}
    old = Picture(picture(24, 36), Metadata(tags.block(book), ICC, b"<x/>", (72, 72)))
    made, _ = through(tmp_path, upscaler, old, strip=True)
    assert made.metadata.exif is None
    assert made.metadata.xmp is None
    assert made.metadata.icc == ICC
    assert made.pixels.shape == (144, 96, 3)  # upright
    data = (tmp_path / "b.png").read_bytes()
    assert b"eXIf" not in data
    assert b"<x/>" not in data


@pytest.mark.parametrize("wish", [None, Wish(width=96), Wish(size=(96, 288)), Wish(fit=(96, 999))])
def test_rotated_photographs_lie_on_their_side(wish, tmp_path, upscaler, picture):
    """upscayl #1488. A width that is asked for is the one that is seen."""
    old = Picture(picture(24, 36), Metadata(tags.block({274: tags.short(6)})))
    made, _ = through(tmp_path, upscaler, old, wish=wish)
    assert exif.orientation(made.metadata.exif) == 6
    upright = made.upright().pixels
    assert upright.shape[1] == 96
    if wish is None or wish.width:
        seen = resize(old.upright().pixels.astype(float), size=upright.shape[:2])
        assert np.abs(upright - seen).mean() < 20


def test_a_width_is_refused_that_is_only_the_stored_one(tmp_path, upscaler, picture):
    """Ours: 24x72 as seen, stored as 72x24: a width of 48 is an enlargement."""
    lying = Picture(picture(24, 72), Metadata(tags.block({274: tags.short(6)})))
    made, _ = through(tmp_path, upscaler, lying, wish=Wish(width=48))
    assert made.upright().pixels.shape == (144, 48, 3)
    with pytest.raises(UserError, match="cannot become"):
        through(tmp_path, upscaler, Picture(picture(24, 72)), wish=Wish(width=48))


def test_dark_fringes_around_transparency(tmp_path, make_network):
    """waifu2x-ncnn-vulkan #149, chaiNNer #1773: black under full transparency bleeds into edges."""
    y, x = np.mgrid[:40, :40]
    pixels = np.zeros((40, 40, 4), np.uint8)
    inside = np.hypot(y - 20, x - 20) < 12
    pixels[inside] = (250, 240, 230, 255)
    made, _ = through(tmp_path, Upscaler(make_network(gain=0)), Picture(pixels))
    seen = made.pixels[made.pixels[..., 3] > 0]
    assert seen[:, 0].min() >= 245
    assert seen[:, 2].min() >= 225


@pytest.mark.parametrize("wish", [None, Wish(scale=2.7)])
def test_sprites_get_blurred_edges(wish, tmp_path, upscaler, picture):
    """nunif #363: what was either clear or opaque stays so."""
    pixels = picture(40, 40, 4)
    pixels[..., 3] = np.where(pixels[..., 3] > 120, 255, 0)
    made, _ = through(tmp_path, upscaler, Picture(pixels), wish=wish)
    assert set(np.unique(made.pixels[..., 3])) == {0, 255}
    assert abs((made.pixels[..., 3] > 0).mean() - (pixels[..., 3] > 0).mean()) < 0.02


def test_16_bits_become_8(tmp_path, make_network, picture):
    """Real-ESRGAN decides by the maximum: a dark picture of 16 bits is taken for one of 8."""
    dark = picture(24, 24, dtype=np.uint16) // 512
    made, _ = through(tmp_path, Upscaler(make_network(gain=0)), Picture(dark))
    assert made.pixels.dtype == np.uint16
    assert made.pixels.max() < 300


def test_the_limit_is_found_at_the_end(tmp_path, upscaler, picture, monkeypatch):
    """upscayl #469, #768: size and disk are checked before anything is decoded."""
    monkeypatch.setattr("gantools.data.pictures._decode", lambda data: pytest.fail("decoded"))
    write(tmp_path / "a.png", Picture(picture(1, 4100)))
    with pytest.raises(UserError, match="WEBP holds at most 16383"):
        enlarge_file(tmp_path / "a.png", tmp_path / "b.webp", upscaler)

    class Little:
        f_bavail, f_frsize = 0, 512

    monkeypatch.setattr("os.statvfs", lambda path: Little)
    with pytest.raises(UserError, match="MB are free"):
        enlarge_file(tmp_path / "a.png", tmp_path / "b.png", upscaler)


def test_one_big_tile_fills_the_memory(weights, tmp_path, picture):
    """chaiNNer #2007, #2351: a budget makes the tiles smaller and changes no pixel."""
    write(tmp_path / "a.png", Picture(picture(300, 300)))
    words = ["superres", str(tmp_path / "a.png"), "--model", str(weights), "-q", "-o"]
    report = tmp_path / "r.json"
    assert main([*words, str(tmp_path / "b.png")]) == 0
    assert main([*words, str(tmp_path / "c.png"), "--memory", "150M", "--report", str(report)]) == 0
    assert json.loads(report.read_text())["largest_tile"] < 150
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()


def test_which_model_made_this_file(tmp_path, upscaler, picture):
    """upscayl #340: the file tells."""
    made, _ = through(tmp_path, upscaler, Picture(picture(20, 20)))
    ((kind, text),) = made.metadata.chunks
    assert kind == b"tEXt"
    assert text.startswith(b"Software\0gantools ")
    assert text.endswith(b"superres fast x4")
    made, _ = through(tmp_path, upscaler, Picture(picture(20, 20)), wish=Wish(width=33))
    assert made.metadata.chunks[0][1].endswith(b"superres fast x4 to 33x33")


def test_settings_count_only_for_single_files(tmp_path, weights, picture):
    """upscayl #597, #646: a folder gives the bytes that each file alone gives."""
    (tmp_path / "in/deep").mkdir(parents=True)
    for seed, name in enumerate(("a.png", "b.jpg", "deep/c.webp", "deep/d.tif")):
        write(tmp_path / "in" / name, Picture(picture(30, 40, seed=seed)))
    how = ["--model", str(weights), "--scale", "2.5", "-q", "--tta", "2"]
    assert (
        main(["superres", str(tmp_path / "in"), "--recursive", *how, "-o", str(tmp_path / "out")])
        == 0
    )
    made = sorted(path for path in (tmp_path / "out").rglob("*") if path.is_file())
    names = [path.relative_to(tmp_path / "out").as_posix() for path in made]
    assert names == ["a_x2.5.png", "b_x2.5.jpg", "deep/c_x2.5.webp", "deep/d_x2.5.tif"]
    for path in made:
        source = (
            tmp_path
            / "in"
            / path.relative_to(tmp_path / "out").with_name(path.name.replace("_x2.5", ""))
        )
        alone = tmp_path / f"alone{path.suffix}"
        assert main(["superres", str(source), *how, "-o", str(alone)]) == 0
        assert alone.read_bytes() == path.read_bytes()


def test_resolution_for_printing_is_lost(tmp_path, upscaler, picture):
    """A print keeps its size: four times the pixels, four times as many of them an inch."""
    made, _ = through(tmp_path, upscaler, Picture(picture(), Metadata(density=(72, 72))))
    assert made.metadata.density == pytest.approx((288, 288), rel=1e-3)


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_inks_are_taken_for_light(tmp_path, upscaler):
    """A CMYK photograph comes out as colours, and a sentence tells by what rule."""
    image = pytest.importorskip("PIL.Image")
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[..., 1:3] = 255
    image.fromarray(inks, "CMYK").save(tmp_path / "a.jpg", quality=95)
    made = enlarge_file(tmp_path / "a.jpg", tmp_path / "b.png", upscaler)
    assert "CMYK" in made.notes[0]
    assert read(tmp_path / "b.png").pixels[32, 32, 0] > 200


def test_every_complaint_names_a_test_that_exists():
    """docs/superres.md: each row names tests, or says why there is none."""
    root = Path(__file__).parents[3]
    text = (root / "docs/superres.md").read_text(encoding="utf-8")
    part = text.split("## What others are complained about")[1].split("\n## ")[0]
    rows = [line for line in part.splitlines() if line.startswith("| ")][2:]
    assert len(rows) >= 16
    known = {
        name
        for path in (root / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named or "no test" in row, row
        assert set(named) <= known, set(named) - known
