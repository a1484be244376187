"""Tables of mixed columns as rows of numbers, fitted on normals only."""

from collections import Counter
from dataclasses import asdict, dataclass
from hashlib import blake2b

import numpy as np

from gantools.data.tables import number
from gantools.errors import UserError

from .columns import PARSE, Column, absent, as_numbers, as_seconds, plan

SCHEMA = 2
DIGITS = 24  # of the hash of a content; the number among equal rows follows
LATEST = 0.2  # share of the rows in time that calibrate


@dataclass(frozen=True, eq=False)
class TableTransform:
    """How a table becomes `(n, width)` float32.

    Attributes:
        columns: One `Column` a heading that was fitted, in order; "dropped" ones have no width.
        typical: Text a column of its median or most frequent value, for explanations; "" of what is
            no feature.
    """

    columns: tuple[Column, ...]
    typical: tuple[str, ...]

    @classmethod
    def fit(cls, table, rows=None, *, drop=(), time=None):
        """Return the transform by the normals.

        Args:
            table: Dict name -> column, as `gantools.data.tables.read_table` gives.
            rows: Indices or mask of the normals for fitting; None takes all.
            drop: Columns to leave out: label, group, those that the audit names.
            time: The column that orders the rows, or None.

        Raises:
            UserError: an unknown column in `drop` or `time`, no rows, or nothing left to learn.
        """
        unknown = [name for name in (*drop, *([time] if time else [])) if name not in table]
        if unknown:
            raise UserError(f"No column {unknown}. The table has: {', '.join(table)}.")
        rows = slice(None) if rows is None else rows
        parts = {name: values[rows] for name, values in table.items() if name not in drop}
        if not parts or not len(next(iter(parts.values()))):
            raise UserError("There are no rows or no columns to fit on.")
        columns = tuple(plan(name, values, name == time) for name, values in parts.items())
        if not sum(column.width for column in columns):
            notes = " ".join(column.note for column in columns)
            raise UserError(f"No column can be learnt from. {notes}")
        typical = (_typical(parts[column.name]) if column.width else "" for column in columns)
        return cls(columns, tuple(typical))

    @property
    def width(self) -> int:
        """Numbers a row."""
        return sum(column.width for column in self.columns)

    @property
    def notes(self) -> list[str]:
        """What a user should know of single columns."""
        return [column.note for column in self.columns if column.note]

    @property
    def slices(self) -> dict[str, slice]:
        """Name -> where the numbers of the column are; dropped columns are not in it."""
        ends = np.cumsum([column.width for column in self.columns]).tolist()
        pairs = zip(self.columns, ends, strict=True)
        return {c.name: slice(end - c.width, end) for c, end in pairs if c.width}

    def transform(self, table):
        """Return `(n, width)` float32, finite, in [-10, 10].

        Args:
            table: Dict name -> column; columns that were not fitted are passed over.

        Raises:
            UserError: a fitted column is missing.
        """
        used = [column for column in self.columns if column.width]
        gone = [column.name for column in used if column.name not in table]
        if gone:
            raise UserError(
                f"Columns {gone} are missing: the model was fitted on "
                f"{', '.join(column.name for column in used)}."
            )
        return np.concatenate([column.encode(table[column.name]) for column in used], axis=1)

    def typical_row(self):
        """Return `(width,)`: the numbers of a row in which every column is typical."""
        cells = zip(self.columns, self.typical, strict=True)
        table = {column.name: np.array([text], object) for column, text in cells}
        return self.transform(table)[0]

    def to_dict(self):
        """Return JSON values."""
        columns = [asdict(column) for column in self.columns]
        return {"schema": SCHEMA, "columns": columns, "typical": list(self.typical)}

    @classmethod
    def from_dict(cls, stored):
        """Return what `to_dict` stored.

        Raises:
            UserError: another schema or other keys.
        """
        if set(stored) != {"schema", "columns", "typical"} or stored["schema"] != SCHEMA:
            raise UserError("The transform of the table cannot be read. Fit the model again.")
        columns = tuple(Column(**column) for column in stored["columns"])
        return cls(columns, tuple(stored["typical"]))


def split_by_time(values, latest=LATEST):
    """Return `(fit, calibration)` indices: the latest rows calibrate, equal times stay together.

    Args:
        values: `(n,)` column of numbers or ISO dates.
        latest: Share of the rows that calibrate, at least that.

    Raises:
        UserError: a row without a time, or all of one time.
    """
    values = np.asarray(values)
    times = _times(values)
    if np.isnan(times).any():
        raise UserError(
            f"{int(np.isnan(times).sum())} of {len(times)} rows have no readable time. Give "
            "numbers or ISO dates such as 2024-05-31 14:00, or leave --time-col out."
        )
    border = np.sort(times)[-max(1, int(np.ceil(latest * len(times))))]
    if border == times.min():
        raise UserError("The rows cannot be split by time: too many have the earliest one.")
    return np.flatnonzero(times < border), np.flatnonzero(times >= border)


def telling(hashes):
    """Return hashes of `row_hashes`, marked where the content is among them more than once.

    A new row may rightly equal such rows, as rows of categories and whole numbers often do: only a
    content that is there once tells that a row was seen before: it gets the hash of a first row,
    whatever number it had among equal rows of other parts. A marked hash equals no row's.

    Args:
        hashes: Of all normals that a model is made of.
    """
    counts = Counter(text[:DIGITS] for text in hashes)
    return [first_of(text) if counts[text[:DIGITS]] == 1 else f"{text} again" for text in hashes]


def first_of(text):
    """Return the hash of the first row of the same content as that of a hash of `row_hashes`."""
    return f"{text[:DIGITS]}0"


def row_hashes(table):
    """Return a hash a row by its content and, among equal rows, by their order.

    Equal rows are separate items: a table may rightly hold many. The same file read twice gives the
    same hashes, so that fitting and calibrating on one row is noticed. A cell that is a number
    counts as one, even if the column holds words elsewhere: a row's hash is its own.

    Args:
        table: Dict name -> column; in another order of columns the hashes are others.
    """
    texts = [_contents(values) for values in table.values()]
    seen, hashes = {}, []
    for row in zip(*texts, strict=True):
        digest = blake2b("\0".join(row).encode(), digest_size=DIGITS // 2).hexdigest()
        count = seen[digest] = seen.get(digest, -1) + 1
        hashes.append(f"{digest}{count:x}")
    return hashes


def _typical(values):
    """Return the median of numbers, else the most frequent text; "" of an empty column."""
    known = values[~absent(values)]
    if not len(known):
        return ""
    numbers = as_numbers(known)
    numbers = numbers[~np.isnan(numbers)]
    if len(numbers) >= PARSE * len(known) and len(np.unique(numbers)) > 2:
        return repr(float(np.quantile(numbers, 0.5, method="lower")))
    levels, counts = np.unique(known, return_counts=True)
    most = levels[np.argmax(counts)]
    return most if isinstance(most, str) else repr(float(most))


def _contents(values):
    """Return the cells as texts that do not depend on the other cells of the column."""
    if values.dtype.kind == "f":
        return [repr(v) for v in values.tolist()]
    parsed = {text: number(text) for text in set(values)}
    texts = {text: text if value is None else repr(value) for text, value in parsed.items()}
    return [texts[text] for text in values]


def _times(values):
    """Return `(n,)` float64 that orders rows; whole numbers may lose digits here, as in ns."""
    if values.dtype.kind == "f":
        return values
    if all(text.isdecimal() for text in set(values) - {""}):
        return np.array([float(text or "nan") for text in values])
    return as_seconds(values)
