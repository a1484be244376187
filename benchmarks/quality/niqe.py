"""Fit the model of sharp photographs that `gantools.metrics.niqe` measures against.

    python -m benchmarks.quality.niqe photos/

photos/ are those that the shipped networks are trained on (NOTICE lists them). The result, means
and covariances of 36 numbers, is written to gantools/metrics/niqe_model.json.
"""

import json
from pathlib import Path

import click
import numpy as np

from gantools.data.files import atomic
from gantools.data.folders import as_bytes, picture_files
from gantools.data.pictures import read
from gantools.metrics.niqe import BLOCK, FEATURES, MODEL, SHARP, fitted

DIGITS = 9


@click.command()
@click.argument("folder", type=click.Path(exists=True, path_type=Path))
@click.option("-o", "--out", type=click.Path(path_type=Path), default=MODEL, show_default=True)
def main(folder, out):
    """Fit the model on the pictures of FOLDER."""
    files = picture_files(folder)
    mean, covariance, blocks = fitted(as_bytes(read(file), channels=3) for file in files)
    upper = covariance[np.triu_indices(FEATURES)]
    document = {
        "format": "gantools-niqe-1", "command": "python -m benchmarks.quality.niqe photos/",
        "pictures": len(files), "blocks": blocks, "block": BLOCK, "sharp": SHARP,
        "mean": [float(f"{value:.{DIGITS}g}") for value in mean],
        "covariance": [float(f"{value:.{DIGITS}g}") for value in upper],
    }  # fmt: skip
    with atomic(out) as part:
        part.write_text(json.dumps(document) + "\n", encoding="utf-8")
    click.echo(f"{blocks} blocks of {len(files)} pictures: {out}")


if __name__ == "__main__":
    main()
