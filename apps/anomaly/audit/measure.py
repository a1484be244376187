"""One look at every picture: all the numbers that the rules of the audit compare.

A picture is opened once. What stays of it is at most 12 KB, so that 50 000 pictures fit in 600 MB.
"""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from hashlib import blake2b

import numpy as np

from gantools.data.files import readable
from gantools.errors import UserError

BYTES = "8 bit"  # the end of the mode of pictures that are not deep
CHANNELS = 4  # at most: colour with alpha
THUMB = 32  # side of the small picture that near-duplicates are confirmed on
BLOCK = 8  # side of the square whose exact recurrence shows overlapping crops
SPAN = (0.1, 99.9)  # percentiles of the small pictures: the levels that a deep set uses
REMEMBERED = 512  # blocks a picture at most, chosen by content: the same ones in every crop


@dataclass(frozen=True)
class Look:
    """What is kept of one picture.

    Attributes:
        digest: Of the decoded pixels and their shape.
        hash: 64 signs of the low frequencies.
        thumb: float32 `(32, 32)`, grey, in [0, 1].
        numbers: One float a name; no pixel content beyond a single number each.
        mode: Channels and depth in words.
        blocks: `(k, 2)` uint64 of remembered blocks: code, row * 65536 + column.
    """

    digest: bytes
    hash: int
    thumb: np.ndarray
    numbers: dict[str, float]
    mode: str
    blocks: np.ndarray


@dataclass(frozen=True)
class Sheet:
    """The looks of all readable pictures as columns, one row a picture.

    Attributes:
        names: str `(n,)`.
        parts: str `(n,)`, "train", "val" or "test".
        labels: int `(n,)`: 0, 1, or -1 for unknown.
        kinds: str `(n,)`, "" for none.
        groups: str `(n,)`, "" for unknown.
        digests: bytes `(n,)`.
        hashes: uint64 `(n,)`.
        thumbs: float32 `(n, 32, 32)` in [0, 1].
        numbers: name -> float64 `(n,)`, NaN where it is not known.
        modes: str `(n,)`.
        blocks: uint64 `(m, 3)`: picture, code, row * 65536 + column.
        facts: Names of the numbers that come from a manifest or a header, not from the file.
        unreadable: `(name, sentence)` of what could not be opened.
        span: Lowest and highest level here: 0 and 1 of 8 bit and medical pictures, else what the
            set uses of its range, for 12 bits in 16 are a fifteenth of it.
    """

    names: np.ndarray
    parts: np.ndarray
    labels: np.ndarray
    kinds: np.ndarray
    groups: np.ndarray
    digests: np.ndarray
    hashes: np.ndarray
    thumbs: np.ndarray
    numbers: dict[str, np.ndarray]
    modes: np.ndarray
    blocks: np.ndarray
    facts: tuple[str, ...] = ()
    unreadable: tuple[tuple[str, str], ...] = field(default=())
    span: tuple[float, float] = (0.0, 1.0)

    def __len__(self) -> int:
        return len(self.names)

    @property
    def normal(self) -> np.ndarray:
        """bool `(n,)`: not known to be anomalous."""
        return self.labels != 1

    @property
    def shown(self) -> np.ndarray:
        """float32 `(n, 32, 32)` in [0, 1]: small pictures, from black to the end of `span`."""
        low, high = min(self.span[0], 0.0), self.span[1]
        return np.clip((self.thumbs - np.float32(low)) / np.float32(high - low), 0, 1)


def measure(items, read, file_bytes=True) -> Sheet:
    """Look at every item once.

    Args:
        items: `items.Item`s.
        read: Function from an item to its pixels `(h, w, c)`, as `loading.Reader.pixels`.
        file_bytes: Whether the size of a file belongs to one picture and is worth comparing.

    Returns:
        The sheet of the readable ones, in order.
    """
    items = list(items)

    def one(item):
        try:
            return look(read(item))
        except UserError as error:
            return readable(str(error))

    with ThreadPoolExecutor() as pool:  # decoding and OpenCV release the interpreter's lock
        looks = list(pool.map(one, items))
    unreadable = [(i.name, n) for i, n in zip(items, looks, strict=True) if isinstance(n, str)]
    kept = [(i, n) for i, n in zip(items, looks, strict=True) if isinstance(n, Look)]
    items, looks = [i for i, _ in kept], [n for _, n in kept]
    extra = {name: _column(items, name) for name in sorted({n for i in items for n, _ in i.facts})}
    own = {}
    if file_bytes and items and all(item.index is None for item in items):
        own["file size"] = np.array([item.path.stat().st_size for item in items], float)
        endings = [item.path.suffix.lower() for item in items]
        usual = [name for name, _ in Counter(endings).most_common()]
        own["file format"] = np.array([usual.index(name) for name in endings], float)
    return _sheet(
        looks,
        names=[item.name for item in items],
        parts=[item.part for item in items],
        labels=[-1 if item.label is None else item.label for item in items],
        kinds=[item.kind for item in items],
        groups=[item.group or "" for item in items],
        deep=any(not n.mode.endswith(BYTES) and not i.series for i, n in kept),
        extra=own | extra,
        facts=tuple(extra),
        unreadable=tuple(unreadable),
    )


def measure_arrays(pictures, parts=None, labels=None, kinds=None, groups=None, names=None) -> Sheet:
    """Look at pictures in memory.

    Args:
        pictures: `(n, h, w)` or `(n, h, w, c)`, or a list of such single pictures.
        parts: n names of parts, None for all "train".
        labels: n labels 0, 1 or -1, None for unknown.
        kinds, groups, names: n texts each, or None.
    """
    n = len(pictures)
    looks = [look(picture) for picture in pictures]
    return _sheet(
        looks,
        deep=any(not one.mode.endswith(BYTES) for one in looks),
        names=[f"#{i}" for i in range(n)] if names is None else names,
        parts=["train"] * n if parts is None else parts,
        labels=[-1] * n if labels is None else labels,
        kinds=[""] * n if kinds is None else kinds,
        groups=[""] * n if groups is None else groups,
    )


def look(pixels: np.ndarray) -> Look:
    """Return what is kept of one picture.

    Args:
        pixels: `(h, w)` or `(h, w, c)`; uint8, uint16 or float in [0, 1].

    Raises:
        UserError: no pixels, none that is a number, or other channels than a picture has.
    """
    pixels = np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[..., None])
    if not pixels.size:
        raise UserError("The picture has no pixels.")
    check_channels(pixels.shape)
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise UserError("The picture holds values that are not numbers (NaN or infinite).")
    mode, channels = _mode(pixels), pixels.shape[2]
    if pixels.shape[2] == 3 and (pixels[..., :1] == pixels[..., 1:]).all():
        pixels = np.ascontiguousarray(pixels[..., :1])  # the same picture as its grey twin
    digest = blake2b(f"{pixels.shape}{pixels.dtype}".encode(), digest_size=16)
    digest.update(pixels)
    grey = to_grey(pixels)
    thumb = _small(grey, THUMB)
    return Look(
        digest.digest(),
        _dct_hash(thumb),
        thumb,
        _numbers(pixels, grey) | {"channels": float(channels)},
        mode,
        _blocks(pixels),
    )


def check_channels(shape, what="A picture") -> None:
    """Refuse the shape of one picture or of many whose last axis is not that of the channels.

    Raises:
        UserError: more than four axes, or other than 1 to 4 channels.
    """
    if len(shape) > 4 or not 1 <= shape[-1] <= CHANNELS:
        raise UserError(
            f"{what} has the shape {tuple(shape)}. Expected 1 to {CHANNELS} channels on the last "
            "axis: grey or colour, with alpha or without."
        )


def to_grey(pixels: np.ndarray) -> np.ndarray:
    """Return float32 `(h, w)` in [0, 1]: luma of RGB, the one channel of grey, alpha left out."""
    import cv2

    scale = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(pixels.dtype, 1)
    if pixels.shape[2] < 3:
        grey = pixels[..., 0]
    else:
        colour = pixels[..., :3]
        colour = colour if colour.dtype in (np.uint8, np.uint16) else colour.astype(np.float32)
        grey = cv2.cvtColor(np.ascontiguousarray(colour), cv2.COLOR_RGB2GRAY)
    return grey.astype(np.float32) / np.float32(scale)


def _sheet(looks, *, labels, deep, extra=None, facts=(), unreadable=(), **columns):
    names = looks[0].numbers if looks else ()
    numbers = {name: np.array([one.numbers[name] for one in looks]) for name in names}
    blocks = [np.insert(one.blocks, 0, i, axis=1) for i, one in enumerate(looks)]
    thumbs = np.stack([one.thumb for one in looks]) if looks else np.zeros((0, THUMB, THUMB))
    low, high = np.percentile(thumbs, SPAN).tolist() if deep else (0.0, 1.0)
    return Sheet(
        **{name: np.asarray(values, None if values else str) for name, values in columns.items()},
        labels=np.asarray(labels, int),
        digests=np.array([one.digest.hex() for one in looks]),
        hashes=np.array([one.hash for one in looks], np.uint64),
        thumbs=thumbs,
        numbers=numbers | (extra or {}),
        modes=np.array([one.mode for one in looks]),
        blocks=np.concatenate(blocks) if blocks else np.zeros((0, 3), np.uint64),
        facts=facts,
        unreadable=unreadable,
        span=(low, high if high > low else low + 1.0),
    )


def _column(items, name):
    return np.array([dict(item.facts).get(name, np.nan) for item in items], float)


def _mode(pixels):
    channels = {1: "grey", 2: "grey with alpha", 3: "colour", 4: "colour with alpha"}
    depth = {"u1": BYTES, "u2": "16 bit"}.get(pixels.dtype.str[1:], "float")
    return f"{channels.get(pixels.shape[2], f'{pixels.shape[2]} channels')}, {depth}"


def _small(grey, side):
    import cv2

    shrink = min(grey.shape) >= side
    return cv2.resize(grey, (side, side), interpolation=cv2.INTER_AREA if shrink else 1)


def _dct_hash(thumb):
    """Return 64 bits: which low frequencies of the cosine transform are above their median."""
    import cv2

    low = cv2.dct(thumb)[:8, :8].ravel()
    bits = low > np.median(low[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _numbers(pixels, grey):
    """Return the single numbers of one picture; units: pixels, levels of 0 to 1, or shares."""
    import cv2

    h, w = grey.shape
    edge = max(1, min(h, w) // 16)
    border = np.concatenate(
        [grey[:edge].ravel(), grey[-edge:].ravel(), grey[:, :edge].ravel(), grey[:, -edge:].ravel()]
    )
    blurred = cv2.GaussianBlur(grey, (0, 0), max(1.0, min(h, w) / 64))
    return {
        "height": float(h),
        "width": float(w),
        "aspect ratio": w / h,
        "bits": float(pixels.dtype.itemsize * 8),
        "mean level": float(grey.mean()),
        "contrast (standard deviation)": float(grey.std()),
        "sharpness (mean absolute Laplacian)": float(np.abs(cv2.Laplacian(grey, 5)).mean()),
        "border level": float(border.mean()),
        "foreground share": float((blurred > 0.1 * max(float(blurred.max()), 1e-6)).mean()),
        "8x8 blockiness": _blockiness(grey),
        "text marks": float(_text_marks(pixels, grey)),
    }


def _blockiness(grey):
    """Return steps across the 8x8 grid of JPEG over those one pixel beside; 1 if not compressed."""
    on, beside = 0.0, 0.0
    for axis in (0, 1):
        steps = np.abs(np.diff(grey, axis=axis)).mean(axis=1 - axis)
        at = np.arange(7, len(steps) - 1, 8)
        on += float(steps[at].sum())
        beside += float((steps[at - 1] + steps[at + 1]).sum() / 2)
    return on / beside if beside > 0 else 1.0


def _text_marks(pixels, grey):
    """Return how many letter-like marks stand in one line near the border: 0 or at least 3.

    A letter burned into a picture is a small connected part at the very top of the levels, sharply
    cut out of its surroundings; three or more of like height on one line are writing.
    """
    import cv2

    h, w = grey.shape
    if min(h, w) < 64:
        return 0
    top = float(grey.max())
    bright = (grey >= 0.92 * top).astype(np.uint8)
    if top <= 0 or bright.mean() > 0.2:
        return 0
    count, _, boxes, centres = cv2.connectedComponentsWithStats(bright, connectivity=8)
    if count > 2000:
        return 0
    marks = [
        (boxes[i, 3], centres[i, 1])
        for i in range(1, count)
        if _is_letter(boxes[i], centres[i], h, w, grey, top)
    ]
    best = 0
    for height, y in marks:
        alike = [
            1
            for hh, yy in marks
            if abs(hh - height) <= 0.25 * height and abs(yy - y) < 0.4 * height
        ]
        best = max(best, len(alike))
    return best if best >= 3 else 0


def _is_letter(box, centre, h, w, grey, top):
    left, up, wide, high, area = (int(v) for v in box)
    if not (5 <= high <= h // 8 and 1 <= wide <= 2 * high and 0.15 <= area / (wide * high) <= 0.95):
        return False
    zone = 0.25
    y, x = centre[1] / h, centre[0] / w
    if zone < y < 1 - zone and zone < x < 1 - zone:
        return False
    around = grey[max(0, up - 2) : up + high + 2, max(0, left - 2) : left + wide + 2]
    return float(np.median(around)) < 0.7 * top or float(around.min()) < 0.4 * top


@cache
def _powers(length):
    odd, values = 0x9E3779B97F4A7C15, [1]
    for _ in range(length - 1):
        values.append(values[-1] * odd % 2**64)
    return np.array(values, np.uint64)


def _blocks(pixels):
    """Return the remembered blocks of a picture: codes that an identical block elsewhere has too.

    A polynomial hash of every 8x8 block of the first channel, modulo 2^64; kept where the code's
    lowest bits are 0, which depends on the content only (winnowing).
    """
    first = pixels[..., 0]
    h, w = first.shape
    if min(h, w) <= BLOCK or min(h, w) > 2048:
        return np.zeros((0, 2), np.uint64)
    # floating point of any range by its bits: blocks are equal or they are not
    whole = first if first.dtype.kind == "u" else first.astype(np.float32).view(np.uint32)
    values = whole.astype(np.uint64) + np.uint64(1)
    power, shift = _powers(BLOCK), np.uint64(0xD6E8FEB86659FD93)
    rows = sum(values[:, i : w - BLOCK + 1 + i] * power[i] for i in range(BLOCK))
    code = sum(
        (rows[i : h - BLOCK + 1 + i] * shift) * power[i] ** np.uint64(3) for i in range(BLOCK)
    )
    code ^= code >> np.uint64(29)
    code *= np.uint64(0xBF58476D1CE4E5B9)
    code ^= code >> np.uint64(32)
    keep = 1 << (h * w // REMEMBERED).bit_length()  # a power of 2: crops of any size agree
    y, x = np.nonzero(code % np.uint64(keep) == 0)
    if not len(y):
        return np.zeros((0, 2), np.uint64)
    stack = np.stack([whole[y + i, x + j] for i in range(BLOCK) for j in range(BLOCK)], axis=1)
    stack.sort(axis=1)
    levels = 1 + (np.diff(stack, axis=1) > 0).sum(axis=1)
    kept = levels >= 24  # flat blocks and drawn lines recur without any overlap
    return np.stack([code[y, x], y * 65536 + x], axis=1).astype(np.uint64)[kept]
