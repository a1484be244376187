"""Put the result of a training into the package, with a card that says how it came about.

    python -m benchmarks.quality.ship RUN [--cores 1] [--dtype I8] [--say "key: text"]...
    python -m benchmarks.quality.ship RUN --twin CYCLE ...

RUN is a folder of `gantools superres train` whose first stage is done; with --twin its second, of
which the result after so many cycles is shipped as the twin of the first one's network. The curve
is drawn in `docs/curves`. Afterwards `benchmarks.quality.superres` measures the network,
`benchmarks.quality.cards` writes the page of all cards.
"""

from dataclasses import asdict, fields, replace
from itertools import pairwise
from pathlib import Path

import click
from gantools.apps.superres import model
from gantools.apps.superres.family import TWIN
from gantools.apps.superres.training.curve import draw
from gantools.apps.superres.training.stages import Weights
from gantools.apps.superres.training.taught import VIEWS
from gantools.apps.superres.training.train import PATCH, Settings

from benchmarks.quality.cards import CURVES
from gantools import record
from gantools.core.callbacks import read_log
from gantools.errors import UserError

MOST_BYTES = 10 << 20  # of all networks in the package
TRAINED_ON = (
    "{photographs}: Cloudinary CID22 (221, CC BY-SA 4.0), Wikimedia Commons (40, free licences), "
    "CLIC 2025 and others (Unsplash, Pexels), GB82 and IBM (CC0); sources and licences of each "
    "are listed in NOTICE"
)
OURS = "366 photographs"  # those that NOTICE lists
CHOSEN_BY = {
    "clean": "highest PSNR-Y of the averaged weights on 12 validation pictures (CID22)",
    "photo": "highest mean PSNR-Y of the averaged weights on 12 validation pictures (CID22), clean "
    "and damaged",
    "twin": "NIQE, spectrum and consistency on 12 validation pictures (CID22) and by eye, among "
    "the results of every 1000 cycles up to {last}",
}
LIMITS = {
    "clean": "trained on clean bicubic reductions only: JPEG blocks, noise and blur of real "
    "photographs are enlarged, not removed",
    "photo": "removes JPEG damage, blur and noise where they are mild; softens strong ones",
    "twin": "invents texture, at the cost of PSNR; for --strength, not by itself",
}
KEPT = {"I8": "a byte a weight", "F16": "two bytes a weight", "F32": "four bytes a weight"}
# Options of a stage, left out where they are what they are without being given.
OPTIONS = {
    "fidelity": ("network", "width", "blocks", "degrade", "loss", "rate"),
    "gan": ("network", "width", "blocks", "degrade", *(f.name for f in fields(Weights))),
}
UNTOLD = asdict(Settings(""))
MARKS = 7  # scores of a curve that a card shows


def command(settings, stage, steps, name, started, teacher):
    """Return the command line that repeats a stage of a run."""
    words = ["gantools superres train --data TRAIN --validation VAL", f"--scale {settings.scale}"]
    words += [f"--steps {steps}" if stage == "fidelity" else f"--steps 0 --gan-steps {steps}"]
    for key in OPTIONS[stage]:
        value = getattr(settings, key)
        words += [f"--{key} {value}"] if value != UNTOLD[key] else []
    words += [f"--from {started.split(' x')[0]}"] if started else []
    if teacher:
        share = settings.teacher_share
        words += [f"--teacher {teacher.split(' x')[0]}", f"--teacher-share {share}"]
    words += [f"--name {name}"] if name != settings.network else []
    return " ".join(words)


def origin(digest):
    """Return `"NAME xS"` of the shipped network that a run started from, or "a file"."""
    for name, scale in model.shipped():
        if model.load(name, scale).digest == digest:
            return f"{name} x{scale}"
    return "a file"


def curve(scores):
    """Return a sentence of some validation scores on the way, the last one included."""
    step = max(1, len(scores) // MARKS)
    shown = [scores[i] for i in range(len(scores) - 1, -1, -step)][::-1]
    told = ", ".join(f"{row['cycle']} cycles {row['psnr_y']:.2f}" for row in shown)
    return f"validation PSNR-Y: {told}"


def card(run, network, cores, dtype, started=None, teacher=None, twin=None):
    """Return the card of the network that a run made.

    Args:
        run: The folder.
        network: Its result, `model.Network`.
        cores: Cores that it trained on.
        dtype: As the weights are kept.
        started, teacher: What it started from and what taught it, in words; None to look among the
            shipped networks. A twin starts from the network that it is the twin of.
        twin: Cycles of the second stage after which the network is its result; None for the first.

    Raises:
        UserError: it is not done, or learned from other photographs than those that NOTICE lists.
    """
    kept = record.read(run / "run.json")
    settings, stage = Settings(**kept.settings), "gan" if twin else "fidelity"
    fixed = settings.gan_steps if twin else settings.steps
    steps = fixed or kept.results[f"{stage}_cycles"]
    scores, log = (read_log(run / f"{stage}-{name}.jsonl") for name in ("scores", "log"))
    if scores[-1]["cycle"] < steps:
        raise UserError(f"{run} has {scores[-1]['cycle']} of {steps} cycles: go on with it first.")
    photographs = network.card["trained_on"]
    if photographs != OURS:
        raise UserError(f"NOTICE lists {OURS}. Received: a run on {photographs}.")
    if twin:
        started, teacher = f"{network.plan.name} x{network.scale}", None
    else:
        started = started or (origin(settings.base) if settings.base else None)
        teacher = teacher or (origin(settings.teacher) if settings.teacher else None)
    kind, done = "twin" if twin else settings.degrade, twin or steps
    scores, log = ([row for row in rows if row["cycle"] <= done] for rows in (scores, log))
    ends = [0, *(row["cycle"] for row in log)]
    taken = zip(pairwise(ends), log, strict=True)
    seconds = sum((b - a) / row["cycles_per_s"] for (a, b), row in taken)
    found = {
        "trained_on": TRAINED_ON.format(photographs=photographs),
        "command": command(settings, stage, steps, network.plan.name, started, teacher),
        "steps": done,
        "batch": settings.batch,
        "patch": PATCH,
        "seed": settings.seed,
        "validation_psnr_y": network.card["validation_psnr_y"],
        "chosen_by": CHOSEN_BY[kind].format(last=steps),
        "limits": LIMITS[kind],
        "started_from": started or "nothing",
        "taught_by": f"{teacher}, {VIEWS} views" if teacher else "nothing",
        "curve": curve(scores),
        f"minutes on {cores} core{'s' if cores > 1 else ''}": round(seconds / 60, 1),
        "stored": KEPT[dtype],
    }
    if "projection" in network.card:
        found["projection"] = network.card["projection"]
    return found


def ship(run, cores=1, dtype="I8", told=None, said=None, folder=model.SHIPPED, curves=CURVES):
    """Write the network of a run among the shipped ones, and its curve, and return its path.

    Args:
        run, cores, dtype: As of `card`.
        told: Its further arguments, a dict.
        said: More lines of the card, a dict.
        folder, curves: Where network and curve are written.

    Raises:
        UserError: as of `card`, or all networks together would be too large for the package.
    """
    told = told or {}
    twin = told.get("twin")
    made, stage = (f"gan-{twin:06d}", "gan") if twin else ("fidelity", "fidelity")
    network = model.read(run / f"{made}{model.SUFFIX}")
    name = network.plan.name + (TWIN if twin else "")
    told = {**card(run, network, cores, dtype, **told), **(said or {})}
    network = replace(network, plan=replace(network.plan, name=name), card=told)
    path = folder / f"{name}_x{network.scale}{model.SUFFIX}"
    others = sum(p.stat().st_size for p in folder.glob(f"*{model.SUFFIX}") if p != path)
    part = path.with_suffix(".new")
    model.write(part, network, dtype)
    if others + part.stat().st_size > MOST_BYTES:
        size = f"{(others + part.stat().st_size) / 2**20:.1f} MiB"
        part.unlink()
        raise UserError(f"All networks may have {MOST_BYTES >> 20} MiB. Received: {size}.")
    title = f"{name} x{network.scale}: validation"
    curves.mkdir(exist_ok=True)
    draw(curves / f"{path.stem}.png", read_log(run / f"{stage}-scores.jsonl"), title)
    return part.replace(path)


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--twin", type=click.IntRange(1), help="Cycles after which the twin is taken.")
@click.option("--cores", type=click.IntRange(1), default=1, show_default=True)
@click.option("--dtype", type=click.Choice(list(KEPT)), default="I8", show_default=True)
@click.option("--started", help="What it started from, if that is no shipped network.")
@click.option("--teacher", help="What taught it, likewise.")
@click.option("--say", multiple=True, help='More lines of its card, as "key: text".')
def main(run, cores, dtype, say, **told):
    """Ship the network of a run."""
    said = dict(line.split(": ", 1) for line in say)
    try:
        click.echo(ship(run, cores, dtype, told, said))
    except UserError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
