"""A watch over items in the order in which they came: see `drift.Martingale`."""

import re

import numpy as np

from gantools.errors import UserError

from .drift import DIFFERS, SAME, WATCH, Light, Martingale


UNEASY = 10.0  # a tenth of an alarm: one stream in ten ever comes so far


def order_of(items, by):
    """Return item numbers in the order of the stream, or None.

    Args:
        items: `items.Item`s.
        by: "name" of the files (numbers in paths count as numbers; pictures of one file come in its
            own order), "time" of the files, or None: no stream. Names of items decide nothing: of
            DICOM they are codes, in an order of chance.

    Raises:
        UserError: a file has no time.
    """
    if by is None:
        return None

    def place(item):
        return (natural(str(item.path)), item.member, -1 if item.index is None else item.index)

    try:
        times = [item.path.stat().st_mtime_ns if by == "time" else 0 for item in items]
        return sorted(range(len(items)), key=lambda i: (times[i], place(items[i])))
    except OSError as error:
        raise UserError(f"The time of '{error.filename}' cannot be read.") from error


def watch(normal_scores, scores, hashes, order):
    """Return `(Light, values)`: the martingale after each item, by item number.

    Args:
        normal_scores: `(n,)` scores of the calibration normals.
        scores: `(m,)`; NaN is passed over.
        hashes: `(m,)`, unlike each other or not.
        order: Item numbers as they came.
    """
    martingale, values, alarm = Martingale(normal_scores), [0.0] * len(order), None
    for place, i in enumerate(order):
        values[i] = martingale.update(scores[i], f"{hashes[i]}:{place}")
        if martingale.alarm and alarm is None:
            alarm = place + 1
    state = DIFFERS if alarm else WATCH if martingale.peak >= UNEASY else SAME
    text = (
        f"The stream left the calibration normals by its item {alarm}: such an alarm rings in at "
        "most one stream in a hundred that stays normal."
        if alarm
        else f"The stream of {len(order)} items stayed with the calibration normals (highest value "
        f"{martingale.peak:.3g}, alarm at 100)."
    )
    p = float(np.minimum(1.0, 1 / max(martingale.peak, 1e-300)))
    return Light("stream", state, p, martingale.peak, text), values


def natural(name):
    """Return a key that sorts picture 9 before picture 10."""
    return [(0, int(t), "") if t.isdecimal() else (1, 0, t) for t in re.split(r"(\d+)", name) if t]
