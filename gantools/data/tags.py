"""Directories of tags, as TIFF files and EXIF blocks have them: read, changed, written anew."""

import struct

POINTERS = (0x8769, 0x8825)  # to the directories of EXIF and of GPS
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
PIECES = {5: 4, 10: 4}  # a rational is two numbers
LARGEST = 1 << 26  # bytes of one value: more is a broken file


def read(data, *, depth=0, at=None):
    """Return the tags of a TIFF file or EXIF block: `{tag: (kind, count, little-endian bytes)}`.

    Directories that are pointed to come as `{tag: {...}}`. What is broken is left out.

    Args:
        data: Bytes or a memory map that starts with "II" or "MM".
        depth, at: For the recursion.
    """
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8 or depth > 1:
        return {}
    start = struct.unpack_from(order + "I", data, 4)[0] if at is None else at
    if start + 2 > len(data):
        return {}
    (count,), found = struct.unpack_from(order + "H", data, start), {}
    for entry in range(start + 2, min(start + 2 + 12 * count, len(data) - 11), 12):
        tag, kind, many = struct.unpack_from(order + "HHI", data, entry)
        length = SIZES.get(kind, 0) * many
        if not 0 < length < LARGEST:
            continue
        (place,) = struct.unpack_from(order + "I", data, entry + 8)
        place = place if length > 4 else entry + 8
        raw = bytes(data[place : place + length])
        if len(raw) < length:
            continue
        raw = raw if order == "<" else swapped(raw, kind)
        if tag in POINTERS:
            below = read(data, depth=depth + 1, at=int.from_bytes(raw[:4], "little"))
            found |= {tag: below} if below else {}
        else:
            found.setdefault(tag, (kind, many, raw))  # of tags that come twice, the first counts
    return found


def swapped(raw, kind):
    """Return the numbers of a value in the other order of bytes."""
    size = PIECES.get(kind, SIZES[kind])
    return b"".join(raw[i : i + size][::-1] for i in range(0, len(raw), size))


def resolution(density):
    """Return the tags of `(x, y)` pixels per inch; none if it is None."""
    if not density:
        return {}
    return {282: rational(density[0]), 283: rational(density[1]), 296: short(2)}


def density(tags):
    """Return the `(x, y)` pixels per inch that tags tell, or None."""
    unit = {2: 1.0, 3: 2.54}.get(number(tags, 296, 2), 0)
    found = tuple(number(tags, tag) * unit for tag in (282, 283))
    return found if all(found) else None


def written(tags, at, *, big=False):
    """Return a directory with its values, little-endian, to be put at the offset `at`.

    Args:
        tags: As from `read`.
        at: Offset in the file or block, even.
        big: Whether for a BigTIFF, with offsets of 64 bits.
    """
    field, number = ("<HHQ", "<Q") if big else ("<HHI", "<I")
    width = struct.calcsize(number)
    head = 8 if big else 2
    values_at = at + head + len(tags) * (4 + 2 * width) + width
    entries, values = [], bytearray()
    for tag, value in sorted(tags.items()):
        values += bytes(-(values_at + len(values)) % 8)
        if isinstance(value, dict):
            place = values_at + len(values)
            values += written(value, place, big=big)
            kind, count, raw = 13 if big else 4, 1, struct.pack("<I", place)
        else:
            kind, count, raw = value
        if len(raw) > width:
            place = values_at + len(values)
            values += raw
            raw = struct.pack(number, place)
        entries.append(struct.pack(field, tag, kind, count) + raw.ljust(width, b"\0"))
    count = struct.pack("<Q" if big else "<H", len(tags))
    return count + b"".join(entries) + bytes(width) + bytes(values)


def block(tags):
    """Return an EXIF block with the tags."""
    return b"II*\0\x08\0\0\0" + written(tags, 8)


def short(*values):
    """Return the entry of 16-bit numbers."""
    return 3, len(values), struct.pack(f"<{len(values)}H", *values)


def long(*values):
    """Return the entry of 32-bit numbers."""
    return 4, len(values), struct.pack(f"<{len(values)}I", *values)


def rational(value):
    """Return the entry of a positive number."""
    return 5, 1, struct.pack("<II", *fraction(value))


def fraction(value):
    """Return `(above, below)` of a positive number below 2**32 - 1: to 1/10000 if 32 bits hold it.

    Microscopes have 254 000 pixels per inch and more.
    """
    below = 10_000 if value < 400_000 else 1
    return round(value * below), below


def text(value):
    """Return the entry of a text."""
    raw = value.encode() + b"\0"
    return 2, len(raw), raw


def numbers(tags, tag):
    """Return all numbers of a tag of 16 or 32 bits; none if there is no such tag."""
    kind, _, raw = tags[tag] if isinstance(tags.get(tag), tuple) else (0, 0, b"")
    if kind not in (3, 4, 13):
        return []
    size = SIZES[kind]
    return [int.from_bytes(raw[i : i + size], "little") for i in range(0, len(raw), size)]


def number(tags, tag, default=0):
    """Return the first number of a tag: integer or rational."""
    entry = tags.get(tag)
    if not isinstance(entry, tuple) or entry[0] not in (1, 3, 4, 5, 13, 16):
        return default
    kind, _, raw = entry
    if kind == 5:
        above, below = struct.unpack("<II", raw[:8])
        return above / below if below else default
    return int.from_bytes(raw[: SIZES[kind]], "little")
