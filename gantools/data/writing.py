"""Write pictures: which format holds what, whole files, and files made band by band."""

import os
import struct
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np

from gantools.errors import UserError

from . import exif, png, segments, tags, tiff
from .files import atomic

SUFFIXES = {
    ".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp", ".tif": "tiff",
    ".tiff": "tiff", ".bmp": "bmp", ".gif": "gif", ".avif": "avif", ".pnm": "pnm",
    ".ppm": "pnm", ".pgm": "pnm", ".pbm": "pnm",
}  # fmt: skip
LIMITS = {
    "png": 2**31 - 1, "jpeg": 65500, "webp": 16383, "tiff": 2**31 - 1, "bmp": 2**31 - 1,
    "avif": 32768,
}  # fmt: skip
STREAMED = {"png": png.PngWriter, "tiff": tiff.TiffWriter}
NO_ALPHA = ("jpeg", "bmp")
UPRIGHT = ("tiff", "bmp", "avif")  # formats whose readers do not all know EXIF's orientation
DEPTHS = {"avif": 12}  # most bits of a level, where that is neither 8 nor what the picture has
# What the segments of a JPEG hold: one of EXIF, one of XMP, up to 255 of a profile
JPEG_EXIF, JPEG_XMP, JPEG_ICC = 65527, 65502, 65519
# Most pixels per inch: 16 bits in JPEG, 31 bits for a metre in PNG, 32 bits in the tags of others
DENSEST = {"png": 5e7, "jpeg": 65534, "webp": 4e9, "tiff": 4e9, "bmp": 0, "avif": 4e9}
XMP_PREFIX = b"http://ns.adobe.com/xap/1.0/\0"  # JPEG only
SOFTWARE = b"Software\0"
# Bytes a level that a file takes at least, against a full disk found after an hour: noise-free
# pictures pack better than photographs, so the true size is mostly two to five times as much.
AT_LEAST = {"png": 0.1, "jpeg": 0.01, "webp": 0.005, "tiff": 0.1, "bmp": 1.0, "avif": 0.002}
BMP_BYTES = 2**32 - 2**16
AVIF_PIXELS = 2**28  # decoders refuse more
AVIF_SPEED = 8  # 0.09 s a megapixel on one core; 6 takes 12 times as long for 1 % of the size


@cache
def opencv():
    """Return the module cv2, loaded when first needed and told to be silent."""
    import cv2

    cv2.utils.logging.setLogLevel(
        cv2.utils.logging.LOG_LEVEL_SILENT
    )  # fatal errors only: a broken file is told by our own sentence
    return cv2


def check_writable(path, height, width, channels):
    """Return the format that the suffix of `path` names, if it can hold such a picture.

    Raises:
        UserError: it cannot, so that this is known before hours of work.
    """
    suffix = Path(path).suffix.lower()
    kind = SUFFIXES.get(suffix)
    if kind not in LIMITS:
        raise UserError(
            f"Cannot write '{path}': pictures are written as .png, .jpg, .webp, .avif, .tif or "
            f".bmp. Received: '{suffix}'."
        )
    if max(height, width) > LIMITS[kind]:
        raise UserError(
            f"Cannot write '{path}': {kind.upper()} holds at most {LIMITS[kind]} pixels a side. "
            f"Received: {width}x{height}. Choose a name that ends in .png."
        )
    if channels in (2, 4) and kind in NO_ALPHA:
        raise UserError(
            f"Cannot write '{path}': {kind.upper()} has no transparency. Choose .png or .webp."
        )
    if kind == "bmp" and height * width * max(channels, 1) > BMP_BYTES:
        raise UserError(f"Cannot write '{path}': BMP holds at most 4 GB. Choose .png or .tif.")
    if kind == "avif" and height * width > AVIF_PIXELS:
        raise UserError(
            f"Cannot write '{path}': AVIF holds at most {AVIF_PIXELS / 1e6:.0f} million pixels. "
            "Choose .png or .tif."
        )
    return kind


def kind_of(path):
    """Return the format that the suffix of `path` names, or None."""
    return SUFFIXES.get(Path(path).suffix.lower())


def check_space(path, height, width, channels, itemsize=1):
    """Raise a `UserError` if the disk of `path` certainly has no room for such a picture."""
    kind, folder = SUFFIXES[Path(path).suffix.lower()], Path(path).resolve().parent
    needed = int(height * width * max(channels, 1) * itemsize * AT_LEAST[kind])
    try:
        found = os.statvfs(folder)
    except (OSError, AttributeError):  # no such call on Windows: then a full disk is told later
        return
    free = found.f_bavail * found.f_frsize
    if needed > free:
        raise UserError(
            f"Cannot write '{path}': at least {needed / 1e6:.0f} MB are needed and "
            f"{free / 1e6:.0f} MB are free. Free some space or choose another place."
        )


def write(path, picture, *, quality=95, level=1, threads=2, software=None):
    """Write a `pictures.Picture`; the suffix of `path` names the format.

    EXIF, ICC, XMP and resolution go into PNG, JPEG, WebP, AVIF and TIFF, IPTC and comments into
    JPEG. For AVIF, TIFF and BMP the
    EXIF orientation is applied to the pixels. 16 bits become 12 in AVIF and 8 where the format has
    no more.

    Args:
        path: `.png`, `.jpg`, `.webp`, `.avif`, `.tif` or `.bmp`.
        picture: The picture.
        quality: Of JPEG, WebP and AVIF, 1 to 100. Colours are not subsampled in JPEG; in AVIF they
            are below 100, which is without loss.
        level: Deflate level of PNG.
        threads: Of PNG and TIFF.
        software: What made the picture, for the tag of that name; BMP has none.

    Raises:
        UserError: the format cannot hold the picture or the file cannot be written.
    """
    kind = check_writable(path, *picture.pixels.shape)
    if kind in UPRIGHT:
        picture = picture.upright()
    if kind in STREAMED:
        options = {"level": level} if kind == "png" else {}
        shape, dtype = picture.pixels.shape, picture.pixels.dtype
        with stream(
            path, shape, dtype, picture.metadata, threads=threads, software=software, **options
        ) as writer:
            writer.rows(picture.pixels)
        return
    with atomic(path) as part:
        data = _encoded(kind, picture, quality, software)
        if data is None:
            raise UserError(
                f"Cannot write '{path}': OpenCV cannot encode {picture.pixels.shape} "
                f"{picture.pixels.dtype} as {kind.upper()}. Choose .png or .tif."
            )
        part.write_bytes(data)


@contextmanager
def stream(path, shape, dtype, metadata, *, threads=2, software=None, **options):
    """Yield a writer whose `rows` takes a PNG or TIFF band by band; the file is whole or not there.

    Args:
        path: `.png` or `.tif`.
        shape: `(height, width, channels)`.
        dtype: Of the pixels.
        metadata: `pictures.Metadata`; for TIFF the pixels have to be upright.
        threads: Strips compressed at the same time.
        software: What made the picture.
        **options: Of the writer.

    Raises:
        UserError: the format cannot hold the picture or the file cannot be written.
    """
    kind = check_writable(path, *shape)
    if kind == "png" and np.dtype(dtype).kind == "f":
        raise UserError("PNG has no floating point. Choose a name that ends in .tif.")
    options |= {
        "exif": metadata.exif, "icc": icc_for(shape[2], metadata.icc), "xmp": metadata.xmp,
        "density": _density(kind, metadata.density),
    }  # fmt: skip
    if kind == "png":
        options["chunks"] = _chunks(metadata.chunks, software)
    else:
        options["software"] = software
    with (
        atomic(path) as part,
        part.open("wb") as file,
        STREAMED[kind](file, *shape, dtype, threads=threads, **options) as writer,
    ):
        yield writer


def lost(metadata, kind, channels, software=None):
    """Return what a file of the format `kind` cannot keep of the metadata, in words.

    Args:
        metadata: `pictures.Metadata`, as it is to be written.
        kind: One of `LIMITS`.
        channels: Of the picture.
        software: As for `write`.
    """
    found = []
    if kind == "bmp" and (metadata.exif or metadata.icc or metadata.xmp):
        found.append("EXIF, ICC profile and XMP")
    elif metadata.icc and not _profile(kind, channels, metadata.icc):
        found.append("the colour profile, which is for another kind of picture or too large")
    if metadata.density and not _density(kind, metadata.density):
        found.append("the resolution")
    if kind == "jpeg" and len(_about(kind, metadata, software) or b"") > JPEG_EXIF:
        found.append("EXIF of more than 64 KB, but for the orientation")
    if kind == "jpeg" and len(metadata.xmp or b"") > JPEG_XMP:
        found.append("XMP of more than 64 KB")
    if metadata.iptc and not _iptc(kind, metadata):
        found.append("IPTC" + " of more than 64 KB" * (kind == "jpeg"))
    if kind != "jpeg" and metadata.comments:
        found.append("the comments of the JPEG")
    chunks = {name for name, _ in metadata.chunks}
    if kind != "png" and chunks & {b"cICP", b"cHRM"} and not metadata.icc:
        found.append("the colour space that a PNG tells without a profile")
    if kind != "png" and chunks & {b"tEXt", b"zTXt", b"iTXt"}:
        found.append("the texts of the PNG")
    return found


def icc_for(channels, icc):
    """Return the profile `icc` if it fits grey (1, 2) or colour (3, 4) channels, else None."""
    wanted = b"GRAY" if channels < 3 else b"RGB "
    return icc if icc and icc[16:20] == wanted else None


def _density(kind, density):
    """Return the resolution if a file of the format `kind` can hold it, else None."""
    return density if density and max(density) <= DENSEST[kind] else None


def _profile(kind, channels, icc):
    """Return the profile if it fits the channels of a file, of which not all have grey, or None."""
    written = 3 if kind == "webp" or (kind == "avif" and channels == 2) else channels
    return None if kind == "jpeg" and icc and len(icc) > 255 * JPEG_ICC else icc_for(written, icc)


def _iptc(kind, metadata):
    """Return the IPTC block if a file of the format `kind` can hold it, else None."""
    block = metadata.iptc
    return block if kind == "jpeg" and block and len(block) <= segments.LARGEST else None


def _chunks(chunks, software):
    """Return the PNG chunks with the name of the program."""
    if not software:
        return chunks
    kept = [chunk for chunk in chunks if not chunk[1].startswith(SOFTWARE)]
    return (*kept, (b"tEXt", SOFTWARE + software.encode("latin-1", "replace")))


def _encoded(kind, picture, quality, software):
    """Return the bytes of a JPEG, WebP, AVIF or BMP, None if OpenCV cannot make them."""
    cv2, pixels = opencv(), picture.pixels
    if pixels.dtype == np.float32:
        raise UserError(f"{kind.upper()} has no floating point. Choose a name that ends in .tif.")
    deep = pixels.dtype == np.uint16 and DEPTHS.get(kind)
    if deep:
        most = 2**deep - 1
        pixels = ((pixels.astype(np.uint32) * most + 32767) // 65535).astype(np.uint16)
    elif pixels.dtype == np.uint16:
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
        "avif": [cv2.IMWRITE_AVIF_QUALITY, quality, cv2.IMWRITE_AVIF_SPEED, AVIF_SPEED,
                 cv2.IMWRITE_AVIF_DEPTH, deep or 8],
    }.get(kind, [])  # fmt: skip
    blocks = _blocks(cv2, kind, picture, software) if kind != "bmp" else {}
    made, data = cv2.imencodeWithMetadata(
        f".{kind}", pixels, list(blocks), list(blocks.values()), options
    )
    if not made:
        return None
    return _with_segments(data.tobytes(), picture) if kind == "jpeg" else data.tobytes()


def _blocks(cv2, kind, picture, software):
    """Return the metadata as OpenCV wants them: `{kind of block: uint8 array}`."""
    data = picture.metadata
    about, xmp = _about(kind, data, software), data.xmp or b""
    icc = _profile(kind, picture.pixels.shape[2], data.icc)
    if kind == "jpeg":
        if len(about or b"") > JPEG_EXIF:
            turn = {exif.ORIENTATION: tags.short(exif.orientation(data.exif))}
            about = _about(kind, replace(data, exif=tags.block(turn)), software)
        xmp, icc = XMP_PREFIX + xmp if 0 < len(xmp) <= JPEG_XMP else b"", None
    found = {
        cv2.IMAGE_METADATA_EXIF: about, cv2.IMAGE_METADATA_ICCP: icc,
        cv2.IMAGE_METADATA_XMP: xmp,
    }  # fmt: skip
    return {key: np.frombuffer(value, np.uint8) for key, value in found.items() if value}


def _about(kind, metadata, software):
    """Return the EXIF of a file with what it has to tell beside the camera's, or None."""
    about, density = metadata.exif, _density(kind, metadata.density)
    if kind in ("webp", "avif") and density:  # these have no other place for it
        about = exif.with_tags(about, tags.resolution(density))
    return exif.with_software(about, software) if software else about


def _with_segments(data, picture):
    """Return a JPEG with the resolution in its JFIF header, at its start, and the rest behind.

    OpenCV writes no profile that needs more than one segment, no IPTC and no comments.
    """
    density = _density("jpeg", picture.metadata.density)
    icc = _profile("jpeg", picture.pixels.shape[2], picture.metadata.icc) or b""
    pieces = [icc[at : at + JPEG_ICC] for at in range(0, len(icc), JPEG_ICC)]
    head, data = data[:20], data[20:]
    if density:
        head = head[:13] + struct.pack(">BHH", 1, *(max(1, round(v)) for v in density)) + head[18:]
    for number, piece in enumerate(pieces, 1):
        head += struct.pack(">HH", 0xFFE2, 16 + len(piece)) + segments.PROFILE
        head += bytes([number, len(pieces)]) + piece
    said = segments.written(_iptc("jpeg", picture.metadata), picture.metadata.comments)
    return head + said + data
