"""Tables as files."""

import csv


def write(path, rows):
    """Write rows, dicts of one set of columns, as CSV and return the path."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
