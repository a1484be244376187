import numpy as np
import pytest

from gantools.data import avif, exif, tags
from gantools.data.headers import parse
from gantools.data.pictures import Metadata, Picture, header, read, write
from gantools.errors import UserError


def smooth(channels, dtype):
    import cv2

    top = np.iinfo(dtype).max
    coarse = np.random.default_rng(0).random((6, 8, channels))
    return (cv2.resize(coarse, (80, 64)).reshape(64, 80, channels) * top).astype(dtype)


@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_kind_goes_in_and_out(tmp_path, channels, dtype):
    pixels = smooth(channels, dtype)
    write(tmp_path / "a.avif", Picture(pixels), quality=100)
    said, found = header(tmp_path / "a.avif"), read(tmp_path / "a.avif").pixels
    kept = 4 if channels == 2 else channels  # there is no grey with alpha
    assert (said.height, said.width, said.channels) == (64, 80, kept)
    assert said.depth == (8 if dtype == np.uint8 else 12)
    assert (found.shape, found.dtype) == ((64, 80, kept), dtype)
    error = np.abs(found[..., [0, -1]].astype(int) - pixels[..., [0, -1]])
    assert error.max() <= (0 if dtype == np.uint8 else 8)  # 12 of 16 bits: half of 65535 / 4095


def test_quality_sets_the_size(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (64, 80, 3), np.uint8)
    sizes = []
    for quality in (30, 90):
        write(tmp_path / "a.avif", Picture(pixels), quality=quality)
        sizes.append((tmp_path / "a.avif").stat().st_size)
    assert sizes[0] < 0.7 * sizes[1]


def test_metadata_are_kept_and_pixels_stand_upright(tmp_path):
    icc = bytes(16) + b"RGB " + bytes(400)
    book = tags.block({271: tags.text("Maker"), 274: tags.short(6)})
    lying = Picture(smooth(3, np.uint8), Metadata(exif=book, icc=icc, xmp=b"<x>words</x>"))
    write(tmp_path / "a.avif", lying, quality=100, software="gantools")
    found = read(tmp_path / "a.avif")
    np.testing.assert_array_equal(found.pixels, exif.turned(lying.pixels, 6))
    assert exif.orientation(found.metadata.exif) == 1
    said = tags.read(found.metadata.exif)
    assert said[271] == tags.text("Maker")
    assert said[305] == tags.text("gantools")
    assert found.metadata.icc == icc
    assert found.metadata.xmp == b"<x>words</x>"


@pytest.mark.parametrize("value", range(1, 9))
def test_the_orientation_of_the_container_is_applied(tmp_path, value):
    """Pillow puts it there; OpenCV ignores it."""
    image = pytest.importorskip("PIL.Image")
    book = image.Exif()
    book[274], book[271] = value, "Maker"
    pixels = smooth(3, np.uint8)
    try:
        image.fromarray(pixels).save(
            tmp_path / "a.avif", exif=book, quality=100, subsampling="4:4:4", xmp=b"<x/>"
        )
    except (KeyError, OSError):
        pytest.skip("this Pillow writes no AVIF")
    found, said = read(tmp_path / "a.avif"), header(tmp_path / "a.avif")
    assert np.abs(found.pixels.astype(int) - exif.turned(pixels, value)).max() <= 3
    assert (said.height, said.width) == found.pixels.shape[:2]
    assert exif.orientation(found.metadata.exif) == 1
    assert found.metadata.exif[:2] in (b"II", b"MM")
    assert found.metadata.xmp == b"<x/>"


def test_a_sequence_tells_its_frames(tmp_path):
    image = pytest.importorskip("PIL.Image")
    several = [image.fromarray(smooth(4, np.uint8)[:, ::step]) for step in (1, -1, 1, -1)]
    try:
        several[0].save(tmp_path / "a.avif", save_all=True, append_images=several[1:])
    except (KeyError, OSError, ValueError):
        pytest.skip("this Pillow writes no AVIF")
    assert header(tmp_path / "a.avif").frames == 4
    write(tmp_path / "b.avif", Picture(smooth(4, np.uint8)))
    assert header(tmp_path / "b.avif").frames == 1


def test_damage_and_limits(tmp_path):
    write(tmp_path / "a.avif", Picture(smooth(4, np.uint8)))
    good = (tmp_path / "a.avif").read_bytes()
    assert avif.parse(good).channels == 4
    for end in range(12, 600, 7):
        (tmp_path / "b.avif").write_bytes(good[:end])
        with pytest.raises(UserError, match="broken"):
            read(tmp_path / "b.avif")
    rng = np.random.default_rng(0)
    for _ in range(200):
        bad = bytearray(good)
        for at in rng.integers(0, 500, 3):
            bad[at] = rng.integers(256)
        try:
            parse(bytes(bad))
        except ValueError as error:
            assert "it is" in str(error)  # noqa: PT017
    with pytest.raises(UserError, match="at most 32768 pixels a side"):
        write(tmp_path / "a.avif", Picture(np.zeros((1, 32769, 3), np.uint8)))
    from gantools.data.writing import check_writable

    with pytest.raises(UserError, match="at most 268 million pixels"):
        check_writable(tmp_path / "a.avif", 20_000, 20_000, 3)
