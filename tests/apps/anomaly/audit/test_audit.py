"""Every rule about pictures, on pictures made to break it and on pictures that do not."""

import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly import layouts
from gantools.apps.anomaly.audit import contents, duplicates, shortcuts
from gantools.apps.anomaly.audit.findings import Finding
from gantools.apps.anomaly.audit.measure import measure, measure_arrays
from gantools.apps.anomaly.audit.run import audit, audit_sheet
from gantools.apps.anomaly.items import Item

from gantools.errors import UserError


def textures(n, side=64, seed=0):
    """Return smooth random pictures, uint8 `(n, side, side)`, each with its own content."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=(n, side, side)).astype(np.float32)
    out = np.stack([cv2.GaussianBlur(one, (0, 0), 3) for one in noise])
    out = (out - out.mean((1, 2), keepdims=True)) / out.std((1, 2), keepdims=True)
    fine = draw.normal(0, 3, out.shape)
    return np.clip(128 + 35 * out + fine, 0, 255).astype(np.uint8)


def found(sheet, severities=("error", "warning", "note")):
    return {f.rule: f for f in audit_sheet(sheet) if f.severity in severities}


def parts_of(train, test):
    return ["train"] * train + ["test"] * test


def test_clean_pictures_are_silent():
    sheet = measure_arrays(textures(120), parts_of(80, 40), [0] * 80 + [0] * 20 + [1] * 20)
    assert audit_sheet(sheet) == []


def test_exact_duplicates_inside_and_across_parts():
    x = textures(100)
    x[10], x[90], x[91] = x[11], x[3], x[4]
    rules = found(measure_arrays(x, parts_of(80, 20)))
    assert rules["duplicates-across-parts"].severity == "error"
    assert rules["duplicates-across-parts"].number == 2
    assert rules["duplicates-across-parts"].items == ("#90", "#91")
    assert rules["duplicates"].items == ("#11",)


def test_grey_stored_as_colour_is_the_same_picture():
    x = textures(60)
    pictures = [*x, np.repeat(x[5][..., None], 3, axis=2)]
    sheet = measure_arrays(pictures, parts_of(60, 1))
    assert found(sheet)["duplicates-across-parts"].items == ("#60",)
    assert found(sheet)["mixed-modes"].items == ("#60",)


def test_one_picture_under_two_labels():
    x = textures(60)
    x[50] = x[0]
    sheet = measure_arrays(x, labels=[0] * 40 + [1] * 20)
    assert found(sheet)["conflicting-labels"].number == 1


def test_near_duplicates_are_found_and_kept_together():
    x = textures(200)
    lossy = cv2.imdecode(cv2.imencode(".jpg", x[0], [cv2.IMWRITE_JPEG_QUALITY, 80])[1], 0)
    x[180] = lossy
    x[7] = np.clip(x[6] * 0.9 + 10, 0, 255).astype(np.uint8)
    sheet = measure_arrays(x, parts_of(150, 50))
    rules = found(sheet)
    assert rules["near-duplicates-across-parts"].items == ("#0 = #180",)
    assert rules["near-duplicates"].items == ("#6 = #7",)
    assert duplicates.copies(sheet) == {"#180": "#0", "#7": "#6"}


def test_unions_follow_chains():
    roots = duplicates.unions(6, [(4, 5), (1, 2), (2, 4)])
    assert roots.tolist() == [0, 1, 1, 3, 1, 1]


def test_overlapping_crops():
    large = textures(1, 256)[0]
    crops = [large[y : y + 64, x : x + 64] for y, x in ((0, 0), (30, 17), (100, 150), (120, 170))]
    x = [*textures(60, seed=1), *crops]
    rules = found(measure_arrays(x, parts_of(61, 3)))
    assert set(rules["overlapping-crops"].items) == {"#60", "#61", "#62", "#63"}
    assert rules["overlapping-crops"].severity == "error"  # one of them is in training


def test_a_logo_at_the_same_place_is_no_overlap():
    x = textures(60)
    x[:, 4:30, 4:30] = textures(1, 26, seed=5)[0]
    assert "overlapping-crops" not in found(measure_arrays(x))


def test_groups_in_both_parts_and_both_classes():
    x, groups = textures(100), [f"p{i // 2}" for i in range(100)]
    groups[80] = "p0"
    labels = [0] * 90 + [1] * 10
    rules = found(measure_arrays(x, parts_of(80, 20), labels, groups=groups))
    assert rules["groups-across-parts"].severity == "error"
    assert rules["groups-across-parts"].items == ("p0",)
    assert "groups-in-both-classes" not in rules
    groups[95] = "p1"  # an anomaly of a group seen in training: no normal leaks
    groups[80] = "p40"
    rules = found(measure_arrays(x, parts_of(80, 20), labels, groups=groups))
    assert rules["groups-across-parts"].severity == "warning"
    assert rules["groups-in-both-classes"].items == ("p1",)


def test_series_without_groups():
    """A video: each frame moves a little; by name the neighbours are the most alike."""
    large = textures(1, 512)[0]
    frames = [large[y * 3 : y * 3 + 64, 40:104] + np.uint8(y % 3) for y in range(100)]
    names = [f"clip_{i:03d}.png" for i in range(100)]
    assert found(measure_arrays(frames, names=names))["series-without-groups"].number > 0.5
    known = measure_arrays(frames, names=names, groups=["clip"] * 100)
    assert "series-without-groups" not in found(known)
    assert "series-without-groups" not in found(measure_arrays(textures(100), names=names))


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda x: np.clip(x.astype(int) + 40, 0, 255).astype(np.uint8), "mean level"),
        (lambda x: cv2.GaussianBlur(x, (0, 0), 1.5), "sharpness (mean absolute Laplacian)"),
        (lambda x: x[:, :40], "width"),
        (lambda x: np.repeat(x[..., None], 3, axis=2), "channels"),
    ],
)
def test_one_number_shortcuts(change, name):
    x = list(textures(140))
    x[100:] = [change(one) for one in x[100:]]
    rules = [
        f
        for f in audit_sheet(measure_arrays(x, parts_of(60, 80), [0] * 100 + [1] * 40))
        if f.rule == "one-number-shortcut" and f.items == (name,)
    ]
    assert rules[0].severity == "warning"
    assert rules[0].number > 0.85
    assert f"{rules[0].number:.3f}" in rules[0].sentence


def test_shortcut_of_one_kind_only():
    x = textures(160)
    x[130:] = np.clip(x[130:].astype(int) + 60, 0, 255)
    kinds = ["good"] * 100 + ["dent"] * 30 + ["burn"] * 30
    sheet = measure_arrays(x, parts_of(50, 110), [0] * 100 + [1] * 60, kinds)
    finding = next(f for f in audit_sheet(sheet) if f.items == ("mean level",))
    assert "'burn'" in finding.sentence
    assert "all anomalies: 0." in finding.sentence


def test_normals_of_test_that_differ_from_training():
    x = textures(160)
    x[100:] = np.clip(x[100:].astype(int) + 40, 0, 255)
    findings = audit_sheet(measure_arrays(x, parts_of(100, 60)))
    drift = [f for f in findings if f.rule == "parts-differ"]
    assert ("mean level",) in {f.items for f in drift}
    assert max(f.number for f in drift) > 0.9
    assert drift[0].severity == "warning"


def test_metadata_shortcut_and_label_columns(tmp_path):
    draw, x, rows = np.random.default_rng(0), textures(160, 32), ["file,split,label,kv,mask_area"]
    for i, one in enumerate(x):
        bad = i >= 110
        cv2.imwrite(str(tmp_path / f"{i:03d}.png"), one)
        kv, area = draw.normal(90 + 20 * bad, 8), i * bad
        rows.append(f"{i:03d}.png,{'train' if i < 60 else 'test'},{int(bad)},{kv:.1f},{area}")
    (tmp_path / "list.csv").write_text("\n".join(rows))
    rules = {f.rule: f for f in audit(layouts.find(tmp_path)).findings}
    assert rules["one-number-shortcut"].items == ("kv",)
    assert rules["metadata-shortcut"].number > 0.85
    assert rules["label-derived-number"].items == ("mask_area",)


def test_constant_identical_and_odd_pictures():
    x = textures(80)
    x[3] = 0
    x[4] = 200
    assert found(measure_arrays(x))["constant"].items == ("#3", "#4")
    assert found(measure_arrays([x[0]] * 50))["all-identical"].severity == "error"
    x = textures(80, 32)
    x[:] = x[0] // 2 + x // 8
    x[17] = 255 - x[17]
    assert found(measure_arrays(x))["odd-normals"].items == ("#17",)


@pytest.mark.parametrize("factor", [1, 3, 16, 257])
def test_deep_pictures_of_few_levels_are_neither_constant_nor_alike(factor):
    x = textures(80).astype(np.uint16) * factor
    x[3] = 0
    x[4] = 200 * factor
    for pictures in (x, x.astype(np.float32)):
        assert found(measure_arrays(pictures))["constant"].items == ("#3", "#4")
    x = textures(80, 32).astype(np.uint16)
    x[:] = x[0] // 2 + x // 8
    x[17] = 255 - x[17]
    assert found(measure_arrays(x * factor))["odd-normals"].items == ("#17",)


def test_mixed_sizes_and_depths():
    x = [*textures(50), *textures(20, 40), textures(1)[0].astype(np.uint16) * 257]
    rules = found(measure_arrays(x))
    assert rules["mixed-sizes"].number == 2
    assert rules["mixed-sizes"].severity == "note"
    assert rules["mixed-modes"].items == ("#70",)
    rules = found(measure_arrays([*textures(50), textures(1)[0][:12]]))
    assert rules["mixed-sizes"].severity == "warning"


def test_burned_in_text():
    x = textures(60, 128) // 2
    for one in x[:6]:
        cv2.putText(one, "HOSPITAL A", (4, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, 255, 1)
    rules = found(measure_arrays(x))
    assert set(rules["burned-in-text"].items) <= {f"#{i}" for i in range(6)}
    assert rules["burned-in-text"].number >= 5 / 60
    assert "burned-in-text" not in found(measure_arrays(textures(60, 128) // 2))


def test_compression_grid():
    x = textures(60)
    lossy = [cv2.imdecode(cv2.imencode(".jpg", one, [1, 75])[1], 0) for one in x]
    assert found(measure_arrays(lossy))["compression-grid"].severity == "note"
    assert "compression-grid" not in found(measure_arrays(x))


@pytest.mark.parametrize(("n", "severity"), [(14, "error"), (59, "warning"), (60, None)])
def test_too_few(n, severity):
    finding = found(measure_arrays(textures(n))).get("too-few")
    assert (finding.severity if finding else None) == severity


def test_imbalance():
    kinds = ["a"] * 50 + ["b"] * 10
    assert found(measure_arrays(textures(60), kinds=kinds))["imbalance"].number == 5


def test_twenty_modalities_are_refused_in_one_sentence():
    (finding,) = contents.mixed_modalities([f"M{i}" for i in range(20)])
    assert finding.severity == "error"
    assert "20 modalities" in finding.sentence
    assert contents.mixed_modalities(["CT"] * 9) == []


def test_unreadable_files_and_empty_masks(tmp_path):
    for folder in ("train/good", "test/good", "test/hole", "ground_truth/hole"):
        (tmp_path / folder).mkdir(parents=True)
    for i, one in enumerate(textures(50, 32)):
        cv2.imwrite(str(tmp_path / f"train/good/{i}.png"), one)
    for i, one in enumerate(textures(4, 32, seed=3)):
        cv2.imwrite(str(tmp_path / f"test/{'good' if i < 2 else 'hole'}/{i}.png"), one)
        cv2.imwrite(str(tmp_path / f"ground_truth/hole/{i}_mask.png"), one * (i == 3))
    whole = (tmp_path / "train/good/7.png").read_bytes()
    (tmp_path / "train/good/7.png").write_bytes(whole[: len(whole) // 2])
    rules = {f.rule: f for f in audit(layouts.find(tmp_path)).findings}
    assert rules["unreadable"].items == ("train/good/7.png",)
    assert rules["empty-mask"].items == ("test/hole/2.png",)


def test_not_a_number_is_one_sentence():
    picture = np.full((32, 32, 1), np.nan, np.float32)
    items = [Item(None, f"{i}.tif", index=0) for i in range(2)]
    sheet = measure(items, lambda item: picture, file_bytes=False)
    assert len(sheet) == 0
    assert "not numbers" in sheet.unreadable[0][1]


def test_a_chain_of_most_normals_is_likeness_and_its_exact_copies_are_kept_together():
    draw = np.random.default_rng(0)
    base = textures(1)[0].astype(float)
    alike = np.clip(base + draw.normal(0, 2, (70, 64, 64)), 0, 255).astype(np.uint8)
    alike[9] = alike[3]
    other = textures(50, seed=9)
    other[1] = np.clip(other[0] * 0.9 + 10, 0, 255).astype(np.uint8)
    sheet = measure_arrays(np.concatenate([alike, other]), parts_of(120, 0))
    rules = found(sheet)
    assert rules["alike-throughout"].number == pytest.approx(70 / 120)
    assert rules["near-duplicates"].items == ("#70 = #71",)
    assert duplicates.copies(sheet) == {"#9": "#3", "#71": "#70"}
    half = measure_arrays(np.concatenate([alike[:50], other]), parts_of(100, 0))
    assert "alike-throughout" not in found(half)
    assert len(set(duplicates.copies(half).values())) == 2


def test_what_is_said_of_files_is_passed_on(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for i, one in enumerate(textures(20, 32)):
        image.fromarray(one).save(tmp_path / f"{i:02}.tif")
    pages = [image.fromarray(one) for one in textures(5, 32, seed=1)]
    pages[0].save(tmp_path / "07.tif", save_all=True, append_images=pages[1:])
    rules = {f.rule: f for f in audit(layouts.find(tmp_path)).findings}
    assert rules["not-as-meant"].items == ("07.tif",)
    assert "Only the first of 5 pages is read." in rules["not-as-meant"].sentence


def test_anomalies_of_one_group_have_no_metadata_figure():
    draw, x = np.random.default_rng(0), list(textures(135, 32))
    x[90:] = [one[:, : 20 + draw.integers(8)] for one in x[90:]]
    labels = [0] * 90 + [1] * 45
    one = [f"p{i}" for i in range(90)] + ["sick"] * 45
    assert shortcuts.metadata_auroc(measure_arrays(x, labels=labels, groups=one)) is None
    four = [f"p{i}" for i in range(90)] + [f"sick{i % 4}" for i in range(45)]
    assert shortcuts.metadata_auroc(measure_arrays(x, labels=labels, groups=four)) is None
    five = [f"p{i}" for i in range(90)] + [f"sick{i % 5}" for i in range(45)]
    assert shortcuts.metadata_auroc(measure_arrays(x, labels=labels, groups=five)) > 0.9


@pytest.mark.parametrize("shape", [(32, 40, 5), (3, 32, 40)])
def test_other_channels_are_one_sentence(shape):
    with pytest.raises(UserError, match=f"shape .{shape[0]}, .*1 to 4 channels on the last axis"):
        measure_arrays([np.zeros(shape, np.uint8)])


def test_one_picture(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), textures(1)[0])
    with pytest.raises(UserError, match="1 picture"):
        audit(layouts.find(tmp_path))


def test_a_thousand_pictures_take_seconds():
    sheet = measure_arrays(textures(100, 128))
    start = time.process_time()
    measure_arrays(textures(100, 128))
    assert time.process_time() - start < 2  # with making them; 1 000 take under 6 s on one core
    assert replace(sheet).blocks.nbytes / len(sheet) < 13_000


def test_severity_is_checked():
    with pytest.raises(ValueError, match="severity"):
        Finding("x", "bad", "y")
