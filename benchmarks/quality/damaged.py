"""The shipped x4 networks on clean and on mildly damaged small pictures, beside bicubic.

    python -m benchmarks.quality.damaged FOLDER

FOLDER holds sharp pictures, the validation pictures of the networks for the figures of the README.
Each is reduced exactly, and once more as `superres train --degrade photo` damages it, always in the
same way. Read with care: the validation pictures chose the weights of these networks.
"""

from pathlib import Path

import click
import numpy as np
from gantools.apps.superres.evaluation.evaluate import sharp_pictures
from gantools.apps.superres.resolver import SuperResolver
from gantools.apps.superres.training import degrade

from benchmarks.rows import append
from gantools.data.resample import resize
from gantools.metrics.niqe import niqe
from gantools.metrics.pixels import psnr_y

SCALE = 4
WAYS = {"fast": ("fast", None), "photo": ("photo", None), "photo, strength 1": ("photo", 1.0)}


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
def main(folder):
    """Print PSNR on luma and NIQE, the means over the pictures of FOLDER."""
    made = {n: SuperResolver(m, scale=SCALE, strength=s) for n, (m, s) in WAYS.items()}
    made["bicubic"] = lambda low: resize(low, SCALE)
    for kind in ("clean", "damaged"):
        found = {name: [] for name in made}
        for i, (_, high) in enumerate(sharp_pictures(folder, SCALE)):
            random = np.random.default_rng(i)
            clean = kind == "clean"
            low = resize(high, 1 / SCALE) if clean else degrade.damaged(high, SCALE, random)
            for name, enlarge in made.items():
                result = enlarge(low)
                found[name].append((psnr_y(result, high, SCALE), niqe(result)))
        for name, pairs in found.items():
            psnr, naturalness = np.nanmean(pairs, axis=0)
            click.echo(f"{kind:8} {name:18} PSNR-Y {psnr:.2f} NIQE {naturalness:.2f}")
            append(
                "damaged", kind=kind, way=name,
                psnr_y=round(float(psnr), 3), niqe=round(float(naturalness), 2),
                pictures=len(pairs),
            )  # fmt: skip


if __name__ == "__main__":
    main()
