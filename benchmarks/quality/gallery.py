"""The games that no other benchmark shows, equal minutes each: a figure and pictures.

    python -m benchmarks.quality.gallery --data FOLDER [--minutes 2] [--seeds 1] [--games ...]

`--sheets docs/zoo` writes the pictures of the first seed as NAME.png there.

    gan ... r3gan    learn clothes: the Frechet distance of samples to held-out reals, in the
                     features of a classifier of other reals; `frechet_real` is that of reals
    detectors        learn the digit 3: AUROC of test digits, threes against all others. The sheet:
                     five threes and five others above what the game makes of them
    srgan, esrgan    learn to enlarge drawn colour digits four times, after `ALONE` pictures with an
                     adversary: PSNR beside bicubic. The sheet: bicubic, enlarged, original

Sizes are `small`; networks differ in cost, so that in equal time they have had unequal cycles.
"""

from pathlib import Path

import click
import numpy as np

from benchmarks.quality.conditional import BATCH, train
from benchmarks.rows import append

LEARNT, SAMPLES, HELD_OUT = 30_000, 5_000, 5_000
NORMAL, SHOWN, TESTED = 3, 5, 2_000
SIDE, SCALE, ENLARGED, ALONE = 32, 4, 500, 16_000
CLOTHES = ("gan", "dcgan", "lsgan", "wgan", "wgan_gp", "sngan", "r3gan")
DETECTORS = ("anogan", "f_anogan", "egbad", "alad", "ganomaly", "skip_ganomaly", "restorer")
ENLARGING = ("srgan", "esrgan")


class Clothes:
    """Fashion-MNIST: half of the training pictures for the games, half for the judge."""

    def __init__(self, folder, out):
        from benchmarks.quality.judge import Judge, mnist, scaled
        from gantools.metrics.distributions import frechet_distance

        x, y = mnist(folder, name="fashion")
        self.x, self.judge = x[:LEARNT], Judge(x[LEARNT:], y[LEARNT:], out, "clothes")
        test = scaled(mnist(folder, "test", name="fashion")[0])
        parts = (test[:HELD_OUT], test[HELD_OUT : 2 * HELD_OUT])
        self.held, self.other = (self.judge.features(part) for part in parts)
        self.real = round(frechet_distance(self.held, self.other), 2)

    def run(self, name, minutes, seed):
        """Return `(figures, pictures, columns)` of one game."""
        from gantools.metrics.distributions import frechet_distance

        model, cycles = train(name, {"x": self.x}, (minutes, None), seed)
        fake = model.sample(SAMPLES, seed=seed, batch=BATCH)
        distance = frechet_distance(self.held, self.judge.features(fake))
        figures = {"cycles": cycles, "frechet": round(distance, 2), "frechet_real": self.real}
        return figures, fake[:80], 10


class Digits:
    """MNIST: training pictures of one digit, test pictures of all."""

    def __init__(self, folder, out):
        from benchmarks.quality.judge import mnist, scaled

        x, y = mnist(folder)
        self.x = scaled(x[y == NORMAL])
        test, self.y = mnist(folder, "test")
        self.test = scaled(test)

    def run(self, name, minutes, seed):
        """Return `(figures, pictures, columns)` of one detector."""
        from gantools.apps.anomaly.fitted import detector_class

        from gantools.metrics.detection import auroc

        found = detector_class(name)().fit(self.x, minutes=minutes, seed=seed)
        odd = self.y != NORMAL
        area = auroc(odd[:TESTED].astype(int), self.score(found, self.test[:TESTED]))
        shown = np.concatenate([self.test[kind][:SHOWN] for kind in (~odd, odd)])
        figures = {"cycles": found.facts["steps"], "auroc": round(float(area), 4)}
        return figures, np.concatenate([shown, found.restored(shown)]), 2 * SHOWN

    def score(self, found, pictures):
        """Return the score by the parts that rank: of several, the mean of their ranks."""
        parts = found.parts(pictures)
        ranks = [np.argsort(np.argsort(parts[n])) for n in found.ranking if n in parts]
        return np.mean(ranks, axis=0)


class ColourDigits:
    """Drawn colour digits, to be enlarged."""

    def __init__(self, folder, out):
        from benchmarks.quality.judge import scaled
        from gantools.data.resample import resize
        from gantools.data.synthetic import colour_digits

        self.x, self.high = colour_digits(LEARNT, SIDE, seed=3), colour_digits(ENLARGED, SIDE, 4)
        low = np.stack([resize(picture, 1 / SCALE) for picture in self.high])
        bicubic = np.stack([resize(picture, SCALE) for picture in low])
        self.high, self.low, self.bicubic = (scaled(a) for a in (self.high, low, bicubic))

    def run(self, name, minutes, seed):
        """Return `(figures, pictures, columns)` of one game."""
        import keras

        from benchmarks.quality.translation import mean_psnr

        model, cycles = train(name, {"x": self.x}, (minutes, None), seed, pretrain=ALONE)
        made = keras.ops.convert_to_numpy(model.best("generator")(self.low))
        figures = {"cycles": cycles, "psnr": round(mean_psnr(made, self.high), 2)}
        figures["psnr_bicubic"] = round(mean_psnr(self.bicubic, self.high), 2)
        return figures, np.concatenate([a[:10] for a in (self.bicubic, made, self.high)]), 10


KINDS = {Clothes: CLOTHES, Digits: DETECTORS, ColourDigits: ENLARGING}
GAMES = {name: kind for kind, names in KINDS.items() for name in names}


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Digits and clothes.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default="judges", show_default=True)
@click.option("--games", default=",".join(GAMES), show_default=True)
@click.option("--minutes", default=2.0, show_default=True, help="Of training, a game and seed.")
@click.option("--seeds", default=1, show_default=True)
@click.option("--sheets", type=click.Path(path_type=Path), help="Folder for pictures.")
@click.option("--record/--no-record", default=True, help="Keep rows in benchmarks/results.")
def main(data, out, games, minutes, seeds, sheets, record):
    """Train games at size small for equal minutes; print a figure and write pictures of each."""
    made = {}
    for name in games.split(","):
        kind = GAMES[name]
        made[kind] = made.get(kind) or kind(data, out)
        for seed in range(seeds):
            figures, shown, columns = made[kind].run(name, minutes, seed)
            if sheets and seed == 0:
                from benchmarks.sheets import write

                write(shown, columns, sheets / f"{name}.png")
            if record:
                append("gallery", game=name, seed=seed, minutes=minutes, **figures)
            click.echo(f"{name} seed {seed}: {figures}")


if __name__ == "__main__":
    main()
