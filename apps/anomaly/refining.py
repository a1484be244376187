"""`gantools anomaly refine`: what a person said of single items goes into the calibration."""

from pathlib import Path

import click

from gantools.errors import UserError

from .cli import SOURCE, options
from .commands import opened, required, teller


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("feedback", type=click.Path(path_type=Path))
@options(f"data {SOURCE}")
@click.option("-o", "--out", type=click.Path(path_type=Path),
              help="Folder of the new model; without it MODEL itself is replaced.")  # fmt: skip
@options("quiet")
def refine(model, feedback, data, out, quiet, **chosen):
    """Take a person's verdicts into the calibration.

    FEEDBACK is the feedback.csv of a report. Items marked normal join the held-out normals that
    p-values are counted on, so that the like of them is flagged no more; the detector itself stays.
    Items marked anomalous are only told: nothing is ever fitted on them.
    """
    from .reporting import outputs
    from .tables.model import load_model

    say = teller(quiet)
    if out is not None and out.exists():
        raise UserError(f"{out} exists. Give another -o.")
    found, marked = load_model(model), outputs.read_feedback(feedback)
    salt = found.facts.get("salt", "gantools")
    how = {"to_fit": False, "every_row": True, "known": found.facts.get("roles")}
    how["spacing"] = found.facts.get("spacing")
    _, looked = opened(required(data), chosen, salt, lambda line: None, **how)
    items = [item for item in looked.collection.items if item.name in marked]
    if not items:
        raise UserError(f"None of the {len(marked)} items of {feedback} is in {data}.")
    before = len(found.judge.normal_scores)
    for line in take(found, looked.reader, items, marked):
        say(line)
    found.save(out or model)
    say(
        f"{len(found.judge.normal_scores) - before} normals joined the {before} of the "
        f"calibration: {out or model}"
    )


def take(model, reader, items, marked) -> list[str]:
    """Add items that a person calls normal to a model's calibration; return what to tell.

    Those are the oddest of the normals, so p-values become careful rather than exact: they are too
    high on average, never too low.

    Args:
        model: `Fitted` or `FittedTable`; its judge is replaced.
        reader: What opens the items.
        items: All items with a verdict.
        marked: Name -> "normal" or "anomalous".

    Raises:
        UserError: the model was calibrated by folds.
    """
    from dataclasses import replace

    import numpy as np

    from .calibration.calibrate import Calibration

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
    normal &= ~judge.seen(raw.hashes)
    hashes = np.array(raw.hashes, object)
    _, first = np.unique(hashes.astype(str), return_index=True)
    normal &= np.isin(np.arange(len(items)), first)  # a content counts once
    old = judge.calibration
    merged = Calibration.fit(
        np.concatenate([old.scores, scores[normal]]),
        (*old.hashes, *hashes[normal]) if old.hashes else None,
        old.fit_hashes,
    )
    model.judge = replace(judge, calibration=merged)
    model.facts["refined"] = model.facts.get("refined", 0) + int(normal.sum())
    return lines
