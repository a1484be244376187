"""Training patches for super-resolution, cut from photographs held in memory.

The network learns the residual on the exact bicubic base in the pixel-unshuffled domain: targets
are small, centred on zero, and the training graph holds no high-resolution tensor.
"""

import copy
from functools import cache

import cv2
import numpy as np

from gantools.core.stream import Stream
from gantools.data.folders import picture_files
from gantools.data.pictures import read
from gantools.data.resample import resize
from gantools.errors import ALL_FAILED, UserError

from . import degrade

UNIT = 64.0 * 255.0  # residuals are kept as int16 in 1/64 of a level
MARGIN = 4  # small pixels around a patch that is reduced by itself: its bicubic base reads 2


def load_photos(folder, scale, patch, say=lambda line: None):
    """Return the RGB pictures of a folder, cropped to multiples of `scale`.

    Pictures that cannot be read, are not 8-bit or are too small are left out.

    Args:
        folder: Path; files directly inside, in order of their names.
        scale: Enlargement.
        patch: Side of a low-resolution patch; a picture must hold one.
        say: Called with one line for each picture that cannot be read.

    Returns:
        List of `(name, (height, width, 3) uint8)`.

    Raises:
        UserError: there is no such folder, or no picture is left.
    """
    if not folder.is_dir():
        raise UserError(f"There is no folder '{folder}'. Give a folder of photographs.")
    photos = []
    for path in picture_files(folder):
        try:
            pixels = read(path).pixels
        except UserError as error:
            say(f"Skipped {path.name}: {error}")
            continue
        if pixels.dtype != np.uint8 or min(pixels.shape[:2]) < patch * scale:
            continue
        rgb = pixels[..., :3] if pixels.shape[2] >= 3 else pixels[..., :1].repeat(3, axis=2)
        height, width = (n - n % scale for n in rgb.shape[:2])
        photos.append((path.name, rgb[:height, :width]))
    if not photos:
        raise UserError(
            f"{folder}: no 8-bit picture of at least {patch * scale} pixels on both sides. "
            "Training needs photographs; a few hundred are better than a few.",
            ALL_FAILED,
        )
    return photos


class Patches(Stream):
    """Random patches: "low" `(batch, p, p, 3)` uint8 and "residual" `(batch, p, p, 3 s^2)`.

    Low-resolution pictures are MATLAB-exact bicubic reductions. Patches are drawn by area, turned
    and mirrored by one of the 8 symmetries, one in three with permuted colour channels.

    Args:
        photos: Result of `load_photos`.
        scale: Enlargement s.
        batch: Patches in a batch.
        patch: Side p of a low-resolution patch.
        seed: Batch n is a function of (seed, n) alone.
        kind: "clean", or "photo": of the patches, `degrade.DAMAGED` are damaged and the others
            reduced by one of two kernels. "residual" is what lacks to the undamaged picture.
        targets: What "residual" leads to instead of the photographs, see `taught.targets`.
    """

    high = False

    def __init__(self, photos, scale, batch, patch, seed=0, kind="clean", targets=None):
        self.scale, self.patch, self.kind = scale, patch, kind
        targets = targets or (pixels for _, pixels in photos)
        both = zip(photos, targets, strict=True)
        self.pairs = [_pair(pixels, target, scale) for (_, pixels), target in both]
        self.photos = [pixels for _, pixels in photos]
        area = np.array([low.shape[0] * low.shape[1] for low, _ in self.pairs], float)
        self.share = np.cumsum(area / area.sum())
        super().__init__({"x": np.zeros(batch, np.uint8)}, batch, seed=seed)

    def with_high(self, patch=None):
        """Return the same stream; its batches also hold "high" `(batch, p s, p s, 3)` uint8.

        Args:
            patch: Another side p.
        """
        stream = copy.copy(self)
        stream.high, stream.patch = True, patch or self.patch
        return stream

    def _minibatch(self, number):
        draw = self._random(0, number)
        parts = [self._patch(draw) for _ in range(self.batch)]
        return {name: np.stack([part[name] for part in parts]) for name in parts[0]}

    def _patch(self, draw):
        chosen = int(np.searchsorted(self.share, draw.random()))
        low, residual = self.pairs[chosen]
        p, s = self.patch, self.scale
        y, x = (int(draw.integers(n - p + 1)) for n in low.shape[:2])
        turn, mirror = int(draw.integers(4)), bool(draw.integers(2))
        channels = draw.permutation(3) if draw.integers(3) == 0 else np.arange(3)
        fine = np.s_[y * s : (y + p) * s, x * s : (x + p) * s]
        found = {"low": low[y : y + p, x : x + p], "residual": residual[fine]}
        if self.kind == "photo" and draw.random() < degrade.DAMAGED:
            found = self._made(self.photos[chosen], y, x, degrade.damaged, draw)
            channels = np.arange(3)  # JPEG does not treat them alike
        elif self.kind == "photo" and draw.random() < degrade.AREA:
            found = self._made(self.photos[chosen], y, x, degrade.reduced, draw)
        if self.high:
            found["high"] = self.photos[chosen][fine]
        found = {name: _turned(a, turn, mirror)[..., channels] for name, a in found.items()}
        found["residual"] = unshuffle(found["residual"], s).astype(np.float32) / np.float32(UNIT)
        return found

    def _made(self, picture, y, x, way, draw):
        """Return the "low" and "residual" of a patch that is reduced by itself, with a margin."""
        p, s = self.patch, self.scale
        wide = p + 2 * MARGIN
        window = _window(picture, (y - MARGIN) * s, (x - MARGIN) * s, wide * s)
        low = way(window, s, draw)
        up = _enlarging(wide, s)
        base = (up @ low.reshape(wide, -1).astype(np.float32)).reshape(p * s, wide, 3)
        base = up @ base.transpose(1, 0, 2).reshape(wide, -1)  # columns first now
        base = base.reshape(p * s, p * s, 3).transpose(1, 0, 2)
        inside = np.s_[MARGIN * s : -MARGIN * s, MARGIN * s : -MARGIN * s]
        missing = (window[inside] - base) * np.float32(UNIT / 255)
        return {"low": low[MARGIN:-MARGIN, MARGIN:-MARGIN], "residual": missing}


@cache
def _enlarging(side, scale):
    """Return the matrix that enlarges an axis exactly, without the rows of the margin."""
    rows = resize(np.eye(side), size=(side * scale, side))[MARGIN * scale : -MARGIN * scale]
    return rows.astype(np.float32)


def _window(picture, top, left, side):
    """Return a square of a picture that goes on mirrored beyond its edges."""
    height, width = picture.shape[:2]
    beyond = [max(0, -top), max(0, top + side - height), max(0, -left), max(0, left + side - width)]
    part = picture[max(0, top) : top + side, max(0, left) : left + side]
    return cv2.copyMakeBorder(part, *beyond, cv2.BORDER_REFLECT) if any(beyond) else part


def _pair(pixels, target, scale):
    """Return `(low uint8, residual int16)`."""
    low = resize(pixels, 1 / scale)
    base = resize(low.astype(np.float32), scale)
    return low, np.round((target - base) * 64.0).astype(np.int16)


def _turned(picture, turn, mirror):
    picture = np.rot90(picture, turn)
    return picture[:, ::-1] if mirror else picture


def unshuffle(picture, scale):
    """Return `(h s, w s, 3)` as `(h, w, 3 s^2)`, channel order `c s^2 + dy s + dx`."""
    height, width = picture.shape[0] // scale, picture.shape[1] // scale
    blocks = picture.reshape(height, scale, width, scale, 3)  # y, dy, x, dx, c
    return blocks.transpose(0, 2, 4, 1, 3).reshape(height, width, 3 * scale**2)


def shuffle(blocks, scale):
    """Return `(h, w, 3 s^2)` as `(h s, w s, 3)`: the inverse of `unshuffle`."""
    height, width = blocks.shape[:2]
    picture = blocks.reshape(height, width, 3, scale, scale)  # y, x, c, dy, dx
    return picture.transpose(0, 3, 1, 4, 2).reshape(height * scale, width * scale, 3)
