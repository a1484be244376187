"""Small networks with random weights, and smooth pictures."""

from fractions import Fraction

import numpy as np
import pytest
from gantools.apps.superres import model

from gantools.nets import plans


@pytest.fixture
def make_network():
    """Return a function that makes a network of random weights: its residual is a few levels."""
    return random_network


def random_network(plan=None, *, seed=0, gain=0.02):
    plan = plan or plans.fast(4, width=8, blocks=1)
    rng, arrays = np.random.default_rng(seed), {}
    last = [step.out for step in plan.steps if step.op == "conv"][-1]
    for name, shape in plan.weight_shapes().items():
        spread = np.prod(shape[:-1]) ** -0.5 if name.endswith("/kernel") else 0.1
        spread *= gain if name.startswith(f"{last}/") else 1
        arrays[name] = rng.normal(0, spread, shape).astype(np.float32)
    return model.Network(plan, arrays, {"note": "random"})


@pytest.fixture
def picture():
    """Return a function that makes smooth random pixels `(h, w, c)`."""
    return smooth


def smooth(height=40, width=56, channels=3, dtype=np.uint8, seed=0):
    import cv2

    rng = np.random.default_rng(seed)
    coarse = rng.random((height // 4 + 2, width // 4 + 2, channels))
    fine = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    fine = fine.reshape(height, width, channels) + rng.normal(0, 0.02, (height, width, channels))
    top = np.iinfo(dtype).max
    return np.clip(fine * top, 0, top).astype(dtype)


@pytest.fixture
def weights(tmp_path):
    """Return the path of a weight file x4."""
    path = tmp_path / "weights" / "tiny_x4.safetensors"
    path.parent.mkdir()
    model.write(path, random_network())
    return path


@pytest.fixture
def make_clip(tmp_path):
    """Return a function that writes a clip; needs PyAV."""
    pytest.importorskip("av")
    return lambda name, frames, **more: write_clip(tmp_path / name, frames, **more)


def write_clip(
    path, frames, *, stamps=None, form="yuv420p", codec="libx264", options=(("crf", "4"),),
    colours=None, aspect=Fraction(1), turned=0, sound="aac", titles=None, chapters=(), attached=(),
    subtitles="", cover=False,
):  # fmt: skip
    """Write a clip and return its path.

    Args:
        frames: Frames, or arrays as `av.VideoFrame.from_ndarray` takes them for `form`.
        stamps: Milliseconds at which they are shown; 25 frames a second if None.
        colours: `(space, primaries, transfer, range)`.
        turned: Degrees.
        sound: Codec of a tone, None for silence.
        chapters: `(begin, end, title)` in milliseconds.
        attached: `(name, type, bytes)`.
        subtitles: Text of an .srt file.
        cover: Whether to add a still picture.
    """
    import av

    frames = [
        array if isinstance(array, av.VideoFrame) else av.VideoFrame.from_ndarray(array, form)
        for array in frames
    ]
    stamps = stamps or [40 * i for i in range(len(frames))]
    with av.open(str(path), "w", container_options={"fflags": "+bitexact"}) as clip:
        video = clip.add_stream(codec, rate=25, options=dict(options))
        video.width, video.height, video.pix_fmt = frames[0].width, frames[0].height, form
        context = video.codec_context
        context.time_base = Fraction(1, 25) if path.suffix == ".avi" else Fraction(1, 1000)
        context.sample_aspect_ratio = aspect
        if colours:
            context.colorspace, context.color_primaries, context.color_trc = colours[:3]
            context.color_range = colours[3]
        if turned:
            video.set_display_rotation(turned)
        tone = clip.add_stream(sound, rate=48000, layout="mono") if sound else None
        if cover:
            _add_cover(clip)
        for name, kind, data in attached:
            clip.add_attachment(name, kind, data)
        clip.metadata.update(titles or {})
        clip.set_chapters([
            {"id": i, "start": begin, "end": end, "time_base": Fraction(1, 1000),
             "metadata": {"title": title}}
            for i, (begin, end, title) in enumerate(chapters)
        ])  # fmt: skip
        if subtitles:
            _add_subtitles(clip, path.with_suffix(".srt"), subtitles)
        for frame, stamp in zip(frames, stamps, strict=True):
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            if colours:
                frame.colorspace, frame.color_range = colours[0], colours[3]
            clip.mux(video.encode(frame))
        clip.mux(video.encode(None))
        if tone:
            _add_tone(clip, tone, stamps[-1] + 40)
    return path


def _add_cover(clip):
    import av

    stream = clip.add_stream("mjpeg", rate=1)
    stream.width = stream.height = 16
    stream.pix_fmt, stream.disposition = "yuvj420p", av.stream.Disposition.attached_pic
    frame = av.VideoFrame.from_ndarray(np.full((24, 16), 99, np.uint8), "yuv420p")
    frame.pts = 0
    clip.mux(stream.encode(frame.reformat(format="yuvj420p")))
    clip.mux(stream.encode(None))


def _add_subtitles(clip, path, text):
    import av

    path.write_text(text)
    with av.open(str(path)) as read:
        stream = clip.add_stream_from_template(read.streams.subtitles[0])
        for packet in read.demux():
            if packet.pts is not None:
                packet.stream = stream
                clip.mux(packet)


def _add_tone(clip, stream, milliseconds):
    import av

    for i in range(milliseconds * 48 // 1024):
        wave = 0.1 * np.sin(np.arange(1024 * i, 1024 * (i + 1)) * 0.05)
        frame = av.AudioFrame.from_ndarray(wave[None].astype(np.float32), "fltp", "mono")
        frame.sample_rate, frame.pts, frame.time_base = 48000, 1024 * i, Fraction(1, 48000)
        clip.mux(stream.encode(frame))
    clip.mux(stream.encode(None))


@pytest.fixture
def moving():
    """Return a function that makes planes of 4:2:0 of a picture that moves: `(n, h * 3/2, w)`."""
    return planes_of_a_pan


def planes_of_a_pan(count, height=48, width=64, *, still=False):
    page = smooth(height + 2 * count, width + 2 * count, 1)[:, :, 0] // 2 + 60
    frames = np.full((count, height * 3 // 2, width), 128, np.uint8)
    for i, frame in enumerate(frames):
        at = 0 if still else 2 * i
        frame[:height] = page[at : at + height, at : at + width]
        frame[height:, : width // 2] += np.uint8(20)
    return frames


@pytest.fixture
def enlarge(make_network, tmp_path):
    """Return a function that enlarges a clip x4 by a small network of random weights."""
    from gantools.apps.superres.enlarge import Output
    from gantools.apps.superres.sizes import Wish
    from gantools.apps.superres.upscaler import Upscaler

    pytest.importorskip("av")
    from gantools.apps.superres.clips.run import enlarge_clip
    from gantools.apps.superres.clips.take import Take

    upscaler = Upscaler(make_network(), threads=1)

    def call(source, name="out.mp4", *, scale=4, advance=lambda *_: None, strip=False, **take):
        output = Output(Wish(scale=scale), take=Take(**take), strip=strip)
        return enlarge_clip(source, tmp_path / name, upscaler, output, advance=advance)

    return call


@pytest.fixture
def decoded():
    """Return a function of a path that returns `(frames as arrays, seconds of each)`."""
    return decoded_clip


def decoded_clip(path):
    import av

    with av.open(str(path)) as clip:
        video = clip.streams.video[0]
        frames = list(clip.decode(video))
        return [frame.to_ndarray() for frame in frames], [f.pts * video.time_base for f in frames]


@pytest.fixture
def copied():
    """Return a function that returns `(bytes, seconds, seconds long)` of a kind of packets."""
    return packets_of_kind


def packets_of_kind(path, kind):
    import av

    with av.open(str(path)) as clip:
        streams = [stream for stream in clip.streams if stream.type == kind]
        return [
            (bytes(packet), packet.pts * packet.time_base, packet.duration * packet.time_base)
            for packet in clip.demux(*streams)
            if packet.pts is not None
        ]
