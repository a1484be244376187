"""How many pictures a file holds, of which the readers here take the first."""

import struct

from . import tags

REDUCED = 1 | 4  # of tag 254: a thumbnail, or a mask of another page
DESCRIPTION = 270
INDEX = 0xB002  # of the pictures in a JPEG, 16 bytes each (CIPA DC-007)
THUMBNAIL = 1  # kind of a picture in that index


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


def describes_stack(found):
    """Return whether the description of a TIFF tells programs the size of a stack of pages.

    ImageJ and OME have such; on a page of another size it makes a file unreadable.

    Args:
        found: Tags as from `tags.read`.
    """
    text = found[DESCRIPTION][2] if DESCRIPTION in found else b""
    return text.startswith(b"ImageJ=") or b"<OME" in text


def of_jpeg(index):
    """Return the pictures that the index of a JPEG of several lists; thumbnails are none.

    Args:
        index: Bytes of the segment from its own "II" or "MM".
    """
    order = "little" if index[:2] == b"II" else "big"
    entries = tags.read(index).get(INDEX, (7, 0, b""))[2]
    kinds = (int.from_bytes(entries[i : i + 4], order) for i in range(0, len(entries), 16))
    return max(1, sum(kind >> 16 & 255 != THUMBNAIL for kind in kinds))


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
