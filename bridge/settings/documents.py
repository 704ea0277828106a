"""Reads YAML 1.2 with the place of every key and value kept, so that each fault can point at its line."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.scalarint import ScalarInt

from bridge.settings.faults import Fault

Path_ = tuple[str | int, ...]


class Place(msgspec.Struct, frozen=True):
    """Where something stands: file, line and column from 1."""

    file: str
    line: int
    column: int


class Document(msgspec.Struct, kw_only=True):
    """Several files read as one config: plain data, and where each key and value of it stands."""

    data: dict[str, Any] = {}
    places: dict[Path_, Place] = {}
    keys: dict[Path_, Place] = {}
    lines: dict[str, list[str]] = {}
    faults: list[Fault] = []

    def fault(self, path: Sequence[str | int], message: str, *, hint: str = "", of_key: bool = False) -> Fault:
        """Return a fault at the nearest place known of a path: of its value, or of the key itself."""
        there = tuple(path)
        while there and there not in self.places:
            there = there[:-1]
            of_key = True  # what is missing is missing from the block of this key
        places = self.keys if of_key and there in self.keys else self.places
        place = places.get(there, Place(next(iter(self.lines), "config"), 0, 0))
        lines = self.lines.get(place.file, [])
        text = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
        shown = ".".join(str(part) for part in path)
        return Fault(
            file=place.file, line=place.line, column=place.column, path=shown, message=message, text=text, hint=hint
        )


def read(texts: dict[str, str]) -> Document:
    """Read files (name → text) into one document; what cannot be read, and YAML's traps, become faults."""
    document = Document()
    for name, text in texts.items():
        document.lines[name] = text.splitlines()
        try:
            found = YAML(typ="rt").load(text)
        except DuplicateKeyError as twice:
            document.faults.append(_marked(document, name, twice, "the same key stands twice"))
        except MarkedYAMLError as broken:
            document.faults.append(_marked(document, name, broken, broken.problem or "this is no YAML"))
        else:
            if isinstance(found, CommentedMap):
                _merge(document, name, found)
            elif found is not None:
                document.faults.append(Fault(file=name, message="a config file holds keys and values"))
    return document


def files_of(place: Path) -> dict[str, str]:
    """Return name → text of a YAML file, or of every YAML file of a folder in the order of their names."""
    paths = sorted((*place.glob("*.yaml"), *place.glob("*.yml"))) if place.is_dir() else [place]
    return {str(path): path.read_text(encoding="utf-8") for path in paths if not path.name.endswith(".test.yaml")}


def _marked(document: Document, name: str, error: MarkedYAMLError, message: str) -> Fault:
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Fault(file=name, message=message)
    lines = document.lines[name]
    text = lines[mark.line] if mark.line < len(lines) else ""
    return Fault(file=name, line=mark.line + 1, column=mark.column + 1, message=message, text=text)


def _keys(node: Any, path: Path_, name: str) -> Iterator[tuple[Path_, Place]]:
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            if key in node.lc.data:
                line, column = node.lc.key(key)
                yield (*path, str(key)), Place(name, line + 1, column + 1)
            yield from _keys(value, (*path, str(key)), name)
    elif isinstance(node, CommentedSeq):
        for index, value in enumerate(node):
            yield from _keys(value, (*path, index), name)


def _merge(document: Document, name: str, found: CommentedMap) -> None:
    for path, place in _keys(found, (), name):
        document.keys.setdefault(path, place)
    for path, place, value in _walk(found, (), name):
        document.places.setdefault(path, place)
        trap = _trap(value, document.lines[name], place)
        if trap:
            document.faults.append(document.fault(path, trap))
    for key, value in found.items():
        plain = _plain(value)
        known = document.data.get(str(key))
        if isinstance(known, dict) and isinstance(plain, dict):
            for inner in known.keys() & plain.keys():
                document.faults.append(document.fault((str(key), inner), "stands in two files"))
            known.update(plain)
        elif isinstance(known, list) and isinstance(plain, list):
            known.extend(plain)
        else:
            document.data[str(key)] = plain


def _walk(node: Any, path: Path_, name: str) -> Iterator[tuple[Path_, Place, Any]]:
    if isinstance(node, CommentedMap):
        for key, value in node.items():
            here = (*path, str(key))
            line, column = node.lc.value(key) if key in node.lc.data else (node.lc.line, node.lc.col)
            if isinstance(value, CommentedMap | CommentedSeq) and key in node.lc.data:
                line, column = node.lc.key(key)
            yield here, Place(name, line + 1, column + 1), value
            yield from _walk(value, here, name)
    elif isinstance(node, CommentedSeq):
        for index, value in enumerate(node):
            line, column = node.lc.item(index) if index in (node.lc.data or {}) else (node.lc.line, node.lc.col)
            yield (*path, index), Place(name, line + 1, column + 1), value
            yield from _walk(value, (*path, index), name)


def _trap(value: Any, lines: list[str], place: Place) -> str:
    """Tell of a number whose zeros are lost when YAML reads it, such as a ZIP code."""
    if not isinstance(value, int | ScalarInt) or isinstance(value, bool) or not 0 < place.line <= len(lines):
        return ""
    written = lines[place.line - 1][place.column - 1 :].split("#")[0].strip(" ,]}")
    if written.startswith("0") and written.isdigit() and len(written) > 1:
        return f"YAML read this as the number {int(value)}; put it in quotes"
    return ""


def _plain(value: Any) -> Any:
    if isinstance(value, CommentedMap):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, CommentedSeq):
        return [_plain(inner) for inner in value]
    if isinstance(value, ScalarInt):
        return int(value)
    if isinstance(value, str):
        return str(value)
    return value
