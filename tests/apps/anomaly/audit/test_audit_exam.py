"""The exam: every fault that is known in the development data is found, clean sets stay silent.

Skipped where `../shared/data` is not there.
"""

import csv
import gzip
import io
import lzma
from functools import cache
from hashlib import blake2b
from pathlib import Path

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly import layouts
from gantools.apps.anomaly.audit import repeats
from gantools.apps.anomaly.audit.contents import imbalance_of
from gantools.apps.anomaly.audit.measure import measure_arrays
from gantools.apps.anomaly.audit.run import audit, audit_sheet
from gantools.apps.anomaly.audit.tables import audit_table

DATA = Path(__file__).resolve().parents[5] / "shared" / "data"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason="the development data are not here"),
]


@cache
def audited(name, layout=None):
    return audit(layouts.find(DATA / name, layout)).findings


def all_of(findings, rule):
    return [finding for finding in findings if finding.rule == rule]


def one(findings, rule):
    (finding,) = all_of(findings, rule)
    return finding


def shortcut(findings, name):
    return next(f for f in all_of(findings, "one-number-shortcut") if f.items == (name,))


def digests(pictures):
    return np.array([blake2b(p.tobytes(), digest_size=16).hexdigest() for p in pictures])


def exact(pictures, train):
    n = len(pictures)
    parts = np.array(["train"] * train + ["test"] * (n - train))
    return repeats.exact(
        digests(pictures), parts, np.arange(n).astype(str), np.full(n, -1), "picture"
    )


def table(name):
    with gzip.open(DATA / "tables" / name, "rt") as file:
        heading, *rows = csv.reader(file)
    out = {}
    for column, values in zip(heading, zip(*rows, strict=True), strict=True):
        try:
            out[column] = np.array([float(v) if v else np.nan for v in values])
        except ValueError:
            out[column] = np.array(values, object)
    return out


def test_pneumoniamnist():
    found = audited("anomaly/pneumoniamnist.npz")
    across = one(found, "duplicates-across-parts")
    assert across.number == 8 and "for val" in across.sentence and "in train" in across.sentence
    inside = [f.sentence.split(" ", 1)[0] for f in all_of(found, "duplicates")]
    assert inside == ["17", "3"]
    sharpness = shortcut(found, "sharpness (mean absolute Laplacian)")
    assert sharpness.number == pytest.approx(0.913, abs=0.002)
    assert sharpness.severity == "warning"
    assert shortcut(found, "contrast (standard deviation)").number == pytest.approx(
        0.826, abs=0.002
    )


def test_chest_xray():
    found = audited("anomaly/chest_xray")
    size = shortcut(found, "orig_bytes")
    assert size.number == pytest.approx(0.917, abs=0.002) and "pneumonia" in size.sentence
    packed = shortcut(found, "file size")
    assert "all anomalies: 0.757" in packed.sentence
    channels = shortcut(found, "orig_channels")
    assert channels.number == pytest.approx(0.968, abs=0.002) and "covid" in channels.sentence
    assert one(found, "metadata-shortcut").number > 0.8
    modes = one(found, "mixed-modes")
    assert "orig_channels" in modes.sentence
    assert modes.number == pytest.approx((116 + 4) / 1124)  # of COVID, of pneumonia
    assert one(found, "duplicates").items == ("train/good/00002658_002.webp",)
    assert one(found, "groups-in-both-classes").number == 21
    assert not all_of(found, "groups-across-parts")


def test_brain_lgg():
    found = audited("anomaly/brain_lgg")
    assert shortcut(found, "slice").number == pytest.approx(0.699, abs=0.002)
    assert shortcut(found, "foreground_frac").number == pytest.approx(0.651, abs=0.002)
    assert not all_of(found, "groups-across-parts")
    assert one(found, "label-derived-number").items == ("tumour_px_256",)
    blind = audited("anomaly/brain_lgg", "mvtec")  # without the list nobody knows the patients
    assert one(blind, "series-without-groups").number > 0.5


def test_magnetic_tile():
    found = audited("anomaly/magnetic_tile")
    groups = one(found, "groups-across-parts")
    assert groups.sentence.startswith("26 test items (0 not anomalous)")
    assert one(found, "near-duplicates").number > 0.5
    assert not all_of(found, "duplicates") and not all_of(found, "duplicates-across-parts")
    aspect = shortcut(found, "aspect ratio")
    assert aspect.number == pytest.approx(0.802, abs=0.003) and "fray" in aspect.sentence
    empty = {
        name.rpartition("/")[2].removesuffix(".webp") for name in one(found, "empty-mask").items
    }
    assert empty == {"exp3_num_24829", "exp3_num_45042", "exp4_num_124690", "exp4_num_24843",
                     "exp4_num_352527", "exp4_num_45057"}  # fmt: skip
    blind = audited("anomaly/magnetic_tile", "mvtec")
    assert one(blind, "series-without-groups").number > 0.7


def test_neu_det():
    found = audited("augment/neu_det")
    assert one(found, "duplicates").items == ("test/patches/patches_105.webp",)
    assert shortcut(found, "mean level").number > 0.85


def test_hubble_windows_overlap():
    images = np.load(DATA / "gan/hubble_cutouts32.npz")["images"]
    finding = one(audit_sheet(measure_arrays(images)), "overlapping-crops")
    assert finding.number > 0.65  # 437 of 574 share more than 8 pixels each way, 526 share any


def test_modelnet_grids():
    data = np.load(DATA / "shapes/modelnet10_24.npz")
    train, test = data["x_train"], data["x_test"]
    found = exact([*train, *test], len(train))
    shared = set(digests(train)) & set(digests(test))
    assert len(shared) == 64
    assert one(found, "duplicates-across-parts").number == 72  # of them some twice in test
    assert [f.sentence.split(" ", 1)[0] for f in all_of(found, "duplicates")] == ["191", "15"]
    assert imbalance_of(data["names"][data["y_train"]])[0].number == pytest.approx(889 / 106)


def test_spoken_digits():
    data = dict(np.load(DATA / "audio/fsdd_8k_mulaw.npz"))
    wave = data["wave"] / 127.5 - 1
    wave = np.sign(wave) * (256 ** np.abs(wave) - 1) / 255
    wave = np.split(wave, np.cumsum(data["length"].astype(int))[:-1])
    level = np.array([np.sqrt((one**2).mean()) for one in wave])
    speaker = data["speakers"][data["speaker"]]
    quiet = np.isin(speaker, ["theo", "yweweler"]).astype(int)
    parts = np.where(data["take"] < 5, "test", "train")
    found = audit_table({"level": level}, quiet, parts, groups=speaker)
    assert one(found, "leak-column").items == ("level",)
    assert set(one(found, "groups-across-parts").items) == set(data["speakers"])


def test_chorales_have_no_duplicates():
    data = dict(np.load(DATA / "music/jsb16.npz"))
    pieces = [
        piece
        for part in ("train", "test")
        for piece in np.split(data[part], np.cumsum(data[part + "_len"].astype(int))[:-1])
    ]
    assert exact(pieces, 229) == []


def test_kdd():
    data = table("kddcup99_10pct.csv.gz")
    kinds = data.pop("label").astype(str)
    y = (kinds != "normal.").astype(int)
    found = audit_table(data, y, kinds=kinds)
    # 348 435 rows repeat an earlier one with its label, two more under another label
    assert one(found, "duplicates").sentence.startswith("348437 of 494021")
    assert one(found, "conflicting-labels").number == 2
    best = one(found, "one-column-shortcut")
    assert best.items[0] == "count" and best.number == pytest.approx(0.988, abs=1e-3)
    dominant = one(found, "dominant-kinds")
    assert dominant.number == pytest.approx(0.978, abs=1e-3) and dominant.items[0] == "smurf."


def test_nsl_kdd():
    train, test = table("nsl_kdd_train20.csv.gz"), table("nsl_kdd_test.csv.gz")
    n = len(train["label"])
    data = {name: np.concatenate([train[name], test[name]]) for name in train}
    kinds = data.pop("label").astype(str)
    parts = np.array(["train"] * n + ["test"] * (len(kinds) - n))
    found = audit_table(data, (kinds != "normal").astype(int), parts, kinds)
    assert one(found, "duplicates-across-parts").number == 118
    assert any(f.sentence.startswith("57 of 22544") for f in all_of(found, "duplicates"))
    assert one(found, "leak-column").items == ("difficulty",)
    new = one(found, "new-kinds")
    assert new.number == 3752 and len(new.items) == 18


def test_malware_headers():
    raw = table("clamp_raw_5184.csv.gz")
    found = audit_table(raw, raw.pop("class").astype(int))
    assert one(found, "duplicates").sentence.startswith("624 of")
    assert len(one(found, "empty-column").items) == 2
    best = one(found, "one-column-shortcut")
    assert best.items[0] == "CheckSum" and best.number == pytest.approx(0.767, abs=1e-3)
    joint = table("clamp_integrated_5184.csv.gz")
    found = audit_table(joint, joint.pop("class").astype(int))
    assert one(found, "duplicates").sentence.startswith("3 of 5210")
    assert one(found, "text-column").items == ("packer_type",)


@pytest.mark.parametrize(
    ("name", "count"), [("mammography", 3334), ("annthyroid", 138), ("thyroid", 116)]
)
def test_outlier_tables(name, count):
    data = np.load(DATA / f"tables/odds/{name}.npz")
    columns = {f"c{i}": column for i, column in enumerate(data["X"].T)}
    found = audit_table(columns, data["y"].astype(int))
    repeated = int(one(found, "duplicates").sentence.split(" ", 1)[0])
    conflicts = sum(f.number for f in all_of(found, "conflicting-labels"))
    assert repeated - conflicts == count  # the list counts rows together with their label


def idx(name):
    return np.load(io.BytesIO(lzma.open(DATA / f"gan/{name}_images.npy.xz").read()))


def cifar(part, step):
    data = dict(np.load(DATA / "gan/cifar10_jpeg75.npz"))
    ends, sizes = np.cumsum(data[part + "_len"].astype(int)), data[part + "_len"].astype(int)
    head, scan = data["header"].tobytes(), data[part + "_scan"].tobytes()
    pairs = list(zip(ends, sizes, strict=True))[::step]
    parts = [head + scan[e - n : e] + b"\xff\xd9" for e, n in pairs]
    return np.stack([cv2.imdecode(np.frombuffer(one, np.uint8), 1)[..., ::-1] for one in parts])


@pytest.mark.parametrize("name", ["mnist", "fashion"])
def test_digits_and_clothes_are_silent(name):
    images = idx(name)
    assert exact(images, 60_000) == []
    train, test = images[:60_000][::15], images[60_000:][::5]
    parts = ["train"] * len(train) + ["test"] * len(test)
    found = audit_sheet(measure_arrays(np.concatenate([train, test]), parts))
    assert [f for f in found if f.severity != "note"] == []
    assert {f.rule for f in found} <= {"near-duplicates"}  # digits that look alike: a note


def test_cifar_is_silent_but_for_its_compression():
    train, test = cifar("train", 1), cifar("test", 1)
    assert exact([*train, *test], 50_000) == []
    parts = ["train"] * len(train[::12]) + ["test"] * len(test[::5])
    found = audit_sheet(measure_arrays(np.concatenate([train[::12], test[::5]]), parts))
    assert [f.rule for f in found] == ["compression-grid"]
