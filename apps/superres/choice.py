"""What was chosen: which network, on which engine, and how it works. Small, and the same anywhere.

An upscaler holds open engines, which cannot be sent to another process; its choice can.
"""

from dataclasses import dataclass
from pathlib import Path

from gantools.errors import UserError

from .family import family
from .options import DEVICES, MODEL
from .upscaler import Upscaler
from .views import COUNTS


@dataclass(frozen=True)
class Choice:
    """How pictures are to be enlarged.

    Attributes:
        model: Name of a shipped network, or path of a `.safetensors` or `.onnx` file.
        strength: From 0, the network, to 1, its adversarially trained twin; None without a twin.
        engine: "auto" or one of `engine.ENGINES`.
        threads: Processor threads; all if None.
        memory: Bytes that the program may take, about; None for no limit but that of a tile.
        projection: Whether results are projected back onto the small picture.
        views: Turned and mirrored views whose mean is taken: 1, 2, 4 or 8.
        wrap: Whether pictures are seamless textures.
        device: "cpu" or "gpu".
    """

    model: str | Path = MODEL
    strength: float | None = None
    engine: str = "auto"
    threads: int | None = None
    memory: int | None = None
    projection: bool = True
    views: int = 1
    wrap: bool = False
    device: str = "cpu"

    def open(self) -> Upscaler:
        """Return the upscaler; networks and engines are opened with the first picture.

        Raises:
            UserError: no such network, no twin, too little memory, or another value that is none of
                those named above.
        """
        if self.views not in COUNTS:
            raise UserError(f"tta: expected one of {COUNTS}. Received: {self.views}.")
        if self.device not in DEVICES:
            raise UserError(f"device: expected one of {DEVICES}. Received: {self.device!r}.")
        if self.threads is not None and not self.threads >= 1:
            raise UserError(f"threads: expected 1 or more. Received: {self.threads}.")
        networks, more = family(self.model, self.strength), {}
        if self.memory is not None:
            from .estimate import tile_for

            more["largest"] = tile_for(self.memory, networks.network(networks.scales[-1]))
        return Upscaler(
            networks, self.engine, self.threads, projection=self.projection, views=self.views,
            wrap=self.wrap, device=self.device, **more,
        )  # fmt: skip
