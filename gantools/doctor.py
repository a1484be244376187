"""`gantools doctor`: what is installed, what will be used and why, and whether it works here."""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click

from gantools import record
from gantools.errors import ALL_FAILED, DONE, SOME_FAILED
from gantools.machine import machine

VARIABLES = ("KERAS_BACKEND", "KERAS_HOME", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "NO_COLOR")
TIMEOUT_S = 180  # JAX alone may compile for 12 s on two busy cores


@click.command()
@click.argument("run", required=False, type=click.Path(path_type=Path))
@click.option(
    "--data", type=click.Path(path_type=Path), help="Pictures that RUN has not learned from."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
@click.option("--no-test", is_flag=True, help="Look only; do not train or enlarge anything.")
@click.pass_context
def doctor(ctx, run, data, as_json, no_test):
    """Show what is installed, what will be used and if it works.

    Two tests run in their own processes: two cycles of a tiny game, a small picture enlarged.

    With RUN, the folder of a training run, tell instead whether that run is healthy: one line a
    finding, and exit code 4 if there is an alarm.

    \b
    Examples:
      gantools doctor
      gantools doctor --json > machine.json
      gantools doctor run/
    """
    if run is not None and no_test:
        raise click.UsageError("--no-test does not go with a RUN.", ctx)
    if run is not None:
        ctx.exit(_examine_run(run, data, as_json))
    if data is not None:
        raise click.UsageError("--data goes with a RUN.", ctx)
    found = examine(test=not no_test)
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(describe(found)))
    failures = [part for part in ("training", "superres") if found[part].get("error")]
    ctx.exit({0: DONE, 1: SOME_FAILED}.get(len(failures), ALL_FAILED))


def _examine_run(run: Path, data: Path | None, as_json: bool) -> int:
    """Print the health of a training run and return the exit code."""
    from gantools.quiet import import_core

    import_core()
    from gantools.gans import examine as health

    found = health.examine(run, data)
    click.echo(json.dumps(found, indent=2) if as_json else "\n".join(health.describe(found)))
    return SOME_FAILED if health.alarms(found) else DONE


def examine(test: bool = True) -> dict:
    """Return everything the doctor knows, as JSON-ready data.

    Args:
        test: Run the two self-tests; without them nothing is known of training.

    Returns:
        `schema`, `versions`, `machine`, `environment`, `training` and `superres`; the last two
        hold `error`, a sentence, where their test failed.
    """
    return {
        "schema": 1,
        "versions": record.installed_versions(),
        "machine": machine(),
        "environment": {name: os.environ[name] for name in VARIABLES if name in os.environ},
        "training": try_training() if test else {},
        "superres": choose_engine() | (try_superres() if test else {}),
    }


def choose_engine() -> dict:
    """Return the installed engines, the one that `superres` will use and why, or the error."""
    from gantools.apps.superres.engine import ENGINES, choose

    usable = choose()
    if not usable:
        return {"engines": [], "error": f"None of {', '.join(ENGINES)} is installed."}
    reason = f"the first installed of {', '.join(ENGINES)}"
    return {"engines": usable, "engine": usable[0], "reason": reason}


def try_training() -> dict:
    """Play two cycles of a tiny game in a process of its own; see `core.probe`."""
    result = _run("-m", "gantools.core.probe")
    if result["code"]:
        return {"error": _reason(result)}
    report = json.loads(result["out"].splitlines()[-1]) | {"seconds": result["seconds"]}
    return report if report["finite"] else report | {"error": "The training gave NaN."}


def try_superres() -> dict:
    """Enlarge a 64x64 picture four times in a process of its own, and check the result's size."""
    from gantools.data.pictures import Picture, header, write
    from gantools.data.synthetic import shapes

    with tempfile.TemporaryDirectory(prefix="gantools-doctor-") as folder:
        small, large = Path(folder, "small.png"), Path(folder, "large.png")
        write(small, Picture(shapes(1, size=64)[0]))
        result = _run("-m", "gantools", "superres", str(small), "-o", str(large), "-q", "--json")
        if result["code"] or not large.is_file():
            return {"error": _reason(result)}
        size = header(large).height, header(large).width
    (made,) = json.loads(result["out"])["pictures"]
    report = {"ran": made["engine"], "seconds": result["seconds"]}
    wrong = {} if size == (256, 256) else {"error": f"Expected 256x256 pixels. Received: {size}."}
    return report | wrong


def describe(found: dict) -> list[str]:
    """Return the lines that a person reads."""
    versions, here = found["versions"], found["machine"]
    features = {True: "yes", False: "no", None: "unknown"}
    lines = [
        "Versions   " + ", ".join(f"{name} {number}" for name, number in versions.items()),
        f"Machine    {here['system']}, {here['processor']}, {here['cores']} cores, "
        f"{here['memory_gib']} GiB",
        "           "
        + ", ".join(f"{name}: {features[has]}" for name, has in here["features"].items()),
    ]
    if found["environment"]:
        settings = [f"{name}={value}" for name, value in found["environment"].items()]
        lines.append("Settings   " + ", ".join(settings))
    train = found["training"]
    if "backend" in train:
        lines.append(
            f"Training   {train['backend']} {train['version']} ({train['reason']}) on "
            f"{', '.join(train['devices'])}: two cycles in {train['train_s']} s, "
            f"{train['seconds']} s from start to end"
        )
    superres = found["superres"]
    if "engine" in superres:
        done = ""
        if "ran" in superres:
            done = f": a 64x64 picture by {superres['ran']} in {superres['seconds']} s"
        lines.append(f"Superres   {superres['engine']} ({superres['reason']}){done}")
    errors = {"Training": train.get("error"), "Superres": superres.get("error")}
    return lines + [f"{name:10} FAILED: {error}" for name, error in errors.items() if error]


def _run(*args: str) -> dict:
    # This very code, also where nothing is installed and wherever the user stands.
    root = str(Path(__file__).resolve().parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    environment = {**os.environ, "PYTHONPATH": path, "TF_CPP_MIN_LOG_LEVEL": "3"}
    start = time.perf_counter()
    try:
        done = subprocess.run(
            [sys.executable, *args],
            capture_output=True, text=True, env=environment, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"code": 1, "out": "", "err": f"No answer in {TIMEOUT_S} s.", "seconds": TIMEOUT_S}
    seconds = round(time.perf_counter() - start, 2)
    return {"code": done.returncode, "out": done.stdout, "err": done.stderr, "seconds": seconds}


def _reason(result: dict) -> str:
    lines = [line for line in result["err"].splitlines() if line.strip()]
    last = lines[-1] if lines else "it said nothing"
    return f"{last} (exit code {result['code']})"
