"""The command `gantools superres eval`: a table of PSNR and SSIM beside bicubic."""

import click

from . import options


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folders", nargs=-1, required=True, type=click.Path(), metavar="FOLDER...")
@click.option("--scale", type=click.IntRange(2, 4), default=4, show_default=True)
@options.model
@options.engine
@options.threads
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of the table.")
@click.option("-q", "--quiet", is_flag=True, help="Tell no progress.")
@click.option("-v", "--verbose", is_flag=True, help="Add a line for every picture.")
def evaluate(folders, scale, model, engine, threads, as_json, quiet, verbose):
    """Measure PSNR and SSIM on folders of sharp pictures.

    Each picture is shrunk as MATLAB's imresize does it, enlarged again and compared on luma
    without a border of SCALE pixels; the table gives the mean of each folder beside bicubic.
    """
    from pathlib import Path

    from . import evaluate as measure
    from .enlarge import Upscaler
    from .model import load

    upscaler = Upscaler(load(model, scale), engine, threads)
    tell = (lambda name: None) if quiet else (lambda name: click.echo(name, err=True))
    tables = [(folder, measure.evaluate(Path(folder), upscaler, tell)) for folder in folders]
    used = upscaler.engine()
    if as_json:
        _write_json(tables, model, scale, f"{used.name} {used.precision}")
        return
    width = max(len(name) for name in _names(tables, verbose))
    heads = ("PSNR-Y", "SSIM-Y", "bicubic", "SSIM-Y", "gain")
    click.echo(f"{f'x{scale}':{width}}" + "".join(f"{head:>9}" for head in heads))
    for folder, scores in tables:
        for score in scores if verbose else ():
            click.echo(_line(f"  {score.name}", score, width))
        click.echo(_line(str(folder), measure.mean(scores), width))


def _names(tables, verbose):
    """Return the labels of the table's lines."""
    names = [str(folder) for folder, _ in tables]
    return names + [f"  {s.name}" for _, scores in tables for s in scores if verbose]


def _line(name, score, width):
    """Return one line of the table."""
    gain = score.psnr - score.bicubic_psnr
    return (
        f"{name:{width}}{score.psnr:9.2f}{score.ssim:9.4f}{score.bicubic_psnr:9.2f}"
        f"{score.bicubic_ssim:9.4f}{gain:+9.2f}"
    )


def _write_json(tables, model, scale, engine):
    """Write all scores as one JSON document."""
    import json
    from dataclasses import asdict

    from . import evaluate as measure

    folders = [
        {
            "folder": str(folder),
            "mean": asdict(measure.mean(scores)),
            "pictures": [asdict(score) for score in scores],
        }
        for folder, scores in tables
    ]
    document = {"schema": 1, "model": str(model), "scale": scale, "engine": engine}
    click.echo(json.dumps(document | {"folders": folders}, indent=2))
