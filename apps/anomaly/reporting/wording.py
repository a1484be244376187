"""What a job says in words: the verdict, and how it was come to."""

import numpy as np

from ..calibration import drift
from ..calibration.calibrate import adjusted, discoveries_sentence

FALSE_SHARE = 0.1  # of what is picked by adjusted p-values
KINDS = {
    "encoder": "Distances to the normals in the features of EfficientNet-Lite0 rank the items.",
    "restorer": "A restoration GAN learnt to undo damage on normals; what it changes, and what its "
    "discriminator finds odd, ranks the items.",
    "restorer of scans": "The patterns at each place, held against those of the most similar "
    "normals there, rank the items.",
    "references": "Simple distances to the normals rank the items; no network is used.",
    "table": "Simple distances to the normal rows rank the rows.",
}
DRAWN = "What the cards show as if normal was drawn by a restoration GAN, which ranks nothing."


def sentences(outcome, rule, found) -> tuple[str, ...]:
    """Return the verdict, the most important sentence first.

    Args:
        outcome: `outcome.Outcome`.
        rule: `calibrate.Rule` that flags.
        found: `evaluate.Evaluation`, or None without labels.
    """
    scored = outcome.scored
    count, flagged = int(np.isfinite(scored.p).sum()), int(rule.flags(scored.p).sum())
    if not count:
        return (f"None of {len(scored.p)} items has a p-value: the list says why.",)
    sure = int(np.sum(adjusted(scored.p) <= FALSE_SHARE))
    about = "about" if rule.unit == "normals" else "at most about"  # of groups a bound is known
    first = (
        f"{flagged} of {count} items look unlike the normals; expect {about} "
        f"{rule.level * count:.0f} flags among as many normals."
    )
    if not rule.rank:
        first = f"{count} items are ranked; with {rule.held} nothing can be flagged."
    strict = (
        f"{sure} items stand out even when at most {FALSE_SHARE:.0%} of what is picked may be "
        "false (adjusted p)."
        if sure
        else discoveries_sentence(rule.n, count, FALSE_SHARE, max(1, flagged), rule.unit)
    )
    groups = _group_sentence(scored.groups, outcome.group_rules(rule.fpr, rule.confidence))
    seen = _seen_sentence(outcome)
    failed = f"{len(scored.errors)} items have no p-value, see the list." if scored.errors else ""
    moved = _moved(outcome.lights)
    told = [found.sentence] if found else []
    # If the detector loses to a simple row, that is the first thing to know.
    behind = found is not None and not found.few and found.difference[1] <= 0
    opening = [*told, first] if behind else [first, *told]
    lines = (*opening, groups, seen, failed, *moved, strict, outcome.judge.sentence(rule))
    return tuple(line for line in lines if line)


def _moved(lights):
    """Return a sentence for each light that rings; all that ring for single numbers in one."""
    ringing = [light for light in lights if light.state == drift.DIFFERS]
    whole = [light.sentence for light in ringing if light.name in ("batch", "stream")]
    numbers = [
        light.sentence.rstrip(".") for light in ringing if light.name not in ("batch", "stream")
    ]
    if numbers:
        more = f" and {len(numbers) - 2} more" if len(numbers) > 2 else ""
        whole.append(
            "The items differ from the fitted normals in their own numbers: "
            f"{'; '.join(numbers[:2])}{more}. Was something changed at the source?"
        )
    return whole


def _group_sentence(groups, rules):
    judged = {name: p for name, (_, _, p) in groups.items() if np.isfinite(p)}
    if not judged:
        return ""
    flagged = sum(bool(rules[name].flags(p)) for name, p in judged.items())
    held = " or ".join(map(str, sorted({rule.n for rule in rules.values()})))
    return (
        f"{flagged} of {len(judged)} groups look unlike the {held} held-out groups of normals as a "
        "whole (one p for a group, fair to its size)."
    )


def _seen_sentence(outcome):
    """Return a warning of new items of groups that the model knows, "" where there are none."""
    judges, side = outcome.scored.halves or ((outcome.judge,), np.zeros(len(outcome.items), int))
    groups = [item.group for item in outcome.items]
    seen = np.array([judge.seen_groups(groups) for judge in judges])[side, np.arange(len(groups))]
    new = seen & np.isfinite(outcome.scored.p)
    names = sorted({groups[i] for i in np.flatnonzero(seen)})
    if not names:
        return ""
    what = "This group was" if len(names) == 1 else f"These {len(names)} groups were"
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return (
        f"warning: {what} fitted on or calibrated with, and cannot get a p as a whole: "
        f"{', '.join(names[:3])}{more}. Nor is the p of their {int(new.sum())} new items one of "
        "new normals, for the model knows the like of them."
    )


def method(outcome) -> tuple[str, ...]:
    """Return how the scores were made, in a few sentences."""
    fit, (first, second) = outcome.model["fit"], outcome.model["calibration"]
    settings = outcome.model["settings"]
    published = ", as published," if settings.get("faithful") else ""
    grouped = f" of {outcome.judge.calibration.size} groups" if outcome.judge.is_grouped else ""
    split = (
        f"Fitted on {fit} normals; {first} others scale the parts and {second} more{grouped} give "
        f"the p-values. No {'group' if grouped else 'item'} is in two of these."
        if not outcome.judge.is_crossed
        else f"{fit} normals{grouped} in {len(outcome.judge.scales)} folds: each fold is held "
        "against a detector that did not see it."
    )
    kind = outcome.model["kind"]
    if kind == "restorer" and "near_top" in outcome.judge.ranking:
        kind = "restorer of scans"
    told = [
        KINDS.get(kind, f"The detector {kind} of the literature{published} ranks the items."),
        f"{split} Seed {settings['seed']}.",
        f"Parts that rank, with equal weight: {', '.join(outcome.judge.ranking)}.",
        outcome.model.get("lost", ""),
    ]
    if kind == "restorer of scans" or (settings.get("restoration") and kind == "encoder"):
        told.append(DRAWN)
    return tuple(line for line in told if line)
