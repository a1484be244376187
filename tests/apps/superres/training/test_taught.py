"""A teacher has its share in the targets, its pictures are made once, and it must fit the run."""

import cv2
import numpy as np
import pytest
from gantools.apps.superres.model import Network, load, write
from gantools.apps.superres.training import taught
from gantools.apps.superres.training.patches import UNIT, Patches, load_photos, shuffle
from gantools.apps.superres.upscaler import Upscaler

from gantools.cli import main
from gantools.data import pictures
from gantools.data.resample import resize
from gantools.errors import USAGE, UserError
from gantools.nets import plans


@pytest.fixture
def folder(tmp_path):
    """Return a folder of two soft random photographs."""
    path = tmp_path / "photos"
    path.mkdir()
    random = np.random.default_rng(0)
    for name in "ab":
        coarse = random.integers(0, 256, (12, 13, 3), dtype=np.uint8)
        cv2.imwrite(str(path / f"{name}.png"), cv2.resize(coarse, (104, 96)))
    return path


@pytest.fixture
def teacher():
    """Return a network x2 that adds some random detail."""
    plan, random = plans.fast(2, width=8, blocks=1), np.random.default_rng(1)
    shapes = plan.weight_shapes()
    arrays = {k: random.normal(0, 0.05, v).astype(np.float32) for k, v in shapes.items()}
    return Network(plan, arrays)


def test_targets_are_the_mean_of_photograph_and_teacher_by_its_share(folder, teacher, tmp_path):
    photos = load_photos(folder, 2, 48)
    made = list(taught.targets(tmp_path / "kept", photos, teacher, 0.25))
    for (name, pixels), target in zip(photos, made, strict=True):
        small = pictures.Picture(resize(pixels, 0.5))
        large = Upscaler(teacher, views=8).enlarge(small, pixels.shape[:2]).pixels
        assert np.abs(large.astype(int) - pixels).max() > 3  # it says something of its own
        np.testing.assert_allclose(target, 0.75 * pixels + 0.25 * large, atol=1e-4)
        np.testing.assert_array_equal(pictures.read(tmp_path / f"kept/{name}.png").pixels, large)


def test_what_is_kept_is_not_made_again(folder, teacher, tmp_path):
    photos = load_photos(folder, 2, 48)
    list(taught.targets(tmp_path, photos, teacher, 1.0))
    grey = np.full_like(photos[0][1], 77)
    pictures.write(tmp_path / "a.png.png", pictures.Picture(grey))
    (tmp_path / "b.png.png").unlink()  # as after a kill
    first, second = taught.targets(tmp_path, photos, teacher, 1.0)
    assert (first == 77).all() and (tmp_path / "b.png.png").exists()
    assert second.std() > 10


def test_patches_lead_to_the_targets(folder):
    photos = load_photos(folder, 2, 48)
    bright = [np.full_like(pixels, 200) for _, pixels in photos]
    batch = Patches(photos, 2, 4, 48, targets=iter(bright)).at(0)
    for low, residual in zip(batch["low"], batch["residual"], strict=True):
        base = resize(low.astype(np.float32), 2)
        made = base + shuffle(residual, 2) * UNIT / 64
        np.testing.assert_allclose(made[8:-8, 8:-8], 200, atol=0.02)  # borders: see Patches


def test_a_run_takes_a_teacher_and_refuses_another(folder, teacher, tmp_path, capsys):
    write(tmp_path / "teacher.safetensors", teacher)
    words = ["superres", "train", "--data", str(folder), "--scale", "2", "--width", "8"]
    words += ["--blocks", "1", "--steps", "2", "-q", "-o", str(tmp_path / "run")]
    words += ["--teacher", str(tmp_path / "teacher.safetensors")]
    assert main(words) == 0
    kept = [path.name for path in (tmp_path / "run/fidelity-taught").iterdir()]
    assert kept == ["b.png.png"]  # a.png chooses the weights
    assert main([*words, "--teacher-share", "0.2"]) == USAGE
    assert "teacher_share (0.5, now 0.2)" in capsys.readouterr().err
    assert main([*words[:-1], "fast"]) == USAGE
    assert "teacher (" in capsys.readouterr().err


def test_a_teacher_that_does_not_fit_is_refused(capsys):
    fast = load("fast", 4)
    with pytest.raises(UserError, match="expected a network of x2. Received: fast x4"):
        taught.check(2, fast, degrade="clean", second_stage=False)
    for how in ({"degrade": "photo"}, {"second_stage": True}):
        with pytest.raises(UserError, match="is for the first stage"):
            taught.check(4, fast, **{"degrade": "clean", "second_stage": False, **how})
    assert main(["superres", "train", "--data", "x", "--teacher-share", "0.3"]) == USAGE
    assert "give --teacher" in capsys.readouterr().err
