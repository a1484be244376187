"""The pictures of cards: each with its own aspect, and slices as radiologists see them."""

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly import Detector, job, layouts, loading
from gantools.apps.anomaly.reporting import cards
from gantools.apps.anomaly.settings import Settings
from gantools.apps.anomaly.tables.model import load_model

SIZES = ((20, 60), (48, 24), (32, 32))


def pictures(folder, count):
    """Write smooth pictures of three sizes and return the folder."""
    random = np.random.default_rng(0)
    folder.mkdir()
    for i in range(count):
        height, width = SIZES[i % 3]
        rough = cv2.GaussianBlur(random.normal(0, 1, (height, width)), (0, 0), 3)
        cv2.imwrite(
            str(folder / f"{i:03}.png"), np.clip(128 + 150 * rough, 0, 255).astype(np.uint8)
        )
    return folder


def test_the_nearest_normal_keeps_its_own_aspect(tmp_path):
    looked = job.look(layouts.find(pictures(tmp_path / "data", 60)))
    made = job.fit(looked, Settings("references"))
    made.save(tmp_path / "m")
    for model in (made, load_model(tmp_path / "m")):
        seen = set()
        for item in looked.collection.items:
            picture = loading.to_levels(looked.reader.pixels(item), model.levels)
            near = cards.nearest(model, picture)
            small = loading.square(picture, 32)[0][None]
            knn = model.members[0].rows["knn5"]
            if knn.nearest(small)[1][0, 0] < 1e-4:  # it was fitted on: its nearest normal is itself
                seen.add(near.shape)
                height, width = picture.shape[:2]
                assert near.shape[0] / near.shape[1] == pytest.approx(height / width, rel=0.05)
                size = near.shape[1::-1]
                how = cv2.INTER_AREA if max(picture.shape) > 32 else cv2.INTER_LINEAR
                wanted = cv2.resize(picture, size, interpolation=how)
                np.testing.assert_allclose(near[..., 0], wanted, atol=1e-5)
        assert seen == {(11, 32, 1), (32, 16, 1), (32, 32, 1)}
    item = looked.collection.items[0]
    shown = cards.pictures(looked, made, item, None)
    assert shown["nearest"].shape[:2] in {(44, 128), (128, 64), (128, 128)}
    assert cards.left_of(item) == ""


def test_arrays_have_shapes_too():
    x = np.random.default_rng(0).integers(0, 256, (60, 16, 40), np.uint8)
    model = Detector("references").fit(x).model
    assert cards.nearest(model, np.zeros((16, 40, 1), np.float32)).shape == (13, 32, 1)


def volume(path, axes, codes=1, spacing=(1, 1, 4)):
    """Write a volume 20 to the right, 24 to the front, 6 up, brightest to the right front.

    Args:
        path: The file.
        axes: In which order and direction its voxels are stored, as "LPS".
        codes: What the header says of where that lies; 0 nothing.
        spacing: mm a voxel along right, front and up.
    """
    nibabel = pytest.importorskip("nibabel")
    data = np.zeros((20, 24, 6), np.float32)
    data[1:19, 1:23] = 50
    data[14:18, 18:21] = 200  # to the right, in front
    data[3:8, 4:8, 4:] = 100  # to the left, behind, high
    image = nibabel.Nifti1Image(data, np.diag([*spacing, 1.0]))
    io = nibabel.orientations
    turn = io.ornt_transform(io.io_orientation(image.affine), io.axcodes2ornt(axes))
    image = image.as_reoriented(turn)
    image.set_sform(image.affine, codes)
    image.set_qform(image.affine, codes)
    nibabel.save(image, path)
    return path


class Looked:
    """What `cards.pictures` asks of a collection."""

    reader = loading.Reader()


class Model:
    """What it asks of a model: the nearest normal is the picture itself."""

    levels = loading.Levels()

    def __init__(self, picture):
        self.members = [self]
        small, place = loading.square(picture, 32)
        self.rows = {"knn5": self}
        self.normals, self.mean = small.reshape(1, -1), 0
        self.shapes = np.array([[place.rows, place.columns]])

    def nearest(self, x):
        return np.zeros((1, 1), int), np.zeros((1, 1))

    def restored(self, picture):
        return -picture


def centre(pixels):
    """Return where the brightest part lies, as shares of height and width."""
    y, x = np.nonzero(pixels[..., 0] == pixels[..., 0].max())
    return y.mean() / pixels.shape[0], x.mean() / pixels.shape[1]


@pytest.mark.parametrize("axes", ["RAS", "LAS", "LPS", "PSR", "SLA"])
def test_axial_slices_show_the_right_on_the_left_and_the_front_up(tmp_path, axes):
    (item,) = (i for i in layouts.find(volume(tmp_path / "v.nii.gz", axes)).items if i.index == 2)
    picture = loading.to_levels(Looked.reader.pixels(item), Model.levels)
    heat = np.zeros(picture.shape[:2], np.float32)
    heat[14:18, 18:21] = 9
    shown = cards.pictures(Looked, Model(picture), item, heat)
    assert cards.left_of(item) == "R"
    assert shown["input"].shape == (24, 20, 1)  # rows go back, columns to the left
    for name, pixels in shown.items():
        if name != "restored":
            y, x = centre(pixels)
            assert y < 0.35 and x < 0.35, name
    dark = centre(255 - shown["restored"].astype(int))
    assert dark[0] < 0.35 and dark[1] < 0.35


@pytest.mark.parametrize(("across", "left"), [(0, "A"), (1, "R")])
def test_sagittal_and_coronal_slices(tmp_path, across, left):
    spacing = tuple(4 if i == across else 1 for i in range(3))
    items = layouts.find(volume(tmp_path / "v.nii.gz", "LPS", spacing=spacing)).items
    (item,) = (i for i in items if i.index == (5, 6)[across])  # where what is high lies
    pixels = Looked.reader.pixels(item)
    shown = cards.pictures(Looked, Model(pixels * 2 - 1), item, None)["input"]
    assert cards.left_of(item) == left
    y, x = centre(shown)
    assert y < 0.4 and x > 0.6  # up; behind, or to the patient's left


def test_a_file_that_says_nothing_of_sides_gets_no_letter(tmp_path):
    (item, *_) = layouts.find(volume(tmp_path / "v.nii.gz", "RAS", codes=0)).items
    assert cards.left_of(item) == ""
