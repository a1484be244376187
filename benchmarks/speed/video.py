"""From shell to file: `gantools superres` on clips of 854x480, x2 with the
default network, `photo`.

    python -m benchmarks.speed.video [--frames 60] [--threads N]

Two clips, made here: one in which everything moves (a camera that pans over texture), and a screen
recording (a page of letters, a pointer that moves, a line that is typed). The second one shows what
keeping unchanged tiles saves. Both have sound. Frames a second count the work on frames, from
decoding to encoding; the seconds are those of the command, and the processor's seconds say what it
cost where other programs were running. Flicker is measured on a still scene
with noise of a camera, see `flicker`.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import click
import cv2
import numpy as np

from benchmarks.rows import append

WIDTH, HEIGHT, RATE = 854, 480, 30
NOISE = 2.0  # levels


@click.command()
@click.option("--frames", default=60, show_default=True)
@click.option("--threads", type=click.IntRange(1))
def main(frames, threads):
    """Print frames a second of both clips, and the flicker of a third with and without damping."""
    row = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, pictures in (("moving", panned(frames)), ("screen", typed(frames))):
            path = Path(folder, f"{name}.mp4")
            write(path, pictures)
            made, seconds, busy = enlarged(path, threads)
            row |= {
                f"{name}_frames_per_s": made["frames_per_s"],
                f"{name}_tiles_reused": made["tiles_reused"],
                f"{name}_s": round(seconds, 2),
                f"{name}_processor_s": round(busy, 2),
            }
        path = Path(folder, "still.mp4")
        write(path, noisy(min(frames, 24)))
        for name, words in (("damped", ()), ("undamped", ("--no-damping",))):
            enlarged(path, threads, *words)
            row[f"flicker_{name}"] = flicker(path.with_name("out.mp4"))
        row["flicker_source"] = flicker(path)
    for name, value in row.items():
        click.echo(f"{name:>24} {value}")
    append(
        "video", size=[WIDTH, HEIGHT], scale=2, frames=frames, threads=threads, **row,
    )  # fmt: skip


def panned(frames):
    """Yield luma of a camera that moves over texture, 2 pixels right and 1 down a frame."""
    page = texture(HEIGHT + frames, WIDTH + 2 * frames)
    for i in range(frames):
        yield page[i : i + HEIGHT, 2 * i : 2 * i + WIDTH]


def typed(frames):
    """Yield luma of a page of letters with a moving pointer and a line that grows."""
    page = np.full((HEIGHT, WIDTH), 245, np.uint8)
    for line in range(18):
        words = "The quick brown fox jumps over the lazy dog 0123456789 " * 2
        cv2.putText(page, words[line:], (12, 24 + 25 * line), 0, 0.5, 30, 1, cv2.LINE_AA)
    for i in range(frames):
        shown = page.copy()
        cv2.putText(shown, "and so on"[: i // 6], (20, 474), 0, 0.5, 0, 1, cv2.LINE_AA)
        cv2.circle(shown, (100 + 5 * i, 200 + 2 * i), 6, 60, -1, cv2.LINE_AA)
        yield shown


def noisy(frames):
    """Yield luma of a still scene as a camera sees it: new noise in every frame."""
    page, rng = texture(HEIGHT, WIDTH).astype(np.float32), np.random.default_rng(1)
    for _ in range(frames):
        yield np.clip(page + rng.normal(0, NOISE, page.shape), 0, 255).astype(np.uint8)


def texture(height, width):
    """Return luma of blurred noise of two sizes: neither flat nor incompressible."""
    rng, total = np.random.default_rng(0), 0
    for size, weight in ((24, 0.75), (6, 0.25)):
        noise = rng.random((height // size + 4, width // size + 4)).astype(np.float32)
        total = total + weight * cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(total * 255, 0, 255).astype(np.uint8)


def write(path, pictures):
    """Write luma as an H.264 clip with a tone."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=RATE, options={"crf": "16"})
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        sound, count = container.add_stream("aac", rate=48000, layout="mono"), 0
        for luma in pictures:
            planes = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
            planes[:HEIGHT] = luma
            container.mux(video.encode(av.VideoFrame.from_ndarray(planes, "yuv420p")))
            count += 1
        for i in range(count * 48000 // RATE // 1024):
            tone = np.sin(np.arange(i * 1024, (i + 1) * 1024) * 0.06).astype(np.float32) * 0.1
            frame = av.AudioFrame.from_ndarray(tone[None], "fltp", "mono")
            frame.sample_rate, frame.pts, frame.time_base = 48000, i * 1024, Fraction(1, 48000)
            container.mux(sound.encode(frame))
        container.mux(video.encode(None))
        container.mux(sound.encode(None))


def enlarged(path, threads, *words):
    """Run the command on a clip; return its record, and the seconds of clock and processor."""
    command = [sys.executable, "-m", "gantools", "superres", str(path), "--scale", "2", "-q"]
    command += ["-o", str(path.with_name("out.mp4")), "--overwrite", "--json", *words]
    command += ["--threads", str(threads)] if threads else []
    start, before = time.perf_counter(), os.times()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, after = time.perf_counter() - start, os.times()
    busy = after.children_user - before.children_user
    busy += after.children_system - before.children_system
    return json.loads(done.stdout)["pictures"][0], seconds, busy


def flicker(path):
    """Return the mean absolute change of a pixel's luma from frame to frame, in levels."""
    before, changes = None, []
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            luma = frame.to_ndarray(format="gray").astype(np.float32)
            changes += [] if before is None else [float(np.abs(luma - before).mean())]
            before = luma
    return round(float(np.mean(changes)), 3)


if __name__ == "__main__":
    main()
