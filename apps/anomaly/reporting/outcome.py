"""What came out of scoring: all that scores.csv and report.html tell, and nothing else.

An outcome can be written down and read back without the data or the model, so that the shards of
several machines become one: see `join`.
"""

import json
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np

from gantools.data.files import atomic
from gantools.errors import UserError

from ..audit.findings import Finding
from ..calibration.calibrate import Rule
from ..calibration.drift import Fingerprint, Light
from ..calibration.judge import Judge
from ..fitted import Scored
from ..tables.reasons import Reason

SCHEMA = 3  # 2 had no inputs: nobody could say of shards together whether they drifted
NAME = "outcome"  # outcome.json and outcome.npz


@dataclass(frozen=True)
class Subject:
    """What is told of an item besides its scores.

    Attributes:
        name, group, kind, label: As in `items.Item`.
        left: Letter of what lies on the left of its pictures on the card: "R" the patient's right,
            "A" the front; "" unknown.
    """

    name: str
    group: str | None = None
    kind: str = ""
    label: int | None = None
    left: str = ""


@dataclass(frozen=True, eq=False)
class Inputs:
    """What the drift lights of the inputs are made of.

    Attributes:
        fitted: The model's `drift.Fingerprint`.
        numbers: Name -> `(k,)` floats of the items that are not labelled anomalous.
        tags: Name -> `(k,)` texts of theirs.
    """

    fitted: Fingerprint
    numbers: dict[str, np.ndarray]
    tags: dict[str, np.ndarray]

    @classmethod
    def of(cls, fitted, numbers, tags):
        """Return the inputs, without what the fitted ones do not know."""
        return cls(
            fitted, {n: v for n, v in numbers.items() if n in fitted.numbers},
            {n: np.asarray(v, str) for n, v in tags.items() if n in fitted.tags},
        )  # fmt: skip

    @classmethod
    def joined(cls, several):
        """Return those of all shards; None where no share has any."""
        several = [one for one in several if one is not None]
        if not several:
            return None
        gathered = {"numbers": {}, "tags": {}}
        for one in several:
            for what, found in gathered.items():
                for name, values in getattr(one, what).items():
                    found.setdefault(name, []).append(values)
        return cls(
            several[0].fitted,
            *({name: np.concatenate(v) for name, v in d.items()} for d in gathered.values()),
        )

    def compared(self, units):
        """Return the lights, see `drift.Fingerprint.compare`."""
        return self.fitted.compare(self.numbers, self.tags, units)

    def stored(self):
        """Return `(JSON values, arrays)`; names of columns are no names of arrays."""
        facts = {"fitted": self.fitted.to_dict()}
        arrays = {}
        for what in ("numbers", "tags"):
            facts[what] = list(getattr(self, what))
            arrays |= {f"{what}/{i}": v for i, v in enumerate(getattr(self, what).values())}
        return facts, arrays

    @classmethod
    def restored(cls, facts, arrays):
        """Return what `stored` gave."""
        found = ({n: arrays[f"{what}/{i}"] for i, n in enumerate(facts[what])}
                 for what in ("numbers", "tags"))  # fmt: skip
        return cls(Fingerprint.from_dict(facts["fitted"]), *found)


@dataclass
class Outcome:
    """The result of scoring a collection.

    Attributes:
        title: Name of the collection.
        found: One line: what the collection holds.
        items: `Subject`s.
        scored: `Scored`, in their order.
        judge: The model's.
        rows: Names of the reference rows among the parts.
        model: "kind" and the model's facts.
        findings: Of the audit.
        lights: `drift.Light`s.
        print: The fingerprint.
        pixels: Figures against masks, or empty.
        pictures: Item number -> name -> uint8 `(h, w, c)`, of the oddest items.
        reasons: Item number -> `Reason`s, of the oddest rows of a table.
        stream: Of a stream, the value of the martingale after each item, else empty.
        share: Of a shard `(i, n, code of the whole collection)`, see `share_of`; else empty.
        inputs: `Inputs`, or None where the model knows none or every item is labelled anomalous.
    """

    title: str
    found: str
    items: list[Subject]
    scored: Scored
    judge: Judge
    rows: tuple[str, ...]
    model: dict
    findings: tuple[Finding, ...] = ()
    lights: tuple[Light, ...] = ()
    print: dict = field(default_factory=dict)
    pixels: dict = field(default_factory=dict)
    pictures: dict[int, dict[str, np.ndarray]] = field(default_factory=dict)
    reasons: dict[int, list[Reason]] = field(default_factory=dict)
    stream: list[float] = field(default_factory=list)
    share: tuple = ()
    inputs: Inputs | None = None

    def group_rules(self, fpr: float, confidence: float | None) -> dict[str, Rule]:
        """Return the rule of each group: where halves judge each other, that of its own judge."""
        if not self.scored.groups:
            return {}
        judges, side = self.scored.halves or ((self.judge,), np.zeros(len(self.items), int))
        sizes = [len(judge.groups.calibration.scores) for judge in judges]
        rules = [Rule.of(n, fpr, confidence) for n in sizes]
        judged = {item.group: rules[s] for item, s in zip(self.items, side, strict=True)}
        return {name: judged[name] for name in self.scored.groups}

    def save(self, folder):
        """Write `outcome.json` and `outcome.npz` into a folder."""
        folder, scored = Path(folder), self.scored
        arrays = {f"part/{name}": values for name, values in scored.parts.items()}
        arrays |= {"scores": scored.scores, "p": scored.p, "stream": np.array(self.stream)}
        for number, shown in self.pictures.items():
            arrays |= {f"picture/{number}/{name}": pixels for name, pixels in shown.items()}
        inputs, more = self.inputs.stored() if self.inputs else (None, {})
        arrays |= more
        stored = {
            "schema": SCHEMA,
            **{
                name: getattr(self, name) for name in ("title", "found", "model", "print", "pixels")
            },
            "rows": list(self.rows),
            "share": list(self.share),
            "items": [asdict(item) for item in self.items],
            "hashes": scored.hashes,
            "errors": scored.errors,
            "groups": scored.groups,
            "judge": self.judge.to_dict(),
            "findings": [finding.to_dict() for finding in self.findings],
            "lights": [asdict(light) for light in self.lights],
            "inputs": inputs,
            "reasons": {n: [asdict(r) for r in found] for n, found in self.reasons.items()},
        }
        with atomic(folder / f"{NAME}.npz") as part, part.open("wb") as file:
            np.savez_compressed(file, **arrays)
        with atomic(folder / f"{NAME}.json") as part:
            part.write_text(json.dumps(stored), encoding="utf-8")

    @staticmethod
    def forget(folder):
        """Remove what `save` wrote into a folder for an earlier job."""
        for suffix in ("json", "npz"):
            (Path(folder) / f"{NAME}.{suffix}").unlink(missing_ok=True)

    @classmethod
    def load(cls, folder) -> "Outcome":
        """Return the outcome in a folder.

        Raises:
            UserError: there is none, or one of another version.
        """
        folder = Path(folder)
        try:
            stored = json.loads((folder / f"{NAME}.json").read_text(encoding="utf-8"))
            with np.load(folder / f"{NAME}.npz", allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
        except (OSError, ValueError) as error:
            raise UserError(
                f"{folder} holds no outcome of `gantools anomaly score --shard` ({error})."
            ) from error
        if stored.get("schema") != SCHEMA:
            raise UserError(f"{folder} is of another version. Score it again.")
        return _restored(cls, stored, arrays)


def share_of(items, part) -> tuple:
    """Return `(i, n, code)` of a share: by the code, shards know that they are of one collection.

    Args:
        items: All items of the collection, of every share.
        part: `(i, n)`. Where there are fewer groups than n, that many shares are not empty, the
            first ones: their number is returned.
    """
    number, count = part
    rows = json.dumps([count, *((item.name, item.group) for item in items)])
    filled = min(count, len({item.group or item.name for item in items}))
    return number, filled, blake2b(rows.encode(), digest_size=8).hexdigest()


def join(outcomes) -> Outcome:
    """Return one outcome of the shards of one collection.

    Raises:
        UserError: they are of different models or collections, or not each shard is there once.
    """
    _check_whole([one.share for one in outcomes])
    first = outcomes[0]
    calibration = first.judge.to_dict()
    if any(one.judge.to_dict() != calibration for one in outcomes[1:]):
        raise UserError("The shards were scored by different models: their p cannot be compared.")
    items = [item for one in outcomes for item in one.items]
    parts = [one.scored for one in outcomes]
    scored = Scored(
        [item.name for item in items],
        [text for one in parts for text in one.hashes],
        _joined_parts(parts),
        np.concatenate([one.scores for one in parts]),
        np.concatenate([one.p for one in parts]),
        {name: text for one in parts for name, text in one.errors.items()},
        {name: group for one in parts for name, group in one.groups.items()},
    )
    pictures, reasons = _shifted(outcomes, "pictures"), _shifted(outcomes, "reasons")
    findings = {f.sentence: f for one in outcomes for f in one.findings}
    return Outcome(
        first.title, f"{len(items)} items of {len(outcomes)} shards.", items, scored, first.judge,
        first.rows, first.model, tuple(findings.values()), (), first.print, {}, pictures, reasons,
        inputs=Inputs.joined([one.inputs for one in outcomes]),
    )  # fmt: skip


def _check_whole(shares):
    """Refuse shards that are not all those of one collection, each once."""
    if len({share[1:] for share in shares}) > 1:
        raise UserError(
            "The shards are not of one collection. Expected the same --data, --groups and N of "
            "--shard I/N for all of them."
        )
    count, given = shares[0][1], [number for number, *_ in shares]
    wrong = [str(number) for number in range(1, count + 1) if given.count(number) != 1]
    if wrong:
        raise UserError(
            f"Expected each of {count} shards once. Missing or given twice: {', '.join(wrong)}."
        )


def _joined_parts(scored):
    """Return the parts of all shards; where every item is broken, a shard knows no names of theirs.

    Args:
        scored: One `Scored` a shard.
    """
    names = max((one.parts for one in scored), key=len)
    gone = [np.full(len(one.scores), np.nan) for one in scored]
    return {
        name: np.concatenate([s.parts.get(name, n) for s, n in zip(scored, gone, strict=True)])
        for name in names
    }


def _shifted(outcomes, name):
    """Return a dict by item number of all shards, numbered through."""
    found, start = {}, 0
    for one in outcomes:
        found |= {start + i: value for i, value in getattr(one, name).items()}
        start += len(one.items)
    return found


def _restored(cls, stored, arrays):
    items = [Subject(**item) for item in stored["items"]]
    pictures = {}
    for name, pixels in arrays.items():
        if name.startswith("picture/"):
            _, number, kind = name.split("/")
            pictures.setdefault(int(number), {})[kind] = pixels
    scored = Scored(
        [item.name for item in items],
        stored["hashes"],
        {n[len("part/") :]: a for n, a in arrays.items() if n.startswith("part/")},
        arrays["scores"],
        arrays["p"],
        stored["errors"],
        {name: tuple(group) for name, group in stored["groups"].items()},
    )
    findings = [Finding(**f | {"items": tuple(f["items"])}) for f in stored["findings"]]
    return cls(
        stored["title"], stored["found"], items, scored, Judge.from_dict(stored["judge"]),
        tuple(stored["rows"]), stored["model"], tuple(findings),
        tuple(Light(**light) for light in stored["lights"]), stored["print"], stored["pixels"],
        pictures, {int(n): [Reason(**r) for r in rs] for n, rs in stored["reasons"].items()},
        arrays["stream"].tolist(), tuple(stored["share"]),
        stored["inputs"] and Inputs.restored(stored["inputs"], arrays),
    )  # fmt: skip
