"""The command `gantools superres`: enlarge pictures; `train` and `eval` are commands below it."""

import click

from . import options

BELOW = {
    "train": (".train_cli:train", "Train a network on a folder of photographs."),
    "eval": (".evaluate_cli:evaluate", "Measure PSNR and SSIM on folders of sharp pictures."),
}


class Superres(click.Group):
    """A group whose first word may also be a picture: then it enlarges."""

    def parse_args(self, ctx, args):
        """Put the hidden command `enlarge` before anything that is no command and no plain help."""
        if args and args[0] not in (*self.list_commands(ctx), "enlarge", "-h", "--help"):
            args = ["enlarge", *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx):
        """Return the commands below."""
        return list(BELOW)

    def get_command(self, ctx, cmd_name):
        """Import a command when it is used."""
        if cmd_name in BELOW:
            from importlib import import_module

            module, _, attribute = BELOW[cmd_name][0].partition(":")
            return getattr(import_module(module, __package__), attribute)
        return super().get_command(ctx, cmd_name)

    def format_usage(self, ctx, formatter):
        """Write the usage of the common case."""
        formatter.write_usage(ctx.command_path, "[OPTIONS] PICTURE_OR_FOLDER...")

    def format_options(self, ctx, formatter):
        """Write the options of the common case, then the commands below."""
        enlarge.format_options(ctx, formatter)
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in BELOW.items()])


@click.group(
    cls=Superres,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A picture that is named like a command: ./train, ./eval.",
)
def superres():
    """Enlarge pictures with a trained network.

    PNG, JPEG, WebP, TIFF, BMP and more; grey stays grey, transparency and 16 bits are kept. The
    result lies beside the picture as NAME_x4.png, or where -o says.
    """


@superres.command(hidden=True)
@click.argument(
    "inputs", nargs=-1, required=True, type=click.Path(), metavar="PICTURE_OR_FOLDER..."
)
@click.option("-o", "--out", type=click.Path(), help="File for one picture, folder for more.")
@click.option("--scale", type=click.IntRange(2, 4), default=4, show_default=True, help="2 or 4.")
@options.model
@options.engine
@options.threads
@click.option("--overwrite", is_flag=True, help="Make files again that are already there.")
@click.option("--json", "as_json", is_flag=True, help="Tell what was done as JSON on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Tell only errors.")
@click.option("-v", "--verbose", is_flag=True, help="Tell engine and time of each picture.")
def enlarge(inputs, out, scale, model, engine, threads, overwrite, as_json, quiet, verbose):
    """Enlarge pictures."""
    from pathlib import Path

    from . import batch
    from .enlarge import Upscaler
    from .model import load
    from .progress import Progress

    jobs = batch.plan_jobs([Path(path) for path in inputs], out and Path(out), scale)
    upscaler = Upscaler(load(model, scale), engine, threads)
    with Progress(len(jobs), quiet=quiet, verbose=verbose) as progress:
        outcomes = batch.run_jobs(
            jobs,
            upscaler,
            overwrite=overwrite,
            started=progress.started,
            advance=progress.advance,
            finished=progress.finished,
        )
    _tell(outcomes, as_json, quiet)
    return batch.exit_code(outcomes)


def _tell(outcomes, as_json, quiet):
    """Write the summary of more than one picture, and the JSON that was asked for."""
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if len(outcomes) > 1 and (failed or not quiet):
        made = sum(outcome.result is not None for outcome in outcomes)
        left = len(outcomes) - made - len(failed)
        click.echo(f"{made} enlarged, {left} already there, {len(failed)} failed.", err=True)
    if as_json:
        import json

        pictures = [_record(outcome) for outcome in outcomes]
        click.echo(json.dumps({"schema": 1, "pictures": pictures}, indent=2))


def _record(outcome):
    """Return one picture's outcome as JSON data."""
    record = {"source": str(outcome.job.source), "target": str(outcome.job.target)}
    if outcome.error is not None:
        return record | {"status": "failed", "error": outcome.error}
    if outcome.result is None:
        return record | {"status": "kept"}
    made = outcome.result
    return record | {
        "status": "made",
        "width": made.width,
        "height": made.height,
        "engine": made.engine,
        "seconds": round(made.seconds, 3),
    }
