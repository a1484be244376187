"""The files of a job besides its model: scores, maps, and the feedback that comes back."""

import csv
import shutil
import tempfile
import weakref
from hashlib import blake2b
from pathlib import Path

import numpy as np

from gantools.data import pictures
from gantools.data.files import atomic, make_folder
from gantools.errors import UserError

from ..calibration.calibrate import adjusted
from ..model_files import recover, replace_folder

COLUMNS = ("path", "score", "p", "adjusted_p", "verdict", "group", "group_p", "reason")
GROUP_COLUMNS = ("group", "items", "score", "p", "adjusted_p", "verdict")
MOST_KEPT = 300_000_000  # bytes of maps in memory
THOUSAND = 1000
LONGEST = 150  # bytes of a name before its hash: file systems know 255, with suffixes
FEEDBACK = ("path", "verdict")  # verdict: normal or anomalous
CLEAR, FULL = 1.0, 4.0  # a map is transparent below the normals' 99.9 % level, full at four times

# From dark violet over red to yellow, evenly lighter, so that grey print keeps the order; RGB.
RAMP = np.array(
    [[66, 10, 104], [106, 23, 110], [147, 38, 103], [188, 55, 84], [221, 81, 58], [243, 120, 25],
     [252, 165, 10], [246, 215, 70]], np.float32,
)  # fmt: skip


def write_scores(path, rows, columns=COLUMNS) -> None:
    """Write `scores.csv`, or another table.

    Args:
        path: The file.
        rows: Dicts with the keys `columns`; more keys become more columns.
        columns: Headings that come first.
    """
    names = list(dict.fromkeys([*columns, *(key for row in rows for key in row)]))
    with atomic(path) as part, Path(part).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows({k: _text(v) for k, v in row.items()} for row in rows)


class Maps:
    """Heat-maps on their way to files: 16-bit PNG in thousandths of the normals' 99.9 % level.

    Maps are written as they come, into a folder that takes the place of an older one at `close`;
    those of NIfTI volumes become NIfTI. Only `MOST_KEPT` bytes stay in memory, for the report and
    the figures; what has no PNG to be read back from lies in a temporary folder beyond that.

    Args:
        folder: Where the files go, or None to write nothing that stays.
    """

    def __init__(self, folder=None):
        self.folder = Path(folder) if folder else None
        self.kept, self.room, self.names, self.volume = {}, MOST_KEPT, {}, {}
        self.spill = None
        if self.folder:
            recover(self.folder)
            self.draft = self.folder.with_name(f".{self.folder.name}.part")
            shutil.rmtree(self.draft, ignore_errors=True)
            make_folder(self.draft)

    def __call__(self, number, item, heat):
        """Take the map `(h, w)` float32 of an item."""
        from ..scans.medical import is_nifti

        no_png = self.folder is None or is_nifti(item.path)
        self._keep(number, np.minimum(heat, 60000).astype(np.float16), no_png)
        if self.folder is None:
            return
        if no_png:
            self._volume(item)[item.index] = heat
            return
        name = f"{file_name(item.name)}.png"
        self.names[number] = name
        pictures.write(self.draft / name, pictures.Picture(to_levels(heat)[..., None]))

    def get(self, number):
        """Return the map of an item, float32 `(h, w)`, or None."""
        if number in self.kept:
            return self.kept[number].astype(np.float32)
        if self.spill and (self.spill / f"{number}.npy").exists():
            return np.load(self.spill / f"{number}.npy").astype(np.float32)
        if number not in self.names:
            return None
        place = self.draft if self.draft.exists() else self.folder
        levels = pictures.read(place / self.names[number]).pixels[..., 0]
        return levels.astype(np.float32) / THOUSAND

    def close(self):
        """Put the folder in its place."""
        if self.folder is None:
            return
        self._volume(None)
        replace_folder(self.draft, self.folder)

    def _keep(self, number, heat, no_png):
        if self.room >= heat.nbytes:
            self.kept[number] = heat
            self.room -= heat.nbytes
        elif no_png:
            if self.spill is None:
                self.spill = Path(tempfile.mkdtemp(prefix="gantools-maps-"))
                weakref.finalize(self, shutil.rmtree, self.spill, ignore_errors=True)
            np.save(self.spill / f"{number}.npy", heat)

    def _volume(self, item):
        """Return the maps of a volume's slices; those of the volume before are written."""
        key = item and (item.path, item.series or item.path.name)
        if key not in self.volume:
            for (source, name), slices in self.volume.items():
                from ..scans.nifti import write_map

                place = self.draft / f"{file_name(name)}_map.nii.gz"
                write_map(source, slices, place, (CLEAR, FULL))
            self.volume = {key: {}} if key else {}
        return self.volume.get(key)


def to_levels(heat):
    """Return a map as uint16 thousandths, NaN as 0."""
    return np.clip(np.nan_to_num(heat) * THOUSAND, 0, 65535).astype(np.uint16)


def write_groups(path, groups, rules) -> None:
    """Write `groups.csv`, the oddest group first; an older file goes when there are no groups.

    Args:
        path: The file.
        groups: Group -> `(items, score, p)`.
        rules: Group -> the `calibrate.Rule` that judges it.
    """
    if not groups:
        Path(path).unlink(missing_ok=True)
        return
    write_scores(path, group_rows(groups, rules), GROUP_COLUMNS)


def group_rows(groups, rules):
    """Return one dict a group with the keys `GROUP_COLUMNS`, the oddest first."""
    names = sorted(groups, key=lambda n: (_last(groups[n][2]), _last(-groups[n][1]), n))
    p = [groups[name][2] for name in names]
    words = [word for name, q in zip(names, p, strict=True) for word in rules[name].verdicts([q])]
    columns = zip(names, p, adjusted(p), words, strict=True)
    return [
        dict(zip(GROUP_COLUMNS, (n, groups[n][0], groups[n][1], q, a, word), strict=True))
        for n, q, a, word in columns
    ]


def file_name(name: str) -> str:
    """Return an item's name as one that a file may have, of at most 170 bytes.

    Where that changes it, digits of a hash keep names apart: "a/b" and "a_b" are two items. Of a
    long one the end is kept, which differs most, and the hash is longer, for ends may be alike.
    """
    plain = "".join(c if c.isalnum() or c in "-_." else "_" for c in name)
    if plain == name and len(name.encode()) <= LONGEST:
        return plain
    end = plain.encode()[-LONGEST:].decode(errors="ignore")
    size = 3 if end == plain else 8
    code = blake2b(name.encode("utf-8", "surrogateescape"), digest_size=size).hexdigest()
    return f"{end}-{code}"


def overlay(picture: np.ndarray, heat: np.ndarray, opacity: float = 0.75) -> np.ndarray:
    """Return a picture with its heat-map on it, uint8 `(h, w, 3)`, by the one scale of all maps.

    Args:
        picture: float32 `(h, w, c)` in [-1, 1].
        heat: float32 `(h, w)`, 1 = the normals' 99.9 % level.
        opacity: Of the strongest colour.
    """
    base = to_bytes(picture)
    base = np.repeat(base, 3, axis=2) if base.shape[2] == 1 else base
    share = np.clip((np.nan_to_num(heat) - CLEAR) / (FULL - CLEAR), 0, 1)
    place = share * (len(RAMP) - 1)
    low = np.floor(place).astype(int)
    high = np.minimum(low + 1, len(RAMP) - 1)
    colour = RAMP[low] + (RAMP[high] - RAMP[low]) * (place - low)[..., None]
    alpha = (np.where(share > 0, 0.35 + 0.65 * share, 0) * opacity)[..., None]
    return np.round(base * (1 - alpha) + colour * alpha).astype(np.uint8)


def to_bytes(picture: np.ndarray) -> np.ndarray:
    """Return float `(h, w, c)` in [-1, 1] as uint8."""
    return np.round(np.clip(picture, -1, 1) * 127.5 + 127.5).astype(np.uint8)


def read_feedback(path) -> dict[str, str]:
    """Return name -> "normal" or "anomalous" of a feedback file.

    Raises:
        UserError: other columns or other verdicts.
    """
    try:
        with Path(path).open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path} cannot be read: {error}.") from error
    found = {row.get("path"): (row.get("verdict") or "").strip().lower() for row in rows}
    wrong = sorted(set(found.values()) - {"normal", "anomalous"})
    if not rows or None in found or wrong:
        raise UserError(
            f"{path}: expected the columns path and verdict, with normal or anomalous in each row. "
            f"Received: {wrong or 'other columns'}. Download it from report.html."
        )
    return found


def _last(p):
    return np.inf if np.isnan(p) else p


def _text(value):
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return "" if value is None else value
