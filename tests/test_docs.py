"""The documentation knows everything that the code offers, and its code runs."""

import configparser
import itertools
import json
import re
import statistics
from pathlib import Path

import click
import pytest

from gantools import cli, errors, registry

ROOT = Path(__file__).resolve().parents[1]
MARKER = "<!-- tested: your own GAN -->"


@pytest.fixture(scope="module")
def docs():
    pages = [
        ROOT / "README.md",
        *sorted((ROOT / "docs").glob("**/*.md")),
        *ROOT.glob("apps/*/README.md"),
    ]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_and_option_is_documented(docs, name):
    assert f"gantools {name}" in docs
    pending = [cli.load(cli.COMMANDS[name][0])]
    while pending:
        command = pending.pop()
        if isinstance(command, click.Group):  # lazy ones list what they have not loaded
            context = click.Context(command)
            pending += [command.get_command(context, n) for n in command.list_commands(context)]
        for option in command.params:
            long = [text for text in option.opts if text.startswith("--")] or option.opts
            if isinstance(option, click.Option) and not option.hidden:
                assert re.search(rf"`[^`]*{re.escape(long[0])}\b", docs), f"{name}: {long[0]}"


def test_every_exit_code_is_documented(docs):
    codes = {v for k, v in vars(errors).items() if k.isupper() and isinstance(v, int)}
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", docs, re.MULTILINE)}
    assert codes <= table


def test_every_extra_is_documented(docs):
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    for extra in config["options.extras_require"]:
        assert f"gantools[{extra}]" in docs or f"`[{extra}]`" in docs, extra


@pytest.mark.parametrize("name", registry.GAMES)
def test_every_game_is_documented(docs, name):
    assert re.search(rf"`{name}`", docs), name


def test_pictures_and_links_exist():
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("**/*.md")]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} points to {target}"


def test_ci_runs_the_two_commands_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    commands = re.findall(r"^bash -c '(pip install .*?)'", script, re.MULTILINE)
    assert len(commands) == 2
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert all(command in readme for command in commands)


def test_own_gan_of_the_readme_runs():
    """At most 20 lines, trained for 2 cycles on drawn pictures."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(rf"{re.escape(MARKER)}\s*```python\n(.*?)```", text, re.DOTALL)
    assert len([line for line in block.splitlines() if line.strip()]) <= 20
    import keras

    cycles = []
    fit = keras.Model.fit

    def short_fit(self, x, *args, **kwargs):
        kwargs |= {"steps_per_epoch": 2, "epochs": 1, "verbose": 0}
        history = fit(self, x, *args, **kwargs)
        cycles.append(int(self.cycle))
        return history

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.Model, "fit", short_fit)
        exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    assert cycles == [2]


def test_the_zoo_page_is_what_the_registry_says():
    from benchmarks import zoo_page

    assert zoo_page.PAGE.read_text(encoding="utf-8") == zoo_page.page(), (
        "run python -m benchmarks.zoo_page"
    )


def test_the_cards_are_what_the_weights_and_the_rows_say():
    from benchmarks.quality import cards

    assert cards.PAGE.read_text(encoding="utf-8") == cards.page(), (
        "run python -m benchmarks.quality.cards"
    )


def test_blocks_of_the_core_page_run_in_order():
    text = (ROOT / "docs" / "core.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 6
    space = {"__name__": "core_page"}
    for number, block in enumerate(blocks):
        exec(compile(block, f"docs/core.md block {number}", "exec"), space)
    assert space["samples"].shape == (16, 2)
    assert space["Counting"].traced <= 2  # once, and once more where Keras builds symbolically


def newest_rows(name, *keys):
    """Return the newest row of a benchmark for each value of `keys`."""
    lines = (ROOT / "benchmarks" / "results" / f"{name}.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return {tuple(row.get(key) for key in keys): row for row in rows}


def test_figures_of_the_readme_are_the_measured_ones():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    scores = newest_rows("superres", "network", "scale", "folder")
    for name, scale in {key[:2] for key in scores}:
        sets = [scores[name, scale, folder] for folder in ("Set5", "Set14", "B100")]
        own = " | ".join(f"{row['psnr_y']:.2f}" for row in sets)
        plain = " / ".join(f"{row['bicubic_psnr_y']:.2f}" for row in sets)
        assert f"| {own} | {plain} |" in readme, (name, scale)
    ways = newest_rows("damaged", "kind", "way", "scale")
    for kind in ("clean", "damaged"):
        columns = [ways[kind, w, 4] for w in ("fast", "photo", "photo, strength 1", "bicubic")]
        cells = " | ".join(f"{row['psnr_y']:.2f}, {row['niqe']:.2f}" for row in columns)
        assert f"| {cells} |" in readme, kind
    for benchmark in ("modes", "ring"):
        modes = newest_rows(benchmark, "recipe", "seed")
        for recipe in {key[0] for key in modes}:
            rows = [modes[recipe, seed] for seed in (0, 1, 2)]
            found = ", ".join(str(row["modes"]) for row in rows)
            near = ", ".join(f"{row['within_3_sd']:.2f}" for row in rows)
            assert f"| {found} | {near} |" in readme, (benchmark, recipe)
    known = newest_rows("step_time", "case", "rival")
    for rival, key in itertools.product(("tensorflow", "torch"), ("ratio", "memory_ratio")):
        rows = [row for (_, other), row in known.items() if other == rival]
        assert " / ".join(f"{row[key]:.2f}" for row in rows) in readme, (rival, key)
    lines = (ROOT / "benchmarks" / "results" / "superres_time.jsonl").read_text().splitlines()
    rows = [row for row in map(json.loads, lines) if "features" in row["machine"]]
    kinds = {row["machine"]["features"]["AVX-512 bf16"]: row for row in rows}
    for times in kinds.values():  # the newest of each kind of processor
        assert f"{times['shell_to_file_s']:.2f} s (`cv2.imwrite`" in readme
        assert f"{times['imwrite_s']:.2f} s)" in readme
        assert f"{times['torch_s']:.2f} / {times['onnxruntime_s']:.2f} s" in readme
    large = newest_rows("superres_large", "case", "precision")
    peaks = ", ".join(f"{row['peak_mb']}" for row in large.values() if "peak_mb" in row)
    assert f"| {peaks} MB |" in readme
    bf16, f32 = (
        " and ".join(f"{large[f'photo x{scale}', kind]['ratio']:.2f}" for scale in (2, 4))
        for kind in ("bf16", "f32")
    )
    assert f"| {bf16} of its time; {f32} |" in readme
    three = (large[f"{name} x4", "bf16"] for name in ("fast", "photo", "quality"))
    assert f"| {' / '.join(str(row['ms_a_megapixel']) for row in three)} |" in readme
    ((_, clips),) = newest_rows("video", "scale").items()
    told = [f"{clips[f'{name}_frames_per_s']:.1f}" for name in ("moving", "screen")]
    assert f"{told[0]} where everything moves, {told[1]} of a screen" in readme
    assert f"({100 * clips['screen_tiles_reused']:.0f} % of its tiles unchanged)" in readme


def test_figures_of_the_twin_are_the_measured_ones():
    page = (ROOT / "docs" / "superres.md").read_text(encoding="utf-8")
    scores = newest_rows("superres", "network", "scale", "folder")
    for name, told in (("srgan", "`srgan`"), ("srgan-gan", "`srgan --strength 1`")):
        for folder in ("Set5", "Set14", "B100"):
            row = scores[name, 4, folder]
            figures = " | ".join(f"{row[key]:.2f}" for key in ("psnr_y", "niqe", "spectrum_db"))
            assert f"| {told}, {folder} | {figures} |" in page, (name, folder)


def test_figures_of_the_twins_of_photo_are_the_measured_ones():
    page = (ROOT / "docs" / "superres.md").read_text(encoding="utf-8")
    for (kind, way, scale), row in newest_rows("damaged", "kind", "way", "scale").items():
        if scale and kind == "clean":
            told = " | ".join(f"{row[key]:.2f}" for key in ("psnr_y", "niqe", "spectrum_db"))
            pairs = (("raw_consistency_db", "consistency_db", ".1f"), ("raw_drift", "drift", ".2f"))
            both = (f"{row[raw]:{form}}, {row[own]:{form}}" for raw, own, form in pairs)
            assert f"| {told} | {' | '.join(both)} |" in page, (way, scale)


def test_the_blind_judgements_are_the_recorded_ones():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    page = (ROOT / "docs" / "superres.md").read_text(encoding="utf-8")
    lines = (ROOT / "benchmarks" / "results" / "blind.jsonl").read_text().splitlines()
    found = {tuple(row["pair"]): row for row in map(json.loads, lines)}
    for pair, row in found.items():
        wins = dict(zip(pair, row["better"], strict=True))
        (other,) = set(pair) - {"photo"}
        p = f"{row['p']:.5f}" if row["p"] < 0.001 else f"{row['p']:.3f}"
        assert f"| {wins['photo']} or {wins[other]} | {row['same']} | {p} |" in page, pair
        assert f"{wins['photo']} to {wins[other]} over" in readme, pair


def test_figures_of_other_pictures_are_the_measured_ones():
    page = (ROOT / "docs" / "superres.md").read_text(encoding="utf-8")
    for (name, scale), row in newest_rows("elsewhere", "network", "scale").items():
        gains = {picture: own - max(plain) for picture, (own, *plain) in row["pictures"].items()}
        worst = min(gains, key=gains.get)
        means = " | ".join(f"{row[f'{way}psnr_y']:.2f}" for way in ("", "bicubic_", "lanczos_"))
        told = f"{sum(gain < 0 for gain in gains.values())} | {worst} {gains[worst]:+.2f}"
        assert f"| `{name}` x{scale} | {means} | {told} |" in page, (name, scale)


def test_figures_of_the_anomaly_page_are_the_measured_ones():
    page = (ROOT / "docs" / "anomaly.md").read_text(encoding="utf-8")
    known = newest_rows("anomaly", "set", "detector")
    for name in ("magnetic_tile", "chest_xray", "brain_lgg", "pneumoniamnist"):
        ours = [known[name, d]["rows"]["detector"]["auroc"] for d in ("encoder", "restorer")]
        row = known[name, "encoder"]
        best = row["rows"][row["best_reference"]]["auroc"]
        told = " | ".join(f"{value:.3f}" for value in (*ours, best))
        false = [known[name, d]["realised"]["0.05"]["mean"] for d in ("encoder", "restorer")]
        told += " | " + " / ".join(f"{share:.1%}".replace("%", " %") for share in false)
        assert f"| {told} |" in page, name
    rows = newest_rows("tables", "set", "detector", "seed")
    mean = lambda name, key, way: statistics.mean(rows[name, way, s][key] for s in (0, 1, 2))
    ways = ("combined", "knn5", "mahalanobis", "forest", "pca80")
    for name in dict.fromkeys(name for name, way, _ in rows if way == "combined"):
        told = " | ".join(f"{mean(name, 'auroc', way):.3f}" for way in ways)
        false = f"{mean(name, 'fpr_5', 'combined'):.1%}".replace("%", " %")
        assert f"| {name} | {told} | {false} |" in page, name
    column = f"{mean('kdd99', 'auroc', 'one column: count'):.3f}"
    assert f"one column alone (`count`) reaches {column}" in page
    for name in ("magnetic_tile", "brain_lgg"):
        assert f"{known[name, 'encoder']['pixels']['aupro_30']:.3f}" in page, name


def test_times_of_the_anomaly_page_are_the_measured_ones():
    page = (ROOT / "docs" / "anomaly.md").read_text(encoding="utf-8")
    rows = newest_rows("anomaly", "set", "detector")
    own, other = (rows["speed", name] for name in ("restorer", "encoder"))
    page = page.replace("\n", " ")
    assert f"fits in {own['fit_s']:.0f} s and scores in {own['score_job_ms']:.0f} ms a" in page
    assert f"at its peak in {own['fit_peak_mb'] / 1000:.1f} GB; the encoder in" in page
    told = f"{other['fit_s']:.0f} s, {other['score_job_ms']:.0f} ms and"
    assert f"{told} {other['fit_peak_mb'] / 1000:.1f} GB" in page


def test_figures_of_one_class_among_ten_are_the_measured_ones():
    page = (ROOT / "docs" / "anomaly.md").read_text(encoding="utf-8")
    classes = {}
    for (name, detector, kind), row in newest_rows("anomaly", "set", "detector", "class").items():
        if kind is not None and detector != "references":
            classes.setdefault((name, detector), []).append(row)
    titles = {"mnist": "MNIST", "fashion": "Fashion-MNIST", "cifar": "CIFAR-10"}
    for (data, detector), rows in classes.items():
        names = rows[0]["references"]
        best = max(statistics.mean(row["references"][name] for row in rows) for name in names)
        told = f"{statistics.mean(row['auroc'] for row in rows):.3f} | {best:.3f}"
        normal = titles[data] if len(rows) == 10 else "the digits 0, 3, 8"
        assert f"| {normal} | `{detector}` | {told} |" in page, (data, detector)


def test_games_on_tables_of_the_anomaly_page_are_the_measured_ones():
    page = (ROOT / "docs" / "anomaly.md").read_text(encoding="utf-8")
    rows = newest_rows("tables", "set", "detector", "seed")
    ways = ("combined", "knn5", *(f"{game}, 5000 steps" for game in ("egbad", "alad", "ganomaly")))
    for name in dict.fromkeys(name for name, way, _ in rows if way == ways[-1]):
        told = " | ".join(f"{rows[name, way, 0]['auroc']:.3f}" for way in ways)
        assert f"| {name} | {told} |" in page, name
    kdd = [
        rows["kdd99", f"alad, {way}, 30000 steps", 0]
        for way in ("as published", "10 times the rate")
    ]
    for row, more in zip(kdd, (" at the known share", ". The paper's"), strict=True):
        assert f"{row['auroc']:.3f}, F1 {row['f1']:.3f}{more}" in page
    assert f"the one column {rows['kdd99', 'one column: count', 0]['f1']:.3f}" in page
