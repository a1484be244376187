"""The shipped networks on clean and on damaged small pictures, beside bicubic.

    python -m benchmarks.quality.damaged FOLDER [--scale 4]

FOLDER holds sharp pictures, the validation pictures of the networks for the figures of the README.
Each is reduced exactly, and once more as `superres train --degrade photo` damages it, always in the
same way. Read with care: the validation pictures chose the weights of these networks. `raw` are the
figures before the result is projected back onto the small picture.
"""

from pathlib import Path

import click
import numpy as np
from gantools.apps.superres.evaluation.evaluate import figures, sharp_pictures
from gantools.apps.superres.resolver import SuperResolver
from gantools.apps.superres.training import degrade

from benchmarks.rows import append
from gantools.data.resample import resize
from gantools.metrics.spectra import octaves

WAYS = {"fast": ("fast", None), "photo": ("photo", None), "photo, strength 1": ("photo", 1.0)}
# As rows name them, of `Figures`, with decimals.
SHOWN = {
    "psnr_y": ("psnr", 3), "niqe": ("niqe", 2), "spectrum_db": ("spectrum", 2),
    "consistency_db": ("consistency", 1), "drift": ("drift", 2),
}  # fmt: skip
RAW = ("consistency_db", "drift")


def ways(scale):
    """Return `{name: enlarging function}`, raw ones as "raw NAME"."""
    made = {"bicubic": lambda low: resize(low, scale)}
    for name, (model, strength) in WAYS.items():
        for projection in (True, False):
            known = f"{'' if projection else 'raw '}{name}"
            made[known] = SuperResolver(
                model, scale=scale, strength=strength, projection=projection
            )
    return made


def small(high, scale, kind, number):
    """Return the small picture of a kind; damage depends on the picture's number."""
    if kind == "clean":
        return resize(high, 1 / scale)
    return degrade.damaged(high, scale, np.random.default_rng(number))


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("--scale", type=click.IntRange(2, 4), default=4, show_default=True)
def main(folder, scale):
    """Print and keep the means over the pictures of FOLDER."""
    made, sharp = ways(scale), list(sharp_pictures(folder, scale))
    for kind in ("clean", "damaged"):
        found = {name: [] for name in made}
        for i, (_, high) in enumerate(sharp):
            low, known = small(high, scale, kind, i), octaves(high)
            for name, enlarge in made.items():
                found[name].append(figures(enlarge(low), high, low, scale, known))
        means = {name: _means(several) for name, several in found.items()}
        for name in ("bicubic", *WAYS):
            raw = {f"raw_{key}": means.get(f"raw {name}", means[name])[key] for key in RAW}
            row = {**means[name], **raw}
            click.echo(f"{kind:8} {name:18} " + " ".join(f"{k} {v:g}" for k, v in row.items()))
            append("damaged", kind=kind, way=name, scale=scale, **row, pictures=len(sharp))


def _means(several):
    """Return the means of figures, rounded."""
    return {
        key: round(float(np.nanmean([getattr(one, name) for one in several])), places)
        for key, (name, places) in SHOWN.items()
    }


if __name__ == "__main__":
    main()
