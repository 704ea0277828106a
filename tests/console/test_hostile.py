"""A stranger who fills every field with markup, formulas and line breaks reaches nobody's browser and no spreadsheet."""

import csv
import io
import json
import re
from html.parser import HTMLParser
from urllib.parse import quote

from tests.console.seeding import PEOPLE, TENANT

PROBE = "'\"></script></textarea></title></svg>--><xss-probe onprobe=alert(1)>{{7*7}}\r\n\revent: row\rdata: <b onprobe=1>\r\n"


class Parser(HTMLParser):
    """Notes elements and attributes that only the probe could have made."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "xss-probe" or any(name == "onprobe" for name, _ in attrs):
            self.found.append(self.get_starttag_text() or tag)


async def poison(database) -> None:
    """Put the probe wherever a stranger's text is kept: in place of names, in messages, keys, types, labels, addresses."""
    inner = json.dumps(PROBE)[1:-1]
    async with database.begin() as tx:
        for table, columns in {
            "decisions": ("inquiry", "match", "plan"),
            "effects": ("command",),
            "holds": ("commands",),
            "attempts": ("problem", "created"),
        }.items():
            for column in columns:
                for known in (*(person[0] for person in PEOPLE), "The AC is out", "AC repair", "spring-tune-up"):
                    await tx.execute(
                        f"UPDATE {table} SET {column} = replace({column}::text, %s, %s)::jsonb WHERE {column} IS NOT NULL",
                        [known, inner],
                    )
        await tx.execute(
            "UPDATE decisions SET inquiry = jsonb_set(inquiry, '{origins}', jsonb_build_object('person.name', %(p)s::text, %(p)s::text, 'x'))"
            " WHERE inquiry IS NOT NULL",
            {"p": PROBE},
        )
        await tx.execute(
            "UPDATE attempts SET detail = %s, problem = jsonb_build_object('title', %s::text)", [PROBE, PROBE]
        )
        await tx.execute("UPDATE holds SET detail = %s", [PROBE])
        await tx.execute(
            "UPDATE deliveries SET dedup_key = %(p)s || id, event_type = %(p)s, url = %(p)s, trace_id = %(p)s,"
            " verified_by = 'hmac:' || %(p)s, headers = jsonb_build_array(jsonb_build_array(%(p)s::text, %(p)s::text)),"
            " body = convert_to(json_build_object(%(p)s::text, %(p)s::text)::text, 'UTF8')",
            {"p": PROBE},
        )
        await tx.execute(
            "UPDATE delivery_states SET name = %(p)s, campaign = %(p)s, sentence = %(p)s, phones = ARRAY[%(p)s::text],"
            " emails = ARRAY[%(p)s::text], zip = left(%(p)s, 5), record_ids = ARRAY[%(p)s::text]",
            {"p": PROBE},
        )
        await tx.execute(
            "UPDATE rejected_requests SET detail = %(p)s, content_type = %(p)s, method = %(p)s", {"p": PROBE}
        )
        await tx.execute("UPDATE mirrored_customers SET name = %(p)s, street = %(p)s", {"p": PROBE})
        await tx.execute("UPDATE mirrored_contacts SET value = %(p)s", {"p": PROBE})
        await tx.execute(
            "INSERT INTO links (tenant_id, source_id, record_id, customer_id, decided_by, decided_at) VALUES (%s, 'website', %s, 7001, %s, now())",
            [TENANT, PROBE, PROBE],
        )


async def test_markup_in_every_field_stays_text_on_every_screen(browser) -> None:
    await browser.log_in("admin")
    await poison(browser.database)
    async with browser.database.begin() as tx:
        (hold_id,) = await (await tx.execute("SELECT id FROM holds WHERE state = 'open'")).fetchone()
    screens = [
        "/",
        "/deliveries",
        "/deliveries?q=outcome:rejected",
        "/review",
        "/outbox",
        "/outbox?state=dead",
        "/problems",
        "/sources",
    ]
    screens += ["/sources/website", "/party/7001", "/flow", "/health", "/settings", "/audit", "/help"]
    screens += [f"/deliveries/{one}" for one in browser.made.values()]
    reveals = [f"/deliveries/{one}/reveal" for one in browser.made.values()] + [f"/review/{hold_id}/reveal"]
    found = {}
    for path in [*screens, *reveals]:
        answer = await (browser.post(path) if path.endswith("/reveal") else browser.client.get(path))
        assert answer.status_code == 200, (path, answer.status_code)
        parser = Parser()
        parser.feed(answer.text)
        if parser.found:
            found[path] = parser.found
    assert found == {}


async def test_markup_in_the_address_stays_text(browser) -> None:
    await browser.log_in("admin")
    for path in (
        "/deliveries?q=",
        "/login?next=",
        "/sources/",
        "/audit?by=",
        "/login/link/",
        "/outbox?state=",
        "/flow?days=",
    ):
        answer = await browser.client.get(path + quote(PROBE, safe=""))
        parser = Parser()
        parser.feed(answer.text)
        assert parser.found == [], path


async def test_a_spreadsheet_gets_no_formula(browser) -> None:
    await browser.log_in("operator")
    for start in ("=", "+", "-", "@", "\t", "\r", " =", "|", "%"):
        formula = f"{start}HYPERLINK(1)"
        async with browser.database.begin() as tx:
            await tx.execute("UPDATE delivery_states SET campaign = %s, name = %s", [formula, formula])
            await tx.execute("UPDATE deliveries SET event_type = %s", [formula])
        answer = await browser.client.get("/deliveries.csv")
        rows = list(csv.reader(io.StringIO(answer.text, newline="")))
        assert len(rows) > 30
        assert [cell for row in rows for cell in row if re.match(r"[=+\-@|%\t\r\n]|\s+[=+\-@|%]", cell)] == [], start


async def test_bytes_that_are_no_text_are_answered_politely(browser) -> None:
    await browser.log_in("admin")
    token = {"authorization": f"Bearer {browser.tokens['admin']}"}
    for path in (
        "/deliveries?q=%ff%fe", "/deliveries?q=%00", "/deliveries?cursor=%ff", "/deliveries?cursor=AAAA", f"/deliveries?q={'a' * 5000}",
        "/deliveries/99999999999999999999999", "/deliveries/0", "/deliveries/-1", "/party/99999999999999999999", "/flow?days=99999999999999999999",
        "/flow?days=-1", "/flow?days=0", "/outbox?after=99999999999999999999", "/outbox?state=%ff", "/outbox?kind=%00&source=%00&reason=%00",
        "/audit?before=9&by=%00&action=%ff", "/review?hold=999999999999999999", "/review?after=x", "/?tenant=%ff", "/?tenant=١",
        "/deliveries.csv?q=%ff", "/sources/%ff", "/sources/%00", "/live?after=x&q=%00&tenant=7", "/deliveries/count?q=%ff",
        "/deliveries?q=outcome:rejected%20source:%00&before=99999999999999999", "/deliveries/١",
        "/api/v1/deliveries?q=%ff%00", "/api/v1/deliveries?cursor=%ff", "/api/v1/rejected?source=%00", "/api/v1/outbox/messages?source=%00",
        "/api/v1/review?source=%ff", "/api/v1/party/0", "/api/v1/audit?before=0", "/api/v1/flow?days=0", "/api/v1/today?tenant=9",
        "/hooks", "/static/../style.css", "/static/%2e%2e/templates/base.html", "/static/%00", "/login/link/%ff",
    ):  # fmt: skip
        answer = await browser.client.get(
            path, headers=token if path.startswith("/api") else {}, follow_redirects=False
        )
        assert answer.status_code < 500, (path, answer.status_code, answer.text[:200])
        assert "{% " not in answer.text, path


async def test_other_methods_open_no_door(browser) -> None:
    for method in ("HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "TRACE"):
        for path in (
            "/",
            "/deliveries",
            "/deliveries.csv",
            "/settings",
            "/live",
            "/api/v1/deliveries",
            "/api/v1/users",
            "/deliveries/1",
        ):
            answer = await browser.client.request(method, path, follow_redirects=False)
            assert answer.status_code in {204, 303, 401, 403, 404, 405}, (method, path, answer.status_code)
            assert "example.com" not in answer.text


async def test_a_part_of_a_page_without_a_session_leads_to_the_login(browser) -> None:
    browser.client.cookies.clear()
    for path in ("/deliveries", "/review", "/outbox", f"/deliveries/{browser.made['booked']}/replay"):
        answer = await browser.client.get(path, headers={"HX-Request": "true"}, follow_redirects=False)
        assert (answer.status_code, answer.headers.get("hx-redirect"), answer.text) == (200, "/login", "")
    stream = await browser.client.get("/live", headers={"accept": "text/event-stream"}, follow_redirects=False)
    assert (stream.status_code, stream.text) == (204, "")
