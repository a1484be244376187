"""Read and write pictures: every depth, grey and alpha kept, RGB order, metadata carried along."""

import os
from dataclasses import dataclass, field
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path

import numpy as np

from gantools.errors import UserError

from . import exif, headers
from .files import atomic

__all__ = ["Metadata", "Picture", "atomic", "check_writable", "header", "read", "write"]

MAX_PIXELS = 300_000_000
SUFFIXES = {
    ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".tif": "tiff",
    ".tiff": "tiff", ".bmp": "bmp", ".gif": "gif", ".avif": "avif", ".pnm": "pnm",
    ".ppm": "pnm", ".pgm": "pnm", ".pbm": "pnm",
}  # fmt: skip
LIMITS = {"png": 2**31 - 1, "jpeg": 65500, "webp": 16383, "tiff": 2**31 - 1, "bmp": 2**31 - 1}
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"  # JPEG only


@dataclass(frozen=True)
class Metadata:
    """What a file says about its pixels, raw or None: EXIF (as TIFF bytes), ICC profile, XMP."""

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: `(h, w, c)`, c = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; uint8, uint16 or float32;
            alpha is straight. As stored: EXIF orientation is not applied, see `upright`.
        metadata: Carried from file to file.
        format: The file's format, see `headers.Header`.
    """

    pixels: np.ndarray
    metadata: Metadata = field(default_factory=Metadata)
    format: str = "png"

    def upright(self):
        """Return the picture with its EXIF orientation applied to the pixels and reset to 1."""
        pixels = exif.turned(self.pixels, exif.orientation(self.metadata.exif))
        data = exif.changed(self.metadata.exif, upright=True)
        metadata = Metadata(data, self.metadata.icc, self.metadata.xmp)
        return Picture(np.ascontiguousarray(pixels), metadata, self.format)


def header(path):
    """Return the `headers.Header` of a picture file without decoding it.

    Raises:
        UserError: the file cannot be read, or is not a whole picture.
    """
    try:
        with Path(path).open("rb") as file:
            if not os.fstat(file.fileno()).st_size:
                raise ValueError("it is empty")
            with mmap(file.fileno(), 0, access=ACCESS_READ) as data:
                return headers.parse(data)
    except OSError as error:
        raise _unreadable(path, error.strerror) from error
    except ValueError as error:
        raise _unreadable(path, error) from error


def read(path, max_pixels=MAX_PIXELS):
    """Return the `Picture` in a file.

    Args:
        path: PNG, JPEG, WebP, TIFF, BMP, GIF (first frame), AVIF or PNM file.
        max_pixels: Larger pictures are refused before anything is decoded.

    Raises:
        UserError: the file is missing, broken, truncated, not a picture or too large.
    """
    found = header(path)
    if found.height * found.width > max_pixels:
        raise UserError(
            f"'{path}' is too large: {found.width}x{found.height} pixels, at most "
            f"{max_pixels / 1e6:g} million are accepted. Cut it into pieces first."
        )
    if found.format == "tiff" and found.channels == 2:
        raise _unreadable(path, "grey TIFF with alpha is not supported; convert it to PNG")
    data = np.fromfile(path, np.uint8)  # not imread: see TIFF orientation and non-ASCII names
    pixels, metadata = _decode(data)
    if pixels is None:
        raise _unreadable(path, f"the {found.format.upper()} data are truncated or broken")
    return Picture(_normal(pixels, found), metadata, found.format)


def write(path, picture, *, quality=95, level=1, threads=2):
    """Write a `Picture`; the suffix of `path` names the format.

    EXIF, ICC and XMP go into PNG, JPEG and WebP; for TIFF and BMP the EXIF orientation is applied
    to the pixels instead. 16 bits become 8 where the format has no more.

    Args:
        path: `.png`, `.jpg`, `.webp`, `.tif` or `.bmp`.
        picture: The picture.
        quality: Of JPEG and WebP, 1 to 100; colours are not subsampled in JPEG.
        level: Deflate level of PNG.
        threads: Of PNG.

    Raises:
        UserError: the format cannot hold the picture or the file cannot be written.
    """
    kind = check_writable(path, *picture.pixels.shape)
    if kind in ("tiff", "bmp"):
        picture = picture.upright()
    with atomic(path) as part:
        if kind == "png":
            data = _png_bytes(picture, level, threads)
        else:
            data = _encoded(kind, picture, quality)
        part.write_bytes(data)


def check_writable(path, height, width, channels):
    """Return the format that the suffix of `path` names, if it can hold such a picture.

    Raises:
        UserError: it cannot, so that this is known before hours of work.
    """
    suffix = Path(path).suffix.lower()
    kind = SUFFIXES.get(suffix)
    if kind not in LIMITS:
        raise UserError(
            f"Cannot write '{path}': pictures are written as .png, .jpg, .webp, .tif or .bmp. "
            f"Received: '{suffix}'."
        )
    if max(height, width) > LIMITS[kind]:
        raise UserError(
            f"Cannot write '{path}': {kind.upper()} holds at most {LIMITS[kind]} pixels a side. "
            f"Received: {width}x{height}. Choose a name that ends in .png."
        )
    if channels in (2, 4) and kind in ("jpeg", "bmp"):
        raise UserError(
            f"Cannot write '{path}': {kind.upper()} has no transparency. Choose .png or .webp."
        )
    return kind


@cache
def _cv2():
    import cv2

    cv2.utils.logging.setLogLevel(
        cv2.utils.logging.LOG_LEVEL_SILENT
    )  # fatal errors only: a broken file is told by our own sentence
    return cv2


def _unreadable(path, reason):
    return UserError(f"Cannot read '{path}': {reason}.")


def _decode(data):
    """Return `(pixels as OpenCV has them or None, Metadata)` of the bytes of a file."""
    cv2 = _cv2()
    try:
        pixels, kinds, blocks = cv2.imdecodeWithMetadata(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None, Metadata()
    found = {kind: np.asarray(block).tobytes() for kind, block in zip(kinds, blocks, strict=True)}
    xmp = found.get(cv2.IMAGE_METADATA_XMP)
    return pixels, Metadata(
        found.get(cv2.IMAGE_METADATA_EXIF),
        found.get(cv2.IMAGE_METADATA_ICCP),
        xmp and xmp.removeprefix(XMP_PREFIX).rstrip(b"\0"),
    )


def _normal(pixels, found):
    """Return OpenCV's pixels as `(h, w, c)` in RGB order with the channels the file really has."""
    cv2 = _cv2()
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
        if found.transparent is not None:
            opaque = np.iinfo(pixels.dtype).max
            alpha = np.where(pixels == found.transparent, 0, opaque).astype(pixels.dtype)
            pixels = np.concatenate([pixels, alpha], axis=2)
        return pixels
    if found.channels == 2:  # grey with alpha comes as BGRA
        return np.ascontiguousarray(pixels[:, :, 2:])
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)
    if found.format == "tiff" and pixels.dtype == np.uint8 and not found.associated:
        return _straight(pixels)  # libtiff multiplies by alpha
    return pixels


def _straight(pixels):
    """Return RGBA uint8 with the colours divided by alpha."""
    alpha = pixels[:, :, 3:].astype(np.float32)
    colours = pixels[:, :, :3] * (255 / np.maximum(alpha, 1)) + 0.5
    return np.concatenate([np.minimum(colours, 255).astype(np.uint8), pixels[:, :, 3:]], axis=2)


def icc_for(channels, icc):
    """Return the profile `icc` if it fits grey (1, 2) or colour (3, 4) channels, else None."""
    wanted = b"GRAY" if channels < 3 else b"RGB "
    return icc if icc and icc[16:20] == wanted else None


def _png_bytes(picture, level, threads):
    from . import png

    if picture.pixels.dtype == np.float32:
        raise UserError("PNG has no floating point. Choose a name that ends in .tif.")
    return png.encode(
        picture.pixels, level=level, threads=threads, exif=picture.metadata.exif,
        icc=icc_for(picture.pixels.shape[2], picture.metadata.icc), xmp=picture.metadata.xmp,
    )  # fmt: skip


def _encoded(kind, picture, quality):
    """Return the bytes of a JPEG, WebP, TIFF or BMP."""
    cv2, pixels = _cv2(), picture.pixels
    if pixels.dtype == np.uint16 and kind != "tiff":
        pixels = ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if pixels.shape[2] == 2:  # these formats have no grey with alpha
        pixels = pixels[:, :, [0, 0, 0, 1]]
    if pixels.shape[2] > 2:
        code = cv2.COLOR_RGB2BGR if pixels.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        pixels = cv2.cvtColor(pixels, code)
    options = {
        "jpeg": [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
                 cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444],
        "webp": [cv2.IMWRITE_WEBP_QUALITY, quality],
    }.get(kind, [])  # fmt: skip
    blocks = _blocks(cv2, kind, picture) if kind in ("jpeg", "webp") else {}
    made, data = cv2.imencodeWithMetadata(
        f".{kind}", pixels, list(blocks), list(blocks.values()), options
    )
    if not made:
        raise UserError(f"OpenCV cannot encode {pixels.shape} {pixels.dtype} as {kind.upper()}.")
    return data.tobytes()


def _blocks(cv2, kind, picture):
    """Return the metadata as OpenCV wants them: `{kind of block: uint8 array}`."""
    data = picture.metadata
    xmp = data.xmp and (XMP_PREFIX if kind == "jpeg" else b"") + data.xmp
    channels = 3 if kind == "webp" else picture.pixels.shape[2]
    found = {
        cv2.IMAGE_METADATA_EXIF: data.exif,
        cv2.IMAGE_METADATA_ICCP: icc_for(channels, data.icc),
        cv2.IMAGE_METADATA_XMP: xmp,
    }
    return {key: np.frombuffer(value, np.uint8) for key, value in found.items() if value}
