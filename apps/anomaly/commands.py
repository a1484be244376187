"""What the commands of `gantools anomaly` do, from options to files."""

import json
import sys
import time
from pathlib import Path

import click

from gantools.data.files import readable
from gantools.errors import DONE, SOME_FAILED, UserError

from .cli import FITTING, SOURCE, options

OF_TABLES = ("label", "time_col", "drop")
TROUBLES = ("warning:", "error:")  # what such lines begin with


def whole(data, out, chosen, *, fresh=False, quiet=False) -> dict:
    """Do the whole job; return its counts.

    Args:
        data: Folder or file.
        out: Folder of the results.
        chosen: Values of the command's other options by name.
        fresh: Fit again where a model is already there.
        quiet: Tell only errors.
    """
    from . import folder
    from .calibration import stream
    from .model_files import may_replace
    from .reporting import outputs
    from .settings import Settings
    from .tables.model import load_model

    say, start = teller(quiet), time.perf_counter()
    out = folder.output_folder(out)
    may_replace(out / "model")  # before the work
    salt = folder.project_salt(out / "model" / "plan.json", out / "training" / folder.NOTE)
    settings = Settings.of(chosen)
    job, looked = opened(data, chosen, salt, say)
    maps = outputs.Maps(out / "maps")
    bar, scoring = Bar("training", quiet), Bar("scoring", quiet)
    items = scored_part(looked)
    if items:
        kept = out / "model"
        model = folder.kept_model(kept, settings, looked, load_model, fresh=fresh, say=say)
        if model is not None and not model.is_table:
            looked.reader.spacing = model.facts.get("spacing")
        if model is None:
            with folder.training(out / "training", settings, looked, salt, fresh=fresh) as training:
                model = job.fit(looked, settings, out=training, say=say, progress=bar)
                keep(model, kept, looked, salt)
        scored = model.score(looked.reader, items, maps=maps, progress=scoring)
    else:
        if chosen.get("stream"):
            raise UserError(
                "--stream: expected a test part, what came after the normals. Received undivided "
                "data: all items are held against each other, so nothing could ring. Put the "
                "earlier ones into a folder 'train' and the later ones into 'test', or `fit` on "
                "those and `score` these."
            )
        say("Nothing is divided: each half of the items is scored by a model of the other.")
        folder.may_fit_again(out / "model", settings, looked, load_model, fresh=fresh)
        with folder.training(out / "training", settings, looked, salt, fresh=fresh) as training:
            items, scored, model = job.score_unsupervised(
                looked, settings, out=training, maps=maps, say=say, progress=bar
            )
            keep(model, out / "model", looked, salt)
    order = stream.order_of(items, chosen.get("stream"))
    counts = told(out, looked, items, scored, model, maps, settings, order, say)
    say(f"{time.perf_counter() - start:.0f} s. Open {out / 'report.html'}.")
    return counts


@click.command()
@options(f"data model {FITTING} restoration fpr confidence {SOURCE}")
@click.option("--overwrite", is_flag=True, help="Replace a model that is there.")
@options("quiet")
def fit(data, model, overwrite, quiet, **chosen):
    """Learn what normal is and keep the model.

    Everything that is not labelled anomalous and not in a test folder counts as normal.
    """
    from . import folder
    from .model_files import may_replace, recover
    from .settings import Settings

    model = Path(model)
    recover(model)
    if model.exists() and not overwrite:
        raise UserError(f"{model} exists. Give --overwrite to replace it, or another name.")
    may_replace(model)  # before the work, which `save` would refuse to write down
    say = teller(quiet)
    training = model.with_name(f"{model.name}.training")
    salt = folder.project_salt(model / "plan.json", training / folder.NOTE)
    settings = Settings.of(chosen)
    job, looked = opened(required(data), chosen, salt, say)
    with folder.training(training, settings, looked, salt):
        made = job.fit(looked, settings, out=training, say=say, progress=Bar("training", quiet))
        keep(made, model, looked, salt)
    say(f"{made.facts['seconds']:.0f} s: {model}")


@click.command()
@options(f"data {SOURCE} drop json")
@click.pass_context
def audit(ctx, data, as_json, **chosen):
    """Only look at the data: duplicates, leaks, shortcuts, unreadable files.

    Exit code 4 where an error was found, a fault that makes every figure on these data mislead.
    """
    from .audit.findings import ordered

    lines = []
    _, looked = opened(required(data), chosen, "audit", lines.append, to_fit=False)
    findings = ordered(looked.audit.findings)
    if as_json:
        rows = [finding.to_dict() for finding in findings]
        click.echo(json.dumps({"schema": 1, "findings": rows}, indent=1))
    else:
        for line in lines if findings else [*lines, "Nothing was found."]:
            click.echo(line)
    bad = findings and findings[0].severity == "error"
    ctx.exit(SOME_FAILED if bad else DONE)


def opened(data, chosen, salt, say, part=None, **how):
    """Find out what `data` holds, look at it, and return `(job module, what was seen)`.

    Args:
        data: Folder or file.
        chosen: Options by name: layout, manifest, groups, label, time_col, drop.
        salt: Of the codes of DICOM identifiers.
        say: Called with each line a person should read.
        part: `(i, n)`: of pictures only this share is opened and audited; a table is one file.
        how: For the job's `look`: `to_fit` and `every_row`; of pictures also `spacing`; of tables
            also `known`.
    """
    from . import job, layouts

    groups, listed = chosen.get("groups"), chosen.get("manifest")
    how_found = {"groups": groups, "manifest": listed, "salt": salt, "part": part}
    found = layouts.find(data, chosen.get("layout"), **how_found)
    say(found.description if part is None else f"Share {part[0]}/{part[1]}: {found.description}")
    for note in found.notes:
        say(note)
    if found.table is None:
        wrong = [f"--{key.replace('_', '-')}" for key in OF_TABLES if chosen.get(key)]
        if wrong:
            raise UserError(f"{' and '.join(wrong)}: '{data}' holds pictures, no table.")
        how.pop("known", None)
        if found.others:  # all shares have the slices of one spacing
            from .scans.nifti import spacing_in

            how["spacing"] = how.get("spacing") or spacing_in((*found.items, *found.others))
        return job, job.look(_not_empty(found, part, data), say, **how)
    from .tables import job as table_job
    from .tables.rows import Roles

    how.pop("spacing", None)
    dropped = tuple(chosen.get("drop") or ())
    roles = Roles(chosen.get("label"), groups, chosen.get("time_col"), left_out=dropped)
    return table_job, table_job.look(found, say, roles=roles, **how)


def _not_empty(found, part, data):
    """Return a collection, unless its share is empty."""
    if part is not None and not found.items:
        raise UserError(
            f"Share {part[0]}/{part[1]} of {data} is empty: there are fewer groups than shares."
        )
    return found


def keep(model, place, looked, salt):
    """Write a model, with what a later command has to know of its data."""
    from .folder import normals_code

    model.facts |= {"salt": salt, "normals": normals_code(looked)}
    model.save(place)


def scored_part(looked):
    """Return the items to score: the test part, else none."""
    return list(looked.collection.of("test"))


def told(out, looked, items, scored, model, maps, settings, order, say, part=None) -> dict:
    """Write the files of a job that was just scored; return its counts.

    The report of an older job goes first and the new one comes last: where it is, all is whole.

    Args:
        out: Folder.
        looked, items, scored, model, maps: See `telling.pictures_outcome`.
        settings: `Settings`.
        order: Of a stream, or None.
        say: Called with each line a person should read.
        part: Of a shard `(i, n)`: then the outcome is written as well, for `merge`.
    """
    from .reporting import telling
    from .reporting.outcome import Subject, share_of
    from .scans.medical import holds_dicom, in_all_shares

    gather = telling.table_outcome if model.is_table else telling.pictures_outcome
    outcome = gather(looked, items, scored, model, maps, order)
    outcome.model["settings"] = settings.to_dict()  # what judged, not what the model was made with
    line = command(holds_dicom(looked.collection.items))
    begin(out, outcome, line)
    maps.close()
    if part is not None:
        every = [Subject(name, key) for name, key in in_all_shares(looked.collection)]
        outcome.share = share_of(every, part)
        outcome.save(out)
    else:
        outcome.forget(out)
    return telling.tell(out, outcome, settings, line, say)


def begin(out, outcome, line):
    """Take the older report out of a folder of results, and write the plan that makes it ours.

    A run that is killed in between leaves files of two jobs; without a report nobody takes them for
    one, and by the plan the next run knows that it may replace them.
    """
    from .model_files import write_json

    (out / "report.html").unlink(missing_ok=True)
    write_json(out / "plan.json", {"schema": 1, "command": line, **outcome.model})


def required(data):
    """Return `data`, or explain that it is needed."""
    if data is None:
        raise click.UsageError("Give --data FOLDER.")
    return data


def teller(quiet):
    """Return the function that tells a person a line; quietly only warnings and faults of data."""

    def say(line):
        if not quiet or line.startswith(TROUBLES):
            click.echo(line, err=True)

    return say


def command(private=False) -> str:
    """Return the command line, for the report; folders of this machine by their last name.

    Args:
        private: Leave all paths out: folders of DICOM are often named after patients.
    """
    if not private:
        words = [Path(word).name if "/" in word else word for word in sys.argv[1:]]
        return readable(" ".join(["gantools", *words]))
    context = click.get_current_context()
    here, words = click.core.ParameterSource.COMMANDLINE, [context.command_path]
    for one in context.command.params:
        if context.get_parameter_source(one.name) is here and not isinstance(one.type, click.Path):
            value = context.params[one.name]
            for single in value if isinstance(value, tuple) else (value,):
                words += [one.opts[-1]] if single is True else [one.opts[-1], str(single)]
    return " ".join(words)


class Bar:
    """Progress of a share from 0 to 1 on stderr: one line on a terminal, tens of percent else.

    Args:
        what: Word before the numbers.
        quiet: Whether to show nothing.
    """

    def __init__(self, what, quiet):
        self.what, self.quiet = what, quiet
        self.start, self.told = None, -1

    def __call__(self, share):
        """Show a share; with the time left once it can be known."""
        now, step = time.monotonic(), int(100 * share)
        self.start = self.start or now
        if self.quiet or step == self.told:
            return
        spent = now - self.start
        left = f", {spent / share * (1 - share):.0f} s left" if 0.02 < share < 1 else ""
        if sys.stderr.isatty():
            click.echo(f"\r{self.what} {step} %{left}   ", err=True, nl=share >= 1)
        elif step // 10 != self.told // 10 and spent > 2:
            click.echo(f"{self.what} {step} %{left}", err=True)
        self.told = step
