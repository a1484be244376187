"""What a GAN is here: players, and turns in which some of them move.

A `Game` is a frozen description. It holds Keras models but calls nothing; `model.AdversarialModel`
plays it. Most people want `duel.duel`, which writes the two-player game for them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gantools.errors import UserError


@dataclass(frozen=True)
class Turn:
    """One optimizer update: the weights of these players move and nobody else's.

    Attributes:
        name: Key of the optimizer in `compile` and prefix in the logs.
        players: Names of the players that move. Two generators can share one turn.
        terms: Callable `(model, batch, draw) -> terms`: a dict of named scalars whose weighted sum
            is minimised, or a pair `(terms, shown)` where `shown` is logged only. `batch` is a dict
            of tensors, `draw` the random numbers of this turn; networks are reached by
            `model.player(name)`.
        repeats: Updates per cycle, each on a fresh minibatch where the batch has several.
        every: The turn is played in every n-th cycle only. In the others its terms are computed
            and logged, and weights and optimizer stay as they were.
        when: Callable `logs -> bool scalar`: the update is made only where it is true, else as with
            `every`. `logs` are the values of this cycle so far by their logged names, this update's
            terms included, before the update: `lambda logs: logs["discriminator/accuracy"] <= 0.8`.
            On several devices they are the means over all of them, so that all do the same.
            A turn with `when` or `every` above 1 logs "played", 1 or 0.
        weights: Weight of a term, 1 where absent: a number or a schedule of images seen. A name
            that is no term's is refused in the first step.
        penalties: Names of the terms that contain an input gradient: every kernel on which the
            penalised scores depend must have a second-order gradient for them, else the first step
            raises. Those of `AdversarialModel.lazily` are checked there.
        clip: After the update every weight is clipped to [-clip, clip]; None leaves them alone.
    """

    name: str
    players: tuple[str, ...]
    terms: Callable
    repeats: int = 1
    every: int = 1
    when: Callable | None = None
    weights: Mapping[str, Any] = field(default_factory=dict)
    penalties: tuple[str, ...] = ()
    clip: float | None = None

    def __post_init__(self):
        if isinstance(self.players, str):
            raise UserError(f"players must be a tuple of names. Received: players={self.players!r}")
        for name in ("repeats", "every"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} must be >= 1. Received: {name}={getattr(self, name)}")

    @property
    def pauses(self) -> bool:
        """Return whether some cycles leave the players as they are."""
        return self.every > 1 or self.when is not None


@dataclass(frozen=True)
class Shared:
    """Tensors that are computed once a cycle, before its first turn, and that its turns share.

    Terms find them in `batch` by their names. In the turn that moves `players` gradients pass
    through them; in every other turn they are constants. No other turn may move those players.
    It saves a pass through the generator where a paper's critic and generator use the same fakes.

    Attributes:
        players: Names of all players that the tensors depend on.
        make: Callable `(model, batch, draw) -> dict` of float32 tensors, given the cycle's first
            minibatch and random numbers of its own.
    """

    players: tuple[str, ...]
    make: Callable


@dataclass(frozen=True)
class Game:
    """Players, the turns of one cycle in order, and where random numbers come from.

    Attributes:
        players: Name -> built `keras.Model`: every network that a term calls, moved or not. Only
            players are saved, restored and sent to all devices.
        turns: Played from first to last in every cycle. Goodfellow et al.'s Algorithm 1 is a
            discriminator turn with `repeats=k` before a generator turn.
        samplers: Name -> callable `(size, seed, batch) -> tensor`; see `samplers.py`. A tensor of
            that name in the batch takes the place of the draw.
        ema: Player -> `Ema`: an averaged copy used for sampling.
        sample: Callable `(model, draw) -> tensor` behind `AdversarialModel.sample`; None gives
            the player "generator" the draw "z". Where `model.as_trained`, it leaves out what only
            samples get, as truncation and clipping: what the discriminator sees is wanted.
        equilibrium: Logged name -> the value it tends to when the game is balanced, if known.
        memory: Name -> Keras layer or model that holds state of the run and that no turn moves: a
            pool of past fakes, running means. Terms reach it by `model.memory(name)`; its variables
            are saved and restored with everything else.
        arranged: Name of a draw -> callable `n -> array (n, ...)`: what `AdversarialModel.sample`
            takes in its place unless it is given, so that a grid of samples has classes in order.
        shared: `Shared` tensors of a cycle, or None.
        comparable: Whether `sample` draws what the discriminator learns from, so that `Health` may
            compare samples with reals.
    """

    players: Mapping[str, Any]
    turns: tuple[Turn, ...]
    samplers: Mapping[str, Callable] = field(default_factory=dict)
    ema: Mapping[str, Any] = field(default_factory=dict)
    sample: Callable | None = None
    equilibrium: Mapping[str, float] = field(default_factory=dict)
    memory: Mapping[str, Any] = field(default_factory=dict)
    arranged: Mapping[str, Callable] = field(default_factory=dict)
    shared: Shared | None = None
    comparable: bool = True

    def __post_init__(self):
        names = [turn.name for turn in self.turns]
        if not names or len(set(names)) != len(names):
            raise UserError(f"A game needs turns with different names. Received: {names}")
        asked = {p for turn in self.turns for p in turn.players} | set(self.ema)
        asked |= set(self.shared.players) if self.shared else set()
        unknown = sorted(asked - set(self.players))
        if unknown:
            raise UserError(
                "Turns, ema or shared name players that the game does not have: "
                f"{unknown}. Players: {sorted(self.players)}"
            )
        if self.shared:
            _check_shared(set(self.shared.players), self.turns)

    @property
    def minibatches(self) -> int:
        """Return how many minibatches one cycle uses when every update gets a fresh one."""
        return sum(turn.repeats for turn in self.turns)

    @property
    def fresh(self) -> int:
        """Return how many minibatches `fit` takes for a cycle unless it is told a number.

        One where no turn repeats its update, as in the papers' code: the turns then share it.
        """
        return self.minibatches if any(turn.repeats > 1 for turn in self.turns) else 1


def _check_shared(players, turns):
    """Refuse turns that together move the players of shared tensors other than once a cycle."""
    movers = [turn for turn in turns if players & set(turn.players)]
    for turn in movers:
        moved = players & set(turn.players)
        if len(movers) > 1 or turn.repeats > 1 or moved != players:
            others = [other.name for other in movers if other is not turn]
            also = f", also moved in {', '.join(map(repr, others))}" if others else ""
            raise UserError(
                "Shared tensors pass gradients in one turn that moves all their players once "
                f"a cycle. Received: players={sorted(players)}, turn={turn.name!r} "
                f"with players={sorted(moved)} and repeats={turn.repeats}{also}."
            )
