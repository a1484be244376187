"""Which p is flagged, and what such a rule promises.

Where each normal counts alone, the share of new normals that a rule flags follows a Beta law over
calibrations. Where normals come in groups there is no such law, for nobody knows how much items of
one group resemble each other: then the promise is a bound that holds however much they do.
"""

from dataclasses import dataclass

import numpy as np

from gantools.errors import UserError

FLAGGED, NORMAL, UNSCORED = "flagged", "normal", "not scored"
SURE = 0.95  # of the bounds that are told
HALVINGS = 60


@dataclass(frozen=True)
class Rule:
    """Flag an item when its p is at most `level`.

    Attributes:
        n: Calibration normals; where they come in groups, the groups.
        fpr: Wanted share of normals that are flagged.
        confidence: Chance that the realised share is at most `fpr`; None promises the mean only.
        rank: The level as a number of calibration normals + 1, for groups not a whole one; 0 flags
            nothing.
        items: Normals in these groups; None where each normal counts alone.
    """

    n: int
    fpr: float
    confidence: float | None
    rank: float
    items: int | None = None

    @classmethod
    def of(cls, n, fpr=0.05, confidence=None, items=None):
        """Return the rule for `n` calibration normals, or `items` of them in `n` groups.

        Args:
            n: Calibration normals, or their groups.
            fpr: In (0, 1).
            confidence: In (0, 1): the largest rank with P(realised rate > fpr) <= 1 - confidence;
                None: the largest whose mean realised rate is at most `fpr`.
            items: Calibration normals, where they come in groups.

        Raises:
            UserError: a rate or confidence outside (0, 1).

        Source: the realised rate is Beta(rank, n + 1 - rank): Vovk 2012, arXiv 1209.2673, sec. 3;
            of groups: `exceeds`.
        """
        for name, value in (("fpr", fpr), ("confidence", confidence)):
            if value is not None and not 0 < value < 1:
                raise UserError(f"--{name} must lie between 0 and 1. Received: {value}.")
        if items is not None:
            return cls(n, fpr, confidence, _group_rank(n, fpr, confidence), items)
        rank = int(np.floor(fpr * (n + 1) + 1e-9))
        if confidence is not None and rank:
            from scipy.special import betainc

            ranks = np.arange(1, rank + 1)
            over = 1 - betainc(ranks, n + 1 - ranks, fpr)
            rank = int(np.sum(over <= 1 - confidence))  # it grows with the rank
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
        """Calibration normals or groups -> share of the items whose p is counted on so many."""
        return {self.n: 1.0}

    @property
    def unit(self) -> str:
        """What `n` counts: "normals", or "groups" where they come in such."""
        return "normals" if self.items is None else "groups"

    @property
    def held(self) -> str:
        """What p is counted on, in words."""
        if self.items is None:
            return f"{self.n} held-out normals"
        return f"{self.items} held-out normals of {self.n} groups"

    def realised(self, confidence=SURE):
        """Return `(mean, low, high)` of the realised false-positive rate over calibration sets.

        `(low, high)` is the central interval of the Beta law; the false alarms among new normals
        scatter around the realised rate in addition. Of groups the mean is at most the first
        number, and the rate lies between 0 and the last one; it is the mean over new groups.
        """
        if not self.rank:
            return 0.0, 0.0, 0.0
        if self.items is not None:
            return self.level, 0.0, _highest(self.rank - 1, self.n, 1 - confidence)
        from scipy.special import betaincinv

        rest = (1 - confidence) / 2
        low, high = betaincinv(self.rank, self.n + 1 - self.rank, [rest, 1 - rest])
        return self.level, float(low), float(high)

    def sentence(self):
        """Return what the rule promises, in words."""
        if not self.rank:
            what = "" if self.items is None else " groups"
            return (
                f"With {self.held} nothing can be flagged at {self._wish()}: "
                f"{needed(self.fpr, self.confidence)}{what} are needed. The list is ranked only."
            )
        mean, low, high = self.realised()
        told = f"{mean:.1%} are flagged on average, {low:.1%} to {high:.1%} with these {self.held}."
        if self.items is not None:
            told = (
                f"at most {mean:.1%} are flagged on average, and at most {high:.1%} in "
                f"{SURE:.0%} of calibrations, with these {self.held}."
            )
        return f"Flagged at p <= {self.level:.3g} ({self._wish()}): of new normals {told}"

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
    n = property(lambda self: self._least.n)
    rank = property(lambda self: max(rule.rank for rule in self.rules))
    unit = property(lambda self: self._least.unit)
    held = property(lambda self: self._least.held)

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

    @property
    def _least(self):
        return min(self.rules, key=lambda rule: rule.n)


def needed(fpr, confidence=None):
    """Return the fewest calibration normals, or groups, with which anything can be flagged."""
    if confidence is None:
        return int(np.ceil(1 / fpr - 1e-9)) - 1
    # rank 1: P(Beta(1, n) > fpr) = (1 - fpr)^n, which is also the bound of `exceeds` at 0
    return int(np.ceil(np.log(1 - confidence) / np.log(1 - fpr) - 1e-9))


def exceeds(total, n, rate):
    """Return a bound on the chance that a rule flags more than `rate` of the normals of new groups.

    It flags scores that in all calibration groups together are reached by shares that sum up to at
    most `total`. Were more than `rate` of new normals that odd, the shares, each in [0, 1] and
    independent of the others, would have a mean above `rate` and yet so small a sum. How the items
    of a group depend on each other does not matter, nor do the sizes.

    Args:
        total: Largest sum of shares: rank - 1.
        n: Calibration groups.
        rate: In (0, 1).

    Source: Hoeffding 1963, theorem 1, and Bentkus 2004, as in Bates, Angelopoulos,
        Lei, Malik, Jordan 2021, arXiv 2101.02703, section 3.1.
    """
    mean = total / n
    if mean >= rate:
        return 1.0
    from scipy.special import betainc, rel_entr

    entropy = rel_entr(mean, rate) + rel_entr(1 - mean, 1 - rate)
    count = np.ceil(total - 1e-6)
    # P(Binomial(n, rate) <= count)
    binomial = 1 - betainc(count + 1, n - count, rate) if count < n else 1.0
    return float(min(1.0, np.exp(-n * entropy), np.e * binomial))


def _group_rank(n, fpr, confidence):
    """Return the largest rank that `n` groups allow, 0 where there is none."""
    most = fpr * (n + 1)
    if most < 1 - 1e-9:
        return 0
    most = max(1.0, most)
    if confidence is None:
        return most
    return _border(lambda rank: exceeds(rank - 1, n, fpr) <= 1 - confidence + 1e-12, 1, most)


def _highest(total, n, chance):
    """Return the rate that is exceeded with at most this chance."""
    return 1 - _border(lambda rest: exceeds(total, n, 1 - rest) <= chance, 0, 1 - total / n)


def _border(holds, low, high):
    """Return the largest number of [low, high] up to which it holds; 0 where never."""
    if not holds(low):
        return 0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
