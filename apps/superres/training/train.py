"""Train a super-resolution network on a folder of photographs, resuming by itself.

Stage one is a reconstruction game, stage two (`gan_minutes`) an adversarial one on its result. The
run folder holds, for each stage, the states for exact resume, a log, the scores on the validation
pictures and a page that shows some of them, and the results: `fidelity.safetensors` (the averaged
weights that did best) and `gan.safetensors` (the last averaged weights, and some before them as
`gan-CYCLE.safetensors`).
"""

import shutil
import time
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path

import keras
import numpy as np

from gantools import record
from gantools.core import AdversarialModel, Linear, Trapezoid
from gantools.core.callbacks import Checkpoints, JsonLog
from gantools.core.health import Health
from gantools.core.state import claimed, newest_state
from gantools.errors import UserError
from gantools.gans.progress import Progress
from gantools.gans.run import Budget
from gantools.nets import plans
from gantools.nets.growth import grow, taken
from gantools.nets.superres import build, get_weights_by_name, set_weights_by_name

from .. import model as files
from . import taught
from .patches import Patches, load_photos
from .stages import HIGH, Weights, adversarial, discriminator, reconstruction
from .validation import Validation

PATCH = 48  # low-resolution pixels; many small steps beat few large ones on a CPU
PEAK, NARROW = 1e-3, 48  # Adam's rate, and the width that stands it; see `peak_rate`
GAN_RATE = 1e-4  # of the generator; the discriminator has twice as much
ALONE = 500  # cycles, or a tenth of the stage, in which only the discriminator learns
WATCHED = 128  # validation patches that the health of the second stage is measured on
COMMAND = "superres train"
LEAST_TAKEN = 0.5  # of the convolutions of a network to start from
OWN = ("fidelity", "gan")  # what the files of a run begin with, besides run.json


@dataclass(frozen=True)
class Settings:
    """What decides the result of a run; `run.json` keeps it and a resume compares it.

    Attributes:
        data: Folder of photographs.
        scale: Enlargement, 2 to 4.
        minutes: Length of the first stage; its cycles are fixed by a short measurement.
        steps: Cycles of the first stage, instead of `minutes`; 0 takes the base as its result.
        gan_minutes: Length of the second stage; 0 for none.
        gan_steps: Cycles of the second stage, instead of `gan_minutes`.
        validation: Folder of pictures that choose the best weights; None holds out every 20th.
        base: Hash of the network to start from, None for a fresh one.
        degrade: "clean" or "photo", see `patches.Patches`.
        network: One of `plans.PLANS`.
        width, blocks: Size of the network; None for what its plan has.
        rate: Highest rate of the first stage; None for that of `peak_rate`.
        loss: Of the first stage, "l1" or "l2".
        teacher: Hash of a network that has a share in the targets, see `taught`; None for none.
        teacher_share: Its share, 0 to 1.
        adversarial, matching, artifacts, consistency, flat: Weights of the second stage, see
            `stages.Weights`.
        batch: Patches in a minibatch.
        seed: Seed of initial weights and patches.
        name: Name of the network; None for that of its plan.
        precision: "float32" or "bfloat16" (mixed: variables stay float32).
    """

    data: str
    scale: int = 4
    minutes: float = 60.0
    steps: int | None = None
    gan_minutes: float = 0.0
    gan_steps: int | None = None
    validation: str | None = None
    base: str | None = None
    degrade: str = "clean"
    network: str = "fast"
    width: int | None = None
    blocks: int | None = None
    rate: float | None = None
    loss: str = "l1"
    teacher: str | None = None
    teacher_share: float | None = None
    adversarial: float = Weights.adversarial
    matching: float = Weights.matching
    artifacts: float = Weights.artifacts
    consistency: float = Weights.consistency
    flat: float = Weights.flat
    batch: int = 8
    seed: int = 0
    name: str | None = None
    precision: str = "float32"


@dataclass(frozen=True)
class Outcome:
    """The network's file, its dB PSNR-Y on the validation pictures, whether a signal came."""

    path: Path
    score: float
    interrupted: bool


def train(
    out, settings, *, base=None, teacher=None, fresh=False, quiet=True, say=lambda line: None
):
    """Run both stages as far as they are not done.

    Args:
        out: Run folder, made if missing.
        settings: `Settings`.
        base: `model.Network` to start from where names and shapes fit, or None.
        teacher: `model.Network` that has a share in the targets, or None.
        fresh: Delete an earlier run in `out` first; other files there stay.
        quiet: Whether to show no progress on stderr.
        say: Called with each line a person should read.

    Raises:
        UserError: no usable photographs, or `out` holds a run of other settings or something else,
            or another process trains in it.
    """
    out = Path(out)
    check_folder(out, settings, fresh)
    if base is not None:
        check_base(settings, base)
    second_stage = bool(settings.gan_minutes or settings.gan_steps)
    taught.check(settings.scale, teacher, degrade=settings.degrade, second_stage=second_stage)
    photos = load_photos(Path(settings.data), settings.scale, PATCH, say)
    photos, checks = split(photos, settings, say)
    with claimed(out):
        prepare(out, settings, fresh)
        check_photos(out, photos, checks)
        policy = keras.config.dtype_policy()
        bfloat16 = settings.precision == "bfloat16"
        keras.config.set_dtype_policy("mixed_bfloat16" if bfloat16 else "float32")
        try:
            stream = _stream(out, settings, photos, teacher, say)
            first = _first_stage(out, settings, base, stream, checks, quiet)
            if first.interrupted or not second_stage:
                return first
            return _second_stage(out, settings, files.read(first.path), stream, checks, quiet, say)
        finally:
            keras.config.set_dtype_policy(policy)


def plan_of(settings):
    """Return the plan that the settings describe."""
    given = {key: getattr(settings, key) for key in ("width", "blocks", "name")}
    given = {key: value for key, value in given.items() if value is not None}
    return plans.PLANS[settings.network](settings.scale, **given)


def peak_rate(settings) -> float:
    """Return the highest rate of Adam in the first stage.

    Each weight moves by the rate, and what a channel adds up moves by that times the channels it
    reads: so twice the width stands half the rate. At 1e-3 a network of 96 channels, grown from one
    of 48, went from an error of 0.03 to 0.26 as soon as the warm-up was over.
    """
    if settings.rate is not None:
        return settings.rate
    widths = [step.channels for step in plan_of(settings).steps[:-1] if step.op == "conv"]
    return PEAK * min(1.0, NARROW / max(widths))


def check_folder(out, settings, fresh):
    """Refuse a folder that holds something else or, unless `fresh`, a run of other settings."""
    path = out / "run.json"
    if path.exists():
        kept = record.read(path)
        if kept.command != COMMAND:
            held = f"{out} holds a run of `gantools {kept.command}`"
            raise UserError(f"{held}, which is kept. Choose another --out.")
        if not fresh:
            remedy = "Use them, another --out, or --fresh to start over."
            record.refuse_differences(out, kept.settings, asdict(settings), remedy)
    elif out.exists() and any(out.iterdir()):
        raise UserError(f"{out} is not empty and holds no run. Choose another --out.")


def check_base(settings, base):
    """Refuse a network to start from of which little or, for no training, not all would be used."""
    plan = plan_of(settings)
    if settings.steps == 0:
        shapes = {name: array.shape for name, array in base.arrays.items()}
        if shapes != plan.weight_shapes():
            raise UserError(
                f"--steps 0 takes the network of --from as it is. Expected a {plan.name} "
                f"x{plan.scale} of this size. Received: {base.plan.name} x{base.scale}."
            )
    elif (share := taken(plan, base.arrays)) < LEAST_TAKEN:
        raise UserError(
            f"Only {share:.0%} of the convolutions of {base.plan.name} x{base.scale} fit the "
            "network to be trained: it must be of the same kind, as wide and as deep or more. "
            "Change --network, --width or --blocks, or leave out --from."
        )


def prepare(out, settings, fresh):
    """Make the run's record; with `fresh`, delete the files of an earlier run."""
    path = out / "run.json"
    if fresh:
        for item in [path, *(item for stage in OWN for item in out.glob(f"{stage}[-.]*"))]:
            shutil.rmtree(item) if item.is_dir() else item.unlink(missing_ok=True)
    if not path.exists():
        record.write(path, record.Record(COMMAND, asdict(settings), settings.seed))


def check_photos(out, photos, checks):
    """Keep a digest of the photographs with the run, or refuse others than it began with.

    Else a photograph more would shift which are held out, and scores would be of two sets.
    """
    digest = blake2b(digest_size=16)
    for name, pixels in (*photos, *checks):
        digest.update(f"{name} {pixels.shape}".encode() + np.ascontiguousarray(pixels).data)
    path, found = out / "run.json", digest.hexdigest()
    old = record.read(path)
    if old.hashes.get("photographs", found) != found:
        raise UserError(
            f"The photographs are not those that the run in {out} began with. Put them back, or "
            "use another --out, or --fresh to start over."
        )
    record.write(path, replace(old, hashes={**old.hashes, "photographs": found}))


def split(photos, settings, say=lambda line: None):
    """Return `(training, validation)` photographs."""
    if settings.validation:
        return photos, load_photos(Path(settings.validation), settings.scale, PATCH, say)
    held_out = photos[::20][:12]
    names = {name for name, _ in held_out}
    return [pair for pair in photos if pair[0] not in names] or photos, held_out


def _stream(out, settings, photos, teacher, say):
    """Return the training patches."""
    targets = None
    if teacher is not None:
        kept, share = out / "fidelity-taught", settings.teacher_share
        targets = taught.targets(kept, photos, teacher, share, say)
    kind = settings.degrade
    return Patches(photos, settings.scale, settings.batch, PATCH, settings.seed, kind, targets)


def _first_stage(out, settings, base, stream, checks, quiet):
    """Play the reconstruction game."""
    plan, best = plan_of(settings), out / "fidelity.safetensors"
    net = build(plan, seed=settings.seed)
    if base is not None:
        take_over(net, plan, base, whole=settings.steps == 0)
    keep = partial(_write, best, settings, len(stream.pairs))
    make = partial(_fidelity_model, settings)
    steps = settings.steps
    if steps is None:
        steps = _steps(out, "fidelity", settings.minutes, make, plan, stream)
    scores = out / "fidelity-scores.jsonl"
    check = Validation(
        checks, settings.scale, scores, steps, keep, kind=settings.degrade, page="fidelity.html"
    )
    if steps == 0:
        score = check.score(net, 0)
        keep(net, score)
        return Outcome(best, score, False)
    model = make(steps, net)
    done = _play(model, stream, steps, out, "fidelity", [check], quiet)
    return Outcome(best, check.best, not done)


def take_over(net, plan, base, *, whole):
    """Start a model from a trained network: all of it, or as `nets.growth` makes it fit."""
    grown = base.arrays if whole else grow(plan, get_weights_by_name(net), base.arrays)
    set_weights_by_name(net, grown)


def _second_stage(out, settings, first, stream, checks, quiet, say):
    """Play the adversarial game from the first stage's best network."""
    stream = stream.with_high(HIGH // settings.scale)
    make = partial(_gan_model, settings)
    steps = settings.gan_steps
    if steps is None:
        steps = _steps(out, "gan", settings.gan_minutes, make, first.plan, stream)
    net = build(first.plan)
    set_weights_by_name(net, first.arrays)
    model, path = make(steps, net), out / "gan.safetensors"

    def snapshot(network, cycle, score):
        _write(out / f"gan-{cycle:06d}.safetensors", settings, len(stream.pairs), network, score)

    check = Validation(
        checks, settings.scale, out / "gan-scores.jsonl", steps, each=snapshot, every=1000,
        kind=settings.degrade, page="gan-{cycle:06d}.html")  # fmt: skip
    watched = _watched(checks, settings)
    health = Health(watched, every=200, path=out / "gan-health.jsonl", say=say)
    done = _play(model, stream, steps, out, "gan", [check, health], quiet)
    if done:  # what is half trained must not be taken for the twin
        _write(path, settings, len(stream.pairs), model.best("generator"), check.last)
    return Outcome(path, check.last, not done)


def _watched(checks, settings):
    """Return patches that no turn learns from: "x" and "low" uint8, a fixed choice."""
    stream = Patches(checks, settings.scale, WATCHED, HIGH // settings.scale, 0, settings.degrade)
    batch = stream.with_high().at(0)
    return {"x": batch["high"], "low": batch["low"]}


def _fidelity_model(settings, steps, net):
    """Return the compiled model of the first stage, for a run of `steps` cycles."""
    model = AdversarialModel(reconstruction(net, settings.loss), seed=settings.seed)
    rate, images = peak_rate(settings), steps * settings.batch
    rate = Trapezoid(rate, images=images, warmup=300 * settings.batch)
    model.compile({"generator": keras.optimizers.Adam(rate, beta_2=0.99, global_clipnorm=1.0)})
    return model


def _gan_model(settings, steps, net):
    """Return the compiled model of the second stage, for a run of `steps` cycles.

    The generator stands still at first, until the discriminator has something to say.
    """
    weights = Weights(**{field.name: getattr(settings, field.name) for field in fields(Weights)})
    critic = discriminator(settings.scale, settings.seed)
    model = AdversarialModel(adversarial(net, critic, settings.scale, weights), seed=settings.seed)
    alone = settings.batch * min(ALONE, max(1, steps // 10))
    rates = {
        "discriminator": 2 * GAN_RATE,
        "generator": Linear(0.0, GAN_RATE, 2 * alone, begin=alone),
    }
    model.compile({turn: keras.optimizers.Adam(r, beta_2=0.99) for turn, r in rates.items()})
    return model


def _play(model, stream, steps, out, stage, watchers, quiet):
    """Fit from where the stage stands to `steps` cycles; return whether it got there."""
    kept = out / f"{stage}-state"
    if model.restore(kept) is None and newest_state(kept):
        raise UserError(
            f"No state in {kept} is whole: files are missing, unreadable or changed. Bring "
            "them back from a copy, or start over with --fresh."
        )
    left = steps - int(model.cycle)
    if left > 0:
        states = Checkpoints(kept, minutes=3)
        log = JsonLog(out / f"{stage}-log.jsonl", 200)
        progress = [] if quiet else [Progress(Budget(None, steps))]
        callbacks = [*watchers, log, states, *progress]
        model.fit(stream, steps_per_epoch=left, epochs=1, verbose=0, callbacks=callbacks)
    return int(model.cycle) >= steps


def _write(path, settings, pictures, net, score):
    """Write a network with its card; places on this machine stay out of it."""
    private = ("data", "validation")
    card = {
        "trained_on": f"{pictures} photographs",
        "validation_psnr_y": round(score, 3),
        "settings": {k: v for k, v in asdict(settings).items() if k not in private},
        "versions": record.installed_versions(),
    }
    if settings.degrade == "photo":
        card["projection"] = "smooth"  # what it removes from a picture must not be put back
    files.write(path, files.Network(plan_of(settings), get_weights_by_name(net), card))


def _steps(out, stage, minutes, make, plan, stream):
    """Return the cycles that a stage of some minutes has, measured once and kept in `run.json`.

    Fixing them at the start makes the schedule, and with it the result, the same after a resume.
    """
    old = record.read(out / "run.json")
    key = f"{stage}_cycles"
    if key in old.results:
        return old.results[key]
    twin = make(10_000, build(plan))
    known = max(1, round(60 * minutes / _seconds_a_cycle(twin, stream)))
    record.write(out / "run.json", replace(old, results={**old.results, key: known}))
    return known


def _seconds_a_cycle(model, stream):
    """Return the seconds of a cycle of a throw-away model, tracing left out."""
    model.fit(stream.batches(), steps_per_epoch=3, epochs=1, verbose=0, shuffle=False)
    start, cycles = time.monotonic(), 20
    model.fit(stream.batches(), steps_per_epoch=cycles, epochs=1, verbose=0, shuffle=False)
    return (time.monotonic() - start) / cycles
