"""Choose the best weights of a training run on pictures that it does not train on.

For networks that also clean pictures, each is enlarged twice, from its exact reduction and from a
damaged one that stays the same through the run; the mean of both chooses.
"""

import json
import time
from pathlib import Path

import numpy as np

from gantools.core.callbacks import Counting, read_log
from gantools.data.resample import resize
from gantools.metrics.pixels import psnr_y

from . import degrade
from .checkpoint_page import write_page
from .curve import draw
from .patches import shuffle

BEST = 100.0  # dB of a picture: a mean with an infinite one could never be surpassed


class Validation(Counting):
    """Measure PSNR on Y of the averaged network on whole pictures; keep the best weights.

    Args:
        photos: Result of `patches.load_photos`.
        scale: Enlargement.
        path: JSON-lines file of all measurements, `STAGE-scores.jsonl`; a resumed run goes on from
            its best. Their curve is drawn beside it, `STAGE-curve.png`.
        last_cycle: The run's last cycle, which is measured in any case.
        keep: Callable `(network, score in dB)`, called at each new best.
        every: Cycles between two measurements.
        each: Callable `(network, cycle, score in dB)`, called at each measurement.
        kind: "clean" or "photo", see `patches.Patches`.
        page: Name of an HTML file beside `path`, which each measurement writes; "{cycle}" in it is
            filled in. None writes none.
    """

    def __init__(
        self, photos, scale, path, last_cycle, keep=lambda *_: None, every=1000,
        each=lambda *_: None, kind="clean", page=None,
    ):  # fmt: skip
        super().__init__()
        self.page, self.names = page, [name for name, _ in photos]
        self.scale, self.path, self.every = scale, Path(path), every
        self.keep, self.each, self.last_cycle = keep, each, last_cycle
        self.pairs = {"psnr_y": [(pixels, resize(pixels, 1 / scale)) for _, pixels in photos]}
        if kind == "photo":
            self.pairs["psnr_y_damaged"] = [
                (pixels, degrade.damaged(pixels, scale, np.random.default_rng(i)))
                for i, (_, pixels) in enumerate(photos)
            ]
        lines = read_log(self.path) if self.path.exists() else []
        earlier = [np.mean([line[name] for name in self.pairs]) for line in lines]
        self.best, self.last = max(earlier, default=-np.inf), (earlier or [-np.inf])[-1]

    def on_train_batch_end(self, batch, logs=None):
        """Measure when due."""
        if self.counted(batch, self.every):
            self._measure()

    def on_train_end(self, logs=None):
        """Measure the run's last weights; an interrupted run goes on as if nothing had happened."""
        if self.cycle == self.last_cycle and self.cycle % self.every:
            self._measure()

    def _measure(self):
        network = self.model.best("generator")
        score = self.last = self.score(network, self.cycle)
        if score > self.best:
            self.best = score
            self.keep(network, score)
        self.each(network, self.cycle, score)
        title = f"{network.name} x{self.scale}: validation after each {self.every} cycles"
        curve = self.path.with_name(self.path.stem.removesuffix("-scores") + "-curve.png")
        draw(curve, read_log(self.path), title)
        if self.page:
            path = self.path.with_name(self.page.format(cycle=self.cycle))
            write_page(path, self, network, self.cycle, score)

    def kinds(self):
        """Return `("clean" or "damaged", [(sharp, small)])` of each kind of small picture."""
        return [
            ("damaged" if name.endswith("damaged") else "clean", pairs)
            for name, pairs in self.pairs.items()
        ]

    def enlarged(self, network, low):
        """Return what a network makes of a small picture `(h, w, 3)` uint8, uint8 too."""
        residual = network.predict_on_batch(low[None].astype(np.float32) / 255.0)[0]
        base = resize(low.astype(np.float32), self.scale)
        levels = base + 255.0 * shuffle(residual, self.scale)
        return np.round(np.clip(levels, 0, 255)).astype(np.uint8)

    def score(self, network, cycle):
        """Measure a network after `cycle` cycles, add a line to the file, return what chooses."""
        scores = {
            name: float(np.mean([self._psnr(network, *pair) for pair in pairs]))
            for name, pairs in self.pairs.items()
        }
        rounded = {name: round(value, 4) for name, value in scores.items()}
        line = {"cycle": cycle, **rounded, "time": round(time.time())}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        return float(np.mean(list(scores.values())))

    def _psnr(self, network, high, low):
        """Return the PSNR of one picture; a flat one, which has no error, must not be infinite."""
        return min(psnr_y(self.enlarged(network, low), high, self.scale), BEST)
