"""What an audit says: one rule, how bad it is, one sentence, the items, one number."""

from dataclasses import asdict, dataclass

SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True)
class Finding:
    """One thing that the audit found.

    Attributes:
        rule: Short name of the rule, the same in every version: "duplicates-across-parts".
        severity: "error": figures measured on these data mislead. "warning": look before you
            trust. "note": good to know.
        sentence: For people: what, how much, what to do.
        items: Names of up to 100 items concerned, the worst first.
        number: The figure that decided, or None.
    """

    rule: str
    severity: str
    sentence: str
    items: tuple[str, ...] = ()
    number: float | None = None

    def __post_init__(self):
        if self.severity not in SEVERITIES:
            raise ValueError(f"severity: expected one of {SEVERITIES}. Received: {self.severity}.")

    def to_dict(self) -> dict:
        """Return it as JSON knows it."""
        return asdict(self) | {"items": list(self.items)}


def ordered(findings) -> list[Finding]:
    """Return findings with errors first and notes last, otherwise in the order given."""
    return sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))


def some(names, count=3) -> str:
    """Return the first names in words: "a, b, c and 7 more"."""
    names = [str(name) for name in names]
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def first(names, count=100) -> tuple[str, ...]:
    """Return at most `count` names, as a finding keeps them."""
    return tuple(str(name) for name in list(names)[:count])
