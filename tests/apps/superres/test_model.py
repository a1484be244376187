import json
import struct

import numpy as np
import pytest
from gantools.apps.superres import model
from gantools.apps.superres.model import Network, load, read, shipped, write

from gantools.errors import UserError
from gantools.nets import plans


def test_f32_keeps_every_bit_and_f16_nearly(tmp_path, make_network):
    network = make_network()
    write(tmp_path / "a.safetensors", network, "F32")
    back = read(tmp_path / "a.safetensors")
    assert back.plan == network.plan
    assert back.card == network.card
    assert back.digest == network.digest
    for name, array in network.arrays.items():
        assert back.arrays[name].dtype == np.float32
        np.testing.assert_array_equal(back.arrays[name], array)
    write(tmp_path / "b.safetensors", network)
    half = read(tmp_path / "b.safetensors")
    assert half.digest != network.digest
    for name, array in network.arrays.items():
        np.testing.assert_array_equal(half.arrays[name], array.astype(np.float16))
    sizes = [(tmp_path / name).stat().st_size for name in ("a.safetensors", "b.safetensors")]
    count = sum(array.size for array in network.arrays.values())
    assert sizes[0] - sizes[1] == pytest.approx(2 * count, abs=100)


def test_i8_is_half_as_large_and_near_by_output_channel(tmp_path, make_network):
    network = make_network()
    kernel = next(name for name in network.arrays if name.endswith("/kernel"))
    network.arrays[kernel][..., 0] *= 1000  # one large channel must not take the others' steps
    network.arrays[kernel][..., 1] = 0
    for kind in ("F16", "I8"):
        write(tmp_path / f"{kind}.safetensors", network, kind)
    back = read(tmp_path / "I8.safetensors").arrays
    assert list(back) == list(network.arrays)
    for name, array in network.arrays.items():
        around = tuple(range(array.ndim - 1))
        bound = np.abs(array).max(axis=around) / 254 * 1.001 if name.endswith("/kernel") else 1e-3
        assert np.all(np.abs(back[name] - array).max(axis=around) <= bound)
    sizes = {}
    for kind in ("F16", "I8"):
        content = (tmp_path / f"{kind}.safetensors").read_bytes()
        sizes[kind] = len(content) - 8 - int.from_bytes(content[:8], "little")
    assert sizes["I8"] < 0.62 * sizes["F16"]
    again = read(tmp_path / "I8.safetensors")
    write(tmp_path / "again.safetensors", again, "I8")
    assert read(tmp_path / "again.safetensors").digest == again.digest


def test_the_layout_is_that_of_safetensors(weights):
    """Read by the format's rules, without our reader."""
    content = weights.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    metadata = header.pop("__metadata__")
    assert all(isinstance(value, str) for value in metadata.values())
    assert metadata["scale"] == "4"
    assert metadata["radius"] == "5"
    ends = sorted(entry["data_offsets"] for entry in header.values())
    assert ends[0][0] == 0
    assert ends[-1][1] == len(content) - 8 - length
    assert all(a[1] == b[0] for a, b in zip(ends, ends[1:], strict=False))


def test_the_digest_depends_on_numbers_and_topology(make_network):
    base = make_network()
    assert make_network().digest == base.digest
    assert make_network(seed=1).digest != base.digest
    renamed = Network(plans.fast(4, width=8, blocks=1, name="other"), base.arrays)
    assert renamed.digest != base.digest


def test_weights_that_do_not_fit_are_named(make_network):
    network = make_network()
    arrays = {**network.arrays, "head/bias": np.zeros(9, np.float32)}
    with pytest.raises(UserError, match=r"head/bias of shape \((8|9),\)"):
        Network(network.plan, arrays)
    del arrays["head/bias"]
    with pytest.raises(UserError, match="head/bias"):
        Network(network.plan, arrays)


def test_what_is_not_finite_in_half_precision(tmp_path, make_network):
    network = make_network()
    network.arrays["head/bias"][0] = 1e6
    with pytest.raises(UserError, match="head/bias is not finite in F16"):
        write(tmp_path / "a.safetensors", network)
    assert not list(tmp_path.iterdir())


def test_damage_is_noticed(weights):
    good = weights.read_bytes()
    (length,) = struct.unpack("<Q", good[:8])
    flipped = bytearray(good)
    flipped[-5] ^= 1
    future = good.replace(b"gantools-superres-1", b"gantools-superres-9")
    moved = good.replace(b'"data_offsets": [0,', b'"data_offsets": [2,')
    assert moved != good
    for content, words in [
        (b"", "damaged"),
        (b"text, not weights", "truncated or not a weight file"),
        (good[:-10], "check sum"),
        (bytes(flipped), "check sum"),
        (good[: 8 + length // 2], "truncated"),
        (future, "expected the format gantools-superres-1. Received: gantools-superres-9"),
        (moved, "place of"),
        (struct.pack("<Q", 2) + b"[]", "damaged"),
    ]:
        weights.write_bytes(content)
        with pytest.raises(UserError, match=words):
            read(weights)


def test_a_missing_file(tmp_path):
    with pytest.raises(UserError, match="No such file"):
        read(tmp_path / "none.safetensors")


def test_load_by_name_and_path(weights, monkeypatch):
    monkeypatch.setattr(model, "SHIPPED", weights.parent)
    assert shipped() == [("tiny", 4)]
    assert load("tiny", 4).digest == load(weights, 4).digest
    with pytest.raises(UserError, match="no network 'tiny' for x2. Shipped: tiny x4"):
        load("tiny", 2)
    with pytest.raises(UserError, match="enlarges x4. Received: x2. Use --scale 4"):
        load(weights, 2)


def test_what_is_shipped_can_be_used():
    for name, scale in shipped():
        network = load(name, scale)
        assert network.plan.name == name
        assert network.card
