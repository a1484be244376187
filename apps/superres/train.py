"""Train a super-resolution network on a folder of photographs, resuming by itself.

Stage one is a reconstruction game, stage two (`gan_minutes`) the SRGAN game on its result. The run
folder holds, for each stage, the states for exact resume, a log and the scores on the validation
pictures, and the results: `fidelity.safetensors` (the averaged weights that did best) and
`gan.safetensors` (the last averaged weights).
"""

import shutil
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import keras

from gantools import record
from gantools.core import AdversarialModel, Trapezoid
from gantools.core.callbacks import Checkpoints, JsonLog
from gantools.data.files import make_folder
from gantools.errors import UserError
from gantools.gans.progress import Progress
from gantools.gans.run import Budget
from gantools.nets import plans
from gantools.nets.superres import build, get_weights_by_name, set_weights_by_name

from . import model as files
from .patches import Patches, load_photos
from .stages import adversarial, discriminator, reconstruction
from .validation import Validation

PATCH = 48  # low-resolution pixels; many small steps beat few large ones on a CPU
PEAK = 1e-3  # Adam; 48-channel residual networks stand it with gradient clipping
GAN_RATE = 1e-4


@dataclass(frozen=True)
class Settings:
    """What decides the result of a run; `run.json` keeps it and a resume compares it.

    Attributes:
        data: Folder of photographs.
        scale: Enlargement, 2 to 4.
        minutes: Length of the first stage; its cycles are fixed by a short measurement.
        steps: Cycles of the first stage, instead of `minutes`.
        gan_minutes: Length of the SRGAN stage; 0 for none.
        validation: Folder of pictures that choose the best weights; None holds out every 20th.
        base: Hash of the network to start from, None for a fresh one.
        width, blocks: Size of the network, see `plans.fast`.
        batch: Patches in a minibatch.
        seed: Seed of initial weights and patches.
        name: Name of the network.
    """

    data: str
    scale: int = 4
    minutes: float = 60.0
    steps: int | None = None
    gan_minutes: float = 0.0
    validation: str | None = None
    base: str | None = None
    width: int = 48
    blocks: int = 4
    batch: int = 8
    seed: int = 0
    name: str = "fast"


@dataclass(frozen=True)
class Outcome:
    """The network's file, its dB PSNR-Y on the validation pictures, whether a signal came."""

    path: Path
    score: float
    interrupted: bool


def train(out, settings, *, base=None, fresh=False, quiet=True):
    """Run both stages as far as they are not done.

    Args:
        out: Run folder, made if missing.
        settings: `Settings`.
        base: `model.Network` to start from where names and shapes fit, or None.
        fresh: Delete an earlier run in `out` first.
        quiet: Whether to show no progress on stderr.

    Raises:
        UserError: `out` holds a run of other settings or something else.
    """
    out = Path(out)
    prepare(out, settings, fresh)
    photos = load_photos(Path(settings.data), settings.scale, PATCH)
    photos, checks = split(photos, settings)
    keras.mixed_precision.set_dtype_policy("mixed_bfloat16")
    net = build(plan_of(settings), seed=settings.seed)
    if base is not None:
        set_weights_by_name(net, base.arrays, partial=True)
    done, score = _fidelity(out, settings, net, photos, checks, quiet)
    best = out / "fidelity.safetensors"
    if not done or not settings.gan_minutes:
        return Outcome(best, score, not done)
    set_weights_by_name(net, files.read(best).arrays)
    done, score = _gan(out, settings, net, photos, checks, quiet)
    return Outcome(out / "gan.safetensors", score, not done)


def plan_of(settings):
    """Return the plan that the settings describe."""
    return plans.fast(
        settings.scale, width=settings.width, blocks=settings.blocks, name=settings.name
    )


def prepare(out, settings, fresh):
    """Make the run folder, or check that it holds a run of these settings."""
    if fresh and (out / "run.json").exists():
        shutil.rmtree(out)
    make_folder(out)
    if (out / "run.json").exists():
        old = record.read(out / "run.json")
        remedy = "Use them, another --out, or --fresh to start over."
        record.refuse_differences(out, old.settings, asdict(settings), remedy)
    elif any(out.iterdir()):
        raise UserError(f"{out} is not empty and holds no run. Choose another --out.")
    else:
        record.write(out / "run.json", record.Record("superres train", asdict(settings)))


def split(photos, settings):
    """Return `(training, validation)` photographs."""
    if settings.validation:
        return photos, load_photos(Path(settings.validation), settings.scale, PATCH)
    held_out = photos[::20][:12]
    names = {name for name, _ in held_out}
    return [pair for pair in photos if pair[0] not in names] or photos, held_out


def _fidelity(out, settings, net, photos, checks, quiet):
    """Play the first stage to its end; return `(done, best score)`."""
    stream = Patches(photos, settings.scale, settings.batch, PATCH, settings.seed)
    steps = _steps(out, "fidelity", settings.steps, settings.minutes, settings, stream)
    model = AdversarialModel(reconstruction(net), seed=settings.seed)
    rate = Trapezoid(PEAK, images=steps * settings.batch, warmup=300 * settings.batch)
    model.compile({"generator": keras.optimizers.Adam(rate, beta_2=0.99, global_clipnorm=1.0)})
    keep = _keeper(out / "fidelity.safetensors", settings, len(photos))
    check = Validation(checks, settings.scale, out / "fidelity-scores.jsonl", keep)
    done = _play(model, stream, steps, out, "fidelity", [check], quiet)
    return done, check.best


def _gan(out, settings, net, photos, checks, quiet):
    """Play the SRGAN stage to its end; return `(done, last score)`."""
    stream = Patches(photos, settings.scale, settings.batch, PATCH, settings.seed, high=True)
    game = adversarial(net, discriminator(settings.seed), settings.scale)
    model = AdversarialModel(game, seed=settings.seed)
    adam = lambda: keras.optimizers.Adam(GAN_RATE, beta_2=0.99)  # noqa: E731
    model.compile({"discriminator": adam(), "generator": adam()})
    # a cycle of both players costs about 8 cycles of reconstruction (measured at width 48)
    steps = max(1, _steps(out, "gan", None, settings.gan_minutes, settings, stream) // 8)
    check = Validation(checks, settings.scale, out / "gan-scores.jsonl", every=200)
    done = _play(model, stream, steps, out, "gan", [check], quiet)
    _keeper(out / "gan.safetensors", settings, len(photos))(model.best("generator"), check.last)
    return done, check.last


def _play(model, stream, steps, out, stage, callbacks, quiet):
    """Fit from where the stage stands to `steps` cycles; return whether it got there."""
    model.restore(out / f"{stage}-state")
    left = steps - int(model.cycle)
    if left > 0:
        states = Checkpoints(out / f"{stage}-state", minutes=3)
        log = JsonLog(out / f"{stage}-log.jsonl", 200)
        progress = [] if quiet else [Progress(Budget(None, steps))]
        callbacks = [*callbacks, log, states, *progress]
        model.fit(stream, steps_per_epoch=left, epochs=1, verbose=0, callbacks=callbacks)
    return int(model.cycle) >= steps


def _keeper(path, settings, pictures):
    """Return the function that writes a network with its card."""

    def keep(net, score):
        card = {
            "trained_on": f"{pictures} photographs",
            "validation_psnr_y": round(score, 3),
            "settings": {k: v for k, v in asdict(settings).items() if k not in ("data",)},
            "versions": record.installed_versions(),
        }
        files.write(path, files.Network(plan_of(settings), get_weights_by_name(net), card))

    return keep


def _steps(out, stage, steps, minutes, settings, stream):
    """Return the cycles of a stage, measured once and then kept in `run.json`."""
    old = record.read(out / "run.json")
    known = old.results.get(f"{stage}_cycles")
    if known is None:
        known = steps or max(1, round(60 * minutes * _cycles_per_second(settings, stream)))
        results = {**old.results, f"{stage}_cycles": known}
        record.write(out / "run.json", record.Record(**{**asdict(old), "results": results}))
    return known


def _cycles_per_second(settings, stream):
    """Time a twin of the model for some cycles, tracing left out."""
    model = AdversarialModel(reconstruction(build(plan_of(settings))))
    model.compile({"generator": keras.optimizers.Adam(PEAK, global_clipnorm=1.0)})
    model.fit(stream.batches(), steps_per_epoch=5, epochs=1, verbose=0, shuffle=False)
    start = time.monotonic()
    model.fit(stream.batches(), steps_per_epoch=50, epochs=1, verbose=0, shuffle=False)
    return 50 / (time.monotonic() - start)
