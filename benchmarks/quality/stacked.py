"""How many of 1000 modes does a game find? Three digits in the three channels of a picture.

    python -m benchmarks.quality.stacked --data FOLDER [--minutes 3] [--seeds 3] [--only r3gan]

FOLDER holds `mnist_images.npy.xz` and `mnist_labels.npz`. Every picture stacks three random digits,
so there are 1000 classes of equal size; a classifier of single digits, trained here, reads each
channel of 26 000 samples of the averaged generator. `modes` are the classes that occur, `kl` is the
divergence of their frequencies from the uniform ones in nats: 0.02 for real pictures, for want of
more samples. All recipes but `r3gan` share DCGAN's networks for CPUs, without normalisation, and
get the same minutes of processor time; "relativistic + R1 + R2" is R3GAN's objective with them, and
`r3gan` the game of that name in its small size, with its own networks.

A run that is stopped goes on where it was when the command is given again.

Source: the task is that of Metz et al. 2016, arXiv 1611.02163, and Lin et al. 2018, arXiv
1712.04086.
"""

import time
from functools import partial
from pathlib import Path

import click
import keras
import numpy as np

from benchmarks.quality.judge import Judge, mnist, scaled
from benchmarks.rows import append
from gantools.core import R1, R2, AdversarialModel, Ema, GradientPenalty, Stream, duel
from gantools.core.callbacks import Checkpoints
from gantools.nets import dcgan

SHAPE, BATCH, SAMPLES, HALF_LIFE = (28, 28, 3), 64, 26_000, 10_000
TRIPLES = 100_000
PLAIN = {  # objective, penalties, critic turns, rate, betas
    "minimax": ("minimax", (), 1, 2e-4, (0.5, 0.999)),
    "nonsaturating + R1": ("nonsaturating", (R1(1.0),), 1, 2e-4, (0.0, 0.99)),
    "relativistic + R1 + R2": ("relativistic", (R1(1.0), R2(1.0)), 1, 2e-4, (0.0, 0.99)),
    "wgan-gp": ("wasserstein", (GradientPenalty(10.0),), 5, 2e-4, (0.0, 0.9)),
}
RECIPES = (*PLAIN, "r3gan")


def build(recipe, seed):
    """Return `(compiled model, minibatches a cycle)`."""
    if recipe == "r3gan":
        from gantools.gans import r3gan

        return r3gan.game("small", SHAPE, seed=seed).model(seed), 1
    objective, penalties, repeats, rate, betas = PLAIN[recipe]
    game = duel(
        dcgan.generator(SHAPE, norm_kind="none", seed=seed, **dcgan.CPU_GENERATOR),
        dcgan.discriminator(SHAPE, norm_kind="none", seed=seed, **dcgan.CPU_DISCRIMINATOR),
        objective=objective,
        penalties=penalties,
        repeats=repeats,
        ema=Ema(HALF_LIFE),
    )
    model = AdversarialModel(game, seed=seed)
    model.compile({turn.name: keras.optimizers.Adam(rate, *betas) for turn in game.turns})
    return model, game.minibatches


class Stacks:
    """Pictures of three digits, and the reader of them."""

    def __init__(self, folder, out):
        x, y = mnist(folder)
        self.judge = Judge(x, y, out, "stacked")
        self.pictures = stacked(x, TRIPLES, seed=0)
        real = stacked(mnist(folder, "test")[0], SAMPLES, seed=1)
        self.real = self.modes(scaled(real))

    def modes(self, pictures):
        """Return `(classes found, divergence in nats)` of pictures in [-1, 1]."""
        digits = [self.judge.classes(pictures[..., i : i + 1]) for i in range(3)]
        return counted(100 * digits[0] + 10 * digits[1] + digits[2])


def stacked(x, count, seed):
    """Return `(count, 28, 28, 3)` uint8: three random pictures of `x` in the channels."""
    chosen = np.random.default_rng(seed).integers(0, len(x), (count, 3))
    return np.concatenate([x[chosen[:, i]] for i in range(3)], axis=-1)


def counted(numbers, classes=1000):
    """Return `(classes that occur, KL divergence of their frequencies from uniform ones)`."""
    share = np.bincount(numbers, minlength=classes) / len(numbers)
    present = share[share > 0]
    return len(present), round(float(np.sum(present * np.log(present * classes))), 4)


class Budget(keras.callbacks.Callback):
    """Stops a training when the process has spent its time, in seconds of processor."""

    def __init__(self, seconds):
        super().__init__()
        self.seconds, self.spent = seconds, 0.0

    def on_train_begin(self, logs=None):
        """Wait for the first batch: it compiles and is not counted."""
        self.began = None

    def on_train_batch_end(self, batch, logs=None):
        """Stop when the time is spent."""
        self.began = time.process_time() if self.began is None else self.began
        self.spent = time.process_time() - self.began
        if self.spent >= self.seconds:
            self.model.stop_training = True


def play(recipe, seed, minutes, points, stacks, out):
    """Train one recipe; return `(points of the curve, cycles)`; what is done is kept in `out`."""
    model, minibatches = build(recipe, seed)
    root = out / f"{recipe.replace(' ', '')}-seed{seed}-minutes{minutes:g}"
    notes = (model.restore(root) or {}).get("notes") or {"curve": [], "seconds": 0.0}
    stream = Stream(stacks.pictures, BATCH, minibatches=minibatches, seed=seed)
    for end in [60 * minutes * (i + 1) / points for i in range(points)][len(notes["curve"]) :]:
        budget = Budget(end - notes["seconds"])
        now = partial(_spent, notes, budget)
        saver = Checkpoints(root, minutes=2, notes=now)
        model.fit(stream, steps_per_epoch=10**6, verbose=0, callbacks=[saver, budget])
        if saver.interrupted:
            raise SystemExit(130)
        notes = now()
        samples = model.sample(SAMPLES, seed=1, batch=500)
        notes["curve"].append([round(notes["seconds"] / 60, 2), *stacks.modes(samples)])
        model.save(root, notes=notes)
    return notes["curve"], int(model.cycle)


def _spent(notes, budget):
    return {**notes, "seconds": notes["seconds"] + budget.spent}


@click.command()
@click.option("--data", type=click.Path(path_type=Path, exists=True), required=True)
@click.option("--minutes", default=3.0, show_default=True, help="Of processor time, each run.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--points", default=1, show_default=True, help="Of the curve.")
@click.option("--only", type=click.Choice(RECIPES), multiple=True, default=RECIPES)
@click.option("--out", type=click.Path(path_type=Path), default=Path("runs/stacked"))
def main(data, minutes, seeds, points, only, out):
    """Train every recipe for the same time and print how many of the 1000 modes it finds."""
    stacks = Stacks(data, out)
    click.echo(f"real pictures: {stacks.real[0]} modes, KL {stacks.real[1]}")
    for recipe in only:
        for seed in range(seeds):
            curve, cycles = play(recipe, seed, minutes, points, stacks, out)
            spent, modes, divergence = curve[-1]
            click.echo(
                f"{recipe:20} seed {seed}: {modes:4} modes, KL {divergence:.3f} after {cycles} "
                f"cycles, {spent} minutes; curve {curve}"
            )
            append(
                "stacked", recipe=recipe, seed=seed, minutes=minutes, cycles=cycles,
                modes=modes, kl=divergence, curve=curve, real=list(stacks.real),
            )  # fmt: skip


if __name__ == "__main__":
    main()
