"""Large textures: the encoder with the whole picture, reduced, or with windows at native scale.

    python -m benchmarks.quality.windows [--seeds 3] [--pictures 16]

Drawn textures of 768x768 pixels, some with a scratch of 2 x 70 pixels that is not much brighter
than the grain. Figures: AUROC by the parts that rank; in how many of the scratched pictures the
map's highest place lies within 24 pixels of the scratch; processor seconds a picture.
"""

import time
from dataclasses import asdict

import click
import cv2
import numpy as np
from gantools.apps.anomaly import views
from gantools.apps.anomaly.calibration.parts import PartScales
from gantools.apps.anomaly.detectors.encoder import Encoder

from benchmarks.rows import append
from gantools.metrics.detection import auroc

SIDE, LENGTH, THICK, BRIGHTER = 768, 70, 2, 45
NEAR = 24  # pixels
FITTED, SCALING, OF_EACH = 30, 14, 6  # pictures; windows of each that are fitted on
VIEWS = {
    "whole": views.View("whole", 224),
    "whole, twice as large": views.View("whole", 448),
    "windows": views.View("windows", 224, 168, views.LOOKED),
    "windows, half shared": views.View("windows", 224, 112, views.LOOKED),
}


def texture(random):
    """Return a grey texture, float `(768, 768)`, fine grain on slow changes of the light."""
    rough = cv2.GaussianBlur(random.normal(0, 1, (SIDE, SIDE)), (0, 0), 2)
    coarse = cv2.resize(random.normal(0, 1, (12, 12)), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    return 110 + 22 * rough / rough.std() + 6 * coarse


def scratched(random):
    """Return `(texture with a scratch, where that is)`."""
    line, (x, y) = np.zeros((SIDE, SIDE), np.float32), random.integers(100, SIDE - 100, 2)
    angle = random.uniform(0, np.pi)
    end = int(x + LENGTH * np.cos(angle)), int(y + LENGTH * np.sin(angle))
    cv2.line(line, (int(x), int(y)), end, 1.0, THICK, cv2.LINE_AA)
    return texture(random) + BRIGHTER * line, line > 0.3


def shown(picture):
    """Return a picture as a detector gets it, float32 `(h, w, 1)` in [-1, 1]."""
    return np.clip(picture, 0, 255).astype(np.uint8)[..., None].astype(np.float32) / 127.5 - 1


def measured(view, seed, count):
    """Return the figures of one way of showing."""
    random = np.random.default_rng(seed)
    fit, scaling, good = (
        [shown(texture(random)) for _ in range(n)] for n in (FITTED, SCALING, count)
    )
    odd, lines = zip(*(scratched(random) for _ in range(count)), strict=True)
    rows = [view.tensors(picture)[0] for picture in fit]
    rows = [own[random.permutation(len(own))[:OF_EACH]] for own in rows]
    owner = np.repeat(np.arange(FITTED), [len(own) for own in rows])
    encoder = Encoder().fit(np.concatenate(rows), groups=owner, seed=seed)

    def looked(pictures):
        found, maps = {name: [] for name in encoder.ranking}, []
        for picture in pictures:
            tensors, where = view.tensors(picture)
            parts, heat = encoder.parts_and_maps(tensors)
            maps.append(view.join(heat, where))
            for name, values in found.items():
                values.append(views.of_picture(parts[name]))
        return {name: np.array(values) for name, values in found.items()}, maps

    scales = PartScales.fit(looked(scaling)[0])
    start = time.process_time()
    parts, maps = looked([*good, *map(shown, odd)])
    spent = (time.process_time() - start) / (2 * count)
    return {
        "auroc": auroc(np.arange(2 * count) // count, scales.combine(parts)),
        "found": sum(is_near(*one) for one in zip(maps[count:], lines, strict=True)) / count,
        "windows": len(view.tensors(fit[0])[0]), "cpu_s": round(spent, 3),
    }  # fmt: skip


def is_near(heat, line):
    """Return whether a map's highest place lies by the scratch."""
    place = np.unravel_index(heat.argmax(), heat.shape)
    return bool(np.min(np.hypot(*(np.argwhere(line) - place).T)) < NEAR)


@click.command()
@click.option("--seeds", default=3, show_default=True)
@click.option("--pictures", default=16, show_default=True, help="With a scratch, and without.")
@click.option("--only", multiple=True, type=click.Choice(list(VIEWS)))
def main(seeds, pictures, only):
    """Compare ways of showing large textures to the encoder."""
    for name in only or VIEWS:
        for seed in range(seeds):
            row = measured(VIEWS[name], seed, pictures)
            append("windows", shown=name, seed=seed, view=asdict(VIEWS[name]),
                   pictures=pictures, **row)  # fmt: skip
            click.echo(f"{name}, seed {seed}: " + ", ".join(f"{k} {v:.3g}" for k, v in row.items()))


if __name__ == "__main__":
    main()
