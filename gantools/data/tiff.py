"""TIFF: a writer that takes bands, and the metadata that OpenCV does not hand out.

OpenCV writes TIFF without any metadata, without grey with alpha, and only whole pictures.
"""

import io
import struct
import zlib

import numpy as np

from . import frames, packets, tags
from .strips import StripWriter

ICC, XMP = 34675, 700
# What describes the picture and not its layout in the file: descriptions, camera, dates, rights
ABOUT = (269, 270, 271, 272, 285, 305, 306, 315, 316, 33432, 0x8769, 0x8825)
CLASSIC = 2**32 - 2**20  # bytes that offsets of 32 bits reach


class TiffWriter(StripWriter):
    """Write one picture as TIFF, deflated, rows from top to bottom.

    Args:
        file: An open binary file that can seek.
        height, width: Pixels.
        channels: 1 grey, 2 grey with alpha, 3 RGB, 4 RGBA; alpha is straight.
        dtype: uint8, uint16 or float32.
        threads: Strips compressed at the same time.
        icc, exif, xmp: As for `png.PngWriter`.
        density: `(x, y)` pixels per inch or None.
        software: Name of the program for the tag of that name.
        big: Whether to write BigTIFF; chosen by the size if None.
    """

    def __init__(
        self, file, height, width, channels, dtype=np.uint8, *, threads=2,
        icc=None, exif=None, xmp=None, density=None, software=None, big=None,
    ):  # fmt: skip
        super().__init__((height, width, channels), dtype, threads)
        self.big = height * width * channels * self.dtype.itemsize > CLASSIC if big is None else big
        self._file, self._places = file, []
        self._tags = _about(exif, icc, xmp, density, software)
        file.write(b"II+\0\x08\0\0\0" + bytes(8) if self.big else b"II*\0" + bytes(4))

    def _stored(self, array):
        return array.copy()

    def _job(self, strip):
        return _compress, strip

    def _write(self, result):
        self._places.append((self._file.tell(), len(result)))
        self._file.write(result)

    def _end(self):
        """Write the directory, and where it is."""
        self._file.write(bytes(self._file.tell() % 2))
        at = self._file.tell()
        self._file.write(tags.written(self._layout() | self._tags, at, big=self.big))
        self._file.seek(8 if self.big else 4)
        self._file.write(struct.pack("<Q" if self.big else "<I", at))

    def _layout(self):
        """Return the tags that tell where and what the pixels are."""
        height, width, channels = self.shape
        starts, lengths = zip(*self._places, strict=True)
        offsets = (16, len(starts), struct.pack(f"<{len(starts)}Q", *starts))
        found = {
            256: tags.long(width), 257: tags.long(height),
            258: tags.short(*[8 * self.dtype.itemsize] * channels),
            259: tags.short(8),  # deflate
            262: tags.short(1 if channels < 3 else 2),
            274: tags.short(1),  # or readers ask XMP, which may tell of the picture before
            273: offsets if self.big else tags.long(*starts),
            277: tags.short(channels), 278: tags.long(self.strip), 279: tags.long(*lengths),
            284: tags.short(1),
            317: tags.short(1 if self.dtype.kind == "f" else 2),
            339: tags.short(*[3 if self.dtype.kind == "f" else 1] * channels),
        }  # fmt: skip
        return found | ({338: tags.short(2)} if channels in (2, 4) else {})


def encode(array, **options):
    """Return `array` `(h, w, c)` as the bytes of a TIFF; `options` are those of `TiffWriter`."""
    file = io.BytesIO()
    with TiffWriter(file, *array.shape, array.dtype, **options) as writer:
        writer.rows(array)
    return file.getvalue()


def metadata(data):
    """Return `(exif, icc, xmp, density)` of a TIFF file, each None where there is none.

    XMP and density are those of the picture as it is seen, for readers turn TIFFs.

    Args:
        data: Bytes of the file.
    """
    found = tags.read(data)
    about = {tag: found[tag] for tag in ABOUT if tag in found}
    if frames.describes_stack(found):  # which other programs would look for in an enlarged page
        del about[frames.DESCRIPTION]
    icc, xmp = (found[tag][2] if tag in found else None for tag in (ICC, XMP))
    density = tags.density(found)
    density = density[::-1] if density and tags.number(found, 274, 1) >= 5 else density
    return tags.block(about) if about else None, icc, packets.upright(xmp), density


def _about(exif, icc, xmp, density, software):
    """Return the tags that describe the picture."""
    found = {tag: value for tag, value in tags.read(exif or b"").items() if tag in ABOUT}
    for tag, raw, kind in ((ICC, icc, 7), (XMP, xmp, 1)):
        found |= {tag: (kind, len(raw), raw)} if raw else {}
    found |= tags.resolution(density)
    return found | ({305: tags.text(software)} if software else {})


def _compress(strip):
    """Return rows `(n, w, c)` deflated, whole numbers as differences along each row."""
    if strip.dtype.kind != "f":
        strip[:, 1:] -= strip[:, :-1].copy()
    return zlib.compress(strip.astype(strip.dtype.newbyteorder("<")).tobytes(), 1)
