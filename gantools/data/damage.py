"""Damage done to good pictures, so that a network can learn to undo and to find it.

Every kind takes a float32 picture `(h, w, c)` in [-1, 1], other good pictures and a generator of
random numbers, and returns a damaged copy; `damage` adds the mask of what really changed. Textures
come from the user's own pictures, never from elsewhere.

Source: the idea is that of DRAEM, Zavrtanik et al. 2021, arXiv 2108.07610 (noise masks, blended
textures), and of CutPaste, Li et al. 2021, arXiv 2104.04015 (patches and scars); coarse noise:
Kascenas et al. 2022, "Denoising autoencoders for unsupervised anomaly detection in brain MRI".
"""

import cv2
import numpy as np

from gantools.errors import UserError

VISIBLE = 0.04  # of the range 2: what changed less is no damage
CLEAN = 0.2  # share of pictures that stay as they are


def paste(picture, donors, random):
    """Paste a turned rectangle of a donor, its contrast times 0.7 to 1.3, brightness +-0.3."""
    patch = _another(donors, random)
    return _blended(picture, _relit(_turned(patch, random), random), _rectangle(picture, random), 1)


def scar(picture, donors, random):
    """Paste a thin line, 1 to s / 16 pixels wide, of a donor's colours or of one flat colour."""
    side = min(picture.shape[:2])
    mask = np.zeros(picture.shape[:2], np.float32)
    length, angle = random.uniform(0.15, 0.6) * side, random.uniform(0, np.pi)
    middle = random.uniform(0.1, 0.9, 2) * picture.shape[1::-1]
    arm = 0.5 * length * np.array([np.cos(angle), np.sin(angle)])
    ends = [tuple(int(v) for v in np.rint(middle + sign * arm)) for sign in (-1, 1)]
    width = int(random.integers(1, max(1, side // 16) + 1))
    cv2.line(mask, *ends, 1.0, width, cv2.LINE_AA)
    if random.random() < 0.5:
        colour = np.broadcast_to(random.uniform(-1, 1, picture.shape[2]), picture.shape)
    else:
        colour = _relit(_turned(_another(donors, random), random), random)
    return _blended(picture, colour, mask, 1)


def texture(picture, donors, random):
    """Blend a donor's texture in by 0.3 to 1 where smooth noise is high."""
    noise = _noise(picture.shape, random, 2.0 ** random.uniform(0, 5))
    mask = (noise > np.quantile(noise, random.uniform(0.7, 0.95))).astype(np.float32)
    if random.random() < 0.5:  # a part of the noise's islands
        mask *= _rectangle(picture, random)
    other = _relit(_turned(_another(donors, random), random), random)
    return _blended(picture, other, mask, random.uniform(0.3, 1.0))


def blob(picture, donors, random):
    """Brighten or darken a soft spot by 0.3 to 1.2."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    middle = random.uniform(0.1, 0.9, 2) * (height, width)
    radius = random.uniform(0.03, 0.2, 2) * min(height, width)
    turn = random.uniform(0, np.pi)
    dy, dx = y - middle[0], x - middle[1]
    u = (dx * np.cos(turn) + dy * np.sin(turn)) / radius[0]
    v = (dy * np.cos(turn) - dx * np.sin(turn)) / radius[1]
    spot = np.exp(-0.5 * (u * u + v * v))
    depth = random.uniform(0.3, 1.2) * random.choice((-1.0, 1.0))
    return picture + (depth * spot)[..., None]


def coarse_noise(picture, donors, random):
    """Add noise of standard deviation 0.8 on a grid of s / 4, in all or in one rectangle."""
    height, width, channels = picture.shape
    grid = random.normal(0, 0.8, (max(1, height // 4), max(1, width // 4), channels))
    noise = cv2.resize(grid.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    mask = _rectangle(picture, random, largest=0.8) if random.random() < 0.7 else 1.0
    return picture + noise.reshape(picture.shape) * np.reshape(mask, np.shape(mask) + (1,))


def warp(picture, donors, random):
    """Bend the inside of a rectangle smoothly, as a growth pushes tissue aside."""
    height, width = picture.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    soft = cv2.GaussianBlur(_rectangle(picture, random, 0.2, 0.6), (0, 0), 0.04 * width)
    reach = 0.12 * min(height, width)
    shift = [reach * soft * _noise(picture.shape, random, 3.0) for _ in range(2)]
    bent = cv2.remap(
        picture, x + shift[0], y + shift[1], cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT
    )
    return bent.reshape(picture.shape)


def blur(picture, donors, random):
    """Blur the inside of a rectangle."""
    sigma = random.uniform(0.02, 0.06) * min(picture.shape[:2])
    soft = cv2.GaussianBlur(picture, (0, 0), max(0.8, sigma)).reshape(picture.shape)
    return _blended(picture, soft, _rectangle(picture, random, 0.15, 0.5), 1)


KINDS = {
    "paste": paste,
    "scar": scar,
    "texture": texture,
    "blob": blob,
    "coarse_noise": coarse_noise,
    "warp": warp,
    "blur": blur,
}
PICTURES = {"paste": 0.3, "scar": 0.15, "texture": 0.2, "blob": 0.15, "coarse_noise": 0.2}
SCANS = {"texture": 0.15, "blob": 0.2, "coarse_noise": 0.35, "warp": 0.15, "blur": 0.15}


def damage(pictures, random, *, table=None, donors=None, clean=CLEAN):
    """Damage every picture of a batch in one way each.

    Args:
        pictures: float32 `(n, h, w, c)` in [-1, 1].
        random: `numpy.random.Generator`; the same state, the same damage.
        table: Kind -> probability; None takes `PICTURES`. `SCANS` suits medical pictures.
        donors: Pictures that lend their textures, `(m, h, w, c)`; None takes `pictures`.
        clean: Share of the pictures that stay as they are.

    Returns:
        `(damaged, mask)`: float32 `(n, h, w, c)` in [-1, 1], and float32 `(n, h, w, 1)`, 1 where
        some channel changed by more than 0.04.

    Raises:
        UserError: the table names an unknown kind, or its probabilities do not sum to 1.
    """
    table = check_table(PICTURES if table is None else table)
    donors = pictures if donors is None else donors
    chosen = random.choice(list(table), size=len(pictures), p=list(table.values()))
    damaged = np.array(pictures, np.float32)
    for i in np.flatnonzero(random.random(len(pictures)) >= clean):
        damaged[i] = np.clip(KINDS[chosen[i]](damaged[i], donors, random), -1.0, 1.0)
    mask = np.abs(damaged - pictures).max(axis=-1, keepdims=True) > VISIBLE
    return damaged, mask.astype(np.float32)


def check_table(table):
    """Return the table of probabilities if it is one.

    Raises:
        UserError: it names an unknown kind, or its probabilities do not sum to 1.
    """
    unknown = sorted(set(table) - set(KINDS))
    total = sum(table.values())
    if unknown or abs(total - 1) > 1e-6 or min(table.values()) < 0:
        raise UserError(
            f"Expected probabilities that sum to 1 of the kinds {', '.join(KINDS)}. "
            f"Received: {table}."
        )
    return table


def _another(donors, random):
    return donors[int(random.integers(len(donors)))]


def _rectangle(picture, random, smallest=0.06, largest=0.4):
    """Return a mask `(h, w)` float32 of one rectangle, its sides these shares of the picture's."""
    height, width = picture.shape[:2]
    tall, wide = (
        max(2, int(round(side * random.uniform(smallest, largest)))) for side in (height, width)
    )
    top = int(random.integers(0, max(1, height - tall + 1)))
    left = int(random.integers(0, max(1, width - wide + 1)))
    mask = np.zeros((height, width), np.float32)
    mask[top : top + tall, left : left + wide] = 1.0
    return mask


def _turned(picture, random):
    """Turn by any angle and shift, reflecting at the borders."""
    height, width = picture.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(0, 360), 1.0)
    turn[:, 2] += random.uniform(-0.5, 0.5, 2) * (width, height)
    turned = cv2.warpAffine(
        picture, turn, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT
    )
    return turned.reshape(picture.shape)


def _relit(picture, random):
    """Change contrast by 0.7 to 1.3 about the mean and brightness by up to 0.3."""
    mean = picture.mean()
    return (picture - mean) * random.uniform(0.7, 1.3) + mean + random.uniform(-0.3, 0.3)


def _noise(shape, random, cells):
    """Return smooth noise `(h, w)`, about `cells` hills a side, scaled to [-1, 1]."""
    height, width = shape[:2]
    count = max(2, int(round(cells)) + 1)
    grid = random.uniform(-1, 1, (count, count)).astype(np.float32)
    noise = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), random.uniform(-90, 90), 1.5)
    return cv2.warpAffine(noise, turn, (width, height), borderMode=cv2.BORDER_REFLECT)


def _blended(picture, other, mask, share):
    part = np.float32(share) * mask[..., None]
    return picture + part * (other - picture)
