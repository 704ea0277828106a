"""Who may do what is said by every route, kept in one place, and proven route by route."""

import re
from datetime import timedelta

import pytest
from litestar.handlers import HTTPRouteHandler

from bridge.entrypoints.access import BY_THEMSELVES, PUBLIC
from bridge.operations.users import Role
from tests.console.seeding import NOW, app_for, context_for

OPEN = {"/login", "/login/link/{token}", "/static/{file_path}"}


def routes(app):
    for route in app.routes:
        for handler in getattr(route, "route_handlers", []):
            if isinstance(handler, HTTPRouteHandler):
                for method in sorted(handler.http_methods - {"OPTIONS", "HEAD"}):
                    yield method, re.sub(r"\{(\w+):?\w*\}", r"{\1}", route.path), handler


def filled(path: str) -> str:
    return re.sub(r"\{(\w+)\}", lambda hit: "1" if hit[1].endswith("_id") else "x", path)


async def test_every_route_keeps_out_whom_it_does_not_name(browser) -> None:
    app = app_for(context_for(browser.database))
    walked = list(routes(app))
    assert len(walked) > 60
    for method, path, handler in walked:
        needs = handler.opt.get("needs")
        if needs == PUBLIC:
            assert path in OPEN, f"{path} answers everybody"
            continue
        assert isinstance(needs, Role), f"{path} does not say who may use it"
        browser.client.cookies.clear()
        nobody = await browser.client.request(method, filled(path), follow_redirects=False)
        assert nobody.status_code == (401 if path.startswith("/api") else 303), (method, path)
        if not path.startswith("/api"):
            assert nobody.headers["location"].startswith("/login")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.OPERATOR])
async def test_a_role_is_refused_what_needs_more(browser, role: Role) -> None:
    await browser.log_in(role.value)
    token = {"viewer": "read", "operator": "write"}[role.value]
    for method, path, handler in routes(app_for(context_for(browser.database))):
        needs = handler.opt.get("needs")
        if needs == PUBLIC or role.includes(needs):
            continue
        bearer = {"authorization": f"Bearer {browser.tokens[token]}"} if path.startswith("/api") else {}
        answer = await browser.client.request(
            method, filled(path), headers={"X-CSRF-Token": browser.csrf, **bearer}, follow_redirects=False
        )
        assert answer.status_code == 403, (method, path, answer.status_code)


async def test_a_write_without_the_pages_token_is_refused(browser) -> None:
    await browser.log_in("admin")
    for method, path, handler in routes(app_for(context_for(browser.database))):
        if method == "GET" or path.startswith("/api") or handler.opt.get("needs") == PUBLIC:
            continue
        plain = await browser.client.post(filled(path), follow_redirects=False)
        wrong = await browser.client.post(filled(path), headers={"X-CSRF-Token": "guess"}, follow_redirects=False)
        foreign = await browser.client.post(
            filled(path),
            headers={"X-CSRF-Token": browser.csrf, "Origin": "https://evil.example.com"},
            follow_redirects=False,
        )
        assert {plain.status_code, wrong.status_code, foreign.status_code} == {403}, path


async def test_guessing_a_password_is_throttled_and_tells_nothing(browser) -> None:
    known = await browser.log_in("viewer", password="wrong password")
    unknown = await browser.log_in("nobody", password="wrong password")
    assert known.status_code == unknown.status_code == 403
    assert "Name or password is wrong." in known.text
    assert "Name or password is wrong." in unknown.text
    for _ in range(7):
        await browser.log_in("viewer", password="wrong password")
    right = await browser.log_in("viewer")
    assert right.status_code == 429


async def test_sessions_are_out_of_reach_of_scripts_and_end(browser) -> None:
    entered = await browser.log_in("viewer")
    cookie = next(
        value for name, value in entered.headers.multi_items() if name == "set-cookie" and "bridge_session=" in value
    )
    assert "httponly" in cookie.lower()
    assert "samesite=lax" in cookie.lower()
    token = re.search(r"bridge_session=([^;]+)", cookie)[1]
    async with browser.database.begin() as tx:
        (stored,) = await (await tx.execute("SELECT token_hash FROM sessions")).fetchone()
    assert token.encode() not in bytes(stored)
    await browser.post("/logout")
    browser.client.cookies.set("bridge_session", token)
    assert (await browser.client.get("/", follow_redirects=False)).status_code == 303


async def test_a_page_left_open_does_not_keep_its_session(browser) -> None:
    """What asks by itself (the live list, the numbers, the background runs) is no sign of a person; a click is."""
    await browser.log_in("viewer")

    async def seen_at(**headers: str):
        async with browser.database.begin() as tx:
            await tx.execute("UPDATE sessions SET seen_at = %s - interval '10 minutes'", [NOW])
        for path in ("/", "/outbox"):
            assert (await browser.client.get(path, headers=headers)).status_code == 200
        async with browser.database.begin() as tx:
            return (await (await tx.execute("SELECT seen_at FROM sessions")).fetchone())[0]

    for part in sorted(BY_THEMSELVES):
        pages = "".join([(await browser.client.get(path)).text for path in ("/", "/outbox")])
        assert re.search(rf'id="{part}"[^>]*hx-trigger="every', pages)
        assert await seen_at(**{"HX-Request": "true", "HX-Trigger": part}) == NOW - timedelta(minutes=10)
    assert await seen_at() == NOW


async def test_a_link_opens_one_session(browser) -> None:
    from bridge.operations import users
    from bridge.operations.audit import Act
    from tests.console.seeding import NOW

    _, path = await users.make_link(browser.database, Act("cli:test", NOW), login="admin@example.com")
    assert (await browser.client.get(path)).status_code == 200  # a preview uses nothing up
    first = await browser.client.post(path, follow_redirects=False)
    second = await browser.client.post(path, follow_redirects=False)
    assert (first.status_code, second.status_code) == (303, 403)


async def test_nobody_is_sent_elsewhere_by_a_login(browser) -> None:
    for target in ("https://evil.example.com", "//evil.example.com", "/\\evil.example.com"):
        page = await browser.client.get("/login", params={"next": target})
        assert 'name="next" value="/"' in page.text


async def test_what_breaks_tells_nobody_how(browser) -> None:
    await browser.log_in("viewer")
    async with browser.database.begin() as tx:
        await tx.execute("ALTER TABLE pauses RENAME TO gone")
    page = await browser.client.get("/deliveries")
    answer = await browser.client.get(
        "/api/v1/deliveries", headers={"authorization": f"Bearer {browser.tokens['read']}"}
    )
    for text in (page.text, answer.text):
        assert not re.search(r"Traceback|psycopg|SELECT|pauses|relation", text)
    assert (page.status_code, answer.status_code) == (500, 500)


async def test_a_database_that_is_away_is_told_in_a_word(browser, free_port: int) -> None:
    """Pages, parts of pages and the API answer within the pool's patience, and nothing of where the database is."""
    from litestar.testing import AsyncTestClient

    from bridge.db.database import Database

    away = Database(f"postgresql://postgres@127.0.0.1:{free_port}/x", timeout=0.2)
    await away.open(wait=False)
    try:
        async with AsyncTestClient(app_for(context_for(away))) as client:
            client.cookies.set("bridge_session", "one")
            page = await client.get("/deliveries")
            part = await client.get("/deliveries", headers={"HX-Request": "true"})
            api = await client.get("/api/v1/deliveries", headers={"authorization": "Bearer brg_one"})
    finally:
        await away.close()
    assert (page.status_code, part.status_code, api.status_code) == (503, 200, 503)
    assert part.headers["hx-retarget"] == "#toast"
    assert api.json()["reason"] == "database_unreachable"
    assert page.headers["retry-after"] == api.headers["retry-after"] == "5"
    for answer in (page, part, api):
        assert "database does not answer" in answer.text
        assert not re.search(rf"Traceback|psycopg|127\.0\.0\.1|{free_port}", answer.text)


async def test_who_may_see_one_tenant_sees_nothing_of_another(browser) -> None:
    """Every route with true ids of a tenant that is not theirs: no answer holds anything of it, nothing is changed."""
    from bridge.operations import tokens, users
    from bridge.operations.audit import Act
    from tests.console.seeding import NOW, PEOPLE, TENANT

    act = Act("cli:test", NOW)
    _, scoped = await tokens.make(
        browser.database, act, name="other", scopes=("read", "write", "admin", "pii"), days=1, tenant_ids=(5,)
    )
    await users.add(
        browser.database,
        act,
        login="other@example.com",
        role=Role.ADMIN,
        password="correct horse other",
        tenant_ids=(5,),
    )
    async with browser.database.begin() as tx:
        (hold_id,) = await (await tx.execute("SELECT id FROM holds WHERE state = 'open'")).fetchone()
        (effect_id,) = await (await tx.execute("SELECT effect_id FROM dead_messages")).fetchone()
    ids = {"delivery_id": browser.made["failed"], "hold_id": hold_id, "effect_id": effect_id, "customer_id": 7001}
    words = {"choice": "dismiss", "action": "retry", "source_id": "website", "login": "admin@example.com"}
    await browser.log_in("other")
    for query in ("", f"?tenant={TENANT}"):
        for method, path, handler in routes(app_for(context_for(browser.database))):
            if handler.opt.get("needs") == PUBLIC or path in {"/logout", "/live", "/api/v1/openapi.json"}:
                continue
            named = re.sub(r"\{(\w+)\}", lambda hit: str({**ids, **words}.get(hit[1], 1)), path)
            bearer = (
                {"authorization": f"Bearer {scoped}"} if path.startswith("/api") else {"X-CSRF-Token": browser.csrf}
            )
            body = {"json": {}} if path.startswith("/api") and method == "POST" else {}
            answer = await browser.client.request(method, named + query, headers=bearer, follow_redirects=False, **body)
            assert answer.status_code in {303, 400, 403, 404}, (method, named + query, answer.status_code)
            for value in ("website", "admin@example.com", PEOPLE[2][0], str(browser.made["failed"]) + '"'):
                assert value not in answer.text or value == named.rsplit("/", 1)[-1], (method, named, value)
    async with browser.database.begin() as tx:
        (dead,) = await (await tx.execute("SELECT count(*) FROM dead_messages")).fetchone()
        assert await (await tx.execute("SELECT state FROM holds WHERE id = %s", [hold_id])).fetchone() == ("open",)
        did = await (
            await tx.execute(
                "SELECT action FROM audit_log WHERE by IN ('other@example.com', 'token:other') ORDER BY id"
            )
        ).fetchall()
    assert dead == 1
    assert did == [("user.logged_in",)]
