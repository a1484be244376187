"""What a JPEG tells in segments of its own: its profile, IPTC, comments, and more XMP."""

import struct

APP1, APP2, APP13, COMMENT = 0xE1, 0xE2, 0xED, 0xFE
KINDS = (APP1, APP2, APP13, COMMENT)
PROFILE = b"ICC_PROFILE\0"
PHOTOSHOP = b"Photoshop 3.0\0"
EXTENDED_XMP = b"http://ns.adobe.com/xmp/extension/\0"
RESOURCE, IPTC = b"8BIM", 0x0404
LARGEST = 65506  # bytes of IPTC in one segment


def icc(segments):
    """Return the colour profile, put together from its numbered pieces, or None.

    Args:
        segments: `(kind, data)` of a file, in order; data begin behind the length.
    """
    at = len(PROFILE)
    pieces = {data[at : at + 1]: data[at + 2 :] for kind, data in segments
              if kind == APP2 and data.startswith(PROFILE)}  # fmt: skip
    return b"".join(pieces[number] for number in sorted(pieces)) or None


def iptc(segments):
    """Return the IPTC block among the resources of Photoshop, or None. Args: as for `icc`.

    A resource is "8BIM", its number, a name and the length with the data, both filled up to even.
    The others, such as a thumbnail, tell of the old picture.

    Source: Adobe Photoshop File Formats Specification, "Image Resource Blocks".
    """
    pieces = (data.removeprefix(PHOTOSHOP) for kind, data in segments
              if kind == APP13 and data.startswith(PHOTOSHOP))  # fmt: skip
    data, at = b"".join(pieces), 0
    while data[at : at + 4] == RESOURCE and at + 12 <= len(data):
        number = int.from_bytes(data[at + 4 : at + 6], "big")
        at += 6 + (data[at + 6] + 2) // 2 * 2
        length = int.from_bytes(data[at : at + 4], "big")
        if number == IPTC:
            return data[at + 4 : at + 4 + length] or None
        at += 4 + length + length % 2
    return None


def comments(segments):
    """Return the comments of a file. Args: as for `icc`."""
    return tuple(data for kind, data in segments if kind == COMMENT)


def extends_xmp(segments):
    """Return whether a file has XMP that goes on behind its packet. Args: as for `icc`."""
    return any(kind == APP1 and data.startswith(EXTENDED_XMP) for kind, data in segments)


def written(block, said):
    """Return the segments that hold an IPTC block and comments.

    Args:
        block: At most `LARGEST` bytes, or None.
        said: Comments, at most 65533 bytes each.
    """
    found = [(COMMENT, data) for data in said]
    if block:
        head = RESOURCE + struct.pack(">HHI", IPTC, 0, len(block))
        found.insert(0, (APP13, PHOTOSHOP + head + block + bytes(len(block) % 2)))
    return b"".join(struct.pack(">BBH", 255, kind, 2 + len(data)) + data for kind, data in found)
