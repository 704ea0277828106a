"""Every option of a scheme that a config may describe, signed here by the libraries themselves and checked by our engine."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bridge.connectors import get_connector
from bridge.connectors.base import Secret, SignatureInvalid, SourceOptions
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.ids import DeliveryId, SourceId, TenantId

NOW = datetime(2026, 11, 24, 5, 0, tzinfo=UTC)
URL = "https://crm.example.com/hooks/acme?site=7&empty="
BODY = '{"id": "1", "name": "José", "at": {"unix": 17, "big": 1.5}}'.encode()
FORM = b"name=Jos%C3%A9+N&phone=1&phone=2&note=&token=t%2B1"
SAID = "a signing secret: 0123456789"
RING, P256, P384, ED = (
    rsa.generate_private_key(65537, 2048),
    ec.generate_private_key(ec.SECP256R1()),
    ec.generate_private_key(ec.SECP384R1()),
    Ed25519PrivateKey.generate(),
)


def mac(message: bytes, name: str = "sha256", key: str | bytes = SAID) -> bytes:
    return hmac.new(key.encode() if isinstance(key, str) else key, message, name).digest()


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def ask(
    verify: dict[str, Any], headers: dict[str, str], *, body: bytes = BODY, secret: str | list[str] = SAID, later: float = 0,
    url: str = URL, content_type: str = "application/json", kind: str = "generic", method: str = "POST",
) -> str:  # fmt: skip
    """Return the secret's name where the request is believed, else the reason."""
    request = HookRequest(
        method=method, url=url, headers=(("content-type", content_type), *((name.lower(), value) for name, value in headers.items())),
        body=body,
    )  # fmt: skip
    secrets = tuple(
        Secret(f"s{place}", one) for place, one in enumerate([secret] if isinstance(secret, str) else secret)
    )
    options = SourceOptions(options={"verify": verify} if verify else {})
    try:
        found = get_connector(kind).verify(
            request, secrets=secrets, options=options, now=NOW + timedelta(seconds=later)
        )
    except SignatureInvalid as refused:
        return refused.reason.value
    return found.secret_name


def spelled(raw: bytes, encoding: str) -> list[str]:
    """Return the ways a signature may be written under an encoding."""
    match encoding:
        case "hex":
            return [raw.hex(), raw.hex().upper()]
        case "base64":
            return [b64(raw)]
        case _:
            return [base64.urlsafe_b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode().rstrip("=")]


def public(key: Any, encoding: Encoding = Encoding.PEM) -> str:
    raw: bytes = key.public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)
    return raw.decode() if encoding is Encoding.PEM else b64(raw)


def side_by_side(der: bytes, size: int) -> bytes:
    one, two = decode_dss_signature(der)
    return one.to_bytes(size) + two.to_bytes(size)


def pss(digest: hashes.HashAlgorithm) -> padding.PSS:
    return padding.PSS(padding.MGF1(digest), digest.digest_size)


SIGNERS: dict[str, list[tuple[Callable[[bytes], bytes], str]]] = {
    "hmac-sha1": [(lambda m: mac(m, "sha1"), SAID)],
    "hmac-sha256": [(mac, SAID)],
    "hmac-sha384": [(lambda m: mac(m, "sha384"), SAID)],
    "hmac-sha512": [(lambda m: mac(m, "sha512"), SAID)],
    "ed25519": [
        (ED.sign, public(ED)), (ED.sign, public(ED, Encoding.DER)),
        (ED.sign, ED.public_key().public_bytes_raw().hex()), (ED.sign, b64(ED.public_key().public_bytes_raw())),
        (ED.sign, public(ED).replace("\n", "\\n")),
    ],
    "rsa-sha256": [(lambda m: RING.sign(m, padding.PKCS1v15(), hashes.SHA256()), public(RING))],
    "rsa-sha512": [(lambda m: RING.sign(m, padding.PKCS1v15(), hashes.SHA512()), public(RING, Encoding.DER))],
    "rsa-pss-sha256": [(lambda m: RING.sign(m, pss(hashes.SHA256()), hashes.SHA256()), public(RING))],
    "rsa-pss-sha512": [(lambda m: RING.sign(m, pss(hashes.SHA512()), hashes.SHA512()), public(RING))],
    "ecdsa-p256-sha256": [
        (lambda m: P256.sign(m, ec.ECDSA(hashes.SHA256())), public(P256)),
        (lambda m: side_by_side(P256.sign(m, ec.ECDSA(hashes.SHA256())), 32), public(P256, Encoding.DER)),
        (
            lambda m: P256.sign(m, ec.ECDSA(hashes.SHA256())),
            P256.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint).hex(),
        ),
    ],
    "ecdsa-p384-sha384": [
        (lambda m: P384.sign(m, ec.ECDSA(hashes.SHA384())), public(P384)),
        (lambda m: side_by_side(P384.sign(m, ec.ECDSA(hashes.SHA384())), 48), public(P384)),
    ],
}  # fmt: skip


@pytest.mark.parametrize("encoding", ["hex", "base64", "base64url"])
@pytest.mark.parametrize("algorithm", sorted(SIGNERS))
def test_every_algorithm_in_every_encoding(algorithm: str, encoding: str) -> None:
    verify = {"header": "X-Sig", "algorithm": algorithm, "encoding": encoding, "prefix": "v0="}
    other = {**verify, "algorithm": "hmac-sha256" if algorithm != "hmac-sha256" else "hmac-sha512"}
    for sign, secret in SIGNERS[algorithm]:
        raw = sign(BODY)
        for written in spelled(raw, encoding):
            headers = {"X-Sig": "v0=" + written}
            assert ask(verify, headers, secret=secret) == "s0"
            assert ask(verify, headers, secret=["an old secret that is kept", secret]) == "s1"
            assert ask(verify, headers, secret=secret, body=BODY + b" ") == "signature_mismatch"
            assert ask(verify, {"X-Sig": written}, secret=secret) == "signature_malformed"
            assert ask(other, headers, secret=secret) in ("signature_malformed", "signature_mismatch")
            for wrong in (written + "=", written[:-1], " " + written, written + "A", "-" + written, written[:9]):
                if wrong in spelled(raw, encoding):
                    continue
                assert ask(verify, {"X-Sig": "v0=" + wrong}, secret=secret) in (
                    "signature_malformed",
                    "signature_mismatch",
                )
        bent = bytes([raw[0] ^ 1]) + raw[1:]
        assert ask(verify, {"X-Sig": "v0=" + spelled(bent, encoding)[0]}, secret=secret) == "signature_mismatch"


def test_a_key_of_another_kind_proves_nothing() -> None:
    keys = [public(RING), public(P256), public(P384), public(ED), "no key at all", "MFkw", "-----BEGIN PUBLIC KEY-----"]
    for algorithm in ("ed25519", "rsa-sha256", "ecdsa-p256-sha256", "ecdsa-p384-sha384"):
        for sign, secret in SIGNERS[algorithm][:1]:
            for key in keys:
                got = ask({"header": "X-Sig", "algorithm": algorithm}, {"X-Sig": sign(BODY).hex()}, secret=key)
                assert got == ("s0" if key == secret else "signature_mismatch"), (algorithm, key)


@pytest.mark.parametrize(
    ("signed", "message"),
    [
        ("{body}", BODY),
        ("{method}{url}{body}", b"POST" + URL.encode() + BODY),
        ("{method}\n{path}\n{query:site}\n{body}", b"POST\n/hooks/acme\n7\n" + BODY),
        ("v0:{header:X-Nonce}:{body}", b"v0:n-1:" + BODY),
        ("{secret}{body}", SAID.encode() + BODY),
        ("{json:id}|{json:at.unix}|{json:at.big}|{json:name}", "1|17|1.5|José".encode()),
        ("{body}{id}", BODY + b"m1"),
    ],
)
def test_what_is_signed_is_put_together_from_parts(signed: str, message: bytes) -> None:
    verify = {"header": "X-Sig", "signed": signed, "id_header": "X-Id"}
    headers = {"X-Sig": mac(message).hex(), "X-Nonce": "n-1", "X-Id": "m1"}
    assert ask(verify, headers) == "s0"
    assert ask(verify, {**headers, "X-Sig": mac(message + b"x").hex()}) == "signature_mismatch"
    if "{url}" in signed:
        assert ask(verify, headers, url=URL + "x") == "signature_mismatch"
        assert ask(verify, headers, method="PUT") == "signature_mismatch"


def test_form_fields_are_signed_one_by_one_or_all_together() -> None:
    content_type = "application/x-www-form-urlencoded; charset=UTF-8"
    one = {"header": "X-Sig", "signed": "{form:name}{form:note}{form:token}"}
    assert ask(one, {"X-Sig": mac("José Nt+1".encode()).hex()}, body=FORM, content_type=content_type) == "s0"
    for missing in ("phone", "nobody"):  # twice, and never
        asked = {"header": "X-Sig", "signed": "{form:" + missing + "}"}
        assert ask(asked, {"X-Sig": mac(b"1").hex()}, body=FORM, content_type=content_type) == "signature_malformed"
    everything = {"header": "X-Sig", "algorithm": "hmac-sha1", "encoding": "base64", "signed": "{url}{form}"}
    message = URL + "nameJosé Nnotephone1phone2tokent+1"
    assert ask(everything, {"X-Sig": b64(mac(message.encode(), "sha1"))}, body=FORM, content_type=content_type) == "s0"
    flood = b"&".join(b"f%d=v" % place for place in range(50_000))
    assert (
        ask(everything, {"X-Sig": b64(mac(b"", "sha1"))}, body=flood, content_type=content_type)
        == "signature_malformed"
    )


@pytest.mark.parametrize(
    ("unit", "stamp"),
    [
        ("s", str(int(NOW.timestamp()))), ("ms", str(int(NOW.timestamp() * 1000))),
        ("http-date", format_datetime(NOW, usegmt=True)), ("iso", NOW.isoformat()), ("iso", "2026-11-24T05:00:00Z"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("place", ["header", "list"])
def test_times_in_every_unit_and_place(unit: str, stamp: str, place: str) -> None:
    made = mac(f"{stamp}.".encode() + BODY).hex()
    if place == "header":
        verify = {"header": "X-Sig", "timestamp": "X-Time", "unit": unit, "signed": "{timestamp}.{body}"}
        headers = {"X-Sig": made, "X-Time": stamp}
    elif unit == "http-date":
        return  # a date with commas cannot stand in a list
    else:
        verify = {
            "header": "X-Sig", "layout": "fields", "field": "v1", "timestamp": "field:t", "unit": unit, "signed": "{timestamp}.{body}",
        }  # fmt: skip
        headers = {"X-Sig": f"t={stamp}, v0=zz, v1={'0' * 64}, v1={made}"}
    for later, found in ((0, "s0"), (300, "s0"), (-300, "s0"), (302, "timestamp_too_old"), (-302, "timestamp_too_new")):
        assert ask(verify, headers, later=later) == found, later
    assert ask({**verify, "tolerance": None}, headers, later=9_000) == "s0"
    moved = {
        name: value.replace(stamp, stamp.replace("2026", "2027").replace("179", "180"))
        for name, value in headers.items()
    }
    assert ask(verify, moved, later=365 * 86_400) == "signature_mismatch"
    for nonsense in ("", "soon", "-1", "1e9", "99999999999999999999", "١٢٣"):
        bent = {name: value.replace(stamp, nonsense) for name, value in headers.items()}
        assert ask(verify, bent) in ("timestamp_malformed", "timestamp_missing", "signature_mismatch"), nonsense


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("text", bytes(range(33, 65)).decode()), ("hex", bytes(range(33, 65)).hex()), ("base64", b64(bytes(range(33, 65)))),
        ("base64", base64.urlsafe_b64encode(bytes(range(33, 65))).decode().rstrip("=")), ("whsec", "whsec_" + b64(bytes(range(33, 65)))),
        ("whsec", b64(bytes(range(33, 65)))),
    ],
)  # fmt: skip
def test_a_secret_is_spelled_in_four_ways(key: str, secret: str) -> None:
    headers = {"X-Sig": mac(BODY, key=bytes(range(33, 65))).hex()}
    assert ask({"header": "X-Sig", "key": key}, headers, secret=secret) == "s0"
    assert ask({"header": "X-Sig", "key": "hex" if key != "hex" else "base64"}, headers, secret=secret) != "s0"


def test_a_list_may_hold_entries_that_cannot_be_read_beside_a_good_one_but_not_alone() -> None:
    verify = {"header": "X-Sig", "layout": "words", "field": "v1", "encoding": "base64"}
    good = "v1," + b64(mac(BODY))
    for others in ("v1,zz", "v1,", "v1,a,b", "garbage", "v9," + b64(mac(BODY)), "v1," + b64(b"0" * 32), "v1,zz " * 14):
        assert ask(verify, {"X-Sig": f"{others} {good}"}) == "s0", others
        assert ask(verify, {"X-Sig": others}) != "s0"
    assert ask(verify, {"X-Sig": "v1,zz " * 16 + good}) == "signature_malformed"  # no more than sixteen are read


def test_a_signed_address_is_no_proof_of_a_body_that_nothing_covers() -> None:
    url = "https://crm.example.com/hooks/twilio"
    headers = {"X-Twilio-Signature": b64(mac(url.encode(), "sha1"))}
    assert ask({}, headers, kind="twilio", url=url, body=b"") == "s0"
    for body, content_type in ((b'{"Body": "STOP"}', "application/json"), (b"Body=STOP", "text/plain")):
        assert ask({}, headers, kind="twilio", url=url, body=body, content_type=content_type) == "signature_mismatch"


def test_klaviyos_webhook_is_the_one_that_the_signed_body_names() -> None:
    body = b'{"data": [], "meta": {"klaviyo_webhook_id": "kw1"}}'
    time = format_datetime(NOW, usegmt=True)
    headers = {"Klaviyo-Timestamp": time, "Klaviyo-Signature": mac(body + time.encode()).hex()}
    assert ask({}, headers, kind="klaviyo", body=body) == "s0"
    assert ask({}, headers | {"Klaviyo-Webhook-Id": "kw1"}, kind="klaviyo", body=body) == "s0"
    assert ask({}, headers | {"Klaviyo-Webhook-Id": "kw2"}, kind="klaviyo", body=body) == "signature_mismatch"


B_PARTS = '("@method" "@authority" "@path" "@query" "content-type" "content-digest")'


def message_signed(
    algorithm: str, sign: Callable[[bytes], bytes], *, digest: str = "sha-256", named: bool = True
) -> dict[str, str]:
    """Return the headers of RFC 9421 as a sender writes them, put together here from the standard."""
    made = b64(hashlib.new(digest.replace("-", ""), BODY).digest())
    stated = f'{B_PARTS};created={int(NOW.timestamp())};keyid="k1"' + (f';alg="{algorithm}"' if named else "")
    lines = [
        '"@method": POST', '"@authority": crm.example.com', '"@path": /hooks/acme', '"@query": ?site=7&empty=',
        '"content-type": application/json', f'"content-digest": {digest}=:{made}:', f'"@signature-params": {stated}',
    ]  # fmt: skip
    return {
        "Content-Digest": f"{digest}=:{made}:", "Signature-Input": f"sig1={stated}",
        "Signature": f"sig1=:{b64(sign(chr(10).join(lines).encode()))}:",
    }  # fmt: skip


REGISTERED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "hmac-sha256": (lambda m: mac(m, key=bytes(range(32))), b64(bytes(range(32)))),
    "ed25519": SIGNERS["ed25519"][0],
    "rsa-v1_5-sha256": SIGNERS["rsa-sha256"][0],
    "rsa-pss-sha512": SIGNERS["rsa-pss-sha512"][0],
    "ecdsa-p256-sha256": (SIGNERS["ecdsa-p256-sha256"][1][0], public(P256)),
    "ecdsa-p384-sha384": (SIGNERS["ecdsa-p384-sha384"][1][0], public(P384)),
}


@pytest.mark.parametrize("digest", ["sha-256", "sha-512"])
@pytest.mark.parametrize("named", [True, False])
@pytest.mark.parametrize("algorithm", sorted(REGISTERED))
def test_message_signatures_of_every_registered_algorithm(algorithm: str, named: bool, digest: str) -> None:
    sign, secret = REGISTERED[algorithm]
    headers = message_signed(algorithm, sign, digest=digest, named=named)
    assert ask({}, headers, secret=secret, kind="rfc9421") == "s0"
    assert ask({}, headers, secret=secret, kind="rfc9421", body=BODY + b" ") == "signature_mismatch"
    assert ask({}, headers, secret=secret, kind="rfc9421", url=URL + "x") == "signature_mismatch"
    assert ask({}, headers, secret=secret, kind="rfc9421", method="PUT") == "signature_mismatch"
    assert ask({}, headers, secret=secret, kind="rfc9421", later=302) == "timestamp_too_old"
    assert ask({}, headers, secret=secret, kind="rfc9421", later=-302) == "timestamp_too_new"
    for other, (_, key) in REGISTERED.items():
        if key != secret:
            assert ask({}, headers, secret=key, kind="rfc9421") == "signature_mismatch", other
    lied = {name: value.replace(f'alg="{algorithm}"', 'alg="none"') for name, value in headers.items()}
    assert named is (ask({}, lied, secret=secret, kind="rfc9421") == "signature_mismatch")


def test_other_digests_are_passed_over_and_are_no_cover() -> None:
    sign, secret = REGISTERED["ed25519"]
    headers = message_signed("ed25519", sign)
    made = headers["Content-Digest"]
    for beside in (f"md5=:{b64(b'x' * 16)}:, {made}", f"{made}, unixsum=:AAAA:"):
        # The signature covers the header's whole text, so it is made anew over the longer one.
        longer = message_signed("ed25519", lambda m, beside=beside: sign(m.replace(made.encode(), beside.encode())))  # type: ignore[misc]
        assert ask({}, {**longer, "Content-Digest": beside}, secret=secret, kind="rfc9421") == "s0"
    alone = f"md5=:{b64(hashlib.md5(BODY).digest())}:"  # noqa: S324 - that it proves nothing is the point
    weak = message_signed("ed25519", lambda m: sign(m.replace(made.encode(), alone.encode())))
    assert ask({}, {**weak, "Content-Digest": alone}, secret=secret, kind="rfc9421") == "signature_mismatch"
    one = json.dumps({"a": 1}).encode()
    assert ask({}, headers, secret=secret, kind="rfc9421", body=one) == "signature_mismatch"


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"ask": "activity", "channel": "pigeon"}, "options.channel"), ({"ask": "preference", "channel": "form"}, "options.channel"),
        ({"ask": "activity", "channel": "call"}, ""), ({"ask": "preference", "channel": "sms"}, ""), ({"ask": "booking", "channel": "radio"}, ""),
        ({"ask": "everything"}, "options.ask"), ({"asks": "booking"}, "options.asks"), ({"verify": {"algorithm": "md5", "header": "x"}}, "options.verify"),
        ({"verify": {"header": "X-Sig", "encoding": "base32"}}, "options.verify"), ({"verify": "no-such-preset"}, "options.verify"),
    ],
)  # fmt: skip
def test_options_of_a_generic_source_that_cannot_be_meant_are_faults_before_it_starts(
    options: dict[str, Any], fault: str
) -> None:
    secret = Secret("s0", SAID)
    found = get_connector("generic").faults(secrets=(secret,), options=SourceOptions(options=options))
    assert [said.partition(":")[0] for said in found] == ([fault] if fault else [])


@pytest.mark.parametrize("options", [{}, {"dedup": "lead"}])
def test_a_part_of_a_batch_has_the_same_key_in_whatever_company_it_comes(options: dict[str, Any]) -> None:
    connector, chosen = get_connector("generic"), SourceOptions(options=options)

    def keys(*parts: dict[str, Any]) -> list[str]:
        request = HookRequest(
            method="POST", url=URL, headers=(("content-type", "application/json"),), body=json.dumps(parts).encode()
        )
        identity = connector.identify(request, options=chosen)
        delivery = Delivery(
            id=DeliveryId(1), tenant_id=TenantId(1), source_id=SourceId("s"), dedup_key=identity.dedup_key,
            event_type=identity.event_type, received_at=NOW, request=request, verified_by="", trace_id="",
        )  # fmt: skip
        return [inquiry.key for inquiry in connector.normalize(delivery, options=chosen).inquiries]

    one, two, three = ({"id": place, "lead": f"L{place}", "name": f"N{place}"} for place in (1, 2, 3))
    assert keys(one, two)[1] == keys(two, three)[0]
    assert len(set(keys(one, two, three))) == 3
    if not options:
        assert keys(one, {**two, "name": "other"})[1] != keys(one, two)[1]
