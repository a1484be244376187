import numpy as np
import pytest
from gantools.apps.superres import model
from gantools.apps.superres.clips import unchanged
from gantools.apps.superres.clips.unchanged import SMALL, Canvas, damped, sameness
from gantools.apps.superres.tiles import grid
from gantools.apps.superres.upscaler import Upscaler


@pytest.fixture
def upscaler(make_network):
    return Upscaler(make_network(gain=0.2), threads=1)


def run(upscaler, frames, size, **more):
    canvas = Canvas(upscaler, frames[0].shape, size, **more)
    return [canvas.enlarge(frame).copy() for frame in frames], canvas


def walk(picture, count=6, height=150, width=200):
    """Return frames in which a spot moves over a page; nothing else changes."""
    page = picture(height, width, 1)[:, :, 0]
    frames = [page.copy() for _ in range(count)]
    for i, frame in enumerate(frames):
        frame[40 + 9 * i : 50 + 9 * i, 30 + 17 * i : 36 + 17 * i] = 255 - 20 * i
    return [frames[0], *frames]  # and once nothing at all


@pytest.mark.parametrize("size", [(600, 800), (400, 555)])
def test_kept_tiles_equal_computed_ones(upscaler, picture, size):
    frames = walk(picture)
    kept, canvas = run(upscaler, frames, size, damped=False)
    anew, other = run(upscaler, frames, size, damped=False, reuse=False)
    for a, b in zip(kept, anew, strict=True):
        np.testing.assert_array_equal(a, b)
    assert other.reused == 0
    assert 0.3 < canvas.reused / canvas.seen < 0.9
    if size == (600, 800):  # else grey is made before the reduction here, and after it there
        whole = np.concatenate([b.copy() for b in upscaler.bands(frames[-1][:, :, None], size)])
        np.testing.assert_array_equal(kept[-1], whole[:, :, 0])


def test_a_change_beyond_the_tile_but_inside_its_base_is_seen(upscaler):
    """Of a tile, the bicubic base reads 2 pixels more than the network."""
    low = np.full((200, 200), 90, np.uint8)
    tiles = [tile for band in grid(200, 200, 9, SMALL).bands for tile in band]
    at = tiles[0].y + SMALL + 1
    other = low.copy()
    other[at, 20] = 200
    kept, _ = run(upscaler, [low, other], (800, 800), damped=False)
    anew, _ = run(upscaler, [other], (800, 800), damped=False)
    np.testing.assert_array_equal(kept[1], anew[0])


def test_few_changes_cost_few_pixels(upscaler, picture):
    ran = []
    runner = upscaler.runner(upscaler.network, False)
    inner = runner.run
    runner.run = lambda tile: (ran.append(tile.shape[0] * tile.shape[1]), inner(tile))[1]
    frames = walk(picture, 3, 300, 400)
    run(upscaler, frames, (1200, 1600))
    first, rest = ran[0], ran[1:]
    assert first > 300 * 400
    assert sum(rest) < 0.3 * 2 * first


def test_ten_bits(upscaler, picture):
    frames = [frame.astype(np.uint16) * 4 + 1 for frame in walk(picture, 2)]
    made, _ = run(upscaler, frames, (600, 800), top=1023)
    assert made[0].dtype == np.uint16
    assert 600 < made[0].max() <= 1023
    eight, _ = run(upscaler, [frame // 4 for frame in walk(picture, 2)], (600, 800))
    small, _ = run(upscaler, [(frame // 4).astype(np.uint16) * 4 for frame in walk(picture, 2)],
                   (600, 800), top=1023)  # fmt: skip
    assert np.abs(small[0] / 1023 * 255 - eight[0]).max() <= 2.5  # bfloat16 beside float32


def test_memory_goes_on_where_it_was(upscaler, picture):
    rng = np.random.default_rng(0)
    frames = [frame // 2 + rng.integers(0, 3, frame.shape, np.uint8) for frame in walk(picture)]
    whole, _ = run(upscaler, frames, (600, 800))
    _, half = run(upscaler, frames[:4], (600, 800))
    fresh = Canvas(upscaler, frames[0].shape, (600, 800))
    fresh.remember(half.memory())
    for frame, expected in zip(frames[4:], whole[4:], strict=True):
        np.testing.assert_array_equal(fresh.enlarge(frame), expected)


def test_damping_is_its_formula():
    rng = np.random.default_rng(0)
    fresh, made = rng.integers(0, 256, (2, 24, 32), np.uint8)
    low = np.full((12, 16), 100, np.uint8)
    mixed = damped(fresh, made, low + np.uint8(1), low)  # d = 1, U x_t - U x_{t-1} = 1
    m = 0.8 * (1 - 1 / 5)
    expected = np.clip(fresh + m * (made + 1.0 - fresh), 0, 255)
    np.testing.assert_allclose(mixed, expected, atol=0.501)
    np.testing.assert_allclose(sameness(np.zeros((5, 5), np.float32)), 0.8)
    assert not sameness(np.full((5, 5), 5, np.float32)).any()


def test_what_moves_is_untouched_and_what_is_still_is_exact(upscaler, picture):
    page = picture(60, 90, 1)[:, :, 0]
    moving = [np.roll(page, 3 * i, axis=1) for i in range(4)]
    moving = [np.where(np.arange(90) % 8 < 4, frame // 2, frame // 2 + 100).astype(np.uint8)
              if i % 2 else frame for i, frame in enumerate(moving)]  # fmt: skip
    plain, _ = run(upscaler, moving, (240, 360), damped=False)
    shown, _ = run(upscaler, moving, (240, 360))
    same = np.mean([np.mean(a == b) for a, b in zip(plain, shown, strict=True)])
    assert same > 0.9
    spot = np.full((60, 90), 50, np.uint8)
    other = spot.copy()
    other[20:40, 30:60] += 25
    plain, _ = run(upscaler, [spot, other], (240, 360), damped=False)
    shown, _ = run(upscaler, [spot, other], (240, 360))
    np.testing.assert_array_equal(plain[1][96:144, 136:224], shown[1][96:144, 136:224])
    still, _ = run(upscaler, [page] * 4, (240, 360))
    for frame in still[1:]:
        np.testing.assert_array_equal(frame, still[0])


def test_flicker():
    """Of the flicker that the network adds to a camera's noise, less than half is left."""
    from gantools.data.resample import resize

    rng, upscaler = np.random.default_rng(0), Upscaler(model.load("fast", 2), threads=1)
    page = resize(rng.random((16, 24)).astype(np.float32), 6) * 200 + 20
    page = np.clip(page, 10, 240)
    frames = [np.rint(page + rng.normal(0, 1, page.shape)).astype(np.uint8) for _ in range(7)]
    size = tuple(2 * side for side in page.shape)

    def flicker(made):
        pairs = zip(made[2:], made[3:], strict=False)
        return np.mean([np.abs(a.astype(float) - b).mean() for a, b in pairs])

    bicubic = flicker([resize(frame.astype(np.float32), 2) for frame in frames])
    plain = flicker(run(upscaler, frames, size, damped=False)[0])
    calm = flicker(run(upscaler, frames, size)[0])
    print(f"bicubic {bicubic:.3f}, network {plain:.3f}, damped {calm:.3f}")
    assert plain > 1.2 * bicubic
    assert calm - bicubic < 0.5 * (plain - bicubic)


def test_constants_of_the_formula_are_those_of_its_text():
    assert (unchanged.BLEND, unchanged.STILL, unchanged.AROUND) == (0.8, 5.0, 5)
    for part in ("M = 4/5", "T = 5 levels", "5x5 small pixels", "20 levels has m = 0"):
        assert part in unchanged.__doc__
