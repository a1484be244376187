"""Do planted faults of runs on pictures raise their own alarm, and do healthy runs stay silent?

    python -m benchmarks.quality.health_pictures --data FOLDER [--cycles 2000] [--case NAME]
    python -m benchmarks.quality.health_pictures --again

FOLDER holds `fashion_images.npy.xz` (70 000 pictures of clothes, the last 10 000 unseen). DCGAN's
networks for CPUs, batch 64, ten checks on 2000 unseen pictures. Healthy are the games dcgan and
r3gan in their small size; each fault changes one thing:

    4 latents              the generator is only ever given four points: the Helvetica scenario
    200 pictures           nothing else to learn from, and no augmentation
    R1 of weight 1e5       the critic may not have a slope, and sees nothing
    both at rate 2e-2      a hundred times DCGAN's

`--again` judges the recorded checks by the bands of today: the rows hold all numbers of a check.
"""

import json
import time
from pathlib import Path

import click
import keras
import numpy as np
from keras import ops

from benchmarks.rows import RESULTS, append
from gantools.core import R1, AdversarialModel, Stream, duel
from gantools.core.health import Health
from gantools.core.verdicts import judge
from gantools.data.folders import load_images
from gantools.nets import dcgan
from gantools.registry import load_game

BATCH, TEST, UNSEEN, CHECKS = 64, 10_000, 2_000, 10
HOT = ("collapse", "divergence", "runaway generator", "unsteady gradient")
CASES = {  # name: (alarms of which one must be raised, none for a healthy run; what it sets)
    "dcgan": ((), {"game": "dcgan"}),
    "r3gan": ((), {"game": "r3gan"}),
    "4 latents": (("collapse", "latent without effect"), {"latents": 4}),
    "200 pictures": (("overfitting discriminator",), {"pictures": 200}),
    "R1 of weight 1e5": (("blind discriminator",), {"penalties": (R1(1e5),)}),
    "both at rate 2e-2": (HOT, {"rate": 2e-2}),
}


def few(count, latent, seed):
    """Return a sampler of latents that are always one of `count` fixed points."""
    points = np.random.default_rng(seed).normal(size=(count, latent)).astype(np.float32)

    def sample(size, seed, batch):
        chosen = keras.random.randint((size,), 0, count, "int32", seed)
        return ops.take(ops.convert_to_tensor(points), chosen, axis=0)

    return sample


def build(case, shape, seed):
    """Return the compiled model of a case, for pictures of some shape."""
    s = CASES[case][1]
    if "game" in s:
        return load_game(s["game"])(size="small", shape=shape, seed=seed).model(seed)
    game = duel(
        dcgan.generator(shape, norm_kind="none", seed=seed, **dcgan.CPU_GENERATOR),
        dcgan.discriminator(shape, norm_kind="none", seed=seed, **dcgan.CPU_DISCRIMINATOR),
        objective="nonsaturating",
        penalties=s.get("penalties", ()),
        latent=few(s["latents"], dcgan.CPU_GENERATOR["latent"], seed) if "latents" in s else None,
    )
    model = AdversarialModel(game, seed=seed)
    rate = s.get("rate", 2e-4)
    model.compile({turn.name: keras.optimizers.Adam(rate, 0.5) for turn in game.turns})
    return model


def play(case, pictures, seed, cycles):
    """Train one case; return `(its Health callback, seconds)`."""
    own = pictures[:-TEST][: CASES[case][1].get("pictures", len(pictures))]
    model = build(case, pictures.shape[1:], seed)
    watch = Health(
        pictures[-TEST:][:UNSEEN], own[:UNSEEN], every=cycles // CHECKS, budget=None, seed=seed
    )
    stream = Stream(np.resize(own, (max(len(own), BATCH), *own.shape[1:])), BATCH, seed=seed)
    start = time.monotonic()
    model.fit(stream, steps_per_epoch=cycles, verbose=0, callbacks=[watch])
    return watch, time.monotonic() - start


def recorded():
    """Yield the rows that this benchmark has written."""
    for line in (RESULTS / "health_pictures.jsonl").read_text(encoding="utf-8").splitlines():
        yield json.loads(line)


def first_alarms(series):
    """Return finding -> cycle of its first alarm, from name -> its values in all checks."""
    checks = [
        dict(zip(series, values, strict=True)) for values in zip(*series.values(), strict=True)
    ]
    first = {}
    for count in range(1, len(checks) + 1):
        for verdict in judge(checks[:count]):
            if verdict.state == "alarm":
                first.setdefault(verdict.finding, checks[count - 1]["cycle"])
    return first


def as_expected(first, expected):
    """Return whether one of the expected alarms was raised, or none where none is expected."""
    return bool(set(first) & set(expected)) if expected else not first


def report(case, seed, seconds, first, expected):
    """Print one line of the table."""
    listed = ", ".join(f"{name} ({cycle})" for name, cycle in first.items()) or "none"
    wanted = ", ".join(expected) or "none"
    mark = "" if as_expected(first, expected) else f"  NOT AS EXPECTED: {wanted}"
    click.echo(f"{case:20} {seed:4} {seconds:8.0f} s  {listed}{mark}")


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True))
@click.option("--cycles", default=2_000, show_default=True)
@click.option("--seeds", default=1, show_default=True)
@click.option("--case", "only", type=click.Choice(list(CASES)), help="One case instead of all.")
@click.option("--again", is_flag=True, help="Judge the recorded checks again.")
def main(data, cycles, seeds, only, again):
    """Train healthy and faulty games on clothes and compare the alarms with those expected."""
    if again:
        for row in recorded():
            first = first_alarms(row["series"])
            report(row["case"], row["seed"], row["seconds"], first, row["expected"])
        return
    if not data:
        raise click.UsageError("--data is missing: the folder of fashion_images.npy.xz.")
    pictures = load_images(data / "fashion_images.npy.xz").images
    split = np.random.default_rng(0)  # the file is sorted by class
    pictures = np.concatenate([split.permutation(part) for part in np.split(pictures, [60_000])])
    for case in [only] if only else CASES:
        for seed in range(seeds):
            watch, seconds = play(case, pictures, seed, cycles)
            expected = CASES[case][0]
            first = {alarm["finding"]: alarm["cycle"] for alarm in reversed(watch.alarms)}
            keys = sorted({key for row in watch.rows for key in row} - {"class_shares"})
            append(
                "health_pictures", case=case, seed=seed, cycles=cycles,
                expected=list(expected), alarms=sorted(first), first=first,
                passed=as_expected(first, expected),
                seconds=round(seconds, 1), share_of_checks=round(watch.spent / seconds, 4),
                series={key: [row.get(key) for row in watch.rows] for key in keys},
            )  # fmt: skip
            report(case, seed, seconds, first, expected)


if __name__ == "__main__":
    main()
