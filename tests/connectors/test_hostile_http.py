"""The hostile suite as the net brings it: every connector behind the real application, over HTTP, with nothing stored that is not proved.

What a connector does with such requests is told by `test_hostile.py`; here the statuses are, and what the database holds.
"""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import httpx
import msgspec
import psycopg
import pytest

from bridge import connectors
from bridge.bootstrap import source_faults
from bridge.connectors import kinds
from bridge.connectors.base import PayloadMalformed, Secret, SignatureInvalid
from bridge.db.database import Database
from bridge.domain.delivery import HookRequest
from bridge.entrypoints.serve import Application
from bridge.settings import Settings, load_texts
from tests.connectors.casefiles import SECRETS, Case, paths
from tests.connectors.test_hostile import BODIES, SIGNED, TIMED, first_case, proof_headers, with_body, with_headers
from tests.planning.house import House

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

ALL = kinds()
ORGANIZATION = b"00D000000000001"
SECOND = {
    "standard-webhooks": "whsec_" + "c2Vjb25k" * 5, "svix": "whsec_" + "c2Vjb25k" * 5, "google-forms-apps-script": "whsec_" + "c2Vjb25k" * 5,
    "salesforce": "00D000000000002",
}  # fmt: skip
THIRD = {**dict.fromkeys(SECOND, "whsec_" + "dGhpcmQh" * 5), "salesforce": "00D000000000003"}


def value(kind: str, known: dict[str, str], usual: str) -> str:
    return known.get(kind, usual)


def environ() -> dict[str, str]:
    found = {}
    for kind in ALL:
        found[f"{name_of(kind)}_OLD"] = value(kind, SECRETS, "a-secret-of-the-tests-1")
        found[f"{name_of(kind)}_NEW"] = value(kind, SECOND, "a-second-secret-of-the-tests")
    return found


def name_of(kind: str) -> str:
    return kind.upper().replace("-", "_")


@functools.cache
def config() -> str:
    lines = [
        "server: {public_url: 'https://crm.example.com'}",
        "tenants:",
        "  acme: {tenant_id: 7, environment: simulator}",
        "sources:",
    ]
    for kind in ALL:
        options = msgspec.json.encode(first_case(kind).options.options).decode()
        secrets = ", ".join(f"{{env: {name_of(kind)}_{one}, name: {one.lower()}}}" for one in ("OLD", "NEW"))
        lines.append(f"  {kind}: {{connector: {kind}, tenant: acme, secrets: [{secrets}], options: {options}}}")
    return "\n".join(lines)


def loaded(environment: dict[str, str]) -> Settings | tuple[object, ...]:
    return load_texts({"c.yaml": config()}, environment, kinds=connectors.kinds(), inspect=source_faults)  # type: ignore[return-value]


@functools.cache
def usual() -> Settings:
    settings = loaded(environ())
    assert isinstance(settings, Settings), settings
    return settings


class Hooks(NamedTuple):
    """The running application as senders and the database see it."""

    client: httpx.AsyncClient
    dsn: str
    running: Application

    async def post(self, request: HookRequest) -> httpx.Response:
        headers = [(name.encode(), content.encode()) for name, content in request.headers]
        return await self.client.request(request.method, request.url, headers=headers, content=request.body)

    def stored(self) -> int:
        with psycopg.connect(self.dsn) as connection:
            (count,) = connection.execute("SELECT count(*) FROM deliveries").fetchone() or (0,)
        return int(count)


@pytest.fixture
async def hooks(database_dsn: str) -> AsyncIterator[Hooks]:
    running = Application(usual(), dsn=database_dsn)
    app = running.build()
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    async with running._lifespan(app), httpx.AsyncClient(transport=transport) as client:
        yield Hooks(client, database_dsn, running)


def proved(case: Case, *, secret: str = "", later: float = 0, body: bytes | None = None) -> HookRequest:
    request = case.request if body is None else with_body(case.request, body)
    if case.kind == "salesforce" and secret:
        request = with_body(request, request.body.replace(ORGANIZATION, secret.encode()))
    known = secret or value(case.kind, SECRETS, "a-secret-of-the-tests-1")
    now = datetime.now(UTC) + timedelta(seconds=later)
    return case.connector.prove(request, secret=Secret("s", known), options=case.options, now=now)


def bare(case: Case) -> HookRequest:
    request = case.request
    return with_body(request, request.body.replace(ORGANIZATION, b"").replace(b"google_key", b"other_key"))


def changed_bodies(case: Case) -> Iterator[HookRequest]:
    request = proved(case)
    for place in (0, len(request.body) // 2, len(request.body) - 1):
        flipped = request.body[:place] + bytes([request.body[place] ^ 1]) + request.body[place + 1 :]
        yield with_body(request, flipped)


def changed_headers(case: Case) -> Iterator[HookRequest]:
    request = proved(case)
    for name in proof_headers(case):
        for place in (0, -1, 9):
            pairs = []
            for key, said in request.headers:
                letter = said[place : place + 1 or None] if key == name else ""
                other = ("1" if letter.isalpha() else "b") if letter else ""
                at = len(said) + place if place < 0 else place
                pairs.append((key, said[:at] + other + said[at + 1 :] if letter else said))
            if tuple(pairs) != request.headers:
                yield with_headers(request, pairs)


def repeated_headers(case: Case) -> Iterator[HookRequest]:
    request = proved(case)
    for name in proof_headers(case):
        if not name.endswith("-version"):
            yield with_headers(request, [*request.headers, (name, dict(request.headers)[name])])


def moved(seconds: float) -> Callable[[Case], Iterator[HookRequest]]:
    return lambda case: iter([proved(case, later=seconds)])


ATTACKS: dict[str, tuple[tuple[str, ...] | list[str], Callable[[Case], Iterator[HookRequest]]]] = {
    "no signature": (ALL, lambda case: iter([bare(case)])),
    "wrong secret": (ALL, lambda case: iter([proved(case, secret=value(case.kind, THIRD, "a-third-secret"))])),
    "a changed byte of the body": (SIGNED, changed_bodies),
    "a changed letter of a proof": (ALL, changed_headers),
    "a repeated proof": (ALL, repeated_headers),
    "a time long ago": (TIMED, moved(-303)),
    "a time to come": (TIMED, moved(303)),
}


@pytest.mark.parametrize("attack", sorted(ATTACKS))
async def test_what_is_not_proved_is_refused_and_stored_nowhere(attack: str, hooks: Hooks) -> None:
    who, requests = ATTACKS[attack]
    wrong, asked = [], 0
    for kind in who:
        for request in requests(first_case(kind)):
            answer = await hooks.post(request)
            asked += 1
            if answer.status_code != 401 or not answer.json()["remedy"]:
                wrong.append((kind, answer.status_code, answer.text[:200]))
    assert wrong == []
    assert asked >= len(who)
    assert hooks.stored() == 0


async def test_both_secrets_open_the_door_during_a_rotation_and_the_one_used_is_counted(hooks: Hooks) -> None:
    wrong = []
    for kind in ALL:
        case = first_case(kind)
        for secret in ("", value(kind, SECOND, "a-second-secret-of-the-tests")):
            answer = await hooks.post(proved(case, secret=secret))
            if not 200 <= answer.status_code < 300:
                wrong.append((kind, answer.status_code, answer.text[:200]))
    assert wrong == []
    wanted = sorted((kind, name) for kind in ALL for name in ("old", "new"))
    rows: list[tuple[str, str]] = []
    async with asyncio.timeout(30):
        while sorted(rows) != wanted:  # the application writes them beside, once a second
            await asyncio.sleep(0.2)
            with psycopg.connect(hooks.dsn) as connection:
                rows = connection.execute("SELECT source_id, secret_name FROM secret_uses").fetchall()


async def test_ten_megabytes_are_refused_unread(hooks: Hooks) -> None:
    for kind in ALL:
        answer = await hooks.post(
            proved(first_case(kind), body=BODIES["ten megabytes"])
            if kind in SIGNED
            else with_body(bare(first_case(kind)), BODIES["ten megabytes"])
        )
        assert (answer.status_code, answer.json()["reason"]) == (413, "body_too_large"), kind
    assert hooks.stored() == 0


@pytest.mark.parametrize(
    "name",
    ["deep nesting", "deep lists", "invalid utf-8", "NUL", "raw NUL", "ten thousand fields", "a hundred thousand fields", "ten thousand keys",
     "ten thousand parts", "entity bomb", "lone surrogate", "empty", "bad escapes", "wide characters", "numbers for texts"],
)  # fmt: skip
async def test_a_proved_body_that_is_hostile_is_stored_or_refused_and_breaks_nothing(
    name: str, hooks: Hooks, database: Database
) -> None:
    wrong, accepted = [], 0
    for kind in ALL:
        case = first_case(kind)
        for content_type in sorted({*case.connector.content_types, "application/json"}):
            answer = await hooks.post(signed_if_possible(case, BODIES[name], content_type))
            accepted += answer.status_code in (200, 202)
            if answer.status_code not in (200, 202, 400, 401, 413, 415):
                wrong.append((kind, content_type, answer.status_code, answer.text[:200]))
    assert wrong == []
    assert hooks.stored() <= accepted
    assert accepted or name in ("deep lists", "a hundred thousand fields", "entity bomb"), "nothing of it came in"
    settings = usual()
    house = await House(database, settings).open()
    for _ in range(4):
        await house.decide()
    assert await house.rows("SELECT count(*) FROM delivery_queue") == [(0,)]
    failed = "SELECT source_id, reason, sentence FROM delivery_states WHERE reason = 'process_failed'"
    assert await house.rows(failed) == []


def signed_if_possible(case: Case, body: bytes, content_type: str) -> HookRequest:
    """Return a hostile body proved as its sender would; where a token cannot be put into such a body it comes unproved."""
    kept = [(key, said) for key, said in case.request.headers if key != "content-type"]
    said = f"{content_type}; boundary=b1" if "multipart" in content_type else content_type
    request = with_headers(with_body(case.request, body), [*kept, ("content-type", said)])
    try:
        secret = Secret("s", value(case.kind, SECRETS, "a-secret-of-the-tests-1"))
        return case.connector.prove(request, secret=secret, options=case.options, now=datetime.now(UTC))
    except (PayloadMalformed, SignatureInvalid, UnicodeDecodeError, ValueError):
        return request


STRANGE = {
    "typeform": (b'"form_response"', b'"form_sneezed"'), "webflow": (b'"form_submission"', b'"site_sneezed"'),
    "calendly": (b'"invitee.created"', b'"invitee.sneezed"'), "cal-com": (b'"BOOKING_CANCELLED"', b'"BOOKING_SNEEZED"'),
    "tally": (b'"FORM_RESPONSE"', b'"FORM_SNEEZE"'), "mailchimp": (b"type=", b"type=sneeze&was="), "jobber": (b'"CLIENT_CREATE"', b'"CLIENT_SNEEZE"'),
    "thumbtack": (b'CreatedV4"', b'SneezedV4"'), "gohighlevel": (b'"type":"', b'"type":"Sneezed'), "housecall-pro": (b'"customer.', b'"customer.sneezed_'),
    "pipedrive": (b'"action":"', b'"action":"sneezed_'), "whatconverts": (b'"trigger":"', b'"trigger":"sneeze_'),
}  # fmt: skip


async def test_a_message_of_a_kind_never_seen_is_stored_and_shown_as_such(hooks: Hooks, database: Database) -> None:
    for kind, (known, strange) in STRANGE.items():
        path = next(path for path in paths() if path.parent.name == kind and known in Case(path).request.body)
        case = Case(path)
        answer = await hooks.post(proved(case, body=case.request.body.replace(known, strange)))
        assert 200 <= answer.status_code < 300, (kind, answer.text)
    assert hooks.stored() == len(STRANGE)
    settings = loaded(environ())
    assert isinstance(settings, Settings)
    house = await House(database, settings).open()
    await house.decide()
    rows = await house.rows("SELECT source_id, state, reason FROM delivery_states ORDER BY source_id")
    assert rows == [(kind, "failed", "event_unsupported") for kind in sorted(STRANGE)]


@pytest.mark.parametrize("placeholder", ["", "N/A", "no-secret-provided", "${HOOK_SECRET}", "changeme", None])
def test_no_source_starts_with_a_secret_that_is_none(placeholder: str | None) -> None:
    given = {name: known for name, known in environ().items() if not name.endswith("_OLD")}
    if placeholder is not None:
        given |= {f"{name_of(kind)}_OLD": placeholder for kind in ALL}
    faults = loaded(given)
    assert not isinstance(faults, Settings)
    refused = {kind for kind in ALL if any(f"sources.{kind}." in str(getattr(one, "path", one)) for one in faults)}
    assert refused == set(ALL)
