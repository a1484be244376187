"""Training of a detector's game within a budget of time, in rounds; a killed run goes on.

The number of steps is decided once, from the speed of the first steps, and written down: a run that
was stopped ends with the same steps and so with the same scores as one that was not.
"""

import json
import math
import time
from pathlib import Path

from gantools.data.files import atomic, make_folder
from gantools.errors import UserError

ROUNDS = 12
WARM, TIMED = 4, 12  # steps that compile, and steps that are timed
FEWEST, MOST = 30, 20_000


def train(recipe, stream, *, minutes, seed, out=None, steps=None, progress=None, falling=0.05):
    """Train a recipe; return `(model, facts)`.

    Args:
        recipe: `gantools.gans.recipe.Recipe`; the rates of its optimizers must be numbers: they
            fall along half a cosine.
        stream: `gantools.core.Stream`.
        minutes: Time to spend, compilation included.
        seed: Seed of the model's draws.
        out: Folder for states to go on from, or None.
        steps: Number of steps; None finds what fits into `minutes`.
        progress: Callable `(share in [0, 1])`, or None.
        falling: The last rate as a share of the first.

    Returns:
        The trained `AdversarialModel`, and a dict of the numbers `steps`, `ms` a step, `seconds`.

    Raises:
        UserError: `out` holds the training of another game or other data.
    """
    began = time.monotonic()
    model = recipe.model(seed)
    rates = {name: float(part.learning_rate) for name, part in model.optimizer.parts.items()}
    state = Path(out) if out else None
    total = _restored(model, state)
    if total is None:
        total = steps or _measured(model, stream, 60 * minutes, began)
        _keep(model, state, total)
    stops = sorted({math.ceil(total * (i + 1) / ROUNDS) for i in range(ROUNDS)})
    clock, first = time.monotonic(), int(model.cycle)
    for i, stop in enumerate(stops):
        done = int(model.cycle)
        if stop <= done:
            continue
        factor = falling + (1 - falling) * 0.5 * (1 + math.cos(math.pi * i / len(stops)))
        for name, rate in rates.items():
            model.optimizer.parts[name].learning_rate = rate * factor
        model.fit(stream, steps_per_epoch=stop - done, epochs=1, verbose=0)
        _keep(model, state, total)
        if progress:
            progress(stop / total)
    trained = max(1, int(model.cycle) - first)
    ms = 1000 * (time.monotonic() - clock) / trained
    return model, {
        "steps": total,
        "ms": round(ms, 1),
        "seconds": round(time.monotonic() - began, 1),
    }


def _measured(model, stream, seconds, began):
    """Play the first steps; return how many fit into the time that is left."""
    model.fit(stream, steps_per_epoch=WARM, epochs=1, verbose=0)
    clock = time.monotonic()
    model.fit(stream, steps_per_epoch=TIMED, epochs=1, verbose=0)
    step = (time.monotonic() - clock) / TIMED
    left = seconds - (time.monotonic() - began)
    return WARM + TIMED + min(max(FEWEST, int(left / step)), MOST)


def _keep(model, state, steps):
    if state is None:
        return
    make_folder(state)
    if not (state / "training.json").exists():
        with atomic(state / "training.json") as part:
            part.write_text(json.dumps({"steps": steps}), encoding="utf-8")
    model.save(state / "states")


def _restored(model, state):
    """Return the steps of a training that was stopped, its state loaded; None for a new one."""
    if state is None or not (state / "training.json").is_file():
        return None
    try:
        steps = int(json.loads((state / "training.json").read_text(encoding="utf-8"))["steps"])
    except (ValueError, KeyError) as error:
        raise UserError(f"{state / 'training.json'} is broken. Delete {state}.") from error
    return steps if model.restore(state / "states") else None
