"""The command `gantools anomaly`: a whole job by itself; the other commands below it."""

import click

from gantools.errors import DONE, SOME_FAILED
from gantools.options import MINUTES, Finite

from .settings import DETECTORS, MOST_LOOKED, MOST_TRAINED

BELOW = {
    "fit": (".commands:fit", "Learn what normal is and keep the model."),
    "score": (".scoring:score", "Score pictures or rows with a kept model."),
    "merge": (".scoring:merge", "Put the shards of several machines together."),
    "audit": (".commands:audit", "Only look at the data: duplicates, leaks, shortcuts."),
    "eval": (".evaluation.measuring:evaluation", "Measure on labelled data, over several seeds."),
    "refine": (".refining:refine", "Take a person's verdicts into the calibration."),
    "export": (".export.cli:export", "Write a model as one ONNX file: pixels or cells in, p out."),
}


class Anomaly(click.Group):
    """A group that does the whole job when no command is given, and imports commands when used."""

    def list_commands(self, ctx):
        """Return the commands below."""
        return list(BELOW)

    def get_command(self, ctx, cmd_name):
        """Import a command when it is used."""
        if cmd_name not in BELOW:
            return None
        from importlib import import_module

        module, _, attribute = BELOW[cmd_name][0].partition(":")
        return getattr(import_module(module, __package__), attribute)

    def format_commands(self, ctx, formatter):
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in BELOW.items()])


def options(names):
    """Return a decorator that adds options of `OPTIONS` to a command, in this order.

    Args:
        names: Names separated by spaces, as in `OPTIONS`.
    """

    def decorate(command):
        for name in reversed(names.split()):
            command = OPTIONS[name](command)
        return command

    return decorate


_RATE = Finite(0, 1, min_open=True, max_open=True)
OPTIONS = {
    "data": click.option("--data", type=click.Path(), help="Folder of pictures or scans, a table."),
    "out": click.option(
        "-o", "--out", type=click.Path(), default="anomaly-out", show_default=True,
        help="Folder for scores, report and model.",
    ),
    "model": click.option("--model", type=click.Path(), required=True, help="Folder of the model."),
    "detector": click.option(
        "--detector", type=click.Choice(DETECTORS), default="auto", show_default=True,
        help="auto: the encoder where it is installed, else the restorer; of tables simple rows.",
    ),
    "minutes": click.option(
        "--minutes", type=MINUTES, default=2.0, show_default=True,
        help="Time for training.",
    ),
    "fpr": click.option(
        "--fpr", type=_RATE, default=0.05, show_default=True,
        help="Share of normals that may be flagged.",
    ),
    "confidence": click.option(
        "--confidence", type=_RATE, help="Chance that the realised share stays below --fpr."
    ),
    "kept_fpr": click.option(
        "--fpr", type=_RATE, help="Share of normals that may be flagged, if not that of the model."
    ),
    "layout": click.option("--layout", help="How the folder is arranged, if not seen by itself."),
    "manifest": click.option("--manifest", type=click.Path(), help="Table that lists pictures."),
    "groups": click.option(
        "--groups", help="Column, or regular expression on names: what belongs together."
    ),
    "label": click.option("--label", help="Tables: the column that says what is normal."),
    "time": click.option("--time-col", help="Tables: the column that orders the rows."),
    "drop": click.option(
        "--drop", multiple=True, metavar="COLUMN", help="Tables: leave a column out; repeat."
    ),
    "side": click.option(
        "--side", type=click.IntRange(16, MOST_LOOKED),
        help=f"Pixels of the detector's square; more than {MOST_TRAINED} for the encoder only.",
    ),
    "without": click.option(
        "--without", multiple=True, metavar="PART", help="Leave a part out of the score; repeat."
    ),
    "faithful": click.option(
        "--faithful", is_flag=True,
        help="Detectors of the literature: losses, norms, rates and score as published.",
    ),
    "restoration": click.option(
        "--restoration", is_flag=True,
        help="Beside the encoder: train a restorer for --minutes, and show on the cards what would "
        "be normal.",
    ),
    "scans": click.option(
        "--scans", is_flag=True,
        help="Pictures are scans, as DICOM always is: the dark around the patient is left out.",
    ),
    "stream": click.option(
        "--stream", type=click.Choice(["name", "time"]),
        help="Watch the items in this order as a stream.",
    ),
    "seed": click.option("--seed", type=click.IntRange(0), default=0, show_default=True),
    "json": click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
    "quiet": click.option("-q", "--quiet", is_flag=True, help="Tell only warnings and errors."),
}  # fmt: skip
SOURCE = "layout manifest groups label time"
FITTING = "detector faithful minutes side without scans drop seed"


@click.group(
    cls=Anomaly,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@options(f"data out {FITTING} restoration fpr confidence stream {SOURCE}")
@click.option("--fresh", is_flag=True, help="Fit again where a model is already there.")
@options("json quiet")
@click.pass_context
def anomaly(ctx, data, out, fresh, as_json, quiet, **chosen):
    """Find what does not look like the normals.

    Learns from normals only, and hands back a ranked list with calibrated p-values, heat maps and
    an audit of the data: scores.csv, report.html, maps/, model/. The layout is detected: train/good
    and test/*, normal/ and abnormal/, DICOM, NIfTI, a manifest, a table, or just pictures.

    \b
    Examples:
      gantools anomaly --data scans/
      gantools anomaly --data tiles/ --fpr 0.01 --confidence 0.95 -o out/
      gantools anomaly --data visits.csv --label outcome --time-col date
      gantools anomaly fit --data normals/ --model scans.model
      gantools anomaly score --model scans.model --data new/
    """
    if ctx.invoked_subcommand is not None:
        _refuse_before(ctx)
        return
    if data is None:
        raise click.UsageError(f"Give --data FOLDER, or one of the commands {', '.join(BELOW)}.")
    from .commands import whole

    counts = whole(data, out, chosen, fresh=fresh, quiet=quiet)
    if as_json:
        import json

        click.echo(json.dumps({"schema": 1, "out": str(out), **counts}))
    ctx.exit(SOME_FAILED if counts["unreadable"] else DONE)


def _refuse_before(ctx):
    """Refuse options that stand before a command below: nothing would come of them."""
    here = click.core.ParameterSource.COMMANDLINE
    given = [p.opts[-1] for p in ctx.command.params if ctx.get_parameter_source(p.name) is here]
    if given:
        name = ctx.invoked_subcommand
        raise click.UsageError(f"Expected options after the command: {name} {' '.join(given)} ...")
