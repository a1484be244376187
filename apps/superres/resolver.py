"""Super-resolution of arrays: the same engine, tiles and colours as the command, without files."""

from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import numpy as np

from gantools.errors import UserError

from .choice import Choice
from .options import MODEL
from .sizes import Wish

KINDS = (np.uint8, np.uint16, np.float32)


class SuperResolver:
    """Enlarge arrays: `SuperResolver(scale=4)(array)`.

    Networks and engines are opened with the first picture and kept. Keras is not imported, unless
    it is the engine asked for. Threads may share one: their calls take turns, for an engine does
    one thing at a time.

    Args:
        model: Name of a shipped network, or path of a `.safetensors` or `.onnx` file.
        scale: Any factor from 1 to 16.
        size: `(height, width)` of every result instead of `scale`.
        engine: "auto" or one of `engine.ENGINES`.
        threads: Processor threads; all if None.
        projection: Whether results are projected back onto the small picture.
        tta: Turned and mirrored views whose mean is taken: 1, 2, 4 or 8.
        wrap: Whether pictures are seamless textures.
        strength: From 0, the network, to 1, its adversarially trained twin; None without a twin.
        memory: Bytes that the program may take, about; 1 GB or less is enough for any picture.
        device: "cpu", or "gpu": Keras on a backend that reaches one.

    Raises:
        UserError: no such network, a factor out of range, no twin, too little memory, or another
            value that is none of those named above.
    """

    def __init__(
        self, model: str | Path = MODEL, *, scale: float | None = None,
        size: tuple[int, int] | None = None, engine: str = "auto", threads: int | None = None,
        projection: bool = True, tta: int = 1, wrap: bool = False, strength: float | None = None,
        memory: int | None = None, device: str = "cpu",
    ):  # fmt: skip
        self.upscaler = Choice(
            model, strength, engine, threads, memory, projection, tta, wrap, device
        ).open()
        if scale is None and size is None:
            scale = self.upscaler.family.scales[-1]
        self.wish = Wish(scale=scale, size=size and tuple(size[::-1]))
        self._turn = Lock()

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return enlarged pixels.

        Args:
            pixels: `(h, w)` grey, `(h, w, c)` with c = 1 grey, 2 grey and alpha, 3 RGB, 4 RGBA, or
                a batch `(n, h, w, c)`; uint8, uint16, or floating point in [0, 1].

        Returns:
            Array of the same dtype and number of dimensions.

        Raises:
            UserError: another shape or dtype, or values that are no numbers.
        """
        pixels = np.asarray(pixels)
        if pixels.ndim == 4:
            if not len(pixels):
                raise UserError("The batch has no pictures.")
            return np.stack([self(picture) for picture in pixels])
        with self._turn:
            made = np.concatenate([band.copy() for band in self.bands(pixels)])
        return made[:, :, 0] if pixels.ndim == 2 else made

    def bands(self, pixels: np.ndarray) -> Iterator[np.ndarray]:
        """Yield the enlarged picture in bands from top to bottom, in the memory of a few.

        Args:
            pixels: One picture, as for a call.

        Yields:
            `(rows, width, c)` of the dtype of `pixels`, valid until the next one or until anything
            else is asked of this resolver, also by another thread.
        """
        shaped = _checked(np.asarray(pixels))
        size = self.wish.of(*shaped.shape[:2])
        for band in self.upscaler.bands(shaped, size):
            yield band.astype(np.asarray(pixels).dtype, copy=False)


def _checked(pixels):
    """Return `(h, w, c)` of a dtype that the networks know."""
    shaped = pixels[:, :, None] if pixels.ndim == 2 else pixels
    if shaped.ndim != 3 or not 1 <= shaped.shape[2] <= 4 or not shaped.size:
        raise UserError(
            "A picture is an array (height, width), (height, width, 1 to 4) or a batch of these. "
            f"Received: {pixels.shape}."
        )
    if shaped.dtype in (np.float64, np.float16):
        shaped = shaped.astype(np.float32)
    if shaped.dtype not in KINDS:
        raise UserError(f"Pictures are uint8, uint16 or floating point. Received: {pixels.dtype}.")
    return shaped
