"""One optimizer that owns every player's optimizer.

Keras threads, shards, saves and restores the variables of `model.optimizer`. A composite that lists
all slots of all players in a fixed order therefore needs no further code on any backend.
"""

import copy

import keras

from gantools.core.schedules import Schedule
from gantools.errors import UserError


class PlayerOptimizers(keras.optimizers.Optimizer):
    """Composite of one Keras optimizer per turn; `parts[turn]` applies the turn's update.

    Args:
        parts: Turn name -> `keras.optimizers.Optimizer`.
        turns: The `Turn` values of the game.
        images_seen: The model's image counter, for schedules.

    Raises:
        UserError: an optimizer is missing or unknown, serves two turns, averages weights or scales
            losses itself, or has a schedule that counts updates in a turn with several updates a
            cycle.
    """

    def __init__(self, parts, turns, images_seen):
        super().__init__(learning_rate=0.0, name="player_optimizers")
        self.parts = _checked(parts, turns)
        for part in self.parts.values():
            if isinstance(part._learning_rate, Schedule):  # a copy: it may serve several models
                part._learning_rate = copy.copy(part._learning_rate)
                part._learning_rate.images_seen = images_seen

    def build_players(self, variables):
        """Create all slots: `variables` maps turn -> the variables that its update moves."""
        for name, part in self.parts.items():
            part.build(variables[name])
        self.build([])

    def build(self, variables):
        """Mark this optimizer as built; the parts own all slots."""
        if not self.built:
            super().build([])

    @property
    def variables(self):
        """Return own and all players' variables, in the order of the turns."""
        return self.own_variables + [v for part in self.parts.values() for v in part.variables]

    @property
    def own_variables(self):
        """Return the composite's own variables: Keras gives every optimizer two."""
        return list(super().variables)

    @property
    def learning_rate(self):
        """Return 0: only the parts have rates."""
        return self._get_current_learning_rate()

    @learning_rate.setter
    def learning_rate(self, value):
        raise UserError(
            "Each player has its own learning rate, so LearningRateScheduler and ReduceLROnPlateau "
            "cannot set one. Give the player's optimizer a schedule of gantools.core, for example "
            "Adam(learning_rate=Cosine(2e-4, 5e-5, images=2_000_000)), or set "
            "model.optimizer.parts[turn].learning_rate."
        )

    def apply(self, grads, trainable_variables=None):
        """Refuse: updates go through the parts."""
        raise UserError("Use model.optimizer.parts[turn].apply: each turn has its own optimizer.")

    def finalize_variable_values(self, var_list):
        """Do nothing: `fit` calls this to overwrite weights by an optimizer's own average."""

    def save_own_variables(self, store):
        """Store all variables by their position."""
        for i, variable in enumerate(self.variables):
            store[str(i)] = variable.numpy()

    def load_own_variables(self, store):
        """Restore what `save_own_variables` stored."""
        for i, variable in enumerate(self.variables):
            variable.assign(store[str(i)])


def _checked(parts, turns):
    names = [turn.name for turn in turns]
    if not isinstance(parts, dict) or set(parts) != set(names):
        given = sorted(parts) if isinstance(parts, dict) else type(parts).__name__
        raise UserError(f"compile needs one optimizer for each turn: {names}. Received: {given}")
    if len({id(part) for part in parts.values()}) != len(parts):
        raise UserError("Two turns share one optimizer object. Make one for each turn.")
    for turn in turns:
        _check(turn, parts[turn.name])
    return {name: parts[name] for name in names}


def _check(turn, part):
    """Refuse what an optimizer of a turn cannot do."""
    if part.use_ema:
        raise UserError(f"{turn.name}: use_ema=True averages inside the optimizer; use Game.ema.")
    scales = isinstance(part, keras.optimizers.LossScaleOptimizer)
    if scales or part.loss_scale_factor is not None:
        # Only the division by the scale would happen: the losses of a turn are never multiplied.
        raise UserError(
            f"{turn.name}: {type(part).__name__} scales losses, which only float16 needs. Leave "
            "out loss_scale_factor and LossScaleOptimizer."
        )
    rate = part._learning_rate
    counts_updates = isinstance(rate, keras.optimizers.schedules.LearningRateSchedule)
    if counts_updates and not isinstance(rate, Schedule) and (turn.repeats > 1 or turn.pauses):
        raise UserError(
            f"{turn.name} is not updated exactly once in every cycle, and {type(rate).__name__} "
            "counts updates. Use a schedule of gantools.core: it counts images."
        )
