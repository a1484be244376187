"""From scores to p-values, thresholds and verdicts, by held-out normals alone.

The p of an item is the share of normals at least as odd as it, itself included. It holds for any
detector and any number of normals, as long as the calibration normals were used for nothing else:
not for fitting, not for scaling the parts of the score, not for early stopping.
"""

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np

from gantools.errors import UserError

SCHEMA = 1
FLAGGED, NORMAL, UNSCORED = "flagged", "normal", "not scored"


@dataclass(frozen=True, eq=False)
class Calibration:
    """The scores of held-out normals, and which items they and the fit were made of.

    Attributes:
        scores: `(n,)` float64, ascending, finite.
        hashes: Hashes of the calibration items; empty if unknown, then nothing can be guarded.
        fit_hashes: Hashes of the items that the detector was fitted on.
    """

    scores: np.ndarray
    hashes: tuple[str, ...] = ()
    fit_hashes: tuple[str, ...] = ()

    @classmethod
    def fit(cls, scores, hashes=None, fit_hashes=()):
        """Return the calibration by these normals.

        Args:
            scores: `(n,)` scores of held-out normals, higher is more anomalous.
            hashes: `(n,)` item hashes, text or bytes.
            fit_hashes: Hashes of all items that took part in fitting, scaling or stopping.

        Raises:
            UserError: no scores, a score that is no number, or an item that was also fitted on.
        """
        scores = np.asarray(scores, np.float64)
        if scores.ndim != 1 or not len(scores):
            raise UserError(f"Calibration needs (n,) scores of normals. Received: {scores.shape}.")
        bad = int(np.sum(~np.isfinite(scores)))
        if bad:
            raise UserError(
                f"{bad} of {len(scores)} calibration normals have no finite score. Leave those "
                "items out of the data, or look at why they cannot be scored."
            )
        hashes = _texts(() if hashes is None else hashes)
        if hashes and len(hashes) != len(scores):
            raise UserError(f"A hash a score is needed: {len(hashes)} for {len(scores)} scores.")
        fit_hashes = _texts(fit_hashes)
        check_disjoint(fit=fit_hashes, calibration=hashes)
        return cls(np.sort(scores), tuple(sorted(hashes)), tuple(sorted(set(fit_hashes))))

    def p(self, scores, hashes=None):
        """Return the p-value of each item.

        Args:
            scores: `(m,)`; NaN gets p NaN, never a verdict.
            hashes: `(m,)` item hashes. They break ties with the calibration scores as a fair draw
                that is the same every time; without them a tie counts against the item's oddness.

        Returns:
            `(m,)` float64, multiples of 1 / (n + 1). Each depends on its own item only.

        Source: Vovk, Gammerman, Shafer 2005, Algorithmic Learning in a Random World, section 2.2;
            ties: the rank among the n + 1 is drawn, so that p is uniform on its grid.
        """
        scores = np.asarray(scores, np.float64)
        above = len(self.scores) - np.searchsorted(self.scores, scores, "right")
        equal = len(self.scores) - above - np.searchsorted(self.scores, scores, "left")
        p = (1 + above + ties(equal, hashes)) / (len(self.scores) + 1)
        return np.where(np.isnan(scores), np.nan, p)

    def rule(self, fpr=0.05, confidence=None):
        """Return the rule that flags at a wanted false-positive rate: see `Rule.of`."""
        return Rule.of(len(self.scores), fpr, confidence)

    def seen(self, hashes):
        """Return `(m,)` bool: the items that were fitted on or calibrated with; no p of theirs."""
        known = {*self.hashes, *self.fit_hashes}
        return np.array([text in known for text in _texts(hashes)], bool)

    def sentence(self):
        """Return what these normals can show at best, in words."""
        n = len(self.scores)
        return f"With {n} held-out normals the lowest attainable p is {1 / (n + 1):.2g}."

    def to_dict(self):
        """Return JSON values; `from_dict` gives the same p-values, bit for bit."""
        return {
            "schema": SCHEMA,
            "scores": self.scores.tolist(),
            "hashes": list(self.hashes),
            "fit_hashes": list(self.fit_hashes),
        }

    @classmethod
    def from_dict(cls, stored):
        """Return the calibration that `to_dict` stored.

        Raises:
            UserError: another schema or other keys.
        """
        expected = {"schema", "scores", "hashes", "fit_hashes"}
        if set(stored) != expected or stored["schema"] != SCHEMA:
            raise UserError(
                f"This calibration cannot be read: expected schema {SCHEMA} with "
                f"{sorted(expected)}, received {sorted(stored)}. Fit the model again."
            )
        return cls.fit(stored["scores"], stored["hashes"], stored["fit_hashes"])


@dataclass(frozen=True)
class Rule:
    """Flag an item when its p is at most `level`.

    Attributes:
        n: Calibration normals.
        fpr: Wanted share of normals that are flagged.
        confidence: Chance that the realised share is at most `fpr`; None promises the mean only.
        rank: The level as a number of calibration normals + 1; 0 flags nothing.
    """

    n: int
    fpr: float
    confidence: float | None
    rank: int

    @classmethod
    def of(cls, n, fpr=0.05, confidence=None):
        """Return the rule for `n` calibration normals.

        Args:
            n: Calibration normals.
            fpr: In (0, 1).
            confidence: In (0, 1): the largest rank with P(realised rate > fpr) <= 1 - confidence;
                None: the largest whose mean realised rate is at most `fpr`.

        Raises:
            UserError: a rate or confidence outside (0, 1).

        Source: the realised rate is Beta(rank, n + 1 - rank): Vovk 2012, arXiv 1209.2673, sec. 3.
        """
        for name, value in (("fpr", fpr), ("confidence", confidence)):
            if value is not None and not 0 < value < 1:
                raise UserError(f"--{name} must lie between 0 and 1. Received: {value}.")
        rank = int(np.floor(fpr * (n + 1) + 1e-9))
        if confidence is not None and rank:
            from scipy.special import betainc

            ranks = np.arange(1, rank + 1)
            exceeds = 1 - betainc(ranks, n + 1 - ranks, fpr)
            rank = int(np.sum(exceeds <= 1 - confidence))  # it grows with the rank
        return cls(n, fpr, confidence, rank)

    @property
    def level(self) -> float:
        """The largest p that is flagged."""
        return self.rank / (self.n + 1)

    def flags(self, p):
        """Return `(m,)` bool; NaN is not flagged, and `verdicts` says so."""
        return np.asarray(p, np.float64) <= self.level

    def verdicts(self, p):
        """Return one word an item: "flagged", "normal", or "not scored" where p is NaN."""
        words = np.where(self.flags(p), FLAGGED, NORMAL)
        return [str(w) for w in np.where(np.isnan(np.asarray(p, float)), UNSCORED, words)]

    @property
    def levels(self):
        """The largest p that is flagged, for all items."""
        return self.level

    @property
    def grids(self):
        """Calibration normals -> share of the items whose p is counted on so many."""
        return {self.n: 1.0}

    def realised(self, confidence=0.95):
        """Return `(mean, low, high)` of the realised false-positive rate over calibration sets.

        `(low, high)` is the central interval of the Beta law; the false alarms among new normals
        scatter around the realised rate in addition.
        """
        if not self.rank:
            return 0.0, 0.0, 0.0
        from scipy.special import betaincinv

        rest = (1 - confidence) / 2
        low, high = betaincinv(self.rank, self.n + 1 - self.rank, [rest, 1 - rest])
        return self.level, float(low), float(high)

    def sentence(self):
        """Return what the rule promises, in words."""
        if not self.rank:
            return (
                f"With {self.n} held-out normals nothing can be flagged at {self._wish()}: "
                f"{needed(self.fpr, self.confidence)} are needed. The list is ranked only."
            )
        mean, low, high = self.realised()
        return (
            f"Flagged at p <= {self.level:.3g} ({self._wish()}): of new normals {mean:.1%} are "
            f"flagged on average, {low:.1%} to {high:.1%} with these {self.n} held-out normals."
        )

    def _wish(self):
        sure = "" if self.confidence is None else f" with {self.confidence:.0%} confidence"
        return f"a false-positive rate of {self.fpr:.3g}{sure}"


@dataclass(frozen=True, eq=False)
class Rules:
    """The rules of several models, each for the items that it judged; used like one `Rule`.

    Attributes:
        rules: One `Rule` a model, of the same wish.
        side: `(m,)` int: which of them judges each item.
    """

    rules: tuple[Rule, ...]
    side: np.ndarray

    verdicts = Rule.verdicts
    fpr = property(lambda self: self.rules[0].fpr)
    confidence = property(lambda self: self.rules[0].confidence)
    n = property(lambda self: min(rule.n for rule in self.rules))
    rank = property(lambda self: max(rule.rank for rule in self.rules))

    @property
    def level(self) -> float:
        """The share of normals that is flagged, in the mean over the items."""
        return float(np.mean(self.levels))

    @property
    def levels(self):
        """The largest p that is flagged, `(m,)`, for each item."""
        return np.array([rule.level for rule in self.rules])[self.side]

    @property
    def grids(self):
        """As `Rule.grids`."""
        found = {}
        for number, rule in enumerate(self.rules):
            found[rule.n] = found.get(rule.n, 0.0) + float(np.mean(self.side == number))
        return found

    def flags(self, p):
        """Return `(m,)` bool, each item by its own rule; NaN is not flagged."""
        return np.asarray(p, np.float64) <= self.levels

    def sentence(self):
        """Return what each rule promises, in words."""
        texts = dict.fromkeys(rule.sentence() for rule in self.rules)
        return " ".join(texts)


def needed(fpr, confidence=None):
    """Return the fewest calibration normals with which anything can be flagged at all."""
    if confidence is None:
        return int(np.ceil(1 / fpr - 1e-9)) - 1
    # rank 1: P(Beta(1, n) > fpr) = (1 - fpr)^n
    return int(np.ceil(np.log(1 - confidence) / np.log(1 - fpr) - 1e-9))


def ties(equal, hashes=None):
    """Return how many of the `equal` calibration scores count as at least as odd as the item.

    Args:
        equal: `(m,)` numbers of calibration scores equal to the item's.
        hashes: `(m,)` item hashes: a draw from 0 ... equal, the same every time; None: all.
    """
    equal = np.asarray(equal)
    if hashes is None:
        return equal
    return np.floor(uniforms(hashes) * (equal + 1)).astype(np.int64)


def uniforms(hashes):
    """Return one float64 in [0, 1) a hash, as good as random and always the same."""
    digests = (blake2b(text.encode(), digest_size=8, person=b"ties") for text in _texts(hashes))
    return np.array([(int.from_bytes(d.digest(), "big") >> 11) / 2**53 for d in digests])


def check_disjoint(**parts):
    """Refuse an item that is in two parts, for example `check_disjoint(fit=a, calibration=b)`.

    Args:
        **parts: Name of the part -> hashes of its items.

    Raises:
        UserError: the two parts, how many items they share, and one of them.
    """
    owner = {}
    for part, hashes in parts.items():
        texts = set(_texts(hashes))
        for other, others in owner.items():
            both = texts & others
            if both:
                raise UserError(
                    f"{len(both)} items are in both {other} and {part}, for example "
                    f"{min(both)[:12]}: their p-values would be wrong. Remove the duplicates, or "
                    "keep each group of items in one part."
                )
        owner[part] = texts


def adjusted(p):
    """Return the Benjamini-Hochberg adjusted p-values: flagging those <= q keeps the share of false
    alarms among the flagged at or below q on average.

    Args:
        p: `(m,)`; NaN stays NaN and does not count.

    Source: Benjamini and Hochberg 1995; valid for conformal p-values that share one calibration
        set: Bates et al. 2023, arXiv 2104.08279, theorem 1.
    """
    p = np.asarray(p, np.float64)
    out = np.full(p.shape, np.nan)
    scored = np.flatnonzero(~np.isnan(p))
    order = scored[np.argsort(-p[scored], kind="stable")]  # from the largest down
    steps = len(order) / np.arange(len(order), 0, -1)
    out[order] = np.minimum(1, np.minimum.accumulate(p[order] * steps))
    return out


def discoveries_sentence(n, m, q, expected):
    """Return whether so few normals can give any discovery among `m` items, in words.

    Args:
        n: Calibration normals.
        m: Items scored.
        q: Wanted share of false alarms among the flagged.
        expected: Anomalies expected among the items.
    """
    least = int(np.ceil(m / (q * max(1, expected)) - 1e-9)) - 1
    if n >= least:
        return f"{n} held-out normals can single out {expected} anomalies among {m} at q = {q:g}."
    return (
        f"To single out {expected} anomalies among {m} items at q = {q:g}, {least} held-out "
        f"normals are needed and there are {n}: read the list as a ranking."
    )


def _texts(hashes):
    return [h.hex() if isinstance(h, bytes) else str(h) for h in hashes]
