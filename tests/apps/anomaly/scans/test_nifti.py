"""NIfTI: slices in one orientation, and maps back where the patient is."""

import itertools
from dataclasses import replace

import cv2
import numpy as np
import pytest
from gantools.apps.anomaly import layouts
from gantools.apps.anomaly.audit.run import audit
from gantools.apps.anomaly.items import Item
from gantools.apps.anomaly.loading import Reader, read_mask
from gantools.apps.anomaly.scans import nifti

from gantools.errors import MISSING_EXTRA, UserError

nibabel = pytest.importorskip("nibabel")


def save(path, data, affine=None, **header):
    image = nibabel.Nifti1Image(data, np.diag([1, 1, 3, 1]) if affine is None else affine)
    for name, value in header.items():
        image.header[name] = value
    nibabel.save(image, path)
    return path


def ball(shape=(24, 26, 12)):
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in shape], indexing="ij"))
    return np.where((grid**2).sum(0) < 0.6, 100 + 20 * grid[0], 0).astype(np.float32)


def affine_of(permutation, flips, zooms=(1.0, 1.5, 3.0)):
    affine = np.zeros((4, 4))
    for i, (axis, sign) in enumerate(zip(permutation, flips, strict=True)):
        affine[axis, i] = sign * zooms[i]
    affine[:, 3] = (5, -7, 11, 1)
    return affine


def test_a_marker_keeps_its_place_in_all_48_orientations(tmp_path):
    data = np.random.default_rng(0).uniform(0, 10, (7, 9, 11)).astype(np.float32)
    data[2, 5, 8] = 100
    for permutation in itertools.permutations(range(3)):
        for flips in itertools.product((1, -1), repeat=3):
            affine = affine_of(permutation, flips)
            path = save(tmp_path / "v.nii", data, affine)
            volume, header = nifti.volume(path)
            axis = nifti.slice_axis(header)
            planes = range(volume.shape[axis])
            maps = {}
            for i in planes:
                plane = np.take(volume, i, axis=axis)
                h, w = nifti.read_slice(path, i).shape[:2]
                maps[i] = cv2.resize(plane, (w, h), interpolation=cv2.INTER_LINEAR)
            nifti.write_map(path, maps, tmp_path / "m.nii")
            made = nibabel.load(tmp_path / "m.nii")
            assert made.shape == data.shape
            assert made.get_data_dtype() == np.float32
            np.testing.assert_allclose(made.affine, affine)
            place = np.unravel_index(made.get_fdata().argmax(), data.shape)
            world = affine @ [*place, 1]
            assert np.abs(world - affine @ [2, 5, 8, 1])[:3].max() <= 0.5 * 3.0


def test_unscored_slices_are_not_numbers(tmp_path):
    path = save(tmp_path / "v.nii.gz", ball())
    nifti.write_map(path, {3: np.ones((24, 26), np.float32)}, tmp_path / "m.nii.gz")
    made = nibabel.load(tmp_path / "m.nii.gz").get_fdata()
    assert np.isnan(made[..., 2]).all()
    assert (made[..., 3] == 1).all()
    assert [file.name for file in tmp_path.glob("*part*")] == []


def test_maps_carry_no_texts_of_the_scan(tmp_path):
    path = tmp_path / "v.nii"
    image = nibabel.Nifti1Image(ball(), np.diag([1, 1, 3, 1]))
    image.header["descrip"] = image.header["db_name"] = b"CANARY"
    image.header["aux_file"] = b"CANARY"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"CANARY"))
    nibabel.save(image, path)
    assert b"CANARY" in path.read_bytes()
    nifti.write_map(path, {3: np.ones((24, 26), np.float32)}, tmp_path / "m.nii")
    assert b"CANARY" not in (tmp_path / "m.nii").read_bytes()


def test_slices_are_items_and_empty_ones_are_dropped(tmp_path):
    (tmp_path / "in").mkdir()
    data = ball()
    data[..., 0] = data[..., -1] = 0
    save(tmp_path / "in/b.nii", data)
    save(tmp_path / "in/a.nii.gz", data)
    found = layouts.find(tmp_path / "in")
    assert found.layout == "nifti"
    assert [item.group for item in found.items[:1]] == ["a.nii.gz"]
    assert len({item.group for item in found.items}) == 2
    assert all(1 <= item.index <= 10 for item in found.items)
    pixels = Reader(found.items).pixels(found.items[5])
    assert pixels.shape == (24, 26, 1) and pixels.dtype == np.float32
    assert pixels.min() >= 0 and pixels.max() <= 1


def test_slope_intercept_and_largest_spacing(tmp_path):
    affine = np.diag([4.0, 1, 1, 1])
    image = nibabel.Nifti1Image(ball((12, 20, 22)) - 50, affine)
    image.header.set_data_dtype(np.int16)  # nibabel stores a slope and an intercept
    nibabel.save(image, tmp_path / "v.nii")
    path = tmp_path / "v.nii"
    data, header = nifti.volume(path)
    np.testing.assert_allclose(data, ball((12, 20, 22)) - 50, atol=0.01)
    assert nifti.slice_axis(header) == 0
    assert nifti.read_slice(path, 6).shape == (20, 22, 1)


def test_pixels_become_square(tmp_path):
    path = save(tmp_path / "v.nii", ball((20, 20, 6)), np.diag([1.0, 2.0, 5.0, 1]))
    assert nifti.read_slice(path, 3).shape == (20, 40, 1)
    assert nifti.read_slice(path, 3, spacing=2.0).shape == (10, 20, 1)
    assert nifti.spacing_of([path]) == 1.0
    nifti.write_map(path, {3: np.ones((20, 40), np.float32)}, tmp_path / "m.nii")
    assert nibabel.load(tmp_path / "m.nii").shape == (20, 20, 6)


def test_masks_of_volumes(tmp_path):
    for folder in ("train/good", "test/tumour", "ground_truth/tumour"):
        (tmp_path / folder).mkdir(parents=True)
    data = ball()
    save(tmp_path / "train/good/a.nii", data)
    save(tmp_path / "test/tumour/b.nii", data)
    mask = np.zeros(data.shape, np.uint8)
    mask[10:14, 8:12, 5] = 1
    save(tmp_path / "ground_truth/tumour/b.nii", mask)
    found = layouts.find(tmp_path)
    assert found.layout == "mvtec"
    sums = {item.index: read_mask(item).sum() for item in found.of("test")}
    assert sums[5] == 16 and sum(sums.values()) == 16


def test_a_mask_is_cut_as_its_picture_and_has_as_many_slices(tmp_path):
    data, mask = ball(), np.zeros((24, 26, 12), np.uint8)
    mask[10:14, 8:12, 5] = 1
    picture = save(tmp_path / "p.nii", data)
    whole = save(tmp_path / "m.nii", mask, np.diag([4.0, 1, 1, 1]))  # its header says another axis
    item = Item(picture, "p", index=5, mask=whole)
    assert read_mask(item, (24, 26)).sum() == 16
    few = Item(picture, "p", index=9, mask=save(tmp_path / "few.nii", mask[..., :8]))
    with pytest.raises(
        UserError, match=r"'few.nii' has 8 slices. Expected 12 as its volume 'p.nii' has"
    ):
        read_mask(few, (24, 26))


def test_a_mask_of_other_slices_is_refused_before_the_fit(tmp_path):
    for folder in ("train/good", "test/tumour", "ground_truth/tumour"):
        (tmp_path / folder).mkdir(parents=True)
    save(tmp_path / "train/good/a.nii", ball())
    save(tmp_path / "test/tumour/b.nii", ball())
    save(tmp_path / "ground_truth/tumour/b.nii", np.zeros((24, 26, 8), np.uint8))
    with pytest.raises(UserError, match="has 8 slices"):
        audit(layouts.find(tmp_path))


def test_four_axes_use_the_first_volume(tmp_path):
    path = save(tmp_path / "v.nii", np.stack([ball(), ball() * 0], axis=-1))
    assert nifti.volume(path)[0].shape == (24, 26, 12)
    assert "more than three axes" in " ".join(layouts.find(tmp_path).notes)


def test_broken_volumes_are_one_sentence(tmp_path):
    draw = np.random.default_rng(0).normal(size=(24, 24, 24)).astype(np.float32)
    path = save(tmp_path / "v.nii.gz", draw)
    path.write_bytes(path.read_bytes()[:20_000])
    for data, sentence in (
        (None, "truncated"), (np.full((4, 4, 4), np.nan), "only NaN"), (np.zeros((4, 4)), "three")
    ):  # fmt: skip
        if data is not None:
            path.unlink(missing_ok=True)
            save(tmp_path / "n.nii", data.astype(np.float32))
        (item,) = layouts.find(tmp_path).items  # a row with its reason
        assert sentence in item.trouble
        with pytest.raises(UserError, match="None of 2 pictures can be read.*" + sentence):
            audit(replace(layouts.find(tmp_path), items=(item, item)))


def test_without_the_extra(tmp_path, monkeypatch):
    save(tmp_path / "v.nii", ball())
    monkeypatch.setitem(__import__("sys").modules, "nibabel", None)
    with pytest.raises(UserError, match=r"gantools\[medical\]") as error:
        layouts.find(tmp_path)
    assert error.value.code == MISSING_EXTRA


def column(slices=24):
    """Return tissue of 100 around noisy air, `(24, 26, slices)`; air alone in the first slice."""
    random = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, n) for n in (24, 26)], indexing="ij"))
    data = random.uniform(0, 5, (24, 26, slices))
    data[(grid**2).sum(0) < 0.6] = random.normal(100, 10, ((grid**2).sum(0) < 0.6).sum())[:, None]
    data[..., 0] = random.uniform(0, 5, (24, 26))
    return data.astype(np.float32)


@pytest.mark.parametrize("bright", ["spot", "organ"])
def test_what_shines_in_a_few_slices_takes_no_others_away(tmp_path, bright):
    data = column()
    if bright == "spot":
        data[12, 13, 5] = 1500
    else:
        data[8:14, 8:14, 5:8] = 3000
    save(tmp_path / "v.nii", data)
    found = layouts.find(tmp_path)
    assert [item.index for item in found.items] == list(range(1, 24))
    (note,) = (note for note in found.notes if "empty" in note)
    assert note.startswith("1 of 24 slices are empty: left out.") and "1 of 24 of v.nii" in note
    middle = Reader(found.items).pixels(found.items[15])
    assert (middle > 0).mean() > 0.4  # the tissue lies inside the window


@pytest.mark.parametrize(
    ("zooms", "plane"),
    [((0.7, 0.7, 0.625), 2), ((0.7, 0.7, 1.25), 2), ((1.0, 0.98, 0.98), 2), ((1, 1, 1), 2),
     ((1.0, 1.002, 1.0), 2), ((4, 1, 1), 0), ((1, 3, 1), 1), ((1.0, 1.4, 1.0), 2)],
)  # fmt: skip
def test_slices_are_axial_unless_another_spacing_is_clearly_larger(tmp_path, zooms, plane):
    path = save(tmp_path / "v.nii", ball((12, 13, 14)), np.diag([*map(float, zooms), 1]))
    assert nifti.slice_axis(nifti.volume(path)[1]) == plane
    assert {dict(item.facts)["slice axis"] for item in layouts.find(tmp_path).items} == {plane}


def test_volumes_that_are_cut_in_several_planes_are_warned_of(tmp_path):
    for name, zooms in (("a", (1.0, 1, 4)), ("b", (1.0, 1, 4)), ("c", (4.0, 1, 1))):
        save(tmp_path / f"{name}.nii", ball(), np.diag([*zooms, 1]))
    (note,) = (note for note in layouts.find(tmp_path).notes if "planes" in note)
    assert note.startswith("warning: the slices of 3 volumes lie in 2 planes: 2 axial, 1 sagittal.")


@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_maps_have_their_own_window_and_no_intent(tmp_path, kind):
    image = kind(ball(), np.diag([1, 1, 3, 1]))
    image.header["cal_min"], image.header["cal_max"] = -160, 240
    image.header.set_intent("t test", (10,), name="CANARY")
    nibabel.save(image, tmp_path / "v.nii")
    nifti.write_map(tmp_path / "v.nii", {3: np.ones((24, 26))}, tmp_path / "m.nii", (1, 4))
    header = nibabel.load(tmp_path / "m.nii").header
    assert (header["cal_min"], header["cal_max"]) == (1, 4)
    assert header.get_intent() == ("none", (), "") and header["intent_p1"] == 0
    nifti.write_map(tmp_path / "v.nii", {}, tmp_path / "m.nii")
    assert nibabel.load(tmp_path / "m.nii").header["cal_max"] == 0
