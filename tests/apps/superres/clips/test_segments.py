import numpy as np
import pytest
from gantools.apps.superres.clips.segments import Packet, Segments, packets

from gantools.errors import UserError

SOME = [Packet(0, 40, True, b"key"), Packet(80, 40, False, b""), Packet(-40, 0, False, b"x" * 999)]


def memory():
    return {"low0": np.arange(6, dtype=np.uint8).reshape(2, 3)}


@pytest.fixture
def segments(tmp_path):
    made = Segments(tmp_path / "out.mp4", {"crf": 16, "size": (4, 6)})
    for number in range(3):
        made.write(number, iter(SOME), memory)
    return made


def again(segments, **job):
    return Segments(segments.folder.with_suffix(""), {"crf": 16, "size": [4, 6], **job})


def test_packets_come_back(segments):
    paths = again(segments).finished()
    assert [path.name for path in paths] == [f"0000{n}.segment" for n in range(3)]
    assert list(packets(paths[1])) == SOME
    assert [packet.pts for packet in packets(paths[1], times_only=True)] == [0, 80, -40]
    np.testing.assert_array_equal(segments.memory(2)["low0"], memory()["low0"])
    assert len(list(segments.folder.glob("*.state"))) == 1


@pytest.mark.parametrize("damage", ["cut", "bit", "empty"])
def test_a_segment_that_a_power_cut_has_spoilt_is_made_again(damage, segments):
    path = segments.finished()[2]
    data = bytearray(path.read_bytes())
    data[30] ^= 1
    path.write_bytes({"cut": data[:-9], "bit": data, "empty": b""}[damage])
    left = again(segments).finished()
    assert left == []  # the state after the second one is gone with it
    assert not path.exists()


def test_another_job(segments):
    with pytest.raises(UserError, match=r"another job: crf 16.* --overwrite starts afresh"):
        again(segments, crf=20)
    assert len(again(segments).finished()) == 3
    fresh = Segments(segments.folder.with_suffix(""), {"crf": 20}, fresh=True)
    assert fresh.finished() == []
    fresh.remove()
    assert not fresh.folder.exists()


def test_only_a_folder_without_segments_is_removed(tmp_path, segments):
    segments.remove(unless_held=True)
    assert len(segments.finished()) == 3
    other = Segments(tmp_path / "other.mp4", {"crf": 16})
    other.remove(unless_held=True)
    assert not other.folder.exists()
    other.folder.mkdir()
    (other.folder / "job.json.123.part").write_text("half")  # of a run that was killed at once
    Segments(tmp_path / "other.mp4", {"crf": 16}).remove()
    assert not other.folder.exists()
