"""What can be measured of a run: plain functions of NumPy arrays, no model and no judgement.

`verdicts.py` says which values are healthy. Scores are a discriminator's raw outputs, one a sample;
features are rows `(n, d)`, see `features`.
"""

import math

import cv2
import numpy as np

NEIGHBOURS = 5
GUARD = 0.1  # of the scores' spread: a smaller difference of means is no denominator
PIXELS = 16  # pictures are compared at this side: 256 or 768 features a picture
FEW_DIRECTIONS = 8  # features, up to which the effective rank says nothing
CLASS_SHARE = 0.2  # of its fair share, from which a class counts as present
MOST = 0.5  # of the reals, that the classes hold in which neighbours can outvote all others


def auc(real, fake) -> float:
    """Return the probability that a real sample's score is above a fake one's, ties counted half.

    Args:
        real: `(n,)` scores of real samples.
        fake: `(m,)` scores of fake samples.
    """
    ordered = np.sort(np.asarray(fake, np.float64))
    below = np.searchsorted(ordered, real, "left") + np.searchsorted(ordered, real, "right")
    return float(np.mean(below) / (2 * len(ordered)))


def auc_gap(train, held_out, fake, total: int | None = None) -> tuple[float, float]:
    """Return AUC on training samples minus AUC on held-out ones, and its standard error.

    Args:
        train, held_out, fake: `(n,)` scores.
        total: Size of the training set, see `overfitting`.
    """
    ordered = np.sort(np.asarray(fake, np.float64))
    places = [np.searchsorted(ordered, s) / len(ordered) for s in (train, held_out)]
    return auc(train, fake) - auc(held_out, fake), _error_of_difference(*places, total)


def overfitting(train, held_out, fake, total: int | None = None):
    """Return (E D(train) - E D(held-out)) / (E D(train) - E D(fake)), and its standard error.

    0 for a discriminator that scores unseen reals like the ones that it learns from, 1 for one that
    takes them for fakes.

    Args:
        train, held_out, fake: `(n,)` scores.
        total: Size of the training set that `train` is drawn from; None for a large one. Scores of
            the whole set have no error of sampling.

    Returns:
        Two floats; None twice where the discriminator does not separate: a denominator below a
        tenth of the scores' spread.

    Source: Karras et al. 2020, arXiv 2006.06676, section 3.1 (r_v).
    """
    means = [float(np.mean(scores)) for scores in (train, held_out, fake)]
    spread = math.sqrt(np.mean([np.var(scores) for scores in (train, held_out, fake)]))
    gap = means[0] - means[2]
    if abs(gap) <= GUARD * spread:
        return None, None
    return (means[0] - means[1]) / gap, _error_of_difference(train, held_out, total) / abs(gap)


def _error_of_difference(train, held_out, total) -> float:
    """Return the standard error of a difference of means; the unseen population is endless."""
    left = 1.0 - len(train) / total if total else 1.0  # finite population correction
    return math.sqrt(left * np.var(train) / len(train) + np.var(held_out) / len(held_out))


def features(x) -> np.ndarray:
    """Return the fixed, untrained features in which samples are compared.

    Sides of pictures `(n, height, width, channels)` above 16 pixels are shrunk to 16 by area;
    samples of any other shape are flattened as they are.

    Args:
        x: `(n, ...)` float.

    Returns:
        `(n, d)` float32.
    """
    x = np.asarray(x, np.float32)
    if x.ndim == 4 and max(x.shape[1:3]) > PIXELS:
        # OpenCV interpolates both sides where it has to enlarge one of them.
        size = tuple(min(side, PIXELS) for side in x.shape[2:0:-1])
        x = np.stack([cv2.resize(picture, size, interpolation=cv2.INTER_AREA) for picture in x])
    return x.reshape(len(x), -1)


def squared_distances(a, b) -> np.ndarray:
    """Return the squared Euclidean distances of the rows of a to the rows of b: `(n, m)` float64.

    Args:
        a: `(n, d)` features.
        b: `(m, d)` features.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    squares = np.sum(a * a, 1)[:, None] + np.sum(b * b, 1)[None] - 2 * a @ b.T
    return np.maximum(squares, 0.0)


def neighbour_accuracy(real, fake, k: int = NEIGHBOURS) -> float:
    """Return how often a sample's k nearest others tell whether it is real: 1/2 for equal sets.

    The leave-one-out accuracy of a k-nearest-neighbour classifier of real against fake: a test of
    two samples that knows nothing of the discriminator.

    Args:
        real, fake: `(n, d)` features, as many of each.
        k: Odd number of neighbours.

    Source: Lopez-Paz & Oquab 2017, arXiv 1610.06545.
    """
    both = np.concatenate([real, fake])
    truth = np.arange(len(both)) < len(real)
    distance = squared_distances(both, both)
    np.fill_diagonal(distance, np.inf)
    nearest = np.argpartition(distance, k, axis=1)[:, :k]
    votes = truth[nearest].mean(axis=1) > 0.5
    return float(np.mean(votes == truth))


def mean_distance(x) -> float:
    """Return the mean Euclidean distance between two different rows of x.

    Args:
        x: `(n, d)` features, n at least 2.
    """
    x = x - np.mean(x, axis=0)  # near the origin the difference of large squares keeps its digits
    n = len(x)
    return float(np.sqrt(squared_distances(x, x)).sum() / (n * (n - 1)))


def effective_rank(x) -> float:
    """Return how many directions the rows of x use: exp of the entropy of the singular values.

    Args:
        x: `(n, d)` features; they are centred.

    Returns:
        From 1 (a line; also for equal rows) to min(n, d).

    Source: Roy & Vetterli 2007, "The effective rank: a measure of effective dimensionality".
    """
    values = np.linalg.svd(np.asarray(x, np.float64) - np.mean(x, axis=0), compute_uv=False)
    total = values.sum()
    if total <= 1e-12:
        return 1.0
    share = values[values > 0] / total
    return float(np.exp(-np.sum(share * np.log(share))))


def class_shares(real, labels, fake, k: int = NEIGHBOURS) -> np.ndarray:
    """Return how the fakes fall into the classes of the reals, by their k nearest neighbours.

    Args:
        real: `(n, d)` features.
        labels: `(n,)` integer classes from 0.
        fake: `(m, d)` features.
        k: Neighbours that vote; of equal votes the lower class wins.

    Returns:
        `(classes,)` shares of the fakes, sum 1.
    """
    classes, k = int(np.max(labels)) + 1, min(k, len(real))
    nearest = np.argpartition(squared_distances(fake, real), k - 1, axis=1)[:, :k]
    votes = np.eye(classes)[np.asarray(labels)[nearest]].sum(axis=1)
    return np.bincount(votes.argmax(axis=1), minlength=classes) / len(fake)


def classes_present(shares, labels, k: int = NEIGHBOURS) -> float | None:
    """Return the share of the reals' classes that are found among the fakes.

    Classes with fewer than k reals are not asked for: they win few votes of k neighbours. Of 500
    classes half would be missing in samples of equal distributions.

    Args:
        shares: `(classes,)` of `class_shares`.
        labels: `(n,)` classes of the reals. A class counts as found from a fifth of its share
            there: the threshold for a mode of a mixture in this project's benchmarks.
        k: As of `class_shares`.

    Returns:
        The share; None where the classes that are asked for hold less than half of the reals.
    """
    counts = np.bincount(labels, minlength=len(shares))
    asked = counts >= k
    if counts[asked].sum() < MOST * len(labels):
        return None
    return float(np.mean(shares[asked] >= CLASS_SHARE * counts[asked] / len(labels)))
