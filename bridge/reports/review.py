"""What waits for a person: each hold with who asks, who it may be, and where the two differ."""

from datetime import datetime
from typing import Any

import msgspec

from bridge.db.database import Database
from bridge.domain.ids import TenantId
from bridge.domain.inquiry import Inquiry
from bridge.domain.match import Candidate, Match
from bridge.domain.reasons import advice_for
from bridge.domain.values import digits_of
from bridge.reports import masking
from bridge.reports.reading import reading, rows_of, value_of


class Party(msgspec.Struct, frozen=True, kw_only=True):
    """A customer of the mirror as it stands today."""

    customer_id: int
    name: str
    address: str
    contacts: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One field side by side: what was asked with, what each candidate has; `same` marks agreement."""

    label: str
    ours: str
    theirs: tuple[str, ...]
    same: tuple[bool, ...]


class HoldView(msgspec.Struct, frozen=True, kw_only=True):
    """One hold ready to be decided."""

    id: int
    tenant_id: int
    delivery_id: int
    decision_id: int
    inquiry_key: str
    source_id: str
    opened_at: datetime
    received_at: datetime
    reason: str
    text: str
    remedy: str
    detail: str
    state: str
    commands: list[dict[str, Any]]
    candidates: tuple[Candidate, ...] = ()
    lines: tuple[Line, ...] = ()
    name: str = ""
    is_masked: bool = False


_HOLDS = """
SELECT h.id, h.tenant_id, h.delivery_id, h.decision_id, h.inquiry_key, h.source_id, h.opened_at, d.received_at, h.reason, h.detail,
  h.state, h.commands, c.inquiry::text, c.match::text
FROM holds h JOIN deliveries d ON d.tenant_id = h.tenant_id AND d.id = h.delivery_id
LEFT JOIN decisions c ON c.tenant_id = h.tenant_id AND c.id = h.decision_id WHERE h.tenant_id = %(tenant)s
"""


async def waiting(
    database: Database,
    tenant_id: TenantId,
    *,
    after_id: int | None = None,
    source_id: str = "",
    reason: str = "",
    limit: int = 50,
) -> list[HoldView]:
    """Return open holds, the oldest first."""
    more = " AND h.state = 'open' AND (%(after)s::bigint IS NULL OR h.id > %(after)s) AND (%(source)s = '' OR h.source_id = %(source)s)"
    more += " AND (%(reason)s = '' OR h.reason = %(reason)s) ORDER BY h.id LIMIT %(limit)s"
    values = {"tenant": tenant_id, "after": after_id, "source": source_id, "reason": reason, "limit": limit}
    async with reading(database) as tx:
        return [_view(row) for row in await rows_of(tx, _HOLDS + more, values)]


async def one(database: Database, tenant_id: TenantId, hold_id: int) -> HoldView | None:
    """Return one hold, None where the tenant has none of this id."""
    async with reading(database) as tx:
        rows = await rows_of(tx, _HOLDS + " AND h.id = %(id)s", {"tenant": tenant_id, "id": hold_id})
    return _view(rows[0]) if rows else None


async def count(database: Database, tenant_id: TenantId) -> int:
    """Return how many holds wait."""
    async with reading(database) as tx:
        return int(
            await value_of(tx, "SELECT count(*) FROM holds WHERE tenant_id = %s AND state = 'open'", [tenant_id])
        )


async def parties(database: Database, tenant_id: TenantId, customer_ids: list[int]) -> dict[int, Party]:
    """Return customers of the mirror with their contacts."""
    async with reading(database) as tx:
        rows = await rows_of(
            tx,
            "SELECT c.id, c.name, concat_ws(', ', c.street, c.unit, c.city, concat_ws(' ', c.state, c.zip)) AS address, c.active,"
            " c.merged_to_id, c.do_not_service, (SELECT coalesce(array_agg(value ORDER BY k.id), '{}') FROM mirrored_contacts k"
            " WHERE k.tenant_id = c.tenant_id AND k.party = 'customer' AND k.owner_id = c.id AND k.active) AS contacts"
            " FROM mirrored_customers c WHERE c.tenant_id = %(tenant)s AND c.id = ANY(%(ids)s)",
            {"tenant": tenant_id, "ids": customer_ids},
        )
    found = {}
    for row in rows:
        flags = [
            word
            for word, is_so in (
                ("inactive", not row["active"]),
                ("merged", row["merged_to_id"]),
                ("do not service", row["do_not_service"]),
            )
            if is_so
        ]
        contacts = tuple(value for value in row["contacts"] if value)
        found[row["id"]] = Party(
            customer_id=row["id"], name=row["name"] or "", address=row["address"], contacts=contacts, flags=tuple(flags)
        )
    return found


def side_by_side(view: HoldView, inquiry: Inquiry | None, known: dict[int, Party]) -> HoldView:
    """Return the hold with the asked and the candidates' values in lines, agreement marked."""
    if inquiry is None:
        return view
    person = inquiry.person
    rows: list[tuple[str, str, list[str]]] = []
    them = [known.get(int(candidate.customer_id or 0)) for candidate in view.candidates]
    address = ", ".join(
        filter(
            None,
            (
                person.address.street,
                person.address.unit,
                person.address.city,
                f"{person.address.state} {person.address.zip}".strip(),
            ),
        )
    )
    rows.append(
        (
            "Name",
            person.display_name,
            [
                candidate.customer_name or (party.name if party else "")
                for candidate, party in zip(view.candidates, them, strict=True)
            ],
        )
    )
    rows.append(
        (
            "Phone",
            ", ".join(person.phones),
            [", ".join(v for v in party.contacts if "@" not in v) if party else "" for party in them],
        )
    )
    rows.append(
        (
            "E-mail",
            ", ".join(person.emails),
            [", ".join(v for v in party.contacts if "@" in v) if party else "" for party in them],
        )
    )
    rows.append(
        (
            "Address",
            address or person.address.raw,
            [
                candidate.address or (party.address if party else "")
                for candidate, party in zip(view.candidates, them, strict=True)
            ],
        )
    )
    lines = tuple(
        Line(label=label, ours=ours, theirs=tuple(theirs), same=tuple(_agree(label, ours, value) for value in theirs))
        for label, ours, theirs in rows
    )
    return msgspec.structs.replace(view, lines=lines, name=person.display_name)


def _agree(label: str, ours: str, theirs: str) -> bool:
    if not ours or not theirs:
        return False
    if label == "Phone":
        mine = {digits_of(part)[-10:] for part in ours.split(",")}
        return any(digits_of(part)[-10:] in mine for part in theirs.split(","))
    if label == "E-mail":
        return bool(
            {part.strip().lower() for part in ours.split(",")} & {part.strip().lower() for part in theirs.split(",")}
        )
    return ours.strip().lower() == theirs.strip().lower()


async def full(database: Database, tenant_id: TenantId, view: HoldView) -> HoldView:
    """Return a hold with its candidates side by side."""
    async with reading(database) as tx:
        text = await value_of(
            tx, "SELECT inquiry::text FROM decisions WHERE tenant_id = %s AND id = %s", [tenant_id, view.decision_id]
        )
    inquiry = msgspec.json.decode(text, type=Inquiry) if text else None
    known = await parties(database, tenant_id, [int(one_.customer_id) for one_ in view.candidates if one_.customer_id])
    return side_by_side(view, inquiry, known)


def masked(view: HoldView) -> HoldView:
    """Return the hold with its people hidden; what agrees stays marked."""
    hide = {"Name": masking.name, "Phone": _phones, "E-mail": _emails}

    def hidden(label: str, value: str) -> str:
        return hide.get(label, masking.shape)(value) if value else ""

    known = tuple(word for line in view.lines for word in (line.ours, *line.theirs, *line.ours.split()) if word)
    return msgspec.structs.replace(
        view,
        name=masking.name(view.name),
        detail=masking.prose(view.detail, known),
        commands=masking.tree(view.commands, known),
        candidates=tuple(masking.struct(candidate) for candidate in view.candidates),
        lines=tuple(
            msgspec.structs.replace(
                line,
                ours=hidden(line.label, line.ours),
                theirs=tuple(hidden(line.label, value) for value in line.theirs),
            )
            for line in view.lines
        ),
        is_masked=True,
    )


def _phones(text: str) -> str:
    return ", ".join(masking.phone(part.strip()) for part in text.split(","))


def _emails(text: str) -> str:
    return ", ".join(masking.email(part.strip()) for part in text.split(","))


def _view(row: dict[str, Any]) -> HoldView:
    match_text, _ = row.pop("match"), row.pop("inquiry")
    try:
        match = msgspec.json.decode(match_text, type=Match) if match_text else None
    except msgspec.ValidationError:
        match = None
    advice = advice_for(row["reason"])
    return HoldView(
        **row, text=advice.text, remedy=advice.remedy, candidates=match.evidence.candidates[:9] if match else ()
    )
