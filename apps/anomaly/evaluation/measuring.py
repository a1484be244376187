"""`gantools anomaly eval`: a detector on labelled data over several seeds, beside simple rows."""

import json
from pathlib import Path

import click

from gantools.data.files import make_folder

from ..calibration.split import FEW
from ..cli import FITTING, SOURCE, options
from ..commands import Bar, command, opened, required, teller

AT_MOST = ("fpr_at_tpr_95",)  # figures that are better if lower
FIGURES = (
    *("auroc", "ap", "tpr_at_fpr_1", "tpr_at_fpr_5", *AT_MOST),
    *("aupro_30", "aupro_5", "pixel_ap"),
)


@click.command(name="eval")
@options(f"data {FITTING} {SOURCE}")
@click.option("-o", "--out", type=click.Path(path_type=Path), default=Path("anomaly-eval"),
              show_default=True, help="Folder for evaluation.json.")  # fmt: skip
@click.option("--seeds", type=click.IntRange(1), default=3, show_default=True,
              help="Fits, each with its own division of the normals.")  # fmt: skip
@click.option("--require", "floors", type=(str, float), multiple=True, metavar="FIGURE VALUE",
              help="Exit code 6 unless the detector reaches it: auroc 0.9.")  # fmt: skip
@click.option("--ablate", is_flag=True, help="Also leave out each part of the score in turn.")
@options("json quiet")
def evaluation(data, out, seeds, floors, ablate, as_json, quiet, **chosen):
    """Measure on labelled data, over several seeds.

    The detector is fitted --seeds times on other divisions of the normals; figures are means, with
    intervals over seeds and items together. Writes evaluation.json.
    """
    from gantools.metrics.required import check_names, check_reached

    from ..folder import free_for_figures
    from ..model_files import write_json
    from ..scans.medical import holds_dicom, title_of
    from ..settings import Settings
    from .trials import measure

    check_names(floors, FIGURES)
    say, place = teller(quiet), free_for_figures(out)  # before the work
    first = Settings.of(chosen)
    job, looked = opened(required(data), chosen, "eval", say)
    bar = lambda number: Bar(f"fit {number + 1}: training", quiet)  # noqa: E731
    found = measure(job, looked, first, seeds, ablate=ablate, say=say, bar=bar)
    private = holds_dicom(looked.collection.items)
    found |= {"command": command(private), "data": title_of(looked.collection)}
    make_folder(out)
    write_json(place, found)
    if ablate and not found["without"]:
        told = f"{FEW} normals to hold some out of. There are {len(looked.normals())}."
        click.echo(f"--ablate left nothing out: it needs several parts and {told}", err=True)
    for line in [json.dumps(found)] if as_json else table(found):
        click.echo(line)
    figures = {**found["rows"]["detector"], **found["pixels"]}
    check_reached({found["data"]: figures}, floors, AT_MOST)


def table(found) -> list[str]:
    """Return the lines of the table of an evaluation."""
    from .evaluate import few_sentence

    rows, ours = found["rows"], found["rows"]["detector"]
    head = f"{'row':<22}{'AUROC':>7}  {'95 % interval':<17}{'AP':>6}{'TPR@1%':>8}{'TPR@5%':>8}"
    lines = [
        f"{found['data']}: {found['fit']} normals to fit, {found['calibration'][1]} to calibrate; "
        f"{ours['normals']} normals and {ours['anomalies']} anomalies to score; seeds "
        f"{', '.join(map(str, found['seeds']))}.",
        head,
    ]
    for name, row in rows.items():
        own = f"detector ({found['detector']})" if name == "detector" else name
        lines.append(
            f"{own:<22}{row['auroc']:>7.3f}  {row['auroc_low']:.3f} to {row['auroc_high']:.3f}   "
            f"{row['ap']:>6.3f}{row['tpr_at_fpr_1']:>8.2f}{row['tpr_at_fpr_5']:>8.2f}"
        )
    change, low, high = found["difference"]
    lines.append(
        f"Detector minus {found['best_reference']}: {change:+.3f} ({low:+.3f} to {high:+.3f})."
    )
    lines += [text for text in [few_sentence(ours)] if text]
    for level, row in found["realised"].items():
        lines.append(
            f"False alarms at a wanted rate of {float(level):.0%}: {row['mean']:.1%} of the "
            f"labelled normals (seeds {', '.join(f'{v:.1%}' for v in row['seeds'])})."
        )
    for name, value in found["pixels"].items():
        lines.append(f"{name.replace('_', ' ')}: {value:.3f}")
    lines += [f"without {name}: AUROC {area:.3f}" for name, area in found["without"].items()]
    lines.append(
        f"Fit {found['fit_seconds']} s, score {found['score_ms']} ms an item, peak "
        f"{found['peak_mb']} MB."
    )
    return lines
