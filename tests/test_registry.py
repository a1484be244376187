import pytest

from gantools import registry
from gantools.errors import UserError


def test_every_game_can_be_loaded_and_describes_itself():
    described = {game["name"]: game for game in registry.describe_games()}
    assert list(described)[: len(registry.GAMES)] == list(registry.GAMES)
    for name in registry.GAMES:
        assert callable(registry.load_game(name))
        assert described[name]["title"]
        assert described[name]["source"]
        assert {"tiny", "small"} <= set(described[name]["sizes"])


def test_hyphens_count_as_underscores():
    assert registry.load_game("wgan-gp") is registry.load_game("wgan_gp")


def test_unknown_games_suggest_the_nearest():
    with pytest.raises(UserError, match="Did you mean 'dcgan'"):
        registry.load_game("dccgan")
    with pytest.raises(UserError, match="Expected one of: .*r3gan"):
        registry.load_game("xyzzy")


def test_games_of_other_packages(tmp_path, monkeypatch):
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gantools.games]\nothergan = other_game:game\n")
    (tmp_path / "other_game.py").write_text(
        'TITLE = "Other"\nSOURCE = "none"\nSIZES = {"tiny": {}}\n\n'
        "def game(size, shape):\n    return size\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert registry.game_names()[-1] == "othergan"
    assert registry.load_game("othergan")("tiny", ()) == "tiny"
    expected = {"name": "othergan", "title": "Other", "source": "none", "sizes": ["tiny"]}
    assert registry.describe_games()[-1] == expected | {"data": "pictures"}


def test_what_a_game_trains_on_is_known_without_importing_it():
    kinds = {name: registry.data_kind(name) for name in ("pix2pix", "cyclegan", "wgan-gp")}
    assert kinds == {"pix2pix": "pairs", "cyclegan": "domains", "wgan-gp": "pictures"}
    with pytest.raises(UserError, match="Did you mean 'cyclegan'"):
        registry.data_kind("cycelgan")
