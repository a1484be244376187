"""The command `gantools superres eval`: figures of a network beside bicubic and Lanczos."""

from math import prod

import click

from gantools.data.files import readable
from gantools.errors import UserError

from .. import options

FOLDERS = click.Path()
AT_MOST = ("niqe", "spectrum", "swd", "drift")  # figures that are better if lower


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("folders", nargs=-1, required=True, type=FOLDERS, metavar="FOLDER...")
@click.option("--scale", type=click.IntRange(2, 4), default=4, show_default=True)
@click.option("--lr", type=FOLDERS, help="Folder of the small pictures; made if not given.")
@options.model
@options.strength
@options.tta
@options.no_projection
@options.engine
@options.threads
@click.option("--html", type=click.Path(), help="Write a page with the worst crops.")
@click.option("--json", "as_json", is_flag=True, help="Write JSON instead of the table.")
@click.option(
    "--require",
    "required",
    type=(str, float),
    multiple=True,
    metavar="FIGURE VALUE",
    help="Exit code 6 unless each folder's mean reaches it: psnr 31.4, niqe 6.",
)
@click.option("-q", "--quiet", is_flag=True, help="Tell no progress.")
@click.option("-v", "--verbose", is_flag=True, help="Add the lines of every picture.")
def evaluate(folders, lr, html, as_json, required, quiet, verbose, **chosen):
    """Measure a network on folders of sharp pictures.

    Each picture is shrunk as MATLAB's imresize does it, enlarged again and compared with itself:
    PSNR and SSIM on luma, NIQE, spectrum, patches, consistency and drift of colour, beside bicubic
    and Lanczos.
    """
    from pathlib import Path

    from gantools.data.files import check_free
    from gantools.metrics.required import check_names, check_reached
    from gantools.report.page import is_ours

    from . import evaluate as measure
    from .page import Worst, write

    if lr and len(folders) > 1:
        raise UserError("--lr belongs to one folder of sharp pictures. Measure one at a time.")
    check_names(required, measure.FIGURES)
    upscaler, worst = _upscaler(**chosen), Worst()
    said = {"low": Path(lr) if lr else None, "scale": chosen["scale"]}
    if html:  # a page is made again by the same command, but replaces nothing else
        sources = [path for path in map(Path, (*folders, lr or "")) if path.is_file()]
        remedy = "It is no page of an earlier command: give another name"
        check_free(html, options.PAGES, sources=sources, overwrite=is_ours(html), remedy=remedy)
        said["seen"] = worst.add
    tell = (lambda name: None) if quiet else (lambda name: click.echo(name, err=True))
    tables = []
    for folder in folders:
        scores = measure.evaluate(Path(folder), upscaler, tell, **said)
        tables.append((str(folder), scores, measure.mean(scores)))
    title = _title(upscaler.family, chosen["scale"])
    if html:
        write(Path(html), f"Evaluation of {title}", tables, worst)
    if as_json:
        _write_json(tables, upscaler, chosen)
    else:
        _write_table(tables, title, verbose)
    means = {readable(folder): measure.network_figures(mean) for folder, _, mean in tables}
    check_reached(means, required, AT_MOST)


def _upscaler(model, scale, strength, tta, no_projection, engine, threads):
    """Return the upscaler of the networks that are measured."""
    from ..enlarge import Upscaler
    from ..family import family
    from ..model import unknown

    networks = family(model, strength)
    if scale not in networks.scales and strength is not None:
        known = " and ".join(f"x{known}" for known in networks.scales)
        raise UserError(
            f"The network '{model}' has an adversarially trained twin for {known}, and none for "
            f"x{scale}. Leave out --strength or give another --scale."
        )
    if len(networks.scales) == 1 and scale not in networks.scales:  # most likely not meant
        raise unknown(model, scale)
    return Upscaler(networks, engine, threads, projection=not no_projection, views=int(tta))


def _title(networks, scale):
    """Return what is measured: `fast x4`, or `fast x3 (x4, reduced)` where no network has it."""
    steps = networks.ladder(scale)
    made = " and ".join(f"x{step}" for step in steps)
    more = ", reduced" if prod(steps) > scale else ""
    return f"{networks.name} x{scale}" + ("" if steps == (scale,) else f" ({made}{more})")


def _write_table(tables, title, verbose):
    """Write a line for each way of enlarging and folder, or picture."""
    from .evaluate import METHODS
    from .page import SHORT, row, truth_row

    click.echo(f"{readable(title):10}" + "".join(f"{head:>10}" for head in SHORT))
    for folder, scores, mean in tables:
        every = [(f"  {score.name}", score) for score in scores] if verbose else []
        for name, score in [*every, (folder, mean)]:
            click.echo(f"{readable(name)}: {score.gain:+.2f} dB beside bicubic")
            rows = [row(method, getattr(score, method)) for method in METHODS]
            for method, *cells in [*rows, truth_row(score)]:
                click.echo(f"{method:>10}" + "".join(f"{cell:>10}" for cell in cells))


def _write_json(tables, upscaler, chosen):
    """Write all scores as one JSON document; what is not finite is null."""
    import json
    from dataclasses import asdict

    used = upscaler.engine(network=upscaler.passes(1, 1, (chosen["scale"],) * 2)[-1])
    document = {
        "schema": 1,
        "model": upscaler.family.name,
        "scale": chosen["scale"],
        "engine": f"{used.name} {used.precision}",
        "projection": upscaler.projection,
        "views": upscaler.views,
        "folders": [
            {"folder": folder, "mean": asdict(mean), "pictures": [asdict(s) for s in scores]}
            for folder, scores, mean in tables
        ],
    }
    click.echo(json.dumps(_finite(document), indent=2))


def _finite(value):
    """Return JSON data in which numbers that are not finite are None."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    if isinstance(value, float) and value - value != 0:
        return None
    return value
