"""What a game trains on: arrays by the names of its batch, and what they say about its networks.

    kind        batch          comes from
    pictures    x              pictures of one size
    labelled    x, y           a folder per class, or an array file with labels
    pairs       a, b           two folders with equal file names, or pictures side by side
    domains     a, b           two folders of any number of pictures each

A game's module names its kind as DATA; without it, it is "pictures".
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from gantools.data.folders import Dataset, load_images
from gantools.errors import ALL_FAILED, UserError

KINDS = ("pictures", "labelled", "pairs", "domains")
FOLDERS = (("a", "b"), ("A", "B"), ("trainA", "trainB"))  # the last are those of published sets
HELD_LEAST, HELD_SHARE, HELD_MOST = 500, 0.02, 0.1


@dataclass(frozen=True)
class Material:
    """Samples in memory, ready for a game.

    Attributes:
        kind: One of KINDS.
        arrays: Name in the batch -> array; pictures are uint8 `(n, height, width, channels)`,
            labels int32 `(n,)`.
        class_names: Of the labels 0, 1, ...
        skipped: `(name, reason)` of the pictures that are not used.
        source: What was loaded.
        side_by_side: Whether each picture of it held both a and b.
    """

    kind: str
    arrays: Mapping[str, np.ndarray]
    class_names: tuple[str, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()
    source: str = ""
    side_by_side: bool = False

    @property
    def paired(self) -> bool:
        """Return whether sample i of every array belongs together."""
        return self.kind != "domains"

    @property
    def count(self) -> int | dict[str, int]:
        """Return the number of samples; of unpaired arrays one number each, by name."""
        counts = {name: len(array) for name, array in self.arrays.items()}
        return min(counts.values()) if self.paired else counts

    @property
    def options(self) -> dict[str, Any]:
        """Return the keyword arguments of `game()`: `shape`, and `target` or `classes`."""
        shapes = [tuple(a.shape[1:]) for a in self.arrays.values() if a.ndim > 1]
        found = {"shape": shapes[0]}
        if len(shapes) > 1:
            found["target"] = shapes[1]
        if "y" in self.arrays:
            found["classes"] = len(self.class_names)
        return found

    @property
    def sha256(self) -> str:
        """Return a hash of the content: names, types, shapes and values of all arrays."""
        found = hashlib.sha256()
        for name, array in self.arrays.items():
            found.update(f"{name} {array.dtype} {array.shape}\n".encode())
            found.update(np.ascontiguousarray(array))
        return found.hexdigest()


def load(kind: str, data: Path, resolution: int | None = None, *, side_by_side=False) -> Material:
    """Load what a game of some kind trains on.

    Args:
        kind: One of KINDS.
        data: A folder or an array file, see `data.folders.load_images`; for "domains" and "pairs"
            a folder that holds the folders a and b (or A and B, or trainA and trainB).
        resolution: Side in pixels; each picture's central square is resized to it. None keeps the
            size, which must then be the same for all pictures of an array.
        side_by_side: `data` holds pictures whose left half is a and whose right half is b.

    Raises:
        UserError: nothing there, nothing readable, several sizes and no `resolution`, or no labels
            or partners where the kind needs them.
    """
    if kind not in KINDS:
        raise UserError(f"Games train on {', '.join(KINDS)}. Received: DATA={kind!r}.")
    data = Path(data)
    if side_by_side:
        if kind not in ("pairs", "domains"):
            raise UserError("--side-by-side is for games that train on pairs of pictures.")
        return _halves(kind, data, resolution)
    if kind in ("pictures", "labelled"):
        return _one_set(kind, load_images(data, resolution, labels=kind == "labelled"))
    folders = two_folders(data)
    if folders is None:
        raise UserError(
            f"Expected {str(data)!r} to hold two folders of pictures, a and b. Make them, or give "
            "--side-by-side if each picture shows a on its left half and b on its right half."
        )
    sets = [load_images(folder, resolution, labels=False) for folder in folders]
    return _pairs(data, *sets) if kind == "pairs" else _two_sets(kind, data, *sets)


def two_folders(data: Path) -> tuple[Path, Path] | None:
    """Return the folders a and b in a folder, whatever they are called, None without both.

    Raises:
        UserError: there is no such folder.
    """
    if not data.exists():
        raise UserError(f"There is no folder {str(data)!r}.")
    for names in FOLDERS:
        both = (data / names[0], data / names[1])
        if all(folder.is_dir() for folder in both):
            return both
    return None


def hold_back(material: Material, seed: int, batch: int):
    """Choose samples that the game never trains on, so that overfitting can be measured.

    These are the larger of 500 and 2 %, but at most 10 % of each array, and so few that a batch
    remains. Samples that belong together stay together. With labels "y" each class gives its share
    and keeps at least one sample: the game may be asked for any of them.

    Args:
        material: All samples.
        seed: Same seed and number of samples, same choice.
        batch: Samples in a minibatch.

    Returns:
        `(kept, held)`: dicts of name -> sorted indices; together they are all samples.
    """
    kept, held = {}, {}
    labels = material.arrays.get("y")
    for i, (name, array) in enumerate(material.arrays.items()):
        n = len(array)
        wanted = min(max(HELD_LEAST, round(HELD_SHARE * n)), int(HELD_MOST * n))
        few = max(0, min(wanted, n - batch))
        order = np.random.default_rng([seed, 0 if material.paired else i]).permutation(n)
        if labels is not None:
            few = min(few, n - len(np.unique(labels)))
            order = _by_shares(order, labels)
        held[name], kept[name] = np.sort(order[:few]), np.sort(order[few:])
    return kept, held


def _by_shares(order: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return an order anew, so that its beginnings hold the classes by their shares.

    One sample of each class, its last, comes after those of all classes.

    Args:
        order: `(n,)` indices of samples.
        labels: `(n,)` classes of the samples.

    Source: the highest quotients of Webster and Sainte-Lague, (rank + 1/2) / size of the class.
    """
    quotients = np.empty(len(order))
    for label in np.unique(labels):
        places = np.flatnonzero(labels[order] == label)
        quotients[places] = (np.arange(len(places)) + 0.5) / len(places)
        quotients[places[-1]] = np.inf
    return order[np.argsort(quotients, kind="stable")]


def require_batch(material: Material, batch: int) -> None:
    """Refuse material that does not fill one batch.

    Raises:
        UserError: an array has fewer samples than `batch`.
    """
    fewest = min(len(array) for array in material.arrays.values())
    if fewest < batch:
        raise UserError(
            f"{material.source} holds {fewest} {material.kind}, fewer than one batch of {batch}. "
            f"Add pictures or give --batch {fewest} or less."
        )


def _one_set(kind: str, dataset: Dataset) -> Material:
    arrays = {"x": dataset.images}
    if kind == "labelled":
        if dataset.labels is None:
            raise UserError(
                f"This game needs labels, and {dataset.source} has none. Give a folder that holds "
                "one folder of pictures a class, or an array file with labels."
            )
        arrays["y"] = dataset.labels.astype(np.int32)
    names = dataset.class_names if kind == "labelled" else ()
    return Material(kind, arrays, names, dataset.skipped, dataset.source)


def _two_sets(kind: str, data: Path, a: Dataset, b: Dataset) -> Material:
    skipped = [
        (f"{side}/{name}", reason)
        for side, dataset in (("a", a), ("b", b))
        for name, reason in dataset.skipped
    ]
    return Material(kind, {"a": a.images, "b": b.images}, (), tuple(skipped), str(data))


def _pairs(data: Path, a: Dataset, b: Dataset) -> Material:
    """Match pictures whose names differ in the suffix at most."""
    matched = _match(a.names, b.names)
    if not matched:
        raise UserError(
            f"No picture in {data}/a has the name of one in {data}/b. Expected equal names, such "
            "as a/1.png and b/1.png.",
            ALL_FAILED,
        )
    stems = {_stem(a.names[i]) for i, _ in matched}
    reasons = {True: "another picture has its name", False: "it has no partner of its name"}
    chosen = [list(rows) for rows in zip(*matched, strict=True)]
    left_out = [
        (f"{side}/{name}", reasons[_stem(name) in stems])
        for side, dataset, rows in zip("ab", (a, b), map(set, chosen), strict=True)
        for i, name in enumerate(dataset.names)
        if i not in rows
    ]
    whole = _two_sets("pairs", data, a, b)
    arrays = {
        name: array[rows] for (name, array), rows in zip(whole.arrays.items(), chosen, strict=True)
    }
    return Material("pairs", arrays, (), whole.skipped + tuple(left_out), whole.source)


def _match(a: Sequence[str], b: Sequence[str]) -> list[tuple[int, int]]:
    """Return the pairs of indices of one name: equal ones first, then of one stem, in a's order.

    With a/1.jpg, a/1.png and b/1.png, only equal names tell which one belongs to b's.
    """
    places = {name: i for i, name in enumerate(b)}
    found = {i: places[name] for i, name in enumerate(a) if name in places}
    taken = {_stem(a[i]) for i in found}
    stems = {}
    for i, name in enumerate(b):
        stems.setdefault(_stem(name), i)
    for i, name in enumerate(a):
        stem = _stem(name)
        if stem in stems and stem not in taken:
            found[i] = stems[stem]
            taken.add(stem)
    return sorted(found.items())


def _halves(kind: str, data: Path, resolution: int | None) -> Material:
    left, right = (
        load_images(data, resolution, part=part, labels=False) for part in ("left", "right")
    )
    arrays = {"a": left.images, "b": right.images}
    return Material(kind, arrays, (), left.skipped, str(data), side_by_side=True)


def _stem(name: str) -> str:
    return PurePath(name).with_suffix("").as_posix()
