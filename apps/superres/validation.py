"""Choose the best weights of a training run on pictures that it does not train on."""

import json
import time
from pathlib import Path

import keras
import numpy as np

from gantools.core.callbacks import read_log
from gantools.data.resample import resize
from gantools.metrics.pixels import psnr_y

from .patches import shuffle


class Validation(keras.callbacks.Callback):
    """Measure PSNR on Y of the averaged network on whole pictures; keep the best weights.

    Args:
        photos: Result of `patches.load_photos`.
        scale: Enlargement.
        path: JSON-lines file of all measurements; a resumed run goes on from its best.
        last_cycle: The run's last cycle, which is measured in any case.
        keep: Callable `(network, score in dB)`, called at each new best.
        every: Cycles between two measurements.
    """

    def __init__(
        self, photos, scale, path, last_cycle, keep=lambda network, score: None, every=1000
    ):
        super().__init__()
        self.scale, self.path, self.keep, self.every = scale, Path(path), keep, every
        self.last_cycle = last_cycle
        self.pairs = [(pixels, resize(pixels, 1 / scale)) for _, pixels in photos]
        earlier = [line["psnr_y"] for line in read_log(self.path)] if self.path.exists() else []
        self.best, self.last = max(earlier, default=-np.inf), (earlier or [-np.inf])[-1]

    def on_train_begin(self, logs=None):
        """Count on from where the run stands."""
        self._cycle = int(self.model.cycle)

    def on_train_batch_end(self, batch, logs=None):
        """Measure when due."""
        self._cycle += 1
        if self._cycle % self.every == 0:
            self._measure()

    def on_train_end(self, logs=None):
        """Measure the run's last weights; an interrupted run goes on as if nothing had happened."""
        if self._cycle == self.last_cycle and self._cycle % self.every:
            self._measure()

    def _measure(self):
        network = self.model.best("generator")
        score = float(np.mean([self._psnr(network, *pair) for pair in self.pairs]))
        line = {"cycle": self._cycle, "psnr_y": round(score, 4), "time": round(time.time())}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.last = score
        if score > self.best:
            self.best = score
            self.keep(network, score)

    def _psnr(self, network, high, low):
        residual = network.predict_on_batch(low[None].astype(np.float32) / 255.0)[0]
        enlarged = resize(low.astype(np.float32), self.scale) + 255.0 * shuffle(
            residual, self.scale
        )
        return psnr_y(np.round(np.clip(enlarged, 0, 255)).astype(np.uint8), high, self.scale)
