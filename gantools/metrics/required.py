"""Figures that must be reached: `--require NAME VALUE` of the commands that measure."""

from math import isfinite

from gantools.errors import REQUIREMENT, UserError


def check_names(required, known):
    """Refuse a requirement on a figure that the command does not measure; called before the work.

    Args:
        required: Pairs of a figure's name and the value to reach.
        known: Names of all figures of the command.

    Raises:
        UserError: an unknown name, or a value that is not finite.
    """
    for name, value in required:
        if name not in known:
            listed = ", ".join(sorted(known))
            raise UserError(f"--require knows no figure '{name}'. Expected one of {listed}.")
        if not isfinite(value):
            raise UserError(f"--require {name} needs a finite number. Received: {value}.")


def check_reached(measured, required, lower=()):
    """Raise unless every required figure was reached.

    Args:
        measured: Dict of what was measured (a folder, a data set) -> dict of name -> figure. One
            that is missing or not finite was not reached.
        required: Pairs of a figure's name and the value to reach, checked by `check_names`.
        lower: Names of the figures that must be at most the value; others at least.

    Raises:
        UserError: with the exit code of a requirement that was not met; names all of them.
    """
    missed = []
    for what, figures in measured.items():
        for name, value in required:
            found, most = figures.get(name), name in lower
            known = found is not None and isfinite(found)
            if not known or (found > value if most else found < value):
                told = f"is {found:.4g}" if known else "could not be measured"
                bound = f"at {'most' if most else 'least'} {value:g} is required"
                missed.append(f"{what}: {name} {told}, {bound}")
    if missed:
        raise UserError(f"{'; '.join(missed)}.", REQUIREMENT)
