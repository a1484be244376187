"""Scores against labels, beside the reference rows of the same run: who ranks best, honestly."""

from dataclasses import dataclass

import numpy as np

from gantools.metrics import detection
from gantools.report import svg
from gantools.report.page import escape, paragraphs, table

from .. import loading

OURS = "detector"
HEAD = (
    "row", "AUROC", "95 % interval", "AP", "TPR at 1 % FPR", "TPR at 5 % FPR", "FPR at 95 % TPR",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Figures of the detector, of every reference row and of every part, on labelled items.

    Attributes:
        rows: Name -> figures as `metrics.detection.summary`; "detector" first.
        parts: Part -> AUROC alone.
        difference: `(AUROC difference to the best reference, low, high)`.
        best: Name of the best reference row.
        realised: Share of the normals that was flagged.
        wanted: The rule's level.
        pixels: "aupro_30", "aupro_5", "pixel_ap" where there are masks, else empty.
        kinds: Kind of anomaly -> `(items, AUROC)`.
        curve: `(false rates, true rates)` of the detector.
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

    @property
    def sentence(self) -> str:
        """One sentence: does the detector beat the simple rows?"""
        ours, best = self.rows[OURS], self.rows[self.best]
        change, low, high = self.difference
        figures = (
            f"AUROC {ours['auroc']:.3f} ({ours['auroc_low']:.3f} to {ours['auroc_high']:.3f}) "
            f"against {best['auroc']:.3f} of {self.best}"
        )
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
    change = detection.paired_difference(detection.auroc, labels, ours, column(best), **draws)
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
        pixels or {},
        _by_kind(labels, ours.mean(axis=0), [item.kind for item in chosen]),
        detection.roc(labels, ours[0]),
    )


def pixel_figures(pairs):
    """Return AUPRO and pixel AP, or nothing where no mask marks a pixel.

    Args:
        pairs: `(map (h, w), mask bool (h, w))` of each item whose truth is known.
    """
    pairs = [(heat, mask) for heat, mask in pairs if heat.shape == mask.shape]
    if not any(mask.any() for _, mask in pairs):
        return {}
    heat, truth = zip(*pairs, strict=True)
    return {
        "aupro_30": float(detection.aupro(heat, truth, 0.3)),
        "aupro_5": float(detection.aupro(heat, truth, 0.05)),
        "pixel_ap": float(detection.pixel_ap(heat, truth)),
    }


def truths(items, scored, maps):
    """Yield `(map, mask)` of every item whose pixels are known; the mask of a normal is empty."""
    if not any(item.mask for item in items):
        return
    for i, item in enumerate(items):
        heat = None if item.name in scored.errors else maps.get(i)
        if heat is None:
            continue
        if item.label == 0:
            yield heat, np.zeros(heat.shape, bool)
        elif item.mask is not None:
            yield heat, loading.read_mask(item, heat.shape)


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
