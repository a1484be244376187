"""The pictures of a card: the item, the nearest normal, the restoration and the map."""

import numpy as np

from .. import loading
from ..fitted import PIXELS
from ..scans.medical import is_nifti
from . import outputs, report

ENLARGED = 4  # times, of the small nearest normal


def pictures(looked, model, item, heat):
    """Return name -> uint8 `(h, w, c)` of the size of a card.

    Slices of NIfTI lie as radiologists are used to see them, see `nifti.upright`.

    Args:
        looked: `job.Looked`.
        model: `fitted.Fitted` that scored the item.
        item: A readable item.
        heat: Its map `(h, w)`, or None.
    """
    picture = loading.to_levels(looked.reader.pixels(item), model.levels)
    displayed = _displayed(looked.reader, item, picture)
    shown = {"input": outputs.to_bytes(displayed)}
    near = outputs.to_bytes(nearest(model, picture))
    shown["nearest"] = np.kron(near, np.ones((ENLARGED, ENLARGED, 1), np.uint8))
    restored = model.restored(picture)
    if restored is not None:
        shown["restored"] = outputs.to_bytes(restored)
    if heat is not None:
        shown["overlay"] = outputs.overlay(displayed, heat)
    if is_nifti(item.path):
        from ..scans.nifti import upright

        shown = {name: upright(pixels) for name, pixels in shown.items()}
    return {name: report.thumbnail(pixels) for name, pixels in shown.items()}


def nearest(model, picture):
    """Return the nearest fitted normal of a picture, float32 `(h, w, c)` in [-1, 1].

    Its longer side has 32 pixels; the edges that made it a square are cut off again.

    Args:
        model: `fitted.Fitted`.
        picture: float32 `(h, w, c)`.
    """
    small = loading.square(picture, PIXELS)[0][None]
    knn = model.members[0].rows["knn5"]
    chosen = int(knn.nearest(small)[0][0, 0])
    found = (knn.normals[chosen] + knn.mean).reshape(small.shape[1:])
    if knn.shapes is None:
        return found
    rows, columns = knn.shapes[chosen].tolist()
    top, left = (PIXELS - rows) // 2, (PIXELS - columns) // 2
    return found[top : top + rows, left : left + columns]


def left_of(item):
    """Return the letter of what lies on the left of an item's pictures, "" where it is unknown."""
    if not is_nifti(item.path):
        return ""
    from ..scans.nifti import left_of

    return left_of(item.path)


def _displayed(reader, item, picture):
    """Return what people see of an item: a DICOM frame by its own window, else the picture."""
    found = reader.displayed(item) if hasattr(reader, "displayed") else None
    return picture if found is None else found.astype(np.float32) / 127.5 - 1
