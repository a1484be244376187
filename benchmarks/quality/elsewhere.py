"""The shipped networks on pictures of other people and on drawn ones, beside bicubic and Lanczos.

    python -m benchmarks.quality.elsewhere [--scale 4]

Neither lies in the folders that networks are trained, chosen or usually measured on: photographs,
textures, micrographs and a page that come with scikit-image, and a page of letters and a chart that
are drawn here. Writes docs/pictures/elsewhere.png (four crops) and docs/pictures/worst.png (the
crop that the default network got worst), in columns bicubic, `fast`, `photo`, original, and prints
which picture gains least.
"""

import tempfile
from pathlib import Path

import click
import cv2
import numpy as np
from gantools.apps.superres.evaluation.evaluate import METHODS, evaluate, mean
from gantools.apps.superres.evaluation.page import Worst
from gantools.apps.superres.model import load, shipped
from gantools.apps.superres.options import MODEL
from gantools.apps.superres.upscaler import Upscaler

from benchmarks.rows import append
from gantools.data import pictures

DOCS = Path(__file__).parents[2] / "docs" / "pictures"
NAMES = (
    "brick", "camera", "chelsea", "coffee", "coins", "grass", "gravel", "ihc", "moon",
    "motorcycle_left", "page", "retina", "rocket", "text",
)  # fmt: skip
SHOWN = ("chelsea.png", "coffee.png", "drawn_page.png", "rocket.jpg")
CROP = 160
COLUMNS = ("bicubic", "fast", "photo", "original")
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "13", "lazy", "dogs;", "pay", "47.90")


def drawn_page(side=512):
    """Return a page of letters of several sizes, black on paper, `(side, side, 3)` uint8."""
    page, random = np.full((side, side, 3), (244, 246, 240), np.uint8), np.random.default_rng(0)
    y = 20
    while y < side - 10:
        size = random.uniform(0.35, 0.9)
        line = " ".join(random.choice(WORDS, 9))
        cv2.putText(
            page, line, (12, y), cv2.FONT_HERSHEY_DUPLEX, size, (20, 22, 30), 1, cv2.LINE_AA
        )
        y += int(36 * size) + 6
    return page


def drawn_chart(side=512):
    """Return a chart of lines, points and bars on a grid, `(side, side, 3)` uint8."""
    chart, random = np.full((side, side, 3), 255, np.uint8), np.random.default_rng(1)
    for at in range(32, side, 48):
        cv2.line(chart, (at, 16), (at, side - 16), (225, 225, 225), 1)
        cv2.line(chart, (16, at), (side - 16, at), (225, 225, 225), 1)
        cv2.putText(chart, str(at), (at - 10, side - 4), 0, 0.35, (60, 60, 60), 1, cv2.LINE_AA)
    for colour in ((40, 90, 200), (200, 80, 40), (40, 150, 80)):
        ys = side / 2 + np.cumsum(random.normal(0, 9, 60))
        points = np.stack([np.linspace(24, side - 24, 60), ys], axis=1).astype(int)
        cv2.polylines(chart, [points], False, colour, 2, cv2.LINE_AA)
        for x, y in points[::6]:
            cv2.circle(chart, (int(x), int(y)), 4, colour, -1, cv2.LINE_AA)
    return chart


def gather(folder):
    """Write the sharp pictures into a folder."""
    import skimage

    source = Path(skimage.__file__).parent / "data"
    for name in NAMES:
        file = next(path for path in source.glob(f"{name}.*") if path.suffix in (".png", ".jpg"))
        (folder / file.name).write_bytes(file.read_bytes())
    for name, pixels in (("drawn_page", drawn_page()), ("drawn_chart", drawn_chart())):
        pictures.write(folder / f"{name}.png", pictures.Picture(pixels))


def sheet(places, kept):
    """Return crops side by side: a row for each `(name, y, x)`, the same columns in each."""
    gap, rows = np.full((CROP, 6, 3), 255, np.uint8), []
    for name, y, x in places:
        cells = [kept[name][column][y : y + CROP, x : x + CROP] for column in COLUMNS]
        rows.append(np.concatenate([part for cell in cells for part in (cell, gap)][:-1], axis=1))
    line = np.full((6, rows[0].shape[1], 3), 255, np.uint8)
    return np.concatenate([part for row in rows for part in (row, line)][:-1])


def worst_place(name, columns, column):
    """Return `(error, name, y, x)` of the window of `CROP` that a column got worst."""
    judge, results = Worst(1, CROP), {"network": columns[column]}
    judge.add(name, columns["original"], results | dict.fromkeys(METHODS[1:], columns["bicubic"]))
    (crop,) = judge.crops
    return crop.errors["network"], name, crop.at[1], crop.at[0]


@click.command()
@click.option("--scale", default=4, show_default=True, type=click.Choice(["2", "4"]))
def main(scale):
    """Measure the shipped networks of one scale, and make the pictures of the docs at x4."""
    scale, kept = int(scale), {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        gather(folder)
        for network in [n for n, s in shipped() if s == scale and not n.endswith("-gan")]:

            def seen(name, high, results, network=network):
                mine = kept.setdefault(name, {"original": high, "bicubic": results["bicubic"]})
                mine[network] = results["network"]

            scores = evaluate(folder, Upscaler(load(network, scale)), seen=seen)
            least = min(scores, key=lambda score: score.gain)
            for method in ("network", "bicubic", "lanczos"):
                row = getattr(mean(scores), method)
                label = f"{network} x{scale}" if method == "network" else method
                click.echo(
                    f"{label:10} PSNR-Y {row.psnr:6.2f} SSIM-Y {row.ssim:.4f} NIQE {row.niqe:5.2f} "
                    f"spectrum {row.spectrum:5.2f} dB"
                )
            click.echo(f"  least gain: {least.name} {least.gain:+.2f} dB")
            append(
                "elsewhere", network=network, scale=scale,
                pictures={s.name: [round(s.network.psnr, 2), round(s.bicubic.psnr, 2),
                                   round(s.lanczos.psnr, 2)] for s in scores},
                psnr_y=round(mean(scores).network.psnr, 3),
                bicubic_psnr_y=round(mean(scores).bicubic.psnr, 3),
                lanczos_psnr_y=round(mean(scores).lanczos.psnr, 3), least=least.name,
            )  # fmt: skip
    if scale == 4:
        worst = max(worst_place(name, columns, MODEL) for name, columns in kept.items())
        click.echo(f"worst crop: {worst[1]} at {worst[3]}, {worst[2]}")
        shown = [worst_place(name, kept[name], "bicubic")[1:] for name in SHOWN]
        for file, chosen in (("elsewhere", shown), ("worst", [worst[1:]])):
            picture = pictures.Picture(sheet(chosen, kept))
            pictures.write(DOCS / f"{file}.png", picture, level=9)


if __name__ == "__main__":
    main()
