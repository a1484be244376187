"""Time of a training cycle against the same game in loops written by hand.

    python -m benchmarks.speed.step_time [--rounds 7] [--threads 2]

The rivals: "tensorflow", the same Keras networks in the loop that the examples of Keras have;
"torch", the same layers in plain PyTorch, channels last, where each side has its better precision
of float32 and bfloat16. Two more are the core itself, for DCGAN: "transpose", on JAX with
transposed convolutions, against the core's sub-pixel ones; "new-fakes", with fakes made anew for
the generator's turn, against `duel(reuse=True)`.

Each side has a process of its own with equally many threads, and all take turns cycle by cycle, so
that a slow moment of the machine hits all. The median of their ratios holds on other machines
better than seconds do; that of processor time, with one thread, even on a busy one. Memory is the
peak of a side's process (Linux).
"""

import os
import statistics

import click

from benchmarks.rows import append
from benchmarks.speed.step_cases import CASES
from benchmarks.speed.step_sides import Seat, Side

PRECISIONS = ("float32", "bfloat16")
# rival: (the core's sides, the rival's sides), of which the faster one counts
RIVALS = {
    "tensorflow": ([Side("core")], [Side("tensorflow")]),
    "torch": ([Side("core", p) for p in PRECISIONS], [Side("torch", p) for p in PRECISIONS]),
    "transpose": ([Side("core", backend="jax", up="subpixel")], [Side("core", backend="jax")]),
    "new-fakes": ([Side("core", reuse=True)], [Side("core")]),
}
ONLY = {"transpose": ("dcgan-64",), "new-fakes": ("dcgan-64",)}  # cases of those that play few


def played(case, sides, rounds, threads):
    """Return side -> its `Seat`, closed, after all have played in turns.

    Args:
        case: Name of a case.
        sides: `Side` values; all must have as many weights, sub-pixel ones aside.
        rounds: Cycles of each side after its warm-up.
        threads: Cores and threads of each side.

    Raises:
        RuntimeError: two sides play with networks of different sizes.
    """
    seats = {side: Seat(side, case, threads) for side in sides}
    counts = {str(seat.parameters) for side, seat in seats.items() if side.up == "transpose"}
    if len(counts) > 1:
        raise RuntimeError(f"The sides of {case} differ in weights: {', '.join(counts)}.")
    for i in range(rounds):
        for seat in list(seats.values())[:: -1 if i % 2 else 1]:
            seat.play()
    for seat in seats.values():
        seat.close()
    return seats


def row_of(core, rival, seats):
    """Return the figures of the faster one of the core's sides against that of the rival's.

    Args:
        core, rival: `Side` values.
        seats: Side -> `Seat` that has played.
    """
    medians = {side: statistics.median(seats[side].seconds) for side in (*core, *rival)}
    own, other = (min(sides, key=medians.get) for sides in (core, rival))
    a, b = seats[own], seats[other]
    row = {
        "core_s": medians[own],
        "rival_s": medians[other],
        "core_mb": a.memory,
        "rival_mb": b.memory,
        "ratio": ratio(a.seconds, b.seconds),
        "processor_ratio": ratio(a.processor, b.processor),
        "memory_ratio": a.memory / b.memory,
    }
    row = {key: round(value, 4) for key, value in row.items()}
    precisions = {"core_precision": own.precision, "rival_precision": other.precision}
    everyone = {str(side): round(value, 4) for side, value in medians.items()}
    return {**precisions, **row, "all_s": everyone}


def ratio(first, second):
    """Return the median ratio of what was measured in the same rounds."""
    return statistics.median(a / b for a, b in zip(first, second, strict=True))


@click.command()
@click.option("--rounds", default=7, show_default=True)
@click.option("--case", type=click.Choice(list(CASES)), multiple=True, default=list(CASES))
@click.option("--rival", type=click.Choice(list(RIVALS)), multiple=True, default=list(RIVALS))
@click.option("--threads", type=int, help="Of each side; all cores unless given.")
@click.option("--rows/--no-rows", default=True, help="Whether to append to the results.")
def main(rounds, case, rival, threads, rows):
    """Print the seconds of a cycle on both sides and the median of their ratios."""
    threads = threads or len(os.sched_getaffinity(0))
    heads = f"{'core s':>8} {'rival s':>8} {'ratio':>6} {'processor':>9} {'memory':>6}"
    click.echo(f"{'case':12} {'rival':11} {heads}")
    for name in case:
        rivals = {r: RIVALS[r] for r in rival if name in ONLY.get(r, CASES)}
        sides = dict.fromkeys(s for core, other in rivals.values() for s in (*core, *other))
        seats = played(name, sides, rounds, threads)
        for other, (own, others) in rivals.items():
            row = row_of(own, others, seats)
            click.echo(
                f"{name:12} {other:11} {row['core_s']:8.3f} {row['rival_s']:8.3f} "
                f"{row['ratio']:6.3f} {row['processor_ratio']:9.3f} {row['memory_ratio']:6.3f}  "
                f"{row['all_s']}"
            )
            if rows:
                settings = {"case": name, "rival": other, "rounds": rounds, "threads": threads}
                append("step_time", **settings, **row)


if __name__ == "__main__":
    main()
