"""What is wrong with a config: where, what, and what was probably meant."""

import difflib
from collections.abc import Iterable

import msgspec


class Place(msgspec.Struct, frozen=True):
    """A place in a file; line and column count from 1."""

    file: str
    line: int = 0
    column: int = 0
    text: str = ""
    """The line as it stands."""

    def __str__(self) -> str:
        """Return file:line:column, as editors jump to it."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def moved(self, by: int) -> "Place":
        """Return the place so many characters further on the same line."""
        return Place(self.file, self.line, min(self.column + by, len(self.text) + 1), self.text)


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is wrong; `path` is the dotted way to it."""

    place: Place
    path: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        """Return the fault as a person reads it: place, what, the line, and a caret under the spot."""
        told = f"{self.message}; {self.hint}" if self.hint else self.message
        head = f"{self.place}: {self.path}: {told}" if self.path else f"{self.place}: {told}"
        if not self.place.text:
            return head
        shown = self.place.text.rstrip()[:200]
        return f"{head}\n    {shown}\n    {' ' * (self.place.column - 1)}^"


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean "x"?` for the known word that is nearest, empty where none is near."""
    by_fold = {name.casefold(): name for name in sorted(known)}
    near = difflib.get_close_matches(word.casefold(), by_fold, n=1, cutoff=0.6)
    return f'did you mean "{by_fold[near[0]]}"?' if near else ""


def in_order(faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """Return the faults in the order of the files, each said once."""
    # A value that YAML changed is wrong in type too; the first fault of a spot says what really happened.
    spots: dict[tuple[str, int, int], list[Fault]] = {}
    for fault in faults:
        here = spots.setdefault((fault.place.file, fault.place.line, fault.place.column), [])
        if not any(fault.path == other.path for other in here):
            here.append(fault)
    return tuple(fault for spot in sorted(spots) for fault in spots[spot])


class ConfigInvalid(Exception):
    """The config cannot be used; `faults` are all of them."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = in_order(faults)
        super().__init__("\n".join(map(str, self.faults)))
