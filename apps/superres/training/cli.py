"""`gantools superres train`: the options; the work is in `train.py`."""

from functools import partial
from pathlib import Path

import click

from gantools.data.files import readable
from gantools.errors import DONE, INTERRUPTED, UserError
from gantools.options import LONGEST, MINUTES, Finite
from gantools.record import LARGEST_SEED

SHARE = 0.5  # of a teacher in the targets
PATH = click.Path(path_type=Path)


@click.command()
@click.option("--data", type=PATH, required=True, help="Folder of photographs.")
@click.option("-o", "--out", type=PATH, default=Path("superres-run"), show_default=True,
              help="Folder of the run.")  # fmt: skip
@click.option("--scale", type=click.IntRange(2, 4), default=4, show_default=True)
@click.option("--minutes", type=MINUTES, default=60.0, show_default=True,
              help="Length of the reconstruction stage.")  # fmt: skip
@click.option("--steps", type=click.IntRange(0),
              help="Its length in cycles instead; 0 keeps what --from names.")  # fmt: skip
@click.option("--gan-minutes", type=Finite(0, LONGEST), default=0.0, show_default=True,
              help="Length of the adversarial stage after it.")  # fmt: skip
@click.option("--gan-steps", type=click.IntRange(1), help="Its length in cycles instead.")
@click.option("--degrade", type=click.Choice(["clean", "photo"]), default="clean",
              show_default=True,
              help="photo: half of the small pictures are blurred, noisy or JPEG.")  # fmt: skip
@click.option("--validation", type=PATH, help="Pictures that choose the best weights.")
@click.option("--from", "base", help="Network to start from: a shipped name or a file.")
@click.option("--network", type=click.Choice(["fast", "compact", "srresnet", "rrdb"]),
              default="fast", show_default=True, help="Its kind.")  # fmt: skip
@click.option("--width", type=click.IntRange(8), help="Channels of the network.")
@click.option("--blocks", type=click.IntRange(1), help="Its blocks, or layers if it has none.")
@click.option("--rate", type=Finite(0, 1, min_open=True),
              help="Highest rate of the first stage; by the width if not given.")  # fmt: skip
@click.option("--loss", type=click.Choice(["l1", "l2"]), default="l1", show_default=True,
              help="Of the first stage: absolute or squared error.")  # fmt: skip
@click.option("--teacher", help="Better network whose results have a share in the targets.")
@click.option("--teacher-share", type=Finite(0, 1),
              help=f"That share, {SHARE} if not given; the photographs have the rest.")  # fmt: skip
@click.option("--name", help="Its name; that of its kind if not given.")
@click.option("--adversarial", type=Finite(0), help="Weight of the adversarial term.")
@click.option("--matching", type=Finite(0), help="Weight of the features' distance.")
@click.option("--artifacts", type=Finite(0), help="Weight of the artifact term.")
@click.option("--consistency", type=Finite(0), help="Weight of the shrunk picture's error.")
@click.option("--flat", type=Finite(0), help="Weight of the error where the photograph is flat.")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]),
              help="bfloat16 where the processor has it, if not given.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0, LARGEST_SEED), default=0, show_default=True)
@click.option("--fresh", is_flag=True, help="Delete the run in --out and start over.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.pass_context
def train(ctx, base, teacher, out, fresh, quiet, **options):
    """Train a network on photographs, or go on with a run.

    The same command again goes on where the run stands. Ctrl-C finishes the cycle and saves.

    \b
    Examples:
      gantools superres train --data photos/ --scale 4 --minutes 60
      gantools superres train --data photos/ --from fast --degrade photo --gan-minutes 60
      gantools superres photo.png --model superres-run/fidelity.safetensors
    """
    from gantools.quiet import import_core

    options["teacher_share"] = _share(teacher, options["teacher_share"])
    if options["steps"] == 0 and not base:
        raise UserError("--steps 0 trains nothing in the first stage: give --from as its result.")
    network = _network("--from", base, options["scale"]) if base else None
    better = _network("--teacher", teacher, options["scale"]) if teacher else None
    import_core()
    from .train import Settings
    from .train import train as run

    for key in ("data", "validation"):
        options[key] = str(options[key]) if options[key] else None
    options["precision"] = options["precision"] or _fastest_precision()
    options = {key: value for key, value in options.items() if value is not None}
    networks = {"base": network, "teacher": better}
    hashes = {key: found.digest if found else None for key, found in networks.items()}
    settings = Settings(**options, **hashes)
    say = partial(click.echo, err=True)
    outcome = run(out, settings, **networks, fresh=fresh, quiet=quiet, say=say)
    if outcome.interrupted:
        click.echo(f"Stopped and saved in {out}. The same command goes on.", err=True)
        ctx.exit(INTERRUPTED)
    path = readable(str(outcome.path))
    click.echo(f"{path}: {outcome.score:.2f} dB PSNR-Y on the validation pictures")
    ctx.exit(DONE)


def _share(teacher, given):
    """Return a teacher's share in the targets, None without a teacher."""
    if given is not None and not teacher:
        raise UserError("--teacher-share is the share of a teacher: give --teacher, too.")
    return SHARE if teacher and given is None else given


def _fastest_precision():
    """Return "bfloat16" where the processor multiplies it natively, else "float32"."""
    from gantools.machine import machine

    features = machine()["features"]
    native = features["AVX-512 bf16"] or features["AMX bf16"]
    return "bfloat16" if native else "float32"


def _network(option, named, scale):
    """Return the network that an option names: a file, or a shipped one, best of this scale."""
    from .. import model

    if named.endswith(model.SUFFIX):
        return model.read(named)
    scales = [s for name, s in model.shipped() if name == named]
    if not scales:  # also of another suffix: what serves to enlarge need not be fit to be trained
        known = ", ".join(sorted({name for name, _ in model.shipped()}))
        raise UserError(
            f"{option}: expected a shipped network ({known}) or the path of a {model.SUFFIX} file. "
            f"Received: '{named}'."
        )
    return model.load(named, scale if scale in scales else scales[-1])
