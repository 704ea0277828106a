"""The API: tokens, cursors, idempotent writes, problem JSON, and a document that says all of it."""

import asyncio

from tests.console.seeding import NOW, PEOPLE, deliver


def bearer(browser, name: str = "write") -> dict[str, str]:
    return {"authorization": f"Bearer {browser.tokens[name]}"}


async def test_pages_of_the_list_follow_each_other_without_a_gap(browser) -> None:
    """Each page is asked for after one more delivery came in: nothing of the list is seen twice or missed."""
    seen: list[int] = []
    fresh: list[int] = []
    cursor = ""
    while True:
        page = (
            await browser.client.get(
                "/api/v1/deliveries", params={"limit": 7, "cursor": cursor}, headers=bearer(browser, "read")
            )
        ).json()
        seen += [row["id"] for row in page["items"]]
        fresh.append(await deliver(browser.database, 100 + len(fresh), "received", at=NOW))
        cursor = page["next"]
        if not cursor:
            break
    assert len(seen) == len(set(seen)) == 40
    assert len(fresh) == 6
    assert not set(seen) & set(fresh)
    refused = await browser.client.get(
        "/api/v1/deliveries", params={"cursor": "nonsense"}, headers=bearer(browser, "read")
    )
    assert (refused.status_code, refused.json()["reason"]) == (400, "cursor_invalid")


async def test_people_are_hidden_unless_the_token_may_see_them(browser) -> None:
    delivery_id = browser.made["booked"]
    hidden = await browser.client.get(f"/api/v1/deliveries/{delivery_id}/why", headers=bearer(browser, "read"))
    refused = await browser.client.get(
        f"/api/v1/deliveries/{delivery_id}/why", params={"reveal": "true"}, headers=bearer(browser, "read")
    )
    shown = await browser.client.get(
        f"/api/v1/deliveries/{delivery_id}/why", params={"reveal": "true"}, headers=bearer(browser, "admin")
    )
    assert PEOPLE[0][2] not in hidden.text
    assert refused.status_code == 403
    assert PEOPLE[0][2] in shown.text
    assert await browser.audited("personal_data.revealed") == [("token:admin", f"delivery:{delivery_id}")]


async def test_a_repeated_key_gets_the_first_answer(browser) -> None:
    path = f"/api/v1/deliveries/{browser.made['booked']}/replay"
    headers = {**bearer(browser), "Idempotency-Key": "k-1"}
    first = await browser.client.post(path, json={}, headers=headers)
    again = await browser.client.post(path, json={}, headers=headers)
    other = await browser.client.post(path, json={"reason": "another"}, headers=headers)
    assert first.status_code == again.status_code == 200
    assert first.content == again.content
    assert again.headers["idempotent-replayed"] == "true"
    assert (other.status_code, other.json()["reason"]) == (422, "idempotency_key_reused")
    assert len(await browser.audited("delivery.replayed")) == 1


async def test_a_key_in_flight_is_a_conflict(browser) -> None:
    from bridge.operations import tokens
    from tests.console.seeding import NOW

    path = f"/api/v1/deliveries/{browser.made['booked']}/replay"
    person = await tokens.whose(browser.database, browser.tokens["write"], now=NOW)
    await tokens.begin_once(
        browser.database, token_id=person.token_id, key="k-2", request=f"POST {path}?\n{{}}".encode(), now=NOW
    )
    answer = await browser.client.post(
        path, content=b"{}", headers={**bearer(browser), "Idempotency-Key": "k-2", "content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["reason"]) == (409, "idempotency_key_running")


async def test_the_same_key_at_once_acts_once(browser) -> None:
    path = f"/api/v1/deliveries/{browser.made['updated']}/replay"
    headers = {**bearer(browser), "Idempotency-Key": "k-3"}
    answers = await asyncio.gather(*(browser.client.post(path, json={}, headers=headers) for _ in range(5)))
    assert {answer.status_code for answer in answers} <= {200, 409}
    assert len(await browser.audited("delivery.replayed")) == 1


async def test_refusals_are_problem_json(browser) -> None:
    missing = await browser.client.get("/api/v1/deliveries/999999", headers=bearer(browser, "read"))
    bad = await browser.client.post(
        f"/api/v1/deliveries/{browser.made['booked']}/replay", json={"nonsense": 1}, headers=bearer(browser)
    )
    forced = await browser.client.post(
        f"/api/v1/deliveries/{browser.made['booked']}/replay", json={"force": True}, headers=bearer(browser)
    )
    for answer, status in ((missing, 404), (bad, 400), (forced, 422)):
        assert answer.status_code == status, answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


async def test_a_revoked_or_old_token_opens_nothing(browser) -> None:
    from bridge.operations import tokens
    from bridge.operations.audit import Act
    from tests.console.seeding import NOW

    async with browser.database.begin() as tx:
        (token_id,) = await (await tx.execute("SELECT id FROM api_tokens WHERE name = 'read'")).fetchone()
        await tx.execute("UPDATE api_tokens SET expires_at = %s WHERE name = 'write'", [NOW])
    await tokens.revoke(browser.database, Act("cli:test", NOW), token_id=token_id)
    for name in ("read", "write"):
        assert (await browser.client.get("/api/v1/today", headers=bearer(browser, name))).status_code == 401


async def test_who_is_this_caller(browser) -> None:
    answer = await browser.client.post(
        "/api/v1/match", json={"name": "Dana Whitfield", "phones": ["5125550142"]}, headers=bearer(browser, "read")
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["type"] in {"matched", "ambiguous", "unmatched"}
    assert "Whitfield" not in answer.text


async def test_budget_and_breakers_are_set_once_per_key(browser) -> None:
    breaker = {"family": "bookings", "error_class": "server", "override": "open", "reason": "they repair it"}
    for path, good, wrong in (
        ("/api/v1/outbox/rate", {"per_second": 5, "reason": "import"}, ({"per_second": 41, "reason": "x"}, {"per_second": 5})),
        ("/api/v1/outbox/breaker", breaker, ({**breaker, "family": "invoices"}, {**breaker, "override": "ajar"})),
    ):  # fmt: skip
        headers = {**bearer(browser), "Idempotency-Key": path}
        first, again = [await browser.client.post(path, json=good, headers=headers) for _ in range(2)]
        assert (first.status_code, again.content) == (200, first.content)
        other = await browser.client.post(path, json={**good, "reason": "another"}, headers=headers)
        assert other.status_code == 422
        for body in wrong:
            assert (await browser.client.post(path, json=body, headers=bearer(browser))).status_code == 400
        unsaid = await browser.client.post(path, json={**good, "reason": " "}, headers=bearer(browser))
        assert (unsaid.status_code, unsaid.json()["reason"]) == (422, "reason_missing")
        refused = await browser.client.post(path, json=good, headers=bearer(browser, "read"))
        assert refused.status_code == 403
    seen = (await browser.client.get("/api/v1/outbox", headers=bearer(browser, "read"))).json()
    assert seen["rate"] == 5
    assert [(one["family"], one["override"]) for one in seen["breakers"]] == [("bookings", "open")]
    assert await browser.audited("outbox.rate") == [("token:write", "")]
    assert await browser.audited("outbox.breaker") == [("token:write", "bookings:server")]
