"""The command `gantools superres`: enlarge pictures; `train` and `eval` are commands below it."""

import click

from . import options

BELOW = {
    "train": (".training.cli:train", "Train a network on a folder of photographs."),
    "eval": (
        ".evaluation.cli:evaluate",
        "Measure a network on sharp pictures, beside bicubic and Lanczos.",
    ),
}


class Superres(click.Group):
    """A group whose first word may also be a picture: then it enlarges."""

    def parse_args(self, ctx, args):
        """Put the hidden command `enlarge` before anything that is no command and no plain help."""
        if args and args[0] not in (*self.list_commands(ctx), "enlarge", "-h", "--help"):
            args = ["enlarge", *options.page_named(args)]
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
@click.option("-o", "--out", type=click.Path(), help="File, folder, pattern, or - for stdout.")
@options.enlarging
def enlarge(inputs, out, **chosen):
    """Enlarge pictures."""
    from contextlib import ExitStack
    from pathlib import Path

    from gantools.data.shards import parsed
    from gantools.errors import UserError

    from . import batch, many, pipes
    from .clips.take import part_label, take_for
    from .enlarge import Output

    choice, wish, part = _choice(chosen), _wish(chosen), parsed(chosen["shard"])
    upscaler = choice.open()
    with ExitStack() as stack:
        names = batch.Names(
            Path(out) if out and out != "-" else None, wish.label, upscaler.family.name,
            chosen["kind"], chosen["recursive"], part_label(chosen["start"], chosen["frames"]),
        )  # fmt: skip
        piped = stack.enter_context(pipes.piped(inputs, out, names))
        jobs = piped.jobs or batch.plan_jobs([Path(path) for path in inputs], names)
        jobs, every = many.share(jobs, part), jobs
        output = Output(
            wish, chosen["quality"] or options.QUALITY, chosen["background"], not chosen["keep"],
            chosen["report"] is not None, take_for([job.source for job in every], chosen),
        )  # fmt: skip
        page = _page(chosen, every, piped, part)
        if chosen["dry_run"]:
            return _foretell(jobs, upscaler, output, chosen, piped)
        if piped.out and chosen["as_json"]:
            raise UserError(
                "The picture goes to standard output, so --json has no place there. Give -o FILE "
                "or --report FILE.json."
            )
        quiet = chosen["quiet"] or piped.silent
        outcomes = _done(jobs, choice, upscaler, output, chosen, quiet, piped)
        if page:
            label = f"{upscaler.family.name} {wish.label}"
            _compare(page, outcomes, label, chosen, quiet, piped)
        piped.deliver()
    outcomes = [piped.outcome(found) for found in outcomes]
    _tell(outcomes, upscaler, chosen, quiet)
    return batch.exit_code(outcomes)


def _done(jobs, choice, upscaler, output, chosen, quiet, piped):
    """Do the jobs, here or in several processes, and return what happened to them."""
    from . import batch, many
    from .progress import Progress

    with Progress(len(jobs), quiet=quiet, verbose=chosen["verbose"]) as progress:
        said = {
            "overwrite": chosen["overwrite"],
            "finished": lambda outcome: progress.finished(piped.outcome(outcome)),
        }
        if min(chosen["jobs"], len(jobs)) > 1:
            return many.run_many(jobs, choice, output, min(chosen["jobs"], len(jobs)), **said)
        return batch.run_jobs(
            jobs, upscaler, output, started=progress.started, advance=progress.advance, **said
        )


def _page(chosen, every, piped, part):
    """Return where the comparison goes, or None; that and the report are checked before the work.

    Neither may be a file of `every`, the jobs of all shares, of which this is `part`.
    """
    from gantools.data.files import check_free
    from gantools.errors import UserError

    sources, targets = [job.source for job in every], [job.target for job in every]
    said = {"sources": sources, "overwrite": chosen["overwrite"]}
    if chosen["report"]:
        check_free(chosen["report"], (".json",), results=targets, **said)
    if chosen["compare"] is None:
        return None

    from .compare import places

    if piped.jobs and not chosen["compare"]:
        raise UserError("A picture that comes through a pipe: say --compare FILE.html.")
    return places(chosen["compare"], targets=targets, part=part, **said)


def _compare(page, outcomes, label, chosen, quiet, piped):
    """Write the page and the picture of before and after; tell what they do not show."""
    from . import compare

    shown = {"wrap": chosen["wrap"], "background": chosen["background"]}
    comparison = compare.compared(outcomes, label, **shown)
    for reason in comparison.left_out:
        click.echo(f"Not compared: {piped.said(reason)}", err=True)
    if not comparison.pairs:
        click.echo("There is no page of before and after: no picture can be shown.", err=True)
        return
    compare.write(*page, comparison)
    if not quiet:
        click.echo(f"Before and after: {page[0]} and {page[1]}", err=True)


def _wish(chosen):
    """Return the size that was asked for; x4 if nothing was said."""
    from .sizes import WAYS, Wish

    said = {name: chosen[name] for name in WAYS if chosen[name] is not None}
    if set(said) == {"width", "height"}:
        said = {"size": (chosen["width"], chosen["height"])}
    return Wish(**(said or {"scale": 4}))


def _choice(chosen):
    """Return the networks, their engine and how they work, as asked for."""
    from .choice import Choice

    return Choice(
        chosen["model"], chosen["strength"], chosen["engine"], chosen["threads"], chosen["memory"],
        not chosen["no_projection"], int(chosen["tta"]), chosen["wrap"],
        chosen["device"],
    )  # fmt: skip


def _foretell(jobs, upscaler, output, chosen, piped):
    """Tell what each picture would become and need; make nothing."""
    from gantools.data.files import readable

    from . import batch
    from .foretell import TEXTS, foretold, sentence

    told = [foretold(job, upscaler, output, chosen["overwrite"]) for job in jobs]
    for record in told:
        record |= {key: piped.said(value) for key, value in record.items() if key in TEXTS}
    if chosen["as_json"]:
        import json

        click.echo(json.dumps({"schema": 1, "pictures": told}, indent=2))
    else:
        for record in told:
            click.echo(readable(sentence(record)), err=record["status"] == "failed")
    unmade = [f"--{name}" for name in ("report", "compare") if chosen[name] is not None]
    if unmade:
        click.echo(f"{' and '.join(unmade)}: a dry run writes no file.", err=True)
    return batch.code_for(sum(record["status"] == "failed" for record in told), len(told))


def _tell(outcomes, upscaler, chosen, quiet):
    """Write the summary of more than one picture, and the JSON that was asked for."""
    if quiet:  # else they were told behind their pictures
        _warn(outcomes)
    failed = [outcome for outcome in outcomes if outcome.error is not None]
    if len(outcomes) > 1 and (failed or not quiet):
        made = sum(outcome.result is not None for outcome in outcomes)
        left = len(outcomes) - made - len(failed)
        click.echo(f"{made} enlarged, {left} already there, {len(failed)} failed.", err=True)
    if chosen["as_json"] or chosen["report"]:
        import json

        from . import report

        if chosen["as_json"]:
            pictures = [report.record(outcome) for outcome in outcomes]
            click.echo(json.dumps({"schema": 1, "pictures": pictures}, indent=2))
        if chosen["report"]:
            report.write(chosen["report"], outcomes, upscaler)


def _warn(outcomes):
    """Write each note once, with the first picture that it is about."""
    notes = {}
    for outcome in outcomes:
        for note in outcome.result.notes if outcome.result else ():
            notes.setdefault(note, outcome.job.source)
    for note, source in notes.items():
        click.echo(f"Note on {source}: {note}", err=True)
