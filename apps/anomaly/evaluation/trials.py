"""Measuring a detector on labelled items, over several seeds."""

import sys
import time
from dataclasses import replace

import numpy as np

from gantools.errors import UserError
from gantools.metrics import detection

from ..calibration.judge import Judge, Raw
from ..reporting.outputs import Maps
from .evaluate import UNFIT, evaluate, pixel_figures, truths, unfit_sentence

LEVELS = (0.01, 0.05, 0.10)  # nominal false-positive rates that are held against the labels


def measure(job, looked, settings, seeds, *, ablate=False, say=lambda line: None, bar=None):
    """Return the figures of a detector as JSON values.

    Args:
        job: Module `job` or `tables.job`.
        looked: What its `look` returned.
        settings: `Settings`; its seed is the first.
        seeds: How many fits.
        ablate: Whether to measure without each part, too.
        say: Called with each line a person should read.
        bar: `(number of the fit) -> progress callable`, or None.

    Raises:
        UserError: there is nothing to score, or not both kinds of label.
    """
    items = list(looked.collection.of("test"))
    if len({item.label for item in items} - {None}) < 2:
        raise UserError(
            f"{looked.collection.root.name}: an evaluation needs normal and anomalous items to "
            "score, labelled by folders, a manifest or --label. See `gantools anomaly audit`."
        )
    runs, timings, lost, models, pixels = [], [], {}, [], []
    masked = any(getattr(item, "mask", None) for item in items)
    for number in range(seeds):
        one = replace(settings, seed=settings.seed + number)
        start = time.perf_counter()
        model = job.fit(looked, one, say=say, progress=bar and bar(number))
        middle = time.perf_counter()
        maps = Maps() if masked else None
        runs.append(model.score(looked.reader, items, maps=maps))
        timings.append((middle - start, (time.perf_counter() - middle) / len(items)))
        models.append(model)
        if masked:
            pixels.append(pixel_figures(list(truths(items, runs[-1], maps))))
        for part, scores in (_without_each(model, runs[-1]) if ablate else {}).items():
            lost.setdefault(part, []).append(scores)
        model.held = None
    levels = [model.judge.rule(settings.fpr, settings.confidence).level for model in models]
    unfit = pixels[0].pop(UNFIT, []) if pixels else []  # the same for every seed
    mean = {name: float(np.mean([p[name] for p in pixels])) for name in (pixels or [{}])[0]}
    if unfit:
        say(f"warning: {unfit_sentence(unfit)}")
    found = evaluate(items, runs, levels, models[0].rows, mean | {UNFIT: unfit})
    if found is None:
        raise UserError("No labelled item of both kinds could be scored.")
    return found.to_dict() | {
        "seeds": [settings.seed + n for n in range(seeds)],
        "detector": models[0].kind,
        "fit": models[0].facts["fit"],
        "calibration": models[0].facts["calibration"],
        "realised": _realised(items, runs, models),
        "fit_seconds": round(float(np.mean([t[0] for t in timings])), 2),
        "score_ms": round(1000 * float(np.mean([t[1] for t in timings])), 2),
        "peak_mb": peak_mb(),
        "without": _ablated(items, lost),
    }


def peak_mb() -> int:
    """Return the most memory that this process has held, in MB; 0 where nobody counts it."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(peak / (1024**2 if sys.platform == "darwin" else 1024))


def _realised(items, runs, models):
    """Return, a nominal rate, the share that each seed flags of the labelled normals with a p."""
    normal = np.array([item.label == 0 for item in items])
    known = [run.p[normal & np.isfinite(run.p)] for run in runs]
    found = {}
    for level in LEVELS:
        shares = [
            float(np.mean(model.judge.rule(level).flags(p)))
            for p, model in zip(known, models, strict=True)
        ]
        found[str(level)] = {"mean": float(np.mean(shares)), "seeds": shares}
    return found


def _without_each(model, scored):
    """Return part -> scores of a judge without it, on the same fit."""
    if model.held is None or len(model.judge.ranking) < 2:
        return {}
    first, second, hashes = model.held
    raw = Raw((scored.parts,), scored.hashes, [None] * len(scored.hashes))
    found = {}
    for part in model.judge.ranking:
        ranking = [name for name in model.judge.ranking if name != part]
        found[part] = Judge.fit(ranking, first, second, hashes).judged(raw)[0]
    return found


def _ablated(items, lost):
    labels = np.array([-1 if item.label is None else item.label for item in items])
    found = {}
    for part, runs in lost.items():
        areas = []
        for scores in runs:
            known = (labels >= 0) & np.isfinite(scores)
            areas.append(detection.auroc(labels[known], scores[known]))
        found[part] = float(np.mean(areas))
    return found
