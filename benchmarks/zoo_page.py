"""docs/zoo.md from the registry: what each game is, how it differs, what was measured.

    python -m benchmarks.zoo_page          write docs/zoo.md
    python -m benchmarks.zoo_page --check  exit code 1 if it is not what would be written

Pictures are docs/zoo/NAME.png where there is one, made by `--sheets docs/zoo` and `--pictures
docs/zoo` of the benchmarks. Figures are the mean and the deviation over the seeds of a game's
newest rows, limits those of `benchmarks.acceptance`.
"""

import ast
import statistics
from importlib.util import find_spec
from pathlib import Path

import click

from benchmarks import acceptance
from benchmarks.rows import newest
from gantools.registry import GAMES, describe_games

ROOT = Path(__file__).parents[1]
PAGE, PICTURES = ROOT / "docs" / "zoo.md", ROOT / "docs" / "zoo"
RESULTS = ("conditional", "translation", "gallery")
TASKS = {  # other tasks of the benchmarks, and whose figures they are
    "cyclegan without cycle": "cyclegan",
    "discogan without recon": "discogan",
    "toy": "discogan",
    "toy without recon": "discogan",
}
SETTINGS = {"game", "seed", "minutes", "limit", "pictures", "seconds", "of"}
DATA = {
    "pictures": "pictures",
    "labelled": "pictures with labels",
    "pairs": "pairs of pictures",
    "domains": "two sets of pictures",
}
INTRODUCTION = """# The zoo

Every game is one file of `gantools/gans`, named like its paper, and trains by `gantools train
NAME`. Sizes: `tiny` for tests, `small` for a CPU, `paper` with the published networks and numbers,
but for what an entry lists under "Differs from the paper": `discogan` is that of its code, the
encoder of `f_anogan` is trained by `gantools anomaly` only, and `restorer` was published nowhere.
This page is made by `python -m benchmarks.zoo_page`.

Said right, since many articles do not: the generator of the original game *descends* E log(1 -
D(G(z))), or ascends E log D(G(z)) in the non-saturating form; the discriminator always maximises
the value, and that it "gets worse" is an outcome; "acGAN" names two systems, the
auxiliary-classifier GAN (arXiv 1610.09585, here `acgan`) and Age-cGAN (arXiv 1702.01983); samples
that "cannot be told apart" cannot be told apart by a discriminator of that capacity.
"""
STACKED = """## A thousand modes

Three digits in the channels of one picture, a thousand classes; 26 000 samples read by a classifier
(`python -m benchmarks.quality.stacked --data FOLDER`, a number a seed). Real pictures have {0}
modes and a KL of {1:.2f}. All share DCGAN's small networks without normalisation, but for `r3gan`,
the small game of that name, whose generator has batch norm; "relativistic + R1 + R2" is its
objective without that, "narrow residual networks" are the paper's made small.
"""


def page() -> str:
    """Return the text of docs/zoo.md."""
    figures = measured()
    parts = [INTRODUCTION]
    for game in describe_games():
        if game["name"] in GAMES:
            tasks = [name for name, of in TASKS.items() if of == game["name"]]
            parts.append(_entry(game, [(t, figures.get(t, [])) for t in (game["name"], *tasks)]))
    return "\n".join([*parts, *_stacked()])


def _stacked():
    """Return the section on a thousand modes: the newest row of each time, recipe and seed."""
    rows, table = newest("stacked", "minutes", "recipe", "seed"), {}
    for row in rows:
        table.setdefault((row["minutes"], row["recipe"]), []).append(row)
    cells = [
        (
            recipe, f"{minutes:g}", ", ".join(str(row["cycles"]) for row in rows),
            ", ".join(str(row["modes"]) for row in rows),
            ", ".join(f"{row['kl']:.2f}" for row in rows),
        )
        for (minutes, recipe), rows in table.items()
    ]  # fmt: skip
    lines = [STACKED.format(*rows[0]["real"])]
    lines += [
        "| recipe | minutes of one core | cycles | modes | KL, nats |",
        "|---|---|---|---|---|",
    ]
    return [*lines, *(f"| {' | '.join(cell)} |" for cell in cells), ""]


def measured() -> dict[str, list[list[dict]]]:
    """Return game or task -> its newest row of each seed, a list for each of `RESULTS`."""
    found = {}
    for name in RESULTS:
        for game, rows in acceptance.measured(name).items():
            found.setdefault(game, []).append(rows)
    return found


def _entry(game, figures):
    module = GAMES[game["name"]].partition(":")[0]
    text = ast.get_docstring(ast.parse(Path(find_spec(module).origin).read_text(encoding="utf-8")))
    lines = [
        f"## {game['name']}",
        "",
        f"{game['title']}, {game['source']}. Trains on {DATA[game['data']]}; sizes "
        f"{', '.join(game['sizes'])}.",
        "",
        text,
        "",
    ]
    if (PICTURES / f"{game['name']}.png").exists():
        lines += [f"![Samples of {game['name']}](zoo/{game['name']}.png)", ""]
    for task, measurements in figures:
        for rows in measurements:
            lines += _figures(rows, "" if task == game["name"] else f" (`{task}`)")
    return "\n".join(lines)


def _figures(rows, task=""):
    numbers = {
        key: [row[key] for row in rows if isinstance(row.get(key), int | float)]
        for key in rows[0]
        if key not in SETTINGS
    }
    numbers = {key: values for key, values in numbers.items() if len(values) == len(rows)}
    if not numbers:
        return []
    seeds = f"{len(rows)} seed" + ("s" if len(rows) > 1 else "")
    lines = [f"Measured{task}, {seeds}: `{rows[0]['command']}`", ""]
    lines += ["| figure | mean | deviation | limit |", "|---|---|---|---|"]
    for key, values in numbers.items():
        spread = f"{statistics.stdev(values):.3g}" if len(values) > 1 else ""
        cells = (key.replace("_", " "), f"{statistics.mean(values):.4g}", spread, _limit(rows, key))
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _limit(rows, figure):
    """Return what `figure` must reach, as `benchmarks.acceptance` asks it, and who does not."""
    for games in acceptance.known().values():
        rule = games.get(rows[0]["game"], {})
        if rule.get("setting") == acceptance.setting(rows[0]) and figure in rule["figures"]:
            one = rule["figures"][figure]
            short = sum(acceptance.missed(row[figure], one) for row in rows)
            told = f", missed by {short} of {len(rows)} seeds" if short else ""
            return f"at {'least' if one['higher'] else 'most'} {one['limit']:.4g}{told}"
    return ""


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; fail if the page is stale.")
@click.pass_context
def main(ctx, check):
    """Write docs/zoo.md, or check it."""
    text = page()
    if check:
        ctx.exit(0 if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text else 1)
    PAGE.write_text(text, encoding="utf-8")
    click.echo(f"{PAGE.relative_to(ROOT)}: {text.count(chr(10))} lines")


if __name__ == "__main__":
    main()
