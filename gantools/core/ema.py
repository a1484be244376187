"""Averaged players: an exponential moving average of a player's weights, used for sampling."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from gantools.core.checks import functional
from gantools.core.schedules import value_at
from gantools.errors import UserError


@dataclass(frozen=True)
class Ema:
    """How fast an averaged copy follows its player.

    Attributes:
        half_life: Images after which an old weight counts half, a number or a schedule; 0 copies.
        ramp: The half-life is at most `ramp` times the images seen, so that the first bad weights
            are soon forgotten; None for no ramp-up.

    Source: NVlabs' StyleGAN2 training loop (half-life in images, ramp 0.05).
    """

    half_life: Any
    ramp: float | None = 0.05

    def decay(self, batch, images):
        """Return the factor of the old average: 0.5 ** (batch / half-life).

        Args:
            batch: Images of one cycle.
            images: Images seen so far, float32 scalar.
        """
        half_life = ops.convert_to_tensor(value_at(self.half_life, images), "float32")
        if self.ramp is not None:
            half_life = ops.minimum(half_life, self.ramp * images)
        exponent = ops.cast(batch, "float32") / ops.maximum(half_life, 1e-8)
        return ops.where(half_life > 0, ops.power(0.5, exponent), 0.0)


def averaged_copy(player):
    """Return a frozen copy of a player, weights included.

    Raises:
        UserError: a subclassed model, which Keras cannot copy, or weights of 16 bits: an average
            moves by less than they can tell apart, and would stand still.
    """
    short = [v for v in player.trainable_variables if v.dtype in ("bfloat16", "float16")]
    if short:
        raise UserError(
            f"An averaged copy needs weights in float32. Received: {short[0].path} in "
            f'{short[0].dtype}. Use the policy "mixed_bfloat16", which computes in bfloat16 only.'
        )
    copy = keras.models.clone_model(functional(player, "An averaged copy"))
    copy.set_weights(player.get_weights())
    copy.trainable = False
    return copy


def update(copy, player, decay):
    """Move the trainable weights of `copy` towards `player`; copy all others (batch statistics)."""
    trained = {id(v) for v in player.trainable_variables}
    for average, v in zip(copy.weights, player.weights, strict=True):
        if id(v) in trained:
            difference = ops.cast(average, "float32") - ops.cast(v, "float32")
            average.assign(ops.cast(v + decay * difference, average.dtype))
        else:
            average.assign(v)
