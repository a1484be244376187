"""Detectors of this package beside those that people install today: PyOD's and scikit-learn's.

    python -m benchmarks.quality.beside DATA [--only ring] [--seeds 1]

Needs `pip install pyod`, for this benchmark only. Everybody learns the same normals and scores the
same items: points on a ring in four dimensions against points around it (400 normals, 100 and 100
to score), and cardio and thyroid of DATA/odds (half of the inliers; the other half and all
outliers). PyOD and scikit-learn run with their defaults, our games of the literature in their small
size for 500 steps on standardised columns. Seconds are of the processor.
"""

import time
from importlib import import_module
from pathlib import Path

import click
import numpy as np

from benchmarks.quality.tables import odds
from benchmarks.rows import append
from gantools.core import Stream
from gantools.errors import UserError
from gantools.metrics.detection import auroc

STEPS = 500
OURS = ("anogan", "f_anogan", "egbad", "alad", "ganomaly")
OPTIONS = {"anogan": {"steps": 60, "restarts": 3}}


def ring(folder, seed):
    """Return `(train, test, labels)` of the ring: radius 1, noise 0.05, in a turned plane."""
    random = np.random.default_rng(seed)
    turn, _ = np.linalg.qr(np.random.default_rng(9).normal(size=(4, 4)))

    def points(count):
        angle = random.uniform(0, 2 * np.pi, count)
        flat = np.stack([np.cos(angle), np.sin(angle), 0 * angle, 0 * angle], axis=1)
        return (flat + random.normal(0, 0.05, (count, 4))) @ turn

    test = np.concatenate([points(100), random.uniform(-1.2, 1.2, (100, 4))])
    return points(400), test, np.repeat([0, 1], 100)


def table(name):
    """Return a set of DATA/odds as arrays of numbers."""

    def load(folder, seed):
        train, test, labels = odds(name, folder, seed)
        arrays = (np.stack(list(part.values()), axis=1).astype(float) for part in (train, test))
        return *arrays, labels

    return load


SETS = {"ring": ring, "cardio": table("cardio"), "thyroid": table("thyroid")}


def game(name, train, seed):
    """Train a game of the literature; return what scores."""
    module = import_module(f"gantools.gans.{name}")
    mean, spread = train.mean(axis=0), train.std(axis=0) + 1e-9
    scaled = lambda x: ((x - mean) / spread).astype(np.float32)  # noqa: E731
    recipe = module.game("small", train.shape[1:], seed=seed)
    model = recipe.model(seed)
    stream = Stream(scaled(train), recipe.batch, minibatches=recipe.game.minibatches, seed=seed)
    model.fit(stream, steps_per_epoch=STEPS, verbose=0)
    return lambda x: module.score_parts(model, scaled(x), **OPTIONS.get(name, {}))[name]


def ours(train, seed):
    """Fit what `gantools anomaly` fits on tables."""
    from gantools.apps.anomaly.api import Detector

    found = Detector(seed=seed).fit(train)
    return lambda x: found.score(x).scores


def pyod(name, train, seed):
    """Fit a detector of PyOD."""
    found = getattr(import_module(f"pyod.models.{name.lower()}"), name)().fit(train)
    return found.decision_function


def sklearn(kind, train, seed):
    """Fit a detector of scikit-learn."""
    from sklearn.ensemble import IsolationForest
    from sklearn.neighbors import LocalOutlierFactor
    from sklearn.svm import OneClassSVM

    made = {
        "IsolationForest": lambda: IsolationForest(random_state=seed),
        "LocalOutlierFactor": lambda: LocalOutlierFactor(novelty=True),
        "OneClassSVM": lambda: OneClassSVM(),
    }[kind]().fit(train)
    return lambda x: -made.score_samples(x)


RIVALS = {
    "gantools anomaly": ours,
    **{f"gantools {name}": lambda t, s, n=name: game(n, t, s) for name in OURS},
    **{f"pyod {n}": lambda t, s, n=n: pyod(n, t, s) for n in ("AnoGAN", "ALAD", "KNN")},
    **{
        f"scikit-learn {n}": lambda t, s, n=n: sklearn(n, t, s)
        for n in ("IsolationForest", "LocalOutlierFactor", "OneClassSVM")
    },
}


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--only", multiple=True, type=click.Choice(list(SETS)), default=list(SETS))
@click.option("--seeds", default=1, show_default=True)
def main(data, only, seeds):
    """Measure all detectors on the same items."""
    for name in only:
        try:
            SETS[name](data, 0)
        except UserError as error:
            click.echo(f"{name}: left out. {error}")
            continue
        for rival, fit in RIVALS.items():
            areas, clocks = [], []
            for seed in range(seeds):
                train, test, labels = SETS[name](data, seed)
                start = time.process_time()
                score = fit(train, seed)
                middle = time.process_time()
                areas.append(float(auroc(labels, score(test))))
                clocks.append((middle - start, time.process_time() - middle))
            fitted, scored = np.mean(clocks, axis=0)
            click.echo(
                f"{name:8} {rival:32} AUROC {np.mean(areas):.3f}  fit {fitted:7.2f} s  score "
                f"{1000 * scored / len(test):8.3f} ms an item"
            )
            append(
                "beside", set=name, rival=rival, auroc=areas, fit_s=round(fitted, 2),
                score_ms=round(1000 * scored / len(test), 4), items=len(test),
            )  # fmt: skip


if __name__ == "__main__":
    main()
