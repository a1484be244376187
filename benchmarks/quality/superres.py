"""PSNR, SSIM, NIQE and spectrum of the shipped networks on sharp pictures, beside bicubic.

    python -m benchmarks.quality.superres Set5/ Set14/ B100/ [--only "quality x2"] [--tta 8]

The protocol is that of `gantools superres eval`; one row a folder and scale is kept. x3, for which
no network is shipped, is made by x4 and an exact reduction, as for users. An adversarially trained
twin is what `--strength 1` makes, at its own scale; NIQE and spectrum tell what it is for.
"""

from itertools import product
from pathlib import Path

import click
from gantools.apps.superres import options
from gantools.apps.superres.enlarge import Upscaler
from gantools.apps.superres.evaluation.evaluate import evaluate, mean
from gantools.apps.superres.family import TWIN, family
from gantools.apps.superres.model import shipped

from benchmarks.rows import append

SCALES = (2, 3, 4)


@click.command()
@click.argument("folders", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--only", multiple=True, metavar="'NAME xSCALE'", help="A network; repeat.")
@options.tta
def main(folders, only, tta):
    """Measure every shipped network on FOLDERS and print the means."""
    click.echo(f"{'network':18} {'folder':10}  PSNR-Y  bicubic  SSIM-Y   NIQE spectrum")
    known = shipped()
    for name, scale in product(sorted({name for name, _ in known}), SCALES):
        label, twin = f"{name} x{scale}", name.endswith(TWIN)
        served = (name, scale) in known or (scale == 3 and (name, 2) in known)
        if not served or (only and label not in only):
            continue
        base = name.removesuffix(TWIN)
        upscaler = Upscaler(family(base, 1.0 if twin else None), views=int(tta))
        views = f" --tta {tta}" if tta != "1" else ""
        told = name + views
        for folder in folders:
            score = mean(evaluate(folder, upscaler, scale=scale))
            made = score.network
            click.echo(
                f"{f'{told} x{scale}':18} {folder.name:10} {made.psnr:7.2f} "
                f"{score.bicubic.psnr:8.2f} {made.ssim:7.4f} {made.niqe:6.2f} {made.spectrum:8.2f}"
            )
            command = f"gantools superres eval {folder.name} --model {base} --scale {scale}"
            command += " --strength 1" * twin + views
            append(
                "superres", command=command, network=told, scale=scale,
                folder=folder.name, psnr_y=round(made.psnr, 4), ssim_y=round(made.ssim, 4),
                bicubic_psnr_y=round(score.bicubic.psnr, 4), niqe=round(made.niqe, 4),
                spectrum_db=round(made.spectrum, 4), engine=upscaler.engine().name,
            )  # fmt: skip


if __name__ == "__main__":
    main()
