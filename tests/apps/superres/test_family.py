import numpy as np
import pytest
from gantools.apps.superres import model
from gantools.apps.superres.family import Family, blend, family

from gantools.errors import UserError
from gantools.nets import plans


def of_scales(make_network, *scales):
    read = {s: lambda s=s: make_network(plans.fast(s, width=8, blocks=1)) for s in scales}
    return Family("some", read)


@pytest.mark.parametrize(
    ("factor", "steps"),
    [(1, (2,)), (1.5, (2,)), (2, (2,)), (2.01, (4,)), (3, (4,)), (4, (4,)), (4.5, (2, 4)),
     (8, (2, 4)), (8.1, (4, 4)), (16, (4, 4))],
)  # fmt: skip
def test_which_networks_make_a_factor(factor, steps, make_network):
    assert of_scales(make_network, 2, 4).ladder(factor) == steps


def test_one_network_alone_goes_far(make_network):
    assert of_scales(make_network, 4).ladder(2) == (4,)
    assert of_scales(make_network, 2).ladder(16) == (2, 2, 2, 2)
    assert of_scales(make_network, 1).ladder(1) == (1,)
    with pytest.raises(UserError, match="enlarges x1, which cannot make x2"):
        of_scales(make_network, 1).ladder(2)


def test_networks_are_read_when_first_used(make_network):
    count = []

    def read():
        count.append(1)
        return make_network()

    found = Family("some", {4: read})
    assert found.scales == (4,)
    assert not count
    assert found.network(4) is found.network(4)
    assert count == [1]


def test_shipped_networks():
    assert family("fast").scales == (2, 4)
    assert family("photo", 0.5).scales == (2, 4)
    assert family("srgan", 0.5).scales == (4,)
    with pytest.raises(UserError, match="no network 'slow'. Shipped: fast x2, fast x4, photo"):
        family("slow")


def test_strength_lies_between_a_network_and_its_twin(tmp_path, make_network):
    one, other = make_network(seed=0), make_network(seed=1)
    model.write(tmp_path / "fidelity.safetensors", one, "F32")
    with pytest.raises(UserError, match=r"no adversarially trained twin.*--gan-minutes"):
        family(tmp_path / "fidelity.safetensors", 0.5)
    model.write(tmp_path / "gan.safetensors", other, "F32")
    for share in (0, 0.25, 1):
        made = family(tmp_path / "fidelity.safetensors", share).network(4)
        for name, array in made.arrays.items():
            expected = (1 - share) * one.arrays[name] + share * other.arrays[name]
            np.testing.assert_allclose(array, expected, atol=1e-6)
    model.write(tmp_path / "mine.safetensors", one)
    model.write(tmp_path / "mine-gan.safetensors", other)
    assert family(tmp_path / "mine.safetensors", 0.5).scales == (4,)


def test_shipped_twins(tmp_path, make_network, monkeypatch):
    monkeypatch.setattr(model, "SHIPPED", tmp_path)
    model.write(tmp_path / "nice_x4.safetensors", make_network(seed=0))
    with pytest.raises(UserError, match="'nice' has no adversarially trained twin"):
        family("nice", 0.5)
    model.write(tmp_path / "nice-gan_x4.safetensors", make_network(seed=1))
    assert family("nice", 0.5).network(4).card["strength"] == 0.5
    model.write(tmp_path / "nice_x2.safetensors", make_network(plans.fast(2, width=8, blocks=1)))
    assert family("nice").scales == (2, 4)
    assert family("nice", 0.5).scales == (4,)  # x2 has no twin, so it is reduced from x4


def test_only_equal_plans_are_blended(make_network):
    other = make_network(plans.fast(4, width=8, blocks=2))
    with pytest.raises(UserError, match="same plan"):
        blend(make_network(), other, 0.5)
    with pytest.raises(UserError, match="from 0 to 1"):
        blend(make_network(), make_network(), 1.5)
