"""The folder of a run: what it holds, what decides its result, and how to open it.

RUN/run.json    what decides the result (`record.Record`); a command that differs is refused
RUN/states/     the newest complete states, see `core.state`
RUN/samples/    grids of samples of fixed latents, or of translated pictures, a PNG each
RUN/log.jsonl   means of all losses, a line every 100 cycles and one for what is left at the end
RUN/health.jsonl   what `core.health` measured, a line a check; RUN/healthy/ the state to go back to
"""

import ast
import inspect
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from gantools import record
from gantools.data.files import make_folder
from gantools.errors import UserError
from gantools.gans.material import Material
from gantools.registry import load_game

OWN = ("run.json", "log.jsonl", "health.jsonl", "states", "healthy", "samples")
COMMAND = "train"  # in the record of a run
OPTIONS = ("shape", "target", "classes")  # what the material tells a game's function
ELSEWHERE = ("size", "seed", "batch")  # settings of a game that have options of their own
KINDS = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "a word",
    tuple: "a tuple",
    dict: "a dict",
    type(None): "None",
}


def settings_of(
    name: str,
    size: str,
    data: Material,
    held: dict,
    batch: int,
    seed: int,
    precision: str,
    overrides: Mapping[str, Any],
) -> dict:
    """Return everything that decides a run's result, as JSON values.

    The data count by their content: a folder may move, but a picture more is another run. What
    `--set` gave is kept as text: JSON has no tuples, and a setting of None would count as none.
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
        "set": {key: _text(value) for key, value in overrides.items()},
        "pictures": data.count,
        "held_out": {name: len(indices) for name, indices in held.items()},
        "data_sha256": data.sha256,
    }


def parse_set(words: Iterable[str]) -> dict[str, Any]:
    """Return the settings of a game that a command line gives: name -> value.

    Args:
        words: Each "NAME=VALUE"; a value is a Python literal, and anything else a plain word.

    Raises:
        UserError: a word of another form, or a name that comes twice.
    """
    found = {}
    for word in words:
        name, _, text = (part.strip() for part in word.partition("="))
        if not name.isidentifier() or not text:
            raise UserError(
                f"Expected --set NAME=VALUE, such as objective=minimax. Received: {word!r}."
            )
        if name in found:
            raise UserError(f"--set {name} is given twice. Give one value.")
        found[name] = _value(text)
        if _value(_text(found[name])) != found[name]:
            raise UserError(f"--set {name} must be finite. Received: {text}.")
    return found


def build(
    name: str,
    size: str,
    options: dict,
    seed: int,
    precision: str = "float32",
    overrides: Mapping[str, Any] | None = None,
):
    """Return the recipe of a game with its networks built, their weights drawn from the seed.

    Args:
        name: Registry name.
        size: A key of the game's SIZES.
        options: What the data say: `shape`, and `target` or `classes`; see `Material.options`.
        seed: Seed of the initial weights.
        precision: "float32" or "bfloat16".
        overrides: Settings of the game in place of the size's own, see `parse_set`.

    Raises:
        UserError: the game has no such setting, or cannot be built with such a value.
    """
    make, overrides = load_game(name), overrides or {}
    if overrides:
        _check_overrides(name, make, overrides)
    import keras  # after load_game, which chooses the backend

    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    keras.utils.set_random_seed(seed)  # for layers that were given no seed of their own
    try:
        return make(size=size, seed=seed, **options, **overrides)
    except UserError:
        raise
    except Exception as error:
        if not overrides:
            raise
        given = ", ".join(f"{key}={_text(value)}" for key, value in overrides.items())
        reason = str(error).strip().partition("\n")[0]
        raise UserError(
            f"The game {name} cannot be built with --set {given}: {reason or type(error).__name__}"
            ". Give other values."
        ) from error
    finally:
        keras.config.set_dtype_policy("float32")


def refuse_inside(out: Path, data: Path) -> None:
    """Refuse a folder for a run that lies among the pictures that it would learn from.

    Its sheets of samples would be pictures of the next start.

    Raises:
        UserError: `out` is the folder `data`, or lies in it or in a folder that it links to.
    """
    if not data.is_dir():
        return
    place = out.resolve()
    for folder in (data, *(item for item in data.iterdir() if item.is_symlink())):
        if folder.is_dir() and place.is_relative_to(folder.resolve()):
            raise UserError(
                f"--out {out} lies in --data {data}: the run would learn from its own samples. "
                "Choose a folder outside of the data."
            )


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
        unset = {"set": {}}  # as in runs of before there was --set
        record.refuse_differences(out, unset | old.settings, unset | settings, remedy)
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
        UserError: the folder is no run of `gantools train`, has no complete state yet, or none
            that is whole.
    """
    kept = read_run(run)
    s = kept.settings
    options = {key: s[key] for key in OPTIONS if key in s}
    options |= {key: tuple(value) for key, value in options.items() if isinstance(value, list)}
    overrides = {name: _value(text) for name, text in s.get("set", {}).items()}
    recipe = build(s["game"], s["size"], options, s["seed"], s["precision"], overrides)
    model = recipe.model(s["seed"])
    if restore(model, run) is None:
        raise UserError(f"{run} has no complete state yet. Train it longer.")
    return model, kept


def restore(model, run: Path, say=lambda line: None) -> dict | None:
    """Give a model the newest whole state of a run's folder; return its meta data, None without.

    Args:
        model: A model of the run's game.
        run: The folder.
        say: Called with the line that tells of newer states that are damaged, if there are any.

    Raises:
        UserError: there are states, and none of them is whole.
    """
    from gantools.core.state import newest_state

    meta = model.restore(run / "states")
    if meta is None and newest_state(run / "states"):
        raise UserError(
            f"No state of {run} is whole: their files are missing, unreadable or changed. Bring "
            "them back from a copy; `gantools train` with --fresh starts over."
        )
    if meta and meta["damaged"]:
        say(f"{run}: {', '.join(meta['damaged'])} is damaged; an older state is taken.")
    return meta


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


def _check_overrides(name: str, make, overrides: Mapping[str, Any]) -> None:
    """Refuse settings that a game's function does not take, and values of another kind."""
    known = _known_settings(make)
    for key, value in overrides.items():
        if key in ELSEWHERE:
            raise UserError(f"--set {key} is an option of its own. Give --{key}.")
        if key not in known:
            listed = f"It has: {', '.join(known)}." if known else "It has none."
            raise UserError(f"The game {name} has no setting {key!r}. {listed}")
        kinds = _kinds(known[key])
        if kinds and _kind(value) not in kinds:
            kinds -= {int} if float in kinds else set()
            kinds -= set() if None in known[key] else {type(None)}
            words = " or ".join(word for kind, word in KINDS.items() if kind in kinds)
            raise UserError(
                f"Expected --set {key} of the game {name} to be {words}, such as "
                f"{key}={_text(known[key][-1])}. Received: {_text(value)}."
            )


def _known_settings(make) -> dict[str, list]:
    """Return the settings of a game's function: name -> what it is by default or in its sizes."""
    parameters = inspect.signature(make).parameters.values()
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    known = {p.name: [p.default] for p in parameters if p.kind in named}
    if any(p.kind == inspect.Parameter.VAR_KEYWORD for p in parameters):
        for settings in getattr(inspect.getmodule(make), "SIZES", {}).values():
            for key, value in settings.items():
                known.setdefault(key, []).append(value)
    others = (*OPTIONS, *ELSEWHERE)
    return {key: values for key, values in known.items() if key not in others}


def _kinds(values: list) -> set:
    """Return the types that a setting may have; empty where its values do not tell.

    None stands for no number in many games, also where all their sizes have one.
    """
    kinds = {_kind(_frozen(value)) for value in values}
    if kinds <= {type(None)} or None in kinds:
        return set()
    if float in kinds:
        kinds.add(int)
    return kinds if kinds & {bool, str, dict} else kinds | {type(None)}


def _kind(value) -> type | None:
    """Return the first of KINDS that a value is of, or None."""
    return next((kind for kind in KINDS if isinstance(value, kind)), None)


def _value(text: str) -> Any:
    """Return the Python literal that a text is, or else the text; lists become tuples."""
    try:
        return _frozen(ast.literal_eval(text))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return text


def _frozen(value):
    if isinstance(value, list | tuple):
        return tuple(map(_frozen, value))
    return {k: _frozen(v) for k, v in value.items()} if isinstance(value, dict) else value


def _text(value) -> str:
    """Return the text of which `_value` makes this value again."""
    return value if isinstance(value, str) and _value(value) == value else repr(value)


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
