import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from gantools import __version__, cli
from gantools.errors import (
    ALL_FAILED,
    BUG,
    DONE,
    INTERRUPTED,
    MISSING_EXTRA,
    USAGE,
    UserError,
)

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {
    "numpy",
    "cv2",
    "keras",
    "tensorflow",
    "torch",
    "jax",
    "sklearn",
    "pandas",
    "openvino",
    "rich",
}


def run(*args, **options):
    """Run gantools in a process of its own; return the finished process."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *options.pop("python", ()), "-m", "gantools", *args],
        capture_output=True, text=True, env=environment, check=False, **options,
    )  # fmt: skip


@pytest.mark.parametrize(
    "args", [[], *([name] for name in cli.COMMANDS)], ids=lambda a: " ".join(a)
)
def test_help_imports_nothing_heavy(args):
    done = run(*args, "--help", python=["-X", "importtime"])
    assert done.returncode == DONE, done.stderr[-2000:]
    assert "Usage: gantools" in done.stdout
    loaded = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in done.stderr.splitlines()
    }
    assert "click" in loaded
    assert not loaded & HEAVY


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_table_says_what_the_command_says(name):
    target, line = cli.COMMANDS[name]
    assert cli.load(target).help.splitlines()[0] == line


def test_version():
    assert CliRunner().invoke(cli.cli, ["--version"]).output == f"gantools {__version__}\n"


def test_unknown_commands_and_options_suggest_the_nearest():
    done = CliRunner().invoke(cli.cli, ["doktor"])
    assert done.exit_code == USAGE
    assert "Did you mean 'doctor'?" in done.output
    done = CliRunner().invoke(cli.cli, ["xyzzy"])
    assert done.exit_code == USAGE
    assert "gantools --help" in done.output
    assert CliRunner().invoke(cli.cli, ["--versoin"]).exit_code == USAGE


def command_that(action):
    @click.command()
    def command():
        action()

    return command


def raising(error):
    def action():
        raise error

    return action


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (
            UserError("Scans need pydicom.", MISSING_EXTRA),
            MISSING_EXTRA,
            "Error: Scans need pydicom.\n",
        ),
        (UserError("size must be >= 1."), USAGE, "Error: size must be >= 1.\n"),
        (KeyboardInterrupt(), INTERRUPTED, "Interrupted.\n"),
        (OSError(28, "No space left on device"), ALL_FAILED, "No space left on device.\n"),
        (PermissionError(13, "Permission denied", "/x"), USAGE, "'/x': Permission denied.\n"),
    ],
)
def test_mistakes_become_one_sentence_and_a_code(monkeypatch, capsys, error, code, text):
    monkeypatch.setattr(cli, "load", lambda target: command_that(raising(error)))
    assert cli.main(["doctor"]) == code
    shown = capsys.readouterr()
    assert shown.err.endswith(text)
    assert "Traceback" not in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), OSError(5, "Input/output error")])
def test_bugs_show_a_traceback_and_say_whose_they_are(monkeypatch, capsys, error):
    monkeypatch.setattr(cli, "load", lambda target: command_that(raising(error)))
    assert cli.main(["doctor"]) == BUG
    shown = capsys.readouterr().err
    assert "Traceback" in shown
    assert "bug in gantools" in shown.splitlines()[-1]


def test_commands_choose_their_exit_code(monkeypatch):
    action = lambda: click.get_current_context().exit(4)  # noqa: E731
    monkeypatch.setattr(cli, "load", lambda target: command_that(action))
    assert cli.main(["doctor"]) == 4
    monkeypatch.setattr(cli, "load", lambda target: command_that(lambda: None))
    assert cli.main(["doctor"]) == DONE


def test_closed_pipe_is_silent():
    script = (
        f"{sys.executable} -m gantools --help | {sys.executable} -c ''; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode in (INTERRUPTED, DONE)  # DONE where the pipe's buffer took it all
    assert done.stderr == ""


def test_commands_of_other_packages(tmp_path, monkeypatch, capsys):
    info = tmp_path / "other-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[gantools.commands]\ngreet = other_greeting:greet\n")
    (tmp_path / "other_greeting.py").write_text(
        "import click\n\n@click.command()\ndef greet():\n    click.echo('hello')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert cli.main(["greet"]) == DONE
    assert capsys.readouterr().out == "hello\n"


def test_package_names_are_lazy():
    code = (
        "import sys, gantools; assert 'keras' not in sys.modules; dir(gantools); gantools.nothing"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert "has no attribute 'nothing'" in done.stderr
    from gantools import Game
    from gantools.core.game import Game as original

    assert Game is original
