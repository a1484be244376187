"""Mode collapse shown and cured on eight Gaussians: the original paper's "Helvetica scenario".

    python -m benchmarks.quality.ring [--cycles 15000] [--seeds 3]

MLPs of 3 x 128, batch 256, 16 normal latents, rates constant for the first half, then linearly to
1 %. A mode is covered with at least 20 % of its fair share within 3 standard deviations of its
centre. The non-saturating game without a penalty must collapse, to at most 3 modes; relativistic
pairing with R1 and R2 must cover all 8, at least 60 % of its samples good, and scores of real and
fake samples that meet within 0.05.
"""

import time

import click
import numpy as np

from benchmarks.quality.modes import BATCH, coverage, drawn, trained
from benchmarks.rows import append
from gantools.core import R1, R2, Linear
from gantools.data.synthetic import RING_SD, ring8, ring_centres

LATENT, GAMMA = 16, 0.1
SHARE = 0.2 / 8  # a fifth of a mode's fair share
RECIPES = {  # objective, penalties, rate, beta_1
    "nonsaturating": ("nonsaturating", (), 5e-4, 0.5),
    "relativistic + R1 + R2": ("relativistic", (R1(GAMMA), R2(GAMMA)), 1e-3, 0.0),
}


def play(recipe, seed, cycles):
    """Train one recipe; return its figures."""
    objective, penalties, rate, momentum = RECIPES[recipe]
    images, start = cycles * BATCH, time.monotonic()
    falling = Linear(rate, 0.01 * rate, images, begin=images // 2)
    points = ring8(100_000, seed=seed)
    model = trained(points, objective, penalties, falling, momentum, LATENT, seed, cycles)
    samples = drawn(model, seed)
    modes, good = coverage(samples, ring_centres(), RING_SD, SHARE)
    judge = model.game.players["discriminator"]
    real, fake = (
        float(np.mean(1 / (1 + np.exp(-judge.predict(x, batch_size=10_000, verbose=0)))))
        for x in (points[:10_000], samples)
    )
    return {
        "modes": modes, "within_3_sd": round(good, 4), "sigma_real": round(real, 4),
        "sigma_fake": round(fake, 4), "seconds": round(time.monotonic() - start, 1),
    }  # fmt: skip


@click.command()
@click.option("--cycles", default=15_000, show_default=True)
@click.option("--seeds", default=3, show_default=True)
def main(cycles, seeds):
    """Train both recipes on the ring and print how many modes they cover."""
    for recipe in RECIPES:
        for seed in range(seeds):
            found = play(recipe, seed, cycles)
            click.echo(f"{recipe:24} seed {seed}: {found}")
            append("ring", recipe=recipe, seed=seed, cycles=cycles, **found)


if __name__ == "__main__":
    main()
