"""One hostile suite for all connectors: what is not proved changes nothing, and nothing sent to a hook breaks the program."""

import gzip
from collections.abc import Callable, Iterator
from datetime import timedelta

import msgspec
import pytest

from bridge.connectors import get_connector, kinds
from bridge.connectors.base import PayloadMalformed, Secret, SignatureInvalid, SourceOptions, Verified
from bridge.connectors.payloads import without_nul
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.ids import DeliveryId, SourceId, TenantId
from bridge.domain.reasons import Reason
from tests.connectors.casefiles import NOW, Case, paths, secret_for

pytestmark = pytest.mark.slow

ALL = kinds()


def first_case(kind: str) -> Case:
    return Case(next(path for path in paths() if path.parent.name == kind))


def believed(case: Case, request: HookRequest, *, secrets: tuple[Secret, ...] | None = None, later: float = 0) -> str:
    """Return the name of the secret; what a source has prepared for its requests must say the same of each."""
    given, now = (secret_for(case.kind),) if secrets is None else secrets, NOW + timedelta(seconds=later)
    found = said_by(lambda: case.connector.verify(request, secrets=given, options=case.options, now=now))
    prepared = said_by(lambda: case.connector.verifier(secrets=given, options=case.options)(request, now))
    if isinstance(found, SignatureInvalid):
        assert isinstance(prepared, SignatureInvalid)
        assert (prepared.reason, prepared.detail) == (found.reason, found.detail)
        raise found
    assert prepared == found
    return found.secret_name


def said_by(check: Callable[[], Verified]) -> Verified | SignatureInvalid:
    try:
        return check()
    except SignatureInvalid as no:
        return no


def refused(case: Case, request: HookRequest, *, secrets: tuple[Secret, ...] | None = None, later: float = 0) -> Reason:
    with pytest.raises(SignatureInvalid) as found:
        believed(case, request, secrets=secrets, later=later)
    return found.value.reason


def proof_headers(case: Case) -> list[str]:
    before = {name for name, _ in case.request.headers}
    return [name for name, _ in case.signed.headers if name not in before]


def with_headers(request: HookRequest, headers: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> HookRequest:
    return HookRequest(method=request.method, url=request.url, headers=tuple(headers), body=request.body)


def with_body(request: HookRequest, body: bytes) -> HookRequest:
    return HookRequest(method=request.method, url=request.url, headers=request.headers, body=body)


@pytest.mark.parametrize("kind", ALL)
def test_no_proof_is_refused(kind: str) -> None:
    case = first_case(kind)
    bare = case.request
    if kind == "salesforce":
        bare = with_body(bare, bare.body.replace(b"00D000000000001", b""))
    if kind == "google-ads-lead-form":
        bare = with_body(bare, bare.body.replace(b"google_key", b"other_key"))
    reason = refused(case, bare)
    assert reason in (Reason.SIGNATURE_MISSING, Reason.CREDENTIALS_WRONG)


@pytest.mark.parametrize("kind", ALL)
def test_another_secret_is_refused(kind: str) -> None:
    case = first_case(kind)
    others = {"salesforce": "00D000000000002", "standard-webhooks": "whsec_" + "Q" * 32}
    other = Secret("other", others.get(kind, "another-secret-of-the-tests"))
    assert refused(case, case.signed, secrets=(other,)) in (
        Reason.SIGNATURE_MISMATCH, Reason.CREDENTIALS_WRONG, Reason.SECRET_UNUSABLE,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ALL)
def test_two_secrets_are_valid_while_one_replaces_the_other_and_the_used_one_is_named(kind: str) -> None:
    case = first_case(kind)
    new = Secret("new", "00D000000000002" if kind == "salesforce" else "a-new-secret-of-the-tests")
    assert believed(case, case.signed, secrets=(new, secret_for(kind))) == "primary"


SIGNED = [kind for kind in ALL if getattr(get_connector(kind), "schemes", ()) and kind != "gohighlevel"] + ["rfc9421"]
"""HighLevel's own signatures have tests with keys of their own: its samples show the token of a workflow."""


@pytest.mark.parametrize("kind", SIGNED)
def test_a_changed_byte_of_a_signed_body_is_refused(kind: str) -> None:
    case = first_case(kind)
    body = case.signed.body
    for place in (0, len(body) // 2, len(body) - 1):
        changed = body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :]
        assert refused(case, with_body(case.signed, changed)) is Reason.SIGNATURE_MISMATCH


@pytest.mark.parametrize("kind", ALL)
def test_a_changed_letter_of_every_proof_header_is_refused(kind: str) -> None:
    case = first_case(kind)
    for name in proof_headers(case):
        signed = case.signed
        value = next(value for key, value in signed.headers if key == name)
        for place in range(0, len(value), max(1, len(value) // 12)):
            letter = "A" if value[place] != "A" else "B"
            changed = value[:place] + letter + value[place + 1 :]
            pairs = [(key, changed if key == name else old) for key, old in signed.headers]
            if value[place].lower() == letter.lower():
                continue  # hexadecimal digits may be of either case
            refused(case, with_headers(signed, pairs))


@pytest.mark.parametrize("kind", ALL)
def test_a_proof_header_sent_twice_is_refused(kind: str) -> None:
    case = first_case(kind)
    for name in proof_headers(case):
        value = next(value for key, value in case.signed.headers if key == name)
        if name.endswith("-version"):
            continue
        twice = with_headers(case.signed, [*case.signed.headers, (name, value)])
        assert refused(case, twice) in (Reason.SIGNATURE_DUPLICATED, Reason.SIGNATURE_MISMATCH)


TIMED = [
    kind
    for kind in ALL
    if kind == "rfc9421"
    or any(row.timestamp and row.tolerance is not None for row in getattr(get_connector(kind), "schemes", ()))
]


@pytest.mark.parametrize("kind", TIMED)
def test_old_and_future_times_are_refused_both_ways(kind: str) -> None:
    case = first_case(kind)
    assert refused(case, case.signed, later=302) is Reason.TIMESTAMP_TOO_OLD
    assert refused(case, case.signed, later=-302) is Reason.TIMESTAMP_TOO_NEW
    assert believed(case, case.signed, later=298) == believed(case, case.signed, later=-298) == "primary"


@pytest.mark.parametrize("kind", ALL)
def test_no_secret_at_all_is_refused(kind: str) -> None:
    case = first_case(kind)
    assert refused(case, case.signed, secrets=()) in (
        Reason.SECRET_UNUSABLE,
        Reason.SIGNATURE_MISSING,
        Reason.CREDENTIALS_WRONG,
    )


@pytest.mark.parametrize(
    "value", ["", " ", "N/A", "no-secret-provided", "${HOOK_SECRET}", "None", "changeme", "whsec_", "<secret>", "null"]
)
def test_empty_and_placeholder_secrets_cannot_be_made(value: str) -> None:
    with pytest.raises(SignatureInvalid) as found:
        Secret("primary", value)
    assert found.value.reason is Reason.SECRET_UNUSABLE


def test_a_secret_never_shows_its_value() -> None:
    assert "hush" not in repr(Secret("primary", "hush-hush"))


BODIES = {
    "empty": b"",
    "ten megabytes": b'{"message":"' + b"x" * 10_000_000 + b'"}',
    "deep nesting": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "deep lists": b"[" * 100_000,
    "invalid utf-8": b'{"name":"\xff\xfe\x80"}',
    "NUL": b'{"name":"Da\\u0000na","phone":"512-555-0123\\u0000"}',
    "raw NUL": b"name=Da\x00na&phone=512-555-0123",
    "lone surrogate": b'{"name":"\\ud800"}',
    "ten thousand fields": b"&".join(b"f%d=v" % place for place in range(10_000)),
    "a hundred thousand fields": b"&".join(b"f%d=v" % place for place in range(100_000)),
    "ten thousand keys": b"{" + b",".join(b'"k%d":"v"' % place for place in range(10_000)) + b"}",
    "deep brackets": b"a" + b"[b]" * 2_000 + b"=1",
    "entity bomb": b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><x>&b;</x>',
    "outside entity": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x>&a;</x>',
    "huge number": b'{"id":' + b"9" * 400 + b"}",
    "numbers for texts": b'{"event":1,"type":2,"data":3,"payload":4,"meta":5,"entry":6,"form_response":7,"fields":8,"contact":9}',
    "lists for objects": b'{"event":[],"data":[[]],"payload":[1],"meta":[],"entry":[[]],"form_response":[],"submission":[],"contact":[]}',
    "nulls": b'{"event":null,"data":null,"payload":null,"meta":null,"entry":[null],"current":null,"user_column_data":[null,{}]}',
    "the same key twice": b'{"id":"1","id":{"a":1},"type":"a","type":["b"],"email":"a@example.com","email":"b@example.com"}',
    "no number": b'{"id":NaN,"data":Infinity}',
    "number beyond floats": b'{"id":1e999,"data":-1e999,"event":1e308}',
    "endless number": b'{"id":' + b"9" * 50_000 + b',"timestamp":99999999999999999999999}',
    "wide characters": '{"id":"1","email":"dana@example.com"}'.encode("utf-16"),
    "latin letters": '{"id":"1","name":"Jos\u00e9"}'.encode("latin-1"),
    "quadratic entities": b'<!DOCTYPE x [<!ENTITY a "' + b"a" * 2_000 + b'">]><x>' + b"&a;" * 500 + b"</x>",
    "xml of a strange charset": b'<?xml version="1.0" encoding="utf-7"?><x>+ADw-</x>',
    "a zip file": b"PK\x03\x04" + b"\x00" * 1_000,
    "a gzip bomb": gzip.compress(b"0" * 5_000_000),
    "bad escapes": b"name=%&phone=%zz&email=%ff%fe&message=%00&%5b%5d=%5B&a%5Bb%5D=1",
    "ten thousand parts": b"".join(
        b'--b1\r\nContent-Disposition: form-data; name="f%d"\r\n\r\nv\r\n' % place for place in range(10_000)
    )
    + b"--b1--\r\n",
    "half a multipart": b"--b1\r\nContent-Disposition: form-data; name=",
}
TYPES = (
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=b1",
    "text/xml",
    "",
    "text/plain",
    "multipart/form-data",
    "application/json; charset=utf-16",
)


@pytest.mark.parametrize("kind", ALL)
def test_no_body_breaks_a_connector(kind: str) -> None:
    connector = get_connector(kind)
    for name, body in BODIES.items():
        for content_type in TYPES if len(body) < 8_000 else TYPES[:3]:
            request = HookRequest(
                method="POST",
                url=f"https://crm.example.com/hooks/{kind}",
                headers=(("content-type", content_type),),
                body=body,
            )
            survives(kind, request, f"{name} as {content_type}")
    assert connector.kind == kind


@pytest.mark.parametrize("kind", ALL)
def test_a_proof_header_joined_with_itself_is_refused(kind: str) -> None:
    case = first_case(kind)
    for name in proof_headers(case):
        joined = [(key, f"{value}, {value}" if key == name else value) for key, value in case.signed.headers]
        if name not in LISTS:
            refused(case, with_headers(case.signed, joined))


LISTS = frozenset({"stripe-signature", "signature", "signature-input", "content-digest", "calendly-webhook-signature"})
"""Headers that are lists by their standard."""


@pytest.mark.parametrize("kind", SIGNED)
def test_blanks_inside_a_signature_are_refused(kind: str) -> None:
    case = first_case(kind)
    for name in proof_headers(case):
        for blank in (" ", "\t", "\n", "\u00a0", "\u200b"):
            bent = [
                (key, value[: len(value) // 2] + blank + value[len(value) // 2 :] if key == name else value)
                for key, value in case.signed.headers
            ]
            refused(case, with_headers(case.signed, bent))


@pytest.mark.parametrize("kind", ALL)
def test_a_flood_of_headers_breaks_nothing(kind: str) -> None:
    case = first_case(kind)
    flood = [(f"x-flood-{place}", "v" * 200) for place in range(2_000)]
    assert believed(case, with_headers(case.signed, [*flood, *case.signed.headers, *flood])) == "primary"
    for name in proof_headers(case):
        refused(case, with_headers(case.signed, [*case.signed.headers, *[(name, "AAAA")] * 1_000]))


@pytest.mark.parametrize("kind", ["twilio", "hubspot"])
@pytest.mark.parametrize("tail", ["?a=%62", "?a=b&a=b", "?a=b#c", "/%2e%2e", "?a=%", "/", "?\u00e9=1", "?a=b%26c"])
def test_an_address_written_otherwise_is_another_address_to_a_signature(kind: str, tail: str) -> None:
    case = first_case(kind)
    signed = case.signed
    moved = HookRequest(method=signed.method, url=signed.url + tail, headers=signed.headers, body=signed.body)
    assert refused(case, moved) is Reason.SIGNATURE_MISMATCH


def survives(kind: str, request: HookRequest, what: str) -> str:
    """Run a request through all of a connector and name how it ended; anything but its two findings is a fault."""
    connector = get_connector(kind)
    options = SourceOptions(unsigned=True)
    try:
        connector.handshake(request, secrets=(), options=options)
        connector.verify(
            request, secrets=(Secret("primary", "a-secret-of-the-tests-1"),), options=SourceOptions(), now=NOW
        )
    except SignatureInvalid:
        pass
    try:
        identity = connector.identify(request, options=options)
        assert identity.dedup_key, what
        assert identity.event_type, what
        assert "\x00" not in identity.dedup_key + identity.event_type, what
        assert len(identity.dedup_key) <= 2_000, what
        delivery = Delivery(
            id=DeliveryId(1), tenant_id=TenantId(1), source_id=SourceId(kind), dedup_key=identity.dedup_key, event_type=identity.event_type,
            received_at=NOW, request=request, verified_by="test", trace_id="t",
        )  # fmt: skip
        connector.fetches(delivery, options=options)
        connector.reply(identity, redelivered=False, options=options)
        connector.scrub(request)
        said = connector.normalize(delivery, options=options)
    except PayloadMalformed:
        return "malformed"
    told = msgspec.json.decode(msgspec.json.encode(said.inquiries))
    assert without_nul(told) == told, what
    return "inquiries" if said.inquiries else "skipped"


def test_a_url_signed_scheme_uses_the_public_url() -> None:
    for kind in ("twilio", "hubspot"):
        case = first_case(kind)
        moved = HookRequest(
            method="POST",
            url="https://internal.example.com/hooks/x",
            headers=case.signed.headers,
            body=case.signed.body,
        )
        assert refused(case, moved) is Reason.SIGNATURE_MISMATCH


def test_a_right_older_signature_beside_a_wrong_newer_one_is_refused() -> None:
    case = first_case("hubspot")
    rows = {row.name: row for row in getattr(case.connector, "schemes")}  # noqa: B009 - not every connector has rows
    from bridge.connectors.signing import signed_request

    older = signed_request(case.request, rows["hubspot-v1"], secret=secret_for("hubspot"), now=NOW)
    assert believed(case, older) == "primary"
    both = [
        *older.headers,
        ("x-hubspot-signature-v3", "A" * 43 + "="),
        ("x-hubspot-request-timestamp", str(int(NOW.timestamp() * 1000))),
    ]
    assert refused(case, with_headers(older, both)) is Reason.SIGNATURE_MISMATCH
