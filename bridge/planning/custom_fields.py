"""Custom fields wanted at values: mapped from the sender's fields or set by a rule, typed, and only where they differ."""

from collections.abc import Iterator

from bridge.domain.command import FieldChange, FieldPolicy, PartyKind
from bridge.domain.expressions import as_text
from bridge.domain.inquiry import ContactUpdate
from bridge.domain.party import PartyRecord
from bridge.domain.plan import Hold
from bridge.domain.reasons import Reason
from bridge.domain.reference import CUSTOMER_FIELD, LOCATION_FIELD, ListEntry
from bridge.planning.planner import Desk
from bridge.planning.rules import Fields

_LIST = {PartyKind.CUSTOMER: CUSTOMER_FIELD, PartyKind.LOCATION: LOCATION_FIELD}
Found = tuple[tuple[FieldChange, ...], tuple[Hold, ...]]


def wanted(desk: Desk, inquiry: ContactUpdate, record: PartyRecord | None, party: PartyKind) -> Found:
    """Return the changes that the source's mapping wants, and holds for values that a field does not take.

    Where the sender says what changed, only that is looked at: the rest of its record may be older than ServiceTitan's.
    """
    changes: list[FieldChange] = []
    holds: list[Hold] = []
    ruled = _set_by_rule(desk, party)
    for name, mapping in desk.context.source.updates.fields.items():
        if mapping.on != party.value or name not in inquiry.fields:
            continue
        if inquiry.changed and name not in inquiry.changed:
            continue
        entry = desk.find(_LIST[party], mapping.custom_field, where=f"updates.fields.{name}")
        if entry is None or entry.id in ruled:
            continue
        change = _change(desk, entry, inquiry.fields[name], FieldPolicy(mapping.policy), record, party)
        if isinstance(change, Hold):
            holds.append(change)
        elif change is not None:
            changes.append(change)
    return tuple(changes), tuple(holds)


def _set_by_rule(desk: Desk, party: PartyKind) -> frozenset[int]:
    """Return the fields that a rule sets itself: what it says goes before the mapping."""
    fields = desk.fields("set_custom_fields")
    if (fields.raw("on") or "customer") != party.value:
        return frozenset()
    found = (desk.context.reference.find(_LIST[party], name) for name in fields.raw("fields") or {})
    return frozenset(entry.id for entry in found if entry is not None)


def by_rule(desk: Desk, fields: Fields, record: PartyRecord | None, party: PartyKind) -> Found:
    """Return the changes that a rule wants by the names of the fields."""
    changes: list[FieldChange] = []
    holds: list[Hold] = []
    for name, wish in (fields.raw("fields") or {}).items():
        entry = desk.find(_LIST[party], name, where=fields.origin)
        if entry is None:
            continue
        value = as_text(fields.filled(wish.value))
        change = _change(desk, entry, value, FieldPolicy(wish.policy), record, party)
        if isinstance(change, Hold):
            holds.append(change)
        elif change is not None:
            changes.append(change)
    return tuple(changes), tuple(holds)


def _change(
    desk: Desk, entry: ListEntry, value: str, policy: FieldPolicy, record: PartyRecord | None, party: PartyKind
) -> FieldChange | Hold | None:
    typed = entry.typed(value)
    if typed is None:
        detail = f"{entry.name} is {entry.data_type}" + (
            f" of {', '.join(entry.options[:20])}" if entry.options else ""
        )
        return Hold(reason=Reason.FIELD_VALUE_INVALID.value, detail=detail)
    seen = None
    if record is not None:
        held = record.customer_fields if party is PartyKind.CUSTOMER else record.location_fields
        seen = held.get(entry.id)
        if (seen or "") == typed:
            return None
    return FieldChange(
        type_id=entry.id,
        value=typed,
        name=entry.name,
        base=seen,
        policy=policy,
        changed_at=desk.inquiry.occurred_at,
    )


def origins(desk: Desk, changes: tuple[FieldChange, ...]) -> Iterator[tuple[FieldChange, str]]:
    """Yield each change with the sender's name of the field it comes from."""
    names: dict[str, str] = {}
    for name, mapping in desk.context.source.updates.fields.items():
        for kind in _LIST.values():
            entry = desk.context.reference.find(kind, mapping.custom_field)
            if entry is not None:
                names[entry.name] = name
    for change in changes:
        yield change, f"the sender's {names[change.name]}" if change.name in names else "the rule"
