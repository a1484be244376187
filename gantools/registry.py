"""The games by name, as plain strings: listing them imports nothing.

A game is one module of `gantools.gans` and one line here. Other packages add theirs by the
entry-point group `gantools.games` (name = module:function).
"""

import difflib
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import entry_points

from gantools.errors import UserError

GAMES = {
    "dcgan": "gantools.gans.dcgan:game",
    "gan": "gantools.gans.gan:game",
    "lsgan": "gantools.gans.lsgan:game",
    "r3gan": "gantools.gans.r3gan:game",
    "sngan": "gantools.gans.sngan:game",
    "srgan": "gantools.gans.srgan:game",
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
        The function `game(size="small", shape=(height, width, channels), **overrides) -> Recipe`.
        Its module holds `TITLE`, `SOURCE` and `SIZES`.

    Raises:
        UserError: no game has that name; the message suggests the nearest one.
    """
    name = name.replace("-", "_")
    if name in GAMES:
        module, _, function = GAMES[name].partition(":")
        return getattr(import_module(module), function)
    outsiders = list(entry_points(group=OUTSIDERS, name=name))
    if outsiders:
        return outsiders[0].load()
    near = difflib.get_close_matches(name, game_names(), n=1)
    hint = f"Did you mean {near[0]!r}?" if near else f"Expected one of: {', '.join(game_names())}."
    raise UserError(f"There is no game {name!r}. {hint}")
