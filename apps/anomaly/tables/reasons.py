"""Why a row of a table is odd: by column, in the user's own values."""

from dataclasses import dataclass

import numpy as np

from gantools.data.tables import number

from ..detectors.references import ROWS, Knn

LEAST_SD = 0.05  # so that a column fixed by the others does not give endless z


@dataclass(frozen=True)
class Reason:
    """One column of one row.

    Attributes:
        column: Its heading.
        value: What the row says.
        typical: The median or most frequent value among the normals.
        nearest: What the nearest normal row says.
        z: How far the value is from what the other columns suggest, in standard deviations of the
            normals; the sign is that of its farthest number.
        drop: How much the score falls when the column is made typical.
    """

    column: str
    value: str
    typical: str
    nearest: str
    z: float
    drop: float


class Reasons:
    """Explains the rows of one table by one detector.

    Args:
        score: `(n, width) -> (n,)` scores of transformed rows.
        transform: The fitted `TableTransform`.
        table: The normals for fitting, dict name -> column.
    """

    def __init__(self, score, transform, table):
        x = transform.transform(table)
        self.score, self.transform, self.table = score, transform, table
        self.typical = transform.typical_row()
        self.mean = x.mean(axis=0, dtype=np.float64)
        self.predict, self.sd = self._conditional(x)
        self.normals = Knn(1).fit(x)

    def explain(self, table, rows, top=5):
        """Return one list of `Reason` a row, the largest drop first.

        Args:
            table: The scored table, dict name -> column.
            rows: `(k,)` indices of the rows to explain.
            top: Columns a row.
        """
        rows = np.asarray(rows, int)
        chosen = {name: values[rows] for name, values in table.items()}
        x = self.transform.transform(chosen)
        drops, z = self.drops(x), self.residual_z(x)
        nearest = self.normals.nearest(x)[0][:, 0]
        names = list(self.transform.slices)
        typical = {
            column.name: _word(text) if column.worded else _short(text)
            for column, text in zip(self.transform.columns, self.transform.typical, strict=True)
        }
        found = []
        for i in range(len(rows)):
            order = np.lexsort((-np.abs(z[i]), -drops[i]))[:top]
            found.append(
                [
                    Reason(
                        names[j],
                        _word(chosen[names[j]][i]),
                        typical[names[j]],
                        _word(self.table[names[j]][nearest[i]]),
                        float(z[i, j]),
                        float(drops[i, j]),
                    )
                    for j in order
                ]
            )
        return found

    def drops(self, x):
        """Return `(n, columns)`: score minus the score with that column made typical."""
        whole = self.score(x)
        out = np.empty((len(x), len(self.transform.slices)))
        for j, place in enumerate(self.transform.slices.values()):
            for start in range(0, len(x), ROWS):
                changed = x[start : start + ROWS].copy()
                changed[:, place] = self.typical[place]
                out[start : start + ROWS, j] = self.score(changed)
        return whole[:, None] - out

    def residual_z(self, x):
        """Return `(n, columns)`: the column's farthest number in conditional z, signed.

        The value minus its expectation given all other columns if the law were Gaussian, over the
        standard deviation of that among the normals.

        Source: the conditional law by blocks of the precision matrix: Bishop 2006, Pattern
            Recognition and Machine Learning, eq. 2.75.
        """
        z = (x - self.mean) @ self.predict.T / self.sd
        columns = []
        for place in self.transform.slices.values():
            part = z[:, place]
            far = np.argmax(np.abs(part), axis=1)
            columns.append(part[np.arange(len(part)), far])
        return np.stack(columns, axis=1)

    def _conditional(self, x):
        """Return `(width, width)` that maps a centred row to its residuals, and their sd."""
        from sklearn.covariance import ledoit_wolf

        # pseudo-inverses: columns that never change, or only together, have no inverse
        precision = np.linalg.pinv(ledoit_wolf(x.astype(np.float64))[0], hermitian=True)
        predict = np.empty_like(precision)
        for place in self.transform.slices.values():
            own = np.linalg.pinv(precision[place, place], hermitian=True)
            predict[place] = own @ precision[place]
        # measured: the shrunk covariance says too much, twice for two columns that agree to 7 %
        residuals = (x - self.mean) @ predict.T
        return predict, np.maximum(np.sqrt(np.mean(residuals**2, axis=0)), LEAST_SD)


def _word(value):
    """Return a cell as a user reads it."""
    if isinstance(value, str):
        return value or "missing"
    return "missing" if np.isnan(value) else f"{value:.6g}"


def _short(text):
    """Return a stored typical value as a user reads it."""
    value = number(text)
    return _word(text if value is None else value)
