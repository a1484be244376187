"""The few EXIF fields that must change when a picture does: orientation, size, thumbnail."""

import struct

ORIENTATION = 0x0112
SIZES = {0x0100: "width", 0x0101: "height", 0xA002: "width", 0xA003: "height"}
EXIF_DIRECTORY = 0x8769


def orientation(exif):
    """Return the orientation 1 to 8 in `exif` (TIFF bytes or None), 1 if it says nothing."""
    for tag, order, at in _entries(exif or b""):
        if tag == ORIENTATION:
            (value,) = struct.unpack_from(order + "H", exif, at + 8)
            return value if 1 <= value <= 8 else 1
    return 1


def changed(exif, *, width=None, height=None, upright=False):
    """Return `exif` with the new size, without its stale thumbnail.

    Args:
        exif: TIFF bytes, or None, which is returned as it is.
        width, height: Pixels of the new picture as stored.
        upright: Whether the pixels have been turned, so that the orientation becomes 1.
    """
    if exif is None:
        return None
    out, new = bytearray(exif), {"width": width, "height": height}
    for tag, order, at in _entries(exif):
        (kind,) = struct.unpack_from(order + "H", exif, at + 2)
        if tag == ORIENTATION and upright:
            struct.pack_into(order + "HH", out, at + 8, 1, 0)
        elif tag in SIZES and new[SIZES[tag]] is not None:
            struct.pack_into(order + "HHII", out, at, tag, 4, 1, new[SIZES[tag]])
        elif tag is None:
            struct.pack_into(order + "I", out, at, 0)  # no next directory: it held the thumbnail
    return bytes(out)


def turned(pixels, value):
    """Return `pixels` `(h, w, c)` as they are to be seen, given the EXIF orientation `value`."""
    if value >= 5:
        pixels = pixels.swapaxes(0, 1)
    if value in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if value in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _entries(exif):
    """Yield `(tag, byte order, offset)` of the entries of the main and the EXIF directory.

    The place of the main directory's link to the next one comes with the tag None. Broken EXIF
    yields what can be read.
    """
    order = {b"II": "<", b"MM": ">"}.get(bytes(exif[:2]))
    if order is None or len(exif) < 8:
        return
    queue, seen = [struct.unpack_from(order + "I", exif, 4)[0]], 0
    while queue and seen < 2:
        at, seen = queue.pop(), seen + 1
        if at + 2 > len(exif):
            return
        (count,) = struct.unpack_from(order + "H", exif, at)
        end = at + 2 + 12 * count
        if end > len(exif):
            return
        for entry in range(at + 2, end, 12):
            (tag,) = struct.unpack_from(order + "H", exif, entry)
            if tag == EXIF_DIRECTORY:
                queue.append(struct.unpack_from(order + "I", exif, entry + 8)[0])
            yield tag, order, entry
        if seen == 1 and end + 4 <= len(exif):
            yield None, order, end
