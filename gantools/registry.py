"""The games by name, as plain strings: listing them imports nothing.

A game is one module of `gantools.gans` and one line here. Other packages add theirs by the
entry-point group `gantools.games` (name = module:function).
"""

import ast
import difflib
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

from gantools.errors import UserError

GAMES = {
    "acgan": "gantools.gans.acgan:game",
    "alad": "gantools.gans.alad:game",
    "anogan": "gantools.gans.anogan:game",
    "bigan": "gantools.gans.bigan:game",
    "cgan": "gantools.gans.cgan:game",
    "cyclegan": "gantools.gans.cyclegan:game",
    "dcgan": "gantools.gans.dcgan:game",
    "discogan": "gantools.gans.discogan:game",
    "egbad": "gantools.gans.egbad:game",
    "esrgan": "gantools.gans.esrgan:game",
    "f_anogan": "gantools.gans.f_anogan:game",
    "gan": "gantools.gans.gan:game",
    "ganomaly": "gantools.gans.ganomaly:game",
    "infogan": "gantools.gans.infogan:game",
    "lsgan": "gantools.gans.lsgan:game",
    "pix2pix": "gantools.gans.pix2pix:game",
    "r3gan": "gantools.gans.r3gan:game",
    "restorer": "gantools.gans.restorer:game",
    "skip_ganomaly": "gantools.gans.skip_ganomaly:game",
    "sngan": "gantools.gans.sngan:game",
    "srgan": "gantools.gans.srgan:game",
    "stylegan": "gantools.gans.stylegan:game",
    "wgan": "gantools.gans.wgan:game",
    "wgan_gp": "gantools.gans.wgan_gp:game",
}
OUTSIDERS = "gantools.games"


def game_names() -> list[str]:
    """Return the names of all games, ours first, then those of other installed packages."""
    others = {point.name for point in entry_points(group=OUTSIDERS)}
    return list(GAMES) + sorted(others - set(GAMES))


def load_game(name: str) -> Callable:
    """Import the game of that name and return its function.

    Args:
        name: A registry name; a hyphen counts as an underscore, so that "wgan-gp" is found.

    Returns:
        The function `game(size="small", shape=(height, width, channels), *, seed=0, **overrides)`
        that returns a `Recipe`. Its module holds `TITLE`, `SOURCE` and `SIZES`, and `DATA` where it
        trains on more than pictures: then the function also takes `target` or `classes`.

    Raises:
        UserError: no game has that name; the message suggests the nearest one. Or Keras has no
            backend to run on.
    """
    name = name.replace("-", "_")
    check_game_name(name)
    import_module("gantools.core")  # chooses the backend, before the game imports keras
    if name in GAMES:
        module, _, function = GAMES[name].partition(":")
        return getattr(import_module(module), function)
    (outsider,) = list(entry_points(group=OUTSIDERS, name=name))[:1]
    return outsider.load()


def check_game_name(name: str) -> None:
    """Refuse a name that no game has, without importing any.

    Raises:
        UserError: no game has that name; the message suggests the nearest one.
    """
    names = game_names()
    if name.replace("-", "_") in names:
        return
    near = difflib.get_close_matches(name, names, n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Expected one of: {', '.join(names)}."
    raise UserError(f"There is no game {name!r}. {hint}")


def check_size(name: str, size: str) -> None:
    """Refuse a size that the game `name` does not have, without importing it.

    Raises:
        UserError: no game has that name, or it has no such size.
    """
    check_game_name(name)
    known = _constants(_targets()[name.replace("-", "_")])["sizes"]
    if size not in known:
        raise UserError(f"Expected --size to be one of {', '.join(known)}. Received: {size!r}.")


def data_kind(name: str) -> str:
    """Return what the game `name` trains on, its module's DATA, without importing it.

    Returns:
        "pictures" where the module names nothing; see `gantools.gans.material`.

    Raises:
        UserError: no game has that name.
    """
    check_game_name(name)
    return _constants(_targets()[name.replace("-", "_")])["data"]


def describe_games() -> list[dict]:
    """Return name, title, source and sizes of every game, read from the source without running it.

    Importing the games would load Keras, which takes seconds.

    Returns:
        A dict a game: `name`, `title`, `source`, `sizes`, the keys of the module's SIZES, and
        `data`, what it trains on.
    """
    targets = _targets()
    return [{"name": name} | _constants(targets[name]) for name in game_names()]


def _targets() -> dict[str, str]:
    others = {point.name: point.value for point in entry_points(group=OUTSIDERS)}
    return others | GAMES


def _constants(target: str) -> dict:
    module = find_spec(target.partition(":")[0])
    values = {"TITLE": "", "SOURCE": "", "SIZES": {}, "DATA": "pictures"}
    for node in ast.parse(Path(module.origin).read_text(encoding="utf-8")).body:
        names = [t.id for t in getattr(node, "targets", ()) if isinstance(t, ast.Name)]
        if names and names[0] in values:
            keys = node.value.keys if isinstance(node.value, ast.Dict) else None
            values[names[0]] = (
                [ast.literal_eval(key) for key in keys] if keys else ast.literal_eval(node.value)
            )
    found = {name.lower(): value for name, value in values.items()}
    return {**found, "sizes": list(values["SIZES"])}
