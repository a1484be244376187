"""Large pictures: the memory of the command, and the time beside that of the network alone.

    python -m benchmarks.speed.superres_large [--only NAME] [--threads N]

Memory is the peak of a fresh process's resident set, as the system counts it:

    24 MP x2         6000x4000 to 12000x8000 PNG
    25 MP JPEG x2    5000x5000 JPEG to 10000x10000 PNG: 100 megapixels out
    15 MP TIFF x2    16 bits, 5000x3000 to 10000x6000 TIFF

`pace` times bands of a 512x512 picture, everything from pixels to pixels, and the bare network:
its convolutions in OpenVINO, in the same precision, on as many tiles of the same size, without
bicubic base and back-projection. Both are interleaved; the medians of 25 are told, in
milliseconds of a megapixel of the result; the ratio is the median of those of neighbours.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
from operator import truediv
from pathlib import Path

import click
import cv2
import numpy as np
from gantools.apps.superres.family import TWIN, family
from gantools.apps.superres.model import Network, load, shipped
from gantools.apps.superres.onnx import convolutions
from gantools.apps.superres.upscaler import Upscaler

from benchmarks.rows import append
from benchmarks.speed.superres import timed
from gantools.data.onnx import Graph
from gantools.quiet import import_openvino

SIDE, RUNS = 512, 25
MEMORY = {  # name: (height, width, dtype, suffix of the source, of the target)
    "24 MP x2": (4000, 6000, np.uint8, ".png", ".png"),
    "25 MP JPEG x2": (5000, 5000, np.uint8, ".jpg", ".png"),
    "15 MP TIFF x2": (3000, 5000, np.uint16, ".tif", ".tif"),
}


def scene(height, width, dtype=np.uint8):
    """Return a picture of that size, neither flat nor incompressible."""
    noise = np.random.default_rng(0).integers(0, 256, (height // 8, width // 8, 3), np.uint8)
    large = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return large if dtype == np.uint8 else large.astype(np.uint16) * 257


def memory(name, threads):
    """Return `{"peak_mb", "seconds", "megapixels"}` of the command on one of `MEMORY`."""
    height, width, dtype, suffix, made = MEMORY[name]
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, f"in{suffix}"), Path(folder, f"out{made}")
        cv2.imwrite(str(source), scene(height, width, dtype))
        words = [sys.executable, "-m", __spec__.name, "--run", str(source), str(target)]
        words += ["--threads", str(threads)] if threads else []
        done = subprocess.run(words, check=True, capture_output=True, text=True)
        peak, seconds = (float(number) for number in done.stdout.split())
    return {
        "peak_mb": round(peak / 1000),
        "seconds": round(seconds, 1),
        "megapixels": round(4 * height * width / 1e6, 1),
    }


def run_measured(source, target, threads):
    """Run the command as a child of this small process; print its peak in kB and its seconds."""
    words = [sys.executable, "-m", "gantools", "superres", source, "-o", target, "--scale", "2"]
    words += ["-q"] + (["--threads", str(threads)] if threads else [])
    seconds = timed(lambda: subprocess.run(words, check=True))
    click.echo(f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss} {seconds}")


def pace(name, scale, threads):
    """Return milliseconds a megapixel of the result: all of `Upscaler.bands`, and the network."""
    upscaler, network = Upscaler(family(name), threads=threads), load(name, scale)
    pixels, size = scene(SIDE, SIDE), (SIDE * scale, SIDE * scale)
    cut = upscaler.grid(SIDE, SIDE, network)
    count = sum(len(band) for band in cut.bands)
    upscaler.prepare(SIDE, SIDE, size=size)
    precision = upscaler.engine(network=network).precision
    infer = bare(network, cut.height, cut.width, precision, threads)
    seconds = {"all": [], "network": []}
    for i in range(RUNS + 1):
        whole = timed(lambda: [None for _ in upscaler.bands(pixels, size)])
        alone = timed(lambda: [infer() for _ in range(count)])
        for key, value in (("all", whole), ("network", alone)):
            seconds[key] += [value] if i else []
    ms = {k: 1000 * statistics.median(v) / (SIDE * scale) ** 2 * 1e6 for k, v in seconds.items()}
    return {
        "precision": precision,
        "ms_a_megapixel": round(ms["all"], 1),
        "network_ms_a_megapixel": round(ms["network"], 1),
        "ratio": round(statistics.median(map(truediv, seconds["all"], seconds["network"])), 3),
    }


def bare(network: Network, height, width, precision, threads):
    """Return a function that runs the convolutions of a network once on a tile of that size."""
    graph, scale = Graph(), network.scale
    graph.node("Identity", convolutions(graph, network, "tile"), out="residual")
    tile, residual = (1, 3, height, width), (1, 3 * scale**2, height, width)
    file = graph.file("network", {"tile": tile}, {"residual": residual}, "float32")
    openvino = import_openvino()
    core, options = openvino.Core(), {"INFERENCE_PRECISION_HINT": precision}
    options |= {"PERFORMANCE_HINT": "LATENCY"}
    options |= {"INFERENCE_NUM_THREADS": threads} if threads else {}
    request = core.compile_model(core.read_model(file), "CPU", options).create_infer_request()
    levels = np.random.default_rng(0).uniform(0, 255, tile).astype(np.float32)
    return lambda: request.infer([levels], share_inputs=True)


@click.command()
@click.option("--only", type=click.Choice([*MEMORY, "pace"]), multiple=True)
@click.option("--threads", type=click.IntRange(1))
@click.option("--run", nargs=2, hidden=True)
def main(only, threads, run):
    """Print and record the peak memory of large pictures and the pace of the shipped networks."""
    if run:
        run_measured(*run, threads)
        return
    found = {name: memory(name, threads) for name in MEMORY if not only or name in only}
    if not only or "pace" in only:
        for name, scale in shipped():
            if not name.endswith(TWIN):
                found[f"{name} x{scale}"] = pace(name, scale, threads)
    for name, figures in found.items():
        click.echo(f"{name:16}" + "   ".join(f"{key} {value}" for key, value in figures.items()))
        append("superres_large", case=name, **figures)


if __name__ == "__main__":
    main()
