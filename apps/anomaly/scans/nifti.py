"""NIfTI volumes: slices in one orientation and spacing, and maps back into the patient's space."""

from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from threading import Lock

import numpy as np

from gantools.errors import UserError, missing_extra

from .medical import is_nifti

EMPTY = 0.01  # foreground share below which a slice is dropped
NOTHING = "Every slice of it is empty: expected a volume in which something stands out."
PERCENTILES = (0.5, 99.5)
_ONE_AT_A_TIME = Lock()


def library():
    """Return the module nibabel.

    Raises:
        UserError: the extra is not installed.
    """
    try:
        import nibabel
    except ImportError as error:
        raise missing_extra("Reading NIfTI", "nibabel", "medical") from error
    return nibabel


def describe(items):
    """Return one item a slice of each volume, without empty slices.

    Slices lie across the axis of the largest spacing, or across z when all are alike. The volume is
    the group; the order of slices is that of space. A volume without any slice to look at is one
    item, in trouble.

    Returns:
        `(items, notes)`.

    Raises:
        UserError: nibabel is missing.
    """
    library()
    made, notes = [], []
    for item in items:
        share, trouble = _filled(item)
        kept = np.flatnonzero(share >= EMPTY)
        if trouble or not len(kept):
            made.append(replace(
                item, group=item.group or item.name, series=item.name, mask=None,
                trouble=trouble or NOTHING,
            ))  # fmt: skip
            continue
        if library().load(item.path).ndim > 3:
            notes.append(f"{item.name} has more than three axes: its first volume is used.")
        for index in kept:
            place = float(index) / max(1, len(share) - 1)
            facts = (("slice position", place), ("foreground of slice", float(share[index])))
            made.append(
                replace(
                    item,
                    name=f"{item.name}#{index:04d}",
                    group=item.group or item.name,
                    index=int(index),
                    series=item.name,
                    facts=item.facts + facts,
                )
            )
    return made, notes


def _filled(item):
    """Return `(share of the foreground in each slice, why the volume cannot be read)`."""
    if item.trouble:
        return np.zeros(0), item.trouble
    try:
        data, header = volume(item.path)
    except UserError as error:
        return np.zeros(0), str(error)
    axis, low = slice_axis(header), data.min() + 0.1 * np.ptp(data)
    return (data > low).mean(axis=tuple(i for i in range(3) if i != axis)), ""


def volume(path: Path):
    """Return a volume in the axes right, anterior, superior.

    Args:
        path: `.nii` or `.nii.gz`.

    Returns:
        float32 `(x, y, z)` with slope and intercept applied, NaN as the lowest value; and the
        canonical image's header.

    Raises:
        UserError: truncated, no volume, or no numbers.
    """
    found = Path(path).stat()
    with _ONE_AT_A_TIME:  # threads ask for slices of the same volume
        return _volume(Path(path), found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=2)
def _volume(path, _changed, _size):
    """Return what `volume` promises; the last two are kept while their files stay the same."""
    nibabel = library()
    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))
        data = np.asanyarray(image.dataobj[..., *([0] * (image.ndim - 3))] if image.ndim > 3
                             else image.dataobj)  # fmt: skip
        data = np.asarray(data, np.float32)
    except Exception as error:  # nibabel, gzip and NumPy raise different ones
        raise UserError(
            f"'{path.name}' cannot be read as NIfTI ({type(error).__name__}): it may be "
            "truncated. Expected a whole .nii or .nii.gz file."
        ) from error
    if data.ndim != 3 or not data.size:
        raise UserError(
            f"'{path.name}' has the shape {data.shape}. Expected a volume of three axes."
        )
    finite = np.isfinite(data)
    if not finite.any():
        raise UserError(f"'{path.name}' holds no numbers, only NaN.")
    return np.where(finite, data, data[finite].min()), image.header


def slice_axis(header) -> int:
    """Return across which axis (0, 1, 2) slices are taken: the largest spacing, else z."""
    spacing = np.array(header.get_zooms()[:3], float)
    return 2 if np.ptp(spacing) < 1e-3 * spacing.max() else int(np.argmax(spacing))


def window_of(data: np.ndarray) -> tuple[float, float]:
    """Return the 0.5 and 99.5 percentiles inside the foreground of a volume."""
    values = data.ravel()[::7] if data.size > 1_000_000 else data.ravel()
    low, high = np.percentile(values, PERCENTILES)
    inside = values[values > low + 0.1 * (high - low)]
    low, high = np.percentile(inside if inside.size > 100 else values, PERCENTILES)
    return (float(low), float(high)) if high > low else (float(low), float(low) + 1.0)


def spacing_of(paths) -> float:
    """Return the median of volumes' in-plane spacing in mm, which all are resampled to.

    Args:
        paths: Volumes; only their headers are read. Those that cannot be read are left out.

    Raises:
        UserError: none of them can be read.
    """
    found, failed = [], None
    for path in paths:
        try:
            found.append(min(_in_plane(_Turned(path))))
        except UserError as error:
            failed = error
    if failed is not None and not found:
        raise failed
    return float(np.median(found))


def spacing_in(items) -> float | None:
    """Return the `spacing_of` the volumes among normals for training, None without any."""
    normals = {i.path for i in items if i.part == "train" and i.label != 1 and is_nifti(i.path)}
    return spacing_of(sorted(normals)) if normals else None


class _Turned:
    """The spacing of a volume in the axes of `volume`, without its pixels."""

    def __init__(self, path):
        nibabel = library()
        try:
            image = nibabel.load(path)
            axes = nibabel.io_orientation(image.affine)[:3, 0].astype(int)
            zooms = image.header.get_zooms()
        except Exception as error:  # nibabel and gzip raise different ones
            raise UserError(f"'{Path(path).name}' cannot be read as NIfTI.") from error
        self.zooms = [zooms[list(axes).index(i)] for i in range(3)]

    def get_zooms(self):
        """Return mm along right, anterior, superior."""
        return self.zooms


def read_slice(path, index: int, spacing: float | None = None) -> np.ndarray:
    """Return one slice as levels.

    Args:
        path: The volume.
        index: Along `slice_axis`.
        spacing: mm a pixel after resampling, or None for the smaller of the volume's own two.

    Returns:
        float32 `(h, w, 1)` in [0, 1].
    """
    import cv2

    data, header = volume(path)
    low, high = window_of(data)
    plane = np.take(data, index, axis=slice_axis(header))
    plane = np.clip((plane - low) / (high - low), 0, 1).astype(np.float32)
    h, w = plane_size(header, plane.shape, spacing)
    if (h, w) != plane.shape:
        shrink = h < plane.shape[0] and w < plane.shape[1]
        plane = cv2.resize(plane, (w, h), interpolation=cv2.INTER_AREA if shrink else 1)
    return plane[..., None]


def upright(pixels: np.ndarray) -> np.ndarray:
    """Return a slice `(h, w, c)` of `read_slice` as radiologists see it.

    Up is the front of the patient, or the head; on the left is the patient's right, in sagittal
    slices the front.
    """
    return np.ascontiguousarray(pixels.transpose(1, 0, 2)[::-1, ::-1])


def left_of(path) -> str:
    """Return what lies on the left of `upright` slices: "R" the patient's right, "A" the front.

    "" where the file does not say how the patient lay.
    """
    header = library().load(path).header
    if not (header["qform_code"] or header["sform_code"]):
        return ""
    return "A" if slice_axis(_Turned(path)) == 0 else "R"


def read_mask_slice(path, source, index: int, like) -> np.ndarray:
    """Return bool `(h, w)`: one slice of a mask volume, resampled to the shape `like`.

    Args:
        path: The mask.
        source: The volume that it marks: slices lie across the axis of that one.
        index: Which slice of it.
        like: Shape.

    Raises:
        UserError: one of the two cannot be read, or they have not the same number of slices.
    """
    import cv2

    wanted, header = volume(source)
    data, axis = volume(path)[0], slice_axis(header)
    if data.shape[axis] != wanted.shape[axis]:
        raise UserError(
            f"The mask '{Path(path).name}' has {data.shape[axis]} slices. Expected "
            f"{wanted.shape[axis]} as its volume '{Path(source).name}' has. Give a whole mask."
        )
    plane = np.take(data, index, axis=axis) > 0
    h, w = like[:2]
    return cv2.resize(plane.astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST) > 0


def plane_size(header, shape, spacing: float | None = None) -> tuple[int, int]:
    """Return rows and columns of a slice after resampling to square pixels."""
    zooms = _in_plane(header)
    spacing = spacing or min(zooms)
    return tuple(max(1, round(n * zoom / spacing)) for n, zoom in zip(shape, zooms, strict=True))


def write_map(source, maps: dict[int, np.ndarray], target) -> None:
    """Write maps of slices as a NIfTI volume in the space of the volume they came from.

    Args:
        source: The volume that was scored.
        maps: slice -> float `(h, w)`, as large as `read_slice` gave; other slices become NaN.
        target: `.nii` or `.nii.gz`; float32, with shape, axes and affine of the source's first
            volume and none of its texts and extensions.

    Raises:
        UserError: it cannot be written.
    """
    import cv2

    from gantools.data.files import atomic

    nibabel = library()
    original = nibabel.load(source)
    data, header = volume(source)
    axis = slice_axis(header)
    out = np.full(data.shape, np.nan, np.float32)
    rest = [n for i, n in enumerate(data.shape) if i != axis]
    for index, one in maps.items():
        one = np.ascontiguousarray(one, np.float32)
        plane = one if list(one.shape) == rest else cv2.resize(one, (rest[1], rest[0]))
        out[(slice(None),) * axis + (index,)] = plane
    io = nibabel.orientations
    canonical = io.io_orientation(original.affine)
    turn = io.ornt_transform(io.axcodes2ornt("RAS"), canonical)
    turned = io.apply_orientation(out, turn)
    header = original.header.copy()
    header.set_data_dtype(np.float32)
    header.set_data_shape(turned.shape)
    header.set_slope_inter(1, 0)
    header.extensions.clear()  # they may hold a DICOM header, with names
    for name in {"descrip", "aux_file", "db_name", "intent_name"} & set(header.keys()):
        header[name] = b""
    image = type(original)(turned, original.affine, header)
    suffix = ".nii.gz" if str(target).endswith(".gz") else ".nii"
    with atomic(target) as part:
        inner = part.with_name(part.name + suffix)
        try:
            nibabel.save(image, inner)
            inner.replace(part)
        finally:
            inner.unlink(missing_ok=True)


def _in_plane(header):
    zooms = [float(z) for z in header.get_zooms()[:3]]
    axis = slice_axis(header)
    return [max(zoom, 1e-6) for i, zoom in enumerate(zooms) if i != axis]
