"""What the exit code of every command means."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; 2 is the command line parser's own."""

    FINE = 0
    PROBLEMS = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    INTERRUPTED = 130


class Stop(Exception):
    """Ends a command with an exit code and a sentence for the person."""

    def __init__(self, code: Exit, message: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
