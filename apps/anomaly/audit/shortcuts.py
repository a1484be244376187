"""Rules about single numbers that tell the classes or the parts apart without any finding.

A detector that learns the scanner, the file format or the brightness instead of the defect scores
well here and nowhere else. Every number of a picture is held against the label where labels exist,
and against the part (training or test) among normals.
"""

from dataclasses import dataclass, replace

import numpy as np

from gantools.metrics.detection import auroc, auroc_error

from .findings import Finding
from .measure import Sheet

NOTE, WARNING = 0.65, 0.75  # area under the curve
FEWEST = 8  # of each side, below which nothing is said
FOLDS = 5  # of the model on the numbers that are not pixels


@dataclass(frozen=True)
class Row:
    """How well one number separates.

    Attributes:
        name: Of the number.
        against: "anomalous" or the name of a kind, or "test" for a drift.
        auroc: The better direction, 0.5 to 1.
        error: Standard error of it.
        overall: The same against all anomalies, where `against` is one kind.
    """

    name: str
    against: str
    auroc: float
    error: float
    overall: float | None = None

    @property
    def sure(self) -> bool:
        """Whether it differs from 0.5 by three standard errors."""
        return self.auroc - 0.5 > 3 * self.error


def separations(numbers, positive, against) -> list[Row]:
    """Return one row a number: how well it tells `positive` from the rest, NaN rows left out.

    Args:
        numbers: name -> float `(n,)`.
        positive: bool `(n,)`.
        against: What `positive` is called in the rows.
    """
    rows = []
    for name, values in numbers.items():
        known = np.isfinite(values)
        n1, n0 = int((known & positive).sum()), int((known & ~positive).sum())
        if min(n1, n0) < FEWEST or np.ptp(values[known]) == 0:
            continue
        area = auroc(positive[known], values[known])
        area = max(area, 1 - area)
        # A perfect separation has no standard error by the formula, which few items do not deserve.
        error = auroc_error(area, n1, n0) if area < 1 else 0.5 / min(n1, n0) ** 0.5
        rows.append(Row(name, against, area, error))
    return rows


def shortcut_rows(sheet: Sheet) -> list[Row]:
    """Return for every number of a labelled sheet its best separation, the largest first.

    Compared are normals against all anomalies and against each kind of anomaly, on the test part if
    it holds both; without any label each kind against the rest.
    """
    rows, best = _class_rows(sheet), {}
    overall = {row.name: row.auroc for row in rows if row.against == "anomalous"}
    for row in rows:
        if row.sure and (row.name not in best or row.auroc > best[row.name].auroc):
            best[row.name] = replace(row, overall=overall.get(row.name))
    return sorted(best.values(), key=lambda row: -row.auroc)


def shortcut_findings(sheet: Sheet) -> list[Finding]:
    """Return leak columns, numbers that tell the label, and numbers that tell the part."""
    leaks = leak_facts(sheet)
    numbers = {name: v for name, v in sheet.numbers.items() if name not in leaks}
    found = [
        Finding(
            "label-derived-number",
            "note",
            f"'{name}' has one value for all normals and others for the anomalous: it was made "
            "from the label and is not used.",
            (name,),
        )
        for name in leaks
    ]
    for row in shortcut_rows(_with(sheet, numbers)):
        if row.auroc >= NOTE:
            found.append(_shortcut(row))
    combined = metadata_auroc(sheet, leaks)
    if combined is not None and combined >= WARNING:
        found.append(
            Finding(
                "metadata-shortcut",
                "warning",
                f"Size, format and header numbers together, without one pixel, tell anomalous from "
                f"normal with AUROC {combined:.3f}: a detector's figure must be read beside it.",
                (),
                combined,
            )
        )
    return found + drift_findings(_with(sheet, numbers))


def drift_findings(sheet: Sheet) -> list[Finding]:
    """Return the numbers in which normals for test differ from normals for training."""
    known = sheet.labels == 0 if (sheet.labels == 0).any() else sheet.normal
    chosen = known & np.isin(sheet.parts, ("train", "test"))
    rows = separations(
        {name: v[chosen] for name, v in sheet.numbers.items()},
        (sheet.parts == "test")[chosen],
        "test",
    )
    rows = sorted((r for r in rows if r.sure and r.auroc >= NOTE), key=lambda row: -row.auroc)
    return [
        Finding(
            "parts-differ",
            "warning" if row.auroc >= WARNING else "note",
            f"Normals for test differ from normals for training in {row.name} (AUROC "
            f"{row.auroc:.3f}): false alarms will not keep to the wanted rate.",
            (row.name,),
            row.auroc,
        )
        for row in rows
    ]


def leak_facts(sheet: Sheet) -> tuple[str, ...]:
    """Return the manifest's numbers that are made from the label: one value for every normal."""
    found = []
    for name in sheet.facts:
        values, known = sheet.numbers[name], np.isfinite(sheet.numbers[name])
        normal, bad = known & (sheet.labels == 0), known & (sheet.labels == 1)
        if normal.sum() < FEWEST or bad.sum() < FEWEST or np.ptp(values[normal]) > 0:
            continue
        if (values[bad] != values[normal][0]).mean() > 0.9 and len(np.unique(values[bad])) > 8:
            found.append(name)
    return tuple(found)


def metadata_auroc(sheet: Sheet, leaks=()) -> float | None:
    """Return the AUROC of a logistic regression on the numbers that are not pixels, or None.

    Five folds, each picture scored by a model that has not seen it, groups kept whole. None also
    where a class has fewer groups than folds: a model would be fitted without it.
    """
    chosen = _class_part(sheet)
    labels = sheet.labels[chosen] == 1
    if min(labels.sum(), (~labels).sum()) < 40:
        return None
    names = ["height", "width", "aspect ratio", "channels", "bits", *sheet.facts]
    names += ["file size"] if "file size" in sheet.numbers else []
    columns = [sheet.numbers[n][chosen] for n in names if n in sheet.numbers and n not in leaks]
    columns = [c for c in columns if np.isfinite(c).all() and np.ptp(c) > 0]
    if not columns:
        return None
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    groups = np.where(sheet.groups[chosen] == "", sheet.names[chosen], sheet.groups[chosen])
    if min(len(set(groups[labels])), len(set(groups[~labels]))) < FOLDS:
        return None
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    scores = cross_val_predict(
        model, np.stack(columns, 1), labels, groups=groups, cv=folds, method="decision_function"
    )
    return auroc(labels, scores)


def _class_part(sheet):
    """Return bool `(n,)`: the test part if it holds both labels, else whatever has a label."""
    known = sheet.labels >= 0
    test = known & (sheet.parts == "test")
    both = (sheet.labels[test] == 0).any() and (sheet.labels[test] == 1).any()
    return test if both else known


def _class_rows(sheet):
    chosen = _class_part(sheet)
    labels, kinds = sheet.labels[chosen], sheet.kinds[chosen]
    numbers = {name: v[chosen] for name, v in sheet.numbers.items()}
    if (labels == 0).any() and (labels == 1).any():
        rows = separations(numbers, labels == 1, "anomalous")
        for kind in sorted(set(kinds[labels == 1]) - {""}):
            pick = (labels == 0) | (kinds == kind)
            some = {name: v[pick] for name, v in numbers.items()}
            rows += separations(some, (kinds == kind)[pick] & (labels == 1)[pick], kind)
        return rows
    rows = []
    there = sorted(set(sheet.kinds) - {""})
    for kind in there if 2 <= len(there) <= 50 else ():
        rows += separations(sheet.numbers, sheet.kinds == kind, kind)
    return rows


def _shortcut(row):
    one_kind = row.against != "anomalous"
    what = f"'{row.against}'" if one_kind else "the anomalous"
    overall = f" (all anomalies: {row.overall:.3f})" if one_kind and row.overall else ""
    return Finding(
        "one-number-shortcut",
        "warning" if row.auroc >= WARNING else "note",
        f"{row.name[0].upper()}{row.name[1:]} alone tells {what} from the rest with AUROC "
        f"{row.auroc:.3f}{overall}: a detector's figure must be read beside it.",
        (row.name,),
        row.auroc,
    )


def _with(sheet, numbers):
    return replace(sheet, numbers=numbers)
