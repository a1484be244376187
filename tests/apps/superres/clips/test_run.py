"""Clips from end to end. Some tests are named after what users of other programs suffer from."""

import resource
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest

av = pytest.importorskip("av")

from gantools.apps.superres import model  # noqa: E402
from gantools.apps.superres.clips.run import enlarge_clip  # noqa: E402
from gantools.apps.superres.enlarge import Output  # noqa: E402
from gantools.apps.superres.sizes import Wish  # noqa: E402
from gantools.apps.superres.upscaler import Upscaler  # noqa: E402

UNEVEN = [0, 33, 73, 120, 153, 193, 240, 1000, 1017, 1500]  # milliseconds
TITLES = {"title": "A clip", "artist": "Nobody"}


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "mov"])
def test_sound_drifts_away_from_the_picture(suffix, make_clip, moving, enlarge, decoded, copied):
    """video2x #1360, #1371: a constant rate was made of uneven times, sound was coded again."""
    source = make_clip(f"in.{suffix}", moving(10), stamps=UNEVEN)
    made = enlarge(source, f"out.{suffix}")
    times = decoded(source)[1]
    assert [round(1000 * t) for t in times] == UNEVEN
    assert decoded(made.target)[1] == times
    sound = copied(source, "audio")
    assert len(sound) > 60
    assert copied(made.target, "audio") == sound
    with av.open(str(source)) as old, av.open(str(made.target)) as new:
        assert old.streams.video[0].time_base == new.streams.video[0].time_base
        assert old.streams.audio[0].time_base == new.streams.audio[0].time_base


def test_a_picture_that_begins_after_the_sound(make_clip, moving, enlarge, decoded, copied):
    """VideoJaNai #27: the first frame was put at zero, so that sound came late ever after."""
    source = make_clip("in.mkv", moving(6), stamps=[500 + 40 * i for i in range(6)])
    made = enlarge(source, "out.mp4")
    assert decoded(made.target)[1] == decoded(source)[1]
    assert copied(made.target, "audio")[0][1] == copied(source, "audio")[0][1]


CARD = np.array(
    [[0, 0, 0], [255, 255, 255], [128, 128, 128], [191, 0, 0], [0, 191, 0], [0, 0, 191],
     [191, 191, 0], [0, 191, 191], [191, 0, 191], [230, 160, 130], [30, 60, 20], [250, 240, 5]],
    np.uint8,
)  # fmt: skip


def card(height=120, width=160):
    """Return a test card, `(h, w, 3)` RGB, and where the middles of its fields are."""
    rows, columns = np.mgrid[0:height, 0:width]
    fields = CARD[rows * 3 // height * 4 + columns * 4 // width]
    places = [
        (slice(y * height // 3 + 14, (y + 1) * height // 3 - 14),
         slice(x * width // 4 + 14, (x + 1) * width // 4 - 14))
        for y in range(3) for x in range(4)
    ]  # fmt: skip
    return fields, places


def matrices(space):
    """Return RGB -> luma weights of a colour space of ISO/IEC 23091-2."""
    red, blue = {1: (0.2126, 0.0722), 5: (0.299, 0.114), 6: (0.299, 0.114)}[space]
    return np.array([red, 1 - red - blue, blue])


def coded(rgb, space, full):
    """Return RGB as codes of luma and chroma, `(h, w, 3)` floats."""
    weights = matrices(space)
    luma = rgb @ weights
    blue, red = ((rgb[..., i] - luma) / (2 * (1 - weights[i])) for i in (2, 0))
    if full:
        return np.stack([luma, blue + 128, red + 128], -1)
    return np.stack([16 + luma * 219 / 255, 128 + blue * 224 / 255, 128 + red * 224 / 255], -1)


def shown(planes, space, full):
    """Return codes as the RGB that a player shows, `(h, w, 3)` floats."""
    luma, blue, red = np.moveaxis(np.asarray(planes, float), -1, 0)
    if full:
        blue, red = blue - 128, red - 128
    else:
        luma, blue, red = (luma - 16) * 255 / 219, (blue - 128) * 255 / 224, (red - 128) * 255 / 224
    weights = matrices(space)
    r, b = luma + 2 * (1 - weights[0]) * red, luma + 2 * (1 - weights[2]) * blue
    return np.stack([r, (luma - weights[0] * r - weights[2] * b) / weights[1], b], -1)


def layers(path):
    """Return the first frame's planes, all as large as luma, and its marks."""
    with av.open(str(path)) as clip:
        frame = next(clip.decode(video=0))
        marks = frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range
        height, width, planes = frame.height, frame.width, []
        for plane in frame.planes:
            rows = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:, : plane.width]
            rows = rows[: plane.height]
            across, down = width // plane.width, height // plane.height
            planes.append(np.kron(rows, np.ones((down, across), np.uint8)))
        return np.stack(planes, -1), marks


@pytest.mark.parametrize(
    ("marks", "form"),
    [
        ((6, 6, 6, 1), "yuv420p"),
        ((1, 1, 1, 1), "yuv420p"),
        ((5, 5, 6, 2), "yuv420p"),
        ((1, 1, 13, 1), "yuv444p"),
    ],
)
def test_colours_change(marks, form, make_clip, tmp_path):
    """dandere2x #158, Waifu2x-Upscaler #2: pushed through RGB by another matrix or range."""
    rgb, places = card()
    codes = np.rint(coded(rgb.astype(float), marks[0], marks[3] == 2)).clip(0, 255)
    codes = codes.astype(np.uint8)
    if form == "yuv444p":
        planes = np.moveaxis(codes, 2, 0)
    else:
        half = codes[::2, ::2]
        planes = np.concatenate(
            [codes[..., 0], half[..., 1].reshape(30, 160), half[..., 2].reshape(30, 160)]
        )
    source = make_clip("in.mp4", [planes] * 3, form=form, colours=marks)
    upscaler = Upscaler(model.load("fast", 2), threads=1)
    made = enlarge_clip(source, tmp_path / "out.mp4", upscaler)
    old, told = layers(source)
    new, kept = layers(made.target)
    assert told == kept == marks
    full = marks[3] == 2
    for rows, columns in places:
        large = tuple(slice(2 * s.start, 2 * s.stop) for s in (rows, columns))
        before = shown(old[rows, columns], marks[0], full).mean((0, 1))
        after = shown(new[large], marks[0], full).mean((0, 1))
        assert np.abs(after - before).max() <= 1
        assert np.abs(new[large].mean((0, 1)) - old[rows, columns].mean((0, 1))).max() <= 0.5


def test_an_unmarked_clip_becomes_so_large_that_players_guess_another_matrix(
    make_clip, moving, enlarge
):
    """Unmarked means BT.601 below 720 lines and BT.709 above: what it meant is written down."""
    small = enlarge(make_clip("small.mp4", moving(2, 200, 64)), "a.mp4")
    assert layers(small.target)[1][0] == 6
    assert layers(small.target)[0].shape[0] == 800
    large = enlarge(make_clip("large.mp4", moving(2, 720, 64)), "b.mp4", scale=2)
    assert layers(large.target)[1][0] == 1


def test_pixels_are_no_longer_square_and_phones_lie_on_their_side(make_clip, moving, enlarge):
    source = make_clip("in.mp4", moving(3), aspect=Fraction(4, 3), turned=90)
    made = enlarge(source)
    with av.open(str(made.target)) as clip:
        assert clip.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
        assert next(clip.decode(video=0)).rotation == 90


def test_width_is_that_which_is_seen(make_clip, moving, make_network, tmp_path):
    source = make_clip("in.mp4", moving(2), turned=90)  # stored as 64x48, seen as 48x64
    made = enlarge_clip(
        source, tmp_path / "out.mp4", Upscaler(make_network()), Output(Wish(width=96))
    )
    assert (made.height, made.width) == (96, 128)


def test_subtitles_attachments_chapters_and_titles_are_lost(make_clip, moving, enlarge, copied):
    """video2x #1488."""
    said = "1\n00:00:00,100 --> 00:00:00,300\nHello\n\n2\n00:00:00,320 --> 00:00:00,390\nAgain\n"
    source = make_clip(
        "in.mkv", moving(10), subtitles=said, attached=[("a.ttf", "font/ttf", b"font")],
        chapters=[(0, 200, "one"), (200, 400, "two")], titles=TITLES,
    )  # fmt: skip
    made = enlarge(source, "out.mkv")
    assert copied(made.target, "subtitle") == copied(source, "subtitle")
    assert [text for text, *_ in copied(made.target, "subtitle")] == [b"Hello", b"Again"]
    with av.open(str(source)) as old, av.open(str(made.target)) as new:
        assert new.chapters() == old.chapters()
        assert len(new.chapters()) == 2
        assert {name: new.metadata[name] for name in ("title", "ARTIST")} == {
            "title": "A clip", "ARTIST": "Nobody"
        }  # fmt: skip
        kept = [stream for stream in new.streams if stream.type == "attachment"]
        assert [(stream.metadata["filename"], stream.data) for stream in kept] == [
            ("a.ttf", b"font")
        ]
    bare = enlarge(source, "bare.mkv", strip=True)
    with av.open(str(bare.target)) as new:
        assert not new.chapters()
        assert "title" not in new.metadata


def test_the_cover_takes_the_place_of_the_clip(make_clip, moving, enlarge):
    """Of two streams of pictures, the one that does not move is copied."""
    made = enlarge(make_clip("in.mp4", moving(4), cover=True))
    assert made.figures["frames"] == 4
    with av.open(str(made.target)) as clip:
        still = av.stream.Disposition.attached_pic
        assert [bool(s.disposition & still) for s in clip.streams.video] == [False, True]
        assert [frame.width for frame in clip.decode(clip.streams.video[1])] == [16]


def test_what_a_container_cannot_hold_is_said_before_the_work(make_clip, moving, enlarge, tmp_path):
    said = "1\n00:00:00,100 --> 00:00:00,300\nHello\n"
    source = make_clip("in.mkv", moving(4), subtitles=said)
    with pytest.raises(ValueError, match=r"MP4 cannot hold .*Choose a name that ends in \.mkv"):
        enlarge(source, "out.mp4", advance=lambda *_: pytest.fail("work was done"))
    with pytest.raises(ValueError, match="ends in .mp4, .m4v"):
        enlarge(source, "out.avi")
    assert [path.name for path in tmp_path.glob("out*")] == []


def test_sides_are_odd(make_clip, moving, enlarge, decoded):
    """4:2:0 has even sides: 33x25 would be refused by the encoder after all the work."""
    source = make_clip("in.mp4", moving(3, 20, 26))
    made = enlarge(source, scale=1.27)
    assert (made.height, made.width) == (26, 34)
    assert "33x25 became 34x26" in made.notes[0]
    frames, _ = decoded(made.target)
    assert frames[0].shape == (39, 34)


@pytest.mark.parametrize("form", ["yuv420p10le", "yuv422p", "yuv444p10le", "gray"])
def test_depth_and_chroma_follow_the_input(form, make_clip, moving, enlarge):
    frames = [av.VideoFrame.from_ndarray(array, "yuv420p") for array in moving(3)]
    frames = [frame.reformat(format=form) for frame in frames]
    source = make_clip("in.mkv", frames, form=form, codec="ffv1", options=())
    made = enlarge(source, "out.mkv", scale=2, crf=1)
    with av.open(str(made.target)) as clip:
        frame = next(clip.decode(video=0))
    assert frame.format.name == {"gray": "yuvj420p"}.get(form, form)  # j: full range
    small = np.asarray(next(iter(frames)).reformat(format="gray").to_ndarray(), float)
    large = frame.reformat(format="gray").to_ndarray()
    assert np.abs(large.reshape(48, 2, 64, 2).mean((1, 3)) - small).max() < 4


def test_webm(make_clip, moving, enlarge, decoded, copied):
    source = make_clip("in.webm", moving(4), codec="libvpx-vp9", sound="libopus", options=())
    made = enlarge(source, "out.webm", scale=2, crf=10)
    with av.open(str(made.target)) as clip:
        assert clip.streams.video[0].codec_context.name.startswith(("vp9", "libvpx-vp9"))
    assert decoded(made.target)[1] == decoded(source)[1]
    assert copied(made.target, "audio") == copied(source, "audio")


def test_a_screen_recording_is_computed_again_and_again(make_clip, moving, enlarge, decoded):
    frames = moving(8, 192, 192, still=True)
    frames[4:, 100:104, 20:24] = 255  # a dot appears
    source = make_clip("in.mkv", frames, codec="ffv1", options=())
    made = enlarge(source, "out.mkv", scale=2, crf=0)
    assert made.figures["frames"] == 8
    assert made.figures["tiles_reused"] > 0.8
    exact, _ = decoded(made.target)
    assert all((frame == exact[0]).all() for frame in exact[:4])
    assert (exact[4] != exact[3]).any()
    pan = enlarge(make_clip("pan.mkv", moving(4, 192, 192)), "pan_out.mkv", scale=2)
    assert pan.figures["tiles_reused"] == 0


@pytest.mark.slow
def test_ten_seconds_of_480_lines(make_clip, moving, tmp_path, decoded, copied):
    """The issue's own: time stamps equal, packets of sound identical, memory of a few frames."""
    rng = np.random.default_rng(0)
    stamps = list(np.cumsum(rng.integers(20, 60, 250)) - 20)
    frames = moving(250, 480, 854)
    source = make_clip("in.mp4", frames, stamps=[int(s) for s in stamps])
    del frames
    out = tmp_path / "out.mp4"
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    words = ["superres", str(source), "--scale", "2", "-q", "-o", str(out)]
    subprocess.run([sys.executable, "-m", "gantools", *words], check=True)
    assert decoded(out)[1] == decoded(source)[1]
    assert copied(out, "audio") == copied(source, "audio")
    grown = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss - before
    print(f"{grown / 1e6:.2f} GB")
    assert grown < 1.5e6  # kB


def test_a_clip_tells_of_spoilt_tiles_and_of_bfloat16(make_clip, moving, tmp_path, make_network):
    upscaler = Upscaler(make_network(), threads=1)
    upscaler.apart = lambda: 3.0
    engine = upscaler.engine()
    engine.run = lambda tile: np.zeros([4 * (side - 8) for side in tile.shape[:2]] + [3], np.uint8)
    source = make_clip("in.mp4", moving(1), sound=None)
    made = enlarge_clip(source, tmp_path / "out.mp4", upscaler, Output(Wish(scale=4)))
    assert made.redone > 0
    assert made.apart == 3
    assert [note.split()[0] for note in made.notes[-2:]] == ["Tiles", "bfloat16"]


COUNTS = {"BPS": "12345", "NUMBER_OF_BYTES-eng": "999", "_STATISTICS_TAGS": "BPS"}


def test_what_is_said_of_a_stream(make_clip, moving, enlarge, tmp_path):
    """Its title and language are kept, `strip` leaves the language; counts must stay true."""
    with av.open(str(make_clip("plain.mkv", moving(5)))) as old:
        source = tmp_path / "in.mkv"
        with av.open(str(source), "w") as new:
            streams = {s.index: new.add_stream_from_template(s, opaque=True) for s in old.streams}
            for stream in streams.values():
                stream.metadata.update({"title": "secret", "language": "ger", **COUNTS})
            for packet in old.demux():
                if packet.size:
                    packet.stream = streams[packet.stream.index]
                    new.mux(packet)

    def told(name, **more):
        with av.open(str(enlarge(source, name, **more).target)) as clip:
            found = [dict(stream.metadata) for stream in clip.streams]
        return [{name: text for name, text in one.items() if name != "DURATION"} for one in found]

    kept = {"title": "secret", "language": "ger"}
    assert told("kept.mkv") == [kept, {**kept, **COUNTS}]
    assert told("cut.mkv", frames=2) == [kept, kept]
    assert told("bare.mkv", strip=True) == [{"language": "ger"}, {"language": "ger"}]
