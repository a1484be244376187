"""PSNR and SSIM of the shipped networks on folders of sharp pictures, beside bicubic.

    python -m benchmarks.quality.superres Set5/ Set14/ B100/ [--only "quality x2"]

The protocol is that of `gantools superres eval`; one row a folder and scale is kept. x3, for which
no network is shipped, is made by x4 and an exact reduction, as for users.
"""

from itertools import product
from pathlib import Path

import click
from gantools.apps.superres.enlarge import Upscaler
from gantools.apps.superres.evaluation.evaluate import evaluate, mean
from gantools.apps.superres.family import TWIN, family
from gantools.apps.superres.model import shipped

from benchmarks.rows import append

SCALES = (2, 3, 4)


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--only", multiple=True, metavar="'NAME xSCALE'", help="A network; repeat.")
def main(folders, only):
    """Measure every shipped network on FOLDERS and print the means."""
    click.echo(f"{'network':10} {'folder':10} {'PSNR-Y':>7} {'bicubic':>8} {'SSIM-Y':>7}")
    names = sorted({name for name, _ in shipped() if not name.endswith(TWIN)})  # for --strength
    for name, scale in product(names, SCALES):
        label = f"{name} x{scale}"
        if only and label not in only:
            continue
        upscaler = Upscaler(family(name))
        for folder in folders:
            score = mean(evaluate(folder, upscaler, scale=scale))
            click.echo(
                f"{label:10} {folder.name:10} {score.network.psnr:7.2f} {score.bicubic.psnr:8.2f} "
                f"{score.network.ssim:7.4f}"
            )
            command = f"gantools superres eval {folder.name} --model {name} --scale {scale}"
            append(
                "superres", command=command, network=name, scale=scale, folder=folder.name,
                psnr_y=round(score.network.psnr, 4), ssim_y=round(score.network.ssim, 4),
                bicubic_psnr_y=round(score.bicubic.psnr, 4), engine=upscaler.engine().name,
            )  # fmt: skip


if __name__ == "__main__":
    main()
