"""Every page answers for everybody who may see it, and hides people from them."""

import re

from tests.console.seeding import PEOPLE, TENANT

PAGES = (
    "/", "/deliveries", "/deliveries?q=0142", "/deliveries?q=outcome:rejected", "/deliveries?q=payload.lead.city:Austin", "/review",
    "/outbox", "/outbox?state=dead", "/outbox?state=waiting", "/problems", "/sources", "/sources/website", "/party/7001", "/flow",
    "/health", "/settings", "/help", "/audit",
)  # fmt: skip


async def test_pages_answer_and_hide_people(browser) -> None:
    await browser.log_in("admin")
    made = browser.made
    broken: list[object] = []
    whole = [f"/deliveries/{one}" for one in made.values()]
    for page in [
        *PAGES,
        *whole,
        f"/deliveries/{made['booked']}/replay",
        f"/deliveries/{made['booked']}/edit",
        "/deliveries.csv",
    ]:
        answer = await browser.client.get(page)
        if answer.status_code != 200:
            broken.append((page, answer.status_code))
            continue
        for name, phone, email, street, _ in PEOPLE:
            for value in (name, phone, email, street):
                assert value not in answer.text, (page, value)
        assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert broken == []


async def test_each_outcome_is_said_and_found(browser) -> None:
    """The word of the list and the search for that word agree, for every outcome there is."""
    await browser.log_in("viewer")
    said = {"broken": "failed"}
    for kind, delivery_id in browser.made.items():
        word = said.get(kind, kind)
        page = await browser.client.get(f"/deliveries/{delivery_id}")
        assert f'class="status {word}"' in page.text, (kind, word)
        found = await browser.client.get(f"/deliveries?q=outcome:{word}")
        assert f'href="/deliveries/{delivery_id}"' in found.text, (kind, word)
        others = [one for name, one in browser.made.items() if said.get(name, name) != word]
        assert not [one for one in others if f'data-id="{one}"' in found.text], word


async def test_a_reveal_shows_the_person_and_is_written_down(browser) -> None:
    await browser.log_in("operator")
    delivery_id = browser.made["booked"]
    shown = await browser.post(f"/deliveries/{delivery_id}/reveal")
    assert PEOPLE[0][2] in shown.text
    assert await browser.audited("personal_data.revealed") == [("operator@example.com", f"delivery:{delivery_id}")]


async def test_each_attempt_shows_its_request_and_its_answer(browser) -> None:
    """The request is written by the client's own code: to this tenant, with the effect's key, and hidden as its person is."""
    await browser.log_in("operator")
    path = f"/deliveries/{browser.made['failed']}"
    masked = (await browser.client.get(path)).text
    shown = (await browser.post(f"{path}/reveal")).text
    async with browser.database.begin() as tx:
        (key,) = await (
            await tx.execute("SELECT key FROM effects WHERE delivery_id = %s", [browser.made["failed"]])
        ).fetchone()
    for text in (masked, shown):
        assert re.search(rf"POST http\S+/tenant/{TENANT}/booking-provider/\d+/bookings", text)
        assert f"&#34;externalId&#34;: &#34;{key.hex}&#34;" in text
        assert "HTTP 400" in text
        assert "One or more validation errors occurred." in text
    name = f"&#34;name&#34;: &#34;{PEOPLE[2][0]}&#34;"
    assert name in shown
    assert name not in masked


async def test_a_retry_brings_a_dead_message_back_once(browser) -> None:
    await browser.log_in("operator")
    delivery_id = browser.made["failed"]
    first = await browser.post(f"/deliveries/{delivery_id}/retry")
    again = await browser.client.get(f"/deliveries/{delivery_id}")
    assert "sent again" in first.text
    assert 'class="status failed"' not in again.text
    assert await browser.audited("delivery.retried") == [("operator@example.com", f"delivery:{delivery_id}")]


async def test_review_remembers_and_can_be_taken_back(browser) -> None:
    await browser.log_in("operator")
    async with browser.database.begin() as tx:
        (hold_id,) = await (await tx.execute("SELECT id FROM holds WHERE state = 'open'")).fetchone()
    await browser.post(f"/review/{hold_id}/accept", customer_id="7001", location_id="9001")
    async with browser.database.begin() as tx:
        link = await (await tx.execute("SELECT customer_id, decided_by FROM links")).fetchone()
        queued = await (
            await tx.execute("SELECT by FROM delivery_queue WHERE id = %s", [browser.made["review"]])
        ).fetchone()
    assert link == (7001, "operator@example.com")
    assert queued == ("operator@example.com",)
    await browser.post(f"/review/{hold_id}/undo")
    async with browser.database.begin() as tx:
        assert await (await tx.execute("SELECT 1 FROM links")).fetchone() is None
        assert await (await tx.execute("SELECT state FROM holds WHERE id = %s", [hold_id])).fetchone() == ("open",)


async def test_bulk_takes_everything_that_matches_now(browser) -> None:
    from bridge.operations import bulk
    from tests.console.seeding import NOW

    await browser.log_in("operator")
    missing = await browser.post("/deliveries/bulk", action="replay", q="outcome:booked", all="1")
    assert "Say why" in missing.text
    started = await browser.post("/deliveries/bulk", action="replay", q="outcome:booked", all="1", reason="new mapping")
    assert "in the background" in started.text
    while await bulk.work(browser.database, now=NOW):
        pass
    async with browser.database.begin() as tx:
        total, done, finished = await (await tx.execute("SELECT total, done, finished_at FROM bulk_runs")).fetchone()
        (queued,) = await (await tx.execute("SELECT count(*) FROM delivery_queue")).fetchone()
    assert (total, done, finished) == (11, 11, NOW)
    assert queued == 11


async def test_budget_and_breakers_are_set_and_seen_with_a_reason(browser) -> None:
    await browser.log_in("operator")
    breaker = {"family": "bookings", "error_class": "server", "override": "open"}
    for path, form in (("/outbox/rate", {"per_second": "5"}), ("/outbox/breaker", breaker)):
        assert "Say why" in (await browser.post(path, **form)).text
        assert "toast good" in (await browser.post(path, **form, reason="their nightly import")).text
    for path, form in (("/outbox/rate", {"per_second": "41"}), ("/outbox/breaker", {**breaker, "family": "invoices"})):
        assert "toast bad" in (await browser.post(path, **form, reason="x")).text
    assert "A number" in (await browser.post("/outbox/rate", per_second="many", reason="x")).text
    shown = (await browser.client.get("/outbox")).text
    assert "budget 5 requests a second, set by a person" in shown
    assert "a person holds the breaker open" in shown
    assert await browser.audited("outbox.rate") == [("operator@example.com", "")]
    assert await browser.audited("outbox.breaker") == [("operator@example.com", "bookings:server")]
    await browser.post("/outbox/rate", per_second="", reason="done")
    await browser.post("/outbox/breaker", **{**breaker, "override": "itself"}, reason="done")
    shown = (await browser.client.get("/outbox")).text
    assert "budget 40 requests a second" in shown
    assert "holds the breaker" not in shown
    await browser.log_in("viewer")
    assert "Limits…" not in (await browser.client.get("/outbox")).text
    await browser.post("/outbox/rate", per_second="5", reason="x")
    assert "budget 40 requests a second" in (await browser.client.get("/outbox")).text


async def test_an_alert_is_a_message_like_any_other(browser) -> None:
    """Seen where it waits and where it died, found again from Problems, cancelled by hand and by the handful."""
    from bridge.domain.ids import alerts_of
    from bridge.operations import alerts
    from bridge.operations.alerts import Limits
    from bridge.sending import control
    from bridge.sending.bell import Address
    from bridge.sending.bulk import work_bulk
    from tests.console.seeding import NOW

    await browser.log_in("operator")
    office = [Address(name="office", url="https://chat.example.com/hook")]
    found = await alerts.look(browser.database, tenants=[TENANT], addresses=office, limits=Limits(), now=NOW)
    shown = (await browser.client.get("/outbox?kind=send_alert")).text
    assert shown.count("To office.") == len(found) > 1
    async with browser.database.begin() as tx:
        (effect_id,) = await (
            await tx.execute("SELECT min(id) FROM outbox WHERE tenant_id = %s", [alerts_of(TENANT)])
        ).fetchone()
    assert "toast good" in (await browser.post(f"/messages/{effect_id}/cancel")).text
    assert await browser.audited("message.cancelled") == [("operator@example.com", f"message:{effect_id}")]
    started = await browser.post(
        "/outbox/bulk", state="waiting", action="cancel", kind="send_alert", reason="they know"
    )
    assert "toast good" in started.text
    while await work_bulk(browser.database, now=NOW):
        pass
    assert "To office." not in (await browser.client.get("/outbox?kind=send_alert")).text.split("<h2>Alerts</h2>")[0]
    async with browser.database.begin() as tx:
        await control.retry(tx, tenant_id=alerts_of(TENANT), effect_id=effect_id, by="x", now=NOW)
    assert (await browser.client.get("/outbox?kind=send_alert")).text.count("To office.") == 1
