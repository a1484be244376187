"""Make docs/before_after.png: the example picture by bicubic interpolation and by the network.

python -m benchmarks.quality.before_after
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import click
import numpy as np

from gantools.data import pictures
from gantools.data.resample import resize

DOCS = Path(__file__).parents[2] / "docs"


@click.command()
def main():
    """Enlarge docs/example.png four times in both ways and put the results side by side."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "large.png"
        command = ["superres", str(DOCS / "example.png"), "-o", str(out)]
        subprocess.run([sys.executable, "-m", "gantools", *command], check=True)
        network = pictures.read(out).pixels
    bicubic = resize(pictures.read(DOCS / "example.png").pixels, 4)
    gap = np.full((len(network), 8, 3), 255, np.uint8)
    sheet = np.concatenate([bicubic, gap, network], axis=1)
    pictures.write(DOCS / "before_after.png", pictures.Picture(sheet), level=9)
    click.echo(f"{DOCS / 'before_after.png'}: {sheet.shape[1]} x {sheet.shape[0]}")


if __name__ == "__main__":
    main()
