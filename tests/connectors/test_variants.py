"""Requests nobody captured: each sender's scheme written down once more, apart from our code, and bent in every way."""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.connectors import get_connector
from bridge.connectors.base import Secret, SignatureInvalid, SourceOptions
from bridge.domain.delivery import HookRequest
from bridge.entrypoints.cli.vector_run import Row, run_file

AT = 1_790_000_000
URL = "https://crm.example.com/hooks/{}"
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
Headers = dict[str, str]
Sign = Callable[[str, bytes, int, str], Headers]


class Recipe(NamedTuple):
    """How a sender signs: `sign(secret, body, unix time, url)` gives its headers; `signature` is the one that holds it."""

    body: bytes
    sign: Sign
    signature: str
    is_hex: bool
    is_timed: bool = True
    content: Headers = JSON
    secret: str = "a signing secret: 0123456789"
    other: str = "another secret: 9876543210"
    covers_body: bool = True


def mac(secret: str | bytes, message: bytes, name: str = "sha256") -> bytes:
    return hmac.new(secret.encode() if isinstance(secret, str) else secret, message, name).digest()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def standard(secret: str, body: bytes, at: int, prefix: str) -> Headers:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = b64(mac(key, f"msg_1.{at}.".encode() + body))
    return {f"{prefix}-Id": "msg_1", f"{prefix}-Timestamp": str(at), f"{prefix}-Signature": f"v1,{signature}"}


def twilio(secret: str, body: bytes, _: int, url: str) -> Headers:
    form = "".join(key + value for key, value in sorted(set(parse_qsl(body.decode(), keep_blank_values=True))))
    return {"X-Twilio-Signature": b64(mac(secret, (url + form).encode(), "sha1"))}


def basic(secret: str, _: bytes, __: int, ___: str) -> Headers:
    return {"Authorization": "Basic " + b64(secret.encode())}


KEY = "the-key-1234"
WHSEC = "whsec_" + b64(bytes(range(32)))
OTHER_WHSEC = "whsec_" + b64(bytes(range(1, 33)))
LEAD = json.dumps(
    {"name": "José Ñandú", "phone": "512-555-0142", "note": "ünï \\u00e9 \x7f"}, ensure_ascii=False
).encode()
EVENT = b'{"event": "invitee.created", "payload": {"uri": "https://api/1", "name": "Ann", "email": "a@example.com"}}'
RECIPES: dict[str, Recipe] = {
    "typeform": Recipe(
        b'{"event_id": "1", "event_type": "form_response", "form_response": {"token": "t", "answers": []}}',
        lambda s, b, t, u: {"Typeform-Signature": "sha256=" + b64(mac(s, b))}, "Typeform-Signature", False, False,
    ),
    "tally": Recipe(
        b'{"eventId": "1", "eventType": "FORM_RESPONSE", "data": {"fields": []}}',
        lambda s, b, t, u: {"Tally-Signature": b64(mac(s, b))}, "Tally-Signature", False, False,
    ),
    "formstack": Recipe(
        b"FormID=1&UniqueID=2&Name+%28First%29=Ann&Email=a%40example.com",
        lambda s, b, t, u: {"X-FS-Signature": "sha256=" + mac(s, b).hex()}, "X-FS-Signature", True, False, FORM,
    ),
    "wpforms": Recipe(
        b'{"form": {"id": 1}, "entry": {"id": 2}, "fields": {}}',
        lambda s, b, t, u: {"X-WPForms-Signature": mac(s, b).hex(), "X-WPForms-Timestamp": str(t)}, "X-WPForms-Signature", True, False,
    ),
    "webflow": Recipe(
        b'{"triggerType": "form_submission", "payload": {"id": "1", "data": {"Name": "Ann"}}}',
        lambda s, b, t, u: {"x-webflow-timestamp": f"{t}000", "x-webflow-signature": mac(s, f"{t}000:".encode() + b).hex()},
        "x-webflow-signature", True,
    ),
    "calendly": Recipe(
        EVENT, lambda s, b, t, u: {"Calendly-Webhook-Signature": f"t={t},v1={mac(s, f'{t}.'.encode() + b).hex()}"},
        "Calendly-Webhook-Signature", True,
    ),
    "cal-com": Recipe(
        b'{"triggerEvent": "BOOKING_CREATED", "createdAt": "2026-01-01", "payload": {"uid": "1", "attendees": []}}',
        lambda s, b, t, u: {"X-Cal-Signature-256": mac(s, b).hex()}, "X-Cal-Signature-256", True, False,
    ),
    "meta-lead-ads": Recipe(
        b'{"object": "page", "entry": [{"changes": [{"field": "leadgen", "value": {"leadgen_id": "9"}}]}]}',
        lambda s, b, t, u: {"X-Hub-Signature-256": "sha256=" + mac(s, b).hex(), "X-Hub-Signature": "sha1=" + mac(s, b, "sha1").hex()},
        "X-Hub-Signature-256", True, False,
    ),
    "github-style": Recipe(
        LEAD, lambda s, b, t, u: {"X-Hub-Signature-256": "sha256=" + mac(s, b).hex()}, "X-Hub-Signature-256", True, False,
    ),
    "stripe-style": Recipe(
        LEAD, lambda s, b, t, u: {"Stripe-Signature": f"t={t},v0=00,v1={mac(s, f'{t}.'.encode() + b).hex()}"}, "Stripe-Signature", True,
        secret="whsec_verbatim_not_base64",
    ),
    "tiktok-lead-gen": Recipe(
        LEAD, lambda s, b, t, u: {"TikTok-Signature": f"t={t},s={mac(s, f'{t}.'.encode() + b).hex()}"}, "TikTok-Signature", True,
    ),
    "callrail": Recipe(
        b'{"id": 1, "customer_phone_number": "+15125550142"}',
        lambda s, b, t, u: {"Signature": b64(mac(s, b, "sha1"))}, "Signature", False, False,
    ),
    "calltrackingmetrics": Recipe(
        b'{"id": 1, "caller_number": "+15125550142"}',
        lambda s, b, t, u: {"X-CTM-Time": str(t), "X-CTM-Signature": b64(mac(s, str(t).encode() + b, "sha1"))}, "X-CTM-Signature", False,
    ),
    "twilio": Recipe(
        urlencode({"MessageSid": "SM1", "From": "+15125550142", "To": "+15125550100", "Body": "Hola ¿qué tal?", "Empty": ""}).encode(),
        twilio, "X-Twilio-Signature", False, False, FORM,
    ),
    "podium": Recipe(
        b'{"data": {"body": "hi"}, "metadata": {"eventType": "message.received"}}',
        lambda s, b, t, u: {"podium-timestamp": str(t), "podium-signature": mac(s, f"{t}.".encode() + b).hex()}, "podium-signature", True,
    ),
    "klaviyo": Recipe(
        b'{"meta": {"klaviyo_webhook_id": "1"}, "data": [{"topic": "event:klaviyo.subscribed", "payload": {}}]}',
        lambda s, b, t, u: {
            "Klaviyo-Timestamp": (stamp := format_datetime(datetime.fromtimestamp(t, UTC), usegmt=True)),
            "Klaviyo-Signature": mac(s, b + stamp.encode()).hex(), "Klaviyo-Webhook-Id": "1",
        },
        "Klaviyo-Signature", True,
    ),
    "jobber": Recipe(
        b'{"data": {"webHookEvent": {"topic": "CLIENT_CREATE", "accountId": "a", "itemId": "i", "occurredAt": "2026-01-01"}}}',
        lambda s, b, t, u: {"X-Jobber-Hmac-SHA256": b64(mac(s, b))}, "X-Jobber-Hmac-SHA256", False, False,
    ),
    "housecall-pro": Recipe(
        b'{"event": "customer.created", "company_id": "c", "customer": {"id": "cus_1", "first_name": "Ann"}}',
        lambda s, b, t, u: {"Api-Timestamp": str(t), "Api-Signature": mac(s, f"{t}.".encode() + b).hex()}, "Api-Signature", True,
    ),
    "hubspot": Recipe(
        b'[{"eventId": 1, "subscriptionId": 2, "portalId": 3, "occurredAt": 4, "objectId": 5, "subscriptionType": "contact.creation"}]',
        lambda s, b, t, u: {
            "X-HubSpot-Request-Timestamp": f"{t}000", "X-HubSpot-Signature-v3": b64(mac(s, f"POST{u}".encode() + b + f"{t}000".encode())),
        },
        "X-HubSpot-Signature-v3", False,
    ),
    "standard-webhooks": Recipe(
        LEAD, lambda s, b, t, u: standard(s, b, t, "Webhook"), "Webhook-Signature", False, secret=WHSEC, other=OTHER_WHSEC,
    ),
    "svix": Recipe(LEAD, lambda s, b, t, u: standard(s, b, t, "Svix"), "Svix-Signature", False, secret=WHSEC, other=OTHER_WHSEC),
    "google-forms-apps-script": Recipe(
        LEAD, lambda s, b, t, u: standard(s, b, t, "Webhook"), "Webhook-Signature", False, secret=WHSEC, other=OTHER_WHSEC,
    ),
    "angi": Recipe(
        b'{"leadOid": 1, "name": "Ann"}', lambda s, b, t, u: {"X-API-Key": s}, "X-API-Key", False, False, covers_body=False,
    ),
    "thumbtack": Recipe(
        b'{"event": {"eventType": "NegotiationCreatedV4"}, "data": {"negotiationID": "1"}}', basic, "Authorization", False, False,
        secret="user:pass:with:colons", other="user:pass", covers_body=False,
    ),
    "pipedrive": Recipe(
        b'{"meta": {"action": "create", "entity": "person", "id": 1}, "data": {"name": "Ann"}}', basic, "Authorization", False, False,
        secret="u:p", other="u:q", covers_body=False,
    ),
    "zapier-make-generic": Recipe(
        LEAD, lambda s, b, t, u: {"Authorization": f"Bearer {s}"}, "Authorization", False, False, secret="tok-1234567890",
        other="tok-1234567891", covers_body=False,
    ),
}  # fmt: skip


def vector(provider: str, recipe: Recipe, **changed: Any) -> dict[str, Any]:
    """Return a good vector; `changed` replaces parts of it."""
    url = URL.format(provider)
    headers = recipe.content | recipe.sign(recipe.secret, recipe.body, AT, url)
    made = {
        "provider": provider, "case": "made", "method": "POST", "url": url, "headers": headers, "body": recipe.body.decode(),
        "secret": recipe.secret, "verify_at_unix": AT,
    }  # fmt: skip
    return made | changed


def bent(provider: str, recipe: Recipe) -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Yield a name, a vector and whether it must be believed."""
    good = vector(provider, recipe)
    headers, name = good["headers"], recipe.signature
    value = headers[name]

    yield "good", good, True
    yield "lower-case names", good | {"headers": {key.lower(): one for key, one in headers.items()}}, True
    yield "upper-case names", good | {"headers": {key.upper(): one for key, one in headers.items()}}, True
    yield "header pairs", good | {"headers": [[key, one] for key, one in headers.items()]}, True
    yield "base64 body", good | {"body": b64(recipe.body), "body_encoding": "base64"}, True
    yield "rotation, old first", good | {"secret": [recipe.other, recipe.secret]}, True
    yield "rotation, new first", good | {"secret": [recipe.secret, recipe.other]}, True
    yield "another secret", good | {"secret": recipe.other}, False
    yield "empty secret", good | {"secret": ""}, False
    yield "placeholder secret", good | {"secret": "N/A"}, False
    yield "blanks around", good | {"headers": headers | {name: f" {value}\t"}}, True
    yield "missing", good | {"headers": {key: one for key, one in headers.items() if key != name}}, False
    yield "empty", good | {"headers": headers | {name: ""}}, False
    yield "placeholder", good | {"headers": headers | {name: "N/A"}}, False
    yield "no-secret-provided", good | {"headers": headers | {name: "no-secret-provided"}}, False
    yield "twice the same", good | {"headers": headers | {name: [value, value]}}, False
    yield "twice, one wrong", good | {"headers": [*headers.items(), [name.lower(), "x"]]}, False
    yield "cut", good | {"headers": headers | {name: value[:-2]}}, False
    yield "longer", good | {"headers": headers | {name: value + "00"}}, False
    last = value.rstrip("=,v0")
    yield (
        "one letter other",
        good | {"headers": headers | {name: last[:-1] + ("A" if last[-1] not in "Aa" else "B") + value[len(last) :]}},
        False,
    )
    if recipe.covers_body:
        yield (
            "tampered body",
            good | {"body": recipe.body.decode().replace("1", "7", 1).replace("512", "513") + " "},
            False,
        )
        yield "empty body", good | {"body": ""}, False
        yield "line end added", good | {"body": recipe.body.decode() + "\n"}, False
    if recipe.is_hex:
        head, joint, rest = value.rpartition("=") if "=" in value and "," not in value else ("", "", value)
        if "," not in value:
            yield "upper-case hex", good | {"headers": headers | {name: head + joint + rest.upper()}}, True
    if recipe.is_timed:
        for seconds, believed in (
            (290, True),
            (-290, True),
            (310, False),
            (-310, False),
            (86_400, False),
            (-86_400, False),
        ):
            yield f"{seconds} s later", good | {"verify_at_unix": AT + seconds}, believed


def run(folder: Path, made: dict[str, Any]) -> Row:
    path = folder / "made.json"
    path.write_text(json.dumps(made))
    return run_file(path, name="made.json", provider=made["provider"])


@pytest.mark.parametrize("provider", RECIPES)
def test_every_verdict_is_what_the_scheme_says(provider: str, tmp_path: Path) -> None:
    wrong = []
    for name, made, believed in bent(provider, RECIPES[provider]):
        row = run(tmp_path, made)
        if row.error or (row.verdict == "valid") is not believed:
            wrong.append((name, row.verdict, row.reason, row.detail, row.error))
    assert wrong == []


def test_a_right_old_signature_does_not_save_a_wrong_new_one(tmp_path: Path) -> None:
    hubspot = vector("hubspot", recipe := RECIPES["hubspot"])
    old = {
        "X-HubSpot-Signature": hashlib.sha256(recipe.secret.encode() + recipe.body).hexdigest(),
        "X-HubSpot-Signature-Version": "v1",
    }
    assert run(tmp_path, hubspot | {"headers": hubspot["headers"] | old}).reason == "hubspot-v3"
    broken = hubspot["headers"] | old | {"X-HubSpot-Signature-v3": b64(bytes(32))}
    assert run(tmp_path, hubspot | {"headers": broken}).verdict == "invalid"
    without = {name: value for name, value in (JSON | old).items() if "v3" not in name}
    assert run(tmp_path, hubspot | {"headers": without}).reason == "hubspot-v1"
    meta = vector("meta-lead-ads", RECIPES["meta-lead-ads"])
    legacy = {name: value for name, value in meta["headers"].items() if name != "X-Hub-Signature-256"}
    assert run(tmp_path, meta | {"headers": legacy}).verdict == "invalid"


def test_urls_are_signed_as_the_sender_knows_them(tmp_path: Path) -> None:
    for provider, recipe in (("hubspot", RECIPES["hubspot"]), ("twilio", RECIPES["twilio"])):
        for url in ("https://crm.example.com/hooks/a?x=1&y=%20", "https://crm.example.com/hooks/a/b"):
            headers = recipe.content | recipe.sign(recipe.secret, recipe.body, AT, url)
            assert run(tmp_path, vector(provider, recipe, url=url, headers=headers)).verdict == "valid", (provider, url)
            other = vector(provider, recipe, url=url.replace("/a", "/c"), headers=headers)
            assert run(tmp_path, other).verdict == "invalid"
    # HubSpot undoes some escapes before it signs, and not others.
    recipe = RECIPES["hubspot"]
    asked, signed = "https://crm.example.com/hooks/a?u=a%40b%2Fc%20d%3A", "https://crm.example.com/hooks/a?u=a@b/c%20d:"
    headers = recipe.content | recipe.sign(recipe.secret, recipe.body, AT, signed)
    assert run(tmp_path, vector("hubspot", recipe, url=asked, headers=headers)).verdict == "valid"


def highlevel(key: Any, made: bytes, header: str, body: bytes) -> dict[str, Any]:
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return {
        "provider": "gohighlevel", "method": "POST", "headers": JSON | {header: b64(made)}, "body": body.decode(),
        "secret": public.decode(), "verify_at_unix": AT,
    }  # fmt: skip


def test_highlevel_with_keys_of_our_own(tmp_path: Path) -> None:
    body = b'{"type": "ContactCreate", "locationId": "l", "id": "c", "firstName": "Ann", "webhookId": "w"}'
    ed, ring = Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)
    new = highlevel(ed, ed.sign(body), "X-GHL-Signature", body)
    old = highlevel(ring, ring.sign(body, padding.PKCS1v15(), hashes.SHA256()), "X-WH-Signature", body)
    assert run(tmp_path, new).reason == "highlevel-ed25519"
    assert run(tmp_path, old).reason == "highlevel-rsa"
    both = old | {"headers": old["headers"] | {"X-GHL-Signature": "N/A"}, "secret": [old["secret"], new["secret"]]}
    assert run(tmp_path, both).verdict == "invalid"
    for made in (new, old):
        assert run(tmp_path, made | {"body": body.decode() + " "}).verdict == "invalid"
        assert run(tmp_path, made | {"secret": new["secret"] if made is old else old["secret"]}).verdict == "invalid"
        swapped = {"X-GHL-Signature" if "X-WH-Signature" in made["headers"] else "X-WH-Signature": "AAAA"}
        assert run(tmp_path, made | {"headers": JSON | swapped}).verdict == "invalid"


def test_the_published_keys_of_highlevel_speak_for_named_accounts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    pem = ED.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    monkeypatch.setattr("bridge.connectors.highlevel.PUBLISHED_KEYS", (Secret("published", pem.decode()),))
    body = b'{"type": "ContactCreate", "locationId": "loc1", "id": "c", "webhookId": "w"}'
    headers = (("content-type", "application/json"), ("x-ghl-signature", b64(ED.sign(body))))
    request = HookRequest(method="POST", url=ASKED, headers=headers, body=body)
    now, connector = datetime.fromtimestamp(AT, UTC), get_connector("gohighlevel")

    def believed(**options: Any) -> str:
        try:
            return connector.verify(request, secrets=(), options=SourceOptions(options=options), now=now).secret_name
        except SignatureInvalid as found:
            return found.reason.value

    assert believed(location_ids=["loc1"]) == "published"
    assert believed(location_ids=["loc2"]) == "credentials_wrong"
    assert believed() == "credentials_wrong"


def test_secrets_that_stand_in_the_body(tmp_path: Path) -> None:
    google = {"lead_id": "1", "google_key": KEY, "user_column_data": [], "is_test": False}
    zoho = {"module": "Leads", "operation": "insert", "ids": ["1"], "token": KEY}
    for provider, body, field in (("google-ads-lead-form", google, "google_key"), ("zoho-crm", zoho, "token")):
        good = {"provider": provider, "method": "POST", "headers": JSON, "body": json.dumps(body), "secret": KEY}
        assert run(tmp_path, good).verdict == "valid"
        for wrong in ("the-key-1235", "", None, 7, ["the-key-1234x"], "THE-KEY-1234", " "):
            assert run(tmp_path, good | {"body": json.dumps(body | {field: wrong})}).verdict == "invalid", (
                provider,
                wrong,
            )
        assert run(tmp_path, good | {"secret": ["old-key-1234", KEY]}).verdict == "valid"
        assert run(tmp_path, good | {"body": "{"}).verdict == "invalid"


def test_salesforce_is_known_by_the_first_fifteen_letters_of_its_organization(tmp_path: Path) -> None:
    def made(organization: str, secret: str) -> dict[str, Any]:
        body = (
            '<?xml version="1.0"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body>'
            f'<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>{organization}</OrganizationId>'
            '<Notification><Id>04l1</Id><sObject xsi:type="sf:Lead" xmlns:sf="urn:sobject.enterprise.soap.sforce.com" '
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><sf:Id>00Q1</sf:Id><sf:LastName>Lopez</sf:LastName></sObject>'
            "</Notification></notifications></soapenv:Body></soapenv:Envelope>"
        )
        return {
            "provider": "salesforce",
            "method": "POST",
            "headers": {"Content-Type": "text/xml"},
            "body": body,
            "secret": secret,
        }

    fifteen, eighteen = "00D1I000000abcD", "00D1I000000abcDUAQ"
    for organization in (fifteen, eighteen):
        for secret in (fifteen, eighteen):
            row = run(tmp_path, made(organization, secret))
            assert row.verdict == "valid"
            assert b"true" in row.reply["body"].encode()
    for organization, secret in (
        ("00D1I000000abcE", fifteen),
        ("00D1I000000ABCD", fifteen),
        ("", fifteen),
        (fifteen[:10], fifteen),
    ):
        assert run(tmp_path, made(organization, secret)).verdict == "invalid"


@pytest.mark.parametrize(
    "provider", ["angi", "fillout", "gravity-forms", "gohighlevel", "klaviyo", "zapier-make-generic", "elementor"]
)
def test_a_shared_value_may_stand_in_a_header_of_any_name(provider: str, tmp_path: Path) -> None:
    good = {"provider": provider, "method": "POST", "url": URL.format(provider), "body": "{}", "secret": KEY}
    assert run(tmp_path, good | {"headers": JSON | {"X-Agreed-At-Set-Up": KEY}}).verdict == "valid"
    assert run(tmp_path, good | {"headers": JSON | {"X-Agreed-At-Set-Up": KEY + "5"}}).reason == "signature_missing"
    assert run(tmp_path, good | {"headers": JSON | {"X-Agreed-At-Set-Up": [KEY, KEY]}}).verdict == "invalid"
    assert run(tmp_path, good | {"headers": JSON | {"X-Api-Key": [KEY, KEY]}}).reason == "signature_duplicated"
    for url in (f"?token={KEY}", f"?whatever={KEY}", f"/{KEY}"):
        assert run(tmp_path, good | {"headers": JSON, "url": good["url"] + url}).verdict == "valid", url


def test_googles_key_counts_in_the_body_alone(tmp_path: Path) -> None:
    made = {"provider": "google-ads-lead-form", "method": "POST", "url": URL.format(f"google?key={KEY}"), "secret": KEY}
    assert run(tmp_path, made | {"headers": JSON | {"X-Api-Key": KEY}, "body": '{"lead_id": "1"}'}).verdict == "invalid"


def test_a_thin_payload_says_what_is_missing_and_where_it_would_be_fetched(tmp_path: Path) -> None:
    row = run(tmp_path, vector("meta-lead-ads", RECIPES["meta-lead-ads"]))
    assert [part["reason"] for part in row.skipped] == ["hydration_missing"]
    assert row.fetches[0].startswith("GET https://graph.facebook.com/v23.0/9?fields=")


ED = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ED_PUBLIC = ED.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
EC, ES256 = ec.derive_private_key(7, ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
EC_PUBLIC = b64(
    EC.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
)
RAW, SAID, T = bytes(range(32)), "topsecret-1234", str(AT)
HTTP_DATE = format_datetime(datetime.fromtimestamp(AT, UTC), usegmt=True)
ISO_DATE = datetime.fromtimestamp(AT, UTC).isoformat()
ASKED = URL.format("generic-hmac")
DESCRIBED: list[tuple[str | None, Headers, str]] = [
    ("hmac sha1 hex over raw body", {"X-Signature": mac(SAID, LEAD, "sha1").hex()}, SAID),
    ("hmac sha1 base64 over raw body", {"X-Hmac": b64(mac(SAID, LEAD, "sha1"))}, SAID),
    ("hmac sha384 hex over raw body", {"X-Sig": mac(SAID, LEAD, "sha384").hex()}, SAID),
    ("hmac sha256", {"X-Signature": mac(SAID, LEAD).hex()}, SAID),
    ("hmac sha256", {"X-Signature": b64(mac(SAID, LEAD))}, SAID),
    ("hmac", {"X-Signature": b64(mac(SAID, LEAD, "sha512"))}, SAID),
    (None, {"X-Signature": mac(SAID, LEAD, "sha512").hex()}, SAID),
    ("sha1=<hex hmac-sha1 raw body>", {"X-Hub-Signature": "sha1=" + mac(SAID, LEAD, "sha1").hex()}, SAID),
    ("hmac sha256 hex over raw body, header X-Acme-Sig", {"X-Sign": "zz", "X-Acme-Sig": mac(SAID, LEAD).hex()}, SAID),
    ("hmac sha256 hex (header: Authorization)", {"Authorization": "HMAC " + mac(SAID, LEAD).hex()}, SAID),
    (
        'HMAC-SHA256 hex of timestamp + "." + raw body; X-Timestamp in seconds',
        {"X-Timestamp": T, "X-Signature": mac(SAID, f"{T}.".encode() + LEAD).hex()}, SAID,
    ),
    ("hex(hmac-sha256(secret, timestamp.body))", {"X-Timestamp": T, "X-Signature": mac(SAID, f"{T}.".encode() + LEAD).hex()}, SAID),
    ("hex(hmac-sha256(secret, X-Timestamp + raw body))", {"X-Timestamp": T, "X-Signature": mac(SAID, T.encode() + LEAD).hex()}, SAID),
    (
        "hmac sha256 hex over timestamp.body, timestamp in ms",
        {"X-Timestamp": f"{T}000", "X-Signature": mac(SAID, f"{T}000.".encode() + LEAD).hex()}, SAID,
    ),
    ("base64(hmac-sha256(secret, raw body + X-Date))", {"X-Date": HTTP_DATE, "X-Signature": b64(mac(SAID, LEAD + HTTP_DATE.encode()))}, SAID),
    ("hex(hmac-sha256(secret, timestamp + body))", {"X-Timestamp": ISO_DATE, "X-Signature": mac(SAID, ISO_DATE.encode() + LEAD).hex()}, SAID),
    ('t=,v1=hex(hmac-sha256(secret, t + "." + raw body))', {"X-Signature": f"t={T},v1={mac(SAID, f'{T}.'.encode() + LEAD).hex()}"}, SAID),
    ("t=,s= list; hmac sha256 hex over t.body", {"X-Signature": f"t={T},s={mac(SAID, f'{T}.'.encode() + LEAD).hex()}"}, SAID),
    (
        "hmac sha256 base64 over id.timestamp.body",
        {"X-Webhook-Id": "m1", "X-Webhook-Timestamp": T, "X-Webhook-Signature": b64(mac(SAID, f"m1.{T}.".encode() + LEAD))}, SAID,
    ),
    ("hex(hmac-sha256(secret, method + url + body))", {"X-Signature": mac(SAID, f"POST{ASKED}".encode() + LEAD).hex()}, SAID),
    ("base64(hmac-sha256(base64-decoded secret, raw body))", {"X-Signature": b64(mac(RAW, LEAD))}, b64(RAW)),
    ("base64(hmac-sha256(hex-decoded secret, raw body))", {"X-Signature": b64(mac(RAW, LEAD))}, RAW.hex()),
    ("hmac sha256 hex over raw body; secret is base64", {"X-Signature": mac(RAW, LEAD).hex()}, b64(RAW)),
    (
        'hex(hmac-sha256(secret, "v0:" + timestamp + ":" + raw body)) with prefix v0=',
        {"X-Slack-Request-Timestamp": T, "X-Slack-Signature": "v0=" + mac(SAID, f"v0:{T}:".encode() + LEAD).hex()}, SAID,
    ),
    (
        "whsec_ secret: base64(hmac-sha256(key, id.timestamp.body))",
        {"Webhook-Id": "m1", "Webhook-Timestamp": T, "Webhook-Signature": "v1," + b64(mac(RAW, f"m1.{T}.".encode() + LEAD))},
        "whsec_" + b64(RAW),
    ),
    (
        "hex(ed25519(timestamp + raw body))",
        {"X-Signature-Timestamp": T, "X-Signature-Ed25519": ED.sign(T.encode() + LEAD).hex()}, ED_PUBLIC.hex(),
    ),
    ("base64(ed25519(raw body))", {"X-Signature": b64(ED.sign(LEAD))}, b64(ED_PUBLIC)),
    ("base64url(hmac-sha256(secret, raw body))", {"X-Signature": base64.urlsafe_b64encode(mac(SAID, LEAD)).decode().rstrip("=")}, SAID),
    (
        "base64(ecdsa-p256-sha256(timestamp + body)), public key in base64",
        {"X-Twilio-Email-Event-Webhook-Timestamp": T, "X-Twilio-Email-Event-Webhook-Signature": b64(EC.sign(T.encode() + LEAD, ES256))}, EC_PUBLIC,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("said", "headers", "secret"), DESCRIBED)
def test_a_generic_source_is_set_up_from_what_its_sender_says(
    said: str | None, headers: Headers, secret: str, tmp_path: Path
) -> None:
    made = {
        "provider": "generic-hmac", "method": "POST", "url": ASKED, "headers": JSON | headers, "body": LEAD.decode(),
        "secret": secret, "verify_at_unix": AT, "scheme": said,
    }  # fmt: skip
    row = run(tmp_path, made)
    assert (row.verdict, row.detail) == ("valid", "")
    assert run(tmp_path, made | {"body": LEAD.decode() + " "}).verdict == "invalid"
    assert run(tmp_path, made | {"secret": [secret[:-2] + "00", secret]}).verdict == "valid"
    if said and re.search(r"timestamp|X-Date|t=", said):
        assert run(tmp_path, made | {"verify_at_unix": AT + 300}).verdict == "valid"
        assert run(tmp_path, made | {"verify_at_unix": AT + 301}).verdict == "invalid"
        assert run(tmp_path, made | {"verify_at_unix": AT - 301}).verdict == "invalid"


def test_an_app_of_highlevel_without_locations_is_a_fault_of_the_config() -> None:
    connector = get_connector("gohighlevel")
    named = SourceOptions(options={"location_ids": ["L1"]})
    assert [fault.partition(":")[0] for fault in connector.faults(secrets=(), options=SourceOptions())] == [
        "options.location_ids"
    ]
    assert not connector.faults(secrets=(), options=named)
    assert not connector.faults(secrets=(Secret("w", "a-secret-of-the-tests-1"),), options=SourceOptions())
