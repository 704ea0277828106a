"""The JSON Schema of test files, made of the very words that reading them knows, for editors that complete and check."""

from typing import Any, get_args

from bridge.domain.inquiry import Inquiry
from bridge.domain.reasons import Reason
from bridge.entrypoints.casework.cases import EARLIER, FETCHED, KNOWN, commands

_TEXT, _NUMBER, _FLAG = {"type": "string"}, {"type": "integer"}, {"type": "boolean"}
_TEXTS = {"type": "array", "items": _TEXT}
_NAMED = {"type": "object", "additionalProperties": {"type": ["string", "number"]}}
_ANY: dict[str, Any] = {}
_KNOWN_SHAPES = {
    "customer_id": _NUMBER, "location_id": _NUMBER, "may_write": _FLAG, "name": _TEXT, "location_name": _TEXT,
    "address": {"type": "object"}, "phones": _TEXTS, "emails": _TEXTS, "fields": _NAMED, "location_fields": _NAMED,
    "tags": _TEXTS, "location_tags": _TEXTS, "do_not_service": _FLAG, "do_not_mail": _FLAG,
}  # fmt: skip
_EARLIER_SHAPES = {"id": _NUMBER, "status": _TEXT, "summary": _TEXT, "contacts": _TEXTS}
_FETCHED_SHAPES = {"name": _TEXT, "status": _NUMBER, "body": _ANY}


def schema() -> dict[str, Any]:
    """Return the schema of a test file."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tests of a Bridge config",
        "description": "What the config does with what comes in; `bridge test` runs it.",
        **_block({"tests": {"type": "array", "items": _case()}}, required=["tests"]),
        "$defs": {"reason": {"enum": sorted(reason.value for reason in Reason)}, "expect": _expect()},
    }


def _case() -> dict[str, Any]:
    expect = {"$ref": "#/$defs/expect"}
    return _block(
        {
            "name": {**_TEXT, "description": "What the case shows."},
            "source": {**_TEXT, "description": "The source it comes in through."},
            "body": {"description": "What is posted: a block is sent as JSON, a text as it stands."},
            "file": {**_TEXT, "description": "A file beside the test that holds the body."},
            "headers": {"type": "object", "description": "Headers it came with."},
            "url": {**_TEXT, "description": "What follows the address of the hook."},
            "received_at": {
                **_TEXT,
                "format": "date-time",
                "description": "When it came, with its zone; a Wednesday noon otherwise.",
            },
            "fetched": {
                "type": "array",
                "items": _block({name: _FETCHED_SHAPES[name] for name in FETCHED}),
                "description": "Answers of the sender's API to what is fetched.",
            },
            "known": {
                "description": "Who was matched: nobody, several, or a customer.",
                "oneOf": [
                    {"enum": ["nobody", "several"]},
                    _block({name: _KNOWN_SHAPES[name] for name in KNOWN}, required=["customer_id"]),
                ],
            },
            "earlier": {
                **_block({name: _EARLIER_SHAPES[name] for name in EARLIER}),
                "description": "The booking this person has already.",
            },
            "expect": {
                "description": "What should come of it: one block, or one for each inquiry.",
                "oneOf": [expect, {"type": "array", "items": expect}],
            },
        },
        required=["name", "source", "expect"],
        oneOf=[{"required": ["body"]}, {"required": ["file"]}],
    )


def _expect() -> dict[str, Any]:
    reason = {"$ref": "#/$defs/reason"}
    inquiry = sorted({name for kind in get_args(Inquiry) for name in kind.__struct_fields__})
    kinds = sorted(commands())
    command = {
        "oneOf": [
            {"enum": kinds},
            {
                "type": "object",
                "minProperties": 1,
                "maxProperties": 1,
                "additionalProperties": False,
                "properties": {
                    kind: {**_block(dict.fromkeys(commands()[kind], _ANY)), "type": ["object", "null"]}
                    for kind in kinds
                },
            },
        ]
    }
    return _block(
        {
            "inquiry": {
                **_block({"type": _TEXT, **dict.fromkeys(inquiry, _ANY)}),
                "description": "Fields of the inquiry, only those that are named.",
            },
            "commands": {"type": "array", "items": command, "description": "All of them, in order."},
            "held": {"oneOf": [reason, {"type": "array", "items": reason}], "description": "Why a person is asked."},
            "reason": {**reason, "description": "How it ends."},
            "asks_nothing": {**reason, "description": "Why it asks for nothing."},
            "refused": {**reason, "description": "Why it cannot be read."},
        }
    )


def _block(properties: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}
