"""The curve of a training as a PNG: scores on the validation pictures over the cycles."""

from pathlib import Path

import cv2
import numpy as np

from gantools.data.pictures import Picture, write
from gantools.report.svg import COLOURS, GREY, ticks

NAMES = {"psnr_y": "dB PSNR-Y, clean", "psnr_y_damaged": "dB PSNR-Y, damaged"}
SIZE = (800, 400)
LEFT, RIGHT, BOTTOM, TOP = 70, 24, 44, 60
LEAST = 0.05  # dB from the lowest to the highest line, so that noise does not look like a climb


def draw(path: Path, scores: list[dict], title: str) -> None:
    """Write the curve of `scores`, rows with "cycle" and some of `NAMES`, as a PNG.

    Args:
        path: The file.
        scores: At least one row.
        title: What is trained.
    """
    width, height = SIZE
    shown = {key: [row[key] for row in scores] for key in NAMES if key in scores[0]}
    cycles, values = [row["cycle"] for row in scores], np.array(list(shown.values()))
    middle, reach = (values.min() + values.max()) / 2, max(np.ptp(values), LEAST) / 2
    low, high, end = middle - reach, middle + reach, max(cycles)
    canvas = np.full((height, width, 3), 255, np.uint8)

    def place(cycle, value):
        across = LEFT + cycle / end * (width - LEFT - RIGHT)
        return round(across), round(TOP + (high - value) / (high - low) * (height - TOP - BOTTOM))

    for value in ticks(low, high, count=5):
        cv2.line(canvas, place(0, value), place(end, value), (225, 230, 235), 1)
        _text(canvas, f"{value:g}", (8, place(0, value)[1] + 5))
    for cycle in ticks(0, end):
        _text(canvas, f"{cycle:g}", (place(cycle, low)[0] - 16, height - BOTTOM + 20))
    _text(canvas, "cycles", (width // 2, height - 6))
    _text(canvas, title, (LEFT, 18), COLOURS[-1])
    for i, (key, line) in enumerate(shown.items()):
        points = np.array([place(*pair) for pair in zip(cycles, line, strict=True)], np.int32)
        cv2.polylines(canvas, [points], False, _rgb(COLOURS[i]), 2, cv2.LINE_AA)
        for point in points:
            cv2.circle(canvas, point.tolist(), 3, _rgb(COLOURS[i]), cv2.FILLED, cv2.LINE_AA)
        told = f"{NAMES[key]}: best {max(line):.2f}"
        _text(canvas, told, (LEFT + 260 * i, 40), COLOURS[i])  # where no line can cross it
    write(path, Picture(canvas))


def _text(canvas, text, place, colour=GREY):
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.45, _rgb(colour), 1, cv2.LINE_AA)


def _rgb(colour):
    """Return a colour "#rrggbb" as `(red, green, blue)`: pictures are RGB here."""
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
