"""A batch decides as its deliveries one by one would: what one of them asks for, those after it see."""

from typing import Any

from bridge.db.database import Database
from bridge.domain.ids import DeliveryId
from tests.planning.house import CONFIG, House, settings_of

CALENDAR = "  cal: {connector: cal-com, tenant: acme, unsigned: true}\n"
RULES = """rules:
  - name: broken
    when: '"boom" in inquiry.message and 1 / 0'
    do: [{ignore: never}]
  - name: odd
    when: '"prank" in inquiry.message'
    do: [{hold: is it real?}]
"""


def lead(name: str, phone: str, message: str) -> dict[str, Any]:
    return {"name": name, "phone": phone, "message": message}


def appointment(event: str, uid: str, start: str, **more: str) -> dict[str, Any]:
    responses = {"name": {"value": "Max Gray"}, "email": {"value": "max@example.com"}}
    payload = {"uid": uid, "startTime": start, "responses": responses, **more}
    return {"triggerEvent": event, "createdAt": f"2026-06-01T12:00:0{len(uid)}Z", "payload": payload}


ARRIVALS: list[tuple[str, dict[str, Any], str]] = [
    ("web", lead("Ann Lee", "(512) 555-0101", "no heat"), ""),
    ("web", lead("Bob Day", "(512) 555-0102", "no water"), ""),
    ("cal", appointment("BOOKING_CREATED", "u1", "2026-06-04T15:00:00Z"), "BOOKING_CREATED"),
    ("crm", {"name": "Ann Lee", "phone": "(512) 555-0101", "id": "c1", "plan": "Gold"}, ""),
    ("web", lead("Ann Lee", "(512) 555-0101", "and the fan is loud"), ""),
    ("web", lead("Cy Fox", "(512) 555-0103", "prank"), ""),
    (
        "cal",
        appointment("BOOKING_RESCHEDULED", "u2", "2026-06-05T15:00:00Z", rescheduleUid="u1"),
        "BOOKING_RESCHEDULED",
    ),
    ("web", lead("Dee Kay", "(512) 555-0104", "boom"), ""),
    ("cal", appointment("BOOKING_CANCELLED", "u2", "2026-06-05T15:00:00Z"), "BOOKING_CANCELLED"),
    ("web", lead("Max Gray", "(512) 555-0105", "no heat either"), ""),
    ("web", lead("Bob Day", "(512) 555-0102", "still no water"), ""),
]


async def _told(house: House, deliveries: list[DeliveryId]) -> list[Any]:
    decisions = (
        "SELECT state, reason, match::text, plan::text FROM decisions WHERE delivery_id = %s ORDER BY ordinal, id"
    )
    return [
        [await house.rows(decisions, one) for one in deliveries],
        await house.rows("SELECT key, kind, lane, command::text FROM effects ORDER BY id"),
        await house.rows(
            "SELECT person, place, effect_key, source_id, inquiry_key FROM open_asks ORDER BY party_key, person"
        ),
        await house.rows("SELECT inquiry_key, reason, commands FROM holds ORDER BY id"),
    ]


async def test_a_batch_decides_as_one_by_one(database: Database) -> None:
    house = await House(database, settings_of(RULES, CONFIG + CALENDAR)).open()
    await house.mirror(5, "Bob Day", phone="512-555-0102")
    told = []
    for is_batch in (False, True):
        async with database.begin() as tx:
            await tx.execute(
                "TRUNCATE deliveries, delivery_queue, delivery_states, decisions, holds, effects, effect_keys, outbox, open_asks"
            )
        house.forget_arrivals()
        arrived = []
        for source, payload, event in ARRIVALS:
            arrived.append(await house.arrive(source, payload, event=event))
            if not is_batch:
                await house.decide()
        await house.decide()
        assert not await house.rows("SELECT 1 FROM delivery_queue")
        told.append(await _told(house, arrived))
    one_by_one, batch = told
    assert batch == one_by_one
    decisions, effects, asks, _ = batch
    kinds = [kind for _, kind, *_ in effects]
    assert kinds.count("create_booking") == 4, "Ann and Bob once each; nothing joins the two who are called Max"
    assert {"update_booking", "dismiss_booking"} <= set(kinds), "what the batch booked was moved and cancelled"
    assert [rows[0][0] for rows in decisions].count("failed") == 1
    assert asks
