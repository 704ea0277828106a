"""The contract tables: which operations are served, with which parameters, bodies, answers and documented errors.

The notation of `contract/*.txt`: an operation is `Id METHOD /path` followed by indented `scope`, `query`, `body`, `answer` and `errors`;
a type lists `field:type`, where `*` after the name means required and `?` after the type means nullable.
"""

from collections.abc import Callable, Iterator
from functools import cache
from importlib import resources
from typing import Any

import msgspec

from bridge.simulator.values import READERS, Errors, Nulls, pascal, read_enum

MODULES = ("crm", "marketing", "settings", "jpm", "jbce", "marketingads", "telecom")

Reader = Callable[[Any, str, Errors, Nulls], Any]
Shaper = Callable[[Any], Any]


class Field(msgspec.Struct, frozen=True):
    """A member of a type or a query parameter."""

    name: str
    kind: str
    required: bool
    nullable: bool


class Schema(msgspec.Struct, frozen=True):
    """A named object type (`fields`) or enumeration (`members`)."""

    name: str
    fields: tuple[Field, ...] = ()
    members: tuple[str, ...] = ()


class Operation(msgspec.Struct, frozen=True, kw_only=True):
    """One operation of the API as it is documented."""

    id: str
    module: str
    method: str
    path: str
    scope: str
    query: tuple[Field, ...]
    body: str
    answer: str
    errors: frozenset[int]
    read_body: Reader | None
    shape: Shaper | None

    @property
    def name(self) -> str:
        """The id with its module, unique over all modules."""
        return f"{self.module}.{self.id}"


class Module(msgspec.Struct, frozen=True):
    """One module of the API: its base path, operations and types."""

    name: str
    base: str
    operations: tuple[Operation, ...]
    schemas: dict[str, Schema]


def read_field(text: str) -> Field:
    """Read `name*:kind?`."""
    name, _, kind = text.partition(":")
    return Field(name=name.rstrip("*"), kind=kind.rstrip("?"), required=name.endswith("*"), nullable=kind.endswith("?"))


def _paragraphs(text: str) -> Iterator[tuple[str, list[str]]]:
    """Split a table into heads at column one, each with its indented lines; deeper indents continue the line above."""
    head, lines = "", list[str]()
    for line in text.splitlines():
        if not line.strip():
            continue
        if not line.startswith(" "):
            if head:
                yield head, lines
            head, lines = line, []
        elif line.startswith("    ") and lines:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line.strip())
    yield head, lines


def _schema(head: str, lines: list[str]) -> Schema:
    what, name, *members = head.split()
    if what == "enum":
        return Schema(name=name, members=tuple(members))
    return Schema(name=name, fields=tuple(read_field(word) for word in " ".join(lines).split()))


def _operation(head: str, lines: list[str], module: str, base: str, schemas: dict[str, Schema]) -> Operation:
    op_id, method, path = head.split()
    parts = {key: rest for key, _, rest in (line.partition(" ") for line in lines)}
    body, answer = parts.get("body", ""), parts.get("answer", "")
    return Operation(
        id=op_id,
        module=module,
        method=method,
        path=base + path,
        scope=parts["scope"],
        query=tuple(read_field(word) for word in parts.get("query", "").split()),
        body=body,
        answer=answer,
        errors=frozenset(int(code) for code in parts.get("errors", "").split()),
        read_body=reader_of(body, schemas) if body else None,
        shape=shaper_of(answer, schemas) if answer else None,
    )


def reader_of(kind: str, schemas: dict[str, Schema]) -> Reader:
    """Return the function that checks a value of this kind and returns it in stored form; errors gather by path."""
    if kind.startswith("["):
        item_nullable = kind.endswith("?]")
        return _list_reader(reader_of(kind[1:-1].rstrip("?"), schemas), nullable=item_nullable)
    if kind in READERS:
        return READERS[kind]
    schema = schemas[kind]
    if schema.members:
        return read_enum(schema.members)
    fields = [
        (field.name, pascal(field.name), reader_of(field.kind, schemas), field.required, field.nullable)
        for field in schema.fields
    ]
    known = frozenset(field.name for field in schema.fields)

    def read(value: Any, path: str, errors: Errors, nulls: Nulls) -> Any:
        if not isinstance(value, dict):
            errors.add(path, "The JSON value could not be converted to an object.")
            return {}
        out: dict[str, Any] = {}
        for name, label, reader, required, nullable in fields:
            if name not in value:
                if required:
                    errors.add(path + label, f"The {label} field is required.")
                continue
            given = value[name]
            if given is not None:
                out[name] = reader(given, path + label + ".", errors, nulls)
            elif nullable or nulls is Nulls.CLEAR:
                out[name] = None
            elif required or nulls is Nulls.STRICT:
                errors.add(path + label, f"The {label} field is required.")
        if errors.refuse_unknown:
            for name in value.keys() - known:
                errors.add(path + pascal(name), f"Could not find member '{name}' on object of type '{kind}'.")
        return out

    return read


def _list_reader(item: Reader, *, nullable: bool) -> Reader:
    def read(value: Any, path: str, errors: Errors, nulls: Nulls) -> Any:
        if not isinstance(value, list):
            errors.add(path, "The JSON value could not be converted to a list.")
            return []
        stem = path.removesuffix(".")
        out = []
        for index, one in enumerate(value):
            if one is None and not nullable:
                errors.add(f"{stem}[{index}]", "The value may not be null.")
            else:
                out.append(None if one is None else item(one, f"{stem}[{index}].", errors, nulls))
        return out

    return read


def shaper_of(kind: str, schemas: dict[str, Schema]) -> Shaper | None:
    """Return the function that picks this kind's members out of a stored row; None where the value stays as it is."""
    kind = kind.rstrip("?")
    if kind.startswith(("Page<", "Export<")):
        inner = shaper_of(kind.partition("<")[2][:-1], schemas)
        return _envelope_shaper(inner) if inner else None
    if kind.startswith("["):
        inner = shaper_of(kind[1:-1], schemas)
        return (lambda rows: [inner(row) for row in rows]) if inner else None
    if kind in READERS or schemas[kind].members:
        return None
    plain = tuple(field.name for field in schemas[kind].fields)
    nested = [(f.name, shaper) for f in schemas[kind].fields if (shaper := shaper_of(f.kind, schemas))]

    def shape(row: Any) -> Any:
        get = row.get
        out = {name: get(name) for name in plain}
        for name, inner_shape in nested:
            if out[name] is not None:
                out[name] = inner_shape(out[name])
        return out

    return shape


def _envelope_shaper(inner: Shaper) -> Shaper:
    def shape(envelope: Any) -> Any:
        return {**envelope, "data": [inner(row) for row in envelope["data"]]}

    return shape


@cache
def load() -> tuple[Module, ...]:
    """Read all contract tables of the package."""
    folder = resources.files("bridge.simulator") / "contract"
    return tuple(_load_one((folder / f"{name}.txt").read_text("utf-8")) for name in MODULES)


def _load_one(text: str) -> Module:
    paragraphs = list(_paragraphs(text))
    _, name, base = paragraphs[0][0].split()
    types = [entry for entry in paragraphs[1:] if entry[0].startswith(("type ", "enum "))]
    schemas = {schema.name: schema for schema in (_schema(*entry) for entry in types)}
    operations = tuple(
        _operation(*entry, name, base, schemas)
        for entry in paragraphs[1:]
        if not entry[0].startswith(("type ", "enum "))
    )
    return Module(name, base, operations, schemas)
