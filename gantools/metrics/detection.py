"""How well scores find anomalies: AUROC and its kin, region overlap, and how sure one may be.

Labels are 1 (anomalous) and 0 (normal); a higher score is more anomalous. Equal scores count as one
threshold everywhere, so that nothing depends on the order of the items.
"""

import numpy as np

EIGHT = 8  # neighbours of a pixel that make one region
ROUNDING = 1e-9  # an area of this or less is 0: sums of thirds and sevenths round


def roc(labels, scores):
    """Return the curve `(fpr, tpr)`, one point a distinct score from the highest down, from (0, 0).

    Args:
        labels: `(n,)` of 0 and 1, both present.
        scores: `(n,)`, no NaN.

    Returns:
        Two float64 arrays of one length, both from 0 to 1.

    Raises:
        ValueError: a NaN, other labels, or only one kind.
    """
    labels, scores = _checked(labels, scores)
    true, false = _counts(labels, scores)
    return np.r_[0, false] / false[-1], np.r_[0, true] / true[-1]


def auroc(labels, scores):
    """Return the chance that an anomaly scores above a normal, ties counting one half.

    Args and Raises: as for `roc`.
    """
    fpr, tpr = roc(labels, scores)
    return float(np.trapezoid(tpr, fpr))


def average_precision(labels, scores):
    """Return the mean precision over the recall steps; a random score gets the anomaly rate.

    Args and Raises: as for `roc`.
    """
    labels, scores = _checked(labels, scores)
    true, false = _counts(labels, scores)
    steps = np.diff(np.r_[0, true]) / true[-1]
    return float(np.sum(steps * true / (true + false)))


def tpr_at_fpr(labels, scores, fpr):
    """Return the largest share of anomalies found by a threshold with at most `fpr` false alarms.

    No interpolation: a threshold of that kind exists. Args and Raises: as for `roc`.
    """
    false, true = roc(labels, scores)
    return float(true[false <= fpr + 1e-12].max())


def fpr_at_tpr(labels, scores, tpr=0.95):
    """Return the smallest share of false alarms with at least `tpr` of the anomalies found.

    Args and Raises: as for `roc`.
    """
    false, true = roc(labels, scores)
    return float(false[true >= tpr - 1e-12].min())


def precision_recall_f1(labels, flagged):
    """Return `(precision, recall, F1)` of flags that were set without knowing the labels.

    Args:
        labels: `(n,)` of 0 and 1.
        flagged: `(n,)` bool.
    """
    labels, flagged = np.asarray(labels) == 1, np.asarray(flagged, bool)
    hits = np.sum(labels & flagged)
    precision, recall = hits / max(1, flagged.sum()), hits / max(1, labels.sum())
    return float(precision), float(recall), float(2 * hits / max(1, flagged.sum() + labels.sum()))


def auroc_error(area, anomalies, normals):
    """Return the standard error of an AUROC from so many anomalies and normals.

    Source: Hanley and McNeil 1982, doi 10.1148/radiology.143.1.7063747, eq. 2.
    """
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (anomalies - 1) * (q1 - area**2) + (normals - 1) * (q2 - area**2)
    return float(np.sqrt(spread / (anomalies * normals)))


def aupro(maps, masks, limit=0.3):
    """Return the area under per-region overlap against false-positive rate, divided by the limit.

    Every connected region (8 neighbours) counts the same, however large. 1 is perfect, a constant
    map gets limit / 2. One sort of all pixels: exact, no grid of thresholds.

    Args:
        maps: List of `(h, w)` maps, higher is more anomalous; sizes may differ.
        masks: List of `(h, w)` masks, not 0 where anomalous; normal pictures have an empty one.
        limit: Largest false-positive rate of pixels, in (0, 1].

    Raises:
        ValueError: no region, no normal pixel, a NaN, or a mask of another size than its map.

    Source: Bergmann et al. 2021, doi 10.1007/s11263-020-01400-4, section 5.3.
    """
    scores, owners = _pixels(maps, masks)
    sizes = np.bincount(owners)
    if len(sizes) < 2 or not sizes[0]:
        raise ValueError("AUPRO needs at least one anomalous region and one normal pixel.")
    overlap = 1 / (len(sizes) - 1) / sizes
    overlap[0] = 0
    order = np.argsort(-scores, kind="stable")
    scores, owners = scores[order], owners[order]
    last = np.r_[np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1]
    pro = np.r_[0, np.cumsum(overlap[owners])[last]]
    fpr = np.r_[0, np.cumsum(owners == 0)[last] / sizes[0]]
    inside = fpr <= limit
    end = np.interp(limit, fpr, pro)
    return float(np.trapezoid(np.r_[pro[inside], end], np.r_[fpr[inside], limit]) / limit)


def pixel_ap(maps, masks):
    """Return the average precision over all pixels. Args and Raises: as for `aupro`."""
    scores, owners = _pixels(maps, masks)
    return average_precision(owners > 0, scores)


def region_recall(maps, masks, threshold, overlap=0.5):
    """Return the share of regions of which at least `overlap` lies at or above `threshold`.

    Args: as for `aupro`.
    """
    scores, owners = _pixels(maps, masks)
    sizes = np.bincount(owners)[1:]
    found = np.bincount(owners, weights=scores >= threshold)[1:]
    return float(np.mean(found >= overlap * sizes))


def bootstrap(statistic, labels, scores, *, groups=None, resamples=2000, confidence=0.95, seed=0):
    """Return the percentile interval `(low, high)` of a statistic.

    Whole groups are drawn with replacement, apart for groups with anomalies, without, and mixed.
    One group alone is drawn every time and tells nothing of others: then the interval is all from
    0 to 1. Draws that are all 0 or all 1 are widened to what so many groups can rule out.

    Args:
        statistic: `(labels, scores) -> float` from 0 to 1, for example `auroc`.
        labels: `(n,)` of 0 and 1.
        scores: `(n,)`, or `(seeds, n)`: then the seeds are drawn too and the statistic averaged.
        groups: `(n,)` names of patient, part or lot; None takes every item as its own.
        resamples: How many draws; 2000 give the ends to about 2 % of the interval's width.
        confidence: Share of the draws inside.
        seed: Of the draws.

    Source: of n groups none differs, so less than 1 - (1 - confidence)^(1/n) of all groups do;
        Hanley and Lippman-Hand 1983, doi 10.1001/jama.1983.03330370053031.
    """
    scores = np.atleast_2d(scores)
    labels = np.asarray(labels)
    few = min(independent(labels, groups))
    if few < 2:
        return 0.0, 1.0
    draws = resampled(labels, groups, len(scores), resamples, seed)
    values = [_mean(statistic, labels, scores, rows, picked) for rows, picked in draws]
    low, high = _ends(values, confidence)
    unseen = 1 - (1 - confidence) ** (1 / few)
    if high < ROUNDING:
        return low, unseen
    return (1 - unseen, high) if low > 1 - ROUNDING else (low, high)


def paired_difference(
    statistic, labels, ours, theirs, *, groups=None, resamples=2000, confidence=0.95, seed=0
):
    """Return `(difference, low, high)` of ours minus theirs on the same draws.

    Call ours better only when `low` is above 0. Where all anomalies or all normals are of one
    group, the ends are -1 and 1.

    Args: as for `bootstrap`; `ours` and `theirs` have one shape.
    """
    labels, ours, theirs = np.asarray(labels), np.atleast_2d(ours), np.atleast_2d(theirs)
    draws = resampled(labels, groups, len(ours), resamples, seed)
    values = [
        _mean(statistic, labels, ours, rows, picked)
        - _mean(statistic, labels, theirs, rows, picked)
        for rows, picked in draws
    ]
    everyone = np.arange(len(labels)), np.arange(len(ours))
    whole = [_mean(statistic, labels, scores, *everyone) for scores in (ours, theirs)]
    few = min(independent(labels, groups)) < 2
    return whole[0] - whole[1], *((-1.0, 1.0) if few else _ends(values, confidence))


def summary(labels, scores, *, groups=None, resamples=2000, seed=0):
    """Return the figures that belong in one row of a table of results, as plain numbers.

    Args: as for `bootstrap`; several seeds are averaged.

    Returns:
        Dict: normals, anomalies, normal_groups, anomaly_groups, auroc, auroc_low, auroc_high, ap,
        rate (of anomalies, without which an AP says nothing), tpr_at_fpr_1, tpr_at_fpr_5,
        fpr_at_tpr_95.
    """
    labels, scores = np.asarray(labels), np.atleast_2d(scores)
    low, high = bootstrap(auroc, labels, scores, groups=groups, resamples=resamples, seed=seed)
    normal_groups, anomaly_groups = independent(labels, groups)

    def mean(statistic, *more):
        return float(np.mean([statistic(labels, row, *more) for row in scores]))

    return {
        "normals": int(np.sum(labels == 0)),
        "anomalies": int(np.sum(labels == 1)),
        "normal_groups": normal_groups,
        "anomaly_groups": anomaly_groups,
        "auroc": mean(auroc),
        "auroc_low": low,
        "auroc_high": high,
        "ap": mean(average_precision),
        "rate": float(np.mean(labels)),
        "tpr_at_fpr_1": mean(tpr_at_fpr, 0.01),
        "tpr_at_fpr_5": mean(tpr_at_fpr, 0.05),
        "fpr_at_tpr_95": mean(fpr_at_tpr, 0.95),
    }


def _counts(labels, scores):
    """Return anomalies and normals at or above each distinct score, from the highest down."""
    order = np.argsort(-scores, kind="stable")
    labels, scores = labels[order], scores[order]
    # compared, not subtracted: two infinities are equal, their difference is not 0
    last = np.r_[np.flatnonzero(scores[1:] != scores[:-1]), len(scores) - 1]
    true = np.cumsum(labels)[last]
    return true, last + 1 - true


def _checked(labels, scores):
    labels, scores = np.asarray(labels), np.asarray(scores, np.float64)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(
            f"Labels and scores must be (n,). Received: {labels.shape}, {scores.shape}."
        )
    if np.isnan(scores).any():
        raise ValueError(f"{np.isnan(scores).sum()} scores are NaN: leave those items out and say.")
    if set(np.unique(labels)) != {0, 1}:
        raise ValueError(
            f"Labels must be 0 and 1, both present. Received: {np.unique(labels)[:5]}."
        )
    return labels.astype(bool), scores


def _pixels(maps, masks):
    """Return every pixel's score and its region, numbered over all pictures; 0 is normal."""
    import cv2

    if len(maps) != len(masks):
        raise ValueError(f"A mask a map is needed. Received: {len(maps)} maps, {len(masks)} masks.")
    scores, owners, regions = [], [], 0
    for heat, mask in zip(maps, masks, strict=True):
        heat, mask = np.asarray(heat), np.asarray(mask)
        if heat.shape != mask.shape or heat.ndim != 2:
            raise ValueError(
                f"Map and mask must be (h, w). Received: {heat.shape} and {mask.shape}."
            )
        count, marks = cv2.connectedComponents((mask != 0).astype(np.uint8), connectivity=EIGHT)
        owners.append(np.where(marks > 0, marks + regions, 0).ravel())
        scores.append(heat.ravel())
        regions += count - 1
    scores, owners = np.concatenate(scores), np.concatenate(owners)
    if np.isnan(scores).any():
        raise ValueError("A map holds NaN: leave its pixels out of the maps first.")
    return scores, owners


def independent(labels, groups=None) -> tuple[int, int]:
    """Return the number of groups with normals, and of groups with anomalies.

    Args:
        labels: `(n,)` of 0 and 1.
        groups: `(n,)` names, or None: each item alone.
    """
    labels = np.asarray(labels)
    names = np.arange(len(labels)) if groups is None else np.asarray(groups)
    return tuple(len(np.unique(names[labels == label])) for label in (0, 1))


def resampled(labels, groups, seeds, resamples, seed):
    """Yield `(rows, seeds)` of each bootstrap draw of whole groups, strata by label.

    Args:
        labels: `(n,)` 0 or 1.
        groups: `(n,)` names of what is drawn whole, or None: each item alone.
        seeds: Number of seeds, drawn with the items.
        resamples: Number of draws.
        seed: Of the draws.
    """
    names = np.arange(len(labels)) if groups is None else np.asarray(groups)
    _, owner = np.unique(names, return_inverse=True)
    sizes = np.bincount(owner)
    order = np.argsort(owner, kind="stable")
    starts = np.cumsum(sizes) - sizes
    share = np.bincount(owner, weights=labels) / sizes
    strata = [np.flatnonzero(s) for s in (share == 0, share == 1, (share > 0) & (share < 1))]
    rng = np.random.default_rng(seed)
    for _ in range(resamples):
        chosen = np.concatenate([rng.choice(s, len(s)) for s in strata if len(s)])
        length = sizes[chosen]
        inner = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        yield order[np.repeat(starts[chosen], length) + inner], rng.integers(0, seeds, seeds)


def _mean(statistic, labels, scores, rows, seeds):
    return float(np.mean([statistic(labels[rows], scores[seed][rows]) for seed in seeds]))


def _ends(values, confidence):
    rest = (1 - confidence) / 2
    low, high = np.quantile(values, [rest, 1 - rest])
    return float(low), float(high)
