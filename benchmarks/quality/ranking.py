"""Which parts should rank? Decided on training and validation pictures, never on test parts.

    python -m benchmarks.quality.ranking DATA [--detector restorer] [--minutes 1] [--keep FOLDER]

Every problem is one class against others: three of MNIST's, Fashion-MNIST's and CIFAR-10's classes
from their training parts, three kinds of steel surface from NEU's training part, PneumoniaMNIST's
validation part, and held-out normal tiles with and without drawn damage. A detector is fitted on
some normals, its parts are scaled by others and judged by a third share. Each candidate is a rule
that was written down beforehand; the table says what each ranks with, and every part alone.
"""

import csv
from pathlib import Path

import click
import cv2
import numpy as np
from gantools.apps.anomaly import loading
from gantools.apps.anomaly.api import Detector
from gantools.apps.anomaly.calibration.parts import PartScales
from gantools.apps.anomaly.fitted import ROWS

from benchmarks.quality.anomaly import load_cifar, load_idx
from benchmarks.quality.judge import scaled
from benchmarks.rows import append
from gantools.data.damage import damage
from gantools.metrics.detection import auroc

CLASSES = (0, 3, 8)
STEEL = ("crazing", "patches", "scratches")
SCALING, NORMALS, OTHERS = 300, 500, 1000
TILE, SHARES, HELD = 160, (0.6, 0.78), 120  # pixels; groups to fit, and to scale; held-out tiles
FIRST = ("ssim", "res_norm_top", "feat", "d_maha", "h_maha", "z_maha", "z_knn", "damaged")
PLACES = ("place_top", "place_mean")
CANDIDATES = {
    "restorer": {
        "all": (*FIRST, "tex_top", "place_top", "knn5", "pca80"),
        "all without rows": (*FIRST, "tex_top", "place_top"),
        "core": FIRST,
        "places": PLACES,
        "textures": (*PLACES, "tex_top", "tex_mean"),
        "places, ssim, latent": (*PLACES, "ssim", "z_maha"),
        "and rows": (*PLACES, "ssim", "z_maha", "knn5", "pca80"),
        "and turns": (*PLACES, "ssim", "z_maha", "rot_nll"),
        "places, descriptors": (*PLACES, "ssim", "z_maha", "h_maha", "d_maha"),
        "places, judge": (*PLACES, "d_maha"),
        "places, judge, turns": (*PLACES, "d_maha", "rot_nll"),
        "one of a kind": (*PLACES, "ssim", "d_maha"),
        "one of a kind, turns": (*PLACES, "ssim", "d_maha", "rot_nll"),
    },
    "encoder": {
        "two layers": ("enc_gap_maha", "enc_patch_mean", "enc_late_knn", "enc_last_knn"),
        "two layers, places": ("enc_gap_maha", "enc_patch_mean", "enc_late_knn", "enc_cell_mean"),
        "five layers": ("enc_whole_maha", "enc_wide_top"),
        "and late": ("enc_whole_maha", "enc_wide_top", "enc_late_knn", "enc_last_knn"),
        "and deep": ("enc_whole_maha", "enc_wide_top", "enc_deep_top", "enc_deep_maha"),
        "and deep patches": ("enc_whole_maha", "enc_wide_top", "enc_deep_top"),
        "and deep Gaussian": ("enc_whole_maha", "enc_wide_top", "enc_deep_maha"),
        "and deep, places": (
            "enc_whole_maha", "enc_wide_top", "enc_deep_top", "enc_deep_maha", "enc_cell_mean",
        ),
    },
}  # fmt: skip


def one_class(x, y, kind):
    """Return `(fit, scaling, test, labels)` of one class of a training part."""
    random = np.random.default_rng(kind)
    normal = random.permutation(np.flatnonzero(y == kind))
    other = random.permutation(np.flatnonzero(y != kind))[:OTHERS]
    test = np.concatenate([normal[SCALING : SCALING + NORMALS], other])
    return x[normal[SCALING + NORMALS :]], x[normal[:SCALING]], x[test], (y[test] != kind) * 1


def steel(folder, kind):
    """Return the same for a kind of steel surface: 50, 10, and 20 against 20 of each other."""

    def read(name):
        files = sorted((folder / "augment" / "neu_det" / "train" / name).iterdir())
        return np.stack([cv2.imread(str(file), 0) for file in files])[..., None]

    kinds = sorted(p.name for p in (folder / "augment" / "neu_det" / "train").iterdir())
    own = read(kind)
    test = np.concatenate([own[60:], *(read(name)[60:] for name in kinds if name != kind)])
    return own[:50], own[50:60], test, (np.arange(len(test)) >= len(own[60:])) * 1


def pneumonia(folder):
    """Return the same for radiographs: normal training pictures, the validation part."""
    with np.load(folder / "anomaly" / "pneumoniamnist.npz") as stored:
        x, y = stored["train_images"][..., None], stored["train_labels"].reshape(-1)
        vx, vy = stored["val_images"][..., None], stored["val_labels"].reshape(-1)
    normal = np.random.default_rng(0).permutation(np.flatnonzero(y == 0))
    return x[normal[80:]], x[normal[:80]], vx, vy


def damaged_tiles(folder):
    """Return the same for magnetic tiles: held-out normals, and each twice with drawn damage.

    Of the damage a quarter to seven tenths of its full strength; no group is divided.
    """
    root = folder / "anomaly" / "magnetic_tile"
    with (root / "meta.csv").open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["file"].startswith("train/good")]
    random, groups = np.random.default_rng(7), sorted({row["group"] for row in rows})
    place = {group: i / len(groups) for i, group in enumerate(random.permutation(groups))}
    where = np.array([place[row["group"]] for row in rows])
    files = [cv2.imread(str(root / row["file"]), 0)[..., None] for row in rows]
    x = np.stack([loading.square(scaled(picture), TILE)[0] for picture in files])
    held = random.permutation(np.flatnonzero(where >= SHARES[1]))[:HELD]
    twice = np.concatenate([x[held], x[held]])
    hurt, _ = damage(twice, random, donors=x[held], clean=0)
    odd = twice + random.uniform(0.25, 0.7, (len(twice), 1, 1, 1)) * (hurt - twice)
    parts = (x[where < SHARES[0]], x[(where >= SHARES[0]) & (where < SHARES[1])])
    parts = (*parts, np.concatenate([x[held], odd]))
    labels = np.repeat((0, 1), (len(held), len(odd)))
    return (*(np.rint((part + 1) * 127.5).astype(np.uint8) for part in parts), labels)


def problems(folder):
    """Yield `(name, problem)`."""
    for name in ("mnist", "fashion", "cifar"):
        (x, y), _ = load_cifar(folder) if name == "cifar" else load_idx(folder, name)
        x = x if x.ndim == 4 else x[..., None]
        for kind in CLASSES:
            yield f"{name} {kind}", one_class(x, y, kind)
    for kind in STEEL:
        yield f"steel {kind}", steel(folder, kind)
    yield "pneumonia", pneumonia(folder)
    yield "damaged tiles", damaged_tiles(folder)


def measured(problem, detector, minutes):
    """Return `(labels, parts of the test pictures, parts of the scaling ones)`."""
    fit, scaling, test, labels = problem
    found = Detector(detector, minutes=minutes).fit(fit)
    print(found.facts["detector"], flush=True)
    return labels, found.score(test).parts, found.score(scaling).parts


def areas(labels, parts, scales, rules):
    """Return name -> AUROC of the rules and of every part alone."""
    alone = {name: auroc(labels, values) for name, values in parts.items()}
    joint = {
        name: auroc(
            labels,
            PartScales.fit({n: scales[n] for n in rule}).combine({n: parts[n] for n in rule}),
        )
        for name, rule in rules.items()
    }
    return joint, alone


@click.command()
@click.argument("data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--detector", default="restorer", type=click.Choice(list(CANDIDATES)))
@click.option("--minutes", default=1.0, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="Folder for the parts; reused.")
def main(data, detector, minutes, keep):
    """Compare rules of ranking on development problems."""
    joint, alone, rules = {}, {}, CANDIDATES[detector]
    for name, problem in problems(data):
        path = keep and keep / f"{detector}-{name.replace(' ', '-')}.npz"
        if path and path.is_file():
            stored = dict(np.load(path))
            labels = stored.pop("labels")
            parts, scales = (
                {n[2:]: v for n, v in stored.items() if n.startswith(key)} for key in ("t/", "s/")
            )
        else:
            labels, parts, scales = measured(problem, detector, minutes)
            if path:
                path.parent.mkdir(parents=True, exist_ok=True)
                both = {f"t/{n}": v for n, v in parts.items()}
                both |= {f"s/{n}": v for n, v in scales.items()}
                np.savez(path, labels=labels, **both)
        joint[name], alone[name] = areas(labels, parts, scales, rules)
        best = max(joint[name], key=joint[name].get)
        click.echo(f"{name}: {best} {joint[name][best]:.3f}")
    append("ranking", detector=detector, rules=joint, parts=alone)
    for title, table in (("rule", joint), ("part", alone)):
        for name in next(iter(table.values())):
            row = [one[name] for one in table.values()]
            each = " ".join(f"{value:.3f}" for value in row)
            click.echo(f"{title} {name:22} mean {np.mean(row):.4f}  {each}")
    click.echo(f"columns: {', '.join(joint)}; reference rows: {', '.join(ROWS)}")


if __name__ == "__main__":
    main()
