"""The command line: a table of commands, loaded one at a time, and one place for exit codes.

`gantools --help` prints the table without importing a single command, so it costs 0.05 s. Other
packages add commands by the entry-point group `gantools.commands` (name = module:command); they are
looked up only when a name is not in the table.
"""

import atexit
import difflib
import errno
import gc
import os
import signal
import sys
import traceback
from importlib import import_module

import click

from gantools import __version__
from gantools.errors import ALL_FAILED, BUG, DONE, INTERRUPTED, USAGE, UserError

# name: (module:attribute, the first line of the command's docstring)
COMMANDS = {
    "superres": ("gantools.apps.superres.cli:superres", "Enlarge pictures with a trained network."),
    "anomaly": ("gantools.apps.anomaly.cli:anomaly", "Find what does not look like the normals."),
    "train": (
        "gantools.gans.cli:train",
        "Train a game on pictures, or go on with a run.",
    ),
    "sample": ("gantools.gans.cli:sample", "Draw samples of a trained run as one picture."),
    "translate": (
        "gantools.gans.cli:translate",
        "Turn pictures of one kind into the other with a trained run.",
    ),
    "zoo": (
        "gantools.gans.cli:zoo",
        "List the games with their papers, sizes and what they train on.",
    ),
    "doctor": (
        "gantools.doctor:doctor",
        "Show what is installed, what will be used and if it works.",
    ),
}
OUTSIDERS = "gantools.commands"

# The system's own words for these are clear, and none of them is a bug of ours.
_SYSTEM_ERRORS = {
    errno.EACCES, errno.EDQUOT, errno.EEXIST, errno.EFBIG, errno.EISDIR, errno.ENAMETOOLONG,
    errno.ENOENT, errno.ENOSPC, errno.ENOTDIR, errno.EPERM, errno.EROFS,
}  # fmt: skip


class Failure(click.ClickException):
    """A `UserError` on its way through click, with its exit code."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.exit_code = code


class Commands(click.Group):
    """A group that knows its commands by name only and imports one when it is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the table, in its order."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command of the table, or of another package, or None."""
        if cmd_name in COMMANDS:
            return load(COMMANDS[cmd_name][0])
        from importlib.metadata import entry_points  # 0.03 s: only for names that are not ours

        found = list(entry_points(group=OUTSIDERS, name=cmd_name))
        return found[0].load() if found else None

    def resolve_command(self, ctx: click.Context, args: list[str]):
        """Find the command named by the first argument, or fail with the nearest name."""
        name = args[0]
        command = self.get_command(ctx, name)
        if command is None:
            if name.startswith("-"):
                raise click.NoSuchOption(name, ctx=ctx)
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"Did you mean {near[0]!r}?" if near else "`gantools --help` lists them."
            raise click.UsageError(f"There is no command {name!r}. {hint}", ctx)
        return name, command, args[1:]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the table of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def invoke(self, ctx: click.Context):
        """Run the command; a mistake of the user becomes one sentence and an exit code."""
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise Failure(str(error), error.code) from error


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="`gantools COMMAND --help` explains one command. Nothing is downloaded or reported.",
)
@click.version_option(__version__, prog_name="gantools", message="%(prog)s %(version)s")
def cli():
    """Pictures, scans and tables with generative adversarial networks."""


def load(target: str):
    """Return the attribute that "module:attribute" names."""
    module, _, attribute = target.partition(":")
    return getattr(import_module(module), attribute)


def main(args: list[str] | None = None) -> int:
    """Run the command line and return its exit code; never raises.

    Args:
        args: Words after the program's name; those of the process when None.

    Returns:
        A code of `gantools.errors`. A reader that closes the pipe ends the program silently with
        INTERRUPTED, as Ctrl-C and SIGTERM do with a word.
    """
    atexit.register(gc.freeze)  # else the last collection takes engines apart: 0.06 s
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        code = cli.main(args, prog_name="gantools", standalone_mode=False)
        sys.stdout.flush()
        return code if isinstance(code, int) else DONE
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("Interrupted.", err=True)
        return INTERRUPTED
    except BrokenPipeError:
        return _end_quietly()
    except SystemExit as error:  # click's shell completion ends with 0, a closed pipe with 1
        return DONE if error.code in (0, None) else _end_quietly()
    except Exception as error:
        return _explain(error)


def _interrupt(number, frame):
    raise KeyboardInterrupt


def _end_quietly() -> int:
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else the interpreter's last flush complains
    return INTERRUPTED


def _explain(error: Exception) -> int:
    """Print one sentence for what the system refused, a traceback for the rest; return the code."""
    if isinstance(error, OSError) and error.errno in _SYSTEM_ERRORS:
        where = f" {os.fspath(error.filename)!r}" if error.filename is not None else ""
        click.echo(f"Error: the system refused{where}: {error.strerror}.", err=True)
        return ALL_FAILED if error.errno in (errno.ENOSPC, errno.EDQUOT) else USAGE
    traceback.print_exception(error)
    click.echo("This is a bug in gantools. Please report it with the lines above.", err=True)
    return BUG
