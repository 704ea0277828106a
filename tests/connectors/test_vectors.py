"""All captured requests agree with their expectation, and what is no vector fails the run."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bridge.connectors import get_connector
from bridge.connectors.base import Secret, SignatureInvalid, SourceOptions
from bridge.domain.delivery import HookRequest
from bridge.domain.reasons import Reason
from bridge.entrypoints.cli.vector_run import run_folder
from tests.connectors.casefiles import NOW


def test_all_captured_requests_agree(shared_dir: Path) -> None:
    rows = run_folder(shared_dir / "vectors")
    assert len(rows) >= 140
    assert [(row.file, row.verdict, row.reason, row.error) for row in rows if row.is_failure] == []


def test_an_unknown_provider_and_an_unreadable_file_are_failures(tmp_path: Path) -> None:
    (tmp_path / "nobody").mkdir()
    (tmp_path / "nobody" / "a.json").write_text(json.dumps({"provider": "nobody", "method": "POST", "body": "{}"}))
    (tmp_path / "typeform").mkdir()
    (tmp_path / "typeform" / "b.json").write_text("{")
    (tmp_path / "typeform" / "c.json").write_text(json.dumps({"provider": "typeform", "method": "POST", "body": 7}))
    assert [row.verdict for row in run_folder(tmp_path)] == ["unknown_provider", "unreadable", "unreadable"]
    assert all(row.is_failure for row in run_folder(tmp_path))


def test_a_verdict_never_reads_what_is_expected(tmp_path: Path) -> None:
    vector = {
        "provider": "typeform",
        "method": "POST",
        "headers": {"Typeform-Signature": "sha256=AAAA"},
        "body": "{}",
        "secret": "a-secret-of-the-tests",
    }
    (tmp_path / "typeform").mkdir()
    for name, expect in (("one", "valid"), ("two", "invalid")):
        (tmp_path / "typeform" / f"{name}.json").write_text(json.dumps({**vector, "expect": expect, "note": expect}))
    rows = run_folder(tmp_path)
    assert [row.verdict for row in rows] == ["invalid", "invalid"]
    assert [row.agrees for row in rows] == [False, True]


def test_highlevel_is_proved_by_the_key_of_the_source_and_by_no_other() -> None:
    import base64

    private, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    body = b'{"type":"ContactCreate","locationId":"loc1","id":"c1","webhookId":"w1"}'
    pem = (
        private.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )
    connector = get_connector("gohighlevel")

    def asked(key: Ed25519PrivateKey, *, options: SourceOptions, sent: bytes = body) -> str:
        signature = base64.b64encode(key.sign(body)).decode()
        request = HookRequest(
            method="POST",
            url="https://crm.example.com/hooks/ghl",
            headers=(("content-type", "application/json"), ("x-ghl-signature", signature)),
            body=sent,
        )
        return connector.verify(request, secrets=(Secret("key", pem),), options=options, now=NOW).scheme

    assert asked(private, options=SourceOptions()) == "highlevel-ed25519"
    assert asked(private, options=SourceOptions(options={"location_ids": ["loc1"]})) == "highlevel-ed25519"
    for key, options, sent, reason in (
        (other, SourceOptions(), body, Reason.SIGNATURE_MISMATCH),
        (private, SourceOptions(), body + b" ", Reason.SIGNATURE_MISMATCH),
        (private, SourceOptions(options={"location_ids": ["loc2"]}), body, Reason.CREDENTIALS_WRONG),
    ):
        with pytest.raises(SignatureInvalid) as found:
            asked(key, options=options, sent=sent)
        assert found.value.reason is reason


def test_the_session_of_salesforce_is_cut_out_before_anything_is_kept() -> None:
    body = b"<notifications><OrganizationId>00D</OrganizationId><SessionId>live!credential</SessionId></notifications>"
    request = HookRequest(method="POST", url="https://crm.example.com/hooks/sf", headers=(), body=body)
    kept = get_connector("salesforce").scrub(request).body
    assert b"live!credential" not in kept
    assert b"<SessionId></SessionId>" in kept
