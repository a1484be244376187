"""Clips that are broken, cut off, interlaced, or wanted in part."""

from fractions import Fraction

import numpy as np
import pytest

from gantools.cli import main
from gantools.errors import ALL_FAILED, UserError

av = pytest.importorskip("av")

TITLES = {"title": "A clip", "artist": "Nobody"}


def test_a_cut_for_a_trial(make_clip, moving, enlarge, decoded, copied):
    source = make_clip(
        "in.mkv", moving(40), chapters=[(0, 600, "one"), (600, 1600, "two")], titles=TITLES
    )
    whole = enlarge(source, "whole.mkv", crf=0, damped=False)
    made = enlarge(source, "cut.mkv", start=0.49, frames=10, crf=0, damped=False)
    frames, times = decoded(made.target)
    assert [round(1000 * t) for t in times] == [40 * i for i in range(10)]
    for mine, other in zip(frames, decoded(whole.target)[0][13:23], strict=True):
        np.testing.assert_array_equal(mine, other)
    sound = [data for data, *_ in copied(made.target, "audio")]
    every = copied(source, "audio")
    inside = [data for data, begin, _ in every if Fraction(52, 100) <= begin < Fraction(92, 100)]
    assert sound == inside
    first = next(begin for _, begin, _ in every if begin >= Fraction(52, 100))
    assert abs(copied(made.target, "audio")[0][1] - (first - Fraction(52, 100))) <= Fraction(1, 900)
    with av.open(str(made.target)) as clip:
        spans = [(c["metadata"]["title"], c["start"], c["end"]) for c in clip.chapters()]
    milli = 1_000_000
    assert spans == [("one", 0, 80 * milli), ("two", 80 * milli, 400 * milli)]
    with pytest.raises(ValueError, match="no frame at 9 s"):
        enlarge(source, "late.mkv", start=9)
    assert not list(source.parent.glob("late*"))


@pytest.mark.parametrize("damage", ["garbage", "empty", "cut", "sound only", "missing"])
def test_a_broken_clip_is_one_sentence(damage, make_clip, moving, weights, tmp_path, capfd):
    path = tmp_path / "in.mp4"
    if damage == "sound only":
        with av.open(str(path), "w") as clip:
            stream = clip.add_stream("aac", rate=48000, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            frame.sample_rate = 48000
            clip.mux(stream.encode(frame))
            clip.mux(stream.encode(None))
    elif damage != "missing":
        whole = make_clip("in.mp4", moving(10)).read_bytes()
        path.write_bytes({"garbage": b"no clip" * 99, "empty": b"", "cut": whole[:3000]}[damage])
    assert main(["superres", str(path), "--model", str(weights)]) == ALL_FAILED
    out, err = capfd.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1, err
    assert "in.mp4'" in err
    assert err.rstrip().endswith(".")
    assert sorted(p.name for p in tmp_path.glob("in*")) == ["in.mp4"] * (damage != "missing")


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_mutated_clips(suffix, make_clip, moving, enlarge, tmp_path):
    """Bytes turned over anywhere: a clip, or one sentence and nothing left behind."""
    data, rng = make_clip(f"in.{suffix}", moving(5, 16, 16)).read_bytes(), np.random.default_rng(0)
    failed = 0
    for _ in range(25):
        changed = bytearray(data)
        for place in rng.integers(0, len(data), rng.integers(1, 30)):
            changed[place] = rng.integers(256)
        (tmp_path / f"bad.{suffix}").write_bytes(changed)
        try:
            enlarge(tmp_path / f"bad.{suffix}", f"out.{suffix}").target.unlink()
        except UserError as error:
            failed += 1
            assert str(error).endswith(".")
        assert not list(tmp_path.glob("out*"))
    assert failed


def test_a_clip_that_was_cut_off_is_made_as_far_as_it_goes(make_clip, moving, enlarge):
    source = make_clip("in.mkv", moving(100), sound=None, options=(("g", "5"),))
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 2])
    made = enlarge(source, "out.mkv", scale=1.5)
    assert 20 < made.figures["frames"] < 80
    assert any("should after 4.0 s" in note for note in made.notes)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_avi_has_no_time_stamps(suffix, make_clip, moving, enlarge, decoded, copied):
    """Its frames count, but in the order of decoding, and with B-frames that is another one."""
    options = (("crf", "4"), ("bf", "3"))
    source = make_clip("in.avi", moving(12), options=options, sound="mp3")
    assert sorted(decoded(source)[1]) != decoded(source)[1]
    made = enlarge(source, f"out.{suffix}", damped=False)
    assert decoded(made.target)[1] == [Fraction(i, 25) for i in range(12)]
    assert not made.notes
    assert [data for data, *_ in copied(made.target, "audio")] == [
        data for data, *_ in copied(source, "audio")
    ]
    cut = enlarge(source, f"cut.{suffix}", start=0.2, frames=3)
    assert decoded(cut.target)[1] == [Fraction(i, 25) for i in range(3)]


def test_interlaced_clips_become_combs(make_clip, moving, enlarge, decoded):
    source = make_clip("in.mkv", moving(8), options=(("x264-params", "tff=1"),))
    with av.open(str(source)) as clip:
        assert next(clip.decode(video=0)).interlaced_frame
    with pytest.raises(ValueError, match="is interlaced.*--deinterlace"):
        enlarge(source)
    made = enlarge(source, "out.mkv", deinterlace=True)
    assert made.figures["frames"] == 8
    assert decoded(made.target)[1] == decoded(source)[1]
