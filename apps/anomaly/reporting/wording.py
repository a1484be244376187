"""What a job says in words: the verdict, and how it was come to."""

import numpy as np

from ..calibration import drift
from ..calibration.calibrate import adjusted, discoveries_sentence

FALSE_SHARE = 0.1  # of what is picked by adjusted p-values
KINDS = {
    "encoder": "Distances to the normals in the features of EfficientNet-Lite0 rank the items.",
    "restorer": "A restoration GAN learnt to undo damage on normals; what it changes, and what its "
    "discriminator finds odd, ranks the items.",
    "references": "Simple distances to the normals rank the items; no network is used.",
    "table": "Simple distances to the normal rows rank the rows.",
}


def sentences(outcome, rule, found) -> tuple[str, ...]:
    """Return the verdict, the most important sentence first.

    Args:
        outcome: `outcome.Outcome`.
        rule: `calibrate.Rule` that flags.
        found: `evaluate.Evaluation`, or None without labels.
    """
    scored = outcome.scored
    count, flagged = int(np.isfinite(scored.p).sum()), int(rule.flags(scored.p).sum())
    sure = int(np.sum(adjusted(scored.p) <= FALSE_SHARE))
    first = (
        f"{flagged} of {count} items look unlike the normals; expect about "
        f"{rule.level * count:.0f} flags among as many normals."
    )
    if not rule.rank:
        first = f"{count} items are ranked; with {rule.n} held-out normals nothing can be flagged."
    strict = (
        f"{sure} items stand out even when at most {FALSE_SHARE:.0%} of what is picked may be "
        "false (adjusted p)."
        if sure
        else discoveries_sentence(rule.n, count, FALSE_SHARE, max(1, flagged))
    )
    groups = _group_sentence(scored.groups, outcome.group_rules(rule.fpr, rule.confidence))
    failed = f"{len(scored.errors)} items have no p-value, see the list." if scored.errors else ""
    moved = _moved(outcome.lights)
    told = [found.sentence] if found else []
    # If the detector loses to a simple row, that is the first thing to know.
    behind = found is not None and found.difference[1] <= 0
    opening = [*told, first] if behind else [first, *told]
    lines = (*opening, groups, failed, *moved, strict, outcome.judge.sentence(rule))
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
    if not groups:
        return ""
    flagged = sum(bool(rules[name].flags(p)) for name, (_, _, p) in groups.items())
    held = " or ".join(map(str, sorted({rule.n for rule in rules.values()})))
    return (
        f"{flagged} of {len(groups)} groups look unlike the {held} held-out groups of normals as a "
        "whole (one p for a group, fair to its size)."
    )


def method(outcome) -> tuple[str, ...]:
    """Return how the scores were made, in three sentences."""
    fit, (first, second) = outcome.model["fit"], outcome.model["calibration"]
    split = (
        f"Fitted on {fit} normals; {first} others scale the parts and {second} more give the "
        "p-values. No item is in two of these."
        if not outcome.judge.is_crossed
        else f"{fit} normals in {len(outcome.judge.scales)} folds: each fold is held against a "
        "detector that did not see it."
    )
    return (
        KINDS.get(
            outcome.model["kind"],
            f"The detector {outcome.model['kind']} of the literature ranks the items.",
        ),
        f"{split} Seed {outcome.model['settings']['seed']}.",
        f"Parts that rank, with equal weight: {', '.join(outcome.judge.ranking)}.",
    )
