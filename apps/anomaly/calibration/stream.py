"""A watch over items in the order in which they came: see `drift.Martingale`."""

import re

import numpy as np

from gantools.errors import UserError

from ..tables.columns import as_numbers, as_seconds
from .drift import DIFFERS, SAME, WATCH, Light, Martingale

TIME = "time"
UNEASY = 10.0  # a tenth of an alarm: one stream in ten ever comes so far


def order_of(items, by):
    """Return item numbers in the order of the stream, or None.

    Args:
        items: `items.Item`s.
        by: "name" of the files (numbers in paths count as numbers; pictures of one file come in its
            own order), "time" of the files, or None: no stream. Names of items decide nothing: of
            DICOM they are codes, in an order of chance.

    Returns:
        Numbers; None: no stream; `TIME`: of rows of a table, which one file's time says nothing of.
        Their order is that of `rows_in_time`.

    Raises:
        UserError: a file has no time.
    """
    if by is None:
        return None
    if by == TIME and all(_is_row(item) for item in items):
        return TIME

    def place(item):
        return (natural(str(item.path)), item.member, -1 if item.index is None else item.index)

    try:
        times = [item.path.stat().st_mtime_ns if by == "time" else 0 for item in items]
        return sorted(range(len(items)), key=lambda i: (times[i], place(items[i])))
    except OSError as error:
        raise UserError(f"The time of '{error.filename}' cannot be read.") from error


def rows_in_time(values):
    """Return item numbers in the order of a column of times; equal ones as they stand in the file.

    Args:
        values: `(n,)` array of the column's cells, numbers or ISO dates; None where there is none.

    Raises:
        UserError: no column, or a row without a time.
    """
    if values is None:
        raise UserError(
            "--stream time: expected the column of a table that tells the time. Received: none. "
            "Name it with --time-col, or give --stream name for the order of the rows."
        )
    read = [as_numbers(values), as_seconds(values)]
    times = min(read, key=lambda times: np.isnan(times).sum())
    lost = int(np.isnan(times).sum())
    if lost:
        raise UserError(
            f"--stream time: {lost} of {len(times)} rows have no readable time. Expected numbers "
            "or ISO dates such as 2024-05-31 14:00. Give --stream name for the order of the rows."
        )
    return np.argsort(times, kind="stable").tolist()


def watch_units(found, order):
    """Return `(Light, values)`: the martingale after each item, by item number.

    Where items come in groups, it goes on by one step a group, when its last item has come.

    Args:
        found: `units.Units` of the items; without any there are no values.
        order: Item numbers as they came.
    """
    if found.reason:
        return Light("stream", SAME, 1.0, 1.0, found.reason), []
    place = {item: number for number, item in enumerate(order)}
    last = [max(place[item] for item in members) for members in found.members]
    whole = sorted(range(len(last)), key=last.__getitem__)
    light, steps = watch(found.normals, found.scores, found.hashes, whole, found.word)
    ends = {last[unit]: steps[unit] for unit in whole}
    values, value = [1.0] * len(order), 1.0
    for number, item in enumerate(order):
        value = values[item] = ends.get(number, value)
    return light, values


def watch(normal_scores, scores, hashes, order, word="item"):
    """Return `(Light, values)`: the martingale after each item, by item number.

    Args:
        normal_scores: `(n,)` scores of the calibration normals.
        scores: `(m,)`; NaN is passed over.
        hashes: `(m,)`, unlike each other or not.
        order: Item numbers as they came.
        word: What has a score: "item" or "group".
    """
    martingale, values, alarm = Martingale(normal_scores), [0.0] * len(order), None
    for place, i in enumerate(order):
        values[i] = martingale.update(scores[i], f"{hashes[i]}:{place}")
        if martingale.alarm and alarm is None:
            alarm = place + 1
    state = DIFFERS if alarm else WATCH if martingale.peak >= UNEASY else SAME
    text = (
        f"The stream left the calibration normals by its {word} {alarm}: such an alarm rings in at "
        "most one stream in a hundred that stays normal."
        if alarm
        else f"The stream of {len(order)} {word}s stayed with the calibration normals (highest "
        f"value {martingale.peak:.3g}, alarm at 100)."
    )
    p = float(np.minimum(1.0, 1 / max(martingale.peak, 1e-300)))
    return Light("stream", state, p, martingale.peak, text), values


def natural(name):
    """Return a key that sorts picture 9 before picture 10."""
    return [(0, int(t), "") if t.isdecimal() else (1, 0, t) for t in re.split(r"(\d+)", name) if t]


def _is_row(item):
    """Return whether an item is a row of a table, by the name that `tables.job` gives."""
    return item.index is not None and re.fullmatch(r"row \d+", item.name) is not None
