"""What is wrong with a config, shown where it stands: file, line and column, the line itself, a caret, a guess at what was meant."""

from collections.abc import Iterable
from difflib import get_close_matches

import msgspec


class Fault(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One thing wrong; lines and columns count from 1, 0 where it stands nowhere."""

    file: str
    line: int = 0
    column: int = 0
    path: str = ""
    message: str = ""
    text: str = ""
    hint: str = ""

    def __str__(self) -> str:
        """Return it as a person reads it, like a compiler's message."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        subject = f"{self.path}: " if self.path else ""
        hint = f"; {self.hint}" if self.hint else ""
        head = f"{place}: {subject}{self.message}{hint}"
        if not self.text:
            return head
        return f"{head}\n    {self.text}\n    {' ' * (self.column - 1)}^"


class ConfigInvalid(Exception):  # noqa: N818  it names the finding
    """The config cannot be used; `faults` holds everything that is wrong with it at once."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "x"?` for the nearest known word, or nothing."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""
