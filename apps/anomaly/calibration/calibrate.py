"""From scores to p-values, thresholds and verdicts, by held-out normals alone.

The p of an item is the share of normals at least as odd as it, itself included. It holds for any
detector and any number of normals, as long as the calibration normals were used for nothing else:
not for fitting, not for scaling the parts of the score, not for early stopping.

Items of one patient, part or lot resemble each other, and twenty slices of one are not twenty
normals. Where groups are known each group counts as one, with the share of its items that are odd.
"""

from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b

import numpy as np

from gantools.errors import UserError

from .rules import FLAGGED, NORMAL, UNSCORED, Rule, Rules, needed

__all__ = [
    "FLAGGED", "NORMAL", "UNSCORED", "Calibration", "Rule", "Rules", "adjusted", "check_disjoint",
    "discoveries_sentence", "needed", "ties", "uniforms",
]  # fmt: skip
SCHEMA = 2  # 1 had no groups: its p of items in groups were too small


@dataclass(frozen=True, eq=False)
class Calibration:
    """The scores of held-out normals, and which items they and the fit were made of.

    Attributes:
        scores: `(n,)` float64, ascending, finite.
        hashes: Hashes of the calibration items; empty if unknown, then nothing can be guarded.
        fit_hashes: Hashes of the items that the detector was fitted on.
        groups: `(n,)` codes of the groups that the scores are of, "" of an item on its own; empty
            where no two items are of one group: then each normal counts alone.
    """

    scores: np.ndarray
    hashes: tuple[str, ...] = ()
    fit_hashes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    @classmethod
    def fit(cls, scores, hashes=None, fit_hashes=(), groups=None):
        """Return the calibration by these normals.

        Args:
            scores: `(n,)` scores of held-out normals, higher is more anomalous.
            hashes: `(n,)` item hashes, text or bytes.
            fit_hashes: Hashes of all items that took part in fitting, scaling or stopping.
            groups: `(n,)` codes of groups, "" where an item belongs to none; None: to none at all.

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
        groups = [] if groups is None else list(groups)
        for what, given in (("hash", hashes), ("group", groups)):
            if given and len(given) != len(scores):
                raise UserError(
                    f"A {what} a score is needed: {len(given)} for {len(scores)} scores."
                )
        fit_hashes = _texts(fit_hashes)
        check_disjoint(fit=fit_hashes, calibration=hashes)
        order, named = np.argsort(scores, kind="stable"), [code for code in groups if code]
        groups = [groups[i] for i in order] if len(set(named)) < len(named) else ()
        return cls(
            scores[order], tuple(sorted(hashes)), tuple(sorted(set(fit_hashes))), tuple(groups)
        )

    @cached_property
    def weights(self):
        """What each score counts, `(n,)`: 1 / items of its group, so that a group counts 1."""
        own = [code or f"alone {i}" for i, code in enumerate(self.groups)]
        _, owner, sizes = np.unique(own, return_inverse=True, return_counts=True)
        return 1 / sizes[owner] if own else np.ones(len(self.scores))

    @property
    def size(self) -> int:
        """How much there is to count p on: normals, or groups of them."""
        return int(round(float(self.weights.sum())))

    def p(self, scores, hashes=None):
        """Return the p-value of each item.

        Args:
            scores: `(m,)`; NaN gets p NaN, never a verdict.
            hashes: `(m,)` item hashes. They break ties with the calibration scores as a fair draw
                that is the same every time; without them a tie counts against the item's oddness.

        Returns:
            `(m,)` float64, of single normals multiples of 1 / (n + 1). Each depends on its own
            item only. With groups: P(p <= a) <= a for an item of a new group, any of it.

        Source: Vovk, Gammerman, Shafer 2005, Algorithmic Learning in a Random World, section 2.2;
            ties: the rank among the n + 1 is drawn, so that p is uniform on its grid. Groups: p =
            (1 + sum over groups of the share of its items at least as odd) / (groups + 1), which
            is the hierarchical conformal prediction of Lee, Barber, Willett 2023, arXiv 2306.06342;
            compare the subsampling of Dunn, Wasserman, Ramdas 2022, arXiv 1809.07441.
        """
        return (1 + self.counted(scores, hashes)) / (self.size + 1)

    def counted(self, scores, hashes=None):
        """Return how many normals, or shares of groups, are at least as odd, `(m,)`; NaN of NaN.

        Args: as for `p`.
        """
        scores = np.asarray(scores, np.float64)
        right = np.searchsorted(self.scores, scores, "right")
        left = np.searchsorted(self.scores, scores, "left")
        if self.groups:
            above = self._from[right]
            equal = self._from[left] - above
            # The 1 in p stands for all of the item's own group, whose other items may tie or be
            # odder as well. So the draw is among the others: no more than 1 + U * equal is needed.
            found = above + (equal if hashes is None else uniforms(hashes) * equal)
        else:
            found = len(self.scores) - right + ties(right - left, hashes)
        return np.where(np.isnan(scores), np.nan, found)

    @cached_property
    def _from(self):
        """Return the weights from each score up, `(n + 1,)`; rounded, as sums of thirds are not."""
        return np.round(np.append(np.cumsum(self.weights[::-1])[::-1], 0.0), 12)

    def rule(self, fpr=0.05, confidence=None):
        """Return the rule that flags at a wanted false-positive rate: see `Rule.of`."""
        return Rule.of(self.size, fpr, confidence, len(self.scores) if self.groups else None)

    def seen(self, hashes):
        """Return `(m,)` bool: the items that were fitted on or calibrated with; no p of theirs."""
        known = {*self.hashes, *self.fit_hashes}
        return np.array([text in known for text in _texts(hashes)], bool)

    def sentence(self):
        """Return what these normals can show at best, in words."""
        return f"With {self.rule().held} the lowest attainable p is {1 / (self.size + 1):.2g}."

    def to_dict(self):
        """Return JSON values; `from_dict` gives the same p-values, bit for bit."""
        return {
            "schema": SCHEMA,
            "scores": self.scores.tolist(),
            "hashes": list(self.hashes),
            "fit_hashes": list(self.fit_hashes),
            "groups": list(self.groups),
        }

    @classmethod
    def from_dict(cls, stored):
        """Return the calibration that `to_dict` stored.

        Raises:
            UserError: another schema or other keys.
        """
        expected = {"schema", "scores", "hashes", "fit_hashes", "groups"}
        if set(stored) != expected or stored["schema"] != SCHEMA:
            raise UserError(
                f"This calibration cannot be read: expected schema {SCHEMA} with "
                f"{sorted(expected)}, received {sorted(stored)}. Fit the model again."
            )
        return cls.fit(*(stored[k] for k in ("scores", "hashes", "fit_hashes", "groups")))


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
        set: Bates et al. 2023, arXiv 2104.08279, theorem 1. That is not proven for items in groups;
        simulated (50 to 400 groups of 20, correlated by 0.5 to 0.9) the share was at most 0.08 at
        0.1.
    """
    p = np.asarray(p, np.float64)
    out = np.full(p.shape, np.nan)
    scored = np.flatnonzero(~np.isnan(p))
    order = scored[np.argsort(-p[scored], kind="stable")]  # from the largest down
    steps = len(order) / np.arange(len(order), 0, -1)
    out[order] = np.minimum(1, np.minimum.accumulate(p[order] * steps))
    return out


def discoveries_sentence(n, m, q, expected, unit="normals"):
    """Return whether so few normals can give any discovery among `m` items, in words.

    Args:
        n: Calibration normals, or groups of them.
        m: Items scored.
        q: Wanted share of false alarms among the flagged.
        expected: Anomalies expected among the items.
        unit: What `n` counts, see `Rule.unit`.
    """
    least = int(np.ceil(m / (q * max(1, expected)) - 1e-9)) - 1
    if n >= least:
        return f"{n} held-out {unit} can single out {expected} anomalies among {m} at q = {q:g}."
    return (
        f"To single out {expected} anomalies among {m} items at q = {q:g}, {least} held-out "
        f"{unit} are needed and there are {n}: read the list as a ranking."
    )


def _texts(hashes):
    return [h.hex() if isinstance(h, bytes) else str(h) for h in hashes]
