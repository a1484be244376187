"""Do translations keep what matters: the digit of a picture, and the way back?

    python -m benchmarks.quality.translation --data FOLDER [--minutes 10] [--seeds 3] [--games ...]

    pix2pix    edges -> digits: PSNR, beside that of the mean digit, and how often the translation
               is read as the real digit is read
    cyclegan   digits -> edges of other digits, no pairs: how often the edges are read as the digit
    discogan   that they were made of, and PSNR after going there and back; each also without the
               way back in its loss
    toy        5 Gaussians -> 10 Gaussians by DiscoGAN, with and without reconstruction: modes
               found. The paper's figure 4 shows all 10; here each of the 5 goes to one

The judges are classifiers of real digits and of real edges, trained on pictures that no game sees;
all figures are of test pictures, at 32 x 32 pixels.
"""

import time
from pathlib import Path

import click
import numpy as np

from benchmarks.rows import append

SIDE, JUDGED, MEASURED, SHOWN = 32, 30_000, 2_000, 8
TOY = {"a": (5, 1.0), "b": (10, 2.0)}  # modes on a circle, and its radius
TOY_SD, TOY_SHARE, TOY_SAMPLES = 0.05, 0.01, 10_000  # a tenth of a mode's fair share
# name: (task, game, settings)
GAMES = {
    "pix2pix": ("pairs", "pix2pix", {}),
    "cyclegan": ("domains", "cyclegan", {}),
    "cyclegan without cycle": ("domains", "cyclegan", {"cycle": 0.0}),
    "discogan": ("domains", "discogan", {}),
    "discogan without recon": ("domains", "discogan", {"recon": 0.0}),
    "toy": ("toy", "discogan", {"form": "paper"}),
    "toy without recon": ("toy", "discogan", {"form": "paper", "recon": 0.0}),
}


def train(name, arrays, paired, minutes, seed, **options):
    """Train the game `name` at size small; return `(model, cycles, seconds)`."""
    from gantools.core import Stream
    from gantools.core.callbacks import Deadline
    from gantools.registry import load_game

    shapes = [array.shape[1:] for array in arrays.values()]
    recipe = load_game(name)("small", shapes[0], target=shapes[1], seed=seed, **options)
    model = recipe.model(seed)
    used = {"minibatches": recipe.game.minibatches, "transform": recipe.transform, "seed": seed}
    stream = Stream(arrays, recipe.batch, paired=paired, **used)
    model.fit(stream, steps_per_epoch=1, epochs=1, verbose=0)  # compiles
    start = time.monotonic()
    model.fit(stream, steps_per_epoch=10**7, epochs=1, verbose=0, callbacks=[Deadline(minutes)])
    return model, int(model.cycle), time.monotonic() - start


def edges(digits):
    """Return Sobel edge maps `(n, h, w, 1)` uint8 of grey pictures of that shape."""
    import cv2

    found = []
    for digit in digits[..., 0].astype(np.float32):
        across, down = cv2.Sobel(digit, cv2.CV_32F, 1, 0), cv2.Sobel(digit, cv2.CV_32F, 0, 1)
        found.append(np.clip(np.hypot(across, down) / 4, 0, 255))
    return np.rint(found).astype(np.uint8)[..., None]


def mean_psnr(a, b):
    """Return the mean PSNR of pictures `(n, h, w, c)` in [-1, 1], in dB."""
    error = np.mean((a - b) ** 2, axis=(1, 2, 3))
    return float(np.mean(10 * np.log10(4 / np.maximum(error, 1e-10))))


class Digits:
    """MNIST at 32 pixels: half for the games, half for the judges, and test pictures."""

    def __init__(self, folder, out):
        from benchmarks.quality.judge import Judge, mnist, scaled

        margin = ((0, 0), (2, 2), (2, 2), (0, 0))
        x, y = mnist(folder)
        x = np.pad(x, margin)
        self.x, judged = x[:-JUDGED], x[-JUDGED:]
        test, self.labels = (part[:MEASURED] for part in mnist(folder, "test"))
        test = np.pad(test, margin)
        self.digits, self.edges = scaled(test), scaled(edges(test))
        self.of_digits = Judge(judged, y[-JUDGED:], out, "digit32")
        self.of_edges = Judge(edges(judged), y[-JUDGED:], out, "edges32")
        self.mean = scaled(self.x.mean(axis=0, keepdims=True))

    def pairs(self):
        """Return edges "a" and the digits "b" that they are of."""
        return {"a": edges(self.x), "b": self.x}

    def domains(self):
        """Return digits "a" and the edges "b" of other digits."""
        half = len(self.x) // 2
        return {"a": self.x[:half], "b": edges(self.x[half:])}

    def measure_pairs(self, model):
        """Return the figures of edges -> digits."""
        made = outputs(model, "b", self.edges)
        real = self.of_digits.classes(self.digits)
        return {
            "psnr": mean_psnr(made, self.digits),
            "psnr_mean_image": mean_psnr(self.mean, self.digits),
            "agreement": float(np.mean(self.of_digits.classes(made) == real)),
            "judge": float(np.mean(real == self.labels)),
        }

    def measure_domains(self, model):
        """Return the figures of digits -> edges -> digits, and of the other way round."""
        to_edges, to_digits = outputs(model, "b", self.digits), outputs(model, "a", self.edges)
        return {
            "read_as_edges": float(np.mean(self.of_edges.classes(to_edges) == self.labels)),
            "read_as_digits": float(np.mean(self.of_digits.classes(to_digits) == self.labels)),
            "cycle_psnr": mean_psnr(outputs(model, "a", to_edges), self.digits),
            "cycle_psnr_edges": mean_psnr(outputs(model, "b", to_digits), self.edges),
            "judge": float(np.mean(self.of_edges.classes(self.edges) == self.labels)),
        }


def outputs(model, to, x):
    """Return the translations of a batch of any length, float32 in [-1, 1]."""
    from gantools.gans.translate import apply, translator

    network = translator(model, to)
    return np.concatenate([apply(network, x[i : i + 256]) for i in range(0, len(x), 256)])


def toy(side, n, seed):
    """Return n points of the mixture "a" or "b", float32 `(n, 2)`."""
    random = np.random.default_rng([seed, ord(side)])
    centres = toy_centres(side)
    points = centres[random.integers(0, len(centres), n)] + random.normal(0, TOY_SD, (n, 2))
    return points.astype(np.float32)


def toy_centres(side):
    """Return the centres of a mixture, `(modes, 2)`."""
    modes, radius = TOY[side]
    angle = 2 * np.pi * np.arange(modes) / modes
    return radius * np.stack([np.cos(angle), np.sin(angle)], axis=1)


def measure_toy(model, seed):
    """Return how many modes the translations of "a" find, and how many of them are near one."""
    made = outputs(model, "b", toy("a", TOY_SAMPLES, seed + 1))
    near = np.linalg.norm(made[:, None] - toy_centres("b"), axis=2) < 3 * TOY_SD
    modes = int(np.sum(near.mean(axis=0) >= TOY_SHARE))
    return {"modes": modes, "of": TOY["b"][0], "within_3_sd": float(near.any(axis=1).mean())}


def run(name, data, minutes, seed, pictures):
    """Train one row of GAMES, write its sheet and return its figures."""
    task, game, options = GAMES[name]
    if task == "toy":
        arrays = {side: toy(side, 100_000, seed) for side in "ab"}
    else:
        arrays = data.pairs() if task == "pairs" else data.domains()
    model, cycles, seconds = train(game, arrays, task == "pairs", minutes, seed, **options)
    found = measure_toy(model, seed) if task == "toy" else getattr(data, f"measure_{task}")(model)
    if pictures and task != "toy":
        from benchmarks.sheets import write
        from gantools.gans.translate import columns, sheet

        few, paired = {side: array[:SHOWN] for side, array in arrays.items()}, task == "pairs"
        pixels = sheet(model, few["a"], few["b"], paired)
        write(pixels, columns(paired), pictures / f"{name.replace(' ', '_')}.png")
    return {"cycles": cycles, "seconds": seconds, **found}


@click.command()
@click.option("--data", required=True, type=click.Path(path_type=Path), help="Folder of MNIST.")
@click.option("--minutes", default=10.0, show_default=True, help="Training time of each game.")
@click.option("--seeds", default=3, show_default=True)
@click.option("--games", default=",".join(GAMES), help="Names, separated by commas.")
@click.option("--out", default="judges", type=click.Path(path_type=Path), help="For the judges.")
@click.option("--pictures", type=click.Path(path_type=Path), help="Folder for sheets of pictures.")
@click.option("--record/--no-record", default=True, help="Keep rows in benchmarks/results.")
def main(data, minutes, seeds, games, out, pictures, record):
    """Train every game for some minutes and print what its translations keep."""
    import gantools.core  # noqa: F401  chooses the backend

    names = [name.strip() for name in games.split(",")]
    digits = Digits(data, out) if any(GAMES[name][0] != "toy" for name in names) else None
    for name in names:
        for seed in range(seeds):
            found = run(name, digits, minutes, seed, pictures)
            found = {k: round(v, 4) if isinstance(v, float) else v for k, v in found.items()}
            click.echo(f"{name} seed {seed}: " + "  ".join(f"{k} {v}" for k, v in found.items()))
            if record:
                append("translation", game=name, seed=seed, minutes=minutes, **found)


if __name__ == "__main__":
    main()
