"""Random crops and mirrored copies of pictures on the host, before they enter a training step."""

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Jitter:
    """Enlarge pictures a little, cut a random part of the old size, mirror half of them.

    As `transform` of a `core.Stream`: what is drawn depends on its generator alone.

    Attributes:
        enlarge: Factor of the sides before the cut, at least 1; 1 cuts nothing.
        flip: Whether half of the pictures are mirrored left to right.
        paired: Whether pictures of the same place in two arrays get the same cut and flip.
    """

    enlarge: float = 1.0
    flip: bool = False
    paired: bool = True

    def __call__(self, sample: dict, random: np.random.Generator) -> dict:
        """Return the minibatch with its pictures changed.

        Args:
            sample: Name -> array; those with four axes are pictures `(batch, h, w, c)`.
            random: Where offsets and flips are drawn from.
        """
        if self.enlarge == 1 and not self.flip:
            return sample
        changed, draws = dict(sample), None
        for name, pictures in sample.items():
            if pictures.ndim == 4:
                if draws is None or not self.paired:
                    draws = random.random((len(pictures), 3))
                moved = [self._move(p, *draw) for p, draw in zip(pictures, draws, strict=True)]
                changed[name] = np.stack(moved)
        return changed

    def _move(self, picture: np.ndarray, down: float, right: float, mirror: float) -> np.ndarray:
        height, width, channels = picture.shape
        tall, wide = round(height * self.enlarge), round(width * self.enlarge)
        if (tall, wide) != (height, width):
            picture = cv2.resize(picture, (wide, tall), interpolation=cv2.INTER_CUBIC)
            picture = picture.reshape(tall, wide, channels)
        top, left = int(down * (tall - height + 1)), int(right * (wide - width + 1))
        picture = picture[top : top + height, left : left + width]
        return picture[:, ::-1] if self.flip and mirror < 0.5 else picture
