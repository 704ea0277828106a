"""YAML 1.2 as plain data with the place of every key and value, and the traps people fall into with it."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from bridge.settings.faults import Fault, Place

MAX_CHARACTERS = 2_000_000
MAX_NODES = 200_000
"""A config has thousands; a bomb of aliases has billions and must not be unfolded."""
_YAML_1_1_BOOLEANS = frozenset({"yes", "no", "on", "off", "y", "n"})


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """A value as it stands in a file: `data` holds texts, numbers, lists of Written or a dict of Written by key."""

    data: Any
    place: Place
    key_place: Place
    raw: str = ""
    """The characters of an unquoted value, empty for a quoted one."""
    lines: tuple[Place, ...] = ()
    """Of a text written over several lines (`|`, `>`): where each begins."""

    def plain(self) -> Any:
        """Return the data without its places."""
        if isinstance(self.data, dict):
            return {key: item.plain() for key, item in self.data.items()}
        if isinstance(self.data, list):
            return [item.plain() for item in self.data]
        return self.data

    def at(self, path: tuple[str | int, ...]) -> "tuple[Written, tuple[str | int, ...]]":
        """Return the value at the path, or the nearest one above it, with the part of the path that leads there.

        Parts that name no key (pydantic adds the branch of a union) are passed over.
        """
        here = self
        walked: tuple[str | int, ...] = ()
        for part in path:
            below = here.child(part)
            if below is not None:
                here, walked = below, (*walked, part)
        return here, walked

    def child(self, part: str | int) -> "Written | None":
        """Return the value of a key or index, None where there is none."""
        if isinstance(self.data, dict):
            found = self.data.get(str(part))
            return found if isinstance(found, Written) else None
        if isinstance(self.data, list) and isinstance(part, int) and 0 <= part < len(self.data):
            item = self.data[part]
            return item if isinstance(item, Written) else None
        return None

    def walk(self, path: tuple[str | int, ...] = ()) -> "Iterator[tuple[tuple[str | int, ...], Written]]":
        """Yield every value below and this one, each with its path."""
        yield path, self
        if isinstance(self.data, dict):
            for key, item in self.data.items():
                yield from item.walk((*path, key))
        elif isinstance(self.data, list):
            for index, item in enumerate(self.data):
                yield from item.walk((*path, index))


def dotted(path: tuple[str | int, ...]) -> str:
    """Return a path as people write it: `sources.website.secrets.0`."""
    return ".".join(map(str, path))


class Reader:
    """Reads files one after the other and keeps every fault."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.unread: list[str] = []
        """Files of which nothing is known."""
        self._nodes = 0

    def read(self, file: str, text: str) -> Written | None:
        """Return what a file says, None where it is empty or cannot be read at all."""
        lines = text.splitlines()
        top = Place(file, 1, 1, lines[0] if lines else "")
        if len(text) > MAX_CHARACTERS:
            self._fault(Place(file), "", f"is longer than {MAX_CHARACTERS} characters")
            return None
        try:
            node = YAML(typ="rt", pure=True).compose(text)
        except MarkedYAMLError as error:
            if without := self._without_tabs(file, lines):
                return self.read(file, without)
            mark = error.problem_mark or error.context_mark
            place = self._place(file, lines, mark.line, mark.column) if mark else top
            self.unread.append(file)
            self._fault(place, "", f"this is no YAML: {error.problem or error.context}")
            return None
        except (YAMLError, ValueError, RecursionError) as error:
            self.unread.append(file)
            self._fault(top, "", f"this is no YAML: {str(error).splitlines()[0]}")
            return None
        if node is None:
            return None
        self._nodes = 0
        try:
            return self._written(node, file, lines, (), top)
        except RecursionError:
            self._fault(top, "", "is nested too deeply, or a part of it contains itself")
            return None
        except OverflowError:
            self._fault(top, "", f"unfolds to more than {MAX_NODES} values")
            return None

    def _without_tabs(self, file: str, lines: list[str]) -> str:
        """Return a text that YAML refuses with its tabs of indentation as spaces, each told of; empty where there is none."""
        found = False
        mended = []
        for number, line in enumerate(lines):
            indent = line[: len(line) - len(line.lstrip(" \t"))]
            if "\t" in indent and line.strip():
                place = self._place(file, lines, number, indent.index("\t"))
                self.faults.append(
                    Fault(place=place, path="", message="is indented with a tab", hint="YAML takes spaces")
                )
                found = True
            mended.append(indent.replace("\t", "  ") + line[len(indent) :])
        return "\n".join(mended) if found else ""

    def _written(
        self, node: Node, file: str, lines: list[str], path: tuple[str | int, ...], key_place: Place
    ) -> Written:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise OverflowError
        place = self._place(file, lines, node.start_mark.line, node.start_mark.column)
        if isinstance(node, MappingNode):
            return Written(data=self._mapping(node, file, lines, path), place=place, key_place=key_place)
        if isinstance(node, SequenceNode):
            items = [
                self._written(item, file, lines, (*path, index), self._place_of(item, file, lines))
                for index, item in enumerate(node.value)
            ]
            return Written(data=items, place=place, key_place=key_place)
        data = self._scalar(node, place, path)
        if not node.value and not _is_quoted(node):
            place = key_place  # where nothing is written, YAML's own mark stands before the next thing that is
        block: tuple[Place, ...] = ()
        if isinstance(node, ScalarNode) and node.style in ("|", ">"):
            block = tuple(
                self._place(file, lines, number, len(lines[number]) - len(lines[number].lstrip()))
                for number in range(node.start_mark.line + 1, min(node.end_mark.line + 1, len(lines)))
                if lines[number].strip()
            )
        raw = "" if _is_quoted(node) else str(node.value)
        return Written(data=data, place=place, key_place=key_place, raw=raw, lines=block)

    def _mapping(
        self, node: MappingNode, file: str, lines: list[str], path: tuple[str | int, ...]
    ) -> dict[str, Written]:
        found: dict[str, Written] = {}
        for key_node, value_node in node.value:
            place = self._place_of(key_node, file, lines)
            if not isinstance(key_node, ScalarNode):
                self._fault(place, dotted(path), "a key must be a plain text")
                continue
            # The characters count, not what YAML makes of them: `12345: Google Ads` maps the tracking number 12345.
            key = str(key_node.value)
            if key == "<<" and isinstance(value_node, MappingNode):
                merged = self._mapping(value_node, file, lines, path)
                found = {**merged, **found}
                continue
            if key in found:
                first = found[key].key_place
                self._fault(place, dotted((*path, key)), f"stands here a second time; first in line {first.line}")
                continue
            found[key] = self._written(value_node, file, lines, (*path, key), place)
        return found

    def _scalar(  # noqa: PLR0911 - one return per YAML type
        self, node: Node, place: Place, path: tuple[str | int, ...]
    ) -> Any:
        # The library marks where a folded text (`>`) was folded.
        raw, kind = str(node.value).replace("\a", ""), str(node.tag).rpartition(":")[2]
        if _is_quoted(node):
            return raw
        try:
            match kind:
                case "null":
                    return None
                case "bool":
                    return raw.casefold() == "true"
                case "int":
                    if raw.lstrip("+-").startswith("0") and raw.lstrip("+-").isdigit() and len(raw.lstrip("+-")) > 1:
                        self._fault(place, dotted(path), f"YAML reads this as the number {int(raw)}; put it in quotes")
                        return raw
                    return int(raw.replace("_", ""), 0)
                case "float":
                    return float(raw.replace("_", "").replace(".inf", "inf").replace(".nan", "nan"))
                case "str" | "timestamp":
                    return raw
        except ValueError:
            return raw
        self._fault(place, dotted(path), f"the tag {node.tag} is not used in a config")
        return raw

    def _place_of(self, node: Node, file: str, lines: list[str]) -> Place:
        return self._place(file, lines, node.start_mark.line, node.start_mark.column)

    def _place(self, file: str, lines: list[str], line: int, column: int) -> Place:
        text = lines[line] if line < len(lines) else ""
        return Place(file, line + 1, column + 1, text)

    def _fault(self, place: Place, path: str, message: str) -> None:
        self.faults.append(Fault(place=place, path=path, message=message))


def _is_quoted(node: Node) -> bool:
    return isinstance(node, ScalarNode) and node.style is not None


def merge(files: Mapping[str, Written], reader: Reader) -> Written:
    """Return the files as one: blocks of the same name are joined, and what two files both say is a fault."""
    merged: dict[str, Written] = {}
    for file, written in files.items():
        if not isinstance(written.data, dict):
            reader.faults.append(
                Fault(place=written.place, path="", message="a config file says `tenants:`, `sources:`, `rules:` …")
            )
            continue
        for key, block in written.data.items():
            merged[key] = _joined(merged[key], block, (key,), reader) if key in merged else block
        del file
    top = next(iter(files.values())).place if files else Place("config")
    return Written(data=merged, place=top, key_place=top)


def _joined(one: Written, other: Written, path: tuple[str | int, ...], reader: Reader) -> Written:
    if isinstance(one.data, dict) and isinstance(other.data, dict):
        joined = dict(one.data)
        for key, item in other.data.items():
            if key in joined:
                reader.faults.append(
                    Fault(
                        place=item.key_place,
                        path=dotted((*path, key)),
                        message=f"stands here a second time; first in {joined[key].key_place}",
                    )
                )
            else:
                joined[key] = item
        return Written(data=joined, place=one.place, key_place=one.key_place)
    if isinstance(one.data, list) and isinstance(other.data, list):
        return Written(data=[*one.data, *other.data], place=one.place, key_place=one.key_place)
    reader.faults.append(
        Fault(place=other.key_place, path=dotted(path), message=f"stands here a second time; first in {one.key_place}")
    )
    return one


def trap(written: Written, expected: str) -> str:
    """Return what YAML did to an unquoted value that should be of another type, empty where it did nothing odd."""
    data, raw = written.data, written.raw
    if expected == "text" and isinstance(data, bool):
        return f"YAML reads {raw} as {str(data).lower()}; put it in quotes"
    if expected == "text" and isinstance(data, int | float) and raw:
        return f"YAML reads this as the number {data}; put it in quotes"
    if expected == "yes or no" and isinstance(data, str) and data.casefold() in _YAML_1_1_BOOLEANS:
        meant = "true" if data.casefold() in ("yes", "on", "y") else "false"
        return f'YAML 1.2 reads {data} as the text "{data}"; write {meant}'
    return ""
