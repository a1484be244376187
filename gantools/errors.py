"""Errors that a user can act on, and the exit codes of every command, in one place."""

DONE = 0
BUG = 1  # an unexpected exception: ours to fix
USAGE = 2  # the command line or the input cannot be used as given
MISSING_EXTRA = 3  # an optional package is needed: the message names the extra
SOME_FAILED = 4  # some inputs failed, the others are done
ALL_FAILED = 5  # nothing was done: every input failed, or there was nothing to do
REQUIREMENT = 6  # a --require was not met
INTERRUPTED = 130  # Ctrl-C or SIGTERM: finished work is kept


class UserError(ValueError):
    """A mistake outside the program: one sentence says what, expected, received and the remedy.

    Args:
        message: One or two clear sentences, no traceback needed to understand them.
        code: Exit code of the command line, one of the constants of this module.
    """

    def __init__(self, message: str, code: int = USAGE):
        super().__init__(message)
        self.code = code


def missing_extra(what: str, package: str, extra: str) -> UserError:
    """Return the error for an optional package that is not installed.

    Args:
        what: What was asked for, for example "DICOM".
        package: Name of the missing package.
        extra: The extra of gantools that brings it.
    """
    return UserError(
        f'{what} needs {package}. Install it with: pip install "gantools[{extra}]"', MISSING_EXTRA
    )
