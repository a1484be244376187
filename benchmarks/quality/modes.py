"""Which recipes find all 25 Gaussians of a grid, and which do not.

    python -m benchmarks.quality.modes [--cycles 10000] [--seeds 3]

Generator and discriminator are MLPs of 3 x 128, batch 256, 2 normal latents. A mode counts when at
least 0.4 % of 10 000 samples lie within 3 standard deviations of its centre. R3GAN's recipe
(relativistic pairing, R1 and R2, no momentum) must find them; the non-saturating game without a
penalty must not: a benchmark that everything passes says nothing.
"""

import time

import click
import numpy as np

from benchmarks.rows import append
from gantools.core import R1, R2, AdversarialModel, Ema, Stream, duel
from gantools.data.synthetic import GRID_SD, grid25, grid_centres
from gantools.nets import mlp

BATCH, LATENT, RATE, GAMMA = 256, 2, 5e-4, 0.1
SHARE = 0.004  # a tenth of a mode's fair share
RECIPES = {
    "relativistic + R1 + R2": ("relativistic", (R1(GAMMA), R2(GAMMA)), 0.0),
    "nonsaturating": ("nonsaturating", (), 0.5),
}


def play(recipe, seed, cycles):
    """Train one recipe; return `(modes of the averaged generator, share of good samples, s)`."""
    objective, penalties, momentum = RECIPES[recipe]
    start = time.monotonic()
    points = grid25(100_000, seed=seed)
    model = trained(points, objective, penalties, RATE, momentum, LATENT, seed, cycles)
    found = coverage(drawn(model, seed), grid_centres(), GRID_SD, SHARE)
    return *found, time.monotonic() - start


def trained(points, objective, penalties, rate, momentum, latent, seed, cycles):
    """Return the model of a duel of MLPs on points; `rate` may be a schedule."""
    import keras

    game = duel(
        mlp.generator((2,), latent=latent, seed=seed),
        mlp.discriminator((2,), seed=seed + 100),
        objective=objective,
        penalties=penalties,
        ema=Ema(10_000),
    )
    model = AdversarialModel(game, seed=seed)
    turns = ("discriminator", "generator")
    loop = 1 if keras.backend.backend() == "torch" else 50
    model.compile(
        {turn: keras.optimizers.Adam(rate, momentum, 0.99) for turn in turns},
        steps_per_execution=loop,
    )
    model.fit(Stream(points, BATCH, seed=seed), steps_per_epoch=cycles, verbose=0)
    return model


def drawn(model, seed):
    """Return the 10 000 samples that are counted."""
    return model.sample(10_000, seed=seed, batch=10_000)


def coverage(samples, centres, sd, share):
    """Return `(modes found, share of samples within 3 standard deviations of a centre)`.

    Args:
        samples: `(n, 2)`.
        centres: `(modes, 2)`.
        sd: Standard deviation of a mode.
        share: Of the samples, from which a mode counts.
    """
    near = np.linalg.norm(samples[:, None] - centres[None], axis=2) < 3 * sd  # (n, modes)
    return int(np.sum(near.mean(axis=0) >= share)), float(near.any(axis=1).mean())


@click.command()
@click.option("--cycles", default=10_000, show_default=True)
@click.option("--seeds", default=3, show_default=True)
def main(cycles, seeds):
    """Train every recipe on the 25-Gaussian grid and print how many modes it finds."""
    click.echo(f"{'recipe':24} {'seed':>4} {'modes of 25':>12} {'within 3 sd':>12} {'seconds':>8}")
    for recipe in RECIPES:
        for seed in range(seeds):
            modes, good, seconds = play(recipe, seed, cycles)
            click.echo(f"{recipe:24} {seed:4} {modes:12} {good:12.2f} {seconds:8.0f}")
            append(
                "modes", recipe=recipe, seed=seed, cycles=cycles, modes=modes,
                within_3_sd=round(good, 4), seconds=round(seconds, 1),
            )  # fmt: skip


if __name__ == "__main__":
    main()
