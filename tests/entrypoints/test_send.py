"""`bridge send` posts what each sender would, over real HTTP, and the bridge believes it."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

import httpx
import pytest
import uvicorn
from click.testing import CliRunner

from bridge.bootstrap import load_settings
from bridge.connectors import kinds
from bridge.domain.ids import SourceId
from bridge.entrypoints import samples
from bridge.entrypoints.cli import cli
from bridge.entrypoints.cli.exits import Stop
from bridge.entrypoints.serve import Application
from bridge.settings import Settings

SECRETS = {"standard-webhooks": "W", "svix": "W", "google-forms-apps-script": "W", "salesforce": "SF"}
ENVIRON = {"W": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "SF": "00D000000000001", "T": "a-secret-of-the-tests-1"}


class Running(NamedTuple):
    """A bridge that listens, and the config it was started with."""

    base: str
    settings: Settings


def written() -> str:
    """Return a config with one source of every kind, named like it."""
    sources = "".join(
        f"  {kind}: {{connector: {kind}, tenant: demo, secrets: [{{env: {SECRETS.get(kind, 'T')}}}]}}\n"
        for kind in kinds()
    )
    tenant = "tenants:\n  demo: {tenant_id: 1000001, environment: simulator, booking_provider: 501, time_zone: America/Chicago}\n"
    return f"server: {{public_url: 'https://crm.example.com'}}\n{tenant}sources:\n{sources}"


@pytest.fixture
async def running(database_dsn: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Running]:
    (tmp_path / "bridge.yaml").write_text(written())
    for name, value in (ENVIRON | {"BRIDGE_CONFIG": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    settings = load_settings(tmp_path, environ=ENVIRON)
    app = Application(settings, dsn=database_dsn).build()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="on"))
    task = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:
            await asyncio.sleep(0.01)
    yield Running(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}", settings)
    server.should_exit = True
    await task


async def sent(*arguments: str) -> tuple[int, str]:
    """Return the exit code and what the person reads."""
    result = await asyncio.to_thread(CliRunner().invoke, cli, ["send", *arguments])
    if isinstance(result.exception, Stop):
        return result.exception.code, result.exception.message
    return result.exit_code, result.output.strip().splitlines()[-1]


async def test_every_sample_of_every_sender_is_believed_and_taken(running: Running) -> None:
    refused = []
    async with httpx.AsyncClient() as client:
        for source in running.settings.sources.values():
            for name in samples.cases_of(source):
                request = samples.signed(running.settings, source, name=name, now=datetime.now(UTC))
                url = samples.address(running.settings, request, base=running.base)
                answer = await client.request(request.method, url, headers=list(request.headers), content=request.body)
                if answer.status_code not in (200, 202):
                    refused.append((source.id, name, answer.status_code, answer.text))
    assert refused == []


async def test_the_command_sends_and_says_what_came_back(running: Running) -> None:
    code, said = await sent("typeform", "--url", running.base)
    assert (code, json.loads(said.partition(" ")[2])["status"]) == (0, "accepted")
    code, again = await sent("typeform", "--url", running.base)
    assert json.loads(again.partition(" ")[2])["status"] == "duplicate"
    code, other = await sent("typeform", "--url", running.base, "--set", "event_id=another")
    assert (code, json.loads(other.partition(" ")[2])["status"]) == (0, "accepted")


async def test_what_is_changed_is_signed_as_changed(running: Running) -> None:
    for arguments in (
        ("google-ads-lead-form", "--set", "is_test=false", "--set", "lead_id=77"),
        ("twilio", "--set", "Body=No heat & no water", "--set", "MessageSid=SM77"),
        ("hubspot", "--set", "0.objectId=77"),
        (
            "jotform",
            "--case",
            "multipart",
            "--set",
            "submissionID=77",
            "--set",
            "rawRequest.q99_note=Gate code 4411 & bell",
        ),
        ("mailchimp", "--set", "data[email]=sam@example.com"),
    ):
        code, said = await sent(*arguments, "--url", running.base)
        assert (code, said[:1]) == (0, "2"), (arguments, said)
    code, said = await sent(
        "salesforce", "--url", running.base, "--case", "lead", "--set", "sObject.LastName=Day & Night"
    )
    assert (code, "<Ack>true</Ack>" in said) == (0, True)
    source = running.settings.sources[SourceId("salesforce")]
    request = samples.signed(running.settings, source, name="lead", changes=["LastName=<1>"], now=datetime.now(UTC))
    assert b"LastName>&lt;1&gt;</" in request.body
    source = running.settings.sources[SourceId("jotform")]
    for name in ("form", "multipart", "parts"):
        request = samples.signed(
            running.settings, source, name=name, changes=["rawRequest.a.b=7"], now=datetime.now(UTC)
        )
        assert b'"a":{"b":"7"}' in unquote_to_bytes(request.body)


async def test_the_printed_curl_does_the_same(running: Running) -> None:
    for source in ("jotform", "twilio", "callrail", "standard-webhooks", "gravity-forms", "rfc9421"):
        result = await asyncio.to_thread(CliRunner().invoke, cli, ["send", source, "--url", running.base, "--curl"])
        command = result.output
        assert result.exit_code == 0
        done = await asyncio.to_thread(
            subprocess.run, ["sh", "-c", command], capture_output=True, text=True, check=False
        )
        assert done.stdout.splitlines()[0].split()[1] in ("200", "202"), (source, command, done.stdout, done.stderr)


async def test_what_cannot_be_sent_says_why(running: Running) -> None:
    code, said = await sent("nobody", "--url", running.base)
    assert (code, "no source 'nobody'" in said) == (2, True)
    code, said = await sent("typeform", "--case", "nothing", "--url", running.base)
    assert (code, "no sample 'nothing' of typeform; there are" in said) == (2, True)
    code, said = await sent("google-ads-lead-form", "--set", "is_test=perhaps", "--url", running.base)
    assert (code, "cannot stand where" in said) == (2, True)
    for arguments in (
        ("jotform", "--case", "parts", "--set", "nobody=1"),
        ("jotform", "--case", "parts", "--set", "formTitle.a=1"),
        ("salesforce", "--set", "Nobody=1"),
        ("twilio", "--set", "Body"),
    ):
        code, said = await sent(*arguments, "--url", running.base)
        assert code == 2, (arguments, said)
    code, said = await sent("typeform", "--url", "http://127.0.0.1:9")
    assert (code, "nobody answers" in said) == (3, True)
