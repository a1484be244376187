"""Whether what is scored still comes from where the calibration normals came from. No labels.

Three lights: the p-values of a batch, the p-values of a stream, and the inputs' own numbers.
"""

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from dataclasses import dataclass

import numpy as np

from gantools.errors import UserError

from .calibrate import uniforms

SAME, WATCH, DIFFERS = "same", "watch", "differs"
FEWEST = 10  # items below which a batch says nothing
RED, YELLOW = 0.001, 0.01
ALARM = 100.0  # of a martingale that starts at 1: one false alarm ever in 100 streams
POWERS = np.linspace(0.02, 1, 50)
MOVED = 0.5  # shift in interquartile ranges below which a significant change is not worth a word
STEP = 0.01  # the fitted distribution is known to a hundredth
NEW = 0.05  # share of the items with an unknown tag from which the batch is another one
SCHEMA = 2


@dataclass(frozen=True)
class Light:
    """One check.

    Attributes:
        name: What was looked at.
        state: "same", "watch" or "differs".
        p: Of the test; small means that the batch is unlike the calibration normals.
        effect: Size of the change in the unit that `sentence` names.
        sentence: For the report.
    """

    name: str
    state: str
    p: float
    effect: float
    sentence: str


def batch(p, n, word="item"):
    """Return the light of a batch: is its bulk where the bulk of the normals was?

    Half of the normals have p <= 1/2. The share among the batch is compared with that, allowing
    for the scatter of the calibration set itself, which a plain binomial test would miss: it
    rings without reason when the batch is large and the calibration small. Then the whole law of p
    by Kolmogorov and Smirnov. A few anomalies do not ring it; many do, and are not told apart.

    Args:
        p: `(m,)` independent p-values: of items that come in groups one a group, see `units`; NaN
            is left out.
        n: Calibration normals, or groups of them, behind these.
        word: What has a p: "item" or "group".

    Source: counts follow the beta-binomial law since the realised share is Beta(l, n + 1 - l),
        Vovk 2012, arXiv 1209.2673, section 3.
    """
    p = np.asarray(p, np.float64)
    p = p[~np.isnan(p)]
    if len(p) < FEWEST:
        few = f"There are too few {word}s to compare as a batch: {len(p)} of at least {FEWEST}."
        return Light("batch", SAME, 1.0, 0.5, few)
    rank = (n + 1) // 2
    low = int(np.sum(p <= rank / (n + 1)))
    half, whole = beta_binomial_p(low, len(p), rank, n + 1 - rank), ks_p(p, n)
    value, share, median = min(1.0, 2 * min(half, whole)), low / len(p), float(np.median(p))
    state = DIFFERS if value < RED else WATCH if value < YELLOW else SAME
    facts = (
        f"{share:.0%} of the {word}s lie in the odder half of the normals (median p {median:.2g})"
    )
    if state == SAME:
        sentence = f"The batch looks like the calibration normals: {facts}."
    elif median < 0.5:
        sentence = (
            f"The batch differs from the calibration normals as a whole: {facts}. Scanner, "
            "lighting, or many anomalies? Do not trust single flags before that is known."
        )
    else:
        sentence = (
            f"The batch is nearer to the fitted normals than the calibration normals are: {facts}. "
            f"Are {word}s among it that were fitted on?"
        )
    return Light("batch", state, value, share, sentence)


def beta_binomial_p(count, m, a, b):
    """Return the two-sided p of `count` among `m` under the beta-binomial law of `(a, b)`."""
    from scipy.special import betaln, gammaln

    k = np.arange(m + 1)
    choose = gammaln(m + 1) - gammaln(k + 1) - gammaln(m - k + 1)
    mass = np.exp(choose + betaln(k + a, m - k + b) - betaln(a, b))
    return float(min(1.0, 2 * min(mass[: count + 1].sum(), mass[count:].sum())))


def ks_p(p, n):
    """Return the Kolmogorov-Smirnov p of p-values against their uniform grid of n + 1 steps.

    Both the batch and the calibration scatter, so it is the two-sample test in disguise.

    Source: Stephens 1970, the small-sample factor.
    """
    from scipy.special import kolmogorov

    grid = np.arange(1, n + 1) / (n + 1)
    share = np.searchsorted(np.sort(p), grid + 1e-12, "right") / len(p)
    root = np.sqrt(n * len(p) / (n + len(p)))
    return float(kolmogorov((root + 0.12 + 0.11 / root) * np.max(np.abs(share - grid))))


class Martingale:
    """A watch on a stream: rings when the items stop being exchangeable with the normals.

    Each item is compared with the calibration normals and all items before it. Only then are the
    p-values independent; against a fixed calibration set any long stream would ring in the end.

    Args:
        scores: `(n,)` scores of the calibration normals.

    Source: Vovk, Nouretdinov, Gammerman 2003, Testing exchangeability on-line: the mixture of the
        power martingales e p^(e-1) over e. Ville: it exceeds 100 in at most 1 stream in 100.
    """

    def __init__(self, scores):
        self.bag = sorted(float(s) for s in scores)
        self.logs = np.zeros(len(POWERS))
        self.peak = 1.0

    @property
    def value(self):
        """The martingale now: 1 at the start, large when items have been odd for long."""
        top = self.logs.max()
        return float(np.exp(min(top, 700.0)) * np.mean(np.exp(self.logs - top)))

    @property
    def alarm(self):
        """Whether it has ever exceeded 100."""
        return self.peak >= ALARM

    def update(self, score, item_hash):
        """Take the next item and return the martingale's value.

        Args:
            score: Its score; NaN is passed over.
            item_hash: Its hash, which draws its place among equal scores; unlike any before.
        """
        if np.isnan(score):
            return self.value
        above = len(self.bag) - bisect_right(self.bag, score)
        equal = len(self.bag) - above - bisect_left(self.bag, score)
        p = (above + uniforms([item_hash])[0] * (equal + 1)) / (len(self.bag) + 1)
        self.logs += np.log(POWERS) + (POWERS - 1) * np.log(max(p, 1e-300))
        insort(self.bag, float(score))
        self.peak = max(self.peak, self.value)
        return self.value


@dataclass(frozen=True)
class Fingerprint:
    """What the fitted items' own numbers and tags looked like.

    Attributes:
        numbers: Name -> 101 quantiles, from the smallest to the largest.
        tags: Name -> the values seen, for example scanners.
        items: Name of a number -> how many items it was known of.
    """

    numbers: dict[str, list[float]]
    tags: dict[str, list[str]]
    items: dict[str, int]

    @classmethod
    def fit(cls, numbers, tags=None):
        """Return the fingerprint.

        Args:
            numbers: Name -> `(n,)` floats: mean, height, file size, a column ...; NaN is left out.
            tags: Name -> `(n,)` texts: scanner, mode, site ...

        Raises:
            UserError: no numbers at all.
        """
        if not numbers:
            raise UserError("A fingerprint needs at least one number an item.")
        quantiles, items = {}, {}
        for name, values in numbers.items():
            values = np.asarray(values, np.float64)
            values = values[np.isfinite(values)]
            if len(values):
                items[name] = len(values)
                quantiles[name] = np.quantile(values, np.linspace(0, 1, 101)).tolist()
        seen = {name: sorted({str(v) for v in values}) for name, values in (tags or {}).items()}
        return cls(quantiles, seen, items)

    def compare(self, numbers, tags=None, units=None):
        """Return a light a number and a tag that is known.

        A number differs when Kolmogorov and Smirnov say so at 0.1 % over all numbers together, and
        the median or the spread moved by half an interquartile range. Where it is known of too few
        items to compare, it differs when more of the fitted ones had it, by the same p. A tag
        differs when a twentieth of the items have a value that was never fitted on; fewer are
        named.

        Args:
            numbers, tags: As for `fit`.
            units: `(fitted, new)` numbers of groups that the items come in, or None: items of one
                group are alike, and tell no more than one of each, see `units.worth`.
        """
        known = [name for name in self.numbers if name in numbers]
        lights = [self._number(name, numbers[name], len(known), units) for name in known]
        for name, seen in self.tags.items():
            values = [str(v) for v in (tags or {}).get(name, [])]
            lights.append(_tag(name, values, seen))
        return lights

    def to_dict(self):
        """Return JSON values."""
        return {
            "schema": SCHEMA, "numbers": self.numbers, "tags": self.tags, "items": self.items,
        }  # fmt: skip

    @classmethod
    def from_dict(cls, stored):
        """Return what `to_dict` stored.

        Raises:
            UserError: another schema or other keys.
        """
        if set(stored) != {"schema", "numbers", "tags", "items"} or stored["schema"] != SCHEMA:
            raise UserError("The fingerprint of the inputs cannot be read. Fit the model again.")
        return cls(stored["numbers"], stored["tags"], stored["items"])

    def _number(self, name, values, tests, units):
        from scipy.special import kolmogorov

        values = np.asarray(values, np.float64)
        rows, values = len(values), values[np.isfinite(values)]
        old, word = np.array(self.numbers[name]), "groups" if units else "items"
        most = units or (np.inf, np.inf)
        fitted, count = min(self.items[name], most[0]), min(len(values), most[1])
        if count < FEWEST <= min(rows, most[1]):
            return self._missing(name, len(values), rows, tests, most)
        if min(count, fitted) < FEWEST:
            return Light(name, SAME, 1.0, 0.0, f"{name}: too few {word} to compare.")
        levels = np.linspace(0, 1, len(old))
        grid = np.unique(old)
        # of equal quantiles the last: the share of fitted items at or below
        below = levels[np.searchsorted(old, grid, "right") - 1]
        share = np.searchsorted(np.sort(values), grid, "right") / len(values)
        root = np.sqrt(fitted * count / (fitted + count))
        distance = float(np.max(np.abs(share - below)))
        distance = max(distance, float(np.mean(values < old[0])), float(np.mean(values > old[-1])))
        p = min(
            1.0, tests * float(kolmogorov((root + 0.12 + 0.11 / root) * max(0.0, distance - STEP)))
        )
        now = np.quantile(values, [0.25, 0.5, 0.75])
        width = max(old[75] - old[25], (old[-1] - old[0]) / 10, 1e-9 * (1 + abs(old[50])))
        moved = float(np.max(np.abs(now - old[[25, 50, 75]])) / width)
        serious = moved >= MOVED
        state = DIFFERS if p < RED and serious else WATCH if p < YELLOW and serious else SAME
        text = f"{name}: median {now[1]:.4g}, was {old[50]:.4g}; moved {moved:.1f} of its spread."
        return Light(name, state, p, moved, text)

    def _missing(self, name, known, rows, tests, most):
        """Return the light of a number that nearly all items lack.

        Args:
            name: Of the number.
            known: Of how many items it is known.
            rows: Items.
            tests: Numbers that are compared.
            most: Independent units among the fitted and the new, or infinities.

        Source: the binomial law at the share among the fitted, by Laplace's rule of succession.
        """
        from scipy.stats import binom

        had, fitted = self.items[name], max(self.items.values())
        worth = min(1.0, most[0] / fitted), min(1.0, most[1] / rows)
        share = (had * worth[0] + 1) / (fitted * worth[0] + 2)
        counts = int(known * worth[1]), int(rows * worth[1])
        p = min(1.0, tests * float(binom.cdf(*counts, share)))
        state = DIFFERS if p < RED else WATCH if p < YELLOW else SAME
        text = f"{name}: known of {known} of {rows} items, was of {had} of {fitted}"
        text += "; too few to compare." if state == SAME else "."
        return Light(name, state, p, share - known / rows, text)


def _tag(name, values, seen):
    """Return the light of the values of one tag, of which some were `seen`."""
    new = Counter(value for value in sorted(values) if value not in seen)
    if not new:
        return Light(name, SAME, 1.0, 0.0, f"{name}: known values.")
    count = new.total()
    share = count / len(values)
    text = (
        f"{count} of {len(values)} items ({share:.1%}) {'has' if count == 1 else 'have'} a {name} "
        f"that was never fitted on: {', '.join(value for value, _ in new.most_common(3))}."
    )
    return Light(name, DIFFERS if share >= NEW else WATCH, 1.0 - share, share, text)
