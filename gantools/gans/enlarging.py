"""What the games that enlarge pictures share: SRGAN and its successors, term by term.

Their batches hold sharp pictures "x"; `low` is drawn by `lowres.low_pictures`. Each game's own file
says what its generator minimises.
"""

from keras import ops

from gantools.core import Ema, Game, Turn
from gantools.core.gradients import no_gradient
from gantools.gans.lowres import low_pictures
from gantools.gans.settings import switched


def discriminator_turn(sides) -> Turn:
    """Return D's turn: sharp pictures against enlarged ones, by an objective.

    Args:
        sides: Result of `core.objective`. D returns `(scores, features)`.
    """

    def terms(model, batch, draw):
        with no_gradient():
            fake = ops.stop_gradient(model.player("generator")(draw["low"]))
        r, _ = model.player("discriminator")(batch["x"])
        f, _ = model.player("discriminator")(fake)
        return {"adv": sides.discriminator(r, f)}, {"real": ops.mean(r), "fake": ops.mean(f)}

    return Turn("discriminator", ("discriminator",), terms)


def generator_weights(s: dict, vgg: float, pixels: float) -> dict:
    """Return the weights of G's terms: pixels alone for `pretrain` pictures, then all.

    Args:
        s: The game's settings: `pretrain`, `adversarial`, `matching` and `vgg` (None: no such
            network plays, and the pixels keep the weight 1).
        vgg, pixels: Weights of VGG's features, and of the pixels beside them.
    """
    later = {"adv": s["adversarial"]}
    later |= {"vgg": vgg} if s["vgg"] else {"matching": s["matching"]}
    weights = {name: switched(0.0, weight, s["pretrain"]) for name, weight in later.items()}
    return {**weights, "pixels": switched(1.0, pixels if s["vgg"] else 1.0, s["pretrain"])}


def enlarging_game(players: dict, turns: tuple[Turn, ...], shape, s: dict, sample) -> Game:
    """Return the game of a generator that enlarges.

    Args:
        players, turns: As of `Game`.
        shape: `(height, width, channels)` of the sharp pictures.
        s: The game's settings: `scale` and `half_life` of the averaged generator or None.
        sample: Callable `(model, draw) -> pictures`.
    """
    return Game(
        players,
        turns,
        samplers={"low": low_pictures(shape, s["scale"])},
        ema={"generator": Ema(s["half_life"])} if s["half_life"] else {},
        sample=sample,
    )
