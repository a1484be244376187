"""`gantools anomaly score` and `merge`: a kept model on new data, on one machine or many."""

import json
from pathlib import Path

import click

from gantools.errors import DONE, SOME_FAILED, UserError

from .cli import SOURCE, options
from .commands import Bar, command, opened, required, teller, told


@click.command()
@options(f"model data out fpr confidence stream {SOURCE}")
@click.option("--shard", metavar="I/N", help="Score only share I of N, for several machines.")
@click.option("--threads", type=click.IntRange(1), help="Processor threads of the detector.")
@click.option("--jobs", type=click.IntRange(1), metavar="N",
              help="Pictures: N processes, each with one thread or --threads.")  # fmt: skip
@options("json quiet")
@click.pass_context
def score(ctx, model, data, out, shard, threads, jobs, as_json, quiet, **chosen):
    """Score pictures or rows with a kept model.

    Needs no Keras. Every item of the layout is scored, whatever part it is in. With --shard the
    share's outcome is kept, so that `merge` can put the shares together; groups stay whole.
    """
    from gantools.data.shards import parsed

    from . import folder
    from .calibration import stream
    from .reporting import outputs
    from .settings import Settings
    from .tables.model import load_model

    say, part = teller(quiet), parsed(shard)
    out = folder.output_folder(out)
    found = load_model(model, threads)
    salt = found.facts.get("salt", "gantools")
    how = {"to_fit": False, "every_row": True, "known": found.facts.get("roles")}
    how["spacing"] = found.facts.get("spacing")
    _, looked = opened(required(data), chosen, salt, say, **how)
    if found.is_table != (looked.collection.table is not None):
        kinds = ("a table", "pictures") if found.is_table else ("pictures", "a table")
        raise UserError(f"{model} was fitted on {kinds[0]}. Received: {kinds[1]}.")
    items = mine(looked.collection.items, part)
    if not items:
        raise UserError(f"Share {shard} of {data} is empty: there are fewer groups than shares.")
    maps = outputs.Maps(out / "maps")
    bar = Bar("scoring", quiet)
    scored = found.score(looked.reader, items, maps=maps, progress=bar, jobs=jobs)
    settings = Settings.of(
        found.facts["settings"], fpr=chosen["fpr"], confidence=chosen["confidence"]
    )
    order = stream.order_of(items, chosen["stream"])
    counts = told(out, looked, items, scored, found, maps, settings, order, say, part)
    if as_json:
        click.echo(json.dumps({"schema": 1, "out": str(out), **counts}))
    ctx.exit(SOME_FAILED if counts["unreadable"] else DONE)


@click.command()
@click.argument("shards", nargs=-1, required=True, type=click.Path(path_type=Path))
@options("out fpr confidence json quiet")
@click.pass_context
def merge(ctx, shards, out, fpr, confidence, as_json, quiet):
    """Put the shards of several machines together.

    SHARDS are the folders that `score --shard` wrote. Scores and p-values stay what they are;
    adjusted p-values, verdicts and the report are made over all items. Maps are copied.
    """
    from . import folder
    from .reporting import telling
    from .reporting.outcome import Outcome, join
    from .scans.medical import TITLE
    from .settings import Settings

    say = teller(quiet)
    if len({path.resolve() for path in shards}) < len(shards):
        raise UserError("A shard is given twice.")
    joined = join([Outcome.load(path) for path in shards])
    out = folder.output_folder(out)
    stored = joined.model["settings"]
    settings = Settings.of(stored, fpr=fpr, confidence=confidence)
    joined.lights = (telling.batch_light(joined.items, joined.scored, joined.judge),)
    line = command(joined.title == TITLE)
    counts = telling.tell(out, joined, settings, line, say)
    copy_maps([path / "maps" for path in shards], out / "maps")
    say(f"Open {out / 'report.html'}.")
    if as_json:
        click.echo(json.dumps({"schema": 1, "out": str(out), **counts}))
    ctx.exit(SOME_FAILED if counts["unreadable"] else DONE)


def mine(items, part):
    """Return the items of one share; what belongs together is in one share.

    Args:
        items: All items.
        part: `(i, n)` or None for all.
    """
    from gantools.data.shards import portion

    return [items[i] for i in portion([item.group or item.name for item in items], part)]


def copy_maps(folders, out):
    """Copy the maps of the shards into one folder."""
    import shutil

    from gantools.data.files import make_folder

    from .model_files import replace_folder

    draft = out.with_name(f".{out.name}.part")
    shutil.rmtree(draft, ignore_errors=True)
    make_folder(draft)
    for folder in folders:
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            shutil.copyfile(path, draft / path.name)
    replace_folder(draft, out)
