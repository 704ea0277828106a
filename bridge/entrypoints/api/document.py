"""The OpenAPI document, made from the handlers themselves, with the refusals that every one of them may give."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from litestar import Litestar, Router
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.config import OpenAPIConfig

from bridge import __version__

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "reason", "detail"],
    "properties": {
        name: {"type": "integer" if name == "status" else "string"}
        for name in ("type", "title", "status", "reason", "detail", "remedy", "trace_id")
    },
}
_REFUSALS = {
    "400": "The request cannot be read.",
    "401": "No token, or one that is not in force.",
    "403": "The token's scopes do not include this.",
    "404": "There is no such thing, or it is not this token's to see.",
    "409": "It cannot be done as it stands, or the first request of this Idempotency-Key still runs.",
    "422": "The Idempotency-Key was used with another body, or the content is refused.",
    "503": "The database does not answer; `Retry-After` says when to ask again.",
}


def openapi(handlers: Sequence[HTTPRouteHandler]) -> dict[str, Any]:
    """Return the document of these handlers."""
    return _made(tuple(handlers))


@cache
def _made(handlers: tuple[HTTPRouteHandler, ...]) -> dict[str, Any]:
    app = Litestar(
        route_handlers=[Router(path="/api/v1", route_handlers=list(handlers))],
        openapi_config=OpenAPIConfig(
            title="Bridge",
            version=__version__,
            description="See and operate the bridge.",
            render_plugins=[],
            path="/unused",
        ),
        logging_config=None,
    )
    schema: dict[str, Any] = app.openapi_schema.to_schema()
    schema.setdefault("components", {})["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    schema["components"].setdefault("schemas", {})["Problem"] = _PROBLEM
    schema["security"] = [{"token": []}]
    schema["servers"] = [{"url": "/"}]
    for path in schema["paths"].values():
        for method, operation in path.items():
            if method not in {"get", "post", "put", "delete"}:
                continue
            body = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
            for status, text in _REFUSALS.items():
                operation["responses"][status] = {"description": text, "content": body}
            if method == "post":
                operation.setdefault("parameters", []).append(
                    {
                        "name": "Idempotency-Key", "in": "header", "required": False,
                        "schema": {"type": "string", "minLength": 1, "maxLength": 200, "pattern": "^[!-~]+$"},
                        "description": "The same key and body get the same answer for 24 hours.",
                    }
                )  # fmt: skip
    return schema
