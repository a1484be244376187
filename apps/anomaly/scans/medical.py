"""DICOM and NIfTI in one place: which files they are, and the items inside them."""

from dataclasses import replace
from pathlib import Path

from gantools.data.files import readable

from ..items import Collection

NIFTI = (".nii", ".nii.gz")
DICOM = (".dcm", ".ima", ".dicom")
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
    from gantools.data.pictures import SUFFIXES

    return ending(path) not in (*SUFFIXES, *NIFTI, ".npz", ".npy") and is_dicom(path)


def holds_dicom(items) -> bool:
    """Return whether there is DICOM among items that `expand` returned."""
    return any(item.series and not is_nifti(item.path) for item in items)


def title_of(collection: Collection) -> str:
    """Return what outputs call a collection: the name of its folder or table, but not of DICOM."""
    if holds_dicom(collection.items):
        return TITLE
    return readable((collection.table or collection.root).resolve().name)


def expand(collection: Collection, salt: str) -> Collection:
    """Replace items of DICOM and NIfTI files by one item a frame or slice.

    Frames and slices keep part, label and kind of their file; a patient or a volume is their group
    unless another is known.

    Args:
        collection: One item a file.
        salt: Of the codes that stand for DICOM identifiers, see `dicom.code`.

    Raises:
        UserError: a file of the kind is there and its extra is not (exit code 3), or nothing of it
            can be read.
    """
    plain, dicom, nifti = [], [], []
    for item in collection.items:
        if is_nifti(item.path):
            nifti.append(item)
        elif read_as_dicom(item.path):
            dicom.append(item)
        else:
            plain.append(item)
    notes, skipped = list(collection.notes), list(collection.skipped)
    if dicom:
        from .dicom import describe

        made, more, failed = describe(dicom, salt)
        plain, notes, skipped = plain + made, notes + more, skipped + failed
    if nifti:
        from .nifti import describe

        made, more, failed = describe(nifti)
        plain, notes, skipped = plain + made, notes + more, skipped + failed
    return replace(collection, items=tuple(plain), notes=tuple(notes), skipped=tuple(skipped))
