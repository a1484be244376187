"""Kinds of values that options of several commands take."""

from math import isfinite

import click

LONGEST = 1e8  # minutes: longer than anybody waits, and finite in seconds


class Finite(click.FloatRange):
    """A number in a range; NaN is in every range, for nothing is larger or smaller."""

    def convert(self, value, param, ctx):
        """Return the number."""
        number = super().convert(value, param, ctx)
        return number if isfinite(number) else self.fail(f"{value!r} is not finite.", param, ctx)


MINUTES = Finite(0, LONGEST, min_open=True)  # of training
