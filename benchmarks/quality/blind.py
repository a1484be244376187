"""Which of two enlargements is better, judged without knowing which is which?

    python -m benchmarks.quality.blind make FOLDER SHEET [--pair photo bicubic ...] [--scale 4]
    python -m benchmarks.quality.blind count SHEET --judge "a user"

`make` enlarges a detailed window of every picture of FOLDER by both ways of each pair, shuffles the
pairs and their sides, and writes `page-01.png`, ... with numbered rows, `answers.csv` to be filled
in (left, right or same) and `key.json`, which nobody reads before all answers are given. `count`
counts the answers by the key and gives the sign test's p: how often so clear a preference, or a
clearer one, comes of pairs that are no better either way. Ways: bicubic, a shipped network, or
`photo:0.5` for a network with that strength.
"""

import csv
import json
import secrets
from pathlib import Path

import click
import cv2
import numpy as np
from gantools.apps.superres.evaluation.evaluate import sharp_pictures
from gantools.apps.superres.resolver import SuperResolver
from scipy.stats import binomtest

from benchmarks.rows import append
from gantools.data import pictures
from gantools.data.resample import resize

WINDOW, GAP, ROWS = 80, 12, 4  # side of a window before enlarging; between sides; rows of a page
PAIRS = (("photo", "bicubic"), ("photo", "fast"), ("photo:1", "photo"))
ANSWERS = ("left", "right", "same")


def way(name, scale):
    """Return a callable, small picture -> enlarged one."""
    if name == "bicubic":
        return lambda low: resize(low, scale)
    model, _, strength = name.partition(":")
    return SuperResolver(model, scale=scale, strength=float(strength) if strength else None)


def window(pixels, random):
    """Return a square cut of a picture: a random one of the quarter with the strongest edges."""
    height, width = pixels.shape[:2]
    side = min(WINDOW, height, width)
    edges = np.abs(cv2.Laplacian(pixels.mean(axis=2), cv2.CV_64F))
    total = cv2.boxFilter(edges, -1, (side, side), anchor=(0, 0), borderType=cv2.BORDER_REFLECT)
    total = total[: height - side + 1, : width - side + 1]
    places = np.argwhere(total >= np.quantile(total, 0.75))
    top, left = places[random.integers(len(places))]
    return pixels[top : top + side, left : left + side]


def row(number, left, right):
    """Return one numbered row of a page, both sides at 100 %."""
    height, width = left.shape[:2]
    page = np.full((height + 24, 2 * width + GAP, 3), 255, np.uint8)
    page[24:, :width], page[24:, width + GAP :] = left, right
    cv2.putText(page, str(number), (4, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 1)
    return page


def stacked(rows):
    """Return rows below one another, the narrow ones filled up with white."""
    widest = max(r.shape[1] for r in rows)
    wide = (((0, 0), (0, widest - r.shape[1]), (0, 0)) for r in rows)
    return np.concatenate(
        [np.pad(r, w, constant_values=255) for r, w in zip(rows, wide, strict=True)]
    )


def sign_test(wins, losses):
    """Return the two-sided p of the sign test; pairs that are the same do not count."""
    return float(binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0


@click.group()
def main():
    """Make and count sheets of shuffled pairs."""


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("out", metavar="SHEET", type=click.Path(path_type=Path))
@click.option("--pair", "pairs", type=(str, str), multiple=True, default=PAIRS, show_default=True)
@click.option("--scale", default=4, show_default=True)
def make(folder, out, pairs, scale):
    """Write the pages, the answers to fill in, and the key."""
    if out.exists():
        raise click.UsageError(f"{out} is there already, and may be judged. Give another SHEET.")
    out.mkdir(parents=True)
    seed = secrets.randbits(64)
    random = np.random.default_rng(seed)
    ways = {name: way(name, scale) for pair in pairs for name in pair}
    tasks = [(*file, pair) for file in sharp_pictures(folder, 1) for pair in pairs]
    key, rows = [], []
    for name, pixels, pair in (tasks[i] for i in random.permutation(len(tasks))):
        low = np.ascontiguousarray(window(pixels, random))
        left, right = pair if random.integers(2) else pair[::-1]
        key.append({"file": name, "left": left, "right": right})
        rows.append(row(len(key), ways[left](low), ways[right](low)))
    for number, i in enumerate(range(0, len(rows), ROWS), 1):
        sheet = pictures.Picture(stacked(rows[i : i + ROWS]))
        pictures.write(out / f"page-{number:02d}.png", sheet)
    kept = {"folder": folder.name, "seed": seed, "scale": scale, "pairs": key}
    (out / "key.json").write_text(json.dumps(kept))
    with (out / "answers.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("number", "better"), *((i + 1, "") for i in range(len(key)))])
    click.echo(f"{len(key)} pairs in {out}. Fill in answers.csv: {', '.join(ANSWERS)}.")


@main.command()
@click.argument("out", metavar="SHEET", type=click.Path(exists=True, path_type=Path))
@click.option("--judge", required=True, help="Who judged: a maker, a user, a stranger.")
def count(out, judge):
    """Count the answers of a sheet by its key, and keep them."""
    kept = json.loads((out / "key.json").read_text())
    with (out / "answers.csv").open(encoding="utf-8", newline="") as file:
        given = [line["better"].strip().lower() for line in csv.DictReader(file)]
    if len(given) != len(kept["pairs"]) or set(given) - set(ANSWERS):
        raise click.UsageError(f"Every number needs one of {', '.join(ANSWERS)} in answers.csv.")
    found = {}
    for one, answer in zip(kept["pairs"], given, strict=True):
        pair = tuple(sorted((one["left"], one["right"])))
        chosen = one.get(answer, "same")
        found.setdefault(pair, []).append({"file": one["file"], "better": chosen})
    for pair, answers in found.items():
        wins, losses = (sum(a["better"] == name for a in answers) for name in pair)
        p = sign_test(wins, losses)
        same = len(answers) - wins - losses
        click.echo(f"{pair[0]} {wins}, {pair[1]} {losses}, same {same}, sign test p {p:.3g}")
        append(
            "blind", pair=pair, better=[wins, losses], same=same, p=round(p, 5), judge=judge,
            folder=kept["folder"], scale=kept["scale"], seed=kept["seed"], answers=answers,
        )  # fmt: skip


if __name__ == "__main__":
    main()
