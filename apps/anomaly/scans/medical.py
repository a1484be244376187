"""DICOM and NIfTI in one place: which files they are, and the items inside them."""

from dataclasses import replace
from pathlib import Path

from gantools.data.files import readable

from ..items import Collection, share_keys, shared

NIFTI = (".nii", ".nii.gz")
DICOM = (".dcm", ".ima", ".dicom")
ARRAYS = (".npz", ".npy")
TITLE = "DICOM"  # of a collection whose folder may bear a patient's name


def ending(path: Path) -> str:
    """Return the suffix in lower case, ".nii.gz" as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def is_dicom(path: Path) -> bool:
    """Return whether a file is DICOM, by its preamble or its suffix."""
    if ending(path) in DICOM:
        return True
    try:
        with path.open("rb") as file:
            return file.read(132)[128:] == b"DICM"
    except OSError:
        return False


def is_nifti(path: Path) -> bool:
    """Return whether a file is NIfTI, by its suffix."""
    return ending(path) in NIFTI


def read_as_dicom(path: Path) -> bool:
    """Return whether a file is opened as DICOM: it is that, and no picture or array by its name."""
    return not _is_picture(path) and not is_nifti(path) and is_dicom(path)


def holds_dicom(items) -> bool:
    """Return whether there is DICOM among items that `expand` returned."""
    return any(item.series and not is_nifti(item.path) for item in items)


def title_of(collection: Collection) -> str:
    """Return what outputs call a collection: the name of its folder or table, but not of DICOM."""
    if holds_dicom(collection.items):
        return TITLE
    return readable((collection.table or collection.root).resolve().name)


def expand(collection: Collection, salt: str, part=None) -> Collection:
    """Replace items of DICOM and NIfTI files by one item a frame or slice.

    Frames and slices keep part, label and kind of their file; a patient or a volume is their group
    unless another is known. A file that cannot be read stays one item, in trouble.

    Args:
        collection: One item a file.
        salt: Of the codes that stand for DICOM identifiers, see `dicom.code`.
        part: `(i, n)` of a share, or None for all. Of DICOM all headers are read, for they say who
            the patient is; volumes of other shares are not opened.

    Raises:
        UserError: a file of the kind is there and its extra is not (exit code 3), or nothing of it
            can be read.
    """
    plain, dicom, nifti = _by_kind(collection.items)
    notes, skipped = list(collection.notes), list(collection.skipped)
    if dicom:
        from .dicom import describe

        made, more, failed = describe(dicom, salt)
        plain, notes, skipped = plain + made, notes + more, skipped + failed
    nifti = [replace(item, group=item.group or item.name, series=item.name) for item in nifti]
    mine, others = shared([*plain, *nifti], part)
    files = [item for item in mine if is_nifti(item.path)]
    if files:
        from .nifti import describe

        made, more = describe(files)
        mine = [item for item in mine if not is_nifti(item.path)] + made
        notes += more
    return replace(
        collection, items=tuple(mine), others=tuple(others), notes=tuple(notes),
        skipped=tuple(skipped),
    )  # fmt: skip


def in_all_shares(collection: Collection) -> list[tuple[str, str]]:
    """Return `(name, key)` of what a collection holds, the same at whichever share one looks.

    A volume has one name here: those of other shares are not opened, and nobody knows their slices.
    """
    every = [*collection.items, *collection.others]
    names = [i.series if i.series and is_nifti(i.path) else i.name for i in every]
    return sorted(set(zip(names, share_keys(every), strict=True)))


def _by_kind(items):
    """Return plain items, DICOM and NIfTI; among DICOM a missing file without a suffix is some."""
    plain, dicom, nifti = [], [], []
    for item in items:
        wanted = nifti if is_nifti(item.path) else dicom if read_as_dicom(item.path) else plain
        wanted.append(item)
    lost = [item for item in plain if dicom and item.trouble and not _is_picture(item.path)]
    return [item for item in plain if item not in lost], dicom + lost, nifti


def _is_picture(path):
    from gantools.data.pictures import SUFFIXES

    return ending(path) in (*SUFFIXES, *ARRAYS)
