"""A run: a game that trains in a folder, goes on by itself, and is bit for bit what it would be."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gantools import record
from gantools.gans.folder import (
    COMMAND,
    build,
    open_folder,
    restore,
    settings_of,
    warn_of_backend,
    warn_of_versions,
)
from gantools.gans.material import Material, hold_back, require_batch

PREVIEWS = 64  # samples in a grid
ROWS = 12  # translated pictures in a grid
CHECKPOINT_MINUTES = 5.0
UNLIMITED = 2**31 - 1  # cycles: the counter is an int32


@dataclass(frozen=True)
class Budget:
    """How long a run may last, earlier starts included; None is no limit.

    Attributes:
        minutes: Minutes of training.
        steps: Cycles.
    """

    minutes: float | None = None
    steps: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What one start of training did.

    Attributes:
        cycles: Cycles of the run so far.
        images: Real images seen so far.
        seconds: Seconds of training so far.
        resumed: Cycle at which it started; 0 for a new run.
        interrupted: Name of the signal that ended it, or None.
        stopped: Finding of the alarm that ended it, or None.
        restored: Cycle that the alarm took the run back to, or None.
        alarms: The alarms that it raised, see `core.health.Health.alarms`.
    """

    cycles: int
    images: int
    seconds: float
    resumed: int
    interrupted: str | None
    stopped: str | None = None
    restored: int | None = None
    alarms: tuple[dict, ...] = ()


def train(
    name: str,
    data: Material,
    out: Path,
    *,
    budget: Budget,
    size: str = "small",
    seed: int = 0,
    batch: int | None = None,
    precision: str = "float32",
    overrides: Mapping[str, Any] | None = None,
    fresh: bool = False,
    on_alarm: str = "warn",
    say=lambda line: None,
    warn=None,
    progress=None,
) -> Outcome:
    """Train a game in a folder, from its newest state if it has one.

    Args:
        name: Registry name of the game.
        data: What it trains on, see `material.load`. Some of it is held back: `material.hold_back`.
        out: The run's folder; made when missing.
        budget: When to stop.
        size: A key of the game's SIZES.
        seed: Seed of weights, latents and data order.
        batch: Pictures in a minibatch; None takes the recipe's.
        precision: "float32" or "bfloat16" (mixed: variables stay float32).
        overrides: Settings of the game in place of the size's own, see `folder.parse_set`.
        fresh: Delete the run that is there.
        on_alarm: What `core.health.Health` does: "warn", "stop" or "rollback".
        say: Called with each line that tells how the run goes.
        warn: Called with each line that a person must not miss; None takes `say`.
        progress: Callable `(budget, spent) -> Keras callback` that shows progress, or None.

    Raises:
        UserError: another process trains in the folder, or it holds another run, other files, no
            whole state or the data that `fresh` would delete; the data do not fill a batch, the
            devices cannot share one evenly, or the game refuses its settings.
    """
    warn, overrides = warn or say, overrides or {}
    recipe = build(name, size, data.options, seed, precision, overrides)
    from gantools.core import Stream, parallel  # chosen is the backend, by `build`
    from gantools.core.observe import Rows
    from gantools.core.state import claimed

    recipe = replace(recipe, batch=batch or recipe.batch)
    require_batch(data, recipe.batch)
    parallel.check_batch(recipe.batch)
    kept, held = hold_back(data, seed, recipe.batch)
    settings = settings_of(name, size, data, held, recipe.batch, seed, precision, overrides)
    with claimed(out):
        old = open_folder(out, settings, fresh, data.source)
        if old is None:
            _write(out, settings, _source(data))
        else:
            warn_of_versions(old.versions, warn)
        model = recipe.model(seed)
        meta = restore(model, out, warn)
        start, spent = int(model.cycle), meta["notes"].get("seconds", 0.0) if meta else 0.0
        if meta:
            say(f"Going on from cycle {start} of {out}.")
            warn_of_backend(meta["backend"], warn)
        left = UNLIMITED - start if budget.steps is None else budget.steps - start
        if left <= 0 or (budget.minutes is not None and spent >= 60 * budget.minutes):
            warn(f"{out} has used its budget: {start} cycles, {spent / 60:.1f} minutes. Give more.")
            return Outcome(start, int(model.images), spent, start, None)
        stream = Stream(
            data.arrays,
            recipe.batch,
            minibatches=recipe.game.minibatches,
            seed=seed,
            transform=recipe.transform,
            paired=data.paired,
            only=kept,
        )
        unseen = {key: data.arrays[key][indices] for key, indices in held.items()}
        seen = {key: Rows(data.arrays[key], indices) for key, indices in kept.items()}
        health = _health(out, unseen, seen, on_alarm, warn)
        outcome = _fit(model, stream, unseen, health, out, budget, left, spent, progress)
        if parallel.is_main():
            _write(out, settings, _results(outcome, data, health.before))
        return outcome


def _health(out, unseen, seen, on_alarm, say):
    """Return the callback that watches the run; pictures become floats as in a training step."""
    from gantools.core.health import Health

    states = out / "healthy" if on_alarm == "rollback" else None
    return Health(
        unseen, seen, path=out / "health.jsonl", on_alarm=on_alarm, states=states, say=say
    )


def _fit(model, stream, unseen, health, out, budget, left, spent, progress) -> Outcome:
    """Play cycles until the budget is used.

    Args:
        unseen: Name -> array of the samples that are held back.
        health: The callback of `_health`.
        left: Cycles that may be played.
        spent: Seconds of earlier starts.
    """
    from gantools.core import parallel
    from gantools.core.callbacks import Checkpoints, Deadline, JsonLog

    start = int(model.cycle)
    deadline = Deadline(budget.minutes, spent)
    states = Checkpoints(
        out / "states", CHECKPOINT_MINUTES, notes=lambda: {"seconds": deadline.spent}
    )
    callbacks = [
        deadline,
        JsonLog(out / "log.jsonl"),
        _previews(model, stream, unseen, out / "samples"),
        health,
        *([progress(budget, spent)] if progress else []),
        states,
    ]
    if not parallel.is_main():  # the first process writes the files and tells; all save together
        callbacks = [deadline, states]
    model.fit(stream, steps_per_epoch=left, epochs=1, callbacks=callbacks, verbose=0)
    return Outcome(
        int(model.cycle),
        int(model.images),
        deadline.spent,
        start,
        states.interrupted,
        health.alarms[0]["finding"] if health.alarms and health.on_alarm != "warn" else None,
        health.restored,
        tuple(health.alarms),
    )


def _previews(model, stream, unseen, folder):
    """Return the callback that draws samples or, of translations, held back pictures and theirs."""
    from gantools.core.callbacks import Previews
    from gantools.gans import translate

    if not translate.translators(model):
        return Previews(folder, n=PREVIEWS)
    few = {name: array if len(array) else stream.arrays[name] for name, array in unseen.items()}
    few = {name: array[:ROWS] for name, array in few.items()}
    draw = lambda model: translate.sheet(model, few["a"], few["b"], stream.paired)  # noqa: E731
    return Previews(folder, draw=draw, columns=translate.columns(stream.paired))


def _write(out: Path, settings: dict, results: dict) -> None:
    run = record.Record(COMMAND, settings, settings["seed"], results=results)
    record.write(out / "run.json", run)


def _results(outcome: Outcome, data: Material, before: list[dict]) -> dict:
    """Return what came out of the run, the alarms `before` this start included."""
    return {
        "cycles": outcome.cycles,
        "images": outcome.images,
        "seconds": round(outcome.seconds, 1),
        "interrupted": outcome.interrupted,
        "stopped": outcome.stopped,
        "restored": outcome.restored,
        "alarms": [*before, *outcome.alarms],
        **_source(data),
        "skipped": [name for name, _ in data.skipped],
    }


def _source(data: Material) -> dict:
    """Return how the data are found again: from any folder, and before the first start ends."""
    path = str(Path(data.source).absolute()) if data.source else ""
    return {"data": path, "side_by_side": data.side_by_side}
