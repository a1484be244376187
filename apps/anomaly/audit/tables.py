"""Rules about tables: repeated rows; columns empty, constant, too good or made from labels."""

import re
import shlex

import numpy as np

from gantools.data.tables import number

from ..tables.columns import PARSE, as_seconds
from .contents import imbalance_of, too_few_of
from .duplicates import groups_across
from .findings import Finding, first, some
from .repeats import exact
from .shortcuts import NOTE, WARNING, separations

# A column of such a name may have been written after the label was known.
AFTERWARDS = re.compile(
    r"(^|[_ .-])(difficulty|score|pred|predict(ed|ion)?|prob(ability)?|outcome|result|label|target"
    r"|class|split|fold|is_?anomaly|ground_?truth)($|[_ .-])",
    re.IGNORECASE,
)
LEAK = 0.999  # area under the curve of a column that is the label
FOLDS = 10  # of the rows, where texts are counted

TROUBLES = {
    "empty": ("empty-column", "warning", "Columns without a value in any row are left out: {}."),
    "sparse": ("missing-values", "warning", "Columns with more than a fifth missing: {}."),
    "infinite": (
        "infinite-values",
        "warning",
        "Columns with infinite values, each taken as the farthest that a number counts: {}.",
    ),
    "constant": ("constant-column", "note", "Columns that are constant and say nothing: {}."),
    "text": (
        "text-column",
        "note",
        "Columns of words, taken as categories, or as text where many differ, or left out where "
        "nearly all do: {}.",
    ),
}


def audit_table(
    columns, labels=None, parts=None, kinds=None, groups=None, names=None, *, to_score=False
):
    """Audit a table before anything is fitted on it.

    Args:
        columns: name -> `(n,)` array of numbers or texts (object); the label is not among them.
        labels: `(n,)` of 0 normal, 1 anomalous, -1 unknown; None for all unknown.
        parts: `(n,)` "train", "val" or "test"; None for all "train".
        kinds: `(n,)` names of kinds, or None.
        groups: `(n,)` texts, "" for unknown, or None.
        names: `(n,)` names of rows, or None for their numbers, from 1 as in a spreadsheet with a
            heading (the first row of data is row 2).
        to_score: Whether the rows are only to be scored by a kept model: then any number will do.

    Returns:
        list of `findings.Finding`, errors first.
    """
    from .findings import ordered

    n = len(next(iter(columns.values()))) if columns else 0
    if not n:
        return [Finding("empty-table", "error", "The table has no rows or no columns.", (), 0)]
    parts = np.full(n, "train") if parts is None else np.asarray(parts)
    labels = np.full(n, -1) if labels is None else np.asarray(labels)
    names = np.array([f"row {i + 2}" for i in range(n)]) if names is None else np.asarray(names)
    features = {name: v for name, v in columns.items() if not AFTERWARDS.search(name)} or columns
    known = labels if kinds is None else np.unique(kinds, return_inverse=True)[1]
    found = exact(row_digests(features), parts, names, known, "row")
    found += _columns(columns) + one_column(columns, labels, parts)
    if groups is not None:
        found += groups_across(np.asarray(groups), parts, labels)
    if kinds is not None:
        found += _kinds(np.asarray(kinds), parts, labels)
    if not to_score:
        found += too_few_of(int(((parts == "train") & (labels != 1)).sum()))
    return ordered(found)


def row_digests(columns) -> np.ndarray:
    """Return one integer a row, equal where all columns are equal; NaN equals NaN.

    Args:
        columns: name -> `(n,)` array.

    Returns:
        int64 `(n,)`, numbered from 0 by content.
    """
    total = None
    for values in columns.values():
        codes = _codes(np.asarray(values))
        if total is None:
            total = codes
            continue
        joint = total * (int(codes.max()) + 1) + codes  # below n * n: fits 64 bits to 3e9 rows
        total = np.unique(joint, return_inverse=True)[1]
    return total


def one_column(columns, labels, parts) -> list[Finding]:
    """Return columns that alone tell the label, or that were written after it.

    Texts are compared by how often each value occurs among the other normals for training.
    """
    test = (parts == "test") & (labels >= 0)
    both = (labels[test] == 0).any() and (labels[test] == 1).any()
    chosen = test if both else labels >= 0
    normal = labels != 1
    base = normal & (parts == "train") if (normal & (parts == "train")).any() else normal
    numbers = {name: _as_numbers(np.asarray(v), base) for name, v in columns.items()}
    rows = separations(
        {name: v[chosen] for name, v in numbers.items()}, (labels == 1)[chosen], "anomalous"
    )
    late = [name for name in columns if AFTERWARDS.search(name)]
    found = [_late(name, next((row for row in rows if row.name == name), None)) for name in late]
    rows = [row for row in rows if row.sure and row.auroc >= NOTE and row.name not in late]
    rows.sort(key=lambda row: -row.auroc)
    found += [_is_label(row) for row in rows if row.auroc >= LEAK]
    rest = [row for row in rows if row.auroc < LEAK]
    return found + ([_best(rest)] if rest else [])


def _drop(name):
    """Return the option that leaves a column out, as it is typed."""
    return f"--drop {shlex.quote(name)}"


def _late(name, row):
    """Return the finding of a column by its name: only one that also tells the label is an error.

    Args:
        name: Of the column.
        row: Its `shortcuts.Row`, or None where it cannot be compared with a label.
    """
    telling = row is not None and row.sure and row.auroc >= WARNING
    told = f" (alone it tells the label with AUROC {row.auroc:.3f})" if row else ""
    return Finding(
        "leak-column",
        "error" if telling else "note",
        f"Column '{name}' {'is' if telling else 'may be'}, by its name, made from labels or from "
        f"other classifiers{told}: {'' if telling else 'if so, '}leave it out of the features by "
        f"{_drop(name)}.",
        (name,),
        row.auroc if row else None,
    )


def _is_label(row):
    return Finding(
        "leak-column",
        "error",
        f"Column '{row.name}' alone is the label (AUROC {row.auroc:.4f}): was it known before the "
        f"label? If not, leave it out by {_drop(row.name)}.",
        (row.name,),
        row.auroc,
    )


def _best(rows):
    """Return one finding for all columns that tell much: the best, and the names of the next."""
    best = rows[0]
    others = [f"{row.name} {row.auroc:.3f}" for row in rows[1:]]
    return Finding(
        "one-column-shortcut",
        "warning" if best.auroc >= WARNING else "note",
        f"Column '{best.name}' alone tells anomalous from normal with AUROC {best.auroc:.3f}"
        + (f" (then {some(others)})" if others else "")
        + ": a detector's figure must be read beside it.",
        first(row.name for row in rows),
        best.auroc,
    )


def _columns(columns):
    """Return what is wrong with columns by themselves, one finding a rule."""
    groups = {"empty": [], "constant": [], "sparse": [], "infinite": [], "text": []}
    for name, values in columns.items():
        for trouble in _troubles(np.asarray(values)):
            groups[trouble].append(name)
    return [
        Finding(rule, severity, sentence.format(some(groups[trouble], 5)), first(groups[trouble]),
                len(groups[trouble]))
        for trouble, (rule, severity, sentence) in TROUBLES.items()
        if groups[trouble]
    ]  # fmt: skip


def _troubles(values):
    missing = _missing(values)
    if missing.all():
        return ["empty"]
    known = values[~missing]
    if (known == known[0]).all():
        return ["constant"]
    found = ["sparse"] if missing.mean() > 0.2 else []
    if values.dtype.kind == "f" and np.isinf(values).any():
        found.append("infinite")
    if values.dtype.kind in "OUS" and _as_floats(known[:1000]) is None:
        seconds = as_seconds(np.array([str(v) for v in known[:1000]], object))
        found += ["text"] if np.isnan(seconds).mean() > 1 - PARSE else []
    return found


def _kinds(kinds, parts, labels):
    found = []
    seen = set(kinds[parts != "test"])
    new = (parts == "test") & ~np.isin(kinds, list(seen)) & (kinds != "") & (labels != 0)
    if new.any() and seen - {""}:
        names = sorted(set(kinds[new]))
        found.append(
            Finding(
                "new-kinds",
                "note",
                f"{new.sum()} rows for test are of {len(names)} kinds that occur nowhere in "
                f"training ({some(names)}): give their recall apart.",
                first(names),
                int(new.sum()),
            )
        )
    bad = kinds[(labels == 1) & (kinds != "")]
    names, counts = np.unique(bad, return_counts=True)
    order = np.argsort(-counts)
    if len(names) > 4 and counts[order[:2]].sum() > 0.9 * len(bad):
        share = counts[order[:2]].sum() / len(bad)
        two = " and ".join(str(name) for name in names[order[:2]])
        sentence = (
            f"{two} are {share:.1%} of the anomalous rows: results say nothing of the others."
        )
        found.append(Finding("dominant-kinds", "warning", sentence, first(names[order]), share))
    return found + imbalance_of(kinds[kinds != ""])


def _codes(values):
    if values.dtype.kind == "O":
        missing = _missing(values)
        texts = np.array(["" if m else str(v) for v, m in zip(values, missing, strict=True)])
        return np.unique(texts, return_inverse=True)[1].astype(np.int64)
    return np.unique(values, return_inverse=True, equal_nan=True)[1].astype(np.int64)


def _missing(values):
    if values.dtype.kind in "OUS":
        return np.array([v is None or v != v or str(v).strip() == "" for v in values], bool)
    return np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)


def _as_floats(values):
    texts = {v: "" if v is None else str(v) for v in set(values)}
    numbers = {v: number(text) for v, text in texts.items()}
    if None in numbers.values():
        return None
    return np.array([numbers[v] for v in values], float)


def _as_numbers(values, base):
    """Return a column as float64 `(n,)`: numbers as they are, texts as frequency among normals.

    Rows are dealt into folds, and those of a fold are counted among the normals of the others. Were
    a normal counted for itself, every identifier would be there once more among them than among the
    anomalous, and be the label; were only it left out, it would be there once less.

    Args:
        values: `(n,)`.
        base: bool `(n,)`: the normals that are counted.
    """
    if values.dtype.kind in "biuf":
        return values.astype(float)
    numbers = _as_floats(values)
    if numbers is not None:
        return numbers
    codes = _codes(values)
    fold = np.random.default_rng(0).permutation(len(codes)) % FOLDS
    found = np.bincount(codes[base], minlength=codes.max() + 1)[codes].astype(float)
    for one in range(FOLDS):
        own = fold == one
        found[own] -= np.bincount(codes[base & own], minlength=codes.max() + 1)[codes[own]]
    return found
