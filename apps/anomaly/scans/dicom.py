"""DICOM headers: one item a frame, series in the order of space, nobody's name in any output."""

from collections import Counter
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np

from gantools.errors import ALL_FAILED, UserError, missing_extra

from ..items import Item

SAME_PLACE = 1e-3  # mm
IRREGULAR = 0.1  # of the median gap between slices
CLEAN = "NO"  # of BurnedInAnnotation: any other answer, and none, promises nothing
ASIDE = "a localiser, or another direction than its series"
NO_PICTURE = "a DICOM file of a kind without pictures"
LEFT_OUT = (ASIDE, NO_PICTURE)  # reasons of what is passed over, by codes
KINDS = (  # that have rows and columns, but were computed, not taken
    "1.2.840.10008.5.1.4.1.1.30",  # parametric map
    "1.2.840.10008.5.1.4.1.1.66",  # segmentation, and deformations, surfaces, tracts and labels
    "1.2.840.10008.5.1.4.1.1.67",  # real-world values
    "1.2.840.10008.5.1.4.1.1.481.2",  # dose
)
COMPUTED = {"RTDOSE", "SEG"}  # their modalities, where the kind is not said
FACTS = ("KVP", "SliceThickness", "EchoTime", "RepetitionTime", "MagneticFieldStrength")


@dataclass(frozen=True)
class Header:
    """What is used of one file's header; identifiers only as codes.

    Attributes:
        item: The item of the file.
        name, series: Codes of SOPInstanceUID and SeriesInstanceUID.
        group: Code of the item's group, else of the PatientID.
        modality: "CT", "MR", ...
        frames: How many pictures the file holds.
        normal: Unit vector across the slice, or None.
        places: Position along `normal` in mm, one a frame, or empty.
        number: InstanceNumber.
        localiser: Whether it only shows where others lie.
        maker: Manufacturer, used for counting only.
        burned: BurnedInAnnotation: "YES", "NO", or "" where nobody says.
        unscaled: Whether it is grey and says not how its values become those of the modality.
        facts: Numbers of the acquisition.
    """

    item: Item
    name: str
    group: str
    series: str
    modality: str
    frames: int
    normal: np.ndarray | None
    places: tuple[float, ...]
    number: int
    localiser: bool
    maker: str
    burned: str
    unscaled: bool
    facts: tuple[tuple[str, float], ...]


def library():
    """Return the module pydicom.

    Raises:
        UserError: the extra is not installed.
    """
    try:
        import pydicom
    except ImportError as error:
        raise missing_extra("Reading DICOM", "pydicom", "medical") from error
    return pydicom


def code(text, salt: str) -> str:
    """Return 12 hexadecimal digits that stand for an identifier and do not give it away.

    Args:
        text: For example a SOPInstanceUID.
        salt: Kept with the project; whoever has it can try out identifiers.
    """
    return blake2b(str(text).encode(), key=salt.encode()[:64], digest_size=6).hexdigest()


def describe(items, salt: str):
    """Return the items inside DICOM files.

    Args:
        items: One item a file.
        salt: See `code`.

    Returns:
        `(items, notes, skipped)`: one item a frame, series after series in the order of space, then
        one a file that cannot be read; sentences; `(code, reason)` with a reason of `LEFT_OUT`.

    Raises:
        UserError: pydicom is missing, or none of the files holds a picture.
    """
    headers, broken, skipped = [], [], []
    for item in items:
        found = item.trouble or _header(item, salt)
        if found is None:
            skipped.append((code(item.name, salt), NO_PICTURE))
        elif isinstance(found, str):
            broken.append(_in_trouble(item, found, salt))
        else:
            headers.append(found)
    if not headers:
        why = f"The first: {broken[0].trouble}" if broken else f"The first is {NO_PICTURE}."
        raise UserError(
            f"None of {len(items)} DICOM files holds a picture. {why} Expected files with pixels.",
            ALL_FAILED,
        )
    counts = Counter(header.name for header in headers)
    headers = [  # some give all files one UID; and a file may be there twice
        h if counts[h.name] == 1 else replace(h, name=code(f"{h.name}/{h.item.name}", salt))
        for h in headers
    ]
    makers = [maker for maker, _ in Counter(h.maker for h in headers).most_common()]
    made, notes = [], []
    for series in dict.fromkeys(header.series for header in headers):
        members = [header for header in headers if header.series == series]
        kept, left_out = _one_direction(members)
        skipped += [(h.name, ASIDE) for h in left_out]
        notes += _spacing_notes(kept, series)
        made += _frames(_in_order(kept), makers)
    notes += _burned_notes(headers) + _unit_notes(headers) + _modality_notes(headers)
    return made + broken, notes, skipped


def modality_of(path) -> str:
    """Return the Modality of a file, "" when it has none."""
    return modality_in(library().dcmread(path, specific_tags=["Modality"], force=True))


def modality_in(data) -> str:
    """Return the Modality of a data set, "" when it has none."""
    return str(data.get("Modality") or "")


def is_rescaled(data) -> bool:
    """Return whether a data set itself says how its values become those of the modality."""
    pair = data.get("RescaleSlope") is not None and "RescaleIntercept" in data
    return bool(pair or data.get("ModalityLUTSequence"))


def _in_trouble(item, why, salt):
    """Return the item of a file whose header is not known: a code, and of nobody's group."""
    own, group = code(item.name, salt), item.group and code(item.group, salt)
    return replace(item, name=own, group=group, series=own, mask=None, trouble=why)


def _burned_notes(headers):
    """Return the warning that text may be burned in, for cards show the pictures to others."""
    said = Counter(header.burned for header in headers)
    unsure = len(headers) - said[CLEAN]
    if not unsure:
        return []
    return [
        f"warning: {unsure} of {len(headers)} DICOM files may have text burned into the picture "
        f"(BurnedInAnnotation: YES in {said['YES']}, not said in {unsure - said['YES']}). Look at "
        "the cards before you hand them on."
    ]


def _unit_notes(headers):
    """Return the warning that CT is not in Hounsfield units."""
    of_ct = [header for header in headers if header.modality == "CT"]
    raw = sum(header.unscaled for header in of_ct)
    if not raw:
        return []
    return [
        f"warning: {raw} of {len(of_ct)} CT files give no Hounsfield units: their values "
        "have no rescale. The grey levels of each such series are those of its own range, as in MR."
    ]


def _modality_notes(headers):
    """Return the warning that there are several modalities, with the pictures of each."""
    kinds = Counter()
    for header in headers:
        kinds[header.modality or "none"] += header.frames
    if len(kinds) < 2:
        return []
    words = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return [f"warning: the pictures come from {len(kinds)} modalities: {words}."]


def _header(item, salt):
    """Return a `Header`, the sentence why it cannot be read, or None: no picture by its kind."""
    try:
        data = library().dcmread(item.path, stop_before_pixels=True, force=True)
        meta = getattr(data, "file_meta", None) or {}
        kind = str(data.get("SOPClassUID") or meta.get("MediaStorageSOPClassUID") or "")
        if any(f"{kind}.".startswith(f"{one}.") for one in KINDS) or modality_in(data) in COMPUTED:
            return None
        if data.get("Rows") and data.get("Columns"):
            return _filled(item, data, salt)
    except UserError:
        raise
    except Exception as error:  # pydicom raises what the broken element happens to be
        return (
            f"The header of a DICOM file cannot be read ({type(error).__name__}): it may be "
            "truncated. Expected a whole file."
        )
    if kind and "Image Storage" not in library().uid.UID(kind).name:
        return None
    return (
        "The header of a DICOM file does not say how large its picture is: it may be truncated. "
        "Expected a whole file."
    )


def _filled(item, data, salt):
    frames = int(data.get("NumberOfFrames") or 1)
    normal = _normal(_functional(data, 0, "PlaneOrientationSequence", "ImageOrientationPatient"))
    places = ()
    if normal is not None:
        found = [
            _functional(data, i, "PlanePositionSequence", "ImagePositionPatient")
            for i in range(frames)
        ]
        if all(place is not None and len(place) == 3 for place in found):
            places = tuple(float(normal @ np.array(place, float)) for place in found)
    kinds = [str(kind).upper() for kind in data.get("ImageType") or ()]
    return Header(
        item,
        code(data.get("SOPInstanceUID") or item.name, salt),
        code(
            item.group or data.get("PatientID") or data.get("StudyInstanceUID") or item.name, salt
        ),
        code(data.get("SeriesInstanceUID") or item.name, salt),
        modality_in(data),
        frames,
        normal,
        places,
        int(data.get("InstanceNumber") or 0),
        "LOCALIZER" in kinds,
        str(data.get("Manufacturer") or ""),
        str(data.get("BurnedInAnnotation") or "").upper(),
        int(data.get("SamplesPerPixel") or 1) == 1
        and not is_rescaled(data)
        and not _grouped(data, 0, "PixelValueTransformationSequence", "RescaleSlope"),
        _facts(data),
    )


def _functional(data, index, sequence, name):
    """Return an attribute from the top, or from the functional groups of an enhanced file."""
    return data.get(name) or _grouped(data, index, sequence, name)


def _grouped(data, index, sequence, name):
    """Return an attribute from the functional groups of an enhanced file, or None."""
    for groups in ("PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence"):
        items = data.get(groups) or ()
        item = items[min(index, len(items) - 1)] if len(items) else None
        inner = item.get(sequence) if item is not None else None
        if inner and inner[0].get(name):
            return inner[0].get(name)
    return None


def _normal(orientation):
    """Return the cross product of the row and column directions, or None."""
    if orientation is None or len(orientation) != 6:
        return None
    values = np.array(orientation, float)
    normal = np.cross(values[:3], values[3:])
    length = np.linalg.norm(normal)
    return normal / length if length > 0.5 else None


def _facts(data):
    found = [(name, data.get(name)) for name in FACTS]
    spacing = data.get("PixelSpacing")
    found.append(("PixelSpacing", spacing[0] if spacing else None))
    age = str(data.get("PatientAge") or "")
    found.append(("age in years", age[:-1] if age.endswith("Y") else None))
    return tuple((name, float(value)) for name, value in found if value not in (None, ""))


def _one_direction(members):
    """Divide the files of a series into those of its main direction and the others."""
    kept = [h for h in members if not h.localiser]
    if not kept:
        return members, []  # a series of localisers alone is what somebody wants to look at
    rounded = [None if h.normal is None else tuple(np.round(h.normal, 1)) for h in kept]
    usual = Counter(rounded).most_common(1)[0][0]
    if usual is not None:
        main = kept[rounded.index(usual)].normal  # a rounded one has not the length 1
        kept = [h for h in kept if h.normal is None or abs(float(h.normal @ main)) > 0.95]
    return kept, [h for h in members if not any(h is other for other in kept)]


def _in_order(headers):
    """Return the files of a series along the normal; without positions by instance number."""
    if len(headers) > 1 and all(h.places for h in headers):
        return sorted(headers, key=lambda h: (h.places[0], h.number))
    return sorted(headers, key=lambda h: (h.number, h.name))


def _spacing_notes(headers, series):
    places = np.sort([place for header in headers for place in header.places])
    if len(places) < 3:
        return []
    gaps = np.diff(places)
    notes, twice = [], int((gaps < SAME_PLACE).sum())
    if twice:
        notes.append(f"Series {series}: {twice} slices lie at the place of another one.")
    gaps = gaps[gaps >= SAME_PLACE]
    if len(gaps) > 1 and np.ptp(gaps) > IRREGULAR * np.median(gaps):
        notes.append(
            f"Series {series}: the gap between slices varies from {gaps.min():.2f} to "
            f"{gaps.max():.2f} mm; slices may be missing."
        )
    return notes


def _frames(headers, makers):
    total, made = sum(header.frames for header in headers), []
    for header in headers:
        for index in range(header.frames):
            facts = header.facts + (("manufacturer", float(makers.index(header.maker))),)
            facts += (("slice position", len(made) / (total - 1)),) if total > 1 else ()
            made.append(
                replace(
                    header.item,
                    name=header.name if header.frames == 1 else f"{header.name}#{index}",
                    group=header.group,
                    index=None if header.frames == 1 else index,
                    series=header.series,
                    facts=facts + header.item.facts,
                )
            )
    return made
