"""The judge: which numbers of a run's newest check lie outside the bands of `bands.py`.

A row holds the numbers of one check, see `observe.py`. Most alarms need three checks in a row
outside the limit, because one check is noisy. The judgement is a pure function of the rows, so that
a resumed run counts on where it stood.
"""

from dataclasses import dataclass

from gantools.core.bands import BANDS, runs_away

MENDED = 0.5  # of the first excess


@dataclass(frozen=True)
class Verdict:
    """One line of a report.

    Attributes:
        state: "alarm", "watch" (outside, not yet often enough), "ok" or "note" (no judgement).
        finding: What is wrong, or what was looked at.
        text: The number, the limit and the healthy band in words.
        change: What to change; empty unless outside.
        witness: Key of the rows, to plot it.
        value: The number.
    """

    state: str
    finding: str
    text: str
    change: str = ""
    witness: str = ""
    value: float | None = None

    def line(self) -> str:
        """Return the verdict as one line."""
        return f"{self.state:5}  {self.finding}: {self.text}" + (
            f". {self.change}" if self.change else ""
        )


def judge(rows) -> list[Verdict]:
    """Return a verdict for every witness of the newest row; alarms come first.

    Args:
        rows: Rows of a run, oldest first, at least one.
    """
    newest = rows[-1]
    if newest.get("not_finite"):
        return [diverged(newest)]
    found = [
        _verdict(band, witness, rows) for band in BANDS for witness in _witnesses(band, newest)
    ]
    order = ("alarm", "watch", "ok", "note")
    return sorted(found + balance(newest), key=lambda verdict: order.index(verdict.state))


def diverged(row) -> Verdict:
    """Return the alarm of a row whose losses or weights are not finite."""
    where = row["not_finite"]
    return Verdict(
        "alarm",
        "divergence",
        f"{where} is not finite in cycle {row['cycle']}; healthy runs are always finite",
        "Lower the learning rates, or train in float32.",
        "not_finite",
    )


def balance(row) -> list[Verdict]:
    """Return how far each side is from the value of equal distributions: a note, never an alarm.

    An untrained discriminator also says 1/2, and healthy runs stay away from it.
    """
    notes = []
    for key in sorted(row):
        if key.startswith("distance/") and row[key] is not None:
            name, value = key.removeprefix("distance/"), row[key]
            text = f"{name} is {value:+.3f} from the value of equal distributions"
            notes.append(Verdict("note", "balance", text, witness=key, value=value))
    if row.get("p_real") is not None:
        fake = f", of fakes {row['p_fake']:.2f}" if row.get("p_fake") is not None else ""
        text = f"mean probability of reals {row['p_real']:.2f}{fake}; 0.50 for equal distributions"
        notes.append(Verdict("note", "balance", text, witness="p_real", value=row["p_real"]))
    return notes


def _witnesses(band, row):
    beginning = band.witness.removesuffix("*")
    names = (
        [key for key in sorted(row) if key.startswith(beginning)]
        if band.witness.endswith("*")
        else [band.witness]
    )
    return [name for name in names if band.concerns(row, name)]


def _verdict(band, witness, rows) -> Verdict:
    newest = rows[-1]
    excesses = []  # of the newest rows outside, oldest first
    for row in reversed(rows):
        if not band.excess(row, witness):
            break
        excesses.insert(0, band.excess(row, witness))
    ends = zip(excesses, excesses[band.times - 1 :], strict=False)
    if any(not band.begins_badly or last >= MENDED * first for first, last in ends):
        state = "alarm"
    else:
        state = "watch" if excesses else "ok"
    low, high = band.limits(newest)
    sides = [f"below {low:g}"] if low is not None else []
    sides += [f"above {high:.3g}"] if high is not None else []
    player = f" ({witness.partition('/')[2]})" if band.witness.endswith("*") else ""
    text = (
        f"{band.says}{player} {newest[witness]:.3g}, alarm {' or '.join(sides)} in {band.times} "
        f"checks in a row, healthy {band.healthy[0]:g} to {band.healthy[1]:g}"
    )
    if excesses and runs_away in band.when:
        text += f"; the generator's rate is {newest['rate_ratio']:.3g} times the discriminator's"
    change = band.change if excesses else ""
    return Verdict(state, band.finding, text, change, witness, newest[witness])
