"""Detectors on tables: NSL-KDD, ten sets of the ADBench kind, and KDD Cup 99 by ALAD's protocol.

    python -m benchmarks.quality.tables DATA [--seeds 3] [--only nsl_kdd] [--detector alad]

DATA holds `nsl_kdd_train20.csv.gz`, `nsl_kdd_test.csv.gz`, `kddcup99_10pct.csv.gz` and
`odds/*.npz` (`X`, `y`); what is absent is left out and said. Two of the ten sets are parts of KDD
Cup 99, one comes with scikit-learn. Everything is fitted on normals alone: 65 % for fitting, 10 %
to scale the parts, 25 % to calibrate; "combined" is the fixed mean of the four reference rows. No
choice is made on test data. Beside them `--detector` trains GANs of the literature for `--steps`,
as `gantools anomaly --detector` does for its minutes; KDD Cup 99 always has ALAD itself, with the
paper's settings for this set but fewer steps (the paper: 100 epochs, 400 000), once more with ten
times its rate, and as `gantools anomaly` trains it. Seconds are of the processor.
"""

import time
from functools import cache, partial
from pathlib import Path

import click
import numpy as np
from gantools.apps.anomaly.calibration.calibrate import Calibration
from gantools.apps.anomaly.calibration.drift import batch
from gantools.apps.anomaly.calibration.parts import PartScales
from gantools.apps.anomaly.detectors.named import Named
from gantools.apps.anomaly.detectors.references import TABLE_REFERENCES, Forest, Knn, Pca
from gantools.apps.anomaly.tables.model import GAMES
from gantools.apps.anomaly.tables.transform import TableTransform, row_hashes

from benchmarks.rows import append
from gantools.data.tables import read_table
from gantools.errors import UserError
from gantools.metrics.detection import auroc, precision_recall_f1, summary

ODDS = ("annthyroid", "cardio", "mammography", "musk", "satimage-2", "shuttle", "thyroid")
RESAMPLES = 200
STEPS, KDD_STEPS = 5_000, 30_000
# ALAD and EGBAD on KDD Cup 99. Widths are those of the generator; encoder and discriminators have
# them, too. Averages: decay 0.999 a step of 50.
KDD = {"faithful": True, "rate": 1e-5, "batch": 50, "latent": 32, "hidden": 128}
KDD |= {"widths": (128, 64), "half_life": 34_600}
FASTER = KDD | {"rate": 10 * KDD["rate"]}
KDD_WAYS = {"as published, ": ("paper", KDD), "10 times the rate, ": ("paper", FASTER), "": ()}
KDD_KNOWN = ("alad", "egbad")


def nsl_kdd(folder, seed):
    """Return `(train, test, labels, fresh)`: normals of Train+ 20 %, and Test+; no `difficulty`.

    `fresh` are the test rows of attack kinds that training never showed.
    """
    train = read_table(folder / "nsl_kdd_train20.csv.gz")
    test = read_table(folder / "nsl_kdd_test.csv.gz")
    kinds, old = test.pop("label"), train.pop("label")
    del train["difficulty"], test["difficulty"]  # made by classifiers that knew the label
    train = take(train, np.flatnonzero(old == "normal"))
    return train, test, (kinds != "normal").astype(int), ~np.isin(kinds, list(set(old)))


def odds(name, folder, seed):
    """Return `(train, test, labels)`: half of the inliers; the other half and all outliers."""
    path = folder / "odds" / f"{name}.npz"
    if not path.is_file():
        raise UserError(f"'{path}' is not there.")
    with np.load(path) as stored:
        return halves(stored["X"], stored["y"], seed)


@cache
def read_kdd(folder):
    """Return the table of KDD Cup 99, read once."""
    return read_table(folder / "kddcup99_10pct.csv.gz")


def kdd_part(service, folder, seed):
    """Return the set "http" or "smtp": three columns of one service of logged-in connections."""
    table = dict(read_kdd(folder))
    rows = np.flatnonzero((table["service"] == service) & (table["logged_in"] == 1))
    x = np.stack([table[c][rows] for c in ("duration", "src_bytes", "dst_bytes")], axis=1)
    y = (table["label"][rows] != "normal.").astype(int)
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))[:10_000]
    rows = np.concatenate([chosen, np.flatnonzero(y == 1)])
    return halves(np.log(x + 0.1)[rows], y[rows], seed)


def breast_cancer(folder, seed):
    """Return the set "WDBC": benign cells, and the first 10 malignant ones."""
    from sklearn.datasets import load_breast_cancer

    x, benign = load_breast_cancer(return_X_y=True)
    rows = np.concatenate([np.flatnonzero(benign == 1), np.flatnonzero(benign == 0)[:10]])
    return halves(x[rows], 1 - benign[rows], seed)


def halves(x, y, seed):
    """Return `(train, test, labels)` with half of the rows of `y == 0` for training."""
    inliers = np.random.default_rng(seed).permutation(np.flatnonzero(y == 0))
    train, rest = inliers[: len(inliers) // 2], inliers[len(inliers) // 2 :]
    test = np.concatenate([rest, np.flatnonzero(y == 1)])
    table = {f"x{i}": column.astype(np.float64) for i, column in enumerate(x.T)}
    return take(table, train), take(table, test), np.asarray(y)[test].astype(int)


def take(table, rows):
    """Return the rows of a table."""
    return {name: values[rows] for name, values in table.items()}


SETS = {
    "nsl_kdd": nsl_kdd,
    **{name: partial(odds, name) for name in ODDS},
    "http": partial(kdd_part, "http"),
    "smtp": partial(kdd_part, "smtp"),
    "wdbc": breast_cancer,
}


class Game:
    """A GAN of the literature with the interface of the reference rows.

    Args:
        name: One of `GAMES`.
        steps: Of its training.
        seed: Of everything random.
        size, settings: Of the game.
    """

    def __init__(self, name, steps, seed, size="small", settings=None):
        self.named, self.seed = Named(name, size, steps, settings), seed

    def fit(self, x):
        """Train on normals `(n, d)`."""
        self.named.fit(x, seed=self.seed)
        return self

    def score(self, x):
        """Return `(n,)`: the score of the paper."""
        return self.named.parts(x)[self.named.name]


def measure(seed, train, test, labels, fresh=None, games=None):
    """Return name of the detector -> row of figures, fitted, scaled and calibrated on `train`.

    Args:
        seed: Of the division, and of the games.
        train, test, labels, fresh: Of a set.
        games: Name of a row -> maker of a `Game`.
    """
    order = np.random.default_rng(seed + 1000).permutation(len(next(iter(train.values()))))
    ends = (len(order) * 65 // 100, len(order) * 75 // 100)
    fit, scale, calibrate = (take(train, rows) for rows in np.split(order, ends))
    transform = TableTransform.fit(fit)
    x, a, b, new = (transform.transform(part) for part in (fit, scale, calibrate, test))
    scores, scaling, calibration, seconds = {}, {}, {}, {}
    for name, make in (TABLE_REFERENCES | (games or {})).items():
        start = time.process_time()
        detector = make().fit(x)
        fitted = time.process_time()
        scores[name] = detector.score(new)
        seconds[name] = fitted - start, time.process_time() - fitted
        scaling[name], calibration[name] = detector.score(a), detector.score(b)
    simple = lambda found: {name: found[name] for name in TABLE_REFERENCES}  # noqa: E731
    scales = PartScales.fit(simple(scaling))
    seconds["combined"] = tuple(map(sum, zip(*simple(seconds).values(), strict=True)))
    calibration["combined"] = scales.combine(simple(calibration))
    scores["combined"] = scales.combine(simple(scores))
    rows, hashes = {}, row_hashes(test)
    for name, score in scores.items():
        rows[name] = {
            **summary(labels, score, resamples=RESAMPLES, seed=seed),
            "fit_s": round(seconds[name][0], 2),
            "score_ms": round(1000 * seconds[name][1] / len(new), 4),
            **realised(calibration[name], score, labels, hashes, fresh),
            "train": len(x),
            "calibration": len(b),
            "width": x.shape[1],
        }
    return rows


def realised(calibration, scores, labels, hashes, fresh):
    """Return the shares of test normals flagged at 1, 5 and 10 %, of anomalies at 5 %, and drift.

    `inside` says whether the share lies in its 95 % interval; it cannot where test normals come
    from elsewhere, and then the drift light should say "differs".
    """
    fitted = Calibration.fit(calibration)
    p = fitted.p(scores, hashes)
    found = {"drift": batch(p[labels == 0], len(calibration)).state}
    for percent in (1, 5, 10):
        rule = fitted.rule(percent / 100)
        flags = rule.flags(p)
        false = int(np.sum(flags & (labels == 0)))
        found[f"fpr_{percent}"] = false / int(np.sum(labels == 0))
        found[f"inside_{percent}"] = inside(false, rule, int(np.sum(labels == 0)))
        found[f"tpr_{percent}"] = float(np.mean(flags[labels == 1]))
        if fresh is not None:
            found[f"tpr_new_{percent}"] = float(np.mean(flags[fresh]))
    return found


def inside(false, rule, normals):
    """Return whether the flagged among so many normals lie in their 95 % interval.

    The Beta law of the rate with the scatter of the test normals: the beta-binomial law.
    """
    from scipy.stats import betabinom

    if not rule.rank:
        return false == 0
    law = betabinom(normals, rule.rank, rule.n + 1 - rule.rank)
    return bool(law.ppf(0.025) <= false <= law.ppf(0.975))


def kdd99(folder, seed, games):
    """Yield `(name, figures)` by ALAD's protocol: "anomaly" is the normal traffic (19.7 %).

    Half the rows train, of these the attacks only; min-max and one-hot by their limits; the top
    20 % of the test scores are flagged, which needs to know the share.

    Args:
        folder: With the table.
        seed: Of the halves, and of the games.
        games: Name of a row -> maker of a `Game`.

    Source: arXiv 1812.02288, section IV.
    """
    table = dict(read_kdd(folder))
    y = (table.pop("label") == "normal.").astype(int)
    binary = ("land", "logged_in", "is_host_login", "is_guest_login")
    coded = [one_hot(table.pop(n)) for n in ("protocol_type", "service", "flag", *binary)]
    x = np.concatenate([np.stack(list(table.values()), axis=1), *coded], axis=1)
    order = np.random.default_rng(seed).permutation(len(x))
    half = len(x) // 2
    train, test = order[:half], order[half:]
    train = train[y[train] == 0]
    low, high = x[train].min(axis=0), x[train].max(axis=0)
    scaled = ((x - low) / np.where(high > low, high - low, 1)).astype(np.float32)
    rng = np.random.default_rng(seed)
    count = -x[:, list(table).index("count")] + 1e-6 * rng.random(len(x))  # ties at random
    some = rng.choice(len(test), 20_000, replace=False)
    yield "one column: count", thresholded(y[test], count[test]) | {"width": x.shape[1]}
    for name, make, part in (
        ("forest", partial(Forest, seed=seed), slice(None)),
        ("pca16", partial(Pca, 16), slice(None)),
        ("knn5, 5 000 normals, 20 000 rows", partial(Knn, limit=5000, seed=seed), some),
        *((name, make, slice(None)) for name, make in games.items()),
    ):
        chosen, start = test[part], time.process_time()
        detector = make().fit(scaled[train])
        facts = {"fit_s": round(time.process_time() - start, 1), "width": x.shape[1]}
        yield name, thresholded(y[chosen], detector.score(scaled[chosen])) | facts


def one_hot(values):
    """Return `(n, levels)` float64."""
    levels, codes = np.unique(values.astype(str), return_inverse=True)
    return np.eye(len(levels))[codes]


def thresholded(labels, scores):
    """Return AUROC, and precision, recall, F1 of flagging the top 20 %."""
    flagged = scores >= np.quantile(scores, 0.8)
    precision, recall, f1 = precision_recall_f1(labels, flagged)
    area = auroc(labels, scores)
    return {"auroc": area, "precision": precision, "recall": recall, "f1": f1}


def games_of(name, detectors, steps, seed):
    """Return name of a row -> maker of a `Game`, for one set."""
    if name != "kdd99":
        steps = steps or STEPS
        return {f"{one}, {steps} steps": partial(Game, one, steps, seed) for one in detectors}
    found, steps = {}, steps or KDD_STEPS
    for one in dict.fromkeys(("alad", *detectors)):
        for way, how in KDD_WAYS.items() if one in KDD_KNOWN else [("", ())]:
            found[f"{one}, {way}{steps} steps"] = partial(Game, one, steps, seed, *how)
    return found


def run_set(name, folder, seed, detectors, steps):
    """Measure one set, append and print its rows; return detector -> AUROC."""
    games, areas = games_of(name, detectors, steps, seed), {}
    if name == "kdd99":
        rows = kdd99(folder, seed, games)
    else:
        rows = measure(seed, *SETS[name](folder, seed), games=games).items()
    for detector, row in rows:
        areas[detector] = row["auroc"]
        click.echo(f"{name:12} {seed} {detector:34} " + words(row))
        append("tables", set=name, seed=seed, detector=detector, **row)
    return areas


def words(row):
    """Return the figures of a row for the screen."""
    if "f1" in row:
        return "AUROC {auroc:.3f}  P {precision:.3f}  R {recall:.3f}  F1 {f1:.4f}".format(**row)
    return (
        "AUROC {auroc:.3f} [{auroc_low:.3f}, {auroc_high:.3f}]  AP {ap:.3f} at {rate:.3f}  "
        "flagged at 1, 5, 10 %: {fpr_1:.3f} {fpr_5:.3f} {fpr_10:.3f} of normals, "
        "{tpr_1:.3f} {tpr_5:.3f} {tpr_10:.3f} of anomalies  {drift}  fit {fit_s:.1f} s"
    ).format_map(row)


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--seeds", default=3, show_default=True)
@click.option("--only", multiple=True, type=click.Choice([*SETS, "kdd99"]))
@click.option("--detector", "detectors", multiple=True, type=click.Choice(GAMES),
              help="GAN of the literature to measure as well; repeat.")  # fmt: skip
@click.option("--steps", type=click.IntRange(1),
              help=f"Of its training; else {STEPS}, on kdd99 {KDD_STEPS}.")  # fmt: skip
def main(data, seeds, only, detectors, steps):
    """Measure the reference detectors on tables, and GANs beside them."""
    areas = {}
    for name in only or [*SETS, "kdd99"]:
        for seed in range(seeds):
            try:
                areas[name, seed] = run_set(name, data, seed, detectors, steps)
            except UserError as error:
                click.echo(f"{name}: left out. {error}")
                break
    ten = [area for (name, _), area in areas.items() if name not in ("nsl_kdd", "kdd99")]
    for detector in ten[0] if ten else ():
        mean = np.mean([area[detector] for area in ten])
        click.echo(
            f"mean of {len(ten)} runs on the sets of the ADBench kind: {detector} {mean:.4f}"
        )


if __name__ == "__main__":
    main()
