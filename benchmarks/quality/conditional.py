"""Do the games do what is asked of them? Read by a classifier of real pictures.

    python -m benchmarks.quality.conditional --data FOLDER [--minutes 10] [--seeds 3] [--games ...]

`--steps` limits the cycles instead, for figures that do not depend on how busy the machine is;
`--sheets docs/zoo` writes samples of the first seed as NAME.png there.

    cgan, acgan   10 000 digits, classes asked for in turn: the classifier reads the asked class;
                  within a class, generated pairs must not be more alike (SSIM) than real pairs
    infogan       the same digits without labels: categories against classes, best matching
    bigan, ali    G(E(x)) of held-out digits: still the same class, and nearer than the mean picture
    stylegan      drawn colour digits, 32 pixels: of two mixed samples the digit must come from the
                  coarse styles (4 and 8 pixels), the ink from the fine ones. Nothing is truncated,
                  as in the paper's tables
    dcgan         the same colour digits: its distance is what StyleGAN's is compared with

`frechet` is a distance to held-out reals in the classifier's features, `frechet_real` that of as
many other reals, `frechet_marginal` that of pictures whose pixels are drawn independently, each
from the real pixels of that place and class.
"""

import time
from pathlib import Path

import click
import numpy as np

from benchmarks.rows import append

PICTURES, SAMPLES, HELD_OUT = 10_000, 5_000, 5_000
PAIRS = 200  # of each class, for SSIM
COARSE = 4  # layers at 4 and 8 pixels
MIXES = 500
BATCH = 250  # samples made at once
COLOURS = 20_000  # drawn pictures that the judges of colour digits learn from


def train(name, arrays, budget, seed, **options):
    """Train the game `name` at size small for `(minutes, cycles)`; return `(model, cycles)`."""
    from gantools.core import Stream
    from gantools.core.callbacks import Deadline
    from gantools.registry import load_game

    recipe = load_game(name)(size="small", shape=arrays["x"].shape[1:], seed=seed, **options)
    model = recipe.model(seed)
    stream = Stream(arrays, recipe.batch, minibatches=recipe.game.minibatches, seed=seed)
    model.fit(stream, steps_per_epoch=1, epochs=1, verbose=0)  # compiles
    minutes, steps = budget
    left = steps - 1 if steps else 10**7
    if left:
        model.fit(stream, steps_per_epoch=left, epochs=1, verbose=0, callbacks=[Deadline(minutes)])
    return model, int(model.cycle)


class Digits:
    """MNIST, split for a game, its judge and the measurements."""

    def __init__(self, folder, out, pictures):
        from benchmarks.quality.judge import Judge, mnist, scaled

        x, y = mnist(folder)
        self.x, self.y = x[:pictures], y[:pictures]
        self.judge = Judge(x[pictures:], y[pictures:], out, "digit")
        x, self.y_test = mnist(folder, "test")
        self.x_test = scaled(x)
        self.accuracy = float(np.mean(self.judge.classes(self.x_test) == self.y_test))
        self.held, self.other = (
            self.judge.features(part) for part in (self.x_test[:HELD_OUT], self.x_test[HELD_OUT:])
        )

    def distances(self, fake):
        """Return the Frechet distances of samples and of the references of the same number."""
        from benchmarks.quality.judge import scaled
        from gantools.metrics.distributions import frechet_distance

        random = np.random.default_rng(0)
        y = random.integers(0, 10, len(fake))
        marginal = np.empty_like(fake)
        for k in range(10):
            of_class, count = self.x[self.y == k].reshape(-1, 784), int(np.sum(y == k))
            rows = random.integers(0, len(of_class), (count, 784))
            drawn = scaled(np.take_along_axis(of_class, rows, axis=0))
            marginal[y == k] = drawn.reshape(count, 28, 28, 1)
        sets = {"frechet": fake, "frechet_marginal": marginal}
        found = {
            n: round(frechet_distance(self.held, self.judge.features(s)), 2)
            for n, s in sets.items()
        }
        return found | {"frechet_real": round(frechet_distance(self.held, self.other), 2)}

    def conditional(self, name, budget, seed):
        """Measure a game that is told classes."""
        arrays = {"x": self.x, "y": self.y}
        model, cycles = train(name, arrays, budget, seed, classes=10)
        asked = (np.arange(SAMPLES) * 10 // SAMPLES).astype(np.int32)
        fake = model.sample(SAMPLES, seed=seed, batch=BATCH, y=asked)
        alike = within_class(fake, asked)
        real = within_class(self.x_test, self.y_test)
        return model, {
            "cycles": cycles,
            "agreement": round(float(np.mean(self.judge.classes(fake) == asked)), 4),
            "ssim_within": round(alike, 4),
            "ssim_within_real": round(real, 4),
            **self.distances(fake),
        }

    def infogan(self, name, budget, seed):
        """Measure how well InfoGAN's categories are the classes, under the best matching."""
        from scipy.optimize import linear_sum_assignment

        model, cycles = train(name, {"x": self.x}, budget, seed)
        fake = model.sample(SAMPLES, seed=seed, batch=BATCH)
        category = np.arange(SAMPLES) * 10 // SAMPLES
        counts = np.zeros((10, 10))
        np.add.at(counts, (category, self.judge.classes(fake)), 1)
        rows, columns = linear_sum_assignment(-counts)
        return model, {
            "cycles": cycles,
            "agreement": round(float(counts[rows, columns].sum() / SAMPLES), 4),
            "purity": round(float(counts.max(axis=1).sum() / SAMPLES), 4),
            **self.distances(fake),
        }

    def bigan(self, name, budget, seed):
        """Measure whether G(E(x)) of held-out digits is still that digit."""
        import keras

        from benchmarks.quality.judge import scaled
        from gantools.gans.bigan import reconstructed

        stochastic = {"stochastic": True} if name == "ali" else {}
        model, cycles = train("bigan", {"x": self.x}, budget, seed, **stochastic)
        x, y, mean = self.x_test[:SAMPLES], self.y_test[:SAMPLES], scaled(self.x.mean(axis=0))
        parts = [reconstructed(model, x[i : i + BATCH]) for i in range(0, len(x), BATCH)]
        made = np.concatenate([keras.ops.convert_to_numpy(part) for part in parts])
        return model, {
            "cycles": cycles,
            "agreement": round(float(np.mean(self.judge.classes(made) == y)), 4),
            "squared_error": round(float(np.mean((made - x) ** 2)), 4),
            "squared_error_mean_picture": round(float(np.mean((mean - x) ** 2)), 4),
            **self.distances(model.sample(SAMPLES, seed=seed, batch=BATCH)),
        }


class ColourDigits:
    """Drawn colour digits, 32 pixels, and judges of their digit and ink."""

    def __init__(self, out, pictures):
        from benchmarks.quality.judge import Judge, scaled
        from gantools.data.synthetic import colour_digit_labels, colour_digits

        x, known = colour_digits(COLOURS, 32, seed=1), colour_digit_labels(COLOURS, seed=1)
        self.judges = {n: Judge(x, known[n], out, n) for n in ("digit", "ink")}
        x, known = colour_digits(HELD_OUT, 32, seed=2), colour_digit_labels(HELD_OUT, seed=2)
        right = [np.mean(j.classes(scaled(x)) == known[n]) for n, j in self.judges.items()]
        self.accuracy = round(float(min(right)), 4)
        self.held = self.judges["digit"].features(scaled(x))
        self.x = colour_digits(pictures, 32, seed=3)

    def distance(self, fake):
        """Return the Frechet distance of samples."""
        from gantools.metrics.distributions import frechet_distance

        return round(frechet_distance(self.held, self.judges["digit"].features(fake)), 2)

    def dcgan(self, name, budget, seed):
        """Measure the distance of DCGAN."""
        model, cycles = train(name, {"x": self.x}, budget, seed)
        return model, {
            "cycles": cycles,
            "frechet": self.distance(model.sample(SAMPLES, seed, batch=BATCH)),
        }

    def stylegan(self, name, budget, seed):
        """Measure StyleGAN's distance, and whose digit and ink a mixed sample has."""
        model, cycles = train(name, {"x": self.x}, budget, seed, truncation=1.0)
        size = model.game.players["mapping"].input_shape[-1]
        random = np.random.default_rng(seed)
        a, b = random.normal(size=(2, MIXES, size)).astype(np.float32)
        whole = model.game.players["generator"].input["w"].shape[1]
        make = lambda z, cut: model.sample(MIXES, seed, batch=BATCH, z=z, z2=b, cut=cut)  # noqa: E731
        mixed, of_a, of_b = make(a, COARSE), make(a, whole), make(b, whole)
        read = {n: [j.classes(s) for s in (mixed, of_a, of_b)] for n, j in self.judges.items()}
        same = lambda p, q: round(float(np.mean(p == q)), 4)  # noqa: E731
        return model, {
            "cycles": cycles,
            "digit_of_coarse": same(read["digit"][0], read["digit"][1]),
            "ink_of_fine": same(read["ink"][0], read["ink"][2]),
            "digit_by_chance": same(read["digit"][1], read["digit"][2]),
            "ink_by_chance": same(read["ink"][1], read["ink"][2]),
            "frechet": self.distance(model.sample(SAMPLES, seed, batch=BATCH)),
        }


def within_class(x, y, seed=0):
    """Return the mean SSIM of `PAIRS` random pairs of each class; 1 if a class is one picture."""
    from gantools.metrics.pixels import ssim_y

    random, found = np.random.default_rng(seed), []
    pixels = np.rint((np.clip(x, -1, 1) + 1) * 127.5)
    for k in np.unique(y):
        of_class = np.flatnonzero(y == k)
        for _ in range(PAIRS):
            i, j = random.choice(of_class, 2, replace=False)
            found.append(ssim_y(pixels[i], pixels[j]))
    return float(np.mean(found))


GAMES = {  # game: (data, measurement)
    "cgan": (Digits, "conditional"),
    "acgan": (Digits, "conditional"),
    "infogan": (Digits, "infogan"),
    "bigan": (Digits, "bigan"),
    "ali": (Digits, "bigan"),
    "stylegan": (ColourDigits, "stylegan"),
    "dcgan": (ColourDigits, "dcgan"),
}


@click.command()
@click.option("--data", type=click.Path(path_type=Path), required=True, help="Folder of MNIST.")
@click.option("-o", "--out", type=click.Path(path_type=Path), default="judges", show_default=True)
@click.option("--games", default=",".join(GAMES), show_default=True)
@click.option("--minutes", default=10.0, show_default=True, help="Of training, a game and seed.")
@click.option("--steps", type=int, help="Cycles of training, in place of minutes.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--pictures", default=PICTURES, show_default=True)
@click.option("--sheets", type=click.Path(path_type=Path), help="Folder for samples of each game.")
@click.option("--record/--no-record", default=True, help="Keep rows in benchmarks/results.")
def main(data, out, games, minutes, steps, seeds, pictures, sheets, record):
    """Train games at size small and print what a judge reads in their samples."""
    made = {}
    limit = f"--steps {steps}" if steps else f"--minutes {minutes:g}"
    budget = (None, steps) if steps else (minutes, None)
    for name in games.split(","):
        kind, measurement = GAMES[name]
        if kind not in made:
            made[kind] = kind(data, out, pictures) if kind is Digits else kind(out, pictures)
        for seed in range(seeds):
            start = time.monotonic()
            model, found = getattr(made[kind], measurement)(name, budget, seed)
            if sheets and seed == 0:
                from benchmarks.sheets import write

                write(model.sample(80, seed=0), 10, sheets / f"{name}.png")
            found["seconds"] = round(time.monotonic() - start, 1)
            if record:
                append(
                    "conditional", game=name, seed=seed, pictures=pictures, limit=limit,
                    judge_accuracy=round(made[kind].accuracy, 4), **found,
                )  # fmt: skip
            click.echo(f"{name} seed {seed}: {found}")


if __name__ == "__main__":
    main()
