"""What the games that enlarge pictures share: SRGAN and its successors, term by term.

Their batches hold sharp pictures "x"; `low` is drawn by `lowres.low_pictures`. Each game's own file
says what its generator minimises. For the first `pretrain` pictures the generator learns alone.
"""

from collections.abc import Callable

import keras
from keras import ops

from gantools.core import Ema, Game, Turn
from gantools.core.gradients import no_gradient
from gantools.gans.balance import balanced
from gantools.gans.likeness import distance
from gantools.gans.lowres import low_pictures
from gantools.gans.settings import switched

NETS = ("generator", "discriminator")


def discriminator_turn(sides, pretrain: int) -> Turn:
    """Return D's turn: sharp pictures against enlarged ones, by an objective.

    Args:
        sides: Result of `core.objective`. D returns `(scores, features)`.
        pretrain: Pictures for which D waits, untouched and not computed: SRResNet is trained alone,
            and a D that has seen its first results for long is too sure for G to learn from.
    """

    def terms(model, batch, draw):
        def judged():
            with no_gradient():
                fake = ops.stop_gradient(model.player("generator")(draw["low"]))
            r, _ = model.player("discriminator")(batch["x"])
            f, _ = model.player("discriminator")(fake)
            return {"adv": sides.discriminator(r, f), "real": ops.mean(r), "fake": ops.mean(f)}

        found = after(model, pretrain, judged, ("adv", "real", "fake"), NETS)
        begun = ops.cast(model.images.value > pretrain, "float32")
        return {"adv": found.pop("adv")}, {**found, **({"begun": begun} if pretrain else {})}

    # Zero gradients would not do: they count as updates, and Adam's first true ones, no longer
    # corrected for its empty means, would be up to seven times too long.
    when = (lambda logs: logs["discriminator/begun"] > 0) if pretrain else None
    return Turn("discriminator", ("discriminator",), terms, when=when)


def generator_turn(pretrain: int, judged: Callable, weights: dict) -> Turn:
    """Return G's turn: the distance of pixels, and what is judged once D plays.

    Args:
        pretrain: Pictures for which nothing is judged.
        judged: Callable `(model, sharp, enlarged) -> dict` of the other terms in `weights`.
        weights: See `generator_weights`.
    """
    names = [name for name in weights if name != "pixels"]

    def terms(model, batch, draw):
        fake = model.player("generator")(draw["low"])
        judge = lambda: judged(model, batch["x"], fake)  # noqa: E731
        later = after(model, pretrain, judge, names, ("discriminator",))
        return {**later, "pixels": distance(fake, batch["x"])}

    return Turn("generator", ("generator",), terms, weights=weights)


def after(model, images: int, terms: Callable, names, written) -> dict:
    """Return `terms()` when the run has seen more than `images` pictures, and zeros before.

    Before, nothing of it is computed, neither forwards nor backwards: a cycle of the small SRGAN
    takes half the time (48x48, batch 16). `evaluate` has `terms()` each time.

    Args:
        model: The `AdversarialModel`.
        images: Pictures to wait for; 0: none.
        terms: Callable without arguments -> dict of scalars.
        names: Keys of that dict.
        written: Players whose batch statistics `terms` moves; what else it writes is dropped.
    """
    if not images or not model.learning:
        return terms()
    statistics = [v for n in written for v in model.game.players[n].non_trainable_variables]

    def active():
        # The scope catches what layers assign: inside a condition JAX could not keep it.
        bound = [(v, v.value) for v in model.state_variables]
        with keras.StatelessScope(state_mapping=bound) as scope:
            found = {name: ops.cast(value, "float32") for name, value in terms().items()}
            moved = [scope.get_current_value(v) for v in statistics]
        return found, [ops.stop_gradient(ops.convert_to_tensor(value)) for value in moved]

    def waiting():
        # PyTorch differentiates by nothing that a loss does not name.
        weights = model.game.players["discriminator"].trainable_variables
        zero = 0.0 * sum(ops.sum(ops.cast(v, "float32")) for v in weights)
        return dict.fromkeys(names, zero), [ops.convert_to_tensor(v.value) for v in statistics]

    found, moved = ops.cond(model.images.value > images, active, waiting)
    for v, value in zip(statistics, moved, strict=True):
        v.assign(value)
    return found


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


def enlarging_game(players: dict, turns: tuple[Turn, ...], shape, s: dict, sides, sample) -> Game:
    """Return the game of a generator that enlarges.

    Args:
        players, turns: As of `Game`.
        shape: `(height, width, channels)` of the sharp pictures.
        s: The game's settings: `scale` and `half_life` of the averaged generator or None.
        sides: The `Objective` of the terms "adv".
        sample: Callable `(model, draw) -> pictures`.
    """
    return Game(
        players,
        turns,
        samplers={"low": low_pictures(shape, s["scale"])},
        ema={"generator": Ema(s["half_life"])} if s["half_life"] else {},
        sample=sample,
        equilibrium=balanced(sides),
    )
