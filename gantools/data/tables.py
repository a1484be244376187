"""Reading tables: CSV by the standard library, Parquet with the extra `[tables]`.

A table is a dict of columns. A column in which every cell is a number or missing is float64 with
NaN for missing; any other is an object array of text with "" for missing. What the numbers mean is
for others to decide. An identifier is no number: "007" and "7" stay two texts. Where a semicolon or
a tab divides cells, "3,5" is 3.5 as in half of Europe.
"""

import csv
import gzip
import math
import re
from collections import Counter
from itertools import chain, islice
from pathlib import Path

import numpy as np

from gantools.errors import ALL_FAILED, UserError, missing_extra

MISSING = {"", "na", "n/a", "nan", "null", "none", "?"}
BLOCK = 20_000  # rows read at once: 500 000 rows of 42 columns take 7 s and 250 MB
LINES = 100  # that a heading may have; with more nobody has closed a quote
SEVERAL = "cells of several values"
EXACT = 2**53  # up to here a float64 keeps every whole number
START = r'(?<![^,;\t\r\n])"'  # of a quoted cell; elsewhere a quote is an inch
DECIMAL = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+([eE][+-]?\d+)?")  # "3,5" and "1.234,5"
THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # or thousandths; with tabs nobody can tell
QUOTED, OPEN = re.compile(START + r'(?:[^"]|"")*"'), re.compile(START)


class Table(dict):
    """Columns by name, as the module says; names are unique.

    Attributes:
        records: `(n,)` int: the number of each row in a spreadsheet that shows the file. It counts
            from 1, heading and blank lines too; without a file from 2, as below a heading.
        texts: Name -> `(n,)` object: the cells as they stand in the file, nothing made missing, but
            for a decimal comma, which is a point. Of columns that were asked for, where the file
            has texts.
    """

    def __init__(self, columns, records, texts):
        super().__init__(columns)
        self.records, self.texts = np.asarray(records, int), texts


def read_table(path, keep=lambda name: False) -> Table:
    """Read `.csv`, `.tsv`, `.csv.gz`, `.tsv.gz` or `.parquet`.

    The delimiter of text is the most frequent of comma, semicolon and tab outside the quotes of the
    first record, commas between digits left out; that is a heading unless one of its cells is a
    number.

    Args:
        path: The file.
        keep: Name -> whether `Table.texts` keeps the cells of the column.

    Raises:
        UserError: no such file, not a table, a row of another length, or a missing extra.
    """
    path = Path(path)
    if path.name.lower().endswith(".parquet"):
        return _read_parquet(path, keep)
    opened = gzip.open if path.name.lower().endswith(".gz") else open
    try:
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            return _read_text(file, path, keep)
    except UnicodeDecodeError as error:
        raise UserError(f"'{path}' is not UTF-8 text. Save the table as UTF-8.") from error
    except (OSError, csv.Error, EOFError) as error:
        raise UserError(f"Cannot read the table '{path}': {error}.", ALL_FAILED) from error


def from_frame(frame, keep=lambda name: False) -> Table:
    """Return the columns of a pandas data frame, or of any mapping of arrays, as a table.

    Args:
        frame: Numbers, booleans, texts, categories and dates; None, NaN and NA are missing.
        keep: As for `read_table`.

    Raises:
        UserError: a name that is there twice, or columns of several lengths or of lists.
    """
    names = [str(name) for name in frame]
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise UserError(f"Column '{name}' is there {times} times. Expected it once: rename it.")
    return _from_arrays(
        zip(names, (_array(frame[name], name) for name in frame), strict=True), keep
    )


def column(values, name=""):
    """Return one column as this module keeps it: float64, or object of text.

    Args:
        values: `(n,)` array of any dtype.
        name: Of the column, for the error.

    Raises:
        UserError: cells that hold several values.
    """
    values = _array(values, name)
    if values.dtype.kind in "biuf":
        numbers = values.astype(np.float64)
        if values.dtype.kind not in "iu" or (np.abs(numbers) <= EXACT).all():
            return numbers
    return _from_levels(*_factors(_texts(values, name)))


def number(text):
    """Return the float of a text, or None where it is no number; a missing one is NaN.

    Identifiers are none: "7_4", "007", and whole numbers of more digits than a float keeps.
    """
    text = text.strip()
    if text.lower() in MISSING:
        return float("nan")
    try:
        value = float(text)
    except ValueError:
        return None
    digits = text.lstrip("+-")
    changed = digits.isdecimal() and f"{abs(value):.0f}" != digits
    padded = digits[0] == "0" and digits[1:2].isdecimal()
    return None if changed or padded or "_" in text else value


def is_missing(value):
    """Return whether a cell of an array of objects is None, NaN, NaT or pandas' NA."""
    try:
        return value is None or bool(value != value)  # NaN is unlike itself
    except TypeError:  # NA does not say
        return True


def without_missing(texts):
    """Return `(n,)` object: texts, with "" for each word that stands for a missing cell."""
    return np.array(["" if text.lower() in MISSING else text for text in texts], object)


def _array(values, name):
    """Return `(n,)` of a column, or explain why it is none."""
    kind = getattr(values, "dtype", None)
    if not isinstance(kind, np.dtype) and getattr(kind, "kind", "") in ("i", "u"):
        values = values.astype(object)  # of pandas: with a missing one they would be rounded floats
    try:
        found = np.asarray(values)
    except ValueError:  # lists of several lengths
        found = None
    if found is None or found.ndim != 1:
        raise _several(name, SEVERAL if found is None else f"the shape {found.shape}")
    return found


def _several(name, what):
    return UserError(
        f"Column '{name}' has {what} where one number, word or date a row was expected. Leave it "
        "out, or divide it into columns."
    )


def _texts(values, name):
    """Return the cells of an array as texts, "" for a missing one; truths as numbers are."""
    if values.dtype.kind == "M":
        return np.where(np.isnat(values), "", np.datetime_as_string(values, unit="s")).tolist()
    cells = values.tolist() if values.dtype.kind in "iu" else values
    if any(isinstance(v, (list, tuple, dict, set, np.ndarray)) for v in cells):
        raise _several(name, SEVERAL)
    found = (int(v) if isinstance(v, (bool, np.bool_)) else v for v in cells)
    return ["" if is_missing(v) else str(v).strip() for v in found]


def _from_arrays(arrays, keep):
    """Return the table of `(name, (n,) array)`."""
    columns, texts = {}, {}
    for name, values in arrays:
        columns[name] = column(values, name)
        if keep(name) and values.dtype.kind not in "biuf":
            texts[name] = np.array(_texts(values, name), object)
    lengths = {len(values): name for name, values in columns.items()}
    if len(lengths) > 1:
        told = ", ".join(f"'{name}' has {n}" for n, name in lengths.items())
        raise UserError(f"Columns must have one number of rows. Received: {told}.")
    return Table(columns, np.arange(next(iter(lengths), 0)) + 2, texts)


def _pointed(cell, delimiter):
    """Return a cell with its decimal comma as a point, where no comma divides cells.

    Each cell by itself: how a row is read must not depend on the other rows.
    """
    cell = cell.strip()
    unclear = delimiter == "," or (delimiter == "\t" and THOUSANDS.fullmatch(cell))
    if unclear or not DECIMAL.fullmatch(cell):
        return cell
    found = cell.replace(".", "").replace(",", ".")
    return cell if number(found) is None else found  # "007,5" stays as it is


def _is_value(text):
    """Return whether a cell of the first line is a number: "Na" and "None" are names as well."""
    value = number(text)
    return text.strip().isdecimal() or (value is not None and math.isfinite(value))


def _read_text(file, path, keep):
    lines, delimiter = _opening(file)
    reader = csv.reader(chain(lines, file), delimiter=delimiter)
    rows = ((record, row) for record, row in enumerate(reader, 1) if row)
    first = next(rows, None)
    if first is None:
        raise UserError(f"The table '{path}' is empty.", ALL_FAILED)
    head = first[1]
    if any(_is_value(_pointed(cell, delimiter)) for cell in head):
        rows, head = chain([first], rows), [f"column {i + 1}" for i in range(len(head))]
    indices, codes, records = [{} for _ in head], [[] for _ in head], []
    while block := list(islice(rows, BLOCK)):
        for record, row in block:
            if len(row) != len(head):
                raise UserError(
                    f"'{path}': row {record} has {len(row)} cells, the heading {len(head)}. "
                    "Repair the row, or quote cells that hold the delimiter."
                )
        numbers, block = zip(*block, strict=True)
        records += numbers
        for index, code, cells in zip(indices, codes, zip(*block, strict=True), strict=True):
            code.append(_codes(index, cells))
    if not records:
        raise UserError(f"The table '{path}' has a heading and no rows.", ALL_FAILED)
    columns, texts = {}, {}
    for name, index, code in zip(_unique(head), indices, codes, strict=True):
        levels, code = [_pointed(text, delimiter) for text in index], np.concatenate(code)
        columns[name] = _from_levels(levels, code)
        if keep(name):
            texts[name] = np.array(levels, object)[code]
    return Table(columns, records, texts)


def _opening(file):
    """Return `(lines, delimiter)`: the lines of the first record, and what divides its cells."""
    lines, bare = [], ""
    for line in islice(file, LINES):
        lines.append(line)
        bare = QUOTED.sub("", "".join(lines))
        if not OPEN.search(bare) and any(line.strip() for line in lines):
            break
    else:  # a quote that nobody closed
        bare = next((line for line in lines if line.strip()), "")
    return lines, max(",;\t", key=re.sub(r"(?<=\d),(?=\d)", "", bare).count)


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
    return without_missing(levels)[codes]


def _unique(head):
    """Return the names with a number behind those that occurred before."""
    names = []
    for i, cell in enumerate(head):
        name = cell.strip() or f"column {i + 1}"
        while name in names:
            name += "_2"
        names.append(name)
    return names


def _read_parquet(path, keep):
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise missing_extra("Reading Parquet", "pyarrow", "tables") from error
    try:
        table = parquet.read_table(path)
    except (OSError, ArrowException) as error:
        raise UserError(f"Cannot read the table '{path}': {error}.", ALL_FAILED) from error
    if not table.num_rows or not table.num_columns:
        raise UserError(f"The table '{path}' has no rows or no columns.", ALL_FAILED)
    arrays = (_from_arrow(values) for values in table.columns)
    return _from_arrays(zip(_unique(table.column_names), arrays, strict=True), keep)


def _from_arrow(values):
    from pyarrow import types

    if types.is_dictionary(values.type):  # whose missing cells become its last word
        values = values.cast(values.type.value_type)
    if types.is_integer(values.type) and values.null_count:  # which become rounded floats
        return np.array(values.to_pylist(), object)
    return values.to_numpy()
