"""The size of a picture from its first bytes, so that nothing is decoded before it is known to fit.

A file of a few kilobytes can claim 50 000 x 50 000 pixels; a decoder believes it and asks for 7 GB.
"""

import re
import struct
import zlib
from dataclasses import dataclass

from . import avif, exif, frames, segments, tags

COLOUR_CHUNKS = (b"gAMA", b"cHRM", b"sRGB", b"cICP")
TEXT_CHUNKS = (b"tEXt", b"zTXt", b"iTXt")
XMP_START = b"XML:com.adobe.xmp\0"  # of the text chunk that holds XMP
LARGEST_TEXT = 1 << 20
IPTC, PREVIEW, FURTHER, DNG = 33723, 254, 330, 50706  # tags of TIFF and of camera's raw files
RAW = (32803, 34892)  # kinds of colours (tag 262): of a sensor
FORMATS = "PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF and PNM"


@dataclass(frozen=True)
class Header:
    """What a picture file says about itself.

    Attributes:
        format: "png", "jpeg", "webp", "tiff", "bmp", "gif", "avif" or "pnm".
        height, width: Pixels as stored, before any EXIF orientation; of AVIF and TIFF, whose
            readers turn them, as they are seen.
        orientation: Of the EXIF in PNG, JPEG and WebP, 1 to 8; 1 elsewhere.
        channels: 1 grey, 2 grey with alpha, 3 colour, 4 colour with alpha; 0 where it is not said.
        depth: Bits of a level in PNG, JPEG, WebP, TIFF, AVIF and PNM; 0 where it is not said.
        transparent: The raw value of the one transparent grey of a grey PNG, else None.
        extra: What a TIFF says of its alpha: 1 the colours are multiplied by it, 2 they are not;
            0 or None where it is not said.
        inverted: Whether 0 is white in a grey TIFF.
        apart: Whether a TIFF holds each colour as a plane of its own.
        floating: Whether the levels of a TIFF are floating point.
        cmyk: Whether the colours are those of printing inks.
        density: `(x, y)` pixels per inch of PNG and JPEG, else None.
        profiled: Whether a PNG says that it has a colour profile.
        icc: The colour profile of a JPEG, else None.
        iptc, comments: Of a JPEG, see `segments`.
        chunks: `(kind, data)` of a PNG's colour and text chunks.
        long_texts: Whether a PNG has texts that are too long to be carried along.
        frames: How many pictures or pages the file has.
        left_out: What else the file holds that is not read, in words.
        stack: Whether the description of a TIFF is that of a stack, see `frames.describes_stack`.
        top: The largest level of a grey or coloured PNM, else None.
    """

    format: str
    height: int
    width: int
    channels: int = 0
    depth: int = 0
    transparent: int | None = None
    extra: int | None = None
    inverted: bool = False
    apart: bool = False
    floating: bool = False
    cmyk: bool = False
    density: tuple[float, float] | None = None
    profiled: bool = False
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    orientation: int = 1
    frames: int = 1
    long_texts: bool = False
    stack: bool = False
    top: int | None = None
    icc: bytes | None = None
    iptc: bytes | None = None
    comments: tuple[bytes, ...] = ()
    left_out: tuple[str, ...] = ()


def parse(data):
    """Return the `Header` of the file content `data` (bytes or a memory map).

    Raises:
        ValueError: the format is not one of `FORMATS`, or the file ends too early or contradicts
            itself; the message is the second half of a sentence about the file.
    """
    start = bytes(data[:16])
    if not start:
        raise ValueError("it is empty")
    for matches, parser in _PARSERS:
        if matches(start):
            try:
                found = parser(data)
            except (struct.error, LookupError, AttributeError) as error:
                raise ValueError("it is truncated or broken") from error
            if found.height < 1 or found.width < 1:
                raise ValueError("it is broken: its header says that it has no pixels")
            return found
    if start[:4] in (b"II+\0", b"MM\0+"):
        raise ValueError("it is a BigTIFF, which is not read. Save it as a plain TIFF or as PNG")
    raise ValueError(f"it is not a known picture format ({FORMATS})")


def _png(data):
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    channels = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}.get(colour, 0)
    transparent, density, profiled, kept, orientation, several = None, None, False, [], 1, 1
    long_texts = False
    for kind, at, length in _chunks(data):
        if kind == b"tRNS" and colour == 0:
            transparent = struct.unpack(">H", data[at : at + 2])[0]
            transparent *= {1: 255, 2: 85, 4: 17}.get(depth, 1)
        elif kind == b"pHYs":
            x, y, unit = struct.unpack(">IIB", data[at : at + 9])
            density = (x * 0.0254, y * 0.0254) if unit == 1 and x and y else None
        elif kind == b"iCCP":
            profiled = True
        elif kind == b"eXIf":
            orientation = exif.orientation(bytes(data[at : at + length]).removeprefix(exif.PREFIX))
        elif kind == b"acTL":
            several = struct.unpack(">I", data[at : at + 4])[0]
        elif kind in TEXT_CHUNKS and data[at : at + len(XMP_START)] == XMP_START:
            continue  # it comes with the pixels
        elif kind in TEXT_CHUNKS and length >= LARGEST_TEXT:
            long_texts = True
        elif kind in COLOUR_CHUNKS or kind in TEXT_CHUNKS:
            kept.append((kind, bytes(data[at : at + length])))
    return Header(
        "png", height, width, channels, depth, transparent, density=density, profiled=profiled,
        chunks=tuple(kept), orientation=orientation, frames=several, long_texts=long_texts,
    )  # fmt: skip


def _chunks(data):
    """Yield `(kind, offset of the data, length)` of a PNG's chunks, check sums verified."""
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if at + 12 + length > len(data):
            raise ValueError("it is truncated or broken")
        if zlib.crc32(data[at + 4 : at + 8 + length]) != int.from_bytes(
            data[at + 8 + length : at + 12 + length], "big"
        ):
            raise ValueError("it is broken: a checksum is wrong")
        yield kind, at + 8, length
        at += 12 + length


def _jpeg(data):
    at, density, orientation, several, told = 2, None, None, 1, []
    while True:
        marker, kind = data[at], data[at + 1]
        if marker != 0xFF:
            raise ValueError("it is truncated or broken")
        if (
            kind == 0xFF or kind == 0x01 or 0xD0 <= kind <= 0xD8
        ):  # fill bytes, markers without length
            at += 1 if kind == 0xFF else 2
            continue
        (length,) = struct.unpack(">H", data[at + 2 : at + 4])
        if kind == 0xE0 and bytes(data[at + 4 : at + 9]) == b"JFIF\0":
            unit, x, y = struct.unpack(">BHH", data[at + 11 : at + 16])
            factor = {1: 1.0, 2: 2.54}.get(unit, 0)
            density = (x * factor, y * factor) if x and y and factor else None
        if kind in segments.KINDS:
            told.append((kind, bytes(data[at + 4 : at + 2 + length])))
        if kind == 0xE1 and bytes(data[at + 4 : at + 10]) == exif.PREFIX:
            orientation = orientation or exif.orientation(bytes(data[at + 10 : at + 2 + length]))
        if kind == 0xE2 and bytes(data[at + 4 : at + 8]) == b"MPF\0":
            several = frames.of_jpeg(bytes(data[at + 8 : at + 2 + length]))
        if 0xC0 <= kind <= 0xCF and kind not in (0xC4, 0xC8, 0xCC):
            depth, height, width, parts = struct.unpack(">BHHB", data[at + 4 : at + 10])
            if data.find(b"\xff\xd9", at) < 0:
                raise ValueError("it is truncated or broken: its end is missing")
            channels = 1 if parts == 1 else 3
            return Header(
                "jpeg", height, width, channels, depth, cmyk=parts == 4, density=density,
                orientation=orientation or 1, frames=several,
                icc=segments.icc(told), iptc=segments.iptc(told),
                comments=segments.comments(told),
                left_out=("extended XMP",) if segments.extends_xmp(told) else (),
            )  # fmt: skip
        at += 2 + length


def _webp(data):
    (size,) = struct.unpack("<I", data[4:8])
    if size + 8 > len(data):
        raise ValueError("it is truncated or broken")
    kind = bytes(data[12:16])
    if kind == b"VP8X":
        width = 1 + int.from_bytes(data[24:27], "little")
        height = 1 + int.from_bytes(data[27:30], "little")
        chunks = list(frames.riff(data))
        blocks = [bytes(data[at : at + n]) for k, at, n in chunks if k == b"EXIF"]
        orientation = exif.orientation(blocks[0].removeprefix(exif.PREFIX)) if blocks else 1
        several = sum(k == b"ANMF" for k, _, _ in chunks)
        return Header(
            "webp", height, width, 4 if data[20] & 0x10 else 3, 8, orientation=orientation,
            frames=max(1, several),
        )  # fmt: skip
    if kind == b"VP8L":
        (bits,) = struct.unpack("<I", data[21:25])
        return Header("webp", 1 + (bits >> 14 & 0x3FFF), 1 + (bits & 0x3FFF), 0, 8)
    width, height = struct.unpack("<HH", data[26:30])
    return Header("webp", height & 0x3FFF, width & 0x3FFF, 3, 8)


def _bmp(data):
    (size,) = struct.unpack("<I", data[14:18])
    width, height = (
        struct.unpack("<HH", data[18:22]) if size == 12 else struct.unpack("<ii", data[18:26])
    )
    return Header("bmp", abs(height), width)


def _gif(data):
    width, height = struct.unpack("<HH", data[6:10])
    return Header("gif", height, width, frames=frames.of_gif(data))


def _tiff(data):
    if struct.unpack(("<" if data[:1] == b"I" else ">") + "I", data[4:8])[0] + 2 > len(data):
        raise IndexError
    found = tags.read(data)
    if _is_raw(data, found):
        raise ValueError("it is a camera's raw file. Develop it and save it as TIFF first")
    width, height, samples = (tags.number(found, tag, 0) for tag in (256, 257, 277))
    if tags.number(found, 274, 1) >= 5:
        width, height = height, width
    cmyk = tags.number(found, 262) == 5
    return Header(
        "tiff", height, width, 3 if cmyk else samples or 1, tags.number(found, 258, 1),
        extra=tags.number(found, 338, None), inverted=tags.number(found, 262, 1) == 0,
        apart=samples > 1 and tags.number(found, 284) == 2, floating=tags.number(found, 339) == 3,
        cmyk=cmyk, frames=frames.of_tiff(data), stack=frames.describes_stack(found),
        left_out=("IPTC",) if IPTC in found else (),
    )  # fmt: skip


def _is_raw(data, found):
    """Return whether a TIFF is a camera's raw file, whose first picture is a thumbnail mostly."""
    preview = tags.number(found, PREVIEW) & 1 and FURTHER in found
    return (
        preview or DNG in found or tags.number(found, 262) in RAW
        or bytes(data[4:11]) == b"\x10\0\0\0CR\2"
    )  # fmt: skip


def _avif(data):
    found = avif.parse(data)
    size = (found.height, found.width)
    height, width = size[::-1] if found.orientation >= 5 else size
    chunks = ((b"cICP", found.cicp),) if found.cicp else ()
    return Header(
        "avif", height, width, found.channels, found.depth, chunks=chunks, frames=found.frames
    )


def _pnm(data):
    found = list(_pnms(data))
    kind, height, width, top = found[0]
    if not 0 < top < 65536:
        raise ValueError(f"it is broken: its largest level is {top}, and 1 to 65535 are expected")
    return Header(
        "pnm", height, width, 3 if kind in (3, 6) else 1, 16 if top > 255 else 8,
        frames=len(found), top=None if kind in (1, 4) else top,
    )  # fmt: skip


def _pnms(data):
    """Yield `(kind, height, width, largest level)` of pictures, which may follow one another."""
    at, gap = 0, rb"(?:\s|#[^\n]*\n)+"
    start = rb"P(?:([14])|([2356]))" + gap + rb"(\d+)" + gap + rb"(\d+)(?(2)" + gap + rb"(\d+))"
    while found := re.match(start, bytes(data[at : at + 4096])):
        kind, top = int(found[1] or found[2]), int(found[5] or 1)
        width, height = int(found[3]), int(found[4])
        yield kind, height, width, top
        if kind < 4:  # the format has one picture of text
            return
        row = -(-width // 8) if kind == 4 else width * (3 if kind == 6 else 1) * (1 + (top > 255))
        at += found.end() + 1 + height * row


_PARSERS = (
    (lambda start: start.startswith(b"\x89PNG\r\n\x1a\n"), _png),
    (lambda start: start.startswith(b"\xff\xd8\xff"), _jpeg),
    (lambda start: start.startswith(b"RIFF") and start[8:12] == b"WEBP", _webp),
    (lambda start: start[:4] in (b"II*\0", b"MM\0*"), _tiff),
    (lambda start: start.startswith(b"BM"), _bmp),
    (lambda start: start.startswith((b"GIF87a", b"GIF89a")), _gif),
    (lambda start: start[4:8] == b"ftyp" and start[8:11] == b"avi", _avif),
    (
        lambda start: start[:1] == b"P" and start[1:2] in b"123456" and start[2:3] in b" \t\r\n#",
        _pnm,
    ),
)
