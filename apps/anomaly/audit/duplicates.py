"""Rules about pictures that are there twice: exactly (`repeats`), nearly, in a row, as crops."""

import re
from collections import Counter

import numpy as np

from .findings import Finding, first, some
from .measure import Sheet
from .repeats import exact

HAMMING = 4  # of 64 signs: proposes a near-duplicate
ALIKE = 0.98  # correlation of the 32x32 pictures: confirms it
COPY = 0.995  # the same picture again; digits and shirts that merely look alike stay below
MANY = 0.02  # share of pictures from which mere likeness is a property of the set
CHAIN = 0.5  # share of the normals in one chain of near pairs, from which it is no matter of copies
ALIKE_THROUGHOUT = "alike-throughout"  # the rule that says nothing of items that are only scored
SHARED = 3  # identical blocks at one displacement that prove an overlap


def duplicate_findings(sheet: Sheet) -> list[Finding]:
    """Return what all rules about repeated pictures find."""
    found = exact(sheet.digests, sheet.parts, sheet.names, sheet.labels, "picture")
    pairs = near_pairs(sheet)
    found += _near(sheet, pairs)
    found += overlaps(sheet)
    found += groups_across(sheet.groups, sheet.parts, sheet.labels)
    if not (sheet.groups != "").any():
        found += series(sheet)
    return found


def near_pairs(sheet: Sheet) -> np.ndarray:
    """Return pairs of nearly equal pictures, exact copies left out.

    A 64-bit hash of the low cosine frequencies proposes (at most 4 bits apart), the correlation of
    the 32x32 pictures confirms (above 0.98).

    Returns:
        float64 `(k, 3)`: first index, second index, correlation.
    """
    n = len(sheet)
    flat = sheet.thumbs.reshape(n, -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    pairs = []
    for start in range(0, n, 256):
        part = sheet.hashes[start : start + 256, None] ^ sheet.hashes[None, start:]
        a, b = np.nonzero(np.bitwise_count(part) <= HAMMING)
        a, b = a[a < b] + start, b[a < b] + start
        r = np.einsum("ij,ij->i", flat[a], flat[b])
        kept = (r > ALIKE) & (sheet.digests[a] != sheet.digests[b])
        pairs.append(np.stack([a, b, r], axis=1)[kept])
    return np.concatenate(pairs) if pairs else np.zeros((0, 3))


def unions(n: int, pairs) -> np.ndarray:
    """Return for each of n things the smallest index that pairs connect it with (union-find)."""
    root = list(range(n))

    def find(i):
        while root[i] != i:
            root[i] = root[root[i]]
            i = root[i]
        return i

    for a, b in pairs:
        a, b = find(int(a)), find(int(b))
        root[max(a, b)] = min(a, b)
    return np.array([find(i) for i in range(n)], int)


def copies(sheet: Sheet) -> dict[str, str]:
    """Return name -> name of the first picture that it copies, exactly or nearly.

    `split.split` takes it so that copies stay on one side. Near pairs of a chain that holds most of
    the normals are left out: see `throughout`.
    """
    _, codes = np.unique(sheet.digests, return_inverse=True)
    heads = np.unique(codes, return_index=True)[1]
    same = [(heads[code], i) for i, code in enumerate(codes) if heads[code] != i]
    pairs = near_pairs(sheet)
    pairs = pairs[~throughout(sheet, pairs)[pairs[:, 0].astype(int)], :2]
    root = unions(len(sheet), [*same, *pairs])
    return {sheet.names[i]: sheet.names[r] for i, r in enumerate(root) if r != i}


def throughout(sheet: Sheet, pairs) -> np.ndarray:
    """Return bool `(n,)`: what lies in one chain of near pairs with more than half of the normals.

    So it is with parts in a jig, each a little unlike the next: that they are alike is a property
    of the set, and were they kept together nothing would be left to divide.

    Args:
        sheet: The pictures.
        pairs: What `near_pairs` returned.
    """
    normal = sheet.normal & (sheet.parts == "train")
    if not normal.any():
        return np.zeros(len(sheet), bool)
    root = unions(len(sheet), pairs[:, :2])
    chains, sizes = np.unique(root[normal], return_counts=True)
    largest = chains[sizes.argmax()]
    return (root == largest) & bool(sizes.max() > CHAIN * normal.sum())


def overlaps(sheet: Sheet) -> list[Finding]:
    """Find crops of one larger picture: identical 8x8 blocks at another place, several alike.

    Only pixels that were copied without resampling or lossy compression show it.
    """
    table = sheet.blocks
    order = np.argsort(table[:, 1], kind="stable")
    table = table[order]
    pairs = Counter()
    starts = np.flatnonzero(np.r_[True, table[1:, 1] != table[:-1, 1], True])
    for i, j in zip(starts[:-1], starts[1:], strict=True):
        if 2 <= j - i <= 20:  # a block in more pictures than that is an ornament, not an overlap
            rows = table[i:j].astype(np.int64)
            for a in range(len(rows)):
                for b in range(a + 1, len(rows)):
                    pairs[_displacement(rows[a], rows[b])] += 1
    linked = {(a, b) for (a, b, *by), count in pairs.items() if count >= SHARED and any(by)}
    if not linked:
        return []
    members = np.array(sorted({i for pair in linked for i in pair}), int)
    crossing = [pair for pair in linked if len({str(sheet.parts[i]) for i in pair}) > 1]
    share = len(members) / len(sheet)
    return [
        Finding(
            "overlapping-crops",
            "error" if crossing else "warning" if share > MANY else "note",
            f"{len(members)} of {len(sheet)} pictures overlap another one: they are crops of the "
            f"same larger picture ({some(sheet.names[members])})"
            + (f", {len(crossing)} pairs across parts" if crossing else "")
            + ". Split by the larger picture, not by crop.",
            first(sheet.names[members]),
            share,
        )
    ]


def groups_across(groups, parts, labels) -> list[Finding]:
    """Find groups (patients, parts, lots) that are in training and in test at once."""
    found = []
    train = set(groups[(parts == "train") & (groups != "")])
    test = (parts == "test") & np.isin(groups, list(train))
    if test.any():
        normal = test & (labels != 1)
        leak = normal.sum() if normal.any() else test.sum()
        found.append(
            Finding(
                "groups-across-parts",
                "error" if normal.any() else "warning",
                f"{test.sum()} test items ({normal.sum()} not anomalous) belong to "
                f"{len(set(groups[test]))} groups that are also in training: results will be too "
                "good. Split by group.",
                first(sorted(set(groups[test]))),
                float(leak),
            )
        )
    both = _with_both(groups, labels) & (groups != "")
    if both.any():
        names = sorted(set(groups[both]))
        found.append(
            Finding(
                "groups-in-both-classes",
                "note",
                f"{len(names)} groups hold normal and anomalous items: a random split of the items "
                "would leak. Keep the split by group.",
                first(names),
                len(names),
            )
        )
    return found


def series(sheet: Sheet) -> list[Finding]:
    """Find series without known groups: pictures that look like their neighbours by name.

    Frames of a video, slices of a volume and exposures of one object are numbered in a row. The
    share of pictures whose most similar one (32x32, correlation) is within 3 places by number is
    compared with the share that chance would give.
    """
    numbers = [[int(i) for i in re.findall(r"\d+", str(name))] for name in sheet.names]
    n = len(sheet)
    if n < 30 or not all(numbers) or all(str(name).startswith("#") for name in sheet.names):
        return []
    chosen = np.linspace(0, n - 1, min(n, 4000)).astype(int)
    by_last = sorted(chosen, key=lambda i: (numbers[i][-1], str(sheet.names[i])))
    by_all = sorted(chosen, key=lambda i: (numbers[i], str(sheet.names[i])))
    found = [_series_by_order(sheet, np.array(order)) for order in (by_last, by_all)]
    return max(found, key=lambda one: one[0].number if one else 0.0)


def _series_by_order(sheet, order):
    flat = sheet.thumbs[order].reshape(len(order), -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    flat = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    alike = flat @ flat.T
    np.fill_diagonal(alike, -2)
    nearest = alike.argmax(axis=1)
    close = np.abs(nearest - np.arange(len(order))) <= 3
    share, chance = close.mean(), 6 / len(order)
    if share < max(0.2, 5 * chance):
        return []
    crossing = (sheet.parts[order] != sheet.parts[order[nearest]]) & close
    return [
        Finding(
            "series-without-groups",
            "warning",
            f"{share:.0%} of the pictures look most like a neighbour by number (chance: "
            f"{chance:.0%}): they are frames, slices or exposures of the same things"
            + (f", {crossing.sum()} of them across parts" if crossing.any() else "")
            + ". Say what belongs together with --groups.",
            first(sheet.names[order[close]]),
            float(share),
        )
    ]


def _near(sheet, pairs):
    if not len(pairs):
        return []
    alike = throughout(sheet, pairs)
    found = _alike_throughout(sheet, alike) if alike.any() else []
    pairs = pairs[~alike[pairs[:, 0].astype(int)]]
    index, r = pairs[:, :2].astype(int), pairs[:, 2]
    members = np.unique(index)
    share = len(members) / len(sheet)
    across = sheet.parts[index[:, 0]] != sheet.parts[index[:, 1]]
    sure = r >= COPY
    leaking = index[across & (sure | (share > MANY))]
    if len(leaking):
        names = [f"{sheet.names[a]} = {sheet.names[b]}" for a, b in leaking]
        found.append(
            Finding(
                "near-duplicates-across-parts",
                "warning",
                f"{len(leaking)} pairs of nearly equal pictures lie across parts ({some(names)}): "
                "results will be too good.",
                first(names),
                len(leaking),
            )
        )
    inside = index[~across]
    if len(inside):
        names = [f"{sheet.names[a]} = {sheet.names[b]}" for a, b in inside]
        found.append(
            Finding(
                "near-duplicates",
                "warning" if share > MANY else "note",
                f"{len(inside)} pairs of nearly equal pictures ({some(names, 2)}), "
                f"{share:.1%} of all pictures: they are kept together when the data are divided.",
                first(names),
                share,
            )
        )
    return found


def _alike_throughout(sheet, alike):
    return [
        Finding(
            ALIKE_THROUGHOUT,
            "warning",
            f"{alike.sum()} of {len(sheet)} pictures hang together as nearly equal ones: likeness "
            "is a property of this set, and only exact copies of theirs are kept together when the "
            "data are divided. If several show one thing, give --groups: else p is too small.",
            first(sheet.names[alike]),
            float(alike.mean()),
        )
    ]


def _with_both(codes, labels):
    """Return bool `(n,)`: the code is there with label 0 and with label 1."""
    return np.isin(codes, codes[labels == 0]) & np.isin(codes, codes[labels == 1])


def _displacement(a, b):
    return (
        int(a[0]),
        int(b[0]),
        int(b[2] // 65536 - a[2] // 65536),
        int(b[2] % 65536 - a[2] % 65536),
    )
