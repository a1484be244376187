"""`gantools anomaly refine`: what a person said of single items goes into the calibration."""

from pathlib import Path

import click

from gantools.errors import UserError

from .audit.findings import some
from .cli import SOURCE, options
from .commands import opened, required, teller


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("feedback", type=click.Path(path_type=Path))
@options(f"data {SOURCE} kept_fpr confidence")
@click.option("-o", "--out", type=click.Path(path_type=Path),
              help="Folder of the new model; without it MODEL itself is replaced.")  # fmt: skip
@options("quiet")
def refine(model, feedback, data, out, quiet, **chosen):
    """Take a person's verdicts into the calibration.

    FEEDBACK is the feedback.csv of a report. Flagged items marked normal join the held-out normals
    that p-values are counted on, so that the like of them is flagged no more; the detector itself
    stays. Items marked anomalous are only told: nothing is ever fitted on them. Give the --fpr and
    --confidence that the items were flagged at, where they are not those of the model.
    """
    from .model_files import recover
    from .reporting import outputs
    from .scoring import kept
    from .tables.model import load_model

    say = teller(quiet)
    if out is not None:
        recover(out)
        if out.exists():
            raise UserError(f"{out} exists. Give another -o.")
    found, marked = load_model(model), outputs.read_feedback(feedback)
    salt = found.facts.get("salt", "gantools")
    how = {"to_fit": False, "every_row": True, "known": found.facts.get("roles")}
    how["spacing"] = found.facts.get("spacing")
    _, looked = opened(required(data), chosen, salt, lambda line: None, **how)
    items = [item for item in looked.collection.items if item.name in marked]
    lost = sorted(set(marked) - {item.name for item in items})
    if not items:
        raise UserError(f"None of the {len(marked)} items of {feedback} is in {data}.")
    if lost:
        say(
            f"warning: {len(lost)} of {len(marked)} names of {feedback} are not in {data} "
            f"({some(lost)}): their marks are passed over."
        )
    settings = kept(found.facts["settings"], chosen["fpr"], chosen["confidence"])
    rule = found.judge.rule(settings.fpr, settings.confidence)
    for line in take(found, looked.reader, items, marked, rule.level):
        say(line)
    found.save(out or model)
    say(f"The model with these verdicts: {out or model}")


def take(model, reader, items, marked, level) -> list[str]:
    """Take flagged items that a person calls normal into a calibration; return what to tell.

    Each takes the place of the least odd of the held-out normals. So their number stays, and each
    item has as many above it as before or more: p never becomes smaller, whichever items a person
    chose to mark. Were they added instead, what is odder than all of them would get a smaller p
    for every mark. What was not flagged would only crowd the middle.

    Args:
        model: `Fitted` or `FittedTable`; its judge is replaced.
        reader: What opens the items.
        items: All items with a verdict.
        marked: Name -> "normal" or "anomalous".
        level: The largest p that is flagged.

    Raises:
        UserError: the model was calibrated by folds.
    """
    from dataclasses import replace

    import numpy as np

    judge = model.judge
    if judge.is_crossed:
        raise UserError(
            "This model was calibrated by folds of few normals. Add the normals to the data and "
            "fit again."
        )
    raw = model.raw(reader, items)
    scores, p = judge.judged(raw)
    lines = [f"{items[i].name} cannot be read: {text}" for i, text in raw.errors.items()]
    for i, item in enumerate(items):
        if marked[item.name] == "anomalous":
            lines.append(f"{item.name} is anomalous by your word, p {p[i]:.3g} by the model's.")
    normal = np.array([marked[item.name] == "normal" for item in items]) & np.isfinite(scores)
    known = normal & judge.seen(raw.hashes)
    if known.any():
        lines.append(
            f"{int(known.sum())} marks of normal are of items that this model was fitted on or "
            "calibrated with, as half of them are where a job was not divided: they change nothing."
        )
    normal &= ~known
    hashes = np.array(raw.hashes, object)
    _, first = np.unique(hashes.astype(str), return_index=True)
    again = normal & ~np.isin(np.arange(len(items)), first)
    if again.any():
        lines.append(
            f"{int(again.sum())} marks are of copies of other items: a content counts once."
        )
    normal &= ~again
    flagged = normal & (p <= level)
    if (normal & ~flagged).any():
        lines.append(
            f"{int((normal & ~flagged).sum())} marks of normal are of items that are not flagged "
            f"(p above {level:.3g}): they change nothing."
        )
    model.judge = replace(judge, calibration=_with(judge.calibration, scores[flagged],
                                                   hashes[flagged]))  # fmt: skip
    model.facts["refined"] = model.facts.get("refined", 0) + int(flagged.sum())
    lines.append(
        f"{int(flagged.sum())} normals took the place of the least odd of the "
        f"{len(judge.normal_scores)} that p is counted on."
    )
    return lines


def _with(old, scores, hashes):
    """Return a calibration in which new scores stand in the place of the lowest ones.

    Each place keeps its group and so what it counts; a score only ever rises.
    """
    import numpy as np

    from .calibration.calibrate import Calibration

    new = np.sort(scores)[-len(old.scores) :]
    raised = old.scores.copy()  # ascending
    raised[: len(new)] = np.maximum(raised[: len(new)], new)
    known = (*old.fit_hashes, *hashes) if old.hashes else old.fit_hashes
    return Calibration.fit(raised, old.hashes or None, known, old.groups or None)
