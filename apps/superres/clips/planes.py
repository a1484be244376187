"""The planes of a clip's frames: luma and chroma as arrays, in the format that they are stored in.

A clip is never turned into RGB. The network enlarges luma as a grey picture, chroma is enlarged by
a cubic kernel, and no matrix is applied: whatever the colours mean, they mean it afterwards. Beside
the way through RGB that gains 0.1 dB of luma on Set14 and nothing on B100, chroma is as near to
the truth, and it takes half the time. Only clips that are stored as RGB are converted, to BT.709.
"""

from dataclasses import dataclass

import numpy as np

from gantools.data.resample import kernel

BROADER = {(2, 2): (1, 1), (2, 0): (1, 0), (0, 1): (0, 0)}  # that encoders do not write: the next
READABLE = {
    "410": (2, 2),
    "411": (2, 0),
    "420": (1, 1),
    "422": (1, 0),
    "440": (0, 1),
    "444": (0, 0),
}
CENTRED = ("mjpeg", "mpeg1video", "h263")  # whose chroma lies between pixels, not at the left one


@dataclass(frozen=True)
class Layout:
    """How planes are stored.

    Attributes:
        bits: Of a sample: 8 bits are uint8, more are uint16.
        shifts: Powers of two by which chroma is narrower and lower than luma: (1, 1) is 4:2:0.
        grey: Whether there is no chroma.
    """

    bits: int
    shifts: tuple[int, int]
    grey: bool = False

    @property
    def name(self) -> str:
        """Return the name of the planar format."""
        deep = "" if self.bits == 8 else f"{self.bits}le"
        if self.grey:
            return f"gray{deep}"
        number = next(name for name, shifts in READABLE.items() if shifts == self.shifts)
        return f"yuv{number}p{deep}"

    @property
    def top(self) -> int:
        """Return the highest code."""
        return 2**self.bits - 1

    def chroma_size(self, height: int, width: int) -> tuple[int, int]:
        """Return the `(height, width)` of chroma for that of luma."""
        across, down = self.shifts
        return -(-height >> down), -(-width >> across)

    def written(self, deep: bool = True) -> "Layout":
        """Return the nearest layout that encoders write: 4:2:0, 4:2:2 or 4:4:4, 8 or 10 bits."""
        shifts = (1, 1) if self.grey else BROADER.get(self.shifts, self.shifts)
        return Layout(10 if deep and self.bits > 8 else 8, shifts)


def layout_of(form) -> Layout:
    """Return the layout in which frames of an `av.VideoFormat` are read."""
    components = form.components
    bits = max(component.bits for component in components)
    if form.is_rgb or form.has_palette:
        return Layout(8 if bits <= 8 else 10, (0, 0))
    bits = 8 if bits <= 8 else bits
    if len(components) < 3:  # grey, with or without transparency
        return Layout(bits, (0, 0), grey=True)
    shifts = tuple(
        next(n for n in range(3) if -(-length // 2**n) == part)
        for length, part in ((1024, form.chroma_width(1024)), (1024, form.chroma_height(1024)))
    )
    return Layout(bits, shifts)


def planes(frame, layout: Layout) -> list[np.ndarray]:
    """Return the planes of a frame as `(h, w)` arrays; one for grey, else luma and two of chroma.

    Args:
        frame: `av.VideoFrame`.
        layout: Of `layout_of` for its format.
    """
    names = (layout.name, layout.name.replace("yuv", "yuva"), layout.name.replace("yuv", "yuvj"))
    if frame.format.is_rgb or frame.format.has_palette:
        frame = frame.reformat(
            format=layout.name, dst_colorspace="ITU709", dst_color_range="MPEG"
        )  # fmt: skip
    elif frame.format.name not in names:  # the same samples in another order
        frame = frame.reformat(format=layout.name)
    kind = _kind(layout)
    sizes = [(frame.height, frame.width)] + 2 * [layout.chroma_size(frame.height, frame.width)]
    found = []
    for plane, (height, width) in zip(frame.planes, sizes[: 1 if layout.grey else 3], strict=False):
        rows = np.frombuffer(plane, kind).reshape(-1, plane.line_size // kind().itemsize)
        found.append(rows[:height, :width].copy())
    return found


def frame_of(arrays: list[np.ndarray], layout: Layout):
    """Return an `av.VideoFrame` with the planes `arrays` in `layout`."""
    import av

    height, width = arrays[0].shape
    frame = av.VideoFrame(width, height, layout.name)
    for plane, array in zip(frame.planes, arrays, strict=True):
        rows = np.zeros((plane.buffer_size // plane.line_size, plane.line_size), np.uint8)
        flat = np.ascontiguousarray(array).view(np.uint8)
        rows[: len(flat), : flat.shape[1]] = flat
        plane.update(rows)
    return frame


def requantised(plane: np.ndarray, old: int, new: int) -> np.ndarray:
    """Return a plane of `old` bits in `new` bits, at most 10: codes differ by powers of two."""
    if new >= old:
        return plane
    most, half = 2**new - 1, 1 << (old - new - 1)
    fewer = np.minimum((plane.astype(np.uint32) + half) >> (old - new), most)
    return fewer.astype(np.uint8 if new == 8 else np.uint16)


def enlarged_chroma(
    plane: np.ndarray, old: tuple[int, int], new: tuple[int, int], layout: Layout,
    written: Layout, *, centred: bool = False,
) -> np.ndarray:  # fmt: skip
    """Return a plane of chroma enlarged by a cubic kernel to where it belongs.

    A sample of chroma lies at the left of the two pixels that share it, so it has to be moved a
    little, or colours creep to one side by (scale - 1) / 2 pixels of the result. With o the
    position of the first sample and n the pixels a sample, pixel p of the small luma plane lies at
    (P + 1/2) / f - 1/2 for pixel P of the large one, and P = N K + O gives

        k = (N / (f n)) K + ((O + 1/2) / f - 1/2 - o) / n.

    Args:
        plane: `(h, w)` uint8 or uint16.
        old, new: `(height, width)` of luma before and after.
        layout, written: How chroma is stored before and after.
        centred: Whether the samples lie in the middle of their pixels instead.
    """
    for axis, which in ((0, 1), (1, 0)):  # rows, columns
        factor = new[axis] / old[axis]
        before, after = 2 ** layout.shifts[which], 2 ** written.shifts[which]
        first, last = (before - 1) / 2, (after - 1) / 2  # in the middle
        if which == 0:
            first, last = first if centred else 0, 0
        count = written.chroma_size(*new)[axis]
        places = np.arange(count) * (after / (factor * before))
        plane = _read(plane, places + ((last + 0.5) / factor - 0.5 - first) / before).T
    return np.rint(np.clip(plane, 0, written.top)).astype(_kind(written))


def _read(plane, places):
    """Return the rows of a plane at `places` between its rows, by the cubic kernel, as float32."""
    start, total = np.floor(places).astype(int) - 1, 0
    for index in (start, start + 1, start + 2, start + 3):
        weight = kernel(places - index).astype(np.float32)[:, None]
        total = total + weight * plane[np.clip(index, 0, len(plane) - 1)]
    return total


def _kind(layout):
    return np.uint8 if layout.bits == 8 else np.uint16
