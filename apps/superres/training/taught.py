"""Targets in which a better network has a share: what it makes of the small picture, in 8 views.

Many photographs have the same reduction, and which of them it was is noise to who learns. A network
that is better, or the mean of one network over turned views, is nearer to the mean of them all.

Source: Hinton et al. 2015, arXiv 1503.02531 (distillation); of the mean over views, Romano et al.
2015, arXiv 1606.01299, and Radosavovic et al. 2017, arXiv 1712.04440 (data distillation).
"""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from gantools.data import pictures
from gantools.data.resample import resize
from gantools.errors import UserError

from ..model import Network
from ..upscaler import Upscaler

VIEWS = 8
TOLD = 20  # photographs between two lines on the time left


def check(scale: int, teacher: Network | None, *, degrade: str, second_stage: bool) -> None:
    """Refuse a teacher that cannot teach a run: of another scale, or for damaged pictures.

    Raises:
        UserError: so it is.
    """
    if teacher is None:
        return
    if teacher.scale != scale:
        raise UserError(
            f"--teacher: expected a network of x{scale}. Received: {teacher.plan.name} "
            f"x{teacher.scale}."
        )
    if degrade != "clean" or second_stage:
        raise UserError(
            "--teacher is for the first stage with --degrade clean: what it makes of damaged "
            "pictures is no target. Leave it out, or go on from the result with --from."
        )


def targets(
    folder: Path,
    photos: list[tuple[str, np.ndarray]],
    teacher: Network,
    share: float,
    say: Callable[[str], None] = lambda line: None,
) -> Iterator[np.ndarray]:
    """Yield `(1 - share)` of each photograph and `share` of what the teacher makes of it.

    Args:
        folder: Where its pictures are kept, `NAME.png`, made if missing; those there are taken.
        photos: Result of `patches.load_photos`.
        teacher: The better network.
        share: 0 to 1.
        say: Called with lines on how far it is.

    Yields:
        `(height, width, 3)` float32, levels of 255.
    """
    folder.mkdir(parents=True, exist_ok=True)
    upscaler, started, made = Upscaler(teacher, views=VIEWS), time.monotonic(), 0
    for done, (name, pixels) in enumerate(photos):
        path = folder / f"{name}.png"
        if path.exists():
            taught = pictures.read(path).pixels
        else:
            if made % TOLD == TOLD - 1:
                left = (time.monotonic() - started) / made * (len(photos) - done) / 60
                say(f"The teacher has enlarged {done} of {len(photos)}; {left:.0f} minutes left.")
            small = pictures.Picture(resize(pixels, 1 / teacher.scale))
            large, made = upscaler.enlarge(small, pixels.shape[:2]), made + 1
            pictures.write(path, large)
            taught = large.pixels
        yield (1 - np.float32(share)) * pixels + np.float32(share) * taught
