"""The folder of a run: what it holds, what decides its result, and how to open it.

RUN/run.json    what decides the result (`record.Record`); a command that differs is refused
RUN/states/     the newest complete states, see `core.state`
RUN/samples/    grids of samples of fixed latents, or of translated pictures, a PNG each
RUN/log.jsonl   means of all losses, a line every 100 cycles and one for what is left at the end
RUN/health.jsonl   what `core.health` measured, a line a check; RUN/healthy/ the state to go back to
"""

import shutil
from pathlib import Path

from gantools import record
from gantools.data.files import make_folder
from gantools.errors import UserError
from gantools.gans.material import Material
from gantools.registry import load_game

OWN = ("run.json", "log.jsonl", "health.jsonl", "states", "healthy", "samples")
COMMAND = "train"  # in the record of a run
OPTIONS = ("shape", "target", "classes")  # what the material tells a game's function


def settings_of(
    name: str, size: str, data: Material, held: dict, batch: int, seed: int, precision: str
) -> dict:
    """Return everything that decides a run's result, as JSON values.

    The data count by their content: a folder may move, but a picture more is another run.
    """
    return {
        "game": name.replace("-", "_"),
        "size": size,
        "data": data.kind,
        **data.options,
        "class_names": data.class_names,
        "batch": batch,
        "seed": seed,
        "precision": precision,
        "pictures": data.count,
        "held_out": {name: len(indices) for name, indices in held.items()},
        "data_sha256": data.sha256,
    }


def build(name: str, size: str, options: dict, seed: int, precision: str = "float32"):
    """Return the recipe of a game with its networks built, their weights drawn from the seed.

    Args:
        name: Registry name.
        size: A key of the game's SIZES.
        options: What the data say: `shape`, and `target` or `classes`; see `Material.options`.
        seed: Seed of the initial weights.
        precision: "float32" or "bfloat16".
    """
    make = load_game(name)
    import keras  # after load_game, which chooses the backend

    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    keras.utils.set_random_seed(seed)  # for layers that were given no seed of their own
    try:
        return make(size=size, seed=seed, **options)
    finally:
        keras.config.set_dtype_policy("float32")


def open_folder(out: Path, settings: dict, fresh: bool, data: str = "") -> record.Record | None:
    """Make or check a run's folder; return the record of the run to go on with, or None.

    Args:
        out: The folder.
        settings: Settings of the command, see `settings_of`.
        fresh: Delete the run that is there first. Only files of a run are ever deleted; its
            record stays until another takes its place, so that the folder always counts as a run.
        data: What the command learns from, which `fresh` must not delete; "" is no file.

    Raises:
        UserError: the folder holds a run of other settings or of another command, files that are
            no run, or the data that a deletion would take with it.
    """
    make_folder(out)
    items, old = sorted(out.iterdir()), None
    if (out / "run.json").exists():
        old = read_run(out, "Choose another folder.")
    else:  # names prove nothing without a record: `samples` may be somebody's pictures
        # another process of the same command may write run.json between these lines
        others = [p.name for p in items if p.name != "run.json" and not _is_part(p, ("run.json",))]
        if others:
            raise UserError(
                f"Expected {out} to be empty or a run. It holds {', '.join(others[:3])}. "
                "Choose another folder."
            )
    if old and fresh:
        _delete_run(out, data)
        old = None
    for item in items:
        if _is_part(item):
            item.unlink(missing_ok=True)
    if old:
        remedy = "Use its settings, choose another folder, or start over with --fresh."
        record.refuse_differences(out, old.settings, settings, remedy)
    return old


def read_run(run: Path, remedy: str = "Give the folder of another run.") -> record.Record:
    """Return the record of a run of `gantools train`.

    Args:
        run: The folder.
        remedy: What to do where another command made it, a sentence.

    Raises:
        UserError: the folder is no run, or one of another command.
    """
    if not (run / "run.json").is_file():
        raise UserError(f"{run} is not a run: it has no run.json. Make one with `gantools train`.")
    kept = record.read(run / "run.json")
    if kept.command != COMMAND:
        raise UserError(f"{run} is a run of `{kept.command}`, not of `gantools train`. {remedy}")
    return kept


def open_run(run: Path):
    """Return `(compiled model with the newest state, record)` of a run's folder.

    Raises:
        UserError: the folder is no run of `gantools train` or has no complete state yet.
    """
    kept = read_run(run)
    s = kept.settings
    options = {key: s[key] for key in OPTIONS if key in s}
    options |= {key: tuple(value) for key, value in options.items() if isinstance(value, list)}
    model = build(s["game"], s["size"], options, s["seed"], s["precision"]).model(s["seed"])
    if model.restore(run / "states") is None:
        raise UserError(f"{run} has no complete state yet. Train it longer.")
    return model, kept


def warn_of_versions(old: dict, say) -> None:
    """Say which versions differ from those of the run that goes on.

    Args:
        old: Versions in the run's record.
        say: Called with the line, if there is one.
    """
    changed = record.differences(old, record.installed_versions())
    if changed:
        listed = ", ".join(f"{name} {was} -> {now}" for name, (was, now) in changed.items())
        say(f"Versions have changed since this run began ({listed}): it goes on, not bit for bit.")


def warn_of_backend(old: str, say) -> None:
    """Say that a run goes on with another backend, which draws other random numbers.

    Args:
        old: The backend of the state that it goes on from.
        say: Called with the line, if there is one.
    """
    import keras

    new = keras.backend.backend()
    if new != old:
        say(f"This run's newest state is of {old}, and this is {new}: it goes on, not bit for bit.")


def _delete_run(out: Path, data: str) -> None:
    """Delete the files of a run except its record, unless `data` lies among them."""
    own = [out / name for name in OWN if name != "run.json"]
    for path in own:
        if data and Path(data).resolve().is_relative_to(path.resolve()):
            raise UserError(
                f"--fresh deletes {path}, and --data {data} lies in it. Move the data to another "
                "place, or choose another folder for the run."
            )
    for path in own:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def _is_part(path: Path, names=OWN) -> bool:
    """Return whether `data.files.atomic` left this file when a process that wrote was killed.

    One that is gone by now counts, too: another process of the same command has finished it.
    """
    stem, _, number = path.name.removesuffix(".part").rpartition(".")
    return path.suffix == ".part" and number.isdecimal() and stem in names and not path.is_dir()
