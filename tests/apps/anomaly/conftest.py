"""Small folders of tiles with planted defects."""

import cv2
import numpy as np
import pytest

SIDE = 32


@pytest.fixture
def tiles():
    """Return a function that makes a folder of tiles: see `make_tiles`."""
    return make_tiles


def make_tiles(root, normals=80, good=12, bad=8, side=SIDE, seed=0, masks=True):
    """Write train/good, test/good and test/patch with masks; names carry a lot of four tiles."""
    random = np.random.default_rng(seed)
    for part, count in (("train/good", normals), ("test/good", good)):
        for i in range(count):
            save(root / part / f"lot{part[:2]}{i // 4:03}_{i:03}.png", tile(random, side))
    for i in range(bad):
        picture, (y, x) = tile(random, side), random.integers(2, side // 2, 2)
        edge, mask = side // 3, np.zeros((side, side), np.uint8)
        picture[y : y + edge, x : x + edge] = random.integers(0, 256, (edge, edge))
        mask[y : y + edge, x : x + edge] = 255
        save(root / "test" / "patch" / f"lotx{i // 4:03}_{i:03}.png", picture)
        if masks:
            save(root / "ground_truth" / "patch" / f"lotx{i // 4:03}_{i:03}_mask.png", mask)
    return root


def tile(random, side=SIDE):
    """Return a smooth grey texture, uint8 `(side, side)`."""
    rough = cv2.GaussianBlur(random.normal(0, 1, (side, side)), (0, 0), 2)
    return np.clip(110 + 25 * rough / rough.std(), 0, 255).astype(np.uint8)


def save(path, picture):
    """Write a picture, and its folder where missing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), picture)


@pytest.fixture(scope="session")
def tile_folder(tmp_path_factory):
    """Return a folder of tiles that nobody may change."""
    return make_tiles(tmp_path_factory.mktemp("tiles"))


@pytest.fixture(scope="session")
def fitted_tiles(tile_folder):
    """Return `(what was seen of the folder, a model of the reference rows)`."""
    from gantools.apps.anomaly import job, layouts
    from gantools.apps.anomaly.settings import Settings

    looked = job.look(layouts.find(tile_folder))
    return looked, job.fit(looked, Settings(detector="references"))


@pytest.fixture(autouse=True, scope="session")
def few_resamples():
    """Let intervals be rough: 2000 draws a row take a third of a small job's time."""
    from gantools.apps.anomaly.evaluation import evaluate

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluate, "_resamples", lambda items: 80)
        yield
