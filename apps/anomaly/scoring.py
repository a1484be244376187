"""`gantools anomaly score` and `merge`: a kept model on new data, on one machine or many."""

import json
from collections import Counter
from pathlib import Path

import click

from gantools.errors import ALL_FAILED, DONE, SOME_FAILED, UserError

from .cli import SOURCE, options
from .commands import Bar, begin, command, opened, required, teller, told


@click.command()
@options(f"model data out kept_fpr confidence stream {SOURCE}")
@click.option("--shard", metavar="I/N", help="Score only share I of N, for several machines.")
@click.option("--threads", type=click.IntRange(1), help="Processor threads of the detector.")
@click.option("--jobs", type=click.IntRange(1), metavar="N",
              help="Pictures: N processes, each with one thread or --threads.")  # fmt: skip
@options("json quiet")
@click.pass_context
def score(ctx, model, data, out, shard, threads, jobs, as_json, quiet, **chosen):
    """Score pictures or rows with a kept model.

    Needs Keras for detectors of the literature only. Every item of the layout is scored, whatever
    part it is in. With --shard the share's outcome is kept, so that `merge` can put the shares
    together; groups stay whole.
    """
    from gantools.data.shards import parsed

    from . import folder
    from .calibration import stream
    from .items import shared
    from .reporting import outputs
    from .tables.model import load_model

    say, part = teller(quiet), parsed(shard)
    out = folder.output_folder(out)
    found = load_model(model, threads)
    salt = found.facts.get("salt", "gantools")
    how = {"to_fit": False, "every_row": True, "known": found.facts.get("roles")}
    how["spacing"] = found.facts.get("spacing")
    _, looked = opened(required(data), chosen, salt, say, part, **how)
    if found.is_table != (looked.collection.table is not None):
        kinds = ("a table", "pictures") if found.is_table else ("pictures", "a table")
        raise UserError(f"{model} was fitted on {kinds[0]}. Received: {kinds[1]}.")
    items = list(looked.collection.items)
    if found.is_table:  # of pictures only the share was opened
        items, _ = shared(items, part)
    if not items:
        raise UserError(f"Share {shard} of {data} is empty: there are fewer groups than shares.")
    maps = outputs.Maps(out / "maps")
    bar = Bar("scoring", quiet)
    scored = found.score(
        looked.reader, items, maps=maps, progress=bar, jobs=jobs, even_none=part is not None
    )
    settings = kept(found.facts["settings"], chosen["fpr"], chosen["confidence"])
    order = stream.order_of(items, chosen["stream"])
    counts = told(out, looked, items, scored, found, maps, settings, order, say, part)
    if as_json:
        click.echo(json.dumps({"schema": 1, "out": str(out), **counts}))
    ctx.exit(ended(scored, counts, say))


@click.command()
@click.argument("shards", nargs=-1, required=True, type=click.Path(path_type=Path))
@options("out kept_fpr confidence json quiet")
@click.pass_context
def merge(ctx, shards, out, fpr, confidence, as_json, quiet):
    """Put the shards of several machines together.

    SHARDS are the folders that `score --shard` wrote. Scores and p-values stay what they are;
    adjusted p-values, verdicts, drift lights and the report are made over all items. Maps are
    copied.
    """
    from . import folder
    from .reporting import telling
    from .reporting.outcome import Outcome, join
    from .scans.medical import TITLE

    say = teller(quiet)
    if len({path.resolve() for path in shards}) < len(shards):
        raise UserError("A shard is given twice.")
    outcomes = [Outcome.load(path) for path in shards]
    joined, settings = join(outcomes), kept_of_all(outcomes, fpr, confidence)
    out = folder.output_folder(out)
    joined.findings, joined.print = all_findings(outcomes), all_counts(outcomes)
    joined.model["settings"] = settings.to_dict()
    lights = telling.lights(joined.items, joined.scored, joined.judge, joined.inputs)
    joined.lights = (*lights, *ringing_streams(outcomes))
    line = command(joined.title == TITLE)
    begin(out, joined, line)
    copy_maps([path / "maps" for path in shards], out / "maps")
    counts = telling.tell(out, joined, settings, line, say)
    say(f"Open {out / 'report.html'}.")
    if as_json:
        click.echo(json.dumps({"schema": 1, "out": str(out), **counts}))
    ctx.exit(ended(joined.scored, counts, say))


def ended(scored, counts, say):
    """Return the exit code of a share or of shards; say why where none of their items has a score.

    Args:
        scored: `fitted.Scored`.
        counts: What `telling.tell` returned.
        say: Called with a line.
    """
    if (scored.scores == scored.scores).any():
        return SOME_FAILED if counts["unreadable"] else DONE
    reason = next(iter(scored.errors.values()))
    say(f"error: none of {counts['items']} items can be scored. The first: {reason}")
    return ALL_FAILED


def kept(stored, fpr, confidence):
    """Return the `Settings` that were stored, with what was given in their place.

    Args:
        stored: JSON values of `Settings`.
        fpr, confidence: As given, None for nothing.
    """
    from .settings import Settings

    given = {"fpr": fpr, "confidence": confidence}
    return Settings.of(stored, **{name: v for name, v in given.items() if v is not None})


def kept_of_all(outcomes, fpr, confidence):
    """Return the `Settings` of shards, with what was given in their place.

    Raises:
        UserError: they were scored at several rates, and nobody says at which they are to be told.
    """
    found = {kept(one.model["settings"], fpr, confidence) for one in outcomes}
    wishes = {(one.fpr, one.confidence) for one in found}
    if len(wishes) > 1:
        raise UserError(
            "Expected shards of one --fpr and --confidence. Received: "
            f"{', '.join(f'{rate:g} and {sure}' for rate, sure in sorted(wishes, key=str))}. Give "
            "--fpr and --confidence to `merge`."
        )
    return found.pop()


def all_findings(outcomes):
    """Return what the audits of all shards found; what only some found says of which it is."""
    from dataclasses import replace

    from .audit.findings import ordered

    by = {}
    for one in outcomes:
        for finding in one.findings:
            by.setdefault(finding.sentence, (finding, []))[1].append(one.share[0])
    found = []
    for finding, numbers in by.values():
        where = f"Share {', '.join(map(str, sorted(numbers)))}: "
        where = "" if len(numbers) == len(outcomes) else where
        found.append(replace(finding, sentence=where + finding.sentence))
    return tuple(ordered(found))


def ringing_streams(outcomes):
    """Return the lights of single shards' streams that ring; all shards together are no stream."""
    from dataclasses import replace

    from .calibration.drift import SAME

    found = [(one.share[0], one.lights[-1]) for one in outcomes if one.stream]
    return [
        replace(light, sentence=f"Share {number}: {light.sentence}")
        for number, light in found
        if light.state != SAME
    ]


def all_counts(outcomes):
    """Return one fingerprint of all shards: counts add up; distributions have no sum."""
    prints = [one.print for one in outcomes]
    if len(prints) == 1 or prints[0]["layout"] == "table":  # each share reads the whole table
        return prints[0]
    found = dict(prints[0])
    for name in ("numbers", "levels", "aligned", "is_aligned", "is_dark"):
        found.pop(name, None)
    for name in ("pictures", "unreadable", "groups", "masks"):
        found[name] = sum(one[name] for one in prints)
    for name in ("parts", "labels", "kinds", "modes"):
        found[name] = dict(sum((Counter(one[name]) for one in prints), Counter()).most_common())
    sizes = Counter()
    for one in prints:
        sizes.update({(h, w): count for h, w, count in one["sizes"]})
    return found | {"sizes": [[h, w, count] for (h, w), count in sizes.most_common(20)]}


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
