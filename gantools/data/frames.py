"""How many pictures a file holds, of which the readers here take the first."""

import struct

from . import tags

REDUCED = 1 | 4  # of tag 254: a thumbnail, or a mask of another page


def riff(data):
    """Yield `(kind, offset of the data, length)` of the chunks of a WebP."""
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack("<4sI", data[at : at + 8])
        yield kind, at + 8, length
        at += 8 + length + length % 2


def of_tiff(data):
    """Return the pages of a TIFF; thumbnails and masks are none."""
    order = {b"II": "<", b"MM": ">"}[bytes(data[:2])]
    (at,), seen, pages = struct.unpack_from(order + "I", data, 4), set(), 0
    while at and at not in seen and at + 2 <= len(data):
        seen.add(at)
        pages += not tags.number(tags.read(data, at=at), 254) & REDUCED
        end = at + 2 + 12 * struct.unpack_from(order + "H", data, at)[0]
        if end + 4 > len(data):
            break
        (at,) = struct.unpack_from(order + "I", data, end)
    return max(1, pages)


def of_gif(data):
    """Return the frames of a GIF."""
    at, found = 13 + _colours(data[10]), 0
    try:
        while data[at] != 0x3B:  # the end
            found += data[at] == 0x2C
            at = at + 11 + _colours(data[at + 9]) if data[at] == 0x2C else at + 2
            while data[at]:  # blocks of at most 255 bytes
                at += 1 + data[at]
            at += 1
    except IndexError:  # cut: the decoder says so
        return max(1, found)
    return max(1, found)


def _colours(flags):
    """Return the bytes of the table of colours that the flags of a GIF tell of."""
    return 3 * 2 ** ((flags & 7) + 1) if flags & 0x80 else 0
