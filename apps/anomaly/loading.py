"""Opening items: their pixels as stored, and the float tensors that a model sees."""

from collections import OrderedDict
from dataclasses import dataclass, replace

import numpy as np

from gantools.errors import UserError

from .arrays import stored_array
from .audit.measure import check_channels
from .items import Item
from .scans.foreground import DARK, foreground
from .scans.medical import ARRAYS, ending, is_dicom, is_nifti

PERCENTILES = (0.1, 99.9)  # of the levels of deep training pictures
SAMPLE = 500  # training pictures that decide levels and colour


@dataclass(frozen=True)
class Levels:
    """How stored pixels become what a model sees; decided once, by the training pictures.

    Attributes:
        channels: 1 grey or 3 colour.
        low, high: Levels of 0 to 1 (share of the type's range) that become -1 and 1. 0 and 1 for
            8 bit and medical pictures, percentiles of the training pictures for deeper ones.
        masked: Whether all but the object is black: of scans on a dark background, where noise,
            tables and texts around the patient are none of a detector's business.
    """

    channels: int = 1
    low: float = 0.0
    high: float = 1.0
    masked: bool = False


@dataclass(frozen=True)
class Placement:
    """Where a picture lies in the square that a model sees.

    Attributes:
        height, width: Of the picture.
        top, left, rows, columns: Of its place in the square.
    """

    height: int
    width: int
    top: int
    left: int
    rows: int
    columns: int


class Reader:
    """Opens items; remembers the window of each medical series.

    Args:
        items: All items that may be asked for: those of one series share a window.
        spacing: mm a pixel of NIfTI slices, as `nifti.spacing_of` gives it, or None for each
            volume's own.

    Attributes:
        notes: Name -> sentences, of the files that are not read whole or not as they are meant.
    """

    def __init__(self, items=(), spacing: float | None = None):
        self._series, self.notes = {}, {}
        for item in items:
            if item.series:
                self._series.setdefault(item.series, []).append(item)
        self._windows = OrderedDict()
        self.spacing = spacing

    def pixels(self, item: Item) -> np.ndarray:
        """Return one item as stored.

        Returns:
            `(h, w, c)`; uint8, uint16, or float32: in [0, 1] for medical pictures, else as stored.

        Raises:
            UserError: it cannot be read.
        """
        if item.trouble:
            raise UserError(item.trouble)
        if ending(item.path) in ARRAYS:
            stored = stored_array(item.path, item.member)[item.index]
            return stored if stored.ndim == 3 else stored[..., None]
        if is_nifti(item.path):
            from .scans.nifti import read_slice

            return read_slice(item.path, item.index, self.spacing)
        if item.series or is_dicom(item.path):
            from .scans import dicom_pixels

            frame = dicom_pixels.read_frame(item.path, item.index)
            return dicom_pixels.levels(frame, self._window(item, frame))
        from gantools.data import pictures

        found = pictures.read(item.path)
        if found.notes:
            self.notes[item.name] = found.notes
        return found.upright().pixels

    def displayed(self, item: Item) -> np.ndarray | None:
        """Return a DICOM frame by the window that is stored with it, uint8 `(h, w, c)`, for people.

        None for anything else: then the picture itself shows best.
        """
        if not item.series or is_nifti(item.path):
            return None
        from .scans import dicom_pixels

        return dicom_pixels.display(item.path, item.index)

    def part(self, items) -> "Reader":
        """Return a reader of some items: less to send to another process."""
        wanted = {item.series for item in items if item.series}
        found = Reader((), self.spacing)
        found._series = {code: self._series[code] for code in wanted & set(self._series)}
        return found

    def _window(self, item, frame):
        from .scans import dicom_pixels

        if not frame.by_series:
            return dicom_pixels.window_of([frame])
        if item.series not in self._windows:
            members = self._series.get(item.series, [item])
            # all of them where none of the chosen can be read: never by who asks first
            few = members[:: max(1, len(members) // 16)]
            frames, lost = dicom_pixels.frames_of_series(few)
            frames = frames or dicom_pixels.frames_of_series(members)[0]
            self.notes |= {one.name: (dicom_pixels.OUTSIDE,) for one in lost}
            self._windows[item.series] = dicom_pixels.window_of(frames)
        return self._windows[item.series]


def read_mask(item: Item, shape=None) -> np.ndarray:
    """Return the pixel truth of an item, bool `(h, w)`, True where anomalous.

    Args:
        item: The item.
        shape: `(h, w)` of a NIfTI slice as it was scored; None takes the volume's own spacing.

    Raises:
        UserError: it has none, or it cannot be read.
    """
    if item.mask is None:
        raise UserError(f"'{item.name}' has no mask.")
    if is_nifti(item.mask):
        from .scans.nifti import read_mask_slice, read_slice

        shape = shape or read_slice(item.path, item.index).shape
        return read_mask_slice(item.mask, item.path, item.index, shape)
    from gantools.data import pictures

    pixels = pictures.read(item.mask).upright().pixels
    coloured = 1 if pixels.shape[2] < 3 else 3  # what follows is alpha
    return pixels[..., :coloured].max(axis=2) > 0


def learn_levels(reader: Reader, items, scans: bool = False) -> Levels:
    """Decide colour and range by training pictures.

    Pictures count as colour when their channels differ, not when there are three of them; the set
    is colour when most are. Levels are the 0.1 and 99.9 percentiles where a picture is deeper than
    8 bits, else the whole range. Scans are masked when nine of ten have a dark background.

    Args:
        reader: Opens the items.
        items: Training items; up to 500 spread over them are opened. Unreadable ones are left out.
        scans: Whether all are scans; DICOM and NIfTI always are.

    Raises:
        UserError: none can be read.
    """
    colours, deep, values, likely, dark = [], False, [], [], []
    for item in list(items)[:: max(1, len(items) // SAMPLE)]:
        try:
            pixels = reader.pixels(item)
        except UserError:
            continue
        colours.append(_is_colour(pixels))
        deep |= pixels.dtype != np.uint8 and not item.series
        if scans or item.series:
            likely.append(item)
            dark.append(_on_dark(pixels, Levels()))
        shares = _shares(pixels).ravel()
        values.append(shares[:: max(1, len(shares) // 4096)])
    if not colours:
        raise UserError("None of the training pictures can be read.")
    channels = 3 if np.mean(colours) > 0.5 else 1
    if not deep:
        return Levels(channels, masked=sum(dark) >= DARK * len(colours))
    low, high = (float(v) for v in np.percentile(np.concatenate(values), PERCENTILES))
    levels = Levels(channels, low, high if high > low else low + 1.0)
    # of the type's range 12 bits in 16 use so little that an object is as dark as its background;
    # black is 0, not what is lowest: that may be grey
    shown = replace(levels, low=min(levels.low, 0.0))
    dark = [_on_dark(reader.pixels(item), shown) for item in likely]
    return replace(levels, masked=sum(dark) >= DARK * len(colours))


def to_levels(pixels: np.ndarray, levels: Levels) -> np.ndarray:
    """Return stored pixels as float32 `(h, w, channels)` in [-1, 1], clipped; alpha on white.

    Raises:
        UserError: they hold NaN or infinite values, or other channels than a picture has.
    """
    import cv2

    check_channels(pixels.shape)
    shares = _shares(pixels)
    if pixels.shape[2] in (2, 4):
        shares = shares[..., :-1] * shares[..., -1:] + (1 - shares[..., -1:])
    if pixels.dtype.kind == "f" and not np.isfinite(shares).all():
        raise UserError("A picture holds values that are not numbers (NaN or infinite).")
    if levels.channels == 1 and shares.shape[2] == 3:
        shares = cv2.cvtColor(np.ascontiguousarray(shares), cv2.COLOR_RGB2GRAY)[..., None]
    elif levels.channels == 3 and shares.shape[2] == 1:
        shares = np.repeat(shares, 3, axis=2)
    scale = np.float32(2 / (levels.high - levels.low))
    picture = np.clip((shares - np.float32(levels.low)) * scale - 1, -1, 1)
    return np.where(foreground(picture)[..., None], picture, -1) if levels.masked else picture


def square(picture: np.ndarray, side: int) -> tuple[np.ndarray, Placement]:
    """Return a picture in a square of `side`, aspect kept, mirrored where it is short.

    Args:
        picture: float32 `(h, w, c)`.
        side: Of the square, in pixels.

    Returns:
        float32 `(side, side, c)` and where the picture lies in it.
    """
    import cv2

    h, w, channels = picture.shape
    scale = side / max(h, w)
    rows, columns = max(1, round(h * scale)), max(1, round(w * scale))
    if (rows, columns) != (h, w):
        how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        picture = cv2.resize(picture, (columns, rows), interpolation=how)
    top, left = (side - rows) // 2, (side - columns) // 2
    sides = (top, side - rows - top, left, side - columns - left)
    out = cv2.copyMakeBorder(picture, *sides, cv2.BORDER_REFLECT)
    return out.reshape(side, side, channels), Placement(h, w, top, left, rows, columns)


def unsquare(one: np.ndarray, place: Placement) -> np.ndarray:
    """Return the part of a map `(side, side)` that shows the picture, in the picture's own size."""
    import cv2

    inner = one[place.top : place.top + place.rows, place.left : place.left + place.columns]
    inner = np.ascontiguousarray(inner, np.float32)
    return cv2.resize(inner, (place.width, place.height), interpolation=cv2.INTER_LINEAR)


def window_corners(height: int, width: int, side: int, stride: int) -> np.ndarray:
    """Return int `(k, 2)`: top left corners of windows that cover a picture, the last ones flush.

    A picture smaller than the window has one corner, (0, 0): `cut` draws its edge out.
    """
    rows, columns = (
        sorted({*range(0, max(n - side, 0) + 1, stride), max(n - side, 0)}) for n in (height, width)
    )
    return np.array([(row, column) for row in rows for column in columns], int)


def cut(picture: np.ndarray, corners: np.ndarray, side: int) -> np.ndarray:
    """Return windows of a picture, float32 `(k, side, side, c)`, at native scale."""
    import cv2

    h, w, c = picture.shape
    if min(h, w) < side:
        missing = (0, max(0, side - h), 0, max(0, side - w))
        picture = cv2.copyMakeBorder(picture, *missing, cv2.BORDER_REFLECT_101)
        picture = picture.reshape(*picture.shape[:2], c)
    return np.stack([picture[y : y + side, x : x + side] for y, x in corners])


def blend(maps: np.ndarray, corners: np.ndarray, height: int, width: int) -> np.ndarray:
    """Return one map of the whole picture from maps of its windows, weighted by a Hann window.

    Args:
        maps: `(k, side, side)`.
        corners: `(k, 2)` as `window_corners` gave.

    Returns:
        float32 `(height, width)`.

    Source: w(t) = sin^2(pi (t + 1/2) / side) on both axes, normalised by the sum of weights.
    """
    side = maps.shape[1]
    hann = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
    weight = np.maximum(hann[:, None] * hann[None], 1e-4)
    shape = (max(height, side), max(width, side))
    total, weights = np.zeros(shape), np.zeros(shape)
    for one, (y, x) in zip(maps, corners, strict=True):
        total[y : y + side, x : x + side] += one * weight
        weights[y : y + side, x : x + side] += weight
    return (total / np.maximum(weights, 1e-12))[:height, :width].astype(np.float32)


def _on_dark(pixels, levels):
    return not foreground(to_levels(pixels, levels)).all()


def _is_colour(pixels):
    if pixels.shape[2] < 3:
        return False
    part = pixels[::4, ::4, :3].astype(np.float32)
    return bool(
        np.abs(part - part.mean(axis=2, keepdims=True)).max() > 0.02 * max(part.max(), 1e-6)
    )


def _shares(pixels):
    """Return float32: the share of the type's range; floating point as it is."""
    scale = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(pixels.dtype, 1)
    return pixels.astype(np.float32) / np.float32(scale)
