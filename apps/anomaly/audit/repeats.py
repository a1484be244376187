"""The rule about pictures and rows that are there twice, bit for bit: inside a part and across."""

import numpy as np

from .findings import Finding, first, some

SURE = 3  # standard errors from which equal rows are no chance


def exact(digests, parts, names, labels, what="row") -> list[Finding]:
    """Find what is there more than once, bit for bit.

    Args:
        digests: `(n,)` one code a picture or row; equal content, equal code.
        parts: `(n,)` "train", "val" or "test".
        names: `(n,)` for the findings.
        labels: `(n,)` 0, 1 or numbers of kinds; -1 for unknown.
        what: "picture" or "row".
    """
    _, codes, sizes = np.unique(digests, return_inverse=True, return_counts=True)
    repeated, found = sizes[codes] > 1, []
    if not repeated.any():
        return found
    found += _across(codes, parts, names, what)
    for part in _parts(parts):
        mine = np.flatnonzero(parts == part)
        _, start = np.unique(codes[mine], return_index=True)
        again = np.delete(mine, start)
        if len(again):
            found.append(
                Finding(
                    "duplicates",
                    "warning" if len(again) >= 0.05 * len(mine) else "note",
                    f"{len(again)} of {len(mine)} {what}s for {part} repeat an earlier one exactly"
                    f" ({some(names[again])}): they count twice in everything.",
                    first(names[again]),
                    len(again) / len(mine),
                )
            )
    both = _with_several(codes, labels)
    if both.any():
        count = len(np.unique(codes[both]))
        found.append(
            Finding(
                "conflicting-labels",
                "warning",
                f"{count} different {what}s are there under more than one label "
                f"({some(names[both])}): no detector can be right on all of them.",
                first(names[both]),
                count,
            )
        )
    return found


def _across(codes, parts, names, what):
    found = []
    there = _parts(parts)
    for i, a in enumerate(there):
        for b in there[i + 1 :]:
            twice = (parts == b) & np.isin(codes, codes[parts == a])
            if what == "row" and twice.any():
                telling = _telling(codes, parts == a, parts == b)
                if not telling.any():
                    found.append(_rightly_equal(names, twice, (parts == b).sum(), a, b))
                twice = telling
            if twice.any():
                count = int(twice.sum())
                found.append(
                    Finding(
                        "duplicates-across-parts",
                        "error",
                        f"{count} {what}s for {b} ({count / (parts == b).sum():.1%}) are also in "
                        f"{a} ({some(names[twice])}): what is measured there is memory.",
                        first(names[twice]),
                        count,
                    )
                )
    return found


def _telling(codes, one, other):
    """Return bool `(n,)`: the rows of another part that equal a single row of one, as copies do.

    None where chance explains their number, as of rows of few categories. A new row equals exactly
    one of n about as often as one of those does equal exactly one of the rest.

    Args:
        codes: int `(n,)` of contents, from 0.
        one, other: bool `(n,)` of the parts.

    Source: m * 2 N2 / n of m new rows, N2 contents that are there twice: Good 1953, for r = 1.
    """
    counts = np.bincount(codes[one], minlength=codes.max() + 1)
    found = other & (counts[codes] == 1)
    ratio, twins = other.sum() / one.sum(), int((counts == 2).sum())
    expected = 2 * twins * ratio
    error = (expected + 4 * twins * ratio**2) ** 0.5  # of both counts, as Poisson has it
    return found & (found.sum() > expected + SURE * error)


def _rightly_equal(names, twice, size, a, b):
    count = int(twice.sum())
    return Finding(
        "equal-rows-across-parts",
        "note",
        f"{count} rows for {b} ({count / size:.1%}) equal rows for {a} ({some(names[twice])}), no "
        f"more often than rows for {a} equal each other: with few different values that is no sign "
        "of copies.",
        first(names[twice]),
        count,
    )


def _with_several(codes, labels):
    """Return bool `(n,)`: the code is there with two labels that are known."""
    known = np.flatnonzero(labels >= 0)
    lowest = np.full(codes.max() + 1, np.iinfo(np.int64).max)
    highest = np.full(codes.max() + 1, -1)
    np.minimum.at(lowest, codes[known], labels[known])
    np.maximum.at(highest, codes[known], labels[known])
    return (lowest < highest)[codes]


def _parts(parts):
    return [part for part in ("train", "val", "test") if (parts == part).any()]
