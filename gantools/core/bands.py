"""What is healthy: a frozen table of witnesses, the values of healthy runs, and alarm limits.

The limits come from the 25-Gaussian grid (`python -m benchmarks.quality.health`), where healthy and
faulty runs were compared; the healthy bands also hold a DCGAN and an R3GAN of Fashion-MNIST. In the
table are neither accuracy nor the signs of scores: healthy relativistic and Wasserstein runs look
the same there as blind ones.
"""

from collections.abc import Callable
from dataclasses import dataclass

TIMES = 3  # checks in a row
OUTRUN = 10.0  # generator's rate times its updates over the discriminator's


def runs_away(row) -> bool:
    """Return whether the generator learns far faster than the discriminator, by their rates."""
    return row.get("rate_ratio", 1.0) > OUTRUN


def keeps_pace(row) -> bool:
    """Return the opposite of `runs_away`."""
    return not runs_away(row)


def is_ranked(row) -> bool:
    """Return whether the samples have so many features that their effective rank is measured."""
    return row.get("rank") is not None


def is_unranked(row) -> bool:
    """Return the opposite of `is_ranked`."""
    return not is_ranked(row)


@dataclass(frozen=True)
class Band:
    """A witness, the values it has in healthy runs, and from where on it is an alarm.

    Attributes:
        finding: What is wrong beyond the limit.
        witness: Key of the rows; "gradient_change/*" stands for every key with that beginning.
        says: The witness in words.
        healthy: What healthy runs have, 5 to 95 % of their checks after the first three.
        low, high: Alarm below or above; None for no such limit.
        change: What to change.
        times: Checks in a row that make an alarm.
        error: Key of the witness's standard error: `high` is at least twice that; None: exact.
        when: Which rows the finding is about: all of these hold; rows without the witness never.
        begins_badly: Healthy runs too begin outside: it is no alarm while the excess over the limit
            more than halves within the checks of an alarm. Once raised, an alarm stands until the
            witness is back within the limit.
    """

    finding: str
    witness: str
    says: str
    healthy: tuple[float, float]
    change: str
    low: float | None = None
    high: float | None = None
    times: int = TIMES
    error: str | None = None
    when: tuple[Callable, ...] = ()
    begins_badly: bool = False

    def limits(self, row) -> tuple[float | None, float | None]:
        """Return `(low, high)` for a row."""
        if self.high is None or self.error is None:
            return self.low, self.high
        return self.low, max(self.high, 2.0 * row.get(self.error, 0.0))

    def concerns(self, row, witness) -> bool:
        """Return whether a row has the witness and is one that the finding is about."""
        return row.get(witness) is not None and all(holds(row) for holds in self.when)

    def excess(self, row, witness) -> float:
        """Return how far a row lies beyond the limit; 0 within it or where it was not measured."""
        if not self.concerns(row, witness):
            return 0.0
        value, (low, high) = row[witness], self.limits(row)
        return max(0.0 if low is None else low - value, 0.0 if high is None else value - high, 0.0)


BANDS = (
    Band(
        "blind discriminator",
        "blindness",
        "neighbour accuracy minus AUC",
        (-0.24, 0.19),
        "It no longer sees what a neighbour test sees: lower the weights of its penalties, "
        "or give it more updates or a wider network.",
        high=0.25,
        begins_badly=True,
        when=(keeps_pace,),
    ),
    Band(
        "outrun discriminator",
        "blindness",
        "neighbour accuracy minus AUC",
        (-0.24, 0.19),
        "The generator learns faster than it: lower the generator's learning rate, raise the "
        "discriminator's, or give it more updates.",
        high=0.25,
        begins_badly=True,
        when=(runs_away,),
    ),
    Band(
        "overfitting discriminator",
        "overfitting",
        "share of the gap to fakes that unseen reals fall into",
        (-0.11, 0.12),
        "It learns the training samples by heart: augment them (DiffAugment), add R1 and R2, or "
        "use more samples.",
        high=0.10,
        error="overfitting_error",
    ),
    Band(
        "overfitting discriminator",
        "auc_gap",
        "AUC on training samples minus AUC on unseen ones",
        (-0.016, 0.021),
        "It learns the training samples by heart: augment them (DiffAugment), add R1 and R2, or "
        "use more samples.",
        high=0.02,
        error="auc_gap_error",
    ),
    # Points first. Of pictures the rank is the better witness: the contrast of a young generator's
    # pictures is low and swings, so that only a small diversity means anything.
    *(
        Band(
            finding,
            "diversity",
            "mean distance of fakes over that of reals",
            healthy,
            change,
            low=low,
            begins_badly=True,
            when=(pace, size),
        )
        for size, low, healthy in (
            (is_unranked, 0.85, (0.95, 1.06)),
            (is_ranked, 0.5, (0.64, 1.04)),
        )
        for finding, pace, change in (
            (
                "collapse",
                keeps_pace,
                "The generator makes nearly the same sample again and again: lower both learning "
                "rates, or use the relativistic objective with R1 and R2.",
            ),
            (
                "runaway generator",
                runs_away,
                "It runs to whatever the discriminator does not know yet: lower the generator's "
                "learning rate, raise the discriminator's, or give it more updates.",
            ),
        )
    ),
    Band(
        "collapse",
        "rank",
        "effective rank of fakes over that of reals",
        (0.86, 1.01),
        "The generator repeats few samples: add minibatch-std or PacGAN, or use the relativistic "
        "objective with R1 and R2.",
        low=0.5,
        begins_badly=True,
    ),
    Band(
        "missing classes",
        "classes",
        "share of the classes that are found among fakes",
        (0.9, 1.0),
        "Whole classes are never made: use the relativistic objective with R1 and R2, or a "
        "conditional game.",
        low=0.5,
        begins_badly=True,
    ),
    Band(
        "latent without effect",
        "near",
        "effect of a tenth of the way to another latent, 0.1 if even",
        (0.09, 0.16),
        "Near latents give the same sample: lower the generator's learning rate or use a smaller "
        "latent.",
        low=0.005,
    ),
    Band(
        "latent without effect",
        "other",
        "distance of samples of one condition over that of reals",
        (0.54, 0.97),  # of reals of one class: digits and clothes
        "The generator listens to its condition only: raise the adversarial term against the "
        "others, or use a larger latent.",
        low=0.05,
    ),
    Band(
        "unsteady gradient",
        "gradient_change/*",
        "gradient norm over its median so far",
        (0.6, 1.5),
        "Far above: lower this player's learning rate. Far below: it gets no signal; use the "
        "relativistic or non-saturating objective, or lower the weight of the other's penalty.",
        low=0.01,
        high=50.0,
    ),
)  # fmt: skip
