"""The few EXIF fields that must change when a picture does: orientation, size, resolution."""

import struct

from . import tags

PREFIX = b"Exif\0\0"  # before the block in JPEG; some programs write it elsewhere, too
ORIENTATION, SOFTWARE = 0x0112, 0x0131
RESOLUTIONS = {0x011A: 0, 0x011B: 1}
SIZES = {0x0100: "width", 0x0101: "height", 0xA002: "width", 0xA003: "height"}
EXIF_DIRECTORY = 0x8769
THUMBNAILS = ((0x0201, 0x0202), (0x0111, 0x0117))  # offsets and lengths: of JPEG, of plain pixels


def orientation(exif):
    """Return the orientation 1 to 8 in `exif` (TIFF bytes or None), 1 if it says nothing."""
    for tag, order, at in _entries(exif or b""):
        if tag == ORIENTATION:
            (value,) = struct.unpack_from(order + "H", exif, at + 8)
            return value if 1 <= value <= 8 else 1
    return 1


def density(exif):
    """Return the `(x, y)` pixels per inch in `exif` (TIFF bytes or None), None if it tells none."""
    return tags.density(tags.read(exif or b""))


def changed(exif, *, width=None, height=None, upright=False, factors=(1, 1)):
    """Return `exif` with the new size, without its stale thumbnail, which may show more than it.

    Args:
        exif: TIFF bytes, or None, which is returned as it is.
        width, height: Pixels of the new picture as stored.
        upright: Whether the pixels have been turned, so that the orientation becomes 1.
        factors: How many times wider and higher: the resolutions grow with it, so that a print
            keeps its size.
    """
    if exif is None:
        return None
    out, new, done = bytearray(exif), {"width": width, "height": height}, set()
    lying, places, second = upright and orientation(exif) >= 5, {}, 0
    for tag, order, at in _entries(exif):
        (kind,) = struct.unpack_from(order + "H", exif, at + 2)
        if tag == ORIENTATION and upright:
            struct.pack_into(order + "HH", out, at + 8, 1, 0)
        elif tag in SIZES and new[SIZES[tag]] is not None:
            struct.pack_into(order + "HHII", out, at, tag, 4, 1, new[SIZES[tag]])
        elif tag in RESOLUTIONS and kind == 5:
            places.setdefault(tag, at)
            _multiply(out, order, at, factors[RESOLUTIONS[tag] ^ lying], done)
        elif tag is None:
            (second,) = struct.unpack_from(order + "I", exif, at)
            struct.pack_into(order + "I", out, at, 0)
    if lying and len(places) == 2:  # what was across is down
        x, y = (slice(at + 8, at + 12) for at in places.values())
        out[x], out[y] = out[y], out[x]
    return _without_thumbnail(bytes(out), second)


def with_tags(exif, new):
    """Return `exif` (TIFF bytes or None) with tags of the main directory added or replaced.

    That directory is written again at the end of the block, so that nothing else moves: a camera's
    own notes hold offsets.

    Args:
        exif: TIFF bytes, or None.
        new: `{tag: (kind, count, little-endian bytes)}`, see `tags.text` and its like.
    """
    order = {b"II": "<", b"MM": ">"}.get(bytes((exif or b"")[:2]))
    if order is None or len(exif) < 14:
        return tags.block(new)
    (at,) = struct.unpack_from(order + "I", exif, 4)
    if at + 2 > len(exif):
        return tags.block(new)
    (count,) = struct.unpack_from(order + "H", exif, at)
    end = at + 2 + 12 * count
    if end > len(exif):  # the directory is damaged
        return tags.block(new)
    entries = {struct.unpack_from(order + "H", exif, i)[0]: exif[i : i + 12]
               for i in range(at + 2, end, 12)}  # fmt: skip
    out = bytearray(exif) + bytes(len(exif) % 2)
    for tag, (kind, many, raw) in new.items():
        raw = raw if order == "<" else tags.swapped(raw, kind)
        place = raw.ljust(4, b"\0")
        if len(raw) > 4:
            place, out = struct.pack(order + "I", len(out)), out + raw + bytes(len(raw) % 2)
        entries[tag] = struct.pack(order + "HHI", tag, kind, many) + place
    struct.pack_into(order + "I", out, 4, len(out))
    link = exif[end : end + 4].ljust(4, b"\0")
    body = b"".join(entries[tag] for tag in sorted(entries))
    return bytes(out) + struct.pack(order + "H", len(entries)) + body + bytes(link)


def with_software(exif, name):
    """Return `exif` (TIFF bytes or None) with the tag that names the program."""
    return with_tags(exif, {SOFTWARE: tags.text(name)})


def turned(pixels, value):
    """Return `pixels` `(h, w, c)` as they are to be seen, given the EXIF orientation `value`."""
    if value >= 5:
        pixels = pixels.swapaxes(0, 1)
    if value in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if value in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels


def _without_thumbnail(exif, at):
    """Return `exif` without the directory at `at`, to which nothing links any more, and its pixels.

    They are cut off where they end the block; elsewhere zeros take their place, for the camera's
    own notes hold offsets. Where they lie within something else, the file is broken and all stays.
    """
    out = bytearray(exif)
    for start, end in sorted(_second_ranges(exif, at), reverse=True):
        if end >= len(out):
            del out[start:]
        else:
            out[start:end] = bytes(end - start)
    return bytes(out) if tags.read(out) == tags.read(exif) else exif


def _second_ranges(exif, at):
    """Yield `(start, end)` of the directory at `at`, of those it links to, and of their pixels."""
    order, seen = {b"II": "<", b"MM": ">"}.get(exif[:2]), set()
    while at and at not in seen and at + 2 <= len(exif):
        seen.add(at)
        end = at + 2 + 12 * struct.unpack_from(order + "H", exif, at)[0]
        yield at, end + 4
        found = tags.read(exif, at=at)
        for pair in THUMBNAILS:
            starts, lengths = (tags.numbers(found, tag) for tag in pair)
            for start, length in zip(starts, lengths, strict=False):
                yield start, start + length
        at = struct.unpack_from(order + "I", exif, end)[0] if end + 4 <= len(exif) else 0


def _multiply(out, order, at, factor, done):
    """Multiply the rational that the entry at `at` points to, if it can be done in 32 bits.

    Both resolutions may point to one number: it is not multiplied again where it is in `done`.
    """
    (place,) = struct.unpack_from(order + "I", out, at + 8)
    if factor == 1 or place + 8 > len(out) or place in done:
        return
    done.add(place)
    above, below = struct.unpack_from(order + "II", out, place)
    value = above / below * factor if below else 0
    new = tags.fraction(value) if 0 < value < 2**32 - 1 else (0, 0)  # which says: unknown
    struct.pack_into(order + "II", out, place, *new)


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
