import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gantools.apps.superres import SuperResolver

import gantools
from gantools.errors import UserError


@pytest.fixture
def resolver(weights):
    return SuperResolver(weights)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64, np.float16])
@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 1), (20, 30, 3), (20, 30, 4), (2, 20, 30, 3)])
def test_shapes_and_types_are_kept(shape, dtype, resolver, picture):
    pixels = np.resize(picture(20, 30, 4), shape)
    pixels = (
        pixels.astype(dtype) / dtype(255) if dtype().dtype.kind == "f" else pixels.astype(dtype)
    )
    made = resolver(pixels)
    expected = (2, 80, 120, 3) if len(shape) == 4 else (80, 120, *shape[2:])
    assert made.shape == expected
    assert made.dtype == dtype


def test_a_batch_is_its_pictures(resolver, picture):
    batch = np.stack([picture(20, 30, seed=seed) for seed in (0, 1)])
    made = resolver(batch)
    for one, small in zip(made, batch, strict=True):
        np.testing.assert_array_equal(one, resolver(small))


@pytest.mark.parametrize("engine", ["openvino", "opencv"])
def test_threads_may_share_a_resolver(engine, weights):
    resolver = SuperResolver(weights, engine=engine)
    small = [np.full((48, 48, 3), 10 * level, np.uint8) for level in range(12)]
    expected = [resolver(pixels) for pixels in small]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            for made, known in zip(pool.map(resolver, small), expected, strict=True):
                np.testing.assert_array_equal(made, known)


def test_bands_come_one_by_one(weights, picture):
    resolver = SuperResolver(weights, scale=3)
    pixels = picture(600, 20)
    bands = [band.copy() for band in resolver.bands(pixels)]
    assert len(bands) > 1
    np.testing.assert_array_equal(np.concatenate(bands), resolver(pixels))


def test_it_makes_what_the_command_makes(weights, tmp_path, picture):
    from gantools.cli import main
    from gantools.data.pictures import Picture, read, write

    write(tmp_path / "a.png", Picture(picture(40, 50)))
    words = ["superres", tmp_path / "a.png", "--model", weights, "--scale", "2.5", "-q"]
    assert main([*map(str, words), "-o", str(tmp_path / "b.png")]) == 0
    made = SuperResolver(weights, scale=2.5)(picture(40, 50))
    np.testing.assert_array_equal(made, read(tmp_path / "b.png").pixels)


def test_options(weights, picture):
    assert SuperResolver(weights, size=(50, 70), tta=2, wrap=True, projection=False)(
        picture(20, 30)
    ).shape == (50, 70, 3)
    for wrong, words in [
        ({"scale": 20}, "1 to 16"),
        ({"scale": 2, "size": (9, 9)}, "in one way"),
        ({"memory": 1000}, "needs at least"),
        ({"strength": 0.5}, "no adversarially trained twin"),
        ({"tta": 3}, r"tta: expected one of \(1, 2, 4, 8\). Received: 3"),
        ({"tta": 0}, "tta: expected one of"),
        ({"device": "cuda"}, "device: expected one of .* Received: 'cuda'"),
        ({"threads": 0}, "threads: expected 1 or more. Received: 0"),
        ({"threads": -1}, "threads: expected 1 or more. Received: -1"),
    ]:
        with pytest.raises(UserError, match=words):
            SuperResolver(weights, **wrong)


@pytest.mark.parametrize("shape", [(3,), (2, 2, 5), (0, 4, 3), (1, 2, 3, 4, 5)])
def test_what_is_no_picture(shape, resolver):
    with pytest.raises(UserError, match="Received"):
        resolver(np.zeros(shape, np.uint8))
    with pytest.raises(UserError, match="uint8, uint16 or floating"):
        resolver(np.zeros((4, 4), np.int64))
    with pytest.raises(UserError, match="no pictures"):
        resolver(np.zeros((0, 4, 4, 3), np.uint8))


def test_it_is_found_at_the_top_and_imports_no_keras(weights):
    assert gantools.SuperResolver is SuperResolver
    code = (
        "import sys, numpy as np, gantools; "
        f"gantools.SuperResolver({str(weights)!r})(np.zeros((9, 9, 3), np.uint8)); "
        "heavy = {'keras', 'tensorflow', 'jax', 'torch'}; "
        "print(sorted({m.split('.')[0] for m in sys.modules} & heavy))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
    run = subprocess.run(
        [sys.executable, "-c", "import sys, gantools; print('numpy' in sys.modules)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stdout.strip() == "False"
