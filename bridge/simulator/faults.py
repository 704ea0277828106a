"""Misbehaviour: which request goes wrong, and how; scripted rule by rule or drawn from a seeded profile."""

import random
from enum import StrEnum
from typing import Any

import msgspec

from bridge.simulator.contract import Module


class Action(StrEnum):
    """What can go wrong with one request. `before` means not applied, `after` means applied."""

    RATE_LIMIT = "rate_limit"
    RATE_LIMIT_BARE = "rate_limit_bare"
    ERROR_BEFORE = "error_before"
    ERROR_AFTER = "error_after"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    TIMEOUT_BEFORE = "timeout_before"
    TIMEOUT_AFTER = "timeout_after"
    LATE_APPLY = "late_apply"
    DELAY = "delay"
    SLOW_BODY = "slow_body"
    EXPIRE_TOKEN = "expire_token"  # noqa: S105 - the name of a fault
    DUPLICATE_APPLY = "duplicate_apply"
    STALE_READS = "stale_reads"
    PAGING_SHIFT = "paging_shift"
    HTML_502 = "html_502"
    MAINTENANCE = "maintenance"
    NULL_REQUIRED = "null_required"
    INT_ENUMS = "int_enums"
    EMPTY_BODY = "empty_body"
    BROKEN_BODY = "broken_body"
    REFUSE = "refuse"


READS_ONLY = frozenset({Action.STALE_READS, Action.PAGING_SHIFT})
WRITES_ONLY = frozenset({Action.DUPLICATE_APPLY, Action.LATE_APPLY})


class Fault(msgspec.Struct, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """A rule: which requests it meets (everything given must fit) and what it does to them.

    `path` and `body` are substrings; `nth` counts the matching requests from 1; `times` ends the rule after so many hits.
    `seconds` is the wait, the Retry-After, how long after giving up a late apply comes, or how stale reads are.
    """

    action: Action
    method: str | None = None
    path: str | None = None
    operation: str | None = None
    tenant: int | None = None
    body: str | None = None
    nth: int | None = None
    times: int | None = None
    probability: float = 1.0
    seconds: float | None = None
    status: int = 500
    shift: int = 1
    fields: tuple[str, ...] = ()
    seen: int = 0
    hits: int = 0

    def wait(self, otherwise: float) -> float:
        """Return the seconds of the rule, or the default of its action."""
        return otherwise if self.seconds is None else self.seconds


class Meeting(msgspec.Struct, frozen=True):
    """What a rule looks at in a request."""

    method: str
    path: str
    operation: str
    tenant: int
    body: bytes


def meets(fault: Fault, request: Meeting) -> bool:
    """Tell whether the request fits the rule's matchers, chance and counting aside."""
    if fault.times is not None and fault.hits >= fault.times:
        return False
    read = request.method == "GET"
    if (fault.action in WRITES_ONLY and (read or not request.operation)) or (not read and fault.action in READS_ONLY):
        return False
    return (
        (fault.method is None or fault.method.upper() == request.method)
        and (fault.path is None or fault.path in request.path)
        and (fault.operation is None or fault.operation in {request.operation, request.operation.partition(".")[2]})
        and (fault.tenant is None or fault.tenant == request.tenant)
        and (fault.body is None or fault.body.encode() in request.body)
    )


class Faults:
    """The rules in force, in order; the first that fits a request decides its fate."""

    def __init__(self, rules: list[Fault], *, seed: int) -> None:
        self.rules = rules
        self.random = random.Random(seed)  # noqa: S311 - misbehaviour must repeat with the seed

    def pick(self, request: Meeting) -> Fault | None:
        """Return the rule that meets this request, counting it as hit; None if all goes well."""
        met = [fault for fault in self.rules if meets(fault, request)]
        for fault in met:
            fault.seen += 1
        for fault in met:
            if fault.nth is not None and fault.seen != fault.nth:
                continue
            if fault.probability < 1.0 and self.random.random() >= fault.probability:
                continue
            fault.hits += 1
            return fault
        return None


def profile(name: str) -> list[Fault]:
    """Return the rules of a named profile; KeyError if there is none of this name."""
    return [
        Fault(action=Action(action), probability=share, seconds=seconds) for action, share, seconds in PROFILES[name]
    ]


PROFILES: dict[str, list[tuple[str, float, float | None]]] = {
    "none": [],
    "gentle": [
        ("rate_limit", 0.02, 1.0),
        ("error_before", 0.01, None),
        ("drop_after", 0.005, None),
        ("html_502", 0.005, None),
        ("delay", 0.01, 0.5),
    ],
    "rough": [
        ("rate_limit", 0.03, 1.0),
        ("rate_limit_bare", 0.02, 1.0),
        ("error_before", 0.02, None),
        ("error_after", 0.02, None),
        ("drop_before", 0.02, None),
        ("drop_after", 0.02, None),
        ("timeout_after", 0.01, 3.0),
        ("html_502", 0.02, None),
        ("maintenance", 0.01, None),
        ("expire_token", 0.01, None),
        ("null_required", 0.02, None),
        ("delay", 0.02, 0.5),
    ],
    "chaos": [(action.value, 0.02, {"delay": 0.2, "slow_body": 0.2}.get(action.value, 2.0)) for action in Action],
}

KEPT = frozenset({"id", "createdOn", "modifiedOn", "active"})
"""Members that the real API was never seen to leave null; `fields` of a rule can name them all the same."""


def distort(kind: str, value: Any, module: Module, fault: Fault) -> Any:
    """Return the answer with nulls in required members, or integers in place of enumeration names."""
    kind = kind.rstrip("?")
    if value is None:
        return None
    if kind.startswith(("Page<", "Export<")):
        inner = kind.partition("<")[2][:-1]
        return {**value, "data": [distort(inner, row, module, fault) for row in value["data"]]}
    if kind.startswith("["):
        return [distort(kind[1:-1], one, module, fault) for one in value]
    schema = module.schemas.get(kind)
    if schema is None:
        return value
    if schema.members:
        return schema.members.index(value) if fault.action is Action.INT_ENUMS and value in schema.members else value
    out: dict[str, Any] = {}
    for field in schema.fields:
        wanted = field.name in fault.fields if fault.fields else field.required and field.name not in KEPT
        if fault.action is Action.NULL_REQUIRED and wanted:
            out[field.name] = None
        else:
            out[field.name] = distort(field.kind, value.get(field.name), module, fault)
    return out
