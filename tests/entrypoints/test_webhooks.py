"""The hook URLs as a sender sees them: statuses, bodies, reasons, and what is kept of a refusal."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import psycopg
import pytest

from bridge.entrypoints.serve import Application
from tests.intake.senders import SETTINGS, signed


@pytest.fixture
async def application(database_dsn: str) -> AsyncIterator[tuple[Application, httpx.AsyncClient]]:
    running = Application(SETTINGS, dsn=database_dsn)
    app = running.build()
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with (
        running._lifespan(app),
        httpx.AsyncClient(transport=transport, base_url="http://bridge.example.com") as client,
    ):
        yield running, client


Running = tuple[Application, httpx.AsyncClient]


async def test_a_signed_request_is_stored_and_named(application: Running) -> None:
    _, client = application
    headers, body = signed("msg_1", now=datetime.now(UTC))
    answer = await client.post("/hooks/website", headers=headers, content=body)
    assert answer.status_code == 202
    assert answer.json()["status"] == "accepted"
    assert int(answer.json()["id"]) > 0


async def test_a_redelivery_is_acknowledged_and_says_so(application: Running) -> None:
    _, client = application
    headers, body = signed("msg_1", now=datetime.now(UTC))
    first = await client.post("/hooks/website", headers=headers, content=body)
    again = await client.post("/hooks/website", headers=headers, content=body)
    assert again.status_code == 202
    assert again.json()["status"] == "duplicate"
    assert again.json()["id"] == first.json()["id"]


async def test_each_refusal_has_its_status_and_reason(application: Running) -> None:
    _, client = application
    now = datetime.now(UTC)
    headers, body = signed("msg_1", now=now)
    wrong = headers | {"webhook-signature": "v1," + "A" * 43 + "="}
    cases = [
        ("/hooks/nobody", headers, body, 404, "source_unknown"),
        ("/hooks/website", wrong, body, 401, "signature_mismatch"),
        ("/hooks/website", headers | {"content-type": "image/png"}, body, 415, "content_type_unsupported"),
        ("/hooks/website", headers, b"x" * 1_048_577, 413, "body_too_large"),
        ("/hooks/website", {"content-type": "application/json"}, body, 401, "signature_missing"),
    ]
    for path, sent, content, status, reason in cases:
        answer = await client.post(path, headers=sent, content=content)
        assert (answer.status_code, answer.json()["reason"]) == (status, reason)
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["remedy"]


@pytest.mark.parametrize("content_type", ["", "application/vnd.acme.lead+json", "Application/JSON ; charset=utf-8"])
async def test_a_json_under_no_type_or_one_of_its_own_is_taken(content_type: str, application: Running) -> None:
    _, client = application
    headers, body = signed("msg_1", now=datetime.now(UTC), content_type=content_type)
    if not content_type:
        del headers["content-type"]
    assert (await client.post("/hooks/website", headers=headers, content=body)).status_code == 202


async def test_a_signed_body_that_cannot_be_read_is_malformed(application: Running) -> None:
    _, client = application
    headers, body = signed("msg_1", now=datetime.now(UTC), payload=b'{"name": "Ada"')
    answer = await client.post("/hooks/website", headers=headers, content=body)
    assert (answer.status_code, answer.json()["reason"]) == (400, "payload_malformed")


async def test_a_body_of_unannounced_length_stops_at_the_limit(application: Running) -> None:
    _, client = application

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 65_536

    answer = await client.post("/hooks/website", headers={"content-type": "application/json"}, content=endless())
    assert answer.status_code == 413


async def test_refusals_are_kept_without_anything_of_the_body(application: Running, database_dsn: str) -> None:
    running, client = application
    headers, body = signed("msg_1", now=datetime.now(UTC))
    await client.post("/hooks/website", headers=headers | {"webhook-signature": "v1,AAAA"}, content=body)
    await running._write_once()
    with psycopg.connect(database_dsn) as connection:
        row = connection.execute("SELECT to_jsonb(r) FROM rejected_requests r").fetchone()
    assert row is not None
    assert row[0]["body_bytes"] == len(body)
    kept = json.dumps(row[0])
    assert not any(word in kept for word in ("Ada", "512-555-0142", "ada@example.com"))


async def test_probes_answer_without_credentials(application: Running) -> None:
    running, client = application
    assert (await client.get("/livez")).status_code == 200
    assert (await client.get("/readyz")).json() == {"ready": True}
    running.draining.set()
    drained = await client.get("/readyz")
    assert drained.status_code == 503
    assert "draining" in drained.json()


async def test_without_a_database_the_sender_is_told_to_come_back(
    application: Running, database_dsn: str, postgres_dsn: str
) -> None:
    _, client = application
    name = database_dsn.split("/")[3].split("?", maxsplit=1)[0]
    headers, body = signed("msg_1", now=datetime.now(UTC))
    with psycopg.connect(postgres_dsn, autocommit=True) as admin:
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        answer = await client.post("/hooks/website", headers=headers, content=body)
        assert answer.status_code == 503
        assert answer.json()["reason"] == "database_unreachable"
        assert int(answer.headers["retry-after"]) > 0
        assert (await client.get("/livez")).status_code == 200
        assert (await client.get("/readyz")).status_code == 503
        admin.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
    assert (await client.post("/hooks/website", headers=headers, content=body)).status_code == 202


async def test_a_page_nobody_knows_is_a_problem_without_inside(application: Running) -> None:
    _, client = application
    answer = await client.get("/no/such/page")
    assert answer.status_code in {401, 404}
    assert "Traceback" not in answer.text
