"""Write `apps/superres/weights/README.md`: the cards of the shipped networks and their scores.

    python -m benchmarks.quality.cards

The cards are read from the weight files, the scores from `benchmarks/results/superres.jsonl`.
"""

import json
from pathlib import Path

import click
from gantools.apps.superres.model import SHIPPED, load, shipped

from benchmarks.rows import RESULTS

CURVES = Path(__file__).resolve().parents[2] / "docs" / "curves"
PAGE = SHIPPED / "README.md"
HEAD = """# Shipped networks

Written by `python -m benchmarks.quality.cards` from the files beside it and from
`benchmarks/results/superres.jsonl`. The training pictures, their sources and licences: NOTICE.
"""


def latest_scores():
    """Return the newest row of each network, scale and folder."""
    path = RESULTS / "superres.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    return {(row["network"], row["scale"], row["folder"]): row for row in rows}


def card(name, scale, scores):
    """Return the section of one network, in Markdown."""
    network = load(name, scale)
    weights = sum(array.size for array in network.arrays.values())
    size = f"{weights:,} weights, radius {network.plan.radius} pixels."
    lines = [f"## {name} x{scale}", "", size]
    own = {folder: row for (*who, folder), row in scores.items() if who == [name, scale]}
    if own:
        lines += ["", *table(own)]
    lines += ["", "| | |", "|---|---|"]
    lines += [f"| {key.replace('_', ' ')} | {value} |" for key, value in network.card.items()]
    if (CURVES / f"{name}_x{scale}.png").exists():
        lines += ["", f"![curve](../../../docs/curves/{name}_x{scale}.png)"]
    return "\n".join(lines)


def table(rows):
    """Return the lines of a table of `{folder: row}`, with the figures that all rows hold."""
    known = {"psnr_y": ("PSNR-Y", ".2f"), "ssim_y": ("SSIM-Y", ".4f"), "niqe": ("NIQE", ".2f")}
    known["spectrum_db"] = ("spectrum error, dB", ".2f")
    known["bicubic_psnr_y"] = ("bicubic PSNR-Y", ".2f")
    shown = {key: how for key, how in known.items() if all(key in row for row in rows.values())}
    heads = ["test pictures", *(head for head, _ in shown.values())]
    cells = [
        [folder, *(format(row[key], form) for key, (_, form) in shown.items())]
        for folder, row in rows.items()
    ]
    lines = ["| " + " | ".join(line) + " |" for line in (heads, *cells)]
    return [lines[0], "|" + "---|" * len(heads), *lines[1:]]


def reduced(scores):
    """Return the section of the scales that no network has, as `gantools superres` makes them."""
    lines = [
        "## Other scales",
        "",
        "Made by a network of a larger scale and an exact reduction.",
        "",
    ]
    lines += ["| | test pictures | PSNR-Y | SSIM-Y | bicubic PSNR-Y |", "|---|---|---|---|---|"]
    for (name, scale, folder), row in scores.items():
        if (name, scale) not in shipped() and " --" not in name:
            figures = (row["psnr_y"], row["ssim_y"], row["bicubic_psnr_y"])
            lines.append(
                "| {} x{} | {} | {:.2f} | {:.4f} | {:.2f} |".format(name, scale, folder, *figures)
            )
    return "\n".join(lines)


def page():
    """Return the page of all shipped networks."""
    scores = latest_scores()
    sections = [HEAD, *(card(name, scale, scores) + "\n" for name, scale in shipped())]
    return "\n".join([*sections, reduced(scores) + "\n"])


@click.command()
def main():
    """Write the cards of all shipped networks."""
    PAGE.write_text(page(), encoding="utf-8")
    click.echo(PAGE)


if __name__ == "__main__":
    main()
