"""`gantools doctor RUN`: what the newest state of a run and its log say of its health."""

from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from gantools.core import bands, observe, verdicts
from gantools.core.callbacks import read_log
from gantools.core.health import gradient_changes
from gantools.errors import UserError
from gantools.gans.folder import open_run
from gantools.gans.material import Material, hold_back, load, two_folders
from gantools.gans.sampling import listed

CHECKS = bands.TIMES  # with other samples and latents each: as many as an alarm needs
LINES = 10  # of the log, averaged for the distance from balance


def examine(run: Path, data: Path | None = None) -> dict:
    """Examine a run.

    Args:
        run: Folder of the run.
        data: Pictures that the run has not learned from, as `gantools train --data` takes them;
            None takes those that it set aside, or else the ones that it learned from.

    Returns:
        `schema`, `run`, `cycle`, `compared_with` (what the reals were), `verdicts` (dicts of
        `Verdict`, alarms first) and `checks` (the rows).

    Raises:
        UserError: the folder is no run, or `data` are few or pictures of another shape or class.
    """
    model, kept = open_run(run)
    held_out, train, words = reals(kept, data)
    before = read_log(run / "health.jsonl") if (run / "health.jsonl").exists() else []
    before = [row for row in before if row["cycle"] <= int(model.cycle)]
    rows = []
    for i in range(CHECKS):
        row = {"cycle": int(model.cycle), **observe.observe(model, held_out, train, seed=i)}
        rows.append(row | gradient_changes(row, before) | _distances(run, model))
    found = verdicts.judge(rows)
    unjudged = not {"overfitting", "auc_gap", "waiting", "not_finite"} & set(rows[-1])
    if unjudged:
        found.append(_unjudged(rows[-1]))
    return {
        "schema": 1,
        "run": str(run),
        "cycle": int(model.cycle),
        "compared_with": words,
        "verdicts": [asdict(verdict) for verdict in found],
        "checks": rows,
    }


def describe(found: dict) -> list[str]:
    """Return the lines that a person reads."""
    count = alarms(found)
    lines = [f"{found['run']}: cycle {found['cycle']}, compared with {found['compared_with']}"]
    lines += [verdicts.Verdict(**verdict).line() for verdict in found["verdicts"]]
    return [*lines, f"{count or 'No'} alarm{'' if count == 1 else 's'}"]


def alarms(found: dict) -> int:
    """Return the number of alarms."""
    return sum(verdict["state"] == "alarm" for verdict in found["verdicts"])


def reals(kept, data: Path | None):
    """Return `(held-out samples, training samples, what they are in words)` for a run's record.

    Args:
        kept: `record.Record` of the run.
        data: Pictures to compare with, or None.

    Returns:
        Dicts of arrays by their names in the batch, None where there are none.

    Raises:
        UserError: `data` cannot be loaded in the shape of the run's, has other classes, or fewer
            pictures than are compared: those that the run learned from would take their place.
    """
    settings, given = kept.settings, data and _load(data, kept)
    aside, learned = None, None
    own = given if given and given.sha256 == settings["data_sha256"] else _own(kept)
    if own:
        chosen = hold_back(own, settings["seed"], settings["batch"])
        learned, aside = ({k: own.arrays[k][i] for k, i in part.items()} for part in chosen)
    if given and given is not own:
        count = min(map(len, given.arrays.values()))
        if count < observe.ENOUGH:
            raise UserError(
                f"{data} holds {count} pictures, too few to compare with. Give at least "
                f"{observe.ENOUGH}."
            )
        return given.arrays, learned, f"the pictures of {data}"
    if own is None:
        return None, None, "nothing: give pictures with --data"
    count = min(map(len, aside.values()))
    if not count or not settings.get("held_out"):
        return None, own.arrays, "the pictures that it learned from"
    if count < observe.ENOUGH:
        few = f"only {count} were set aside, {observe.ENOUGH} are needed"
        known = min(map(len, learned.values()))
        return aside, learned, f"the {known} pictures that it learned from ({few})"
    return aside, learned, f"{count} pictures that it set aside"


def _own(kept):
    """Return what the run trains on, None where it is no longer there."""
    source = kept.results.get("data")
    try:
        own = _load(Path(source), kept) if source else None
    except UserError:
        return None
    return own if own and own.sha256 == kept.settings["data_sha256"] else None


def _load(source: Path, kept):
    """Load pictures as the run did, or else at its size; labels count as in the run."""
    settings, halves = kept.settings, kept.results.get("side_by_side", False)
    kind, side = settings.get("data", "pictures"), settings["shape"][0]
    wanted = {key: tuple(settings[key]) for key in ("shape", "target") if key in settings}
    if kind in ("pairs", "domains") and not halves and two_folders(source) is None:
        raise UserError(
            f"Expected {str(source)!r} to hold two folders of pictures, a and b, as the data that "
            "the run learned from. Give such a folder."
        )
    loaded = None
    if any(shape[:2] != (side, side) for shape in wanted.values()):  # not made by --resolution
        with suppress(UserError):  # several sizes, perhaps
            loaded = load(kind, source, side_by_side=halves)
    if loaded is None:  # at once: whole photographs could need more memory than there is
        loaded = load(kind, source, side, side_by_side=halves)
    found = {key: tuple(loaded.options[key]) for key in wanted}
    if found != wanted:
        first, second = (" and ".join(map(str, d.values())) for d in (found, wanted))
        raise UserError(
            f"{source} holds pictures of shape {first}. The run learned from {second}. Give "
            "pictures of that shape."
        )
    return _relabelled(loaded, settings) if kind == "labelled" else loaded


def _relabelled(loaded: Material, settings) -> Material:
    """Return labelled pictures with the run's numbers: label 0 of a part of its classes is not 0.

    Raises:
        UserError: a class that the run has not learned.
    """
    known = tuple(settings["class_names"])
    unknown = [name for name in loaded.class_names if name not in known]
    if unknown:
        raise UserError(
            f"{loaded.source} has classes that the run has not learned: {listed(unknown)}. "
            f"Expected some of {listed(known)}. Rename them or leave them out."
        )
    numbers = np.array([known.index(name) for name in loaded.class_names], np.int32)
    arrays = {**loaded.arrays, "y": numbers[loaded.arrays["y"]]}
    return replace(loaded, arrays=arrays, class_names=known)


def _distances(run, model) -> dict:
    """Return the distances from balance, from the newest lines of the log."""
    path = run / "log.jsonl"
    if not path.exists():
        return {}
    sides = {name.partition("/")[0] for name in model.game.equilibrium}
    turns = [turn for turn in model.game.turns if turn.name in sides]
    lines, found = _since_all_play(read_log(path), turns)[-LINES:], {}
    for name, balanced in model.game.equilibrium.items():
        values = [line[name] for line in lines if line.get(name) is not None]
        if values:
            found[f"distance/{name}"] = sum(values) / len(values) - balanced
    return found


def _since_all_play(lines, turns) -> list:
    """Return the lines of a log in all of whose cycles every turn has been played before."""
    first = 0
    for name in (f"{turn.name}/played" for turn in turns if turn.pauses):
        begun = next((i for i, line in enumerate(lines) if line.get(name)), len(lines))
        both = begun < len(lines) and lines[begun][name] < 1  # cycles before it as well
        first = max(first, begun + both)
    return lines[first:]


def _unjudged(row) -> verdicts.Verdict:
    reason = row.get("unseen") or (
        f"it needs {observe.FEWEST} pictures that the run has not learned from, and those that it "
        "has: train with more pictures"
    )
    return verdicts.Verdict("note", "overfitting discriminator", f"not judged: {reason}")
