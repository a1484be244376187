"""Networks of other programs: what is served equals what PyTorch computes with their layers."""

import json
import struct

import numpy as np
import pytest
from gantools.apps.superres import model
from gantools.apps.superres.engine import open_engine
from gantools.apps.superres.family import family
from gantools.apps.superres.foreign import translated
from gantools.apps.superres.upscaler import Upscaler

from gantools.errors import UserError

torch = pytest.importorskip("torch")
F = torch.nn.functional


class Weights:
    """Random weights by name, made when first asked for."""

    def __init__(self, seed=0, spread=0.7):
        self.rng, self.spread, self.arrays = np.random.default_rng(seed), spread, {}

    def __call__(self, name, *shape):
        if name not in self.arrays:
            fan = max(1, int(np.prod(shape[1:]))) if len(shape) > 1 else 400
            values = self.rng.normal(0, self.spread * fan**-0.5, shape)
            self.arrays[name] = values.astype(np.float32)
        return torch.from_numpy(self.arrays[name])

    def conv(self, x, name, channels, side=3):
        weight = self(f"{name}.weight", channels, x.shape[1], side, side)
        return F.conv2d(x, weight, self(f"{name}.bias", channels), padding=side // 2)


def compact(x, w, scale, width=8, depth=3):
    y = x
    for i in range(depth + 1):
        y = w.conv(y, f"body.{2 * i}", width)
        y = F.prelu(y, w(f"body.{2 * i + 1}.weight", width).abs())
        w.arrays[f"body.{2 * i + 1}.weight"] = np.abs(w.arrays[f"body.{2 * i + 1}.weight"])
    y = F.pixel_shuffle(w.conv(y, f"body.{2 * depth + 2}", 3 * scale**2), scale)
    return y + F.interpolate(x, scale_factor=scale, mode="nearest")


def conv3xc(x, w, name, channels):
    """The trained branches, not folded: the picture is padded once, before the first of them."""
    y = F.pad(x, (1, 1, 1, 1))
    width = x.shape[1]
    y = w.conv(y, f"{name}.conv.0", 2 * width, 1)
    weight = w(f"{name}.conv.1.weight", 2 * channels, 2 * width, 3, 3)
    y = F.conv2d(y, weight, w(f"{name}.conv.1.bias", 2 * channels))
    return w.conv(y, f"{name}.conv.2", channels, 1) + w.conv(x, f"{name}.sk", channels, 1)


def span(x, w, scale, norm, width=6):
    if norm:
        x = (x - torch.tensor([0.4488, 0.4371, 0.4040]).view(1, 3, 1, 1)) * 255.0
    else:
        w("no_norm", 1)
    first = conv3xc(x, w, "conv_1", width)
    if norm:  # keep the numbers small
        for part in ("sk", "conv.0"):
            w.arrays[f"conv_1.{part}.weight"] /= 255
        first = conv3xc(x, w, "conv_1", width)
    y, outs = first, []
    for i in range(1, 7):
        kept = conv3xc(y, w, f"block_{i}.c1_r", width)
        one = F.silu(kept)
        three = conv3xc(
            F.silu(conv3xc(one, w, f"block_{i}.c2_r", width)), w, f"block_{i}.c3_r", width
        )
        y = (three + y) * (torch.sigmoid(three) - 0.5)
        outs.append((y, one))  # the activation works in place: what is kept is its result
    last = conv3xc(y, w, "conv_2", width)
    y = w.conv(torch.cat([first, last, outs[0][0], outs[5][1]], 1), "conv_cat", width, 1)
    return F.pixel_shuffle(w.conv(y, "upsampler.0", 3 * scale**2), scale)


NEW = ("conv_first", "body.{}.rdb{}.conv{}", "conv_body", "conv_up{}", "conv_hr", "conv_last")
MIDDLE = (
    "conv_first",
    "RRDB_trunk.{}.RDB{}.conv{}",
    "trunk_conv",
    "upconv{}",
    "HRconv",
    "conv_last",
)
OLD = (
    "model.0",
    "model.1.sub.{}.RDB{}.conv{}.0",
    "model.1.sub.2",
    "model.OLD{}",
    "model.8",
    "model.10",
)


def esrgan(x, w, scale, names, width=8, blocks=2, growth=4):
    first, block, body, up, hr, last = names
    start = y = w.conv(x, first, width)
    for i in range(blocks):
        outer = y
        for j in (1, 2, 3):
            inner, seen = y, [y]
            for k in range(1, 5):
                z = w.conv(torch.cat(seen, 1), block.format(i, j, k), growth)
                seen.append(F.leaky_relu(z, 0.2))
            y = 0.2 * w.conv(torch.cat(seen, 1), block.format(i, j, 5), width) + inner
        y = 0.2 * y + outer
    y = w.conv(y, body, width) + start
    for i in range(1, scale.bit_length()):
        name = f"model.{3 * i}" if "OLD" in up else up.format(i)
        y = F.leaky_relu(w.conv(F.interpolate(y, scale_factor=2, mode="nearest"), name, width), 0.2)
    return w.conv(F.leaky_relu(w.conv(y, hr, width), 0.2), last, 3)


CASES = {
    "compact x4": (compact, {"scale": 4}),
    "compact x2": (compact, {"scale": 2}),
    "compact x1": (compact, {"scale": 1}),
    "span x4": (span, {"scale": 4, "norm": True}),
    "span x2 without norm": (span, {"scale": 2, "norm": False}),
    "esrgan x4": (esrgan, {"scale": 4, "names": NEW}),
    "esrgan x4, middle names": (esrgan, {"scale": 4, "names": MIDDLE}),
    "esrgan x4, old names": (esrgan, {"scale": 4, "names": OLD}),
    "esrgan x2": (esrgan, {"scale": 2, "names": NEW}),
}


def made(case, pixels, seed=0):
    """Return `(weights, picture in levels)` of a case by PyTorch."""
    forward, options = CASES[case]
    weights, x = Weights(seed), torch.from_numpy(pixels.astype(np.float32) / 255)
    x = x.permute(2, 0, 1)[None]
    forward(x, weights, **options)
    with torch.no_grad():
        y = forward(x, weights, **options)[0].permute(1, 2, 0).numpy()
    return weights.arrays, np.clip(255 * y, 0, 255)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", ["openvino", "onnxruntime", "opencv"])
def test_the_translation_equals_pytorch(case, engine, picture):
    pixels = picture(13, 18)
    arrays, expected = made(case, pixels)
    tile = np.pad(pixels, ((4, 4), (4, 4), (0, 0)), mode="symmetric").astype(np.float32)
    network = translated(arrays)
    assert network.scale == CASES[case][1]["scale"]
    out = open_engine(network, engine, deep=True).run(tile)
    assert expected.std() > 5
    np.testing.assert_allclose(out, expected, atol=0.02)


@pytest.mark.parametrize("case", ["compact x2", "span x4", "esrgan x4"])
def test_bytes_are_near_too_and_tiles_do_not_show(case, picture):
    pixels = picture(70, 60)
    arrays, expected = made(case, pixels)
    network = translated(arrays)
    run = lambda largest: np.concatenate(  # noqa: E731
        [b.copy() for b in Upscaler(network, largest=largest, projection=False).bands(pixels)]
    )
    whole = run(512)
    assert np.abs(whole - expected).mean() < 1.0  # bfloat16 where the processor has it
    np.testing.assert_array_equal(run(4 * network.plan.radius), whole)


def safetensors(arrays, kind="F32", prefix=""):
    """Return the bytes of a file as other programs write them."""
    head, data = {}, b""
    for name, array in arrays.items():
        raw = array.astype({"F32": "<f4", "F16": "<f2"}.get(kind, "<f4")).tobytes()
        if kind == "BF16":
            raw = (array.view(np.uint32) >> 16).astype("<u2").tobytes()
        place = [len(data), len(data) + len(raw)]
        head[prefix + name] = {"dtype": kind, "shape": list(array.shape), "data_offsets": place}
        data += raw
    text = json.dumps(head).encode()
    return struct.pack("<Q", len(text)) + text + data


@pytest.mark.parametrize("kind", ["F32", "F16", "BF16"])
def test_files_of_other_programs(kind, tmp_path, picture):
    arrays, _ = made("compact x2", picture(8, 8))
    path = tmp_path / "2x_Anything.safetensors"
    path.write_bytes(safetensors(arrays, kind, "params_ema."))
    found = family(path)
    assert (found.name, found.scales) == ("2x_Anything", (2,))
    network = found.network(2)
    assert network.projection == "smooth"
    kernel = network.arrays["conv0/kernel"].transpose(3, 2, 0, 1)
    np.testing.assert_allclose(kernel, arrays["body.0.weight"], rtol=0.01)


def test_what_is_not_known_is_refused_in_a_sentence(tmp_path, picture):
    arrays, _ = made("esrgan x2", picture(8, 8))
    for change, words in [
        ({"conv_first.weight": np.zeros((8, 12, 3, 3), np.float32)}, "blocks of pixels"),
        ({"body.0.rdb1.conv1x1.weight": np.zeros(1, np.float32)}, "ESRGAN\\+"),
        ({"conv_last.weight": np.zeros((1, 8, 3, 3), np.float32)}, "RGB"),
    ]:
        path = tmp_path / "a.safetensors"
        path.write_bytes(safetensors(arrays | change))
        with pytest.raises(UserError, match=f"Cannot use the network.*{words}"):
            model.read(path)
    del arrays["conv_hr.weight"]
    path.write_bytes(safetensors(arrays))
    with pytest.raises(UserError, match="'conv_hr.weight' is missing"):
        model.read(path)
    for name in ("layer.weight", "layer/step"):  # the latter is a word of our own files only
        path.write_bytes(safetensors({name: np.zeros(3, np.float32)}))
        with pytest.raises(UserError, match="Compact, SPAN and ESRGAN are"):
            model.read(path)


@pytest.mark.parametrize("name", ["a.pth", "a.ckpt", "a.safetensors"])
def test_a_pickle_is_never_opened(name, tmp_path):
    torch.save({"body.0.weight": torch.zeros(3)}, tmp_path / name)
    with pytest.raises(UserError, match="is a pickle, which can run a program"):
        family(tmp_path / name)


def test_keras_says_that_it_does_not_run_them(picture):
    arrays, _ = made("compact x2", picture(8, 8))
    with pytest.raises(UserError, match="do not run on Keras"):
        open_engine(translated(arrays), "keras")
