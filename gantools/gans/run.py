"""A run: a folder that a game trains in, resumes from by itself, and is sampled from.

RUN/run.json    what decides the result (`record.Record`); a command that differs is refused
RUN/states/     the newest complete states, see `core.state`
RUN/samples/    grids of samples of fixed latents, a PNG each
RUN/log.jsonl   means of all losses, a line every 100 cycles
"""

import hashlib
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from gantools import record
from gantools.data.files import make_folder
from gantools.data.folders import Dataset, require_batch
from gantools.errors import UserError
from gantools.registry import load_game

OWN = ("run.json", "log.jsonl", "states", "samples")
PREVIEWS = 64  # samples in a grid
CHECKPOINT_MINUTES = 5.0
UNLIMITED = 2**31 - 1  # cycles: the counter is an int32


@dataclass(frozen=True)
class Budget:
    """How long a run may last, earlier sessions included; None is no limit.

    Attributes:
        minutes: Minutes of training.
        steps: Cycles.
    """

    minutes: float | None = None
    steps: int | None = None


@dataclass(frozen=True)
class Outcome:
    """What a session of training did.

    Attributes:
        cycles: Cycles of the run so far.
        images: Real images seen so far.
        seconds: Seconds of training so far.
        resumed: Cycle at which this session started; 0 for a new run.
        interrupted: Name of the signal that ended it, or None.
    """

    cycles: int
    images: int
    seconds: float
    resumed: int
    interrupted: str | None


def settings_of(name: str, size: str, data: Dataset, seed: int, batch: int, precision: str) -> dict:
    """Return everything that decides a run's result, as JSON values.

    The data count by their content: a folder may move, but a picture more is another run.
    """
    return {
        "game": name.replace("-", "_"),
        "size": size,
        "shape": list(data.images.shape[1:]),
        "batch": batch,
        "seed": seed,
        "precision": precision,
        "pictures": len(data),
        "data_sha256": hashlib.sha256(data.images).hexdigest(),
    }


def train(
    name: str,
    data: Dataset,
    out: Path,
    *,
    budget: Budget,
    size: str = "small",
    seed: int = 0,
    batch: int | None = None,
    precision: str = "float32",
    fresh: bool = False,
    say=lambda line: None,
    progress=None,
) -> Outcome:
    """Train a game in a folder, from its newest state if it has one.

    Args:
        name: Registry name of the game.
        data: Pictures of one size.
        out: The run's folder; made when missing.
        budget: When to stop.
        size: A key of the game's SIZES.
        seed: Seed of weights, latents and data order.
        batch: Pictures in a minibatch; None takes the recipe's.
        precision: "float32" or "bfloat16" (mixed: variables stay float32).
        fresh: Delete the run that is there.
        say: Called with each line a person should read.
        progress: Callable `(budget, spent) -> Keras callback` that shows progress, or None.

    Raises:
        UserError: the folder holds another run or other files, the data do not fill a batch, or
            the game refuses its settings.
    """
    recipe = build(name, size, data.images.shape[1:], seed, precision)
    recipe = replace(recipe, batch=batch or recipe.batch)
    require_batch(data, recipe.batch)
    settings = settings_of(name, size, data, seed, recipe.batch, precision)
    old = open_folder(out, settings, fresh)
    if old is None:
        record.write(out / "run.json", record.Record("train", settings, seed))
    else:
        _warn_of_versions(old.versions, say)
    model = recipe.model(seed)
    meta = model.restore(out / "states")
    start, spent = int(model.cycle), meta["notes"].get("seconds", 0.0) if meta else 0.0
    if meta:
        say(f"Going on from cycle {start} of {out}.")
    left = UNLIMITED - start if budget.steps is None else budget.steps - start
    if left <= 0 or (budget.minutes is not None and spent >= 60 * budget.minutes):
        say(f"{out} has used its budget: {start} cycles, {spent / 60:.1f} minutes. Give more.")
        return Outcome(start, int(model.images), spent, start, None)
    outcome = _fit(model, recipe, data, out, budget, left, spent, seed, progress)
    finished = record.Record("train", settings, seed, results=_results(outcome, data))
    record.write(out / "run.json", finished)
    return outcome


def build(name: str, size: str, shape: tuple[int, ...], seed: int, precision: str = "float32"):
    """Return the recipe of a game with its networks built, their weights drawn from the seed.

    Args:
        name: Registry name.
        size: A key of the game's SIZES.
        shape: `(height, width, channels)` of a picture.
        seed: Seed of the initial weights.
        precision: "float32" or "bfloat16".
    """
    make = load_game(name)
    import keras  # after load_game, which chooses the backend

    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    keras.utils.set_random_seed(seed)  # for layers that were given no seed of their own
    try:
        return make(size=size, shape=tuple(shape), seed=seed)
    finally:
        keras.config.set_dtype_policy("float32")


def open_folder(out: Path, settings: dict, fresh: bool) -> record.Record | None:
    """Make or check a run's folder; return the record of the run that it holds, or None.

    Args:
        out: The folder.
        settings: Settings of the command, see `settings_of`.
        fresh: Delete the run that is there first. Only files of a run are ever deleted.

    Raises:
        UserError: the folder holds a run of other settings or files that are no run.
    """
    make_folder(out)
    path = out / "run.json"
    others = [p.name for p in out.iterdir() if p.name not in OWN and p.suffix != ".part"]
    if others and not path.exists():
        raise UserError(
            f"Expected {out} to be empty or a run. It holds {', '.join(sorted(others)[:3])}. "
            "Choose another folder."
        )
    if fresh:
        for name in OWN:
            shutil.rmtree(out / name) if (out / name).is_dir() else (out / name).unlink(
                missing_ok=True
            )
    for part in out.glob("*.part"):  # of a process that was killed
        part.unlink()
    if not path.exists():
        return None
    old = record.read(path)
    remedy = "Use its settings, choose another folder, or start over with --fresh."
    record.refuse_differences(out, old.settings, settings, remedy)
    return old


def open_run(run: Path):
    """Return `(compiled model with the newest state, record)` of a run's folder.

    Raises:
        UserError: the folder is no run or has no complete state yet.
    """
    if not (run / "run.json").is_file():
        raise UserError(f"{run} is not a run: it has no run.json. Make one with `gantools train`.")
    kept = record.read(run / "run.json")
    s = kept.settings
    model = build(s["game"], s["size"], s["shape"], s["seed"], s["precision"]).model(s["seed"])
    if model.restore(run / "states") is None:
        raise UserError(f"{run} has no complete state yet. Train it longer.")
    return model, kept


def _fit(model, recipe, data, out, budget, left, spent, seed, progress) -> Outcome:
    from gantools.core import Stream
    from gantools.core.callbacks import Checkpoints, Deadline, JsonLog, Previews

    start = int(model.cycle)
    deadline = Deadline(budget.minutes, spent)
    states = Checkpoints(
        out / "states", CHECKPOINT_MINUTES, notes=lambda: {"seconds": deadline.spent}
    )
    callbacks = [
        deadline,
        JsonLog(out / "log.jsonl"),
        Previews(out / "samples", n=PREVIEWS),
        *([progress(budget, spent)] if progress else []),
        states,
    ]
    stream = Stream(data.images, recipe.batch, minibatches=recipe.game.minibatches, seed=seed)
    model.fit(stream, steps_per_epoch=left, epochs=1, callbacks=callbacks, verbose=0)
    return Outcome(int(model.cycle), int(model.images), deadline.spent, start, states.interrupted)


def _results(outcome: Outcome, data: Dataset) -> dict:
    return {
        "cycles": outcome.cycles,
        "images": outcome.images,
        "seconds": round(outcome.seconds, 1),
        "interrupted": outcome.interrupted,
        "data": data.source,
        "skipped": [name for name, _ in data.skipped],
    }


def _warn_of_versions(old: dict, say) -> None:
    changed = record.differences(old, record.installed_versions())
    if changed:
        listed = ", ".join(f"{name} {was} -> {now}" for name, (was, now) in changed.items())
        say(f"Versions have changed since this run began ({listed}): it goes on, not bit for bit.")
