"""Reading tables: CSV by the standard library, Parquet with the extra `[tables]`.

A table is a dict of columns. A column in which every cell is a number or missing is float64 with
NaN for missing; any other is an object array of text with "" for missing. What the numbers mean is
for others to decide.
"""

import csv
import gzip
import math
from itertools import chain, islice
from pathlib import Path

import numpy as np

from gantools.errors import ALL_FAILED, UserError, missing_extra

MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}
BLOCK = 20_000  # rows read at once: 500 000 rows of 42 columns take 7 s and 250 MB


def read_table(path):
    """Read `.csv`, `.tsv`, `.csv.gz`, `.tsv.gz` or `.parquet`.

    The delimiter of text is the most frequent of comma, semicolon and tab in the first line; the
    first line is a heading unless one of its cells is a number.

    Args:
        path: The file.

    Returns:
        Dict name -> `(n,)` float64 or object array; names are unique.

    Raises:
        UserError: no such file, not a table, a row of another length, or a missing extra.
    """
    path = Path(path)
    if path.name.lower().endswith(".parquet"):
        return _read_parquet(path)
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            return _read_text(file, path)
    except UnicodeDecodeError as error:
        raise UserError(f"'{path}' is not UTF-8 text. Save the table as UTF-8.") from error
    except (OSError, csv.Error, EOFError) as error:
        raise UserError(f"Cannot read the table '{path}': {error}.", ALL_FAILED) from error


def from_frame(frame):
    """Return the columns of a pandas data frame, or of any mapping of arrays, as a table.

    Args:
        frame: Numbers, booleans, texts, categories and dates; None and NaN are missing.
    """
    return {str(name): column(np.asarray(frame[name])) for name in frame}


def column(values):
    """Return one column as this module keeps it: float64, or object of text.

    Args:
        values: `(n,)` array of any dtype.
    """
    values = np.asarray(values)
    if values.dtype.kind in "biuf":
        return values.astype(np.float64)
    if values.dtype.kind == "M":
        texts = np.datetime_as_string(values, unit="s").astype(object)
        return np.where(np.isnat(values), "", texts)
    gone = np.array([v is None or v != v for v in values], bool)  # NaN is unlike itself
    return _from_levels(*_factors("" if g else str(v) for v, g in zip(values, gone, strict=True)))


def number(text):
    """Return the float of a text, or None; a missing one is NaN."""
    if text.strip().lower() in MISSING:
        return float("nan")
    try:
        return float(text)
    except ValueError:
        return None


def _is_value(text):
    """Return whether a cell of the first line is a number: "Na" and "None" are names as well."""
    value = number(text)
    return value is not None and math.isfinite(value)


def _read_text(file, path):
    line = file.readline()
    if not line.strip():
        raise UserError(f"The table '{path}' is empty.", ALL_FAILED)
    delimiter = max(",;\t", key=line.count)
    reader = csv.reader(chain([line], file), delimiter=delimiter)
    head = next(reader)
    if any(_is_value(cell) for cell in head):
        reader, head = chain([head], reader), [f"column {i + 1}" for i in range(len(head))]
    indices, codes, done = [{} for _ in head], [[] for _ in head], 1
    while rows := [row for row in islice(reader, BLOCK) if row]:
        for i, row in enumerate(rows):
            if len(row) != len(head):
                raise UserError(
                    f"'{path}': row {done + i + 1} has {len(row)} cells, the heading "
                    f"{len(head)}. Repair the row, or quote cells that hold the delimiter."
                )
        done += len(rows)
        for index, code, cells in zip(indices, codes, zip(*rows, strict=True), strict=True):
            code.append(_codes(index, cells))
    if done == 1:
        raise UserError(f"The table '{path}' has a heading and no rows.", ALL_FAILED)
    columns = {}
    for name, index, code in zip(_unique(head), indices, codes, strict=True):
        columns[name] = _from_levels(list(index), np.concatenate(code))
    return columns


def _codes(index, cells):
    """Return the code of each cell; new texts are added to `index`."""
    return np.fromiter((index.setdefault(c, len(index)) for c in cells), np.int32, len(cells))


def _factors(texts):
    """Return `(levels, codes)` of texts."""
    index = {}
    codes = np.array([index.setdefault(text, len(index)) for text in texts], np.int32)
    return list(index), codes


def _from_levels(levels, codes):
    """Return a column by its distinct texts: each is parsed once."""
    numbers = [number(text) for text in levels]
    if all(value is not None for value in numbers):
        return np.array(numbers, np.float64)[codes]
    texts = np.empty(len(levels), object)
    stripped = [text.strip() for text in levels]
    texts[:] = ["" if text.lower() in MISSING else text for text in stripped]
    return texts[codes]


def _unique(head):
    """Return the names with a number behind those that occurred before."""
    names = []
    for i, cell in enumerate(head):
        name = cell.strip() or f"column {i + 1}"
        while name in names:
            name += "_2"
        names.append(name)
    return names


def _read_parquet(path):
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise missing_extra("Reading Parquet", "pyarrow", "tables") from error
    try:
        table = parquet.read_table(path)
    except (OSError, ArrowException) as error:
        raise UserError(f"Cannot read the table '{path}': {error}.", ALL_FAILED) from error
    arrays = (column.to_numpy() for column in table.columns)
    return {
        name: column(array) for name, array in zip(_unique(table.column_names), arrays, strict=True)
    }
