"""Anomaly detection on pictures: one class of many, and real sets; beside the reference rows.

    python -m benchmarks.quality.anomaly DATA [--only magnetic_tile] [--seeds 3] \
        [--detector restorer --detector encoder] [--minutes 1]

DATA holds `gan/` (mnist, fashion: `NAME_images.npy.xz` and `NAME_labels.npz`; `cifar10_jpeg75.npz`)
and `anomaly/` (magnetic_tile, chest_xray, brain_lgg, pneumoniamnist.npz); what is absent is left
out and said. "mnist" and the like: ten one-class problems on the official division, trained on one
class, tested on the whole test set. "speed": 1000 drawn pictures of 128x128 by the command line. No
choice is made on test data; false alarms at 1, 5 and 10 % come with every row.
"""

import io
import json
import lzma
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import cv2
import numpy as np
from gantools.apps.anomaly import job, layouts
from gantools.apps.anomaly.api import Detector
from gantools.apps.anomaly.evaluation import trials
from gantools.apps.anomaly.fitted import ROWS
from gantools.apps.anomaly.settings import Settings

from benchmarks.rows import append
from gantools.errors import UserError
from gantools.metrics.detection import auroc

ONE_CLASS = ("mnist", "fashion", "cifar")
FOLDERS = ("magnetic_tile", "chest_xray", "brain_lgg", "pneumoniamnist")
SETS = (*ONE_CLASS, *FOLDERS, "speed")
NOMINAL = (0.01, 0.05, 0.10)


def load_idx(folder, name):
    """Return `((x, y), (x, y))` of train and test, uint8 `(n, 28, 28)`, classes `(n,)`."""
    with lzma.open(folder / "gan" / f"{name}_images.npy.xz") as file:
        x = np.load(io.BytesIO(file.read()))
    with np.load(folder / "gan" / f"{name}_labels.npz") as y:
        return (x[:60000], y["y_train"]), (x[60000:], y["y_test"])


def load_cifar(folder):
    """Return `((x, y), (x, y))`, uint8 `(n, 32, 32, 3)` in RGB: JPEG scans behind one header."""
    with np.load(folder / "gan" / "cifar10_jpeg75.npz") as stored:
        d = dict(stored)
    head, sets = d["header"].tobytes(), []
    for part in ("train", "test"):
        ends, scans = np.cumsum(d[f"{part}_len"].astype(int)), d[f"{part}_scan"].tobytes()
        files = (
            head + scans[e - n : e] + b"\xff\xd9"
            for e, n in zip(ends, d[f"{part}_len"], strict=True)
        )
        x = [cv2.imdecode(np.frombuffer(f, np.uint8), 1)[..., ::-1] for f in files]
        sets.append((np.stack(x), d[f"y_{part}"]))
    return sets


def one_class(name, folder, seeds, detector, minutes, classes, limit):
    """Yield a row a class: AUROC of the detector and of the reference rows, mean over seeds.

    Args:
        name: One of `ONE_CLASS`.
        folder: DATA.
        seeds: How many fits a class.
        detector, minutes: Of `Detector`.
        classes: Which classes.
        limit: Most test pictures, drawn evenly; None takes all.
    """
    (x, y), (tx, ty) = load_cifar(folder) if name == "cifar" else load_idx(folder, name)
    step = max(1, len(tx) // limit) if limit else 1
    tx, ty = tx[::step], ty[::step]
    for kind in classes:
        labels, areas, rest = (ty != kind).astype(int), [], []
        false = {level: [] for level in NOMINAL}
        for seed in range(seeds):
            start = time.perf_counter()
            found = Detector(detector, minutes=minutes, seed=seed).fit(x[y == kind])
            fit = time.perf_counter() - start
            scored = found.score(tx)
            good = np.isfinite(scored.p)
            areas.append(auroc(labels[good], scored.scores[good]))
            rest.append((fit, 1000 * (time.perf_counter() - start - fit) / len(tx)))
            normal = scored.p[good & (labels == 0)]
            for level in NOMINAL:
                rule = found.model.judge.rule(level)
                false[level].append(float(np.mean(rule.flags(normal))))
        simple = {n: auroc(labels[good], scored.parts[n][good]) for n in ROWS}
        yield {
            "class": int(kind), "auroc": float(np.mean(areas)), "seeds_auroc": areas,
            "references": simple, "false_alarms": {str(k): v for k, v in false.items()},
            "n_calibration": len(found.model.judge.normal_scores),
            "facts": found.facts["detector"], "peak_mb": trials.peak_mb(),
            "fit_s": round(float(np.mean([fit for fit, _ in rest])), 1),
            "score_ms": round(float(np.mean([ms for _, ms in rest])), 2),
        }  # fmt: skip


def real(name, folder, seeds, detector, minutes):
    """Return the figures of a real set; what its audit says of it comes along."""
    path = folder / "anomaly" / (f"{name}.npz" if name == "pneumoniamnist" else name)
    looked = job.look(layouts.find(path), click.echo)
    found = trials.measure(job, looked, Settings(detector, minutes), seeds, ablate=True)
    worst = [f.sentence for f in looked.audit.findings if f.severity != "note"]
    return found | {"audit": worst, "first": looked.first.figures}


def speed(detector, minutes):
    """Return seconds and memory of the command line on 1000 drawn pictures of 128x128."""
    random = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        for part, count in (("train/good", 1000), ("test/new", 1000)):
            (root / "data" / part).mkdir(parents=True)
            for i in range(count):
                rough = cv2.GaussianBlur(random.normal(0, 1, (128, 128)), (0, 0), 3)
                picture = np.clip(110 + 25 * rough / rough.std(), 0, 255).astype(np.uint8)
                cv2.imwrite(str(root / "data" / part / f"{i:04}.png"), picture)
        model, train = root / "model", root / "data" / "train"
        fit = ["fit", "--data", train, "--model", model]
        options = ["--detector", detector, "--minutes", minutes]
        first, fitted, fit_mb = timed([*fit, *options], "Simple rows|Fitting")
        score = ["score", "--model", model, "--data", root / "data" / "test", "-o", root / "out"]
        _, scored, score_mb = timed(score, "nothing")
    return {
        "fit_s": round(fitted, 1), "first_rows_s": round(first, 1), "fit_peak_mb": fit_mb,
        "score_job_ms": round(scored, 2), "score_peak_mb": score_mb, "pictures": 1000,
    }  # fmt: skip


def timed(words, mark):
    """Return seconds until a line holds one of the words in `mark`, seconds in all, and peak MB."""
    code = (
        "import sys,resource,json;from gantools import cli;c=cli.main(sys.argv[1:]);"
        "print(json.dumps([c,resource.getrusage(resource.RUSAGE_SELF).ru_maxrss//1024]))"
    )
    start, seen = time.perf_counter(), None
    command = [sys.executable, "-c", code, "anomaly", *map(str, words)]
    with subprocess.Popen(command, stdout=-1, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout:
            if seen is None and any(word in line for word in mark.split("|")):
                seen = time.perf_counter() - start
    status, peak = json.loads(line)
    if status:
        raise UserError(f"{words[0]} ended with {status}: {line}")
    return seen or 0.0, time.perf_counter() - start, peak


def line(name, detector, row):
    """Return a row for the screen."""
    if "class" in row:
        best = max(row["references"], key=row["references"].get)
        return (
            f"{name} class {row['class']} {detector}: AUROC {row['auroc']:.3f}, {best} "
            f"{row['references'][best]:.3f}; false alarms at 5 % "
            f"{np.mean(row['false_alarms']['0.05']):.1%}; fit {row['fit_s']} s, "
            f"{row['score_ms']} ms a picture"
        )
    if "rows" in row:
        ours, best = row["rows"]["detector"], row["rows"][row["best_reference"]]
        pixels = ", ".join(f"{k} {v:.3f}" for k, v in row["pixels"].items())
        return (
            f"{name} {detector}: AUROC {ours['auroc']:.3f} ({ours['auroc_low']:.3f} to "
            f"{ours['auroc_high']:.3f}), {row['best_reference']} {best['auroc']:.3f}; {pixels} "
            f"false alarms at 5 % {row['realised']['0.05']['mean']:.1%}; fit {row['fit_seconds']} "
            f"s, {row['score_ms']} ms an item, {row['peak_mb']} MB"
        )
    return f"{name} {detector}: " + ", ".join(f"{k} {v}" for k, v in row.items())


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--seeds", default=3, show_default=True)
@click.option("--only", multiple=True, type=click.Choice(SETS))
@click.option("--detector", "detectors", multiple=True, default=("restorer", "encoder"))
@click.option("--minutes", default=1.0, show_default=True)
@click.option("--classes", default="0123456789", show_default=True, help="Digits, for one class.")
@click.option("--limit", type=int, help="Most test pictures of a one-class problem.")
def main(data, seeds, only, detectors, minutes, classes, limit):
    """Measure detectors on pictures."""
    for name in only or SETS:
        for detector in detectors:
            try:
                areas = []
                for row in rows(name, data, seeds, detector, minutes, classes, limit):
                    click.echo(line(name, detector, row))
                    known = {"set": name, "detector": detector, "seeds": seeds}
                    append("anomaly", **(row | known))
                    areas.append(row.get("auroc"))
                if len(areas) > 1:
                    click.echo(f"{name} {detector}: mean AUROC {np.mean(areas):.4f}")
            except (UserError, OSError) as error:
                click.echo(f"{name} {detector}: left out. {error}")


def rows(name, folder, seeds, detector, minutes, classes, limit):
    """Return the rows of one set, one after the other."""
    if name in ONE_CLASS:
        kinds = [int(digit) for digit in classes]
        return one_class(name, folder, seeds, detector, minutes, kinds, limit)
    return [
        speed(detector, minutes)
        if name == "speed"
        else real(name, folder, seeds, detector, minutes)
    ]


if __name__ == "__main__":
    main()
