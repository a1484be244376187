"""The audit: what is wrong with the data before anything is fitted on them."""

from dataclasses import dataclass

from gantools.errors import ALL_FAILED, UserError

from ..items import Collection
from ..loading import Reader
from ..scans.medical import is_dicom, is_nifti
from . import contents
from .duplicates import ALIKE_THROUGHOUT, duplicate_findings
from .findings import Finding, ordered
from .measure import Sheet, measure
from .shortcuts import shortcut_findings


@dataclass(frozen=True)
class Audit:
    """What an audit leaves behind.

    Attributes:
        findings: Errors first.
        sheet: What was measured, for the fingerprint and for later rules.
    """

    findings: tuple[Finding, ...]
    sheet: Sheet

    def worst(self) -> str | None:
        """Return "error", "warning", "note" or None when nothing was found."""
        return self.findings[0].severity if self.findings else None

    def to_dict(self) -> dict:
        """Return the findings as JSON knows them."""
        return {"schema": 1, "findings": [finding.to_dict() for finding in self.findings]}


def audit(collection: Collection, reader: Reader | None = None, *, to_score=False) -> Audit:
    """Look at every picture once and hold it against all rules.

    Args:
        collection: What `layouts.find` returned.
        reader: Opens the items; None makes one.
        to_score: Whether they are only to be scored by a kept model: then any number will do.

    Raises:
        UserError: there is only one picture to learn from, there is none to learn from that can be
            read, or a mask does not belong to its picture.
    """
    items = collection.items
    if collection.table is not None:
        raise UserError(f"'{collection.table}' is a table. Expected pictures.")
    if len(items) < 2 and not to_score:
        raise UserError(
            f"'{collection.root}' holds {len(items)} picture. Expected at least "
            f"{contents.REFUSE} normals for training; one picture has nothing to be compared "
            "with.",
            ALL_FAILED,
        )
    reader = reader or Reader(items)
    sheet = measure(items, reader.pixels)
    if not len(sheet) and not to_score:
        reason = sheet.unreadable[0][1]
        raise UserError(
            f"None of {len(items)} pictures can be read. The first: {reason}", ALL_FAILED
        )
    found = audit_sheet(sheet) if len(sheet) else contents.unreadable(sheet)
    if to_score:
        found = [one for one in found if one.rule not in (contents.TOO_FEW, ALIKE_THROUGHOUT)]
    found += contents.readings(reader.notes)
    found += contents.empty_masks(items)
    found += contents.mixed_modalities(_modalities(items))
    found += contents.left_out(collection.skipped)
    return Audit(tuple(ordered(found)), sheet)


def audit_sheet(sheet: Sheet) -> list[Finding]:
    """Return what all rules find in what was measured, errors first."""
    found = contents.content_findings(sheet)
    if not any(finding.rule == "all-identical" for finding in found):
        found += duplicate_findings(sheet) + shortcut_findings(sheet)
    return ordered(found)


def _modalities(items):
    """Return the modality of each DICOM item; one file a series is opened."""
    scans = [item for item in items if item.series and not item.trouble]
    first = {item.series: item for item in scans if not is_nifti(item.path)}
    if not first:
        return []
    from ..scans.dicom import modality_of

    known = {code: modality_of(i.path) for code, i in first.items() if is_dicom(i.path)}
    return [known[item.series] for item in scans if item.series in known]
