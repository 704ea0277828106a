"""Histories in which nothing is scripted: signed requests, real connectors, a real mirror, matching, and the config's rules."""

import base64
import hashlib
import hmac
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

from bridge import bootstrap, connectors
from bridge.domain.command import Command
from bridge.domain.delivery import HookRequest
from bridge.domain.ids import EffectKey, SourceId, TenantId
from bridge.domain.plan import Effect
from bridge.mirror.feeds import Syncing, of_client
from bridge.mirror.sync import sync_once
from bridge.pipeline.deciders import ConfiguredDeciders
from bridge.settings import Settings
from bridge.settings.load import load_texts

if TYPE_CHECKING:
    from tests.simulation.history import History
    from tests.simulation.scene import Scene

WEBSITE_SECRET = "whsec_" + base64.b64encode(b"the website's key").decode()
CALLS_SECRET = "the tracker's key"
CRM_SECRET = "the crm's token"
PEOPLE = ("Ada Example", "Ben Example", "Cleo Sample", "Dan Sample")
"""The first two are customers; nobody knows the others."""

CONFIG = """
tenants:
  one: {tenant_id: 1, environment: simulator, booking_provider: 501, time_zone: America/Chicago, defaults: {campaign: Website}}
sources:
  website: {connector: standard-webhooks, tenant: one, secrets: [{env: WEBSITE}]}
  ads: {connector: callrail, tenant: one, secrets: [{env: CALLS}]}
  crm:
    connector: generic
    tenant: one
    secrets: [{env: CRM}]
    options: {ask: contact, record: record, items: changes}
    updates: {fields: {lead_source: {custom_field: Lead Source Detail}}}
rules:
  - name: Emergencies first
    when: inquiry.kind == "booking_inquiry" and "no heat" in inquiry.message | lower
    do: [{create_booking: {priority: Urgent}}]
  - name: Keep what the CRM says
    when: inquiry.kind == "contact_update"
    do: [{add_note: {text: "said {{ inquiry.fields.token }}"}}]
"""
OTHER_RULE = """
  - name: Tell where it came from
    when: inquiry.kind == "booking_inquiry"
    do: [{create_booking: {append_summary: by the new config}}]
"""


@cache
def _template(version: int) -> Settings:
    text = CONFIG + (OTHER_RULE if version % 2 else "")
    found = load_texts(
        {"bridge.yaml": text},
        {"WEBSITE": WEBSITE_SECRET, "CALLS": CALLS_SECRET, "CRM": CRM_SECRET},
        kinds=(*connectors.kinds(), *connectors.ALIASES),
    )
    assert isinstance(found, Settings), found
    return found


def deciders_of(tenants: Sequence[TenantId], *, version: int) -> ConfiguredDeciders:
    """Return what the config decides with, for the tenants of a history."""
    template = _template(version)
    (tenant,) = template.tenants.values()
    settings = replace(
        template,
        tenants={one: replace(tenant, tenant_id=one, key=f"t{one}") for one in tenants},
        sources={
            SourceId(f"{name}-{one}"): replace(
                source, id=SourceId(f"{name}-{one}"), tenant_id=one, tenant_key=f"t{one}"
            )
            for name, source in template.sources.items()
            for one in tenants
        },
    )
    return ConfiguredDeciders(settings, doors=bootstrap.doors_of(settings))


async def sync(scene: "Scene", tenant: TenantId) -> None:
    """Bring the mirror of a tenant up to what ServiceTitan shows."""

    async def clock() -> datetime:
        return scene.time

    async with scene.database.connection() as session:
        client = scene.client(tenant)
        source = of_client(client)
        syncing = Syncing(session=session, tenant_id=tenant, region="US", source=source, clock=clock)
        await sync_once(syncing, client, _template(0))


def phone_of(person: int) -> str:
    return f"+1512555020{person}"


def email_of(person: int) -> str:
    return f"{PEOPLE[person].partition(' ')[0].lower()}@example.com"


def draw(number: int, source: str, *, a: int, b: int) -> dict[str, Any]:
    """Return what a person asks for through a source: a wish, or one or two changes of a customer."""
    if source == "crm":
        changes = [{"token": f"zq{number}x{place}z", "person": (a + place) % 2} for place in range(1 + (b % 7 == 0))]
        return {"id": f"w{number}", "changes": changes}
    return {"id": f"w{number}", "person": a % len(PEOPLE), "token": f"zq{number}z", "urgent": b % 3 == 0}


def request_of(source: str, delivery: dict[str, Any], *, now: datetime) -> HookRequest:
    """Return the delivery as its sender signs it now."""
    headers = {"content-type": "application/json"}
    if source == "crm":
        body = msgspec.json.encode(
            {"event_id": delivery["id"], "changes": [_change(one) for one in delivery["changes"]]}
        )
        headers["authorization"] = f"Bearer {CRM_SECRET}"
    else:
        person = delivery["person"]
        said = f"{'No heat at all, ' if delivery['urgent'] else 'please come and look '}{delivery['token']}"
        form = {"name": PEOPLE[person], "phone": phone_of(person), "email": email_of(person), "message": said}
        if source == "website":
            body = msgspec.json.encode(form)
            stamp = str(int(now.timestamp()))
            key = base64.b64decode(WEBSITE_SECRET.removeprefix("whsec_"))
            mac = hmac.new(key, f"{delivery['id']}.{stamp}.".encode() + body, hashlib.sha256).digest()
            headers |= {"webhook-id": delivery["id"], "webhook-timestamp": stamp}
            headers["webhook-signature"] = f"v1,{base64.b64encode(mac).decode()}"
        else:
            body = msgspec.json.encode({"resource_id": delivery["id"], "form_data": form})
            mac = hmac.new(CALLS_SECRET.encode(), body, hashlib.sha1).digest()
            headers["signature"] = base64.b64encode(mac).decode()
    url = f"http://bridge/hooks/{source}" + ("/form-submission" if source == "ads" else "")
    return HookRequest(method="POST", url=url, headers=tuple(headers.items()), body=body)


def _change(one: dict[str, Any]) -> dict[str, Any]:
    person = one["person"]
    return {
        "record": f"r{person}",
        "name": PEOPLE[person],
        "phone": phone_of(person),
        "email": email_of(person),
        "token": one["token"],
        "lead_source": f"value {one['token']}",
    }


async def wanted(history: "History") -> dict[str, tuple[int, Effect]]:
    """Return what was planned, as the tables say; whether that is what people asked for is `promises`' to tell."""
    decoder = msgspec.json.Decoder(Command)
    rows = await history.scene.rows(
        "SELECT replace(key::text, '-', ''), tenant_id, command::text, lane, priority FROM effects"
        " WHERE tenant_id = ANY(%s)",
        history.scene.tenants,
    )
    return {
        key: (tenant, Effect(key=EffectKey(key), command=decoder.decode(command), lane=lane, priority=priority))
        for key, tenant, command, lane, priority in rows
    }


async def promises(history: "History") -> None:
    """Count in ServiceTitan what people asked for: one booking for each, each wish in it once, each note once."""
    scene, story = history.scene, history.story
    for (state, reason), count in Counter(
        await scene.rows("SELECT state, reason FROM delivery_states WHERE tenant_id = ANY(%s)", scene.tenants)
    ).items():
        story.counts[f"whole.{state}.{reason}"] += count
        if state in {"failed", "ignored"}:
            story.violations.append(f"{count} deliveries ended {state}: {reason}")
    if history.touched:
        return  # a person cancelled something, or said that it was done
    for tenant in scene.tenants:
        account = scene.simulator.accounts[tenant]
        mine = [(source, delivery) for of, source, delivery in history.deliveries if of == tenant]
        made = {e.id for e in scene.simulator.ledger.select(tenant=tenant, kind="booking.created") if e.by == "api"}
        for person in range(len(PEOPLE)):
            asked = [one for source, one in mine if source != "crm" and one["person"] == person]
            reached = {
                row["bookingId"] for row in account.booking_contacts.rows.values() if row["value"] == phone_of(person)
            }
            bookings = [account.must("bookings", booking) for booking in sorted(reached & made)]
            if len(bookings) != bool(asked):
                story.violations.append(f"{PEOPLE[person]} asked {len(asked)} times and has {len(bookings)} bookings")
            for one in asked:
                times = sum((booking["summary"] or "").count(one["token"]) for booking in bookings)
                if times != 1:
                    story.violations.append(f"the wish {one['token']} of {PEOPLE[person]} is told {times} times")
        notes = [row["text"] for row in account.customer_notes.rows.values()]
        noted = {
            e.id for e in scene.simulator.ledger.select(tenant=tenant, kind="customer_note.created") if e.by == "api"
        }
        notes = [row["text"] for row in account.customer_notes.rows.values() if row["id"] in noted]
        for change in (change for source, one in mine if source == "crm" for change in one["changes"]):
            times = sum(text.count(f"said {change['token']}") for text in notes)
            if times != 1:
                story.violations.append(f"the note {change['token']} stands {times} times")
