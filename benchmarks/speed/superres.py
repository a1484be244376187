"""From shell to file: `gantools superres` on a 512x512 PNG, beside OpenCV writing the same result.

    python -m benchmarks.speed.superres [--runs 5]

Each run is a fresh process, started after one warm-up that compiles the network and fills its
cache. `cv2.imwrite` is timed inside this process: encoding the 2048x2048 result alone.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import cv2
import numpy as np

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
        seconds = [timed(lambda: subprocess.run(command, check=True)) for _ in range(runs + 1)][1:]
        result = cv2.imread(str(target), cv2.IMREAD_UNCHANGED)
        writing = [timed(lambda: cv2.imwrite(str(target), result)) for _ in range(runs)]
        heavy = imported(command)
    row = {"shell_to_file_s": statistics.median(seconds), "imwrite_s": statistics.median(writing)}
    row = {name: round(value, 3) for name, value in row.items()}
    click.echo(
        f"shell to file {row['shell_to_file_s']:.2f} s   cv2.imwrite {row['imwrite_s']:.2f} s"
    )
    click.echo(f"training frameworks imported: {', '.join(heavy) or 'none'}")
    append(
        "superres_time", f"python -m benchmarks.speed.superres --runs {runs}", imported=heavy, **row
    )


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
