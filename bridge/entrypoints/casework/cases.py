"""The test cases of a config as they stand in files, every fault of them at once."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, get_args

import msgspec

from bridge.domain.command import Command
from bridge.domain.inquiry import Inquiry
from bridge.domain.reasons import Reason
from bridge.settings import Fault, Place, Settings, did_you_mean
from bridge.settings.reading import Reader, Written, dotted

NOON = datetime(2026, 6, 3, 17, 0, tzinfo=UTC)
"""When a case happens that does not say: a Wednesday, at noon in Chicago."""
_CASE = ("name", "source", "body", "file", "headers", "url", "received_at", "fetched", "known", "earlier", "expect")
KNOWN = (
    "customer_id", "location_id", "may_write", "name", "location_name", "address", "phones", "emails", "fields",
    "location_fields", "tags", "location_tags", "do_not_service", "do_not_mail",
)  # fmt: skip
EARLIER = ("id", "status", "summary", "contacts")
_EXPECT = ("inquiry", "commands", "held", "reason", "asks_nothing", "refused")
_SHAPES = {dict: "a block of `key: value` lines", list: "a list", str: "a text", int: "a whole number"}
FETCHED = ("name", "status", "body")


class Case(msgspec.Struct, frozen=True):
    """One case whose shape is right: what comes in, who is known, and what is expected of each inquiry."""

    name: str
    at: Place
    given: Mapping[str, Any]
    expected: tuple[Written, ...]
    folder: Path

    @property
    def now(self) -> datetime:
        """When it happens."""
        said = self.given.get("received_at")
        return moment(said) or NOON


def moment(value: Any) -> datetime | None:
    """Return a text as a moment, None where it is none or has no time zone."""
    try:
        found = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None


def files_at(place: Path) -> list[Path]:
    """Return the test files at a place, in order."""
    return [place] if place.is_file() else sorted(path for path in place.glob("*.y*ml") if path.is_file())


def read(files: Iterable[Path], settings: Settings) -> tuple[list[Case], list[Fault]]:
    """Return the cases of files, and everything that is wrong with their shape."""
    reader, checker = Reader(), _Checker(settings)
    cases: list[Case] = []
    for path in files:
        tree = reader.read(str(path), path.read_text(encoding="utf-8"))
        if tree is not None:
            cases += checker.cases(tree, path.parent)
    return cases, [*reader.faults, *checker.faults]


@cache
def commands() -> dict[str, tuple[str, ...]]:
    """Return the fields of each command by its kind."""
    return {str(kind.__struct_config__.tag): shown(kind.__struct_fields__) for kind in get_args(Command)}


def shown(names: Iterable[str]) -> tuple[str, ...]:
    """Return fields as a case says them: `campaign` for `campaign_id`, since it says names."""
    return tuple(name.removesuffix("_id") if name in NAMED else name for name in names)


NAMED = {"campaign_id", "business_unit_id", "job_type_id", "call_reason_id"}


class _Checker:
    def __init__(self, settings: Settings) -> None:
        self.faults: list[Fault] = []
        self._sources = [str(name) for name in settings.sources]

    def cases(self, tree: Written, folder: Path) -> Iterable[Case]:
        if not self._keys(tree, ("tests",), ()):
            return
        listed = tree.child("tests")
        if listed is None or not isinstance(listed.data, list):
            self._fault(tree, ("tests",), "a test file says `tests:` and a list of cases")
            return
        for index, written in enumerate(listed.data):
            before = len(self.faults)
            case = self._case(written, ("tests", index), folder)
            if case is not None and len(self.faults) == before:
                yield case

    def _case(self, written: Written, path: tuple[str | int, ...], folder: Path) -> Case | None:
        if not self._keys(written, _CASE, path):
            return None
        given = written.plain()
        for name in ("name", "source", "expect"):
            if not given.get(name):
                self._fault(written, (*path, name), "is required")
        if ("body" in given) == ("file" in given):
            self._fault(written, path, "say either `body` or `file`")
        self._one_of(written, "source", self._sources, path)
        if "received_at" in given and moment(given["received_at"]) is None:
            self._fault(written.data["received_at"], (*path, "received_at"), "is no moment like 2026-06-03T12:00:00Z")
        if isinstance(given.get("file"), str) and not (folder / given["file"]).is_file():
            self._fault(written.data["file"], (*path, "file"), "there is no such file")
        self._facts(written, path)
        expect = written.child("expect")
        if expect is None:
            return None
        wanted = expect.data if isinstance(expect.data, list) else [expect]
        for one in wanted:
            self._expect(one, (*path, "expect"))
        return Case(str(given.get("name", "")), written.place, given, tuple(wanted), folder)

    def _facts(self, written: Written, path: tuple[str | int, ...]) -> None:
        known, earlier, fetched = (written.child(name) for name in ("known", "earlier", "fetched"))
        self._shaped(written, {"headers": dict, "fetched": list, "url": str, "file": str}, path)
        if known is not None and isinstance(known.data, dict):
            self._keys(known, KNOWN, (*path, "known"))
            lists = dict.fromkeys(("phones", "emails", "tags", "location_tags"), list)
            blocks = dict.fromkeys(("address", "fields", "location_fields"), dict)
            self._shaped(known, {**lists, **blocks, "location_id": int}, (*path, "known"))
            if not isinstance(known.plain().get("customer_id"), int):
                self._fault(known, (*path, "known", "customer_id"), "must be a number")
        elif known is not None:
            self._one_of(written, "known", ("nobody", "several"), path)
        if earlier is not None and self._keys(earlier, EARLIER, (*path, "earlier")):
            self._shaped(earlier, {"id": int, "contacts": list}, (*path, "earlier"))
        for index, one in enumerate(fetched.data if fetched is not None and isinstance(fetched.data, list) else ()):
            if self._keys(one, FETCHED, (*path, "fetched", index)):
                self._shaped(one, {"status": int}, (*path, "fetched", index))

    def _expect(self, written: Written, path: tuple[str | int, ...]) -> None:
        if not self._keys(written, _EXPECT, path):
            return
        reasons = [reason.value for reason in Reason]
        for name in ("reason", "asks_nothing", "refused"):
            self._one_of(written, name, reasons, path)
        held = written.child("held")
        for one in held.data if held is not None and isinstance(held.data, list) else [held] if held else []:
            self._word(one, reasons, (*path, "held"))
        inquiry = written.child("inquiry")
        if inquiry is not None:
            names = {name for kind in get_args(Inquiry) for name in kind.__struct_fields__}
            self._keys(inquiry, ("type", *sorted(names)), (*path, "inquiry"))
        wanted = written.child("commands")
        if wanted is not None and not isinstance(wanted.data, list):
            self._fault(wanted, (*path, "commands"), "must be a list (lines that start with -)")
        elif wanted is not None:
            for index, one in enumerate(wanted.data):
                self._command(one, (*path, "commands", index))

    def _command(self, written: Written, path: tuple[str | int, ...]) -> None:
        known = commands()
        if not isinstance(written.data, dict):
            self._word(written, known, path)
        elif len(written.data) != 1:
            self._fault(written, path, "must be one kind of command, with fields or without")
        elif self._keys(written, known, path):
            for kind, fields in written.data.items():
                if kind in known and fields.data is not None:
                    self._keys(fields, known[kind], (*path, kind))

    def _keys(self, written: Written, known: Iterable[str], path: tuple[str | int, ...]) -> bool:
        if not isinstance(written.data, dict):
            self._fault(written, path, "must be a block of `key: value` lines")
            return False
        known = tuple(known)
        for key, item in written.data.items():
            if key not in known:
                hint = did_you_mean(key, known) or f"known are {', '.join(known)}"
                self.faults.append(
                    Fault(place=item.key_place, path=dotted((*path, key)), message="unknown key", hint=hint)
                )
        return True

    def _shaped(self, written: Written, shapes: Mapping[str, type], path: tuple[str | int, ...]) -> None:
        for name, shape in shapes.items():
            item = written.child(name)
            if item is not None and not isinstance(item.data, shape):
                self._fault(item, (*path, name), f"must be {_SHAPES[shape]}")

    def _one_of(self, written: Written, name: str, known: Iterable[str], path: tuple[str | int, ...]) -> None:
        item = written.child(name)
        if item is not None:
            self._word(item, known, (*path, name))

    def _word(self, item: Written, known: Iterable[str], path: tuple[str | int, ...]) -> None:
        known = tuple(known)
        if item.data not in known:
            hint = did_you_mean(str(item.data), known) or (f"known are {', '.join(known)}" if len(known) < 20 else "")
            self.faults.append(
                Fault(place=item.place, path=dotted(path), message=f'nothing is called "{item.data}"', hint=hint)
            )

    def _fault(self, written: Written, path: tuple[str | int, ...], message: str) -> None:
        self.faults.append(Fault(place=written.place, path=dotted(path), message=message))
