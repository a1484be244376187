"""The exported file gives the numbers of the program, run where nothing of ours can be imported."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly import Detector
from gantools.apps.anomaly.api import _Array, _items
from gantools.apps.anomaly.calibration.parts import PartScales
from gantools.apps.anomaly.detectors import auto, efficientnet, training
from gantools.apps.anomaly.export import exporting

from gantools import cli
from gantools.errors import DONE, UserError

from . import alone

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")


def tiles(count, seed=0, size=(32, 32), channels=1):
    """Return smooth textures, uint8 `(n, h, w, c)`."""
    random = np.random.default_rng(seed)
    rough = random.normal(0, 1, (count, *size, channels)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(r, (0, 0), 2).reshape(r.shape) for r in rough])
    return np.clip(110 + 25 * smooth / smooth.std(), 0, 255).astype(np.uint8)


def odd(seed=1, size=(32, 32), channels=1):
    """Return fresh normals, and pictures that differ more and more from them."""
    noise = np.random.default_rng(seed).integers(0, 256, (2, *size, channels), np.uint8)
    fresh = tiles(6, seed, size, channels)
    blend = [tiles(2, seed + 1, size, channels) // 2 + noise // n for n in (8, 2)]
    return np.concatenate([fresh, *blend, 255 - fresh[:2]])


def same(detector, content, pixels, x, folder):
    """Compare the file with `Detector.score` of the pictures `x`."""
    onnx.checker.check_model(onnx.load_from_string(content), full_check=True)
    found, judge = alone.run(content, {"pixels": pixels[:, None]}, folder), detector.model.judge
    wanted = []
    detector.model.raw(
        _Array(x), _items(len(x), None), maps=lambda number, item, heat: wanted.append(heat)
    )
    np.testing.assert_allclose(found["map"][:, 0], wanted, rtol=1e-4, atol=1e-5)
    assert np.max(wanted) > 1
    raw = detector.model.raw(_Array(x), _items(len(x), None))
    raw.hashes = None  # then ties count against an item's oddness, as in the file
    scores, p = judge.judged(raw)
    np.testing.assert_allclose(found["score"][:, 0], scores, rtol=1e-4, atol=1e-6)
    ranks = (found["p"][:, 0] - p) * (len(judge.normal_scores) + 1)
    assert np.abs(ranks).max() < 1.01, ranks
    for i, name in enumerate(judge.ranking):
        np.testing.assert_allclose(
            found["parts"][:, i], raw.mean()[name], rtol=1e-4, atol=1e-6, err_msg=name
        )
    return found


def test_floating_point_is_given_as_it_is_stored(tmp_path):
    normals, new = (x.astype(np.float32) * 5 - 200 for x in (tiles(90), odd()))
    detector = Detector("references").fit(normals)
    content = exporting.exported(detector.model)
    same(detector, content, new, new, tmp_path)
    facts = {p.key: p.value for p in onnx.load_from_string(content).metadata_props}
    assert "floating point as it is stored" in facts["pixels"]


@pytest.mark.parametrize("channels", [1, 3])
def test_reference_rows(tmp_path, channels):
    detector = Detector("references").fit(tiles(90, channels=channels))
    x = odd(channels=channels)
    content = exporting.exported(detector.model)
    found = same(detector, content, x, x, tmp_path)
    assert found["p"].min() < 0.1 < found["p"].max()
    facts = {p.key: p.value for p in onnx.load_from_string(content).metadata_props}
    assert facts["parts"] == "knn5,pca80,mahalanobis,forest"
    assert f"(1, 32, 32, {channels}) uint8, {'RGB' if channels == 3 else 'grey'}" in facts["pixels"]
    assert "longer side to 32 pixels" in facts["pixels"]
    assert "by 23 held-out normals" in facts["p"]


def test_folds_of_few_normals(tmp_path):
    detector, x = Detector("references").fit(tiles(40)), odd()
    assert detector.model.judge.is_crossed
    content = exporting.exported(detector.model)
    same(detector, content, x, x, tmp_path)


def test_windows_of_pictures_of_one_size(tmp_path):
    size = (150, 132)
    detector = Detector("references").fit(tiles(60, size=size))
    assert detector.model.view.kind == "windows"
    with pytest.raises(UserError, match="Give --size HEIGHTxWIDTH"):
        exporting.exported(detector.model)
    x = odd(size=size)
    content = exporting.exported(detector.model, size)
    same(detector, content, x, x, tmp_path)


def test_another_size_is_resized_inside_and_deep_pictures_are_shares(tmp_path):
    deep = tiles(70).astype(np.uint16) * 150
    detector = Detector("references").fit(deep)
    x = odd(size=(50, 81)).astype(np.uint16) * 150
    content = exporting.exported(detector.model, (50, 81))
    assert "float32 shares" in exporting.facts(detector.model, (50, 81, 1), True)["pixels"]
    shares = x.astype(np.float32) / np.float32(65535)
    same(detector, content, shares, x, tmp_path)


def everything(detector):
    """Let every part rank, also those that only explain."""
    model, x = detector.model, odd(9, detector.model.members[0].detector.shape[:2],
                                   detector.model.levels.channels)  # fmt: skip
    raw = model.raw(_Array(x), _items(len(x), None))
    names = [name for name in raw.members[0] if name not in ("pca95", "mean", "sd", "untrained")]
    scales = [PartScales.fit({n: parts[n] for n in names}) for parts in raw.members]
    model.judge = replace(model.judge, ranking=tuple(names), scales=tuple(scales))
    return names


@pytest.mark.skipif(not efficientnet.is_installed(), reason="needs the extra [encoder]")
@pytest.mark.parametrize(
    ("count", "channels"), [(80, 3), pytest.param(40, 1, marks=pytest.mark.slow)]
)
def test_the_encoder(tmp_path, count, channels):
    detector = Detector("encoder", side=48).fit(tiles(count, size=(48, 48), channels=channels))
    assert {"enc_wide_few", "enc_cell_top", "enc_deep_top", "knn5"} <= set(everything(detector))
    x = odd(channels=channels)
    content = exporting.exported(detector.model, (32, 32))
    same(detector, content, x, x, tmp_path)


def scans(count, seed=0, size=(72, 72), channels=1):
    """Return heads on black with noise around them, uint8 `(n, h, w, c)`."""
    random, (height, width) = np.random.default_rng(seed), size
    y, x = np.mgrid[:height, :width]
    head = ((y / height - 0.5) / 0.42) ** 2 + ((x / width - 0.5) / 0.33) ** 2 < 1
    around = random.integers(0, 5, (count, *size, channels))
    inside = tiles(count, seed, size, channels).astype(int)
    return np.where(head[..., None], inside, around).astype(np.uint8)


def sick(seed=1, size=(72, 72), channels=1):
    """Return fresh heads, and some with a bright spot, and one picture without a background."""
    x = scans(8, seed, size, channels)
    for i in range(4, 8):
        x[i, 30 : 34 + 2 * i, 28 : 38 + i] = 40 * i - 100
    return np.concatenate([x, tiles(1, seed, size, channels)])


def test_scans_are_masked_in_the_file(tmp_path):
    detector = Detector("references", scans=True).fit(scans(70))
    assert detector.model.levels.masked
    x = sick()
    content = exporting.exported(detector.model, x.shape[1:3])
    found = same(detector, content, x, x, tmp_path)
    assert (found["map"][:8, 0, :3] == 0).all() and found["map"][8, 0, :3].any()
    facts = exporting.facts(detector.model, (72, 72, 1), False)
    assert "nothing is to be made black" in facts["pixels"]


@pytest.mark.skipif(not efficientnet.is_installed(), reason="needs the extra [encoder]")
@pytest.mark.parametrize(
    ("count", "channels"), [(80, 1), pytest.param(40, 3, marks=pytest.mark.slow)]
)
def test_the_encoder_on_scans(tmp_path, count, channels):
    made = Detector("encoder", side=64, scans=True).fit(scans(count, channels=channels))
    assert made.model.members[0].detector.facts["scan"] and made.model.levels.masked
    assert {"enc_near_few", "enc_wide_few", "enc_deep_maha"} <= set(everything(made))
    x = sick(channels=channels)
    content = exporting.exported(made.model, x.shape[1:3])
    same(made, content, x, x, tmp_path)


def untrained(pictures, **_):
    """Return a restorer as a training of no steps leaves it, its biases moved from zero."""
    from gantools.gans import restorer

    model = restorer.game("tiny", pictures.shape[1:], widths=(8, 16, 24), seed=0).model(0)
    random = np.random.default_rng(0)
    for player in model.game.players.values():
        for v in player.trainable_variables:
            if len(v.shape) == 1:
                v.assign(np.array(v) + random.normal(0, 0.2, v.shape))
    return model, {}


@pytest.mark.parametrize(
    ("size", "channels"), [((32, 32), 1), pytest.param((70, 56), 3, marks=pytest.mark.slow)]
)
def test_the_restorer(tmp_path, monkeypatch, size, channels):
    monkeypatch.setattr(training, "trained_restorer", untrained)
    monkeypatch.setattr(auto, "GUESS", 0)  # let the turned pictures rank, too
    monkeypatch.setattr(auto, "SOLVED", -1)
    detector = Detector("restorer").fit(tiles(70, size=size, channels=channels))
    assert {"rot_nll", "d_knn", "seg_top", "patch_knn", "tex_mean"} <= set(everything(detector))
    x = odd(size=size, channels=channels)
    content = exporting.exported(detector.model, size)
    same(detector, content, x, x, tmp_path)


@pytest.mark.parametrize("channels", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_the_restorer_on_scans(tmp_path, monkeypatch, channels):
    monkeypatch.setattr(training, "trained_restorer", untrained)
    made = Detector("restorer").fit(scans(70, channels=channels))
    detector = made.model.members[0].detector
    assert made.model.judge.ranking == ("near_top",) and detector.drawn == (64, 64, channels)
    assert {"near_top", "near_max", "place_top", "rot_nll"} <= set(everything(made))
    x = sick(channels=channels)
    content = exporting.exported(made.model, x.shape[1:3])
    found = same(made, content, x, x, tmp_path)
    assert (found["map"][:8, 0, :3] == 0).all() and found["map"][8, 0, :3].any()


def test_what_cannot_be_exported_gets_a_sentence():
    pictures = Detector("references").fit(tiles(60))
    pictures.model.kind = "ganomaly"
    with pytest.raises(UserError, match="'ganomaly' scores with Keras .* --detector encoder or"):
        exporting.exported(pictures.model)
    pictures.model.kind = "references"
    del pictures.model.members[0].rows["forest"]
    with pytest.raises(UserError, match="part 'forest' cannot be exported. Fit with --without"):
        exporting.exported(pictures.model)


def test_the_command(tmp_path, capsys):
    Detector("references").fit(tiles(60)).save(tmp_path / "m")

    def run(*words):
        return cli.main(["anomaly", "export", "--model", str(tmp_path / "m"), *words])

    out = str(tmp_path / "s.onnx")
    assert run("-o", out, "--size", "40x30") == DONE
    assert "knn5, pca80" in capsys.readouterr().err
    (pixels,) = onnx.load(out).graph.input
    assert [d.dim_value for d in pixels.type.tensor_type.shape.dim] == [1, 40, 30, 1]
    assert run("-o", out) != DONE
    assert "--overwrite" in capsys.readouterr().err
    assert run("-o", out, "--overwrite", "--size", "40") != DONE
    assert "such as 480x640. Received: 40." in capsys.readouterr().err
