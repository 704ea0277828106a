"""Pipedrive: persons, deals and activities changed; envelope v1 (current, previous) and v2 (data, previous)."""

from collections.abc import Iterator
from typing import Any

from bridge.connectors.base import About, Normalized, SourceOptions
from bridge.connectors.dialect import SHARED, Dialect
from bridge.connectors.extract import Field
from bridge.connectors.payloads import dig, objects, text
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.inquiry import ActivityKind
from bridge.domain.values import moment

_ACTIONS = {
    "added": "create",
    "create": "create",
    "updated": "change",
    "change": "change",
    "deleted": "delete",
    "delete": "delete",
    "merged": "merge",
}
_OTHERS = ("activity", "organization", "note", "product", "pipeline", "stage", "user", "activityType")
_SCALAR = (str, int, float, bool)
_RESERVED = {"email", "phone", "emails", "phones", "name", "first_name", "last_name"}


class Pipedrive(Dialect):
    """Persons and deals of Pipedrive."""

    kind = "pipedrive"
    about = About(
        title="Pipedrive", family="crm", signature="none; HTTP Basic by choice",
        dedup="v2: meta.id; v1: meta.id with timestamp_micro", retries="after 3, 30, 150 s; 10 first-try failures ban for 30 min",
        setup=("Settings › Tools and apps › Webhooks › Create: hook URL, person and deal, all actions.", "Set HTTP auth."),
        paste="user:password you set", guessed=("v2's id is stable over retries; v2 persons list emails and phones.",),
    )  # fmt: skip
    shared = SHARED
    handled = frozenset(
        f"{action}.{entity}" for action in ("create", "change", "delete") for entity in ("person", "deal", "lead")
    )
    ignored = frozenset(
        {
            f"{action}.{entity}"
            for action in ("create", "change", "delete", "merge")
            for entity in ("activity", "organization", "note", "product")
        }
        | {
            f"{action}.{entity}"
            for action in ("create", "change", "delete")
            for entity in ("pipeline", "stage", "user", "activityType")
        }
        | {"merge.person", "merge.deal"}
    )

    def event_of(self, payload: Any, request: HookRequest) -> str:
        """Return action.entity in the words of v2."""
        del request
        meta = payload.get("meta")
        action, entity = text(dig(meta, "action")), text(dig(meta, "entity")) or text(dig(meta, "object"))
        return (
            f"{_ACTIONS.get(action, action)}.{entity}" if action and entity else text(payload.get("event")) or "unknown"
        )

    def dedup_of(self, payload: Any, request: HookRequest) -> str:
        """Return the id of the change: v1 names only the record, so its microsecond is added."""
        meta = payload.get("meta")
        ident, micro = text(dig(meta, "id")), text(dig(meta, "timestamp_micro")) or text(dig(meta, "timestamp"))
        if text(dig(meta, "version")).startswith("2"):
            return ident or text(dig(meta, "correlation_id"))
        return f"{self.event_of(payload, request)}|{ident}|{micro}" if ident and micro else ""

    def say(self, payload: Any, delivery: Delivery, options: SourceOptions) -> Normalized:
        """Return a person's change as a contact update, a deal as an opportunity."""
        now, before = payload.get("data") or payload.get("current"), payload.get("previous")
        record = now if isinstance(now, dict) else before if isinstance(before, dict) else {}
        action, _, entity = delivery.event_type.partition(".")
        ident = text(record.get("id")) or text(dig(payload, "meta", "entity_id")) or text(dig(payload, "meta", "id"))
        stamp = dig(payload, "meta", "timestamp")
        draft = self.draft(list(_fields(record)), payload, delivery, options)
        at, version = moment(stamp), text(dig(payload, "meta", "timestamp_micro")) or text(stamp) or delivery.dedup_key
        key = f"{entity}|{ident}|{version}"
        if entity != "person":
            said = " · ".join(filter(None, (text(record.get("title")), text(record.get("status")), _money(record))))
            told = draft.activity(
                ActivityKind.OPPORTUNITY,
                key=key,
                record_id=f"{entity}-{ident}",
                occurred_at=at,
                said=f"{entity} {action}: {said}",
            )
            return Normalized(inquiries=(told,))
        changed = [
            name for name in record if isinstance(before, dict) and name in before and before[name] != record[name]
        ]
        if isinstance(before, dict) and "data" in payload:
            changed = _changed(before)
        update = draft.contact_update(
            key=key, record_id=ident, version=version, occurred_at=at, changed=changed, is_new=action == "create",
            is_deleted=action == "delete",
            fields=_plain(record),
        )  # fmt: skip
        return Normalized(inquiries=(update,))


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a person by the names they have in both versions: v2 keeps the custom ones apart, each with its type."""
    found = {name: value for name, value in record.items() if name not in _RESERVED and isinstance(value, _SCALAR)}
    custom = record.get("custom_fields")
    return found | ({name: _custom(value) for name, value in custom.items()} if isinstance(custom, dict) else {})


def _custom(value: Any) -> Any:
    """Return what a custom field of v2 holds: a value, the id of a choice, or the ids of several."""
    if not isinstance(value, dict):
        return value
    if "values" in value:
        return [row.get("id") for row in objects(value["values"])]
    return value.get("value", value.get("id"))


def _changed(before: dict[str, Any]) -> list[str]:
    """Return the names of what changed, of which v2 sends nothing else; custom fields by their own names."""
    custom = before.get("custom_fields")
    return [*(name for name in before if name != "custom_fields"), *(custom if isinstance(custom, dict) else ())]


def _money(record: dict[str, Any]) -> str:
    value = text(record.get("value"))
    return f"{value} {text(record.get('currency'))}".strip() if value else ""


def _fields(record: dict[str, Any]) -> Iterator[Field]:
    for name, slot in (
        ("name", "name"),
        ("first_name", "given_name"),
        ("last_name", "surname"),
        ("org_name", "company"),
        ("person_name", "name"),
    ):
        yield Field(f"current.{name}", name, record.get(name), slot)
    for names, slot in ((("phone", "phones"), "phone"), (("email", "emails"), "email")):
        for name in names:
            rows = objects(record.get(name))
            for index, row in enumerate(sorted(rows, key=lambda row: row.get("primary") is not True)):
                yield Field(f"current.{name}.{index}", name, row.get("value"), slot)
            if isinstance(record.get(name), str):
                yield Field(f"current.{name}", name, record[name], slot)
    place = record.get("postal_address")
    yield Field(
        "current.postal_address", "address", dig(place, "value") if isinstance(place, dict) else place, "address"
    )
