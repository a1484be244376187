"""One column of a table: what kind it is, by rule, and how it becomes numbers near [-3, 3].

Everything is decided on the normals for fitting. What they never showed (an unseen category, a
missing cell where none was missing, a text where numbers were) is kept as a number of its own,
because it is often the anomaly.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zlib import crc32

import numpy as np

from gantools.data.tables import number

PARSE = 0.95  # share of cells that have to parse
DISTINCT = 0.95  # share of distinct cells above which a column names the row
LEVELS = 20  # distinct texts that are always categories
ONE_HOT = 32  # categories that get a number each; above, their frequency
CLIP = 10.0
KNOTS = 512
SURPRISE = 3.0  # what was never seen among normals, in standard deviations
GRAMS = 64
FEW = 20  # rows below which a column of distinct cells need not be an identifier
# Words of headings, see `names_persons`.
WHO = {"patient", "person", "customer", "client", "employee", "member", "user", "contact", "doctor",
       "physician", "nurse", "guest", "owner", "holder"}  # fmt: skip
WHOSE = WHO | {"first", "last", "full", "given", "family", "middle", "maiden", "nick", "birth"}
MACHINES = {"ip", "ipv4", "ipv6", "mac", "memory", "src", "dst", "source", "destination", "dest",
            "remote", "local", "bus", "base", "start", "end"}  # fmt: skip
NUMBERED = {"id", "ids", "no", "nr", "num", "number", "code", "key", "uid"}
PAPERS = {"ssn", "mrn", "passport", "iban"}
NAMING = {
    "surname", "forename", "firstname", "lastname", "fullname", "givenname", "familyname",
    "nickname", "username", "patientname", "vorname", "nachname", "socialsecurity", "email",
    "emails", "mail", "adresse", "phone", "phones", "telephone", "telefon", "mobile", "cellphone",
    "fax", "dob", "birthdate", "birthday", "dateofbirth",
}  # fmt: skip
TRUE, FALSE = {"true", "yes", "t", "y", "on"}, {"false", "no", "f", "n", "off"}
WORDED = ("category", "frequency", "text", "date")  # kinds whose cells are texts, whatever they say
WIDTHS = {"boolean": 2, "constant": 1, "frequency": 2, "text": 5 + GRAMS}


@dataclass(frozen=True)
class Column:
    """How one column is read.

    Attributes:
        name: Its heading.
        kind: "number", "boolean", "category", "frequency", "date", "text", "constant", "dropped".
        facts: JSON values that the kind needs.
        note: Why it was dropped or read in an unexpected way, in words; "" otherwise.
    """

    name: str
    kind: str
    facts: dict = field(default_factory=dict)
    note: str = ""

    @property
    def width(self) -> int:
        """How many numbers it becomes."""
        if self.kind == "category":
            return len(self.facts["levels"]) + 1
        if self.kind == "number":
            return _views(self.facts) + 1
        if self.kind == "date":
            return 5 + (_views(self.facts["age"]) if self.facts["age"] else 0)
        return WIDTHS.get(self.kind, 0)

    @property
    def worded(self) -> bool:
        """Whether its cells have to be the texts of the file, even where all are numbers."""
        return self.kind in WORDED

    def encode(self, values):
        """Return `(n, width)` float32, every number in [-10, 10], finite.

        Args:
            values: `(n,)` float64 or object column, as `gantools.data.tables` keeps it; texts where
                it is `worded`.
        """
        values = np.asarray(values)
        encoded = ENCODERS[self.kind](values, self.facts)
        return np.clip(encoded, -CLIP, CLIP).astype(np.float32).reshape(len(values), self.width)


def plan(name, values, time=False):
    """Return how to read a column.

    Args:
        name: Its heading.
        values: `(n,)` of the normals for fitting.
        time: Whether rows are ordered by it: then its age says nothing, every new row is older.
    """
    values = np.asarray(values)
    present = ~absent(values)
    known = values[present]
    if not time and names_persons(name) and not _answers(known):
        return Column(name, "dropped", note=f"Column '{name}' says who somebody is: left out.")
    if not len(known):
        return Column(name, "dropped", note=f"Column '{name}' is empty: left out.")
    missing = bool((~present).any())
    numbers = as_numbers(known)
    if np.mean(~np.isnan(numbers)) >= PARSE:
        return _plan_numbers(name, numbers[~np.isnan(numbers)], missing, len(values), time)
    if len(set(known)) == 1:
        return _constant(name, str(known[0]), missing)
    texts = {text.lower() for text in known}
    if texts <= TRUE | FALSE:
        return Column(name, "boolean", {"share": _share(known), "missing": missing})
    seconds = as_seconds(known)
    if np.mean(~np.isnan(seconds)) >= PARSE:
        last = float(np.nanmax(seconds))
        ages = None if time else _fit_number((last - seconds[~np.isnan(seconds)]) / 86400)
        return Column(name, "date", {"last": last, "age": ages, "missing": missing})
    if time:  # nanoseconds, say, of more digits than a number keeps
        return _orders(name)
    return _plan_texts(name, known, missing)


def names_persons(heading):
    """Return whether a heading says that its cells tell persons apart: by name, number or address.

    "patient_name", "PatientID" and "Phone No. 2" do, "process name" and "patient age" do not.
    """
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", heading)
    words = [word for word in re.split(r"[\W\d_]+", spaced.lower()) if word]
    plain = list(words)
    while len(plain) > 1 and plain[-1] in NUMBERED:
        plain.pop()
    if not plain:
        return False
    *before, last = plain
    before = before[-1] if before else ""
    if last in ("name", "names"):
        return not before or before in WHOSE
    if last in ("address", "addresses"):
        return before not in MACHINES
    if last in WHO and plain != words:
        return True
    return (
        bool(PAPERS & set(words)) or bool({last, "".join(plain)} & NAMING) or plain == ["patient"]
    )


def absent(values):
    """Return `(n,)` bool: the missing cells."""
    values = np.asarray(values)
    return np.isnan(values) if values.dtype.kind == "f" else values == ""


def as_numbers(values):
    """Return `(n,)` float64 of a column; a text that is no number becomes NaN."""
    if values.dtype.kind == "f":
        return values
    parsed = {text: number(text) for text in set(values)}
    return np.array([np.nan if (v := parsed[t]) is None else v for t in values], np.float64)


def as_seconds(values):
    """Return `(n,)` float64 seconds since 1970 of ISO dates; NaN where a cell is none."""
    if values.dtype.kind == "f":
        return np.full(len(values), np.nan)
    parsed = {text: _second(text) for text in set(values)}
    return np.array([parsed[text] for text in values], np.float64)


def texts_of(values):
    """Return a column as texts, whole numbers without a point, "" where a cell is missing.

    Every digit is kept: two long numbers of patients must not become one text.
    """
    if values.dtype.kind != "f":
        return [str(v) for v in values]
    numbers = values.tolist()
    return ["" if v != v else str(int(v)) if v.is_integer() else repr(v) for v in numbers]


def _plan_numbers(name, numbers, missing, rows, time):
    finite = numbers[np.isfinite(numbers)]
    distinct = np.unique(finite)
    if not len(distinct):
        return Column(name, "dropped", note=f"Column '{name}' is infinite: left out.")
    if len(distinct) == 1:
        return _constant(name, float(distinct[0]), missing)
    whole = (distinct == np.round(distinct)).all() and distinct[-1] - distinct[0] <= 2 * rows
    if time:
        return _orders(name)
    if whole and rows >= FEW and len(distinct) > DISTINCT * len(numbers):
        return Column(name, "dropped", note=f"Column '{name}' numbers the rows: left out.")
    if distinct.tolist() == [0, 1]:
        return Column(name, "boolean", {"share": float(finite.mean()), "missing": missing})
    return Column(name, "number", {**_fit_number(finite), "missing": missing})


def _plan_texts(name, known, missing):
    levels, counts = np.unique(known, return_counts=True)
    if len(levels) > DISTINCT * len(known):  # names have two words and more
        return Column(name, "dropped", note=f"Column '{name}' names the rows: left out.")
    if len(levels) <= max(LEVELS, 0.05 * len(known)):
        shares = (counts / len(known)).tolist()
        facts = {"levels": levels.tolist(), "shares": shares, "missing": missing}
        return Column(name, "category" if len(levels) <= ONE_HOT else "frequency", facts)
    stats = _text_numbers(known)
    facts = {"mean": stats.mean(axis=0).tolist(), "sd": (stats.std(axis=0) + 1e-6).tolist()}
    return Column(name, "text", {**facts, "missing": missing})


def _orders(name):
    return Column(name, "dropped", note=f"Column '{name}' orders the rows: left out.")


def _constant(name, value, missing):
    note = f"Column '{name}' has one value among the normals: only a change of it counts."
    return Column(name, "constant", {"value": value, "missing": missing}, note)


def _fit_number(x):
    """Return the facts of a number: mean and sd, and with heavy tails knots of a map by rank.

    Heavy tails are a skewness above 2, or a value 20 interquartile ranges from the median.
    """
    x = np.asarray(x, np.float64)
    low, middle, high = np.quantile(x, [0.25, 0.5, 0.75])
    sd = max(float(x.std()), 1e-12 * max(1.0, float(np.abs(x).max())))
    facts = {"mean": float(x.mean()), "sd": sd}
    skew = np.mean(((x - x.mean()) / sd) ** 3)
    far = max(x.max() - middle, middle - x.min())
    if abs(skew) <= 2 and far <= 20 * (high - low):
        return facts
    from scipy.special import ndtri

    levels, counts = np.unique(x, return_counts=True)
    upto = np.cumsum(counts)
    ranks = ndtri((upto - counts / 2) / len(x))  # the middle of equal values
    chosen = np.unique(np.linspace(0, len(levels) - 1, min(KNOTS, len(levels))).astype(int))
    scale = max(float(high - low), float(levels[-1] - levels[0]) / 100)
    return {**facts, "x": levels[chosen].tolist(), "z": ranks[chosen].tolist(), "scale": scale}


def _views(facts):
    """Return how many numbers `_standard` gives."""
    return 2 if "x" in facts else 1


def _standard(x, facts):
    """Return `(n, 1 or 2)`: numbers on the scale of the normals; NaN becomes 0.

    A heavy tail gets two views of half the weight each: by rank, which tells small values apart
    and goes on by the logarithm beyond the largest, and standardised, which tells far ones apart.
    Measured with 5-NN, AUROC by rank, standardised, both: annthyroid .858 .938 .914, NSL-KDD
    .965 .948 .967, mean of ten sets .938 .942 .941; with PCA .840 .887 .919.
    """
    z = np.clip((x - facts["mean"]) / facts["sd"], -CLIP, CLIP)
    if "x" in facts:
        knots = np.array(facts["x"])
        rank = np.interp(x, knots, facts["z"])
        beyond = np.maximum(x - knots[-1], 0) - np.maximum(knots[0] - x, 0)
        rank = rank + np.sign(beyond) * np.log1p(np.abs(beyond) / facts["scale"])
        z = np.stack([rank, z]) / np.sqrt(2)
    return np.where(np.isnan(x), 0, z).reshape(-1, len(x)).T


def _lack(gone, facts):
    """Return the number of a missing cell: 1 where normals lack it too, else a surprise."""
    return np.where(gone, 1.0 if facts["missing"] else SURPRISE, 0)


def _encode_number(values, facts):
    x = as_numbers(values)
    strange = np.isnan(x) & ~absent(values)
    odd = np.where(strange, SURPRISE, _lack(np.isnan(x), facts))
    return np.column_stack([_standard(x, facts), odd])


def _encode_boolean(values, facts):
    x = _booleans(values)
    gone = absent(values)
    spread = max(np.sqrt(facts["share"] * (1 - facts["share"])), 0.1)
    z = np.where(np.isnan(x), 0, (x - facts["share"]) / spread)
    strange = ~gone & ~np.isin(x, (0, 1))
    return np.stack([z, np.where(strange, SURPRISE, _lack(gone, facts))], 1)


def _encode_constant(values, facts):
    expected = facts["value"]
    same = as_numbers(values) == expected if isinstance(expected, float) else values == expected
    return np.where(absent(values), _lack(True, facts), np.where(same, 0, SURPRISE))


def _encode_category(values, facts):
    place = {level: i for i, level in enumerate(facts["levels"])}
    codes = np.array([place.get(text, -1) for text in texts_of(values)], int)
    out = np.zeros((len(values), len(place) + 1))
    out[np.arange(len(values)), codes] = 1  # -1 is the last: unseen
    gone = absent(values)
    out[:, -1] = np.where(gone, _lack(gone, facts), np.where(codes < 0, SURPRISE, 0))
    return out


def _encode_frequency(values, facts):
    share = dict(zip(facts["levels"], facts["shares"], strict=True))
    log = np.log(list(share.values()))
    mean = np.average(log, weights=facts["shares"])
    sd = np.sqrt(np.average((log - mean) ** 2, weights=facts["shares"])) + 0.1
    gone, shares = absent(values), np.array([share.get(text, 0.0) for text in texts_of(values)])
    known = shares > 0
    z = np.where(known, (mean - np.log(np.where(known, shares, 1))) / sd, 0)
    return np.stack([z, np.where(known, 0, np.where(gone, _lack(gone, facts), SURPRISE))], 1)


def _encode_date(values, facts):
    seconds = as_seconds(values)
    wrong = np.isnan(seconds)
    day = np.where(wrong, 0, seconds) / 86400
    hour, week = 2 * np.pi * (day % 1), 2 * np.pi * ((np.floor(day) + 3) % 7) / 7  # 1970: Thursday
    parts = [np.sin(hour), np.cos(hour), np.sin(week), np.cos(week)]
    parts = [np.where(wrong, 0, part) for part in parts]
    if facts["age"] is not None:
        parts.append(_standard((facts["last"] - seconds) / 86400, facts["age"]))
    gone = absent(values)
    return np.column_stack([*parts, np.where(wrong & ~gone, SURPRISE, _lack(gone, facts))])


def _encode_text(values, facts):
    texts = texts_of(values)
    z = (_text_numbers(texts) - facts["mean"]) / facts["sd"]
    grams = np.zeros((len(texts), GRAMS))
    for row, text in zip(grams, texts, strict=True):
        padded = f" {text.lower()} "
        for i in range(len(padded) - 2):
            row[crc32(padded[i : i + 3].encode()) % GRAMS] += 1
    grams = np.log1p(grams)
    grams /= np.maximum(np.linalg.norm(grams, axis=1, keepdims=True), 1)
    gone = absent(values)
    z[gone] = 0
    return np.concatenate([z, grams, _lack(gone, facts)[:, None]], 1)


def _text_numbers(texts):
    """Return `(n, 4)`: log of characters and of words, shares of digits and of capitals."""
    rows = [
        (
            np.log1p(len(t)),
            np.log1p(len(t.split())),
            sum(c.isdigit() for c in t) / max(1, len(t)),
            sum(c.isupper() for c in t) / max(1, len(t)),
        )
        for t in texts
    ]
    return np.array(rows, np.float64).reshape(-1, 4)


def _answers(known):
    """Return whether cells only say yes or no, as where "phone" asks whether there is one."""
    return bool(np.isin(_booleans(known), (0, 1)).all())


def _booleans(values):
    """Return `(n,)` float64: 0, 1, another number, or NaN."""
    if values.dtype.kind == "f":
        return values
    words = {**dict.fromkeys(TRUE, 1.0), **dict.fromkeys(FALSE, 0.0)}
    return np.array([words.get(text.lower(), number(text)) for text in values], np.float64)


def _share(known):
    return float(np.mean(_booleans(known)))


def _second(text):
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return float("nan")
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


ENCODERS = {
    "number": _encode_number,
    "boolean": _encode_boolean,
    "constant": _encode_constant,
    "category": _encode_category,
    "frequency": _encode_frequency,
    "date": _encode_date,
    "text": _encode_text,
    "dropped": lambda values, facts: np.zeros((len(values), 0)),
}
