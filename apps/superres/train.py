"""Train a super-resolution network on a folder of photographs.

Stage one is a reconstruction game of one player (L1 on the residual). The run folder holds states
for exact resume, a log, and `best.safetensors`: the averaged weights that did best on the
validation pictures.
"""

import json
import time
from pathlib import Path

import keras
import numpy as np
from keras import ops

from gantools import record
from gantools.core import AdversarialModel, Ema, Game, Trapezoid, Turn
from gantools.core.callbacks import Checkpoints, JsonLog
from gantools.data.resample import resize
from gantools.metrics.pixels import psnr_y
from gantools.nets import plans
from gantools.nets.superres import build, get_weights_by_name, set_weights_by_name

from .patches import Patches, load_photos, shuffle

BATCH, PATCH = 8, 48  # low-resolution pixels; many small steps beat few large ones on a CPU
PEAK = 1e-3  # Adam; 48-channel residual nets stand it with gradient clipping
HALF_LIFE = 5545  # images: a decay of 0.999 a step of 8


def reconstruction(net):
    """Return the one-player game: mean absolute error of the residual, in units of full scale."""

    def terms(model, batch, draw):
        low = (batch["low"] + 1.0) / 2.0  # the step scales uint8 to [-1, 1]; plans want [0, 1]
        error = model.player("generator")(low) - batch["residual"]
        return {"l1": ops.mean(ops.abs(error))}

    return Game(
        players={"generator": net},
        turns=(Turn("generator", ("generator",), terms),),
        ema={"generator": Ema(HALF_LIFE)},
    )


class Validation(keras.callbacks.Callback):
    """Measure the averaged network on whole pictures now and then; keep the best weights.

    Args:
        photos: Result of `load_photos`.
        scale: Enlargement.
        every: Cycles between two measurements.
        keep: Callable `(weights by name, score)` for a new best.
        best: Best score so far.
        path: JSON-lines file of all scores.
    """

    def __init__(self, photos, scale, every, keep, path, best=-np.inf):
        super().__init__()
        self.scale, self.every, self.keep, self.path, self.best = scale, every, keep, path, best
        self.pairs = [(pixels, resize(pixels, 1 / scale)) for _, pixels in photos]

    def on_train_begin(self, logs=None):
        """Count on from where the run stands."""
        self._cycle = int(self.model.cycle)

    def on_train_batch_end(self, batch, logs=None):
        """Measure when due."""
        self._cycle += 1
        if self._cycle % self.every == 0:
            self._measure()

    def on_train_end(self, logs=None):
        """Measure the last state."""
        self._measure()

    def _measure(self):
        score = float(np.mean([self._psnr(*pair) for pair in self.pairs]))
        line = {"cycle": self._cycle, "psnr_y": round(score, 4), "time": time.time()}
        with Path(self.path).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        if score > self.best:
            self.best = score
            self.keep(get_weights_by_name(self.model.best("generator")), score)

    def _psnr(self, high, low):
        network = self.model.best("generator")
        residual = network.predict_on_batch(low[None].astype(np.float32) / 255.0)[0]
        enlarged = resize(low.astype(np.float32), self.scale) + 255.0 * shuffle(
            residual, self.scale
        )
        return psnr_y(np.round(np.clip(enlarged, 0, 255)).astype(np.uint8), high, self.scale)


def train(data, out, *, scale=4, steps, validation=None, base=None, seed=0, width=48, blocks=4):
    """Train, resuming by itself; return the best score in dB.

    Args:
        data: Folder of photographs.
        out: Run folder.
        scale: Enlargement, 2 to 4.
        steps: Cycles of the whole run; the learning rate falls to 0 over the last fifth.
        validation: Folder of pictures that choose the best weights; None keeps the last ones.
        base: Weights by name to start from, where names and shapes fit.
        seed: Seed of initial weights and patches.
        width, blocks: Size of the network, see `plans.fast`.
    """
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    net = build(plans.fast(scale, width=width, blocks=blocks), seed=seed)
    if base is not None:
        set_weights_by_name(net, base, partial=True)
    model = AdversarialModel(reconstruction(net), seed=seed)
    rate = Trapezoid(PEAK, images=steps * BATCH, warmup=300 * BATCH)
    optimizer = keras.optimizers.Adam(rate, beta_2=0.99, global_clipnorm=1.0)
    model.compile({"generator": optimizer})
    photos = load_photos(Path(data), scale, PATCH)
    stream = Patches(photos, scale, BATCH, PATCH, seed)
    model.restore(out / "state")
    keep = lambda arrays, score: np.savez(out / "best.npz", score=score, **arrays)
    checks = load_photos(Path(validation), scale, PATCH)
    callbacks = [
        Validation(checks, scale, 1000, keep, out / "validation.jsonl"),
        JsonLog(out / "log.jsonl", 200),
        Checkpoints(out / "state", minutes=3),
    ]
    left = steps - int(model.cycle)
    if left > 0:
        model.fit(stream, steps_per_epoch=left, epochs=1, verbose=0, callbacks=callbacks)
    return callbacks[0].best


if __name__ == "__main__":
    import sys

    base = dict(np.load(sys.argv[5])) if len(sys.argv) > 5 else None
    train(
        sys.argv[1],
        sys.argv[2],
        scale=int(sys.argv[3]),
        steps=int(sys.argv[4]),
        validation=sys.argv[1].replace("train", "val"),
        base=base,
    )
