"""Does DiffAugment help where there are only 500 pictures?

    python -m benchmarks.quality.small_data --data FOLDER [--cycles 4000] [--seeds 3] [--out RUNS]
                                        [--seed 2]

FOLDER holds `mnist_images.npy.xz` and `mnist_labels.npz`. The game r3gan in its small size learns
from 500 digits, once with "translation,cutout" filled black and once without; both have the same
seeds and cycles, over which the rate falls. After every quarter the averaged generator's Frechet
distance to held-out digits is measured, 5 000 against 5 000, in the features of a classifier that
never saw either. `same set` is that distance between two sets of real digits: nothing can be below
it. At the end, `CHECKS` checks of `Health` on unseen digits, while the run goes on for so long, say
whether the discriminator knows the 500 by heart.

A run that is stopped goes on where it was when the command is given again.
"""

import json
import time
from pathlib import Path

import click
import numpy as np

from benchmarks.rows import append

PICTURES, JUDGED, SAMPLES = 500, 20_000, 5_000
CHECKS, APART = 3, 100  # of the run's health at its end; cycles
SHAPE, BATCH = (28, 28, 1), 64
ARMS = {"none": None, "diffaugment": "translation,cutout"}


def build(arm, seed, cycles):
    """Return the compiled model of one arm."""
    from gantools.registry import load_game

    options = {"augment": ARMS[arm], "fill": -1.0, "batch": BATCH, "images": cycles * BATCH}
    return load_game("r3gan")("small", SHAPE, seed=seed, **options).model(seed)


class Digits:
    """The pictures to learn from, and the distance to others."""

    def __init__(self, folder, out):
        from benchmarks.quality.judge import Judge, mnist, scaled

        x, y = mnist(folder)
        self.x = x[:PICTURES]
        chosen = slice(PICTURES, PICTURES + JUDGED)
        self.judge = Judge(x[chosen], y[chosen], out, "small_data")
        self.unseen = mnist(folder, "test")[0]
        held_out = scaled(self.unseen)
        self.held_out, other = (
            self.judge.features(part) for part in (held_out[:SAMPLES], held_out[SAMPLES:])
        )
        self.same_set = self.distance(other)

    def distance(self, features):
        """Return the Frechet distance to held-out digits."""
        from gantools.metrics.distributions import frechet_distance

        return round(frechet_distance(self.held_out, features[:SAMPLES]), 2)


def play(arm, seed, cycles, digits, out):
    """Train one arm to the end; return `(distance after each quarter, seconds, alarms)`.

    What is done is kept in `out`: the state of the run, and notes with it.
    """
    from gantools.core import Stream
    from gantools.core.callbacks import Checkpoints

    model = build(arm, seed, cycles)
    root = out / f"{arm}-seed{seed}-cycles{cycles}"
    notes = (model.restore(root) or {}).get("notes") or {"distances": [], "seconds": 0.0}
    stream = Stream(digits.x, BATCH, seed=seed)
    quarters = [cycles * i // 4 for i in range(1, 5)]
    for quarter in quarters[len(notes["distances"]) :]:
        start, done = time.monotonic(), notes["seconds"]
        left = quarter - int(model.cycle)
        now = lambda start=start, done=done: {  # noqa: E731
            **notes,
            "seconds": done + time.monotonic() - start,
        }
        if left:
            saver = Checkpoints(root, minutes=2, notes=now)
            model.fit(stream, steps_per_epoch=left, verbose=0, callbacks=[saver])
            if saver.interrupted:
                raise SystemExit(130)
        notes["seconds"] = now()["seconds"]
        samples = model.sample(SAMPLES, seed=1, batch=500)
        notes["distances"].append(digits.distance(digits.judge.features(samples)))
        model.save(root, notes=notes)
    return notes["distances"], notes["seconds"], alarms(model, stream, digits)


def alarms(model, stream, digits):
    """Return what `Health` raises while the run goes on for some checks; nothing is saved."""
    from gantools.core.health import Health

    health = Health(digits.unseen, digits.x, every=APART, budget=None)
    model.fit(stream, steps_per_epoch=CHECKS * APART, verbose=0, callbacks=[health])
    return sorted({alarm["finding"] for alarm in health.alarms})


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--cycles", default=4_000, show_default=True)
@click.option("--seeds", default=3, show_default=True)
@click.option("--seed", "only", type=int, multiple=True, help="These instead of the first.")
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/small_data"))
def main(data, cycles, seeds, only, out):
    """Train with and without DiffAugment on 500 digits and print the distances."""
    played = only or range(seeds)
    rows_file = out / f"rows-cycles{cycles}.json"
    rows = json.loads(rows_file.read_text()) if rows_file.exists() else {}
    digits = Digits(data, out)
    click.echo(f"same set: {digits.same_set}")
    click.echo(f"{'arm':12} {'seed':>4} {'after each quarter of the cycles':>36} {'seconds':>8}")
    for seed in played:
        for arm in ARMS:
            distances, seconds, found = play(arm, seed, cycles, digits, out)
            quarters = " ".join(f"{d:8.2f}" for d in distances)
            listed = ", ".join(found) or "no alarm"
            click.echo(f"{arm:12} {seed:4} {quarters:>36} {seconds:8.0f}  {listed}")
            if f"{arm}/{seed}" not in rows:
                append(
                    "small_data", arm=arm, seed=seed, cycles=cycles, pictures=PICTURES,
                    frechet=distances, same_set=digits.same_set,
                    seconds=round(seconds, 1), alarms=found,
                )  # fmt: skip
            rows[f"{arm}/{seed}"] = distances
            rows_file.write_text(json.dumps(rows))
    better = [rows[f"diffaugment/{s}"][-1] < rows[f"none/{s}"][-1] for s in played]
    click.echo(f"DiffAugment is nearer at the end for {int(np.sum(better))} of {len(better)} seeds")


if __name__ == "__main__":
    main()
