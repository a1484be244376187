"""`gantools anomaly export`: a kept model for programs that do not have this package."""

import re
from pathlib import Path

import click

from gantools.errors import UserError

from ..cli import options


@click.command()
@options("model")
@click.option("-o", "--out", type=click.Path(path_type=Path), default="scorer.onnx",
              show_default=True, help="File to write.")  # fmt: skip
@click.option("--size", metavar="HxW", help="Pixels of the pictures that will come; the graph "
              "resizes them. Without it the square that the model sees.")  # fmt: skip
@click.option("--deep/--bytes", default=None, help="Pixels as float32 shares of 0 to 1 (floating "
              "point as stored), or uint8. Without either as in the training.")  # fmt: skip
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@options("quiet")
def export(model, out, size, deep, overwrite, quiet):
    """Write a model as one ONNX file: pixels or cells in; score, p, parts and heat-map out.

    Everything between decoded pixels, or the cells of a table, and p is in the file; its metadata
    say how they are made ready. Models of the encoder, the restorer and the reference rows can be
    exported, and those of tables.
    """
    from gantools.data.files import atomic

    from ..commands import teller
    from ..tables.model import load_model
    from .exporting import exported

    if out.exists() and not overwrite:
        raise UserError(f"{out} exists. Give --overwrite to replace it, or another -o.")
    found = load_model(model)
    content = exported(found, parsed(size), deep=deep)
    with atomic(out) as part:
        part.write_bytes(content)
    parts = ", ".join(found.judge.ranking)
    heat = "" if found.is_table else ", and the map"
    teller(quiet)(f"{out}: {len(content) / 1e6:.1f} MB; score and p of {parts}{heat}.")


def parsed(size):
    """Return `(height, width)` of "480x640", None of None.

    Raises:
        UserError: not of that form, or not between 8 and 4096 pixels.
    """
    if size is None:
        return None
    match = re.fullmatch(r"(\d{1,4})x(\d{1,4})", size.strip().lower())
    found = tuple(int(n) for n in match.groups()) if match else (0, 0)
    if not all(8 <= n <= 4096 for n in found):
        raise UserError(f"--size: expected HEIGHTxWIDTH such as 480x640. Received: {size}.")
    return found
