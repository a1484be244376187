"""Do planted faults raise their own alarm, and do healthy runs stay silent?

    python -m benchmarks.quality.health [--cycles 10000] [--seeds 1] [--case NAME]
    python -m benchmarks.quality.health --plot

The 25-Gaussian grid with MLPs of 3 x 128, batch 256, a check every 1000 cycles on 5000 held-out
points. Each fault changes one thing of a recipe. `--plot` draws docs/pictures/health-*.svg from the
newest rows of benchmarks/results/health.jsonl. The share of time is measured without a budget; in
`gantools train` the checks are spaced out to 2 %.
"""

import json
import time
from pathlib import Path

import click
import numpy as np

from benchmarks.rows import RESULTS, append
from gantools.core import R1, R2, AdversarialModel, GradientPenalty, Stream, duel
from gantools.core.bands import BANDS
from gantools.core.health import Health
from gantools.data.synthetic import grid25
from gantools.nets import mlp
from gantools.report.svg import as_file, curves

BATCH, LATENT, RATE, GAMMA, POINTS, UNSEEN = 256, 2, 5e-4, 0.1, 100_000, 5000
PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
PLAIN = {"objective": "nonsaturating", "momentum": 0.5}
RELATIVISTIC = {"objective": "relativistic", "penalties": (R1(GAMMA), R2(GAMMA)), "momentum": 0.0}
# name: (the alarm that must be raised; what the case sets)
CASES = {
    "rp + R1 + R2": ((), RELATIVISTIC),
    "nonsaturating + R1": ((), {**PLAIN, "penalties": (R1(GAMMA),)}),
    "WGAN-GP": (
        (),
        {
            "objective": "wasserstein", "penalties": (GradientPenalty(0.1),), "momentum": 0.0,
            "repeats": 5,
        },
    ),
    "rp + R1 + R2, 200 points": ((), {**RELATIVISTIC, "points": 200}),
    "200 points": (("overfitting discriminator",), {**PLAIN, "points": 200}),
    "R1 of weight 1000": (("blind discriminator",), {**PLAIN, "penalties": (R1(1000.0),)}),
    "D at rate 1e-6": (("outrun discriminator",), {**PLAIN, "rates": (RATE, 1e-6)}),
    "both at rate 2e-2": (("collapse",), {**PLAIN, "rates": (2e-2, 2e-2)}),
    "G at 50 times D's rate": (("runaway generator",), {**PLAIN, "rates": (50 * RATE, RATE)}),
}  # fmt: skip
# case: the witness that a plot shows
SHOWN = {
    "200 points": "auc_gap",
    "R1 of weight 1000": "blindness",
    "D at rate 1e-6": "blindness",
    "both at rate 2e-2": "diversity",
    "G at 50 times D's rate": "diversity",
}


def play(case, seed=0, cycles=10_000, every=1000):
    """Train one case; return `(its Health callback, seconds of training with checks)`."""
    import keras

    s = CASES[case][1]
    generator_rate, discriminator_rate = s.get("rates", (RATE, RATE))
    game = duel(
        mlp.generator((2,), latent=LATENT, seed=seed),
        mlp.discriminator((2,), seed=seed + 100),
        objective=s["objective"],
        penalties=s.get("penalties", ()),
        repeats=s.get("repeats", 1),
    )
    model = AdversarialModel(game, seed=seed)
    adam = lambda rate: keras.optimizers.Adam(rate, s["momentum"], 0.99)  # noqa: E731
    rates = {"discriminator": adam(discriminator_rate), "generator": adam(generator_rate)}
    model.compile(rates, steps_per_execution=1 if keras.backend.backend() == "torch" else 50)
    points = grid25(s.get("points", POINTS), seed=seed)
    watch = Health(grid25(UNSEEN, seed=seed + 1000), points, every=every, budget=None)
    repeated = np.tile(points, (POINTS // len(points), 1))  # a batch can be larger than the set
    stream = Stream(repeated, BATCH, minibatches=game.minibatches, seed=seed)
    start = time.monotonic()
    model.fit(stream, steps_per_epoch=cycles, verbose=0, callbacks=[watch])
    return watch, time.monotonic() - start


def measure(case, seed, cycles):
    """Play a case, append its row, and return the row."""
    watch, seconds = play(case, seed, cycles)
    keys = sorted({key for row in watch.rows for key in row} - {"class_shares"})
    return append(
        "health", case=case, seed=seed, cycles=cycles, expected=list(CASES[case][0]),
        alarms=sorted({alarm["finding"] for alarm in watch.alarms}),
        first={alarm["finding"]: alarm["cycle"] for alarm in reversed(watch.alarms)},
        passed=passed(case, watch.alarms), seconds=round(seconds, 1),
        share_of_checks=round(watch.spent / seconds, 4),
        series={key: [row.get(key) for row in watch.rows] for key in keys},
    )  # fmt: skip


def passed(case, alarms) -> bool:
    """Return whether a fault raised its alarm, or a healthy run none."""
    raised, expected = {alarm["finding"] for alarm in alarms}, set(CASES[case][0])
    return bool(raised & expected) if expected else not raised


def plot():
    """Draw each fault's witness beside those of the healthy runs."""
    rows = [json.loads(line) for line in (RESULTS / "health.jsonl").read_text().splitlines()]
    newest = {row["case"]: row for row in rows if row["seed"] == 0}
    PICTURES.mkdir(exist_ok=True)
    for case, witness in SHOWN.items():
        band = next(band for band in BANDS if band.witness == witness)
        healthy = [name for name, (expected, _) in CASES.items() if not expected]
        limit = band.high if band.high is not None else band.low
        lines = {name: _series(newest[name], witness) for name in [case, *healthy]}
        values = [*(v for _, line in lines.values() for v in line), limit, *band.healthy]
        low, high = np.nanmin(values), np.nanmax(values)
        picture = curves(
            lines,
            title=f"{case}: {band.says}",
            axes=("cycle", witness.replace("_", " ")),
            y=(low, high + 0.5 * (high - low)),  # room for the legend
            levels=[(limit, "alarm")],
            band=band.healthy,
        )
        (PICTURES / f"health-{slug(case)}.svg").write_text(as_file(picture), encoding="utf-8")


def _series(row, witness):
    """Return `(cycles, values)` of a witness; NaN where it was not measured."""
    values = row["series"].get(witness, [])
    return row["series"]["cycle"][: len(values)], [np.nan if v is None else v for v in values]


def slug(case):
    """Return a case's name as a file name."""
    return "-".join("".join(c if c.isalnum() else " " for c in case.lower()).split())


@click.command()
@click.option("--cycles", default=10_000, show_default=True)
@click.option("--seeds", default=1, show_default=True)
@click.option("--case", "only", type=click.Choice(list(CASES)), help="One case instead of all.")
@click.option("--plot", "drawing", is_flag=True, help="Draw the newest rows, train nothing.")
def main(cycles, seeds, only, drawing):
    """Train healthy and faulty games and compare the alarms with those expected."""
    if drawing:
        plot()
        return
    click.echo(f"{'case':24} {'seed':>4} {'seconds':>8} {'checks':>7}  alarms (first cycle)")
    for case in [only] if only else CASES:
        for seed in range(seeds):
            row = measure(case, seed, cycles)
            listed = ", ".join(f"{name} ({cycle})" for name, cycle in row["first"].items())
            mark = "" if row["passed"] else f"  NOT AS EXPECTED: {row['expected']}"
            click.echo(
                f"{case:24} {seed:4} {row['seconds']:8.0f} {row['share_of_checks']:7.1%}  "
                f"{listed or 'none'}{mark}"
            )


if __name__ == "__main__":
    main()
