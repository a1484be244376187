from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import numpy as np
import pytest
from gantools.apps.superres.careful import Careful
from gantools.apps.superres.engine import open_engine
from gantools.apps.superres.projection import CONTEXT
from gantools.apps.superres.upscaler import Upscaler

from gantools.errors import UserError


class Small:
    """An engine whose memory holds tiles of a few pixels only."""

    def __init__(self, engine, most, error=None):
        self.engine, self.scale, self.most = engine, engine.scale, most
        self.precision = "f32"
        self.error, self.seen = error or MemoryError("std::bad_alloc"), []

    def prepare(self, height, width):
        self.engine.prepare(height, width)

    def run(self, tile):
        self.seen.append(tile.shape[:2])
        if tile.shape[0] * tile.shape[1] > self.most:
            raise self.error
        return self.engine.run(tile)


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("Failed to allocate 9 bytes")])
def test_out_of_memory_halves_the_tile_and_nothing_changes(error, make_network, picture):
    network, pixels = make_network(), picture(150, 130)
    tile = np.pad(pixels, ((CONTEXT,) * 2, (CONTEXT,) * 2, (0, 0)), mode="symmetric")
    engine = open_engine(network, projection="full")
    expected = engine.run(tile).copy()
    small = Small(engine, 90 * 90, error)
    careful = Careful(small, None, network.reach("full"))
    np.testing.assert_array_equal(careful.run(tile), expected)
    assert careful.largest < 90
    count = len(small.seen)
    np.testing.assert_array_equal(careful.run(tile), expected)
    assert max(map(max, small.seen[count:])) < 90  # it is remembered


def test_other_errors_are_not_hidden(make_network):
    engine = Small(open_engine(make_network()), 0, RuntimeError("shape mismatch"))
    with pytest.raises(RuntimeError, match="shape mismatch"):
        Careful(engine, None, 5).run(np.zeros((60, 60, 3), np.uint8))


def test_no_memory_at_all_is_one_sentence(make_network):
    engine = Small(open_engine(make_network()), 0)
    with pytest.raises(UserError, match="too small for this network, even in small tiles"):
        Careful(engine, None, 5).run(np.zeros((300, 300, 3), np.uint8))


class Broken:
    """An engine that gives black for a part of a tile, as NaN becomes when cast to bytes."""

    def __init__(self, engine, value=0):
        self.engine, self.scale, self.value = engine, engine.scale, value
        self.precision = "f32"

    def run(self, tile):
        made = self.engine.run(tile).copy()
        made[40:160, 40:160] = self.value
        return made


def test_a_tile_gone_astray_is_made_again_in_float32(make_network, picture):
    network = make_network()
    pixels = picture(60, 60) // 2 + 100
    tile = np.pad(pixels, ((CONTEXT,) * 2, (CONTEXT,) * 2, (0, 0)), mode="symmetric")
    good = open_engine(network).run(tile).astype(int)
    careful = Careful(Broken(open_engine(network)), lambda: open_engine(network, deep=True), 5)
    made = careful.run(tile)
    assert careful.redone == 1
    assert np.abs(made - good).max() <= 1
    sound = Careful(open_engine(network, "opencv"), lambda: pytest.fail("not needed"), 5)
    sound.run(tile)
    assert sound.redone == 0


def test_noise_and_checkerboards_do_not_look_like_nan(make_network):
    rng = np.random.default_rng(0)
    board = np.indices((80, 80)).sum(axis=0) % 2 * 255
    for pixels in (rng.integers(0, 256, (80, 80, 3)), np.repeat(board[:, :, None], 3, axis=2)):
        upscaler = Upscaler(make_network(gain=0.05))
        list(upscaler.bands(pixels.astype(np.uint8)))
        assert upscaler.redone() == 0


def test_nan_in_float32_is_one_sentence(make_network):
    engine = Broken(open_engine(make_network(), deep=True), np.nan)
    with pytest.raises(UserError, match=r"no numbers \(NaN\)"):
        Careful(engine, None, 5).run(np.full((60, 60, 3), 99, np.float32))


class Coarse:
    """An engine whose bfloat16 is `levels` off where there is texture, until it uses float32."""

    def __init__(self, engine, levels):
        self.engine, self.scale, self.levels, self.precision = engine, engine.scale, levels, "bf16"
        self.prepared = []

    def prepare(self, height, width):
        self.prepared.append((height, width))

    def run(self, tile):
        made = self.engine.run(tile)
        plain = self.precision == "f32" or tile.std() < 20
        return made if plain else np.clip(made.astype(int) + self.levels, 0, 255).astype(np.uint8)

    def use_float32(self):
        self.precision = "f32"


@pytest.mark.parametrize("ready", [False, True])
@pytest.mark.parametrize("levels", [0, 3])
def test_bfloat16_stays_only_if_it_makes_what_float32_makes(levels, ready, make_network, picture):
    network = make_network()
    flat, textured = np.full((60, 70, 3), 90, np.uint8), picture(60, 70)
    exact = open_engine(network, "opencv", projection="full")
    engine, asked = Coarse(exact, levels), []

    def spare():
        asked.append(1)
        return open_engine(network, "opencv", deep=True, projection="full")

    careful = Careful(engine, spare, network.reach("full"))
    if ready:
        careful.prepare(52, 62)
        assert sorted(engine.prepared) == [(48, 48), (52, 62)]
    for tile in (flat, textured):  # a flat picture proves nothing, and does not have to
        np.testing.assert_array_equal(careful.run(tile), exact.run(tile).copy())
    assert len(asked) == 1
    assert engine.precision == ("bf16" if levels == 0 else "f32")
    assert careful.apart == pytest.approx(levels, abs=0.1)  # halves are rounded either way


def test_bfloat16_that_gives_no_numbers_is_left(make_network, picture):
    network = make_network()
    engine = Coarse(open_engine(network, "opencv"), 0)
    spare = open_engine(network, "opencv", deep=True)
    careful = Careful(engine, lambda: Broken(spare, np.nan), 5)
    careful.run(np.pad(picture(80, 80), ((CONTEXT,) * 2, (CONTEXT,) * 2, (0, 0))))
    assert engine.precision == "f32"


def test_an_engine_told_to_use_float32_does(make_network, picture):
    network, tile = make_network(), picture(48, 48)
    engine, other = open_engine(network, "openvino"), open_engine(network, "openvino", deep=True)
    engine.run(tile)
    engine.use_float32()
    assert engine.precision == "f32"
    wanted = np.rint(other.run(tile.astype(np.float32)))
    assert np.mean(engine.run(tile) != wanted) < 1e-3  # the same but for halves


def test_sizes_are_compiled_side_by_side_and_one_size_once(make_network):
    engine, both, compiled = open_engine(make_network(), "opencv"), Barrier(2, timeout=30), []

    def compile_one(height, width):
        compiled.append((height, width))
        both.wait()  # breaks if one size waits for the other
        return height * width

    engine._compile = compile_one
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(engine._for, (16, 16, 24, 24), (8, 8, 8, 8)))
    assert made == [128, 128, 192, 192]
    assert sorted(compiled) == [(16, 8), (24, 8)]


def test_a_size_whose_compilation_failed_is_tried_again(make_network, picture):
    network, tile = make_network(), picture(48, 48)
    engine = open_engine(network, "opencv")
    whole, failed = engine._compile, []

    def fails_once(height, width):
        if not failed:
            failed.append(1)
            raise MemoryError
        return whole(height, width)

    engine._compile = fails_once
    with pytest.raises(MemoryError):
        engine.run(tile)
    wanted = open_engine(network, "opencv").run(tile)
    np.testing.assert_array_equal(engine.run(tile), wanted)
