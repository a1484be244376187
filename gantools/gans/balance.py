"""What a game's adversarial terms are worth where nobody can tell made samples from real ones."""

from collections.abc import Sequence

from gantools.core.objectives import Objective


def balanced(
    sides: Objective,
    critics: Sequence[str] = ("discriminator/adv",),
    generators: Sequence[str] = ("generator/adv",),
    *,
    swapped: bool = False,
    ways: int = 1,
) -> dict[str, float]:
    """Return the `equilibrium` of a `Game`: logged name -> value, before the term's weight.

    Of equal distributions the best critic gives every sample the same score, and each loss of an
    objective is then the number in `sides.equilibrium`. A loss without one, whose scores may drift,
    is left out.

    Args:
        sides: The `Objective`.
        critics: Logged names, `TURN/TERM`, of what the critics minimise.
        generators: The same of the generators.
        swapped: Whether generators minimise the critic's loss with the roles exchanged.
        ways: How many such losses each of `generators` is the sum of.
    """
    values = sides.equilibrium
    other = "discriminator" if swapped else "generator"
    found = {name: values["discriminator"] for name in critics if "discriminator" in values}
    return found | {name: ways * values[other] for name in generators if other in values}
