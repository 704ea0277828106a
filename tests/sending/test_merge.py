"""Custom fields and tags over the real far side: every policy, whatever an operator did and whenever; a conflict asks a person once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from bridge.domain.command import (
    AddNote,
    ChangeTags,
    FieldChange,
    FieldPolicy,
    PartyKind,
    SetCustomFields,
    UpdateContact,
)
from bridge.domain.outcome import Succeeded
from bridge.operations import review
from bridge.operations.audit import Act
from bridge.reports import review as report
from bridge.simulator import operator
from tests.sending.world import TENANT, World, effect

BASE, OURS, THEIRS = "as it was", "from the sender", "from the office"
OTHER = {PartyKind.CUSTOMER: 1003, PartyKind.LOCATION: 1103}
FIELD = {PartyKind.CUSTOMER: 1002, PartyKind.LOCATION: 1101}
START = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)  # the world's clock
EARLIER, LATER = START - timedelta(hours=1), START + timedelta(hours=1)
P = FieldPolicy

# What the operator made of the field after it was seen → policy → what stands there in the end; None: a person is asked.
TABLE: dict[tuple[str | None, str | None], dict[tuple[FieldPolicy, datetime | None], str | None]] = {
    # seen, then    unchanged
    (BASE, BASE): {
        (P.OURS, None): OURS, (P.THEIRS, None): OURS, (P.NEWEST, EARLIER): OURS, (P.NEWEST, LATER): OURS,
        (P.NEWEST, None): OURS, (P.FILL_IF_EMPTY, None): BASE, (P.HOLD, None): OURS,
    },
    # seen, then    changed by the operator
    (BASE, THEIRS): {
        (P.OURS, None): OURS, (P.THEIRS, None): THEIRS, (P.NEWEST, EARLIER): THEIRS, (P.NEWEST, LATER): OURS,
        (P.NEWEST, None): None, (P.FILL_IF_EMPTY, None): THEIRS, (P.HOLD, None): None,
    },
    # seen, then    changed to the very same
    (BASE, OURS): {
        (P.OURS, None): OURS, (P.THEIRS, None): OURS, (P.NEWEST, EARLIER): OURS, (P.NEWEST, LATER): OURS,
        (P.NEWEST, None): OURS, (P.FILL_IF_EMPTY, None): OURS, (P.HOLD, None): OURS,
    },
    # seen, then    emptied by the operator
    (BASE, ""): {
        (P.OURS, None): OURS, (P.THEIRS, None): "", (P.NEWEST, EARLIER): "", (P.NEWEST, LATER): OURS,
        (P.NEWEST, None): None, (P.FILL_IF_EMPTY, None): OURS, (P.HOLD, None): None,
    },
    # never seen, and still not there
    (None, None): {
        (P.OURS, None): OURS, (P.THEIRS, None): OURS, (P.NEWEST, EARLIER): OURS, (P.NEWEST, LATER): OURS,
        (P.NEWEST, None): OURS, (P.FILL_IF_EMPTY, None): OURS, (P.HOLD, None): OURS,
    },
    # never seen, then filled by the operator
    (None, THEIRS): {
        (P.OURS, None): OURS, (P.THEIRS, None): THEIRS, (P.NEWEST, EARLIER): THEIRS, (P.NEWEST, LATER): OURS,
        (P.NEWEST, None): None, (P.FILL_IF_EMPTY, None): THEIRS, (P.HOLD, None): None,
    },
}  # fmt: skip


class Record:
    """One customer or location of the far side, and an operator who edits it."""

    def __init__(self, world: World, party: PartyKind, number: int) -> None:
        self.world, self.party, self.id = world, party, number

    def edit(self, type_id: int, value: str) -> None:
        operator.set_custom_field(
            self.world.simulator.operator(TENANT), party=self.party.value, id=self.id, type_id=type_id, value=value
        )

    @property
    def row(self) -> dict[str, Any]:
        found = self.world.simulator.accounts[TENANT].tables[f"{self.party.value}s"].get(self.id)
        assert found is not None
        return dict(found)

    @property
    def fields(self) -> dict[int, str]:
        return {one["typeId"]: one["value"] for one in self.row["customFields"] if one["value"]}

    def wish(self, policy: FieldPolicy, *, base: str | None, at: datetime | None = None, name: str = "u") -> Any:
        change = FieldChange(
            type_id=FIELD[self.party], name="Detail", value=OURS, base=base, policy=policy, changed_at=at
        )
        return effect(SetCustomFields(party=self.party, target=self.id, changes=(change,)), name)


async def made(world: World) -> dict[PartyKind, Record]:
    address = {"street": "1 Main St", "city": "Austin", "state": "TX", "zip": "78701", "country": "USA"}
    created = await world.client(TENANT).customers.create(
        body={
            "name": "Ada Example",
            "address": address,
            "locations": [{"name": "Home", "address": address}],
            "contacts": [{"type": "Phone", "value": "5125550142", "memo": None}],
        }
    )
    assert isinstance(created, Succeeded)
    return {
        PartyKind.CUSTOMER: Record(world, PartyKind.CUSTOMER, created.body.id),
        PartyKind.LOCATION: Record(world, PartyKind.LOCATION, created.body.locations[0].id),
    }


async def sent(world: World, *effects: Any) -> Any:
    for one in effects:
        await world.put(one)
    await world.rows(
        "INSERT INTO deliveries (tenant_id, id, source_id, dedup_key, event_type, received_at, method, url, headers, body,"
        " verified_by, trace_id) OVERRIDING SYSTEM VALUE SELECT tenant_id, delivery_id, source_id, delivery_id::text, '',"
        " created_at, 'POST', '/hooks/website', '[]', '', 'test', '' FROM effects RETURNING id"
    )
    worker = await world.worker().own(TENANT)
    await worker.drain()
    return worker


@pytest.mark.parametrize("party", PartyKind)
@pytest.mark.parametrize("history", TABLE, ids=lambda history: f"{history[0]} > {history[1]}")
async def test_what_stands_there_in_the_end(
    world: World, party: PartyKind, history: tuple[str | None, str | None]
) -> None:
    seen, theirs = history
    played = []
    for (policy, at), expected in TABLE[history].items():
        record = (await made(world))[party]
        record.edit(OTHER[party], "another field")
        if seen is not None:
            record.edit(FIELD[party], seen)
        wish = record.wish(policy, base=seen, at=at, name=f"{policy} {at}")
        await world.put(wish)
        if theirs is not None and theirs != seen:  # after it was planned, before it is sent
            record.edit(FIELD[party], theirs)
        played.append((f"{policy} {at}", record, wish, expected))
    await sent(world)
    for name, record, wish, expected in played:
        assert record.fields.get(FIELD[party], "") == (theirs or "" if expected is None else expected), name
        assert record.fields[OTHER[party]] == "another field", name
        assert await world.history(wish.key) == ["rejected" if expected is None else "succeeded"], name
    holds = await report.waiting(world.database, TENANT)
    assert [(hold.reason, hold.state) for hold in holds] == [
        ("field_conflict", "open") for *_, expected in played if expected is None
    ]


class Between:
    """Lets the operator act once, right after an answer of the far side to a request of ours."""

    def __init__(self, world: World, method: str, act: Any) -> None:
        self.done = False
        self._method, self._act = method, act
        world.http.event_hooks = {"response": [self._look]}

    async def _look(self, response: httpx.Response) -> None:
        path = response.request.url.path
        if (
            not self.done
            and response.request.method == self._method
            and ("/customers/" in path or "/locations/" in path)
        ):
            self.done = True
            self._act()


@pytest.mark.parametrize("party", PartyKind)
@pytest.mark.parametrize("policy", FieldPolicy)
async def test_an_edit_of_the_same_field_between_read_and_write(
    world: World, party: PartyKind, policy: FieldPolicy
) -> None:
    """ServiceTitan has no conditional write: within one round trip the last one wins, and what was not written to stays."""
    record = (await made(world))[party]
    record.edit(FIELD[party], BASE)
    between = Between(world, "GET", lambda: record.edit(FIELD[party], THEIRS))
    await sent(world, record.wish(policy, base=BASE, at=LATER))
    assert between.done
    assert record.fields[FIELD[party]] == (THEIRS if policy is P.FILL_IF_EMPTY else OURS)


@pytest.mark.parametrize("party", PartyKind)
async def test_an_edit_right_after_the_write_stays_and_a_person_is_told(world: World, party: PartyKind) -> None:
    record = (await made(world))[party]
    between = Between(world, "PATCH", lambda: record.edit(FIELD[party], THEIRS))
    await sent(world, record.wish(P.OURS, base=None))
    assert between.done
    assert record.fields[FIELD[party]] == THEIRS
    assert await world.rows("SELECT reason, state FROM holds") == [("field_not_kept", "open")]


def act(world: World) -> Act:
    return Act(by="person:ann", now=world.now(), reason="both looked at")


async def test_a_conflict_is_asked_about_once_and_a_yes_writes_ours_even_after_a_failure(world: World) -> None:
    record = (await made(world))[PartyKind.CUSTOMER]
    record.edit(FIELD[PartyKind.CUSTOMER], THEIRS)
    record.edit(OTHER[PartyKind.CUSTOMER], "another field")
    wish = record.wish(P.HOLD, base=BASE)
    worker = await sent(world, wish)
    (hold,) = await report.waiting(world.database, TENANT)
    assert (hold.reason, hold.detail) == (
        "field_conflict", "field Detail has another value in ServiceTitan than when this was planned",
    )  # fmt: skip
    assert hold.commands[0]["changes"][0]["value"] == OURS
    assert record.fields[FIELD[PartyKind.CUSTOMER]] == THEIRS
    world.fault("error_before", method="PATCH", path="/customers/", status=503, times=2)
    assert (await review.accept(world.database, act(world), tenant_id=TENANT, hold_id=hold.id, region="US")).is_done
    await worker.drain()
    assert record.fields == {FIELD[PartyKind.CUSTOMER]: OURS, OTHER[PartyKind.CUSTOMER]: "another field"}
    assert await world.rows("SELECT state, settled_by FROM holds") == [("released", "person:ann")]
    assert (
        await review.accept(world.database, act(world), tenant_id=TENANT, hold_id=hold.id, region="US")
    ).refusal == "done"


async def test_a_no_to_a_conflict_leaves_theirs_and_frees_what_waits_behind(world: World) -> None:
    record = (await made(world))[PartyKind.CUSTOMER]
    record.edit(FIELD[PartyKind.CUSTOMER], THEIRS)
    wish = record.wish(P.HOLD, base=BASE)
    note = effect(AddNote(on="customer", target=record.id, text="called"), "note", lane=wish.lane)
    worker = await sent(world, wish, note)
    (hold,) = await report.waiting(world.database, TENANT)
    assert (await review.dismiss(world.database, act(world), tenant_id=TENANT, hold_id=hold.id)).is_done
    await worker.drain()
    assert record.fields == {FIELD[PartyKind.CUSTOMER]: THEIRS}
    assert (await world.history(note.key))[-1] == "succeeded"
    assert await world.rows("SELECT state FROM holds") == [("dismissed",)]
    assert not await report.waiting(world.database, TENANT)


async def test_a_no_to_a_value_holds_for_the_next_message_that_brings_it_and_for_no_other_value(world: World) -> None:
    record = (await made(world))[PartyKind.CUSTOMER]
    record.edit(FIELD[PartyKind.CUSTOMER], THEIRS)
    worker = await sent(world, record.wish(P.HOLD, base=BASE))
    (hold,) = await report.waiting(world.database, TENANT)
    assert (await review.dismiss(world.database, act(world), tenant_id=TENANT, hold_id=hold.id)).is_done
    again = effect(record.wish(P.HOLD, base=THEIRS).command, "again")  # the mirror shows theirs by now
    await world.put(again)
    await worker.drain()
    assert record.fields == {FIELD[PartyKind.CUSTOMER]: THEIRS}
    assert (await world.history(again.key))[-1] == "succeeded"
    change = FieldChange(type_id=FIELD[PartyKind.CUSTOMER], name="Detail", value="news", policy=P.HOLD, base=THEIRS)
    other = effect(SetCustomFields(party=record.party, target=record.id, changes=(change,)), "news")
    await world.put(other)
    await worker.drain()
    assert record.fields == {FIELD[PartyKind.CUSTOMER]: "news"}


async def test_a_no_to_a_contacts_value_is_remembered(world: World) -> None:
    record = (await made(world))[PartyKind.CUSTOMER]
    (contact,) = [row for row in world.simulator.accounts[TENANT].customer_contacts.where("customerId", record.id)]
    office = world.simulator.operator(TENANT)
    operator.edit(office, table="customer_contacts", id=contact["id"], fields={"value": "5125550100"})

    def wish(base: str, name: str):
        return effect(
            UpdateContact(
                party=record.party, target=record.id, contact_id=contact["id"], value="5125550199", base=base
            ),
            name,
        )

    worker = await sent(world, wish("5125550142", "c"))
    (hold,) = await report.waiting(world.database, TENANT)
    await review.dismiss(world.database, act(world), tenant_id=TENANT, hold_id=hold.id)
    await world.put(wish("5125550100", "again"))
    await worker.drain()
    row = world.simulator.accounts[TENANT].customer_contacts.get(contact["id"])
    assert row is not None
    assert row["value"] == "5125550100"


async def test_a_contact_that_somebody_changed_waits_and_a_yes_writes_ours(world: World) -> None:
    record = (await made(world))[PartyKind.CUSTOMER]
    (contact,) = [row for row in world.simulator.accounts[TENANT].customer_contacts.where("customerId", record.id)]
    wish = effect(
        UpdateContact(
            party=record.party, target=record.id, contact_id=contact["id"], value="5125550199", base="5125550142"
        ),
        "c",
    )
    await world.put(wish)
    office = world.simulator.operator(TENANT)
    operator.edit(office, table="customer_contacts", id=contact["id"], fields={"value": "5125550100"})
    worker = await sent(world)
    (hold,) = await report.waiting(world.database, TENANT)
    await review.accept(world.database, act(world), tenant_id=TENANT, hold_id=hold.id, region="US")
    await worker.drain()
    row = world.simulator.accounts[TENANT].customer_contacts.get(contact["id"])
    assert row is not None
    assert row["value"] == "5125550199"


@pytest.mark.parametrize("party", PartyKind)
@pytest.mark.parametrize(
    ("had", "office", "added", "removed", "ends"),
    [
        ([], [], (801,), (), [801]),
        ([802], [802], (801,), (), [801, 802]),
        ([802], [802], (), (802,), []),
        ([802], [802, 803], (801,), (802,), [801, 803]),  # the office added one
        ([802, 803], [802], (801,), (), [801, 802]),  # the office took one away
        ([], [801], (801,), (), [801]),  # the office was quicker
        ([802], [], (801,), (802,), [801]),  # the office took away what we would
    ],
)
@pytest.mark.parametrize("moment", ["before the read", "between read and write"])
async def test_tags_of_others_stay(
    world: World,
    party: PartyKind,
    had: list[int],
    office: list[int],
    added: tuple[int, ...],
    removed: tuple[int, ...],
    ends: list[int],
    moment: str,
) -> None:
    """Tags go one by one, so that an edit at any moment, between read and write too, is kept."""
    record = (await made(world))[party]
    person = world.simulator.operator(TENANT)
    operator.edit(person, table=f"{party.value}s", id=record.id, fields={"tagTypeIds": had})

    def edits() -> None:
        operator.edit(person, table=f"{party.value}s", id=record.id, fields={"tagTypeIds": office})

    wish = effect(ChangeTags(party=party, target=record.id, added=added, removed=removed), "t")
    await world.put(wish)
    if moment == "before the read":
        edits()
    else:
        between = Between(world, "GET", edits)
    await sent(world)
    assert sorted(record.row["tagTypeIds"]) == ends
    assert (await world.history(wish.key)) == ["succeeded"]
    assert moment == "before the read" or between.done
