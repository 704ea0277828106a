"""The OpenAPI document of what is served as ServiceTitan, written from the contract tables."""

from functools import cache
from typing import Any

from bridge.simulator.contract import Field, Module, Operation, Schema, load

PLAIN: dict[str, dict[str, Any]] = {
    "i64": {"type": "integer", "format": "int64"},
    "i32": {"type": "integer", "format": "int32"},
    "num": {"type": "number"},
    "bool": {"type": "boolean"},
    "str": {"type": "string"},
    "str~color": {"type": "string", "pattern": "^#([0-9A-Fa-f]{6})$"},
    "dt": {"type": "string", "format": "date-time"},
    "guid": {"type": "string", "format": "uuid"},
    "map": {"type": "object"},
    "any": {},
}
PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "traceId", "errors", "data"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "traceId": {"type": "string"},
        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}},
        "data": {"type": "object"},
    },
}
MEANINGS = {
    400: "Not valid",
    401: "No valid token",
    403: "Not allowed",
    404: "Not there",
    409: "Conflict",
    429: "Too many",
}


def _kind(kind: str, module: str, *, nullable: bool = False) -> dict[str, Any]:
    """Return the JSON schema of a kind."""
    nullable = nullable or kind.endswith("?")
    kind = kind.rstrip("?")
    schema: dict[str, Any]
    if kind.startswith("["):
        schema = {"type": "array", "items": _kind(kind[1:-1], module)}
    elif kind.startswith(("Page<", "Export<")):
        rows = {"type": "array", "items": _kind(kind.partition("<")[2][:-1], module)}
        members = {"page": PLAIN["i32"], "pageSize": PLAIN["i32"], "totalCount": {"type": ["integer", "null"]}}
        members = members if kind.startswith("Page") else {"continueFrom": PLAIN["str"]}
        required = [name for name in ("page", "pageSize", "continueFrom") if name in members] + ["hasMore", "data"]
        schema = {
            "type": "object",
            "required": required,
            "properties": {**members, "hasMore": PLAIN["bool"], "data": rows},
        }
    elif kind in PLAIN:
        schema = dict(PLAIN[kind])
    else:
        schema = {"$ref": f"#/components/schemas/{module}.{kind}"}
    if not nullable:
        return schema
    if "$ref" in schema:
        return {"oneOf": [schema, {"type": "null"}]}
    return {**schema, "type": [schema["type"], "null"]}


def _schema(schema: Schema, module: str) -> dict[str, Any]:
    if schema.members:
        return {"type": "string", "enum": list(schema.members)}
    return {
        "type": "object",
        "required": [field.name for field in schema.fields if field.required],
        "properties": {field.name: _kind(field.kind, module, nullable=field.nullable) for field in schema.fields},
        "additionalProperties": False,
    }


def _parameter(field: Field, where: str, module: str) -> dict[str, Any]:
    required = field.required or where == "path"
    return {"name": field.name, "in": where, "required": required, "schema": _kind(field.kind, module)}


def _operation(operation: Operation) -> dict[str, Any]:
    module = operation.module
    in_path = [part[1:-1].split(":") for part in operation.path.split("/") if part.startswith("{")]
    parameters = [_parameter(Field(name, kind, True, False), "path", module) for name, kind in in_path]
    parameters += [_parameter(field, "query", module) for field in operation.query]
    success: dict[str, Any] = {"description": "Done"}
    if operation.answer:
        success["content"] = {"application/json": {"schema": _kind(operation.answer, module)}}
    problem = {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    refusals = sorted({*operation.errors, 401, 403, 429})
    entry: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [module],
        "security": [{"appKey": [], "oauth": [operation.scope]}],
        "parameters": parameters,
        "responses": {
            "200": success,
            **{str(code): {"description": MEANINGS[code], "content": problem} for code in refusals},
        },
    }
    if operation.body:
        entry["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _kind(operation.body, module)}},
        }
    return entry


def _paths(modules: tuple[Module, ...]) -> dict[str, dict[str, Any]]:
    paths: dict[str, dict[str, Any]] = {}
    for module in modules:
        for operation in module.operations:
            words = (
                f"{{{part[1:-1].split(':')[0]}}}" if part.startswith("{") else part
                for part in operation.path.split("/")
            )
            paths.setdefault("/".join(words), {})[operation.method.lower()] = _operation(operation)
    return paths


@cache
def document() -> dict[str, Any]:
    """Build the document; it is the same for every simulator."""
    modules = load()
    schemas = {f"{m.name}.{s.name}": _schema(s, m.name) for m in modules for s in m.schemas.values()}
    scopes = {operation.scope: operation.scope for module in modules for operation in module.operations}
    flow = {"tokenUrl": "/connect/token", "scopes": scopes}
    return {
        "openapi": "3.1.0",
        "info": {"title": "ServiceTitan as the simulator serves it", "version": "2"},
        "paths": _paths(modules),
        "components": {
            "schemas": {**schemas, "Problem": PROBLEM},
            "securitySchemes": {
                "appKey": {"type": "apiKey", "in": "header", "name": "ST-App-Key"},
                "oauth": {"type": "oauth2", "flows": {"clientCredentials": flow}},
            },
        },
    }
