"""How a picture is shown to a detector: whole in a square, or as windows at its own scale.

Whole keeps places comparable: scans, digits, centred parts. Windows keep thin defects visible: a
scratch of three pixels does not survive a reduction to a quarter.
"""

from dataclasses import dataclass

import numpy as np

from gantools.errors import UserError

from . import loading
from .settings import MOST_LOOKED, MOST_TRAINED

WHOLE, WINDOWS = "whole", "windows"
TOP = 0.1  # share of a picture's windows, at least one, whose mean is its score
LARGER = 1.5  # times the encoder's square, from which textures are shown to it in windows
LOOKED = 1024  # longest side of those: 36 windows of 224, under a second of the encoder
LOST = 1.5  # times that a picture is reduced, from which it is said


@dataclass(frozen=True)
class View:
    """One way of showing, kept in `plan.json`.

    Attributes:
        kind: "whole" or "windows".
        side: Of the detector's square, in pixels.
        stride: Between windows, in pixels.
        longest: Pictures are reduced to this longest side before windows are cut.
    """

    kind: str
    side: int
    stride: int = 0
    longest: int = 512

    def tensors(self, picture: np.ndarray) -> tuple[np.ndarray, "Shown"]:
        """Return a picture `(h, w, c)` as `(k, side, side, c)` and what `join` needs."""
        if self.kind == WHOLE:
            one, place = loading.square(picture, self.side)
            return one[None], Shown(picture.shape[:2], place=place)
        small = self.reduced(picture)
        corners = loading.window_corners(*small.shape[:2], self.side, self.stride)
        return (
            loading.cut(small, corners, self.side),
            Shown(picture.shape[:2], corners=corners, size=small.shape[:2]),
        )

    def join(self, maps: np.ndarray, shown: "Shown") -> np.ndarray:
        """Return the maps `(k, side, side)` of one picture as one map of the picture's own size."""
        import cv2

        if self.kind == WHOLE:
            return loading.unsquare(maps[0], shown.place)
        height, width = shown.size
        joined = loading.blend(maps, shown.corners, height, width)
        return cv2.resize(joined, shown.shape[::-1], interpolation=cv2.INTER_LINEAR)

    def redrawn(self, picture: np.ndarray, redraw) -> np.ndarray | None:
        """Return a picture `(h, w, c)` as `redraw` makes it of its tensors; None where it does not.

        Args:
            picture: `(h, w, c)`.
            redraw: From `(k, side, side, c)` to the same shape, or to None.
        """
        tensors, shown = self.tensors(picture)
        found = redraw(tensors)
        if found is None:
            return None
        return np.stack([self.join(one, shown) for one in np.moveaxis(found, -1, 0)], -1)

    def reduced(self, picture: np.ndarray) -> np.ndarray:
        """Return a picture `(h, w, c)` as it is before windows are cut."""
        import cv2

        height, width = picture.shape[:2]
        scale = min(1.0, self.longest / max(height, width))
        if scale < 1:
            size = tuple(max(1, round(n * scale)) for n in (width, height))
            picture = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
            picture = picture if picture.ndim == 3 else picture[..., None]
        return picture


@dataclass(frozen=True, eq=False)
class Shown:
    """Where the tensors of one picture lie in it."""

    shape: tuple[int, int]
    place: loading.Placement | None = None
    corners: np.ndarray | None = None
    size: tuple[int, int] = (0, 0)


def of_picture(values: np.ndarray) -> float:
    """Return one score of a picture by those of its windows: the mean of the oddest tenth."""
    count = max(1, round(TOP * len(values)))
    return float(np.mean(np.sort(values)[-count:]))


def choose(
    print_of_data: dict, side: int | None = None, *, fine: bool = False, scans: bool = False
) -> View:
    """Return the view that suits a data set.

    Windows where the mean picture explains little (a texture) and pictures are much larger than
    the detector's square; otherwise the whole picture.

    Args:
        print_of_data: What `fingerprint.fingerprint` returns.
        side: Of the square; None chooses by the pictures' size.
        fine: Whether the detector takes large squares at no training cost (the encoder).
        scans: Whether the pictures are scans: whole ones are compared, place by place.

    Raises:
        UserError: a square that is too large for the detector.
    """
    most = MOST_LOOKED if fine else MOST_TRAINED
    if side and side > most:
        raise UserError(
            f"--side: expected at most {most} pixels for this detector"
            f"{'' if fine else f' ({MOST_LOOKED} for the encoder)'}. Received: {side}."
        )
    numbers = print_of_data["numbers"]
    longest = max(numbers[name]["q50"] for name in ("height", "width"))
    texture = not print_of_data["is_aligned"]
    if fine:
        side = side or (48 if longest <= 48 else 160 if longest <= 192 else 224)
        if texture and not scans and longest >= LARGER * side:
            # half shared in place of a quarter: .967 in place of .919 on drawn scratches, at up to
            # 2.25 times the time; other placements: .920, .912 (`benchmarks.quality.windows`)
            return View(WINDOWS, side, side * 3 // 4, LOOKED)
        return View(WHOLE, side)
    if texture and not scans and longest >= 128:
        return View(WINDOWS, side or 64, (side or 64) // 2, 512)
    large = longest > 400 or scans  # where places are compared, they are seen in detail
    return View(WHOLE, side or (32 if longest <= 48 else 128 if large else 64))


def lost(view: View, print_of_data: dict, most: int) -> str:
    """Return which details of the largest pictures a view does not show, "" where all are there.

    Args:
        view: How they are shown.
        print_of_data: What `fingerprint.fingerprint` returns.
        most: Side of the largest square that the detector takes; 0 where no side shows more.
    """
    sizes = [print_of_data["numbers"][name] for name in ("width", "height")]
    size = [one["q100"] for one in sizes]
    times = max(size) / (view.side if view.kind == WHOLE else view.longest)
    if times < LOST:
        return ""
    remedy = " Cut into pieces they would be seen as they are."
    if view.kind == WHOLE:
        larger = min(most, 2 * view.side)
        remedy = f" --side {larger} shows more, and takes longer." if larger > view.side else ""
    before, after = ("x".join(f"{max(1, n / by):.0f}" for n in size) for by in (1, times))
    return (
        f"Pictures of {'' if [one['q0'] for one in sizes] == size else 'up to '}{before} are shown "
        f"at {after}: details of less than about {2 * times:.0f} pixels are not seen.{remedy}"
    )
