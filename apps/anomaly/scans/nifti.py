"""NIfTI volumes: slices in one orientation and spacing, and maps back into the patient's space."""

from collections import Counter
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
BRIGHT, SLICES, RISE = 99, 75, 0.1  # percentiles in a slice and over slices; share above the dark
LOOKED_AT = 128  # pixels a side of a slice, for its brightness
CLEARLY = 1.5  # times the spacing along z, from which slices lie across another axis
PLANES = ("sagittal", "coronal", "axial")  # by the axis that slices lie across
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

    Slices lie across `slice_axis`. The volume is the group; the order of slices is that of space. A
    volume without any slice to look at is one item, in trouble.

    Returns:
        `(items, notes)`.

    Raises:
        UserError: nibabel is missing.
    """
    library()
    made, notes, planes, dropped = [], [], Counter(), []
    for item in items:
        share, axis, trouble = _filled(item)
        kept = np.flatnonzero(share >= EMPTY)
        if trouble or not len(kept):
            made.append(replace(
                item, group=item.group or item.name, series=item.name, mask=None,
                trouble=trouble or NOTHING,
            ))  # fmt: skip
            continue
        if library().load(item.path).ndim > 3:
            notes.append(f"{item.name} has more than three axes: its first volume is used.")
        planes[PLANES[axis]] += 1
        dropped.append((len(share) - len(kept), len(share), item.name))
        for index in kept:
            place = float(index) / max(1, len(share) - 1)
            facts = (("slice position", place), ("foreground of slice", float(share[index])),
                     ("slice axis", float(axis)))  # fmt: skip
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
    return made, notes + _plane_notes(planes) + _empty_notes(dropped)


def _plane_notes(planes):
    """Return the warning that volumes are cut in several planes."""
    if len(planes) < 2:
        return []
    words = ", ".join(f"{count} {plane}" for plane, count in planes.most_common())
    return [
        f"warning: the slices of {planes.total()} volumes lie in {len(planes)} planes: {words}. "
        "They show nothing that can be compared: give each plane its own job."
    ]


def _empty_notes(dropped):
    """Return the note on slices that are left out.

    Args:
        dropped: `(slices left out, slices, name)`, one a volume.
    """
    lost, total = sum(few for few, _, _ in dropped), sum(count for _, count, _ in dropped)
    if not lost:
        return []
    few, count, name = max(dropped, key=lambda one: one[0] / one[1])
    return [
        f"{lost} of {total} slices are empty: left out. The most of one volume are {few} of "
        f"{count} of {name}."
    ]


def _filled(item):
    """Return `(share of the foreground in each slice, axis, why the volume cannot be read)`."""
    if item.trouble:
        return np.zeros(0), 2, item.trouble
    try:
        data, header = volume(item.path)
    except UserError as error:
        return np.zeros(0), 2, str(error)
    axis = slice_axis(header)
    above = data > _floor(data, axis)
    return above.mean(axis=tuple(i for i in range(3) if i != axis)), axis, ""


def _floor(data, axis):
    """Return the level that the foreground of a volume is above: a tenth from dark to bright.

    One bright spot, or an organ that shines in a few slices, must not turn all others into
    background: of the slices' 99th percentiles the upper quartile is what is bright.
    """
    slices = np.moveaxis(data, axis, 0)
    rows, columns = (max(1, n // LOOKED_AT) for n in slices.shape[1:])
    few = slices[:, ::rows, ::columns].reshape(len(slices), -1)
    low = np.percentile(few, PERCENTILES[0])
    bright = np.percentile(np.percentile(few, BRIGHT, axis=1), SLICES)
    return low + RISE * (bright - low)


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
    """Return across which axis (0, 1, 2) slices are taken: z, unless another is clearly coarser.

    Volumes of nearly equal spacings differ in which is largest by rounding alone: a set of them
    must not be cut in several planes.
    """
    spacing = np.array(header.get_zooms()[:3], float)
    return int(np.argmax(spacing)) if spacing.max() > CLEARLY * spacing[2] else 2


def window_of(data: np.ndarray, axis: int) -> tuple[float, float]:
    """Return the 0.5 and 99.5 percentiles inside the foreground of a volume.

    Args:
        data: `(x, y, z)`.
        axis: Across which slices are taken.
    """
    values = data.ravel()[::7] if data.size > 1_000_000 else data.ravel()
    inside = values[values > _floor(data, axis)]
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
    axis = slice_axis(header)
    low, high = window_of(data, axis)
    plane = np.take(data, index, axis=axis)
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


def write_map(source, maps: dict[int, np.ndarray], target, shown=(0.0, 0.0)) -> None:
    """Write maps of slices as a NIfTI volume in the space of the volume they came from.

    Args:
        source: The volume that was scored.
        maps: slice -> float `(h, w)`, as large as `read_slice` gave; other slices become NaN.
        target: `.nii` or `.nii.gz`; float32, with shape, axes and affine of the source's first
            volume and none of its texts, extensions, window and intent: a map shows something else.
        shown: Values that viewers show as darkest and brightest; two zeros leave that to them.

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
    for name in {"descrip", "aux_file", "db_name"} & set(header.keys()):
        header[name] = b""
    header.set_intent("none")  # takes its name and parameters along
    header["cal_min"], header["cal_max"] = shown
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
