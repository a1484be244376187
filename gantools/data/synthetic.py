"""Data that needs no download: points with known modes and small drawn pictures.

Every function is a pure function of its arguments; the truth behind the data (centres, classes,
statistics) is known exactly, which real sets cannot give.
"""

import cv2
import numpy as np

RING_RADIUS, RING_SD = 2.0, 0.02
GRID_SD = 0.05
SHAPES = ("disc", "square", "triangle", "ring", "cross")
INKS = {
    "red": (230, 40, 40),
    "green": (40, 200, 60),
    "blue": (70, 110, 255),
    "yellow": (240, 220, 50),
    "violet": (220, 70, 230),
    "white": (245, 245, 245),
}
GROUNDS = {
    "black": (10, 10, 10),
    "navy": (10, 15, 85),
    "maroon": (85, 10, 25),
    "grey": (90, 95, 90),
}
DIGIT_SIZES = {"small": (0.45, 0.5), "large": (0.75, 0.85)}  # scales in the picture


def gauss1d(n: int, seed: int = 0, *, mean: float = 0.0, sd: float = 1.0) -> np.ndarray:
    """Return n points of a normal distribution, float32 `(n, 1)`."""
    rng = np.random.default_rng(seed)
    return rng.normal(mean, sd, (n, 1)).astype(np.float32)


def ring_centres() -> np.ndarray:
    """Return the 8 centres of `ring8`, float64 `(8, 2)`, on a circle of radius 2 from angle 0."""
    angle = 2 * np.pi * np.arange(8) / 8
    return RING_RADIUS * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def grid_centres() -> np.ndarray:
    """Return the 25 centres of `grid25`, float64 `(25, 2)`, at -2, -1, 0, 1, 2 on both axes."""
    axis = np.arange(-2.0, 3.0)
    return np.stack(np.meshgrid(axis, axis, indexing="ij"), axis=-1).reshape(25, 2)


def ring8(n: int, seed: int = 0) -> np.ndarray:
    """Return n points of 8 equal Gaussians on a ring: radius 2, standard deviation 0.02.

    Args:
        n: Number of points.
        seed: Same seed, same points.

    Returns:
        float32 `(n, 2)`.
    """
    return _mixture(ring_centres(), RING_SD, n, seed)


def grid25(n: int, seed: int = 0) -> np.ndarray:
    """Return n points of 25 equal Gaussians on a grid: centres -2 to 2, standard deviation 0.05.

    Args:
        n: Number of points.
        seed: Same seed, same points.

    Returns:
        float32 `(n, 2)`.
    """
    return _mixture(grid_centres(), GRID_SD, n, seed)


def digits(n: int, size: int = 28, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Draw n digits in a stroke font: shifted, turned, scaled, thick or thin, on a dark ground.

    Args:
        n: Number of pictures.
        size: Side in pixels, at least 8.
        channels: 1 draws in greys of 160 to 255 on black; 3 in bright colours on dark ones.
        seed: Same seed, same pictures, of the digits `digit_labels(n, seed)`.

    Returns:
        uint8 `(n, size, size, channels)`.
    """
    rng = np.random.default_rng([seed, 1])
    labels = digit_labels(n, seed)
    return _pictures(labels, size, channels, rng, lambda ink, k: _digit(ink, int(k), rng))


def digit_labels(n: int, seed: int = 0) -> np.ndarray:
    """Return the digits that `digits` draws: int64 `(n,)`, 0 to 9, each equally likely."""
    return np.random.default_rng([seed, 0]).integers(0, 10, n)


def colour_digits(n: int, size: int = 28, seed: int = 0) -> np.ndarray:
    """Draw n digits of which four things are known: digit, ink, ground and size.

    Args:
        n: Number of pictures.
        size: Side in pixels, at least 16.
        seed: Same seed, same pictures, of the properties `colour_digit_labels(n, seed)`.

    Returns:
        uint8 `(n, size, size, 3)`; colours are those of `INKS` and `GROUNDS`, give or take 10.
    """
    rng, known = np.random.default_rng([seed, 1]), colour_digit_labels(n, seed)
    inks, grounds, scales = (list(v.values()) for v in (INKS, GROUNDS, DIGIT_SIZES))
    images = np.empty((n, size, size, 3), np.uint8)
    rows = zip(*(known[name] for name in ("digit", "ink", "ground", "size")), strict=True)
    for image, (digit, ink, ground, scale) in zip(images, rows, strict=True):
        mask = np.zeros((4 * size, 4 * size), np.uint8)
        _digit(mask, int(digit), rng, scales[scale])
        cover = cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA)[..., None] / 255.0
        front, back = (np.add(c, rng.uniform(-10, 10, 3)) for c in (inks[ink], grounds[ground]))
        image[:] = np.rint(np.clip(cover * front + (1 - cover) * back, 0, 255))
    return images


def colour_digit_labels(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Return what `colour_digits` draws, each value equally likely and independent of the others.

    Returns:
        int64 `(n,)` each: "digit" 0 to 9, "ink", "ground" and "size", indices into `INKS`,
        `GROUNDS` and `DIGIT_SIZES`.
    """
    rng = np.random.default_rng([seed, 0])
    counts = {"digit": 10, "ink": len(INKS), "ground": len(GROUNDS), "size": len(DIGIT_SIZES)}
    return {name: rng.integers(0, count, n) for name, count in counts.items()}


def colour_digit_captions(n: int, seed: int = 0) -> list[str]:
    """Return a caption of each picture of `colour_digits`, as in "a large red 7 on navy"."""
    known = colour_digit_labels(n, seed)
    words = [list(v) for v in (DIGIT_SIZES, INKS, GROUNDS)]
    return [
        f"a {words[0][size]} {words[1][ink]} {digit} on {words[2][ground]}"
        for digit, ink, ground, size in zip(*known.values(), strict=True)
    ]


def shapes(n: int, size: int = 32, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Draw n pictures of one shape each: disc, square, triangle, ring or cross, turned and shifted.

    Args:
        n: Number of pictures.
        size: Side in pixels, at least 8.
        channels: 1 draws in greys of 160 to 255 on black; 3 in bright colours on dark ones.
        seed: Same seed, same pictures, of the shapes `shape_labels(n, seed)`.

    Returns:
        uint8 `(n, size, size, channels)`.
    """
    rng = np.random.default_rng([seed, 1])
    labels = shape_labels(n, seed)
    return _pictures(labels, size, channels, rng, lambda ink, k: _shape(ink, SHAPES[k], rng))


def shape_labels(n: int, seed: int = 0) -> np.ndarray:
    """Return what `shapes` draws: int64 `(n,)`, indices into `SHAPES`, each equally likely."""
    return np.random.default_rng([seed, 0]).integers(0, len(SHAPES), n)


def _mixture(centres: np.ndarray, sd: float, n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    chosen = centres[rng.integers(0, len(centres), n)]
    return (chosen + rng.normal(0, sd, (n, 2))).astype(np.float32)


def _pictures(labels: np.ndarray, size: int, channels: int, rng: np.random.Generator, draw):
    """Draw each label's coverage at 4 times the size, shrink it (smooth edges), and colour it."""
    images = np.empty((len(labels), size, size, channels), np.uint8)
    for image, label in zip(images, labels, strict=True):
        ink = np.zeros((4 * size, 4 * size), np.uint8)
        draw(ink, label)
        cover = cv2.resize(ink, (size, size), interpolation=cv2.INTER_AREA)[..., None] / 255.0
        front = rng.uniform(160, 255, channels)
        back = rng.uniform(0, 60, channels) if channels == 3 else np.zeros(channels)
        image[:] = np.rint(cover * front + (1 - cover) * back)
    return images


def _digit(
    ink: np.ndarray,
    digit: int,
    rng: np.random.Generator,
    scales: tuple[float, float] = (0.65, 0.85),
) -> None:
    side = len(ink)
    thickness = int(rng.integers(side // 16, side // 9))
    scale = rng.uniform(*scales) * side / 22  # the font's capitals are 22 high at scale 1
    (width, height), _ = cv2.getTextSize(str(digit), cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
    corner = ((side - width) // 2, (side + height) // 2)
    cv2.putText(
        ink, str(digit), corner, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thickness, cv2.LINE_AA
    )
    turn = cv2.getRotationMatrix2D((side / 2, side / 2), rng.uniform(-15, 15), 1)
    turn[:, 2] += rng.uniform(-0.06, 0.06, 2) * side
    ink[:] = cv2.warpAffine(ink, turn, (side, side))


def _shape(ink: np.ndarray, name: str, rng: np.random.Generator) -> None:
    side = len(ink)
    centre = side * rng.uniform(0.4, 0.6, 2)
    radius = side * rng.uniform(0.22, 0.36)
    turn = rng.uniform(0, 2 * np.pi)
    where = tuple(int(v) for v in np.rint(centre))
    if name == "disc":
        cv2.circle(ink, where, int(radius), 255, -1)
    elif name == "ring":
        cv2.circle(ink, where, int(radius), 255, max(1, int(0.3 * radius)))
    elif name == "cross":
        for angle in (turn, turn + np.pi / 2):
            arm = radius * np.array([np.cos(angle), np.sin(angle)])
            ends = [tuple(int(v) for v in np.rint(centre + sign * arm)) for sign in (-1, 1)]
            cv2.line(ink, *ends, 255, max(1, int(0.4 * radius)))
    else:
        corners = {"square": 4, "triangle": 3}[name]
        angles = turn + 2 * np.pi * np.arange(corners) / corners
        outline = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        cv2.fillConvexPoly(ink, np.rint(outline).astype(np.int32), 255)
