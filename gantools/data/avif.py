"""What an AVIF file says beside its pixels: OpenCV hands out EXIF only, and neither turns the
picture nor tells that it ought to be turned.

The container is that of HEIF (ISO/IEC 23008-12): boxes in boxes. `meta` lists items (the picture,
its alpha, EXIF, XMP), where their bytes lie, and properties that belong to them.
"""

import struct
from dataclasses import dataclass

CONTAINERS = {b"meta": 4, b"iprp": 0, b"ipco": 0}  # bytes before the boxes inside
ALPHA = b"urn:mpeg:mpegB:cicp:systems:auxiliary:alpha"
# EXIF orientation by (quarter turns anticlockwise, mirror axis or None), mirrored after turning:
# axis 0 swaps top and bottom, 1 left and right.
ORIENTATIONS = {
    (0, None): 1, (0, 1): 2, (2, None): 3, (0, 0): 4, (1, 0): 5, (3, 1): 5, (3, None): 6,
    (1, 1): 7, (3, 0): 7, (1, None): 8, (2, 1): 4, (2, 0): 2,
}  # fmt: skip


@dataclass(frozen=True)
class Avif:
    """What an AVIF file says.

    Attributes:
        height, width: Pixels as stored, before any turning.
        channels: 1 grey, 2 grey with alpha, 3 colour, 4 colour with alpha.
        depth: Bits of a level: 8, 10 or 12.
        orientation: As in EXIF, 1 to 8.
        exif, icc, xmp: Raw or None; EXIF as TIFF bytes.
        cicp: Colour space without a profile, as the data of PNG's chunk; None for sRGB or unsaid.
        frames: How many pictures a sequence has, 1 of others.
    """

    height: int
    width: int
    channels: int
    depth: int
    orientation: int = 1
    exif: bytes | None = None
    icc: bytes | None = None
    xmp: bytes | None = None
    cicp: bytes | None = None
    frames: int = 1


def parse(data) -> Avif:
    """Return what the file content `data` (bytes or a memory map) says.

    Raises:
        ValueError, struct.error, IndexError: it is broken.
    """
    found = dict(_boxes(data, 0, len(data)))
    inside = _meta(data, *found[b"meta"]) if b"meta" in found else {}
    primary = struct.unpack(">H", data[slice(*_body(inside, b"pitm", 4, 2))])[0]
    items, places = _items(data, inside), _places(data, inside)
    own = _properties(data, inside, primary)
    kinds = dict(own)
    width, height = struct.unpack(">II", data[slice(*_skip(kinds[b"ispe"], 4, 8))])
    start = kinds[b"pixi"][0] + 4 if b"pixi" in kinds else None
    depth = data[start + 1] if start else _depth(data, kinds)
    colours = data[start] if start else 1 if _grey(data, kinds) else 3
    alpha = any(_is_alpha(data, inside, item) for item in items if item != primary)
    exif = _item(data, places, items, b"Exif")
    return Avif(
        height, width, (1 if colours == 1 else 3) + alpha, depth, _orientation(data, kinds),
        exif and exif[4 + int.from_bytes(exif[:4], "big") :],
        _icc(data, own), _item(data, places, items, b"mime"), _cicp(data, own),
        _frames(data, found),
    )  # fmt: skip


def _boxes(data, at, end):
    """Yield `(kind, (start, end))` of the boxes in a range, without what follows a broken one."""
    while at + 8 <= end:
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        head = 8
        if size == 1:
            (size,) = struct.unpack(">Q", data[at + 8 : at + 16])
            head = 16
        size = size or end - at
        if size < head or at + size > end:
            raise ValueError("it is truncated or broken")
        yield kind, (at + head, at + size)
        at += size


def _meta(data, start, end):
    """Return `{kind: (start, end)}` of the boxes in `meta`, those of `iprp` with them."""
    found = dict(_boxes(data, start + CONTAINERS[b"meta"], end))
    if b"iprp" in found:
        found |= dict(_boxes(data, *found[b"iprp"]))
    return found


def _body(boxes, kind, skip, length):
    if kind not in boxes:
        raise ValueError("it is broken: a part of it is missing")
    return _skip(boxes[kind], skip, length)


def _skip(box, skip, length):
    return box[0] + skip, box[0] + skip + length


def _items(data, boxes):
    """Return `{number: kind}` of the items."""
    start, end = boxes[b"iinf"]
    wide = data[start] > 0
    found = {}
    for kind, (at, _) in _boxes(data, start + (8 if wide else 6), end):
        if kind == b"infe" and data[at] >= 2:
            size = 4 if data[at] == 3 else 2
            number = int.from_bytes(data[at + 4 : at + 4 + size], "big")
            found[number] = bytes(data[at + 6 + size : at + 10 + size])
    return found


def _places(data, boxes):
    """Return `{number: (offset, length)}` of the items that lie in the file in one piece."""
    start, end = boxes[b"iloc"]
    version, sizes, at = data[start], data[start + 4 : start + 6], start + 6
    offset_size, length_size = sizes[0] >> 4, sizes[0] & 15
    base_size, index_size = sizes[1] >> 4, sizes[1] & 15 if version else 0

    def take(size):
        nonlocal at
        at += size
        if at > end:
            raise ValueError("it is truncated or broken")
        return int.from_bytes(data[at - size : at], "big")

    found = {}
    for _ in range(take(2 if version < 2 else 4)):
        number = take(2 if version < 2 else 4)
        in_file = not version or not take(2) & 15
        take(2)
        base, count = take(base_size), take(2)
        for _ in range(count):
            take(index_size)
            offset, length = base + take(offset_size), take(length_size)
            if in_file and count == 1 and offset + length <= len(data):
                found[number] = offset, length
    return found


def _item(data, places, items, kind):
    """Return the bytes of the first item of a kind, or None."""
    for number, found in items.items():
        if found == kind and number in places:
            offset, length = places[number]
            return bytes(data[offset : offset + length])
    return None


def _properties(data, boxes, item):
    """Return `[(kind, (start, end))]` of the properties that belong to an item."""
    every = list(_boxes(data, *boxes[b"ipco"]))
    start, end = boxes[b"ipma"]
    version, wide, at = data[start], data[start + 3] & 1, start + 8
    found = []
    for _ in range(int.from_bytes(data[start + 4 : start + 8], "big")):
        size = 4 if version else 2
        number, count = int.from_bytes(data[at : at + size], "big"), data[at + size]
        at += size + 1
        if at + count * (1 + wide) > end:
            raise ValueError("it is truncated or broken")
        for _ in range(count):
            index = int.from_bytes(data[at : at + 1 + wide], "big") & (0x7FFF if wide else 0x7F)
            at += 1 + wide
            if number == item and 0 < index <= len(every):
                found.append(every[index - 1])
    return found


def _is_alpha(data, boxes, item):
    """Return whether an item holds the alpha of a picture."""
    return any(
        kind == b"auxC" and bytes(data[start + 4 : end]).startswith(ALPHA)
        for kind, (start, end) in _properties(data, boxes, item)
    )


def _icc(data, properties):
    """Return the colour profile, or None; a file may have one and code points beside it."""
    for kind, (start, end) in properties:
        if kind == b"colr" and bytes(data[start : start + 4]) in (b"prof", b"rICC"):
            return bytes(data[start + 4 : end])
    return None


def _cicp(data, properties):
    """Return the code points of the colours if they are not those of sRGB."""
    for kind, (start, _) in properties:
        if kind == b"colr" and bytes(data[start : start + 4]) == b"nclx":
            primaries, transfer = struct.unpack(">HH", data[start + 4 : start + 8])
            if primaries not in (1, 2) or transfer not in (1, 2, 6, 13):
                return bytes([primaries & 255, transfer & 255, 0, 1])
    return None


def _orientation(data, kinds):
    """Return the EXIF orientation that the container asks for."""
    turns = data[kinds[b"irot"][0]] & 3 if b"irot" in kinds else 0
    mirror = data[kinds[b"imir"][0]] & 1 if b"imir" in kinds else None
    return ORIENTATIONS[turns, mirror]


def _frames(data, boxes):
    """Return the pictures of the longest track; that of the alpha is as long as that of colours."""
    inside = [boxes[b"moov"]] if b"moov" in boxes else []
    for kind in (b"trak", b"mdia", b"minf", b"stbl", b"stsz"):
        inside = [body for box in inside for name, body in _boxes(data, *box) if name == kind]
    return max([1, *(struct.unpack(">I", data[at + 8 : at + 12])[0] for at, _ in inside)])


def _depth(data, kinds):
    """Return the bits of a level by the decoder's configuration, which a picture of tiles lacks."""
    flags = data[kinds[b"av1C"][0] + 2] if b"av1C" in kinds else 0
    return (12 if flags & 0x20 else 10) if flags & 0x40 else 8


def _grey(data, kinds):
    """Return whether the decoder's configuration says that there are no colours."""
    return b"av1C" in kinds and bool(data[kinds[b"av1C"][0] + 2] & 0x10)
