"""From shell to file: `gantools superres` on a 512x512 PNG, beside scripts with the same network.

    python -m benchmarks.speed.superres [--runs 5]

Each run is a fresh process; one of each is a warm-up, and the rivals take turns (see
`superres_rivals`: PyTorch and ONNX Runtime with Pillow; those that are installed). `cv2.imwrite` is
timed inside this process: encoding the 2048x2048 result alone.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import click
import cv2
import numpy as np
from gantools.apps.superres.model import load
from gantools.apps.superres.onnx import serving
from gantools.apps.superres.options import MODEL

from benchmarks.rows import append


@click.command()
@click.option("--runs", default=5, show_default=True)
def main(runs):
    """Print the median seconds of both, and whether Keras was imported."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "in.png"), Path(folder, "out.png")
        picture(source)
        command = [sys.executable, "-m", "gantools", "superres", str(source), "-o", str(target)]
        command += ["--overwrite", "-q"]
        commands = {"shell_to_file_s": command} | rivals(folder, source)
        seconds = {name: [] for name in commands}
        for i in range(runs + 1):
            for name, words in commands.items():
                took = timed(lambda words=words: subprocess.run(words, check=True))
                seconds[name] += [took] if i else []
        result = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
        writing = [timed(lambda: cv2.imwrite(str(target), result)) for _ in range(runs)]
        heavy = imported(command)
    row = {name: statistics.median(each) for name, each in seconds.items()}
    row |= {"imwrite_s": statistics.median(writing)}
    row = {name: round(value, 3) for name, value in row.items()}
    click.echo(
        "   ".join(f"{name.removesuffix('_s')} {value:.2f} s" for name, value in row.items())
    )
    click.echo(f"training frameworks imported: {', '.join(heavy) or 'none'}")
    append("superres_time", runs=runs, imported=heavy, **row)


def rivals(folder, source):
    """Return `{name: command}` of the rivals that are installed, their networks written."""
    network, found = load(MODEL, 4), {}
    np.savez(Path(folder, "network.npz"), **network.arrays)
    Path(folder, "network.onnx").write_bytes(
        serving(network, 512, 512, projection=network.projection)
    )
    for name, file in (("torch", "network.npz"), ("onnxruntime", "network.onnx")):
        if find_spec(name) and find_spec("PIL"):
            words = [name, str(Path(folder, file)), str(source), str(Path(folder, f"{name}.png"))]
            found[f"{name}_s"] = [sys.executable, "-m", "benchmarks.speed.superres_rivals", *words]
    return found


def picture(path):
    """Write a 512x512 picture of blurred noise: neither flat nor incompressible."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    cv2.imwrite(str(path), cv2.resize(noise, (512, 512), interpolation=cv2.INTER_CUBIC))


def timed(act):
    """Return the seconds that `act` takes."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def imported(command):
    """Return which training frameworks a command imports."""
    trace = [command[0], "-X", "importtime", *command[1:]]
    log = subprocess.run(trace, check=True, capture_output=True, text=True).stderr
    names = {line.rsplit("|", 1)[-1].strip() for line in log.splitlines() if "|" in line}
    return sorted(names & {"keras", "tensorflow", "torch", "jax"})


if __name__ == "__main__":
    main()
