"""Files that are either whole or not there."""

import errno
import os
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from zlib import crc32

from gantools.errors import UserError

REMEDIES = {
    errno.ENOSPC: "the disk is full. Free some space or choose another place",
    errno.EDQUOT: "the disk quota is used up. Free some space or choose another place",
    errno.EACCES: "permission denied. Choose a place that may be written",
    errno.EPERM: "permission denied. Choose a place that may be written",
    errno.EROFS: "the file system is read-only. Choose another place",
    errno.ENOENT: "its folder does not exist. Make the folder first",
    errno.ENOTDIR: "its folder is a file. Choose another place",
    errno.EISDIR: "it is a folder. Give the name of a file",
    errno.ENAMETOOLONG: "the name is too long. Choose a shorter one",
}
# In the names of part files, with the process: a folder may be shared by machines.
MACHINE = crc32(os.fsencode(os.uname().nodename)) % 65536 if hasattr(os, "uname") else 0
ANOTHER = "Give --overwrite to make it again, or another name"


@contextmanager
def atomic(path):
    """Yield the path of a `.part` file beside `path`, and put it in its place at the end.

    Whatever stops the body, Ctrl-C included, removes the part file and leaves an older file as it
    was. A process that is killed leaves it; the next one that makes the file removes it. The folder
    must exist.

    Args:
        path: The file to make.

    Raises:
        UserError: the file cannot be written: the reason and what to do, in one sentence.
    """
    path = Path(path)
    with _draft(path) as part:
        yield part
        part.replace(path)


def check_place(path):
    """Raise a `UserError` if no file can be made at `path`: tried, before hours of work."""
    with _draft(Path(path)):
        pass


def check_free(path, endings, *, sources=(), results=(), overwrite=False, remedy=ANOTHER):
    """Raise a `UserError` if a file that will tell of some work would harm another file.

    Called before the work, so that nothing is found out after hours of it.

    Args:
        path: The file to make.
        endings: Suffixes that it may have, in lower case.
        sources: Files that the work reads.
        results: Files that the work makes; their folders are made, too.
        overwrite: Whether a file that is there may be replaced.
        remedy: What to do where it may not.

    Raises:
        UserError: another suffix, no such folder, a source or a result of that name, or a file that
            is already there.
    """
    path = Path(path)
    if path.suffix.lower() not in endings:
        raise UserError(f"Give a name that ends in {' or '.join(endings)}. Received: '{path}'.")
    place = path.resolve()
    if place in {Path(source).resolve() for source in sources}:
        raise UserError(f"'{path}' would replace an input. Give another name.")
    results = {Path(result).resolve() for result in results}
    if place in results:
        raise UserError(f"'{path}' would be a result, too. Give another name.")
    if place.is_dir():
        raise unwritable(path, IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR)))
    if not place.parent.is_dir() and place.parent not in {result.parent for result in results}:
        raise unwritable(path, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)))
    if place.exists() and not overwrite:
        raise UserError(f"'{path}' is already there. {remedy}.")


def unwritable(path, error):
    """Return the `UserError` for an `OSError` met while writing `path`."""
    reason = REMEDIES.get(error.errno, f"{error.strerror or error}. Choose another place")
    return UserError(f"Cannot write '{path}': {reason}.")


def readable(text: str) -> str:
    r"""Return the name of a file as text for outputs: its bytes that are no UTF-8 as \xfc."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def make_folder(path):
    """Make a folder and its parents where missing.

    Raises:
        UserError: it cannot be made.
    """
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if isinstance(error, FileExistsError):
            raise UserError(f"Cannot make the folder '{path}': a file has that name.") from error
        raise unwritable(path, error) from error


@contextmanager
def _draft(path):
    """Yield the path of an empty part file beside `path`, gone afterwards. Errors: of `atomic`."""
    part = path.with_name(f"{path.name}.{os.getpid() << 16 | MACHINE}.part")
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        part.touch()
        for old in _left_in(path.absolute().parent).pop(path.name, ()):
            _remove(old)
        yield part
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        _remove(part)


@cache
def _left_in(folder):
    """Return the part files of processes of this machine that are gone: `{name of a file: [...]}`.

    As they were at the first look: a folder of many pictures is not searched for each.
    """
    found = {}
    for part in folder.glob("*.part"):
        name, _, number = part.stem.rpartition(".")
        if number.isdecimal() and int(number) % 65536 == MACHINE and _is_gone(int(number) >> 16):
            found.setdefault(name, []).append(part)
    return found


def _is_gone(process):
    """Return whether a process has ended; False where that cannot be known."""
    if os.name != "posix":  # elsewhere signal 0 is one
        return False
    try:
        os.kill(process, 0)
    except (PermissionError, OverflowError):
        return False
    except ProcessLookupError:
        return True
    return False


def _remove(part):
    try:
        part.unlink(missing_ok=True)
    except OSError:
        return  # an unwritable folder has no part file either
