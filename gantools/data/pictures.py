"""Read and write pictures: every depth, grey and alpha kept, RGB order, metadata carried along."""

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from stat import S_ISDIR, S_ISREG

import numpy as np

from gantools.errors import MISSING_EXTRA, UserError
from gantools.quiet import error_stream_held

from . import avif, exif, headers, packets, tiff
from .files import atomic
from .writing import SUFFIXES, XMP_PREFIX, check_writable, icc_for, opencv, write

__all__ = [
    "SUFFIXES", "Metadata", "Picture", "atomic", "check_writable", "header", "icc_for", "read",
    "write",
]  # fmt: skip

MAX_PIXELS = 300_000_000
LEVELS = (np.uint8, np.uint16, np.float32)
DAMAGES = (b"Corrupt JPEG data", b"Premature end of JPEG")  # of libjpeg's remarks
DAMAGED = "The JPEG data are damaged: parts of the picture may be wrong."
HDR_TRANSFERS = {16: "PQ", 18: "HLG"}  # of cICP, ITU-T H.273


@dataclass(frozen=True)
class Metadata:
    """What a file says about its pixels.

    Attributes:
        exif, icc, xmp: Raw or None; EXIF as TIFF bytes.
        density: `(x, y)` pixels per inch or None.
        chunks: `(kind, data)` of a PNG's colour and text chunks.
        iptc, comments: Of a JPEG, see `segments`.
    """

    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    density: tuple[float, float] | None = None
    chunks: tuple[tuple[bytes, bytes], ...] = ()
    iptc: bytes | None = None
    comments: tuple[bytes, ...] = ()

    def without_traces(self):
        """Return what colours need: profile and colour chunks, no EXIF, XMP, texts, resolution."""
        kept = [chunk for chunk in self.chunks if chunk[0] in headers.COLOUR_CHUNKS]
        return Metadata(icc=self.icc, chunks=tuple(kept))


@dataclass(frozen=True)
class Picture:
    """A decoded picture.

    Attributes:
        pixels: `(h, w, c)`, c = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA; uint8, uint16 or float32;
            alpha is straight. As stored: EXIF orientation is not applied, see `upright`; that of
            AVIF, which is no part of its EXIF, is.
        metadata: Carried from file to file.
        format: The file's format, see `headers.Header`.
        notes: What a user should know about the reading, in sentences.
    """

    pixels: np.ndarray
    metadata: Metadata = field(default_factory=Metadata)
    format: str = "png"
    notes: tuple[str, ...] = ()

    def upright(self):
        """Return the picture with its EXIF orientation applied to the pixels and reset to 1.

        That in XMP is reset, too.
        """
        value, density = exif.orientation(self.metadata.exif), self.metadata.density
        pixels = exif.turned(self.pixels, value)
        metadata = replace(
            self.metadata,
            exif=exif.changed(self.metadata.exif, upright=True),
            xmp=packets.upright(self.metadata.xmp),
            density=density[::-1] if density and value >= 5 else density,
        )
        return replace(self, pixels=np.ascontiguousarray(pixels), metadata=metadata)


def header(path):
    """Return the `headers.Header` of a picture file without decoding it.

    Raises:
        UserError: the file cannot be read, or is not a whole picture.
    """
    path = Path(path)
    try:
        kind = path.stat().st_mode  # before opening it, which waits for the other end of a pipe
        if not (S_ISREG(kind) or S_ISDIR(kind)):
            raise ValueError("it is a pipe or a device and no file. Save it as a file first")
        with path.open("rb") as file:
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
    check_size(path, found, max_pixels)
    if found.cmyk or _needs_tifffile(found):
        return _read_by_others(path, found)
    data = np.fromfile(path, np.uint8)  # not imread: see TIFF orientation and non-ASCII names
    pixels, metadata, damaged = _decode(data)
    if pixels is None:
        raise _unreadable(
            path, f"the {found.format.upper()} data are truncated or broken, or of a kind that is "
            "not read (a rare compression, depth or number of channels). Save it as PNG first",
        )  # fmt: skip
    if pixels.dtype not in LEVELS:
        raise _unreadable(path, f"it has {pixels.dtype} levels; 8, 16 bits or floats are expected")
    if found.format == "avif":
        pixels, metadata = _seen(pixels, avif.parse(data.data))
    if found.format == "tiff":
        metadata = Metadata(*tiff.metadata(data.data))
    if found.format == "jpeg":  # OpenCV takes every segment of that kind for a profile
        metadata = replace(metadata, icc=found.icc)
    if found.top:
        pixels = _stretched(pixels, found.top, rounded_down=data[1] in b"23")
    metadata = _completed(metadata, found)
    notes = (*damaged, *_notes(found, metadata))
    return Picture(_normal(pixels, found), metadata, found.format, notes)


def _unreadable(path, reason):
    return UserError(f"Cannot read '{path}': {reason}.")


def _decode(data):
    """Return `(pixels as OpenCV has them or None, Metadata, notes)` of the bytes of a file.

    The notes tell of damage, which libjpeg only remarks on, while other threads may remark, too.
    """
    cv2 = opencv()
    with error_stream_held as held:  # libpng and libtiff remark on profiles, times and tags
        start = held.size()
        try:
            pixels, kinds, blocks = cv2.imdecodeWithMetadata(data, cv2.IMREAD_UNCHANGED)
        except cv2.error:
            return None, Metadata(), ()
        remarks = held.text(start)
    found = {kind: np.asarray(block).tobytes() for kind, block in zip(kinds, blocks, strict=True)}
    about, xmp = found.get(cv2.IMAGE_METADATA_EXIF), found.get(cv2.IMAGE_METADATA_XMP)
    metadata = Metadata(
        about and about.removeprefix(exif.PREFIX),
        found.get(cv2.IMAGE_METADATA_ICCP),
        xmp and xmp.removeprefix(XMP_PREFIX).rstrip(b"\0"),
    )
    damaged = any(remark in remarks for remark in DAMAGES)
    return pixels, metadata, (DAMAGED,) if damaged else ()


def _completed(metadata, found):
    """Return the metadata of a file with what its header tells; EXIF tells the resolution last."""
    return replace(
        metadata, xmp=packets.alone(metadata.xmp), chunks=found.chunks, iptc=found.iptc,
        density=found.density or metadata.density or exif.density(metadata.exif),
        comments=found.comments,
    )  # fmt: skip


def check_size(path, found, max_pixels=MAX_PIXELS):
    """Raise a `UserError` if a picture has more pixels than are read, by its header."""
    if found.height * found.width > max_pixels:
        raise UserError(
            f"'{path}' is too large: {found.width}x{found.height} pixels, at most "
            f"{max_pixels / 1e6:g} million are accepted. Cut it into pieces first."
        )


def _normal(pixels, found):
    """Return OpenCV's pixels as `(h, w, c)` in RGB order with the channels the file really has."""
    cv2 = opencv()
    if pixels.ndim == 2:
        pixels = pixels[:, :, None]
        if found.inverted and pixels.dtype == np.uint16:  # libtiff does it for 8 bits only
            pixels = ~pixels
        if found.transparent is not None:
            opaque = np.iinfo(pixels.dtype).max
            alpha = np.where(pixels == found.transparent, 0, opaque).astype(pixels.dtype)
            pixels = np.concatenate([pixels, alpha], axis=2)
        return pixels
    if found.channels == 2:  # grey with alpha comes as BGRA
        return np.ascontiguousarray(pixels[:, :, 2:])
    if pixels.shape[2] == 3:
        return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)
    if found.format == "gif" and (pixels[:, :, 3] == 255).all():  # those of several frames
        return cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGB)
    pixels = cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA)
    if found.extra == 1 or (found.extra == 2 and pixels.dtype == np.uint8):
        return _straight(pixels)  # libtiff multiplies 8 bits if alpha is straight
    return pixels


def _seen(pixels, said):
    """Return `(pixels, Metadata)` of an AVIF as it is to be seen; OpenCV does not turn it.

    The container alone says how: the orientation in its EXIF does not count.
    """
    if pixels.dtype == np.uint16:  # 10 or 12 bits
        pixels = _stretched(pixels, 2**said.depth - 1)
    grid = pixels if pixels.ndim == 3 else pixels[:, :, None]
    turned = np.ascontiguousarray(exif.turned(grid, said.orientation))
    turned = turned if pixels.ndim == 3 else turned[:, :, 0]
    about = exif.changed(said.exif, upright=True)
    return turned, Metadata(about, said.icc, packets.upright(said.xmp))


def _stretched(pixels, top, *, rounded_down=False):
    """Return levels from 0 to `top`, which OpenCV leaves so, as the whole range of their type.

    Args:
        pixels: uint8 or uint16.
        top: The largest level.
        rounded_down: Whether OpenCV did it for 8 bits, as it does for PNM in text.
    """
    most = np.iinfo(pixels.dtype).max
    if top >= most:
        return pixels
    levels = np.arange(top + 1)
    table = np.full(most + 1, most, pixels.dtype)
    stored = levels * most // top if rounded_down and most == 255 else levels
    table[stored] = (levels * most + top // 2) // top
    return table[pixels]


def _straight(pixels):
    """Return pixels `(h, w, 2 or 4)` with the colours divided by alpha."""
    alpha = pixels[:, :, -1:].astype(np.float32)
    if pixels.dtype == np.float32:
        colours = np.divide(pixels[:, :, :-1], alpha, out=pixels[:, :, :-1].copy(), where=alpha > 0)
    else:
        most = np.iinfo(pixels.dtype).max
        colours = pixels[:, :, :-1] * (np.float32(most) / np.maximum(alpha, 1)) + np.float32(0.5)
        colours = np.minimum(colours, most).astype(pixels.dtype)
    return np.concatenate([colours, pixels[:, :, -1:]], axis=2)


def _notes(found, metadata):
    """Return what a user should know about a file, in sentences."""
    notes = []
    if found.frames > 1:
        what = "pages" if found.format == "tiff" else "frames"
        notes.append(f"Only the first of {found.frames} {what} is read.")
    if found.profiled and metadata.icc is None:
        notes.append("Its colour profile cannot be used: its colours are taken for those of sRGB.")
    if found.long_texts:
        notes.append("Its texts of 1 MB and more are left out.")
    if found.left_out:
        notes.append(f"Left out: its {' and '.join(found.left_out)}.")
    if found.stack:
        notes.append("Its description is left out: it tells the size of a stack (ImageJ, OME).")
    for kind, data in found.chunks:
        if kind == b"cICP" and len(data) == 4 and data[1] in HDR_TRANSFERS:
            notes.append(
                f"The levels are {HDR_TRANSFERS[data[1]]}, of high dynamic range; the networks "
                "know ordinary ones and take them as such."
            )
    return tuple(notes)


def _read_by_others(path, found):
    """Return a picture that OpenCV reads wrongly or not at all."""
    what = "a grey TIFF with alpha" if found.channels == 2 else "a TIFF of one plane a colour"
    what = "CMYK, the colours of printing inks" if found.cmyk else what
    try:
        return _without_inks(path, found) if found.cmyk else _by_tifffile(path, found)
    except ImportError as error:
        raise UserError(
            f"Cannot read '{path}': it is {what}, which needs more packages. Install them with: "
            'pip install "gantools[pictures]", or convert the picture to PNG.', MISSING_EXTRA,
        ) from error  # fmt: skip
    except Exception as error:  # these libraries have no error of their own for a broken file
        raise _unreadable(path, f"it is {what} that cannot be read ({error})") from error


def _needs_tifffile(found):
    """Return whether OpenCV reads a TIFF wrongly: grey with alpha, deep colours plane by plane."""
    return found.format == "tiff" and (found.channels == 2 or (found.apart and found.depth > 8))


def _by_tifffile(path, found):
    """Return the first page of a TIFF."""
    import tifffile

    data = Path(path).read_bytes()
    with tifffile.TiffFile(path) as file:
        pixels = file.pages[0].asarray()
    pixels = np.moveaxis(pixels, 0, -1) if found.apart else pixels
    pixels = exif.turned(pixels, exif.orientation(data)).astype(pixels.dtype.newbyteorder("="))
    known = pixels.dtype in LEVELS and found.channels <= 4
    if not known or pixels.shape != (found.height, found.width, found.channels):
        raise ValueError(f"its pixels are {pixels.dtype} {pixels.shape}")
    if found.inverted and found.channels == 2 and pixels.dtype != np.float32:
        pixels[:, :, 0] = ~pixels[:, :, 0]
    metadata = Metadata(*tiff.metadata(data))
    if found.extra == 1 and found.channels in (2, 4):
        pixels = _straight(pixels)
    return Picture(pixels, metadata, found.format, _notes(found, metadata))


def _without_inks(path, found):
    """Return a CMYK file as RGB: by its profile, or by the plain formula without one."""
    import io

    from PIL import Image, ImageCms, UnidentifiedImageError

    by = "a plain formula, for it has no profile; colours may be off"
    data = Path(path).read_bytes()  # Pillow spoils what lies on its side if it may map the file
    try:
        opened = Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:  # which names the place of the bytes in memory
        raise ValueError("its depth or channels are of a rare kind") from error
    with opened as image:
        image.load()
        icc, about, xmp = (image.info.get(key) for key in ("icc_profile", "exif", "xmp"))
        rgb = None
        if icc:
            with suppress(ImageCms.PyCMSError):  # a broken profile is as good as none
                source, target = io.BytesIO(icc), ImageCms.createProfile("sRGB")
                rgb = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
                by = "its profile"
        pixels = np.asarray(rgb or image.convert("RGB"))
    depth = " of 8 bits" if found.depth > 8 else ""
    note = f"CMYK, the colours of printing inks, was converted to sRGB{depth} by {by}."
    if found.format == "tiff":
        metadata, damaged = replace(Metadata(*tiff.metadata(data)), icc=None), ()
    else:
        about, xmp = about and about.removeprefix(exif.PREFIX), xmp and xmp.rstrip(b"\0")
        metadata = _completed(Metadata(about or None, None, xmp or None), found)
        damaged = _decode(np.frombuffer(data, np.uint8))[2]  # Pillow keeps it to itself
    return Picture(pixels, metadata, found.format, (note, *damaged, *_notes(found, metadata)))
