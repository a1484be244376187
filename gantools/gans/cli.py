"""The commands `train`, `sample` and `zoo`."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from gantools.errors import DONE, INTERRUPTED
from gantools.quiet import import_core

PATH = click.Path(path_type=Path)
DEFAULT_MINUTES = 30.0
COLUMNS = 8  # samples in a row of an interpolation


@click.command()
@click.argument("game")
@click.option(
    "--data", type=PATH, required=True, help="Folder of pictures, .npz, .npy or idx file."
)
@click.option("-o", "--out", type=PATH, required=True, help="Folder of the run.")
@click.option("--size", default="small", show_default=True, help="Size of the networks; see zoo.")
@click.option("--resolution", type=click.IntRange(4), help="Crop and resize to N x N pixels.")
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Limit of training time  [default: 30]",
)
@click.option("--steps", type=click.IntRange(1), help="Limit in cycles, instead or as well.")
@click.option("--batch", type=click.IntRange(1), help="Pictures in a minibatch.")
@click.option("--precision", type=click.Choice(["float32", "bfloat16"]), default="float32",
              show_default=True, help="bfloat16 is faster where the processor has it.")  # fmt: skip
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Of weights, latents and data order.",
)
@click.option("--fresh", is_flag=True, help="Delete the run in --out and start over.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as one JSON object.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.pass_context
def train(
    ctx, game, data, out, size, resolution, minutes, steps, batch, precision, seed, fresh, as_json,
    quiet,
):  # fmt: skip
    """Train a game on pictures, or go on with a run.

    GAME is a name that `gantools zoo` lists. The same command again goes on where the run stands,
    also after a power cut; --minutes and --steps count from the run's beginning. Ctrl-C finishes
    the cycle and saves.

    \b
    Examples:
      gantools train dcgan --data photos/ --resolution 32 --out run/ --minutes 15
      gantools train r3gan --data digits.npz --out run/ --steps 20000
    """
    from gantools.registry import check_size

    check_size(game, size)  # before seconds of loading
    from gantools.data.folders import load_images

    say = _silent if quiet else _to_stderr
    dataset = load_images(data, resolution)
    for name, reason in dataset.skipped:
        say(f"Skipped {name}: {reason}")
    import_core()
    from gantools.gans import progress, run

    limit = DEFAULT_MINUTES if minutes is None and steps is None else minutes
    outcome = run.train(
        game,
        dataset,
        out,
        budget=run.Budget(limit, steps),
        size=size,
        seed=seed,
        batch=batch,
        precision=precision,
        fresh=fresh,
        say=say,
        progress=None if quiet else progress.Progress,
    )
    say(f"{outcome.cycles} cycles, {outcome.images} images, {outcome.seconds:.0f} s: {out}")
    if outcome.interrupted:
        say("Interrupted: the state is saved, the same command goes on.")
    if as_json:
        click.echo(json.dumps({"schema": 1, "out": str(out), **asdict(outcome)}))
    ctx.exit(INTERRUPTED if outcome.interrupted else DONE)


@click.command()
@click.argument("run", type=PATH)
@click.option("-n", "count", type=click.IntRange(1), default=64, show_default=True, help="Samples.")
@click.option("-o", "--out", type=PATH, required=True, help="The picture, PNG or another format.")
@click.option("--interpolate", is_flag=True, help="Each row goes from one latent to another.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the latents."
)
@click.option("--overwrite", is_flag=True, help="Replace the picture if it exists.")
def sample(run, count, out, interpolate, seed, overwrite):
    """Draw samples of a trained run as one picture.

    RUN is the folder of a run; its averaged generator is used where the game has one. The same
    seed gives the same samples.

    \b
    Examples:
      gantools sample run/ -o grid.png
      gantools sample run/ -n 40 --interpolate --seed 7 -o between.png
    """
    from gantools.data import pictures
    from gantools.errors import UserError

    if out.exists() and not overwrite:
        raise UserError(f"{out} exists. Give --overwrite to replace it, or another name.")
    pictures.check_writable(out, 1, 1, 3)
    import_core()
    from gantools.core.callbacks import picture_grid
    from gantools.gans.run import open_run
    from gantools.gans.sampling import interpolated

    model, _ = open_run(run)
    samples = (
        interpolated(model, count, seed, COLUMNS) if interpolate else model.sample(count, seed)
    )
    grid = picture_grid(samples, COLUMNS if interpolate else None)
    pictures.write(out, pictures.Picture(grid))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
def zoo(as_json):
    """List the games with their papers and sizes.

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
        click.echo(f"{game['name']:{width}}  {game['title']} ({game['source']}; {sizes})")


def _to_stderr(line: str) -> None:
    click.echo(line, err=True)


def _silent(line: str) -> None:
    return
