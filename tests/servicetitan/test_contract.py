"""Walks ServiceTitan's own OpenAPI documents and compares every operation of the client with them."""

import copy
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest
from msgspec import inspect

from bridge.servicetitan.enums import ENUMS
from bridge.servicetitan.operation import Operation
from bridge.servicetitan.operations import OPERATIONS

MODULES = ("crm-v2", "marketing-v2", "settings-v2", "jpm-v2", "jbce-v2", "marketing-ads-v2", "telecom")
CRM_OPERATIONS = 86

# The documents say non-null where null is a real answer.
NULL_ANSWERS = {"locations.preferred_technician"}

KINDS: dict[str, type] = {
    "array": list,
    "integer": int,
    "number": float,
    "boolean": bool,
    "string": str,
    "object": dict,
}
SCALARS: dict[type, type] = {
    inspect.StrType: str,
    inspect.IntType: int,
    inspect.FloatType: float,
    inspect.BoolType: bool,
    inspect.DictType: dict,
}


@pytest.fixture(scope="module")
def documents(shared_dir: Path) -> dict[str, Any]:
    folder = shared_dir / "servicetitan-openapi" / "2026-05"
    return {name: json.loads((folder / f"{name}.json").read_text()) for name in MODULES}


def test_every_crm_operation_is_there_and_every_operation_is_as_documented(documents: dict[str, Any]) -> None:
    assert findings(documents) == []


def test_the_crm_document_has_the_operations_the_table_was_made_for(documents: dict[str, Any]) -> None:
    assert sum(1 for _ in operations_of(documents["crm-v2"])) == CRM_OPERATIONS


def test_the_reference_lists_and_their_exports_are_there() -> None:
    wanted = {
        *("campaigns.list", "campaign_categories.list", "business_units.list", "tag_types.list", "employees.list"),
        *("technicians.list", "job_types.list", "jobs.list", "jobs.get", "call_reasons.list"),
        *("exports.business_units", "exports.tag_types", "exports.employees", "exports.technicians", "exports.jobs"),
        *("attributions.web_booking", "attributions.web_lead_form", "attributions.external_call", "attributions.job"),
        "exports.calls",
    }
    assert wanted <= set(OPERATIONS)


def rename_property(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["Crm.V2.CreateBookingRequest"]
    schema["properties"]["sumary"] = schema["properties"].pop("summary")


def drop_required(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["Crm.V2.CreateBookingRequest"]["required"].remove("externalId")


def forbid_null(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["Crm.V2.AddressModel"]["properties"]["unit"]["type"] = "string"


def add_enum_value(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["Crm.V2.Priority"]["enum"].append("Whenever")


def add_answer_enum_value(document: dict[str, Any]) -> None:
    document["components"]["schemas"]["Crm.V2.BookingStatus"]["enum"].append("Lost")


def rename_parameter(document: dict[str, Any]) -> None:
    operation = document["paths"]["/tenant/{tenant}/bookings"]["get"]
    next(one for one in operation["parameters"] if one["name"] == "externalId")["name"] = "externalID"


def add_operation(document: dict[str, Any]) -> None:
    document["paths"]["/tenant/{tenant}/bookings/{id}/convert"] = {
        "post": document["paths"]["/tenant/{tenant}/bookings/{id}"]["get"]
    }


def change_scope(document: dict[str, Any]) -> None:
    document["paths"]["/tenant/{tenant}/tags"]["put"]["security"][0]["oauth"] = ["tn.crm.customers:w"]


def rename_answer(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["Crm.V2.LeadResponse"]
    schema["properties"]["genPermUrl"] = schema["properties"].pop("leadUrl")


def change_type(document: dict[str, Any]) -> None:
    schema = document["components"]["schemas"]["Crm.V2.Customers.CustomFieldUpdateModel"]
    schema["properties"]["value"] = {"type": "integer"}


@pytest.mark.parametrize(
    "change",
    [
        rename_property,
        drop_required,
        forbid_null,
        add_enum_value,
        add_answer_enum_value,
        rename_parameter,
        add_operation,
        change_scope,
        rename_answer,
        change_type,
    ],
)
def test_the_walker_notices(documents: dict[str, Any], change: Any) -> None:
    changed = copy.deepcopy(documents["crm-v2"])
    change(changed)
    assert findings({**documents, "crm-v2": changed}) != []


# The walker


def findings(documents: dict[str, Any]) -> list[str]:
    """Return every difference between the documents and the client's table."""
    found: list[str] = []
    ours = {(one.method, one.path): one for one in OPERATIONS.values()}
    documented: set[tuple[str, str]] = set()
    for module, document in documents.items():
        for method, path, described in operations_of(document):
            documented.add((method, path))
            operation = ours.get((method, path))
            if operation is not None:
                found += compare(operation, described, document)
            elif module == "crm-v2":
                found.append(f"missing operation {method} {path}")
    found += [f"{ours[key].name}: not documented: {key}" for key in ours if key not in documented]
    return found


def operations_of(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, full path and description of each operation of a document."""
    base = urlsplit(document["servers"][0]["url"]).path
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            if method in {"get", "post", "put", "patch", "delete"}:
                yield method.upper(), base + path, described


def compare(operation: Operation, described: dict[str, Any], document: dict[str, Any]) -> list[str]:
    """Return the differences of one operation: scope, parameters, body and answer."""
    found: list[str] = []

    def expect(what: str, ours: Any, theirs: Any) -> None:
        if ours != theirs:
            found.append(f"{operation.name}: {what}: ours {ours!r}, documented {theirs!r}")

    queries = [one for one in described.get("parameters", []) if one["in"] == "query"]
    paths = [one for one in described.get("parameters", []) if one["in"] == "path"]
    expect("scope", [operation.scope], [scope for one in described["security"] for scope in one.get("oauth", [])])
    expect("query", sorted(operation.query), sorted(one["name"] for one in queries))
    expect("required query", set(operation.required_query), {one["name"] for one in queries if one.get("required")})
    expect("path", set(operation.path_parameters), {one["name"] for one in paths})
    choices = {one["name"]: tuple(resolve(one["schema"], document).get("enum", ())) for one in queries}
    expect("choices", dict(operation.choices), {name: values for name, values in choices.items() if values})

    body = described.get("requestBody")
    expect("has a body", operation.body is not None, body is not None)
    if body is not None and operation.body is not None:
        schema = next(iter(body["content"].values()))["schema"]
        found += [f"{operation.name} body{one}" for one in compare_type(operation.body, schema, document, strict=True)]

    content = described["responses"]["200"].get("content")
    expect("has an answer", operation.answer is not None, content is not None)
    if content is not None and operation.answer is not None:
        schema = next(iter(content.values()))["schema"]
        answer = compare_type(operation.answer, schema, document, strict=False)
        found += [f"{operation.name} answer{one}" for one in answer]
        if operation.reader is not None and operation.reader.takes_null:
            expect("null answer", operation.name in NULL_ANSWERS or nullable(schema), True)
    return found


def compare_type(ours: Any, schema: dict[str, Any], document: dict[str, Any], *, strict: bool) -> list[str]:
    """Return the differences between a type of ours and a schema; `strict` also compares presence, null and enums."""
    return list(_differences(inspect.type_info(ours), schema, document, strict=strict, where=""))


def _differences(
    ours: inspect.Type, schema: dict[str, Any], document: dict[str, Any], *, strict: bool, where: str
) -> Iterator[str]:
    if isinstance(ours, inspect.UnionType):
        members = [one for one in ours.types if not isinstance(one, inspect.NoneType | inspect.CustomType)]
        if strict and ours.includes_none != nullable(schema):
            yield f"{where}: null {'allowed' if ours.includes_none else 'refused'} against the contract"
        ours = members[0]
    elif strict and nullable(schema):
        yield f"{where}: null refused against the contract"
    enum_name = reference_name(schema)
    schema = resolve(schema, document)
    if "enum" in schema:
        declared = ENUMS.get(enum_name.split(".")[-1])
        if declared is None or set(declared.__args__) != set(schema["enum"]):
            yield f"{where}: enum {enum_name} is {schema['enum']}"
        if strict and not (isinstance(ours, inspect.LiteralType) and set(ours.values) == set(schema["enum"])):
            yield f"{where}: takes more than {schema['enum']}"
        return
    kind = KINDS[kind_of(schema)]
    match ours:
        case inspect.StructType() if kind is dict:
            yield from _members(ours, schema, document, strict=strict, where=where)
        case inspect.ListType() | inspect.VarTupleType() if kind is list:
            yield from _differences(ours.item_type, schema["items"], document, strict=strict, where=f"{where}[]")
        case inspect.DateTimeType() if kind is str and schema.get("format") == "date-time":
            if ours.tz is not True:
                yield f"{where}: a time without its zone"
        case _ if SCALARS.get(type(ours)) is kind and schema.get("format") != "date-time":
            pass
        case _:
            yield f"{where}: ours is {ours}, documented {schema}"


def _members(
    ours: inspect.StructType, schema: dict[str, Any], document: dict[str, Any], *, strict: bool, where: str
) -> Iterator[str]:
    documented = schema["properties"]
    fields = {field.encode_name: field for field in ours.fields}
    if fields.keys() != documented.keys():
        yield f"{where}: members differ: {sorted(fields.keys() ^ documented.keys())}"
    required = set(schema.get("required", []))
    for name in fields.keys() & documented.keys():
        field = fields[name]
        if strict and field.required != (name in required):
            yield f"{where}.{name}: required {field.required} against the contract"
        # UNSET shows as no default at all
        if strict and not field.required and field.default is not msgspec.NODEFAULT:
            yield f"{where}.{name}: would be sent unasked"
        if not strict and field.required and name not in required:
            yield f"{where}.{name}: must not be missing against the contract"
        yield from _differences(field.type, documented[name], document, strict=strict, where=f"{where}.{name}")


def kind_of(schema: dict[str, Any]) -> str:
    """Return the JSON type of a schema beside null."""
    kind = schema["type"]
    return str(next(one for one in kind if one != "null") if isinstance(kind, list) else kind)


def nullable(schema: dict[str, Any]) -> bool:
    """Return whether the schema itself takes null."""
    kind = schema.get("type")
    return (isinstance(kind, list) and "null" in kind) or any(
        one.get("type") == "null" for one in schema.get("oneOf", [])
    )


def reference_name(schema: dict[str, Any]) -> str:
    """Return the name of the schema that is referred to, through a oneOf with null."""
    for one in [schema, *schema.get("oneOf", []), *schema.get("allOf", [])]:
        if "$ref" in one:
            return str(one["$ref"].split("/")[-1])
    return ""


def resolve(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Return the schema a reference stands for."""
    name = reference_name(schema)
    found: dict[str, Any] = document["components"]["schemas"][name] if name else schema
    return found


def test_every_answer_type_can_be_read_and_every_body_checked() -> None:
    for operation in OPERATIONS.values():
        if operation.reader is not None:
            assert operation.reader.read(b"null") is None if operation.reader.takes_null else operation.reader
        if operation.body is not None:
            with pytest.raises(ValueError, match=operation.name):
                operation.render_body({"noSuchMember": 1})


def test_times_are_compared_with_their_zone() -> None:
    moment = msgspec.json.decode(b'"2021-07-19T20:35:38.2876004Z"', type=datetime)
    assert moment.utcoffset() is not None
