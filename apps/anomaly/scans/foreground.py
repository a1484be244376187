"""Where the object of a picture is: the patient on the black of a scan."""

import cv2
import numpy as np

DARK = 0.9  # share of the normals with a black background, from which a data set is one of scans
BORDER, DARKEST = 0.8, 64  # share of the border that is darker than that, or than Otsu's threshold
LEAST = 64  # pixels a side of scans: below, there are no places to compare
LOOKED_AT = 200  # normals
DARK_END, RISE = 80, 0.1  # percentile of the border, and share of the range that an object is above


def foreground(picture: np.ndarray) -> np.ndarray:
    """Return where the object is, bool `(h, w)`; everything, where no dark background is.

    A background is there when the border is darker than Otsu's threshold of the blurred picture and
    nearly all of it is; then the largest part above a tenth of the range is kept, holes filled.

    Args:
        picture: float32 `(h, w, c)` in [-1, 1].
    """
    grey = ((picture.mean(axis=2) + 1) * 127.5).clip(0, 255).astype(np.uint8)
    blurred = cv2.GaussianBlur(grey, (0, 0), max(1.0, min(grey.shape) / 64))
    cut_at, _ = cv2.threshold(blurred, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    border = np.concatenate([blurred[0], blurred[-1], blurred[:, 0], blurred[:, -1]])
    if (border < min(cut_at, DARKEST)).mean() < BORDER:
        return np.ones(grey.shape, bool)
    above = np.percentile(border, DARK_END) + RISE * float(np.ptp(blurred))
    inside = (blurred > above).astype(np.uint8)
    count, parts, boxes, _ = cv2.connectedComponentsWithStats(inside)
    if count < 2:
        return np.ones(grey.shape, bool)
    largest = (parts == 1 + int(boxes[1:, cv2.CC_STAT_AREA].argmax())).astype(np.uint8)
    lines, _ = cv2.findContours(largest, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    return cv2.drawContours(largest, lines, -1, 1, cv2.FILLED) > 0


def is_scan(pictures: np.ndarray) -> bool:
    """Return whether normals `(n, h, w, c)` in [-1, 1] are objects on black, large enough to part.

    What is seen of such pictures as a whole is the level of the slice and the size of the object:
    only their places, each within the object, say something.
    """
    return min(pictures.shape[1:3]) >= LEAST and are_on_black(pictures)


def are_on_black(pictures: np.ndarray) -> bool:
    """Return whether nine of ten pictures `(n, h, w, c)` in [-1, 1] have a dark background."""
    looked_at = pictures[:: max(1, len(pictures) // LOOKED_AT)]
    return bool(np.mean([not foreground(picture).all() for picture in looked_at]) >= DARK)


def at_places(pictures: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return which places lie more than half within the object, bool `(n, rows, columns)`.

    Args:
        pictures: float32 `(n, h, w, c)` in [-1, 1]; NaN is taken for grey.
        size: `(rows, columns)`.
    """
    masks = (foreground(np.nan_to_num(picture)).astype(np.float32) for picture in pictures)
    shares = [cv2.resize(m, size[::-1], interpolation=cv2.INTER_AREA) for m in masks]
    return np.stack(shares) > 0.5
