"""What rules see of an inquiry, its match and its tenant: plain data with every name there, so that nothing is undefined."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from bridge.domain.expressions import PlainContext, plain
from bridge.domain.inquiry import Inquiry
from bridge.domain.match import Match, Matched
from bridge.domain.party import PartyRecord
from bridge.domain.reference import CUSTOMER_FIELD, LOCATION_FIELD, TAG_TYPE, ReferenceLists
from bridge.planning.context import PlanContext
from bridge.settings import TenantSettings
from bridge.settings.vocabulary import NAMES

_BLANK = dict.fromkeys(NAMES["inquiry"], "")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def view_of(inquiry: Inquiry, match: Match, context: PlanContext, *, now: datetime) -> PlainContext:
    """Return the names a rule may use, as `bridge check` knows them."""
    view = {
        "inquiry": _inquiry(inquiry),
        "match": _match(match),
        "tenant": _tenant(context.tenant, now),
        "source": {
            "id": str(context.source_id),
            "title": context.source.title,
            "connector": context.source.connector,
        },
        "party": _party(context.party, context.reference),
    }
    return PlainContext(view, is_plain=True)


def _inquiry(inquiry: Inquiry) -> dict[str, Any]:
    seen: dict[str, Any] = {**_BLANK, "kind": str(inquiry.__struct_config__.tag)}
    for name in inquiry.__struct_fields__:
        if name in ("origins", "data"):
            continue
        seen[name] = _plain(getattr(inquiry, name))
    seen["person"]["display_name"] = inquiry.person.display_name
    if isinstance(seen["answers"], list):
        seen["answers"] = {answer.label: answer.value for answer in getattr(inquiry, "answers", ())}
    return seen


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return plain(value)


def _match(match: Match) -> dict[str, Any]:
    matched = match if isinstance(match, Matched) else None
    return {
        "kind": str(match.__struct_config__.tag),
        "how": matched.kind.value if matched else "",
        "customer_id": matched.customer_id if matched else None,
        "location_id": getattr(match, "location_id", None),
        "probability": matched.probability if matched else 0.0,
        "may_write": matched.may_write if matched else False,
        "reason": match.evidence.reason,
        "decided_by": match.evidence.decided_by,
        "candidates": len(match.evidence.candidates),
    }


def _tenant(tenant: TenantSettings, now: datetime) -> dict[str, Any]:
    local = now.astimezone(ZoneInfo(tenant.time_zone))
    return {
        "name": tenant.key,
        "tenant_id": int(tenant.tenant_id),
        "time_zone": tenant.time_zone,
        "phone_region": tenant.phone_region,
        "is_open": is_open(tenant, now),
        "hour": local.hour,
        "weekday": _DAYS[local.weekday()],
    }


def is_open(tenant: TenantSettings, now: datetime) -> bool:
    """Tell whether the tenant's business hours hold at a moment, by the clock on its own wall."""
    local = now.astimezone(ZoneInfo(tenant.time_zone))
    hours: str = getattr(tenant.business_hours, _DAYS[local.weekday()])
    if hours == "closed":
        return False
    opens, _, closes = hours.partition("-")
    return opens <= local.strftime("%H:%M") < closes


def _party(party: PartyRecord | None, reference: ReferenceLists) -> dict[str, Any]:
    if party is None:
        return {"known": False, "type": "", "tags": [], "fields": {}, "do_not_service": False, "do_not_mail": False}
    tags = {entry.id: entry.name for entry in reference.entries.get(TAG_TYPE, ())}
    names = {
        (kind, entry.id): entry.name
        for kind in (CUSTOMER_FIELD, LOCATION_FIELD)
        for entry in reference.entries.get(kind, ())
    }
    fields = {names.get((LOCATION_FIELD, key), str(key)): value for key, value in party.location_fields.items()}
    fields |= {names.get((CUSTOMER_FIELD, key), str(key)): value for key, value in party.customer_fields.items()}
    return {
        "known": True,
        "type": getattr(party, "type", ""),
        "tags": [tags.get(tag, str(tag)) for tag in (*party.customer_tags, *party.location_tags)],
        "fields": fields,
        "do_not_service": party.do_not_service,
        "do_not_mail": party.do_not_mail,
    }
