"""People hear once, again after the cooldown, and when it is over, through the same outbox; whatever holds the tenant."""

import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.domain.ids import alerts_of
from bridge.operations import alerts
from bridge.operations import outbox as operation
from bridge.operations.alerts import Limits
from bridge.operations.audit import Act
from bridge.reports import outbox, sources
from bridge.sending import outbox as sending
from bridge.sending.bell import Address, Bell
from bridge.sending.retry import POLICIES
from tests.console.seeding import NOW, TENANT, deliver
from tests.sending.world import Worker, World

SLACK = Address(name="office", url="https://chat.example.com/hook")
SIGNED = Address(
    name="ops",
    url="https://ops.example.com/hook",
    style="standard-webhooks",
    secret="whsec_" + base64.b64encode(b"k" * 24).decode(),
)


class Office:
    """The addresses' far side: answers as told, by default with success, and keeps what it got."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.answers: list[int | type[httpx.TransportError]] = []
        self.got: list[httpx.Request] = []
        self.addresses: list[Address] = [SLACK]
        self.http = httpx.AsyncClient(transport=httpx.MockTransport(self.take))

    def take(self, request: httpx.Request) -> httpx.Response:
        self.got.append(request)
        answer = self.answers.pop(0) if self.answers else 200
        if not isinstance(answer, int):
            raise answer("no answer", request=request)
        return httpx.Response(answer)

    def text(self, number: int) -> str:
        body = json.loads(self.got[number].content)
        return str(body["text"] if "text" in body else body["data"]["text"])

    async def worker(self) -> Worker:
        """Return a worker that has owned both for a second: a new owner has no budget yet."""
        async with self.world.database.begin() as tx:
            await sending.enter(tx, [TENANT, alerts_of(TENANT)])
        worker = await self.world.worker(bell=Bell(lambda: self.addresses, self.http)).own(TENANT, alerts_of(TENANT))
        await worker.dispatcher.claim()
        self.world.advance(1)
        return worker

    async def look(self) -> None:
        await alerts.look(
            self.world.database, tenants=[TENANT], addresses=self.addresses, limits=Limits(), now=self.world.now()
        )

    async def hears(self, worker: Worker) -> list[str]:
        """Look and send once; return who was told."""
        before = len(self.got)
        await self.look()
        await worker.turn()
        return sorted(request.url.host.split(".")[0] for request in self.got[before:])


@pytest.fixture
async def office(database) -> AsyncIterator[Office]:
    world = World(database)
    world.time = NOW + timedelta(minutes=1)
    yield (office := Office(world))
    await office.http.aclose()
    await world.close()


async def test_a_dead_effect_is_told_once_per_cooldown_and_when_it_is_over(office: Office) -> None:
    await deliver(office.world.database, 2, "failed", at=NOW)
    worker = await office.worker()
    heard = []
    for minutes in (0, 1, 29, 31, 59, 2):
        office.world.advance(60 * minutes)
        heard.append(await office.hears(worker))
    assert heard == [["chat"], [], [], ["chat"], [], ["chat"]]
    assert "create booking" in office.text(0)
    async with office.world.database.begin() as tx:
        await tx.execute("DELETE FROM dead_messages")
    assert await office.hears(worker) == ["chat"]
    assert "This is over." in office.text(-1)
    assert await office.hears(worker) == []


async def test_a_held_tenant_and_an_old_review_are_found(database) -> None:
    await deliver(database, 4, "held", at=NOW)
    await deliver(database, 1, "review", at=NOW - timedelta(hours=30))
    found = await alerts.look(database, tenants=[TENANT], addresses=[], limits=Limits(), now=NOW + timedelta(minutes=1))
    assert {one.kind for one in found} == {"tenant_held", "review_late"}


async def test_nothing_that_holds_a_tenant_holds_what_people_are_told_about_it(office: Office) -> None:
    """Paused, its credentials refused, its breakers held open, its budget as good as none: the alert goes out at once."""
    database, world = office.world.database, office.world
    await deliver(database, 3, "working", at=NOW)
    act = Act("ops@example.com", world.now(), "maintenance")
    await operation.pause(database, act, tenant_id=TENANT)
    await operation.set_rate(database, act, tenant_id=TENANT, rate=0.001)
    for family, kind in (("*", "auth"), ("alerts", "server"), ("alerts", "timeout")):
        await operation.override_breaker(
            database, act, tenant_id=TENANT, family=family, error_class=kind, override="open"
        )
    async with database.begin() as tx:
        await tx.execute("UPDATE outbox SET reason = 'credentials_refused', due_at = %s", [world.now()])
    worker = await office.worker()
    assert await office.hears(worker) == ["chat"]
    assert "credentials refused; 1 message waits, none lost." in office.text(0)
    assert await world.waiting() == 1, "what is the tenant's own still waits"


async def test_each_address_has_its_own_cooldown_and_a_flicker_is_told_once(office: Office) -> None:
    database = office.world.database
    await deliver(database, 2, "failed", at=NOW)
    office.addresses = [SLACK, msgspec.structs.replace(SIGNED, cooldown=timedelta(hours=4))]
    worker = await office.worker()

    async def after(minutes: int, *, wrong: bool) -> list[str]:
        office.world.advance(60 * minutes)
        async with database.begin() as tx:
            await tx.execute("UPDATE dead_messages SET tenant_id = %s", [TENANT if wrong else TENANT + 1])
        return await office.hears(worker)

    assert await after(0, wrong=True) == ["chat", "ops"]
    assert await after(120, wrong=True) == ["chat"]
    assert await after(1, wrong=False) == ["chat", "ops"]
    for _ in range(2):
        assert await after(1, wrong=True) == []
        assert await after(1, wrong=False) == []
    assert await after(60, wrong=True) == ["chat"], "open anew, and an hour since it was told"


async def test_two_that_find_the_same_name_it_the_same(office: Office) -> None:
    """The key says what was told before: a look that is done again, however often, means the alert that is there."""
    database = office.world.database
    await deliver(database, 2, "failed", at=NOW)
    await office.look()
    async with database.begin() as tx:
        await tx.execute(
            "DELETE FROM effects WHERE tenant_id < 0"
        )  # as a look that began before the other's commit sees it
    await office.look()
    assert await office.world.rows("SELECT count(*) FROM outbox WHERE tenant_id < 0") == [(1,)]


async def test_a_muted_alert_is_not_told(office: Office) -> None:
    await deliver(office.world.database, 2, "failed", at=NOW)
    async with office.world.database.begin() as tx:
        await tx.execute(
            "INSERT INTO alerts (tenant_id, kind, subject, opened_at, seen_at, text, muted_until)"
            " SELECT %s, 'effect_dead', reason || ':' || kind, %s, %s, '', %s FROM dead_messages",
            [TENANT, NOW, NOW, NOW + timedelta(hours=1)],
        )
    worker = await office.worker()
    assert await office.hears(worker) == []
    office.world.advance(3600)
    assert await office.hears(worker) == ["chat"]


async def late(database, now) -> list[str]:
    found = await alerts.look(database, tenants=[TENANT], addresses=[], limits=Limits(), now=now)
    return [one.subject for one in found if one.kind == "work_late"]


async def test_work_is_late_by_its_age_though_it_is_tried_again_and_again(database) -> None:
    delivery_id = await deliver(database, 3, "working", at=NOW)
    assert await late(database, NOW + timedelta(minutes=10)) == []
    assert await late(database, NOW + timedelta(minutes=20)) == ["outbox"]
    now = NOW + timedelta(minutes=30)
    for change in ("state = 0, sends = 3, reason = 'server_error'", "state = 1, reason = ''"):
        async with database.begin() as tx:
            await tx.execute(f"UPDATE outbox SET due_at = %s, {change}", [now + timedelta(minutes=9)])
        assert await late(database, now) == ["outbox"], change
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO delivery_queue (tenant_id, id, due_at, attempts) VALUES (%s, %s, %s, 2)",
            [TENANT, delivery_id, now + timedelta(minutes=5)],
        )
    assert await late(database, now) == ["queue", "outbox"]


@pytest.mark.parametrize(("scope", "name"), [("tenant", ""), ("source", "website"), ("lane", "party:7003")])
async def test_what_a_person_paused_is_not_late(database, scope: str, name: str) -> None:
    await deliver(database, 3, "working", at=NOW)
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO pauses (tenant_id, scope, name, paused_at, by, reason) VALUES (%s, %s, %s, %s, 'a', 'b')",
            [TENANT, scope, name, NOW],
        )
    assert await late(database, NOW + timedelta(hours=2)) == []


def assert_signed(request: httpx.Request) -> None:
    headers = request.headers
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + request.content
    digest = base64.b64encode(hmac.new(b"k" * 24, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{digest}"


async def outcomes(office: Office) -> list[str]:
    rows = await office.world.rows(
        "SELECT outcome FROM attempts WHERE tenant_id = %s ORDER BY number", alerts_of(TENANT)
    )
    return [row[0] for row in rows]


async def test_a_receiver_that_refuses_is_tried_again_with_the_same_id_and_a_true_signature(office: Office) -> None:
    await deliver(office.world.database, 2, "failed", at=NOW)
    office.addresses, office.answers = [SIGNED], [503, 404, 302]
    worker = await office.worker()
    assert await office.hears(worker) == ["ops"]
    assert await worker.turn() == 0
    while len(office.got) < 4:
        office.world.advance(10)
        await worker.turn()
    assert len({request.headers["webhook-id"] for request in office.got}) == 1
    assert len({request.headers["webhook-timestamp"] for request in office.got}) == 4
    for request in office.got:
        assert_signed(request)
    (seen,) = await outbox.alerts(office.world.database, TENANT)
    assert (seen.state, seen.attempts) == ("sent", 4)


async def test_a_signed_alert_in_doubt_goes_again_under_the_same_id(office: Office) -> None:
    await deliver(office.world.database, 2, "failed", at=NOW)
    office.addresses, office.answers = [SIGNED], [httpx.ReadTimeout, httpx.ReadError]
    worker = await office.worker()
    await office.look()
    await worker.drain()
    assert await outcomes(office) == ["in_doubt", "repeated", "in_doubt", "repeated", "succeeded"]
    assert len({request.headers["webhook-id"] for request in office.got}) == 1


async def test_one_in_slacks_style_goes_again_a_single_time_after_a_doubt(office: Office) -> None:
    await deliver(office.world.database, 2, "failed", at=NOW)
    office.answers = [503, httpx.ReadTimeout, 500, httpx.ReadTimeout]
    worker = await office.worker()
    await office.look()
    await worker.drain(seconds=20_000.0, step=30.0)
    assert await outcomes(office) == ["deferred", "in_doubt", "repeated", "deferred", "in_doubt", "repeated"]
    (seen,) = await outbox.alerts(office.world.database, TENANT)
    assert seen.state == "dead"
    assert len(office.got) == 4


async def test_what_a_worker_left_under_way_is_told_by_the_next(office: Office) -> None:
    await deliver(office.world.database, 2, "failed", at=NOW)
    first = await office.worker()
    await office.look()
    await first.dispatcher.claim()
    await first.dispatcher.commit_intents()  # and here it is killed: nobody knows whether bytes went out
    second = await office.worker()
    await second.drain()
    assert await outcomes(office) == ["crashed", "repeated", "succeeded"]
    assert len(office.got) == 1


async def test_an_address_that_hangs_keeps_no_other_from_hearing(office: Office) -> None:
    """Five failures in a row would rest a family of requests to ServiceTitan; addresses rest alone."""
    for number in range(8):
        await deliver(office.world.database, number, "failed", at=NOW)
        async with office.world.database.begin() as tx:
            await tx.execute("UPDATE dead_messages SET reason = 'r' || effect_id WHERE reason NOT LIKE 'r%%'")
    worker = await office.worker()
    office.answers = [httpx.ConnectError] * 8
    for addresses, who in (([SLACK], "chat"), ([SLACK, SIGNED], "ops")):
        office.addresses, office.got = addresses, []
        await office.look()
        for _ in range(2):  # a burst of five, then 40 a second; no retry is due as soon
            await worker.turn()
            office.world.advance(0.5)
        assert [request.url.host.split(".")[0] for request in office.got] == [who] * 8


async def test_one_that_was_given_up_is_seen_and_sent_again_by_hand(office: Office) -> None:
    database, world = office.world.database, office.world
    await deliver(database, 2, "failed", at=NOW)
    office.answers = [500] * 100
    worker = await office.worker()
    await office.look()
    await worker.drain(seconds=200_000.0, step=600.0)
    assert len(office.got) >= POLICIES["send_alert"].attempts
    (seen,) = await outbox.alerts(database, TENANT)
    assert (seen.state, seen.detail) == ("dead", "answered 500")
    listed = await outbox.messages(database, TENANT, state="dead", kind="send_alert", now=world.now())
    assert [(one.effect_id, one.delivery_id, one.reason) for one in listed] == [(seen.effect_id, 0, "alert_refused")]
    assert listed[0].text.endswith("To office.")
    assert "alert_refused" in {
        one.reason for one in await outbox.problems(database, TENANT, since=NOW, now=world.now())
    }
    office.answers = []
    later = Act("ops@example.com", world.now())
    again = [
        await operation.act_on(database, later, tenant_id=TENANT, effect_id=seen.effect_id, action="retry")
        for _ in range(2)
    ]
    assert [one.is_done for one in again] == [True, True]  # the second hurries what waits
    assert not (
        await operation.act_on(database, later, tenant_id=TENANT + 1, effect_id=seen.effect_id, action="retry")
    ).is_done
    await worker.drain()
    assert [one.state for one in await outbox.alerts(database, TENANT)] == ["sent"]


async def test_an_address_that_the_config_names_no_more_is_asked_for_by_a_person(office: Office) -> None:
    await deliver(office.world.database, 2, "failed", at=NOW)
    worker = await office.worker()
    await office.look()
    office.addresses = []
    await worker.turn()
    listed = await outbox.messages(
        office.world.database, TENANT, state="dead", kind="send_alert", now=office.world.now()
    )
    assert [one.reason for one in listed] == ["alert_address_unknown"]
    assert office.got == []


async def test_a_quiet_source_is_told_by_its_own_rhythm(database) -> None:
    """Two an hour for five weeks, then nothing: not yet after three hours (6 expected), but after four (8)."""
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO deliveries (tenant_id, source_id, dedup_key, event_type, received_at, method, url, headers, body, verified_by, trace_id)"
            " SELECT %s, 'website', 'm' || n, 'form', %s - n * interval '30 minutes', 'POST', 'u', '[]', '', 'x', 't' FROM generate_series(1, 1680) n",
            [TENANT, NOW],
        )
    for hours, quiet in ((3, False), (4.5, True)):
        now = NOW + timedelta(hours=hours)
        await alerts.count_hours(database, {TENANT: None}, now=now)
        (row,) = await sources.sources(
            database, TENANT, ["website"], time_zone="America/Chicago", since=now - timedelta(hours=12), now=now
        )
        assert row.is_quiet is quiet, (hours, row)


@given(
    st.dictionaries(st.integers(0, 167), st.floats(0, 200), max_size=168),
    st.integers(0, 350).map(lambda days: datetime(2026, 1, 1, 5, 40, tzinfo=UTC) + timedelta(days=days)),
    st.timedeltas(timedelta(0), timedelta(days=16)),
)
def test_a_source_is_quiet_from_when_as_many_are_expected(rhythm, last, silence) -> None:
    """Also where the clocks change."""
    zone, until = "America/Chicago", last + silence
    at = sources.quiet_from(rhythm, last, until, time_zone=zone)
    if at is None:
        assert sources.expected_since(rhythm, last, until, time_zone=zone) < sources.QUIET_AT + 1e-6
    else:
        assert last <= at <= until + timedelta(microseconds=1)
        assert sources.expected_since(rhythm, last, at, time_zone=zone) == pytest.approx(sources.QUIET_AT, abs=1e-4)
