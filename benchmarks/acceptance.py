"""What a game must reach, and whether its newest measurement reaches it.

    python -m benchmarks.acceptance        compare the newest rows; exit code 6 if one falls short
    python -m benchmarks.acceptance --set  set the limits anew by the newest rows of three seeds

A limit is the mean of the seeds less two deviations, what is better being up, and never weaker than
the baseline that `GOALS` names: a figure of a cheaper way, chance, or real pictures. Limits lie in
`results/limits.json` and hold for one setting (minutes or cycles) only.
"""

import json
import statistics
from dataclasses import dataclass

import click

from benchmarks.rows import RESULTS, newest
from gantools.errors import REQUIREMENT

LIMITS = RESULTS / "limits.json"
SEEDS, DEVIATIONS = 3, 2


@dataclass(frozen=True)
class Goal:
    """One figure of a game.

    Attributes:
        figure: Its name in the rows.
        baseline: A number, or the name of a figure whose mean is `times` it, `more` added.
        higher: Whether higher is better.
        of: Game or task whose rows have the baseline; None: the game's own.
    """

    figure: str
    baseline: float | str
    higher: bool = True
    times: float = 1.0
    more: float = 0.0
    of: str | None = None


_CHANCE = 0.1  # of ten classes
_TOLD = (
    Goal("agreement", _CHANCE),
    Goal("ssim_within", "ssim_within_real", higher=False, more=0.1),
    Goal("frechet", "frechet_marginal", higher=False, times=0.5),
)
_INVERTED = (
    Goal("agreement", _CHANCE),
    Goal("squared_error", "squared_error_mean_picture", higher=False),
)
GOALS = {  # file of results: game or task: goals
    "conditional": {
        "cgan": _TOLD,
        "acgan": _TOLD,
        "infogan": (
            Goal("agreement", _CHANCE),
            Goal("frechet", "frechet_marginal", higher=False, times=0.5),
        ),
        "bigan": _INVERTED,
        "ali": _INVERTED,
        "stylegan": (
            Goal("digit_of_coarse", "digit_by_chance"),
            Goal("ink_of_fine", "ink_by_chance"),
            Goal("frechet", "frechet", higher=False, times=1.1, of="dcgan"),
        ),
    },
    "translation": {
        "pix2pix": (Goal("psnr", "psnr_mean_image"), Goal("agreement", _CHANCE)),
        "cyclegan": (
            Goal("read_as_edges", "read_as_edges", of="cyclegan without cycle"),
            Goal("cycle_psnr", "cycle_psnr", of="cyclegan without cycle"),
        ),
        "discogan": (
            Goal("read_as_edges", "read_as_edges", of="discogan without recon"),
            Goal("cycle_psnr", "cycle_psnr", of="discogan without recon"),
        ),
        "toy": (Goal("modes", "modes", of="toy without recon"),),
    },
}


def setting(row) -> str:
    """Return what a row was limited by: minutes or cycles."""
    return row.get("limit") or f"--minutes {row['minutes']:g}"


def measured(name) -> dict[str, list[dict]]:
    """Return game -> the newest rows of its seeds that share the newest row's setting."""
    found = {}
    for row in newest(name, "game", "seed"):
        found.setdefault(row["game"], []).append(row)
    return {
        game: [row for row in rows if setting(row) == setting(rows[-1])]
        for game, rows in found.items()
    }


def limits(name, rows) -> dict[str, dict]:
    """Return game -> the setting, and the limit and the baseline of each figure.

    Args:
        name: Of the results, a key of `GOALS`.
        rows: As `measured` gives them.
    """
    found = {}
    for game, goals in GOALS[name].items():
        own = rows.get(game, [])
        if len(own) < SEEDS:
            continue
        made = {goal.figure: _limit(goal, own, rows) for goal in goals}
        found[game] = {"setting": setting(own[0]), "figures": {k: v for k, v in made.items() if v}}
    return found


def _limit(goal, own, rows):
    """Return `{"limit", "baseline", "higher"}`, or None where the baseline was not measured."""
    baseline = goal.baseline
    if isinstance(baseline, str):
        values = [row[baseline] for row in (rows.get(goal.of, []) if goal.of else own)]
        if not values:
            return None
        baseline = statistics.mean(values) * goal.times + goal.more
    values = [row[goal.figure] for row in own]
    spread = DEVIATIONS * statistics.stdev(values)
    if goal.higher:
        limit = max(statistics.mean(values) - spread, baseline)
    else:
        limit = min(statistics.mean(values) + spread, baseline)
    return {"limit": round(limit, 4), "baseline": round(baseline, 4), "higher": goal.higher}


def known() -> dict[str, dict]:
    """Return the limits that are set: result -> what `limits` gave."""
    return json.loads(LIMITS.read_text(encoding="utf-8"))


def missed(value, one) -> bool:
    """Return whether a figure is beyond its limit, as `limits` gives it."""
    return value < one["limit"] if one["higher"] else value > one["limit"]


def short(game, rule, rows) -> list[str]:
    """Return a sentence for each figure of `rows` that is beyond its limit.

    Args:
        game: Its name.
        rule: What `limits` says of the game.
        rows: Its rows of the same setting.
    """
    told = []
    for figure, one in rule["figures"].items():
        for row in rows:
            if missed(row[figure], one):
                wanted = f"at {'least' if one['higher'] else 'most'} {one['limit']:g}"
                found = f"{figure} {row[figure]:g}"
                told.append(f"{game} seed {row['seed']}: {found}, expected {wanted}")
    return told


@click.command()
@click.option("--set", "anew", is_flag=True, help="Set the limits by the newest rows.")
@click.pass_context
def main(ctx, anew):
    """Compare the newest rows of every game with its limits."""
    rows = {name: measured(name) for name in GOALS}
    if anew:
        text = json.dumps({name: limits(name, rows[name]) for name in GOALS}, indent=1)
        LIMITS.write_text(text + "\n", encoding="utf-8")
    told = []
    for name, games in known().items():
        for game, rule in games.items():
            own = [row for row in rows[name].get(game, []) if setting(row) == rule["setting"]]
            count = len(rule["figures"])
            click.echo(f"{game}: {len(own)} seeds, {rule['setting']}, {count} limits")
            told += short(game, rule, own)
    for line in told:
        click.echo(line)
    ctx.exit(REQUIREMENT if told else 0)


if __name__ == "__main__":
    main()
