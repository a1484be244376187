"""The reference rows before any training: what simple methods say of 32-pixel pictures.

They take a second, so a person sees them at once, and knows what a network has to beat.
"""

from dataclasses import dataclass

import numpy as np

from gantools.metrics import detection

from ..calibration.split import bucket
from . import references

MOST = 2000  # normals that a row is fitted on
HELD = 3000  # of 10 000 groups of normals are held out
LEVEL = 0.95  # quantile of held-out normals above which an item counts as odd


@dataclass(frozen=True)
class First:
    """Figures of the reference rows.

    Attributes:
        figures: Row -> AUROC where there are labels, else share of items above the normals' 95 %.
        labelled: Whether the figures are AUROCs.
        error: Standard error of the best AUROC; 0 without labels.
        items: How many items were looked at.
    """

    figures: dict[str, float]
    labelled: bool
    error: float
    items: int

    def lines(self) -> list[str]:
        """Return what a person reads, the best row first."""
        if not self.figures:
            return []
        told = ", ".join(f"{name} {value:.3f}" for name, value in self.figures.items())
        if self.labelled:
            return [
                f"Simple rows on 32-pixel pictures, AUROC: {told} (standard error "
                f"{self.error:.3f}). A detector has to beat the first."
            ]
        return [
            f"Simple rows on 32-pixel pictures, share of {self.items} items above 95 % of held-out "
            f"normals: {told}."
        ]


def first_look(sheet) -> First:
    """Fit the reference rows on thumbnails of normals and score everything else.

    Args:
        sheet: What the audit measured, see `audit.measure.Sheet`.
    """
    train = sheet.normal & (sheet.parts == "train")
    keys = np.where(sheet.groups != "", sheet.groups, sheet.names)
    held = np.array([bucket(str(key), 0, "first") < HELD for key in keys]) & train
    fit = np.flatnonzero(train & ~held)
    fit = fit[:: max(1, len(fit) // MOST)]
    test = sheet.parts == "test"
    test = test if test.any() else ~train
    if len(fit) < 5 or not held.any() or not test.any():
        return First({}, False, 0.0, 0)
    return measured(references.REFERENCES, sheet.thumbs, fit, held, test, sheet.labels)


def measured(rows, x, fit, held, test, labels) -> First:
    """Return the figures of rows fitted on some items.

    Args:
        rows: Name -> maker of a reference row.
        x: `(n, ...)` items.
        fit: Indices of the normals to fit on.
        held, test: `(n,)` bool: normals held out, and items to look at.
        labels: `(n,)` of 0, 1, and -1 for unknown.
    """
    known = test & (labels >= 0)
    labelled = len(set(labels[known].tolist())) == 2
    figures = {}
    for name, make in rows.items():
        row = make().fit(x[fit])
        if labelled:
            figures[name] = detection.auroc(labels[known], row.score(x[known]))
        else:
            level = np.quantile(row.score(x[held]), LEVEL)
            figures[name] = float(np.mean(row.score(x[test]) > level))
    order = sorted(figures, key=figures.get, reverse=True)
    error = 0.0
    if labelled:
        bad = int((labels[known] == 1).sum())
        error = detection.auroc_error(max(figures.values()), bad, int(known.sum()) - bad)
    return First({name: figures[name] for name in order}, labelled, error, int(test.sum()))
