"""From the raw parts of a score to scores, p-values and verdicts, of items and of groups.

One detector is judged by normals that it never saw: calibration-A normals scale its parts,
calibration-B normals give the p-values. Below 60 normals there are several detectors, each without
one fold of the normals, and every normal is compared with the detector that did not see it.
"""

from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np

from gantools.errors import UserError

from .calibrate import Calibration
from .crossfit import CrossCalibration
from .groups import GroupStatistic
from .parts import PartScales

FEWEST_GROUPS = 5  # calibration groups: below, no group could get a p under 1 / 6


@dataclass(eq=False)
class Raw:
    """What detectors say of items before anything is scaled.

    Attributes:
        members: One dict a detector, part -> `(n,)` float64; NaN where an item cannot be read.
        hashes: `(n,)` hashes of contents.
        groups: `(n,)` names, None where unknown.
        errors: Number -> sentence, of items that cannot be read.
    """

    members: tuple[dict[str, np.ndarray], ...]
    hashes: list[str]
    groups: list[str | None]
    errors: dict[int, str] = field(default_factory=dict)

    def __len__(self):
        return len(self.hashes)

    def take(self, rows):
        """Return the items of these numbers; readable ones are meant, errors are not kept."""
        members = tuple({n: v[rows] for n, v in parts.items()} for parts in self.members)
        return Raw(members, [self.hashes[i] for i in rows], [self.groups[i] for i in rows])

    def readable(self, rows):
        """Return those of `rows` that could be read."""
        return [i for i in rows if i not in self.errors]

    def mean(self):
        """Return part -> `(n,)`: the mean over the detectors."""
        return {n: np.mean([m[n] for m in self.members], axis=0) for n in self.members[0]}


@dataclass(frozen=True, eq=False)
class GroupJudge:
    """How odd a group is as a whole: its statistic and the groups that calibrate it."""

    statistic: GroupStatistic
    calibration: Calibration

    @classmethod
    def fit(cls, first, second, fit_groups=(), folds=False):
        """Return the judge of groups, or None where groups are unknown, single items or too few.

        Args:
            first, second: `(scores, group names)` of calibration-A and calibration-B normals.
            fit_groups: Names of the groups that were fitted on.
            folds: Whether A and B are all normals, each scored by detectors that did not see them.
                Groups are compared by one and the same statistic: that it has seen those of B moves
                their ranks little, and between groups of one size not at all.

        Raises:
            UserError: a group is in calibration-B and in the others.
        """
        names = set(second[1])
        if None in names or None in set(first[1]) or len(names) < FEWEST_GROUPS:
            return None
        if len(names) == len(second[1]) or len(first[0]) < 20:
            return None
        statistic = GroupStatistic.fit(*first)
        found, scores = statistic.score(*second)
        known = () if folds else {*first[1], *(g for g in fit_groups if g)}
        return cls(statistic, Calibration.fit(scores, codes(found), codes(known)))

    def judge(self, scores, groups):
        """Return name -> `(items, score, p)` of the groups of some items; None is no group.

        A group that was fitted on or calibrated with gets NaN for p.
        """
        rows = [i for i, name in enumerate(groups) if name is not None]
        if not rows:
            return {}
        own = [groups[i] for i in rows]
        names, found = self.statistic.score(np.asarray(scores)[rows], own)
        own_codes = codes(names)
        p = self.calibration.p(found, own_codes)
        p[self.calibration.seen(own_codes)] = np.nan
        counts = {name: own.count(name) for name in set(own)}
        return {
            str(n): (counts[n], float(s), float(q)) for n, s, q in zip(names, found, p, strict=True)
        }

    def to_dict(self):
        """Return JSON values."""
        return {"statistic": self.statistic.to_dict(), "calibration": self.calibration.to_dict()}

    @classmethod
    def from_dict(cls, stored):
        """Return what `to_dict` stored."""
        return cls(
            GroupStatistic.from_dict(stored["statistic"]),
            Calibration.from_dict(stored["calibration"]),
        )


@dataclass(frozen=True, eq=False)
class Judge:
    """Everything between raw parts and verdicts.

    Attributes:
        ranking: Parts that make the score, with equal weight.
        scales: One `PartScales` a detector.
        calibration: `Calibration`, or `CrossCalibration` where there are several detectors.
        groups: `GroupJudge` or None.
        known: Hashes of all normals of several detectors; one detector's are in its calibration.
        known_groups: Codes of all groups that were fitted on or calibrated with.
    """

    ranking: tuple[str, ...]
    scales: tuple[PartScales, ...]
    calibration: Calibration | CrossCalibration
    groups: GroupJudge | None = None
    known: tuple[str, ...] = ()
    known_groups: tuple[str, ...] = ()

    @classmethod
    def fit(cls, ranking, first: Raw, second: Raw, fit_hashes=(), fit_groups=()):
        """Judge by held-out normals.

        Args:
            ranking: Names of parts.
            first, second: Calibration-A and calibration-B normals, all readable. Those of `second`
                with the contents of one that was seen before are left out.
            fit_hashes, fit_groups: What was fitted on.

        Raises:
            UserError: no normals are left.
        """
        scales = (PartScales.fit(_chosen(first.members[0], ranking)),)
        seen = {*fit_hashes, *first.hashes}
        fresh = [i for i, text in enumerate(second.hashes) if text not in seen]
        if not fresh:
            raise UserError(
                "None of the held-out normals is unlike those fitted on: nothing can be calibrated."
            )
        second = second.take(fresh)
        a, b = (scales[0].combine(_chosen(raw.members[0], ranking)) for raw in (first, second))
        calibration = Calibration.fit(b, second.hashes, tuple(seen), codes(second.groups))
        groups = GroupJudge.fit((a, first.groups), (b, second.groups), fit_groups)
        known_groups = _known(fit_groups, first.groups, second.groups)
        return cls(tuple(ranking), scales, calibration, groups, known_groups=known_groups)

    @classmethod
    def crossed(cls, ranking, scaling, held):
        """Judge by folds.

        Args:
            ranking: Names of parts.
            scaling, held: A `Raw` a detector, each of that detector alone: the fold that scales its
                parts, and the fold that it is compared with; it saw neither.
        """
        scales = tuple(PartScales.fit(_chosen(raw.members[0], ranking)) for raw in scaling)
        names, scores = {}, {}
        for part, raws in (("scaling", scaling), ("held", held)):
            names[part] = [name for raw in raws for name in raw.groups]
            scores[part] = [
                scale.combine(_chosen(raw.members[0], ranking))
                for scale, raw in zip(scales, raws, strict=True)
            ]
        calibration = CrossCalibration.fit(scores["held"], [codes(raw.groups) for raw in held])
        first, second = ((np.concatenate(scores[part]), names[part]) for part in names)
        known = sorted({text for raw in held for text in raw.hashes})
        return cls(
            tuple(ranking), scales, calibration, GroupJudge.fit(first, second, folds=True),
            tuple(known), _known(names["held"]),
        )  # fmt: skip

    @property
    def normal_scores(self):
        """Scores of the held-out normals, `(n,)`."""
        folds = getattr(self.calibration, "folds", None) or (self.calibration,)
        return np.concatenate([fold.scores for fold in folds])

    @property
    def is_crossed(self):
        """Whether p-values come from folds, and hold up to a factor of 2."""
        return isinstance(self.calibration, CrossCalibration)

    def judged(self, raw: Raw):
        """Return `(scores (n,), p (n,))` of items; with several detectors their mean score."""
        rows = [
            scale.combine(_chosen(parts, self.ranking))
            for scale, parts in zip(self.scales, raw.members, strict=True)
        ]
        if self.is_crossed:
            return np.mean(rows, axis=0), self.calibration.p(np.stack(rows), raw.hashes)
        return rows[0], self.calibration.p(rows[0], raw.hashes)

    def seen(self, hashes):
        """Return `(n,)` bool: contents that were fitted on or calibrated with."""
        if self.is_crossed:
            return np.isin(hashes, self.known)
        return self.calibration.seen(hashes)

    def seen_groups(self, groups):
        """Return `(n,)` bool: groups that were fitted on or calibrated with; None never was."""
        return np.isin(codes(groups), self.known_groups)

    @property
    def is_grouped(self):
        """Whether p-values are counted by groups."""
        return bool(self.calibration.groups)

    def bars(self, parts):
        """Return part -> `(n,)`: the parts that rank in units of the normals' 95 % level."""
        rows = [scale.bars(_chosen(parts, self.ranking)) for scale in self.scales]
        return {name: np.mean([row[name] for row in rows], axis=0) for name in self.ranking}

    def rule(self, fpr, confidence=None):
        """Return the `calibrate.Rule` that flags."""
        return self.calibration.rule(fpr, confidence)

    def sentence(self, rule):
        """Return what a rule promises, in words."""
        return f"{rule.sentence()} {self.calibration.sentence()}" if self.is_crossed else (
            rule.sentence()
        )  # fmt: skip

    def to_dict(self):
        """Return JSON values; `from_dict` gives the same p-values, bit for bit."""
        return {
            "ranking": list(self.ranking),
            "scales": [scale.to_dict() for scale in self.scales],
            "crossed": self.is_crossed,
            "calibration": self.calibration.to_dict(),
            "groups": self.groups.to_dict() if self.groups else None,
            "known": list(self.known),
            "known_groups": list(self.known_groups),
        }

    @classmethod
    def from_dict(cls, stored):
        """Return what `to_dict` stored.

        Raises:
            UserError: other keys or another schema.
        """
        try:
            kind = CrossCalibration if stored["crossed"] else Calibration
            return cls(
                tuple(stored["ranking"]),
                tuple(PartScales.from_dict(one) for one in stored["scales"]),
                kind.from_dict(stored["calibration"]),
                GroupJudge.from_dict(stored["groups"]) if stored["groups"] else None,
                tuple(stored["known"]),
                tuple(stored["known_groups"]),
            )
        except KeyError as error:
            raise UserError(f"The calibration has no {error}. Fit the model again.") from error


def _chosen(parts, ranking):
    return {name: parts[name] for name in ranking}


def codes(names):
    """Return codes of group names: a model must not tell whose pictures it was fitted on.

    None, an item of no group, is "".
    """
    return [
        "" if name is None else blake2b(str(name).encode(), digest_size=12).hexdigest()
        for name in names
    ]


def _known(*groups):
    """Return the codes of all groups, sorted."""
    return tuple(sorted(set(codes(name for names in groups for name in names)) - {""}))
