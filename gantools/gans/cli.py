"""The commands `train`, `sample`, `translate` and `zoo`."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from gantools.errors import DONE, INTERRUPTED, SOME_FAILED
from gantools.options import MINUTES
from gantools.quiet import import_core
from gantools.record import LARGEST_SEED

PATH = click.Path(path_type=Path)
SEED = click.IntRange(0, LARGEST_SEED)
DEFAULT_MINUTES = 30.0
COLUMNS = 8  # samples in a row of an interpolation


@click.command()
@click.argument("game")
@click.option(
    "--data", type=PATH, required=True, help="Folder of pictures, .npz, .npy or idx file."
)
@click.option("--side-by-side", is_flag=True, help="Pairs: a is the left half, b the right half.")
@click.option("-o", "--out", type=PATH, required=True, help="Folder of the run.")
@click.option("--size", default="small", show_default=True, help="Size of the networks; see zoo.")
@click.option("--resolution", type=click.IntRange(4), help="Crop and resize to N x N pixels.")
@click.option("--minutes", type=MINUTES, help="Limit of training time  [default: 30]")
@click.option("--steps", type=click.IntRange(1), help="Limit in cycles, instead or as well.")
@click.option("--batch", type=click.IntRange(1), help="Pictures in a minibatch.")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), default="float32",
              show_default=True, help="bfloat16 is faster where the processor has it.")  # fmt: skip
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    help="Of weights, latents and data order.",
)
@click.option("--set", "words", multiple=True, metavar="NAME=VALUE",
              help="A setting of the game, as objective=minimax; may be repeated.")  # fmt: skip
@click.option("--devices", help="Number of devices, or all; PyTorch: what torchrun started.")
@click.option("--on-alarm", type=click.Choice(["warn", "stop", "rollback"]), default="warn",
              show_default=True, help="What to do when the run is unhealthy.")  # fmt: skip
@click.option("--fresh", is_flag=True, help="Delete the run in --out and start over.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress, warnings only.")
@click.pass_context
def train(
    ctx, game, data, side_by_side, out, size, resolution, minutes, steps, batch, precision, seed,
    words, devices, on_alarm, fresh, as_json, quiet,
):  # fmt: skip
    """Train a game on pictures, or go on with a run.

    GAME is a name that `gantools zoo` lists, with what it trains on. Games of pairs (equal file
    names) and of domains take a folder that holds the folders a and b.

    The same command again goes on where the run stands, also after a power cut; --minutes and
    --steps count from the run's beginning. Ctrl-C finishes the cycle and saves.

    \b
    Examples:
      gantools train dcgan --data photos/ --resolution 32 --out run/ --minutes 15
      gantools train r3gan --data digits.npz --out run/ --steps 20000
      gantools train pix2pix --data maps/ --resolution 64 --out run/
      gantools train gan --set objective=minimax --set k=2 --data digits.npz --out run/
    """
    from gantools.registry import check_size, data_kind

    check_size(game, size)  # before seconds of loading
    kind = data_kind(game)
    from gantools.gans import folder, material

    overrides = folder.parse_set(words)
    folder.refuse_inside(out, data)
    say = _silent if quiet else _to_stderr
    samples = material.load(kind, data, resolution, side_by_side=side_by_side)
    for name, reason in samples.skipped:
        _to_stderr(f"Skipped {name}: {reason}")
    import_core()
    from gantools.core import parallel
    from gantools.gans import progress, run

    limit = DEFAULT_MINUTES if minutes is None and steps is None else minutes
    with parallel.spread(devices):
        outcome = run.train(
            game,
            samples,
            out,
            budget=run.Budget(limit, steps),
            size=size,
            seed=seed,
            batch=batch,
            precision=precision,
            overrides=overrides,
            fresh=fresh,
            on_alarm=on_alarm,
            say=say,
            warn=_to_stderr,
            progress=None if quiet else progress.Progress,
        )
    ctx.exit(_tell(outcome, out, as_json, say))


@click.command()
@click.argument("run", type=PATH)
@click.option("-n", "count", type=click.IntRange(1), default=64, show_default=True, help="Samples.")
@click.option("-o", "--out", type=PATH, required=True, help="The picture, PNG or another format.")
@click.option("--interpolate", is_flag=True, help="Whole rows of 8 from one latent to another.")
@click.option("--class", "asked", metavar="CLASS",
              help="Of this class only: its name, or 0 for the first; else in order.")  # fmt: skip
@click.option("--seed", type=SEED, default=0, show_default=True, help="Of the latents.")
@click.option("--overwrite", is_flag=True, help="Replace the picture if it exists.")
def sample(run, count, out, interpolate, asked, seed, overwrite):
    """Draw samples of a trained run as one picture.

    RUN is the folder of a run; its averaged generator is used where the game has one. The same
    seed gives the same samples.

    \b
    Examples:
      gantools sample run/ -o grid.png
      gantools sample run/ -n 40 --interpolate --seed 7 -o between.png
      gantools sample run/ -n 16 --class 7 -o sevens.png
    """
    from gantools.data import pictures
    from gantools.errors import UserError

    if out.exists() and not overwrite:
        raise UserError(f"{out} exists. Give --overwrite to replace it, or another name.")
    pictures.check_writable(out, 1, 1, 3)
    import_core()
    from gantools.core.callbacks import picture_grid
    from gantools.gans.folder import open_run
    from gantools.gans.sampling import interpolated, of_class
    from gantools.gans.translate import translators

    model, kept = open_run(run)
    if translators(model):
        raise UserError(
            f"{run} translates pictures. Give it some with `gantools translate`, or look at "
            f"{run / 'samples'}."
        )
    names = kept.settings.get("class_names", ())
    given = {} if asked is None else of_class(model, asked, names)
    if interpolate:
        samples = interpolated(model, count, seed, COLUMNS, **given)
    else:
        samples = model.sample(count, seed, **given)
    grid = picture_grid(samples, COLUMNS if interpolate else None)
    pictures.write(out, pictures.Picture(grid))


@click.command()
@click.argument("run", type=PATH)
@click.argument("inputs", nargs=-1, required=True, type=PATH)
@click.option("-o", "--out", type=PATH, required=True, help="The picture, or a folder for several.")
@click.option("--to", type=click.Choice(["b", "a"]), default="b", show_default=True,
              help="The kind of pictures to make.")  # fmt: skip
@click.option("--resolution", type=click.IntRange(8), help="Crop and resize to N x N pixels first.")
@click.option("--overwrite", is_flag=True, help="Replace pictures that exist.")
@click.option("-q", "--quiet", is_flag=True, help="Do not name the pictures.")
@click.pass_context
def translate(ctx, run, inputs, out, to, resolution, overwrite, quiet):
    """Turn pictures of one kind into the other with a trained run.

    RUN is the folder of a run of pix2pix, cyclegan or discogan, or of one that enlarges (srgan,
    esrgan) or restores (restorer, skip_ganomaly). INPUTS are pictures or folders of them, of any
    size that memory allows; they look best at the size that the run was trained on.

    \b
    Examples:
      gantools translate run/ photo.png -o painting.png
      gantools translate run/ paintings/ -o photos/ --to a
    """
    from gantools.gans import translate as ways

    jobs = ways.plan(inputs, out, overwrite)
    import_core()
    from gantools.gans.folder import open_run

    network = ways.translator(open_run(run)[0], to)
    say = _silent if quiet else _to_stderr
    ctx.exit(ways.translate_files(network, jobs, resolution, say, _to_stderr))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def zoo(as_json):
    """List the games with their papers, sizes and what they train on.

    \b
    Examples:
      gantools zoo
      gantools zoo --json
    """
    from gantools.registry import describe_games

    games = describe_games()
    if as_json:
        click.echo(json.dumps({"schema": 1, "games": games}, indent=2))
        return
    width = max(len(game["name"]) for game in games)
    for game in games:
        sizes = ", ".join(game["sizes"])
        about = f"{game['source']}; {sizes}; {game['data']}"
        click.echo(f"{game['name']:{width}}  {game['title']} ({about})")


def _tell(outcome, out: Path, as_json: bool, say) -> int:
    """Tell what came out of a start of training and return the exit code."""
    end = f", stopped by an alarm: {outcome.stopped}" if outcome.stopped else ""
    if outcome.restored is not None:
        end = f", the state from before an alarm: {outcome.stopped}"
    say(f"{outcome.cycles} cycles, {outcome.images} images, {outcome.seconds:.0f} s: {out}{end}")
    if outcome.interrupted:
        _to_stderr("Interrupted: the state is saved, the same command goes on.")
    if as_json:
        click.echo(json.dumps({"schema": 1, "out": str(out), **asdict(outcome)}))
    if outcome.interrupted:
        return INTERRUPTED
    return SOME_FAILED if outcome.stopped else DONE


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)


def _silent(line: str) -> None:
    return
