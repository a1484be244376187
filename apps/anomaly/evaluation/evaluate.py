"""Scores against labels, beside the reference rows of the same run: who ranks best, honestly."""

from dataclasses import dataclass

import numpy as np

from gantools.metrics import detection
from gantools.report import svg
from gantools.report.page import escape, paragraphs, table

from .. import loading

OURS = "detector"
UNFIT = "unfit"  # among the figures of pixels: names of items whose mask has another size
LEAST = 5  # groups of normals and of anomalies; of 2 a row is wrongly called better in 12 % of sets
BLOCK = 1_000_000  # items of so many draws are counted at once
HEAD = (
    "row", "AUROC", "95 % interval", "AP", "TPR at 1 % FPR", "TPR at 5 % FPR", "FPR at 95 % TPR",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of the detector, of every reference row and of every part, on labelled items.

    Attributes:
        rows: Name -> figures as `metrics.detection.summary`; "detector" first.
        parts: Part -> AUROC alone.
        difference: `(AUROC difference to the best reference, low, high)`; the ends allow for that
            the best was picked by these labels, see `against_best`.
        best: Name of the best reference row.
        realised: Share of the normals that was flagged.
        wanted: The rule's level.
        pixels: "aupro_30", "aupro_5", "pixel_ap" where there are masks, else empty.
        kinds: Kind of anomaly -> `(items, AUROC)`.
        curve: `(false rates, true rates)` of the detector.
        unfit: Names of the items whose mask has another size than their picture.
    """

    rows: dict
    parts: dict
    difference: tuple[float, float, float]
    best: str
    realised: float
    wanted: float
    pixels: dict
    kinds: dict
    curve: tuple
    unfit: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Does the detector beat the simple rows? And a second sentence where masks do not fit."""
        return " ".join(text for text in (self._verdict(), unfit_sentence(self.unfit)) if text)

    @property
    def few(self) -> str:
        """Why nobody can say which row is better, "" where there are groups enough."""
        return few_sentence(self.rows[OURS])

    def _verdict(self):
        ours, best = self.rows[OURS], self.rows[self.best]
        change, low, high = self.difference
        figures = (
            f"AUROC {ours['auroc']:.3f} ({ours['auroc_low']:.3f} to {ours['auroc_high']:.3f}) "
            f"against {best['auroc']:.3f} of {self.best}"
        )
        if self.few:
            return f"{self.few} {figures}."
        if low > 0:
            return f"The detector beats every simple row: {figures}."
        if high < 0:
            return f"A simple row beats the detector, use {self.best}: {figures}."
        word = "is not clearly better than" if change > 0 else "does not beat"
        return (
            f"The detector {word} the simple row {self.best} on these labels: {figures}; "
            f"difference {change:+.3f} ({low:+.3f} to {high:+.3f})."
        )

    def lines(self) -> list[tuple]:
        """Return the table's rows as texts, `HEAD` their titles."""
        return [
            (
                name,
                f"{r['auroc']:.3f}",
                f"{r['auroc_low']:.3f} to {r['auroc_high']:.3f}",
                f"{r['ap']:.3f} (rate {r['rate']:.2f})",
                f"{r['tpr_at_fpr_1']:.2f}",
                f"{r['tpr_at_fpr_5']:.2f}",
                f"{r['fpr_at_tpr_95']:.2f}",
            )
            for name, r in self.rows.items()
        ]

    def to_dict(self) -> dict:
        """Return JSON values."""
        return {
            "schema": 1,
            "rows": self.rows,
            "parts": self.parts,
            "difference": list(self.difference),
            "best_reference": self.best,
            "realised_fpr": self.realised,
            "nominal_fpr": self.wanted,
            "pixels": self.pixels,
            "masks_unfit": list(self.unfit),
            "kinds": {name: list(pair) for name, pair in self.kinds.items()},
        }

    def html(self) -> str:
        """Return the section of the report; the figures of the rows have one of their own."""
        false = f"Of the labelled normals {self.realised:.1%} are flagged; the threshold stands at "
        text = paragraphs(self.sentence, f"{false}{self.wanted:.1%}.")
        text += svg.curves(
            {"detector": self.curve, "chance": ([0, 1], [0, 1])},
            title="True against false alarms", axes=("false alarms", "anomalies found"),
            x=(0, 1), y=(0, 1), size=(360, 300), low_legend=True,
        )  # fmt: skip
        if self.pixels:
            rows = [(name, f"{value:.3f}") for name, value in self.pixels.items()]
            text += table(("pixels", "value"), rows, numbers=(1,))
        if len(self.kinds) > 1:
            rows = [(k, count, f"{area:.3f}") for k, (count, area) in self.kinds.items()]
            text += table(("kind", "items", "AUROC"), rows, numbers=(1, 2))
        parts = [(name, f"{area:.3f}") for name, area in self.parts.items()]
        caution = (
            "Single parts, for understanding only: choosing the best one by these labels would be "
            "choosing on the test."
        )
        return (
            text
            + f"<p class='soft'>{escape(caution)}</p>"
            + table(("part", "AUROC"), parts, numbers=(1,))
        )


def evaluate(items, runs, levels, rows, pixels=None) -> Evaluation | None:
    """Hold scores against the labels of the items; None without both kinds of label.

    Args:
        items: What has `label`, `group`, `kind` and `name`, in the order of the scores.
        runs: `fitted.Scored`, one a seed.
        levels: Largest p that is flagged, one a seed: a number, or one an item.
        rows: Names of the reference rows among the parts.
        pixels: Figures against masks, see `pixel_figures`.
    """
    scored = np.isfinite([run.scores for run in runs]).all(axis=0)
    scored &= np.isfinite([run.p for run in runs]).all(axis=0)
    known = np.array([i.label is not None for i in items]) & scored
    labels = np.array([i.label or 0 for i in items])[known]
    if len(set(labels.tolist())) < 2:
        return None
    chosen = [items[i] for i in np.flatnonzero(known)]
    groups = [item.group or item.name for item in chosen]
    draws = {"groups": groups, "resamples": _resamples(len(labels))}
    fewer = draws | {"resamples": draws["resamples"] // 4}  # of simple rows, for a rough interval

    def column(name):
        return np.stack([run.parts[name][known] for run in runs])

    ours = np.stack([run.scores[known] for run in runs])
    figures = {OURS: detection.summary(labels, ours, **draws)}
    figures |= {name: detection.summary(labels, column(name), **fewer) for name in rows}
    best = max(rows, key=lambda name: figures[name]["auroc"])
    change = against_best(labels, ours, np.stack([column(name) for name in rows]), **draws)
    parts = {
        name: float(np.mean([detection.auroc(labels, one) for one in column(name)]))
        for name in runs[0].parts
        if name not in rows
    }
    false = [
        np.mean((run.p <= level)[known][labels == 0])
        for run, level in zip(runs, levels, strict=True)
    ]
    return Evaluation(
        figures,
        parts,
        tuple(float(v) for v in change),
        best,
        float(np.mean(false)),
        float(np.mean([np.mean(level) for level in levels])),
        {name: value for name, value in (pixels or {}).items() if name != UNFIT},
        _by_kind(labels, ours.mean(axis=0), [item.kind for item in chosen]),
        detection.roc(labels, ours[0]),
        tuple((pixels or {}).get(UNFIT, ())),
    )


def against_best(labels, ours, theirs, *, groups, resamples):
    """Return `(difference, low, high)` of AUROCs: ours minus the best of several rows.

    The best row is picked by the same labels, and among equal rows one is best by luck alone. So
    the upper end, below 0 where a row is better, is set by the luckiest row of each draw; rows that
    are clearly worse are no rivals. The lower end, above 0 where ours is better, is that of the row
    that comes nearest. Where all anomalies or all normals are of one group, the ends are -1
    and 1. Of seven rows as good as ours, one is called better in 2 % of the sets;
    an interval for the best alone, as if it had been named before, says so in 12 %.

    Args:
        labels: `(n,)` of 0 and 1.
        ours: `(seeds, n)` scores.
        theirs: `(rows, seeds, n)`.
        groups, resamples: As for `detection.bootstrap`; these are its draws.

    Source: White 2000, doi 10.1111/1468-0262.00152, with the centring of Hansen 2005,
        doi 10.1198/073500105000000063, section 2.2.
    """
    scores = np.concatenate([ours[None], theirs])
    seeds, count = ours.shape
    whole = _areas(labels, scores, np.ones((1, count))).mean(axis=(1, 2))
    drawn = list(detection.resampled(labels, groups, seeds, resamples, 0))
    found, most = [], max(1, BLOCK // count)
    for start in range(0, resamples, most):
        block = drawn[start : start + most]
        times = np.stack([np.bincount(rows, minlength=count) for rows, _ in block])
        picks = np.stack([np.bincount(picked, minlength=seeds) for _, picked in block])
        areas = _areas(labels, scores, times)
        found.append(np.einsum("ksd,ds->kd", areas, picks / seeds))
    found = np.concatenate(found, axis=1)
    gap, gaps = whole[1:] - whole[0], found[1:] - found[0]
    if min(detection.independent(labels, groups)) < 2:
        return float(-gap.max()), -1.0, 1.0
    rivals = gap >= -np.sqrt(2 * np.log(np.log(max(count, 16)))) * gaps.std(axis=1)
    luck = np.max(gaps - np.where(rivals, gap, 0)[:, None], axis=0)
    low = -np.max(np.quantile(gaps, 0.975, axis=1))
    return tuple(float(v) for v in (-gap.max(), low, np.quantile(luck, 0.975) - gap.max()))


def _areas(labels, scores, times):
    """Return the AUROC `(..., draws)` of scores `(..., n)` whose items count `times` `(draws, n)`.

    One sort of the scores for all draws, where `detection.auroc` sorts for each.
    """
    if scores.ndim > 1:
        return np.stack([_areas(labels, one, times) for one in scores])
    order = np.argsort(scores, kind="stable")
    scores, bad, times = scores[order], labels[order] == 1, times[:, order]
    below = np.zeros((len(times), len(scores) + 1))  # normals among the first so many
    np.cumsum(np.where(bad, 0, times), axis=1, out=below[:, 1:])
    ends = [np.searchsorted(scores, scores[bad], side) for side in ("left", "right")]
    beaten = (below[:, ends[0]] + below[:, ends[1]]) / 2  # ties count one half
    return (times[:, bad] * beaten).sum(axis=1) / (times[:, bad].sum(axis=1) * below[:, -1])


def pixel_figures(pairs):
    """Return AUPRO and pixel AP, or nothing where no mask marks a pixel.

    Args:
        pairs: `(map (h, w), mask bool (h, w), name)` of each item whose truth is known. Masks of
            another size than their map count in no figure; "unfit" then holds the items' names.
    """
    unfit = {UNFIT: names} if (names := [n for h, m, n in pairs if h.shape != m.shape]) else {}
    pairs = [(heat, mask) for heat, mask, _ in pairs if heat.shape == mask.shape]
    if not any(mask.any() for _, mask in pairs):
        return unfit
    heat, truth = zip(*pairs, strict=True)
    return {
        "aupro_30": float(detection.aupro(heat, truth, 0.3)),
        "aupro_5": float(detection.aupro(heat, truth, 0.05)),
        "pixel_ap": float(detection.pixel_ap(heat, truth)),
    } | unfit


def few_sentence(row) -> str:
    """Return that too few groups are labelled to compare rows, "" where there are enough.

    Args:
        row: Figures of `metrics.detection.summary`.
    """
    counts = {"normals": row["normal_groups"], "anomalies": row["anomaly_groups"]}
    few = [
        f"the {name} are of {count} {'group' if count == 1 else 'groups'}"
        for name, count in counts.items()
        if count < LEAST
    ]
    if not few:
        return ""
    return (
        f"Too few to compare: {' and '.join(few)}, where an item of none counts as one; {LEAST} of "
        "each are the least."
    )


def unfit_sentence(names) -> str:
    """Return what to say of masks whose size is not that of their picture, "" where all fit.

    Args:
        names: Of their items.
    """
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (
        f"Masks of another size than their picture count in no figure of pixels: {len(names)}, "
        f"{', '.join(names[:3])}{more}. Save them in the size of the pictures."
    )


def truths(items, scored, maps):
    """Yield `(map, mask, name)` of items whose pixels are known; the mask of a normal is empty."""
    if not any(item.mask for item in items):
        return
    for i, item in enumerate(items):
        heat = None if item.name in scored.errors else maps.get(i)
        if heat is None:
            continue
        if item.label == 0:
            yield heat, np.zeros(heat.shape, bool), item.name
        elif item.mask is not None:
            yield heat, loading.read_mask(item, heat.shape), item.name


def _resamples(items):
    """Return how many draws: 2000, fewer where each takes long; the ends then scatter more."""
    return int(np.clip(4_000_000 / max(1, items), 300, 2000))


def _by_kind(labels, scores, kinds):
    kinds, found = np.array(kinds), {}
    for kind in sorted(set(kinds[labels == 1].tolist())):
        chosen = (labels == 0) | (kinds == kind)
        area = detection.auroc(labels[chosen], scores[chosen])
        found[kind] = (int(np.sum(kinds == kind)), float(area))
    return found
