"""DICOM pixels: stored values, modality transform, window, inversion, levels of 0 to 1.

For detection the window is fixed by the modality. The one that is stored was chosen by an operator,
picture by picture, and tells what he saw; it serves for display only.
"""

from dataclasses import dataclass

import numpy as np

from gantools.errors import UserError

from .dicom import is_rescaled, library, modality_in

WINDOWS = {"CT": (-1000.0, 1000.0)}  # Hounsfield units
BY_SERIES = {"MR", "PT", "NM"}  # levels are comparable within one series only
PERCENTILES = (0.5, 99.5)
OUTSIDE = "A slice that cannot be read has no part in the window of its series."


@dataclass(frozen=True)
class Frame:
    """One frame after the modality transform.

    Attributes:
        values: float32 `(h, w)`, for example Hounsfield units; `(h, w, 3)` in [0, 1] for colour.
        valid: bool `(h, w)`: not padding.
        modality: "CT", "MR", ...
        inverted: MONOCHROME1: small values are bright.
        scaled: Whether the file says how its values become those of the modality, or is in colour.
    """

    values: np.ndarray
    valid: np.ndarray
    modality: str
    inverted: bool
    scaled: bool

    @property
    def by_series(self) -> bool:
        """Whether its levels can be compared within its series only.

        So it is in MR, PET and nuclear medicine, and in CT without Hounsfield units.
        """
        return self.modality in BY_SERIES or (self.modality in WINDOWS and not self.scaled)


def read_frame(path, index=None) -> Frame:
    """Read one frame.

    Raises:
        UserError: no pixels, truncated pixels, a compression without its decoder, or values that
            cannot be told from what the file says of them.
    """
    pydicom = library()
    try:
        data = pydicom.dcmread(path, force=True)
        if "PixelData" not in data and "FloatPixelData" not in data:
            raise UserError("A DICOM file has no pixels. Expected an image with pixel data.")
        stored = pydicom.pixels.pixel_array(data, index=index or 0, raw=False)
    except UserError:
        raise
    except Exception as error:  # every decoder has its own errors
        raise UserError(
            f"The pixels of a DICOM file cannot be decoded ({type(error).__name__}). It may be "
            'truncated, or its compression needs: pip install "gantools[medical]"'
        ) from error
    try:
        return _framed(stored, data, index or 0)
    except Exception as error:  # what is wrong may be any type and length
        raise UserError(
            f"The palette, rescale or padding of a DICOM file is broken ({type(error).__name__}): "
            "the values of its pixels cannot be told. Export it again."
        ) from error


def _framed(stored, data, index):
    """Return the `Frame` of decoded pixels."""
    kind = str(data.get("PhotometricInterpretation") or "")
    if kind == "PALETTE COLOR":
        stored = library().pixels.apply_color_lut(stored, data)
    modality = modality_in(data)
    if stored.ndim == 3:
        top = 2.0 ** (8 * stored.dtype.itemsize) - 1
        values = stored[..., :3].astype(np.float32) / np.float32(top)
        return Frame(values, np.ones(stored.shape[:2], bool), modality, False, True)
    stored = _used_bits(stored, data)
    values, scaled = _modality(stored, data, index)
    return Frame(values, ~_padding(stored, data), modality, kind == "MONOCHROME1", scaled)


def frames_of_series(items):
    """Return `(frames, items that cannot be read)`: one bad slice must not take its series along.

    Frames that have a window by themselves are left out.

    Args:
        items: With `path` and `index`.
    """
    frames, lost = [], []
    for item in items:
        try:
            frames.append(read_frame(item.path, item.index))
        except UserError:
            lost.append(item)
    return [frame for frame in frames if frame.by_series], lost


def window_of(frames) -> tuple[float, float]:
    """Return the window `(low, high)` in which frames that belong together become levels.

    CT in Hounsfield units has a fixed one. Of others the 0.5 and 99.5 percentiles of what is not
    padding; of series of the foreground, which is what exceeds a tenth of the 99.5 percentile.

    Args:
        frames: `Frame`s of one series where levels are `by_series`, or a single one.
    """
    by_series = frames[0].by_series
    if frames[0].modality in WINDOWS and not by_series:
        return WINDOWS[frames[0].modality]
    values = np.concatenate([frame.values[frame.valid].ravel()[::7] for frame in frames])
    if not values.size:
        return 0.0, 1.0
    if by_series:
        low, high = np.percentile(values, PERCENTILES)
        inside = values[values > low + 0.1 * (high - low)]
        values = inside if inside.size > 100 else values
    low, high = (float(v) for v in np.percentile(values, PERCENTILES))
    return (low, high) if high > low else (low, low + 1.0)


def levels(frame: Frame, window) -> np.ndarray:
    """Return float32 `(h, w, c)` in [0, 1]; padding is 0, MONOCHROME1 inverted in the window.

    Args:
        frame: What `read_frame` returned.
        window: `(low, high)` in the units of the frame.
    """
    if frame.values.ndim == 3:
        return frame.values
    low, high = window
    out = np.clip((frame.values - low) / (high - low), 0, 1)
    out = 1 - out if frame.inverted else out
    return np.where(frame.valid, out, 0).astype(np.float32)[..., None]


def display(path, index=None) -> np.ndarray:
    """Return uint8 `(h, w, c)` as the stored window shows it, for people only."""
    pydicom = library()
    frame = read_frame(path, index)
    if frame.values.ndim == 3:
        return np.rint(frame.values * 255).astype(np.uint8)
    data = pydicom.dcmread(path, stop_before_pixels=True, force=True)
    try:
        out = _voi(frame.values, _stored_window(data, index or 0))
    except (ValueError, TypeError, AttributeError, IndexError, KeyError):  # as broken as it comes
        out = None
    if out is None:
        return np.rint(levels(frame, window_of([frame])) * 255).astype(np.uint8)
    out = 1 - out if frame.inverted else out
    return np.rint(255 * np.where(frame.valid, out, 0)).astype(np.uint8)[..., None]


def _stored_window(data, index):
    """Return what holds the window of a frame: the file, or a group of an enhanced one; or None."""
    groups = [
        items[min(index, len(items) - 1)].get("FrameVOILUTSequence") or ()
        for name in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence")
        if len(items := data.get(name) or ())
    ]
    for one in (data, *(inner[0] for inner in groups if len(inner))):
        if one.get("VOILUTSequence") or one.get("WindowCenter") is not None:
            return one
    return None


def _voi(values, stored):
    """Return values in the window that is stored, 0 to 1; None where there is none to be used.

    The window decides the scale, not the darkest and brightest pixel: pictures of one window have
    one scale.

    Source: DICOM PS3.3, C.11.2.1.2 and C.11.2.1.3.
    """
    if stored is None:
        return None
    if stored.get("VOILUTSequence"):
        return _looked_up(values, stored.VOILUTSequence[0])
    centre, width = (_first(stored.get(name)) for name in ("WindowCenter", "WindowWidth"))
    kind = str(stored.get("VOILUTFunction") or "LINEAR").upper()
    if kind == "LINEAR":
        centre, width = centre - 0.5, max(width - 1, 1e-6 if width >= 1 else 0)
    if width <= 0:
        return None
    if kind == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - centre) / width, -80, 80)))
    return np.clip((values - centre) / width + 0.5, 0, 1)


def _looked_up(values, table):
    """Return values by a table of the file, 0 to 1."""
    count, start, bits = (int(v) for v in table.LUTDescriptor)
    cells = table.LUTData
    if isinstance(cells, bytes):
        cells = np.frombuffer(cells, np.uint8 if len(cells) == (count or 2**16) else "<u2")
    cells = np.asarray(cells, np.float32)
    places = np.clip(np.rint(values) - start, 0, len(cells) - 1).astype(int)
    return cells[places] / np.float32(2**bits - 1)


def _first(value):
    """Return the first of one or several numbers."""
    return float(value[0] if hasattr(value, "__len__") and not isinstance(value, str) else value)


def _used_bits(stored, data):
    """Clear what overlays and other tenants left in the bits above BitsStored."""
    bits, used = int(data.get("BitsAllocated") or 0), int(data.get("BitsStored") or 0)
    if stored.dtype.kind not in "iu" or not 0 < used < bits or bits != 8 * stored.dtype.itemsize:
        return stored
    return (stored << (bits - used)) >> (bits - used)  # signed types keep their sign


def _modality(stored, data, index):
    """Return stored values in the units of the modality, float32, and whether they are said."""
    if is_rescaled(data):
        return np.asarray(library().pixels.apply_modality_lut(stored, data), np.float32), True
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        items = data.get(groups) or ()
        inner = len(items) and items[min(index, len(items) - 1)].get(
            "PixelValueTransformationSequence"
        )
        if inner:
            slope, intercept = float(inner[0].RescaleSlope), float(inner[0].RescaleIntercept)
            return stored.astype(np.float32) * np.float32(slope) + np.float32(intercept), True
    return stored.astype(np.float32), False


def _padding(stored, data):
    value = data.get("PixelPaddingValue")
    if value is None:
        return np.zeros(stored.shape, bool)
    other = data.get("PixelPaddingRangeLimit")
    value = int(value)
    low, high = sorted((value, int(other) if other is not None else value))
    return (stored >= low) & (stored <= high)
