"""What the data are, in numbers that a plan can be made from and a later batch compared with."""

from collections import Counter

import numpy as np

from .audit.measure import Sheet
from .items import Collection
from .scans.foreground import are_on_black

SCHEMA = 1
ALIGNED = 0.15  # share of the variance that the mean picture explains, from which places matter
QUANTILES = (0, 5, 25, 50, 75, 95, 100)


def fingerprint(collection: Collection, sheet: Sheet) -> dict:
    """Describe a collection.

    No name, group or identifier of an item is in it: only counts and distributions.

    Args:
        collection: What was found.
        sheet: What was measured of it.

    Returns:
        What `fingerprint.json` holds: "schema", "layout", "parts", "kinds", "groups", "sizes",
        "modes", "numbers" (quantiles of the training normals), "levels" (histogram of 32 bins),
        "aligned" (share explained by the mean picture), "is_aligned", and "is_dark" (whether the
        normals lie on a dark background).
    """
    normal = sheet.normal & (sheet.parts == "train")
    sizes = Counter(
        zip(
            sheet.numbers.get("height", np.zeros(0)).astype(int).tolist(),
            sheet.numbers.get("width", np.zeros(0)).astype(int).tolist(),
            strict=True,
        )
    )
    share, shown = explained(sheet.thumbs[normal]), sheet.shown[normal][..., None]
    return {
        "schema": SCHEMA,
        "layout": collection.layout,
        "pictures": len(sheet),
        "unreadable": len(sheet.unreadable),
        "skipped": len(collection.skipped),
        "parts": _counts(sheet.parts),
        "labels": _counts(np.array(["unknown", "normal", "anomalous"])[sheet.labels + 1]),
        "kinds": _counts(sheet.kinds[sheet.kinds != ""]),
        "groups": len(set(sheet.groups) - {""}),
        "masks": sum(item.mask is not None for item in collection.items),
        "sizes": [[h, w, count] for (h, w), count in sizes.most_common(20)],
        "modes": _counts(sheet.modes),
        "numbers": {name: _quantiles(values[normal]) for name, values in sheet.numbers.items()},
        "levels": histogram(sheet.thumbs[normal]),
        "aligned": share,
        "is_aligned": share >= ALIGNED,
        "is_dark": len(shown) > 0 and are_on_black(2 * shown - 1),
    }


def explained(thumbs: np.ndarray) -> float:
    """Return which share of the variance of pictures their mean picture explains, 0 to 1.

    High where every picture shows the same thing in the same place (a chest, a screw in a jig); 0
    for textures. The share that noise alone gives, 1/n, is taken off.

    Args:
        thumbs: float `(n, h, w)`.

    Source: (Var_u[m(u)] - Var within / n) / Var over all, m(u) the mean at place u.
    """
    n = len(thumbs)
    if n < 2:
        return 0.0
    data = thumbs.reshape(n, -1).astype(np.float64)
    mean = data.mean(axis=0)
    within = ((data - mean) ** 2).sum() / ((n - 1) * data.shape[1])
    between = mean.var() - within / n
    return float(np.clip(between / max(between + within, 1e-12), 0, 1))


def histogram(thumbs: np.ndarray) -> list[float]:
    """Return the shares of levels in 32 equal bins from 0 to 1."""
    counts, _ = np.histogram(thumbs, bins=32, range=(0, 1))
    return (counts / max(counts.sum(), 1)).round(6).tolist()


def _counts(values):
    return {str(name): int(count) for name, count in Counter(values.tolist()).most_common(50)}


def _quantiles(values):
    values = values[np.isfinite(values)]
    if not len(values):
        return None
    found = np.percentile(values, QUANTILES)
    return {f"q{q}": round(float(v), 6) for q, v in zip(QUANTILES, found, strict=True)}
