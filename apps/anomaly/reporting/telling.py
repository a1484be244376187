"""What a job tells when it is done: the files, the sentences, the report."""

import numpy as np

from gantools import record

from ..calibration import drift, stream, units
from ..calibration.calibrate import FLAGGED, adjusted
from ..evaluation.evaluate import HEAD, evaluate, pixel_figures, truths
from ..model_files import write_json
from ..scans.medical import title_of
from . import cards, outputs, report
from .outcome import Inputs, Outcome, Subject
from .wording import method, sentences


def pictures_outcome(looked, items, scored, model, maps, order=None) -> Outcome:
    """Gather what came out of scoring pictures.

    Args:
        looked: `job.Looked`.
        items: What was scored.
        scored: `fitted.Scored`.
        model: `fitted.Fitted`.
        maps: `outputs.Maps` that the scoring filled.
        order: Of the items as a stream, numbers; None is no stream.
    """
    shown = oddest(scored)[: report.CARDS]
    pictures = {
        int(i): cards.pictures(looked, _explains(scored, model, i), items[i], maps.get(i))
        for i in shown
        if items[i].name not in scored.errors
    }
    left = {items[i].name: cards.left_of(items[i]) for i in pictures}
    light, values = stream_of(looked, items, scored, model, order)
    inputs = inputs_of(items, model, looked)
    return Outcome(
        title_of(looked.collection), looked.collection.description,
        [Subject(i.name, i.group, i.kind, i.label, left.get(i.name, "")) for i in items], scored,
        model.judge, model.rows, _told_of(model), tuple(looked.audit.findings),
        (*lights(items, scored, model.judge, inputs), *light), looked.print,
        pixel_figures(list(truths(items, scored, maps))), pictures, {}, values, inputs=inputs,
    )  # fmt: skip


def table_outcome(looked, items, scored, model, maps, order=None) -> Outcome:
    """Gather what came out of scoring rows. Args: as for `pictures_outcome`; there are no maps."""
    shown = [i for i in oddest(scored)[: report.CARDS] if items[i].name not in scored.errors]
    light, values = stream_of(looked, items, scored, model, order)
    inputs = inputs_of(items, model, looked)
    return Outcome(
        title_of(looked.collection), looked.collection.description,
        [Subject(i.name, i.group, i.kind, i.label) for i in items], scored, model.judge, model.rows,
        _told_of(model), tuple(looked.audit.findings),
        (*lights(items, scored, model.judge, inputs), *light), looked.print, {}, {},
        _reasons(looked, items, scored, model, shown), values, inputs=inputs,
    )  # fmt: skip


def _told_of(model):
    """Return the facts of a model that may be handed on: the secret of its codes may not."""
    return {"kind": model.kind, **{k: v for k, v in model.facts.items() if k != "salt"}}


def inputs_of(items, model, looked) -> Inputs | None:
    """Return what the items' own numbers are, for `lights`.

    Where anomalies are labelled as such, they are left out: that those differ is no news.

    Args:
        items: What was scored.
        model: With `inputs`.
        looked: `job.Looked` or `tables.job.LookedTable`.
    """
    plain = [item for item in items if item.label != 1]
    return Inputs.of(model.inputs, *looked.numbers(plain)) if model.inputs and plain else None


def lights(items, scored, judge, inputs) -> tuple:
    """Return the drift lights of a batch: its p-values, then its inputs.

    Args:
        items: What was scored.
        scored: `fitted.Scored`.
        judge: The model's.
        inputs: What `inputs_of` returned.
    """
    found = ()
    if inputs is not None:
        groups = [item.group for item in items if item.label != 1]
        worth = (len(judge.known_groups), units.worth(groups)) if judge.is_grouped else None
        found = inputs.compared(worth)
    return (batch_light(items, scored, judge), *found)


def batch_light(items, scored, judge):
    """Return the drift light of a batch by the p-values of what is not labelled anomalous.

    Where items come in groups, by one p a group, of those without a labelled anomaly.
    """
    found = units.compared([item.group for item in items], scored, judge)
    if found.reason:
        return drift.Light("batch", drift.SAME, 1.0, 0.5, found.reason)
    plain = [all(items[i].label != 1 for i in members) for members in found.members]
    return drift.batch(found.p[np.array(plain, bool)], len(found.normals), found.word)


def stream_of(looked, items, scored, model, order):
    """Return `(lights, values)` of the watch on a stream, both empty where there is none.

    Args:
        looked: `job.Looked`, or `tables.job.LookedTable` with the column of times.
        items: What was scored.
        scored: `fitted.Scored`.
        model: With `judge`.
        order: What `stream.order_of` returned.
    """
    if order is None:
        return (), []
    if order == stream.TIME:
        values = looked.reader.take(items).get(looked.roles.time)
        order = stream.rows_in_time(values)
    found = units.compared([item.group for item in items], scored, model.judge)
    light, values = stream.watch_units(found, order)
    return (light,), values


def oddest(scored):
    """Return item numbers, the oddest first, those without a p-value last.

    Of equal ones by name, the shorter first: row 2 before row 10, and in shards as in the whole.
    """
    p, names = np.nan_to_num(scored.p, nan=np.inf), np.array(scored.names)
    odd = -np.nan_to_num(scored.scores, nan=-np.inf)
    return np.lexsort((names, np.char.str_len(names), odd, p))


def tell(out, outcome, settings, command, say) -> dict:
    """Write every file of a finished job and say the result.

    Args:
        out: Folder.
        outcome: `Outcome`.
        settings: `Settings`, of which `fpr`, `confidence` and `seed` are used.
        command: Text of the command line.
        say: Called with each line a person should read.

    Returns:
        The counts, as JSON values: items, flagged, unreadable, level.
    """
    scored = outcome.scored
    rule = scored.rule(outcome.judge, settings.fpr, settings.confidence)
    found = evaluate(outcome.items, [scored], [rule.levels], outcome.rows, outcome.pixels)
    cases = _cases(outcome, rule)
    write_json(out / "plan.json", {"schema": 1, "command": command, **outcome.model})
    outputs.write_scores(out / "scores.csv", [_row(case) for case in cases])
    group_rules = outcome.group_rules(settings.fpr, settings.confidence)
    outputs.write_groups(out / "groups.csv", scored.groups, group_rules)
    write_json(out / "audit.json", {
        "schema": 1, "findings": [finding.to_dict() for finding in outcome.findings],
    })  # fmt: skip
    write_json(out / "fingerprint.json", outcome.print)
    if found:
        write_json(out / "evaluation.json", found.to_dict())
    else:  # that of an earlier job says nothing of these items
        (out / "evaluation.json").unlink(missing_ok=True)
    verdict = sentences(outcome, rule, found)
    contents = report.Contents(
        title=f"Anomalies in {outcome.title}",
        verdict=verdict,
        cases=tuple(cases),
        rule=rule,
        promise=outcome.judge.sentence(rule),
        findings=outcome.findings,
        lights=outcome.lights,
        references=(HEAD, found.lines()) if found else _unlabelled(outcome, rule),
        evaluation=found,
        calibration=tuple(outcome.judge.normal_scores.tolist()),
        groups=tuple(outputs.group_rows(scored.groups, group_rules)),
        parts=_alike(outcome),
        facts={"found": outcome.found, **_flat(outcome.print)},
        method=method(outcome),
        repro={"command": command, "seed": settings.seed, **record.installed_versions()},
    )
    report.write(out / "report.html", contents)
    for sentence in verdict:
        say(sentence)
    flagged = sum(case.verdict == FLAGGED for case in cases)
    return {
        "items": len(cases), "flagged": flagged, "unreadable": len(scored.errors),
        "level": rule.level, "groups": len(scored.groups),
    }  # fmt: skip


def _cases(outcome, rule):
    scored, cases = outcome.scored, []
    verdicts, discovered = rule.verdicts(scored.p), adjusted(scored.p)
    judges, side = scored.halves or ((outcome.judge,), np.zeros(len(outcome.items), int))
    bars = [judge.bars(scored.parts) for judge in judges]
    order = oddest(scored)  # of shards, more are at hand than cards
    shown = {*order[: report.CARDS].tolist()} & {*outcome.pictures, *outcome.reasons}
    for i in order.tolist():
        item, group = outcome.items[i], scored.groups.get(outcome.items[i].group or "")
        own = {n: float(v[i]) for n, v in bars[side[i]].items()} if i in shown else {}
        case = report.Case(
            item.name, float(scored.scores[i]), float(scored.p[i]), float(discovered[i]),
            verdicts[i], item.group or "", item.kind, item.label, own,
            outcome.pictures.get(i, {}) if i in shown else {}, scored.errors.get(item.name, ""),
            group[2] if group else float("nan"),
            tuple(outcome.reasons.get(i, ()) if i in shown else ()),
            outcome.stream[i] if outcome.stream else None, item.left,
        )  # fmt: skip
        cases.append(case)
    return cases


def _row(case):
    row = {
        "path": case.name, "score": case.score, "p": case.p, "adjusted_p": case.adjusted,
        "verdict": case.verdict, "group": case.group, "group_p": case.group_p,
        "reason": case.reason or "; ".join(f"{r.column} = {r.value}" for r in case.reasons[:3]),
    }  # fmt: skip
    return row if case.stream is None else row | {"martingale": case.stream}


def _unlabelled(outcome, rule):
    """Return how the reference rows agree with the verdicts, where nothing is labelled."""
    flags = rule.flags(outcome.scored.p)
    count, rows = int(flags.sum()), []
    if not count:
        return (), ()
    for name in outcome.rows:
        values = np.nan_to_num(outcome.scored.parts[name], nan=-np.inf)
        top = np.argsort(-values, kind="stable")[:count]
        rows.append((name, f"{int(flags[top].sum())} of {count}"))
    return ("row", "of the flagged items it also puts among its oddest"), tuple(rows)


def _alike(outcome):
    """Return the rank correlations of the parts: head and rows of a table."""
    from scipy.stats import rankdata

    names = list(outcome.judge.ranking)
    good = np.isfinite(outcome.scored.p)
    if good.sum() < 3 or len(names) < 2:
        return (), ()
    ranks = np.stack([rankdata(outcome.scored.parts[name][good]) for name in names])
    ranks = ranks - ranks.mean(axis=1, keepdims=True)
    lengths = np.maximum(np.sqrt(np.sum(ranks**2, axis=1)), 1e-12)
    found = (ranks @ ranks.T) / np.outer(lengths, lengths)
    rows = [(n, *(f"{v:.2f}" for v in row)) for n, row in zip(names, found, strict=True)]
    return ("part", *names), tuple(rows)


def _explains(scored, model, number):
    """Return the model that scored an item: of halves, the other one was fitted on it."""
    return scored.models[scored.halves[1][number]] if scored.models else model


def _reasons(looked, items, scored, model, shown):
    """Return item number -> reasons, each by the model that scored the row, in the order shown."""
    found = {}
    for one in scored.models or (model,):
        own = [i for i in shown if _explains(scored, model, i) is one]
        found |= one.reasons(looked.reader, items, own)
    return {int(i): found[int(i)] for i in shown}


def _flat(data, prefix=""):
    rows = {}
    for key, value in data.items():
        if isinstance(value, dict):
            rows |= _flat(value, f"{prefix}{key} ")
        elif key != "levels":
            rows[f"{prefix}{key}"] = value
    return rows
