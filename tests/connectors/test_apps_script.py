"""The script that people paste into Google Forms, run with stand-ins for Google's services: what it sends is believed and read."""

import json
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from bridge.connectors import get_connector
from bridge.connectors.base import Secret, SourceOptions
from bridge.domain.delivery import Delivery, HookRequest
from bridge.domain.ids import DeliveryId, SourceId, TenantId
from bridge.domain.inquiry import BookingInquiry

pytestmark = [
    pytest.mark.slow,  # each starts a process
    pytest.mark.skipif(shutil.which("node") is None, reason="no JavaScript engine is here"),
]

SCRIPT = (Path(__file__).parents[2] / "docs" / "connectors" / "google-forms.gs").read_text()
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SERVICES = """
const hashing = require('crypto');
const kept = { HOOK_URL: 'https://crm.example.com/hooks/forms', SECRET: process.argv[1] };
const answers = JSON.parse(process.argv[2]), sent = [];
const PropertiesService = { getScriptProperties: () => ({ getProperty: (name) => kept[name] }) };
const Utilities = {
  MacAlgorithm: { HMAC_SHA_256: 'sha256' }, sleep: () => {},
  base64Decode: (text) => [...Buffer.from(text, 'base64')], base64Encode: (bytes) => Buffer.from(bytes).toString('base64'),
  newBlob: (text) => ({ getBytes: () => [...Buffer.from(text, 'utf8')] }),
  computeHmacSignature: (name, value, key) => [...hashing.createHmac(name, Buffer.from(key)).update(Buffer.from(value)).digest()],
};
const UrlFetchApp = { fetch: (url, options) => {
  sent.push({ url, ...options });
  const status = answers.shift();
  if (status === 0) throw new Error('DNS error');
  return { getResponseCode: () => status };
} };
const log = console.log; console.log = () => {};
const item = (title, type, response) => ({ getItem: () => ({ getTitle: () => title, getType: () => type }), getResponse: () => response });
const events = {
  form: { source: { getId: () => 'F1' }, response: { getId: () => 'R1', getRespondentEmail: () => 'ana@example.com', getItemResponses: () => [
    item('Nombre completo', 'TEXT', 'Ana Ñandú'), item('Teléfono', 'TEXT', '512-555-0142'), item('Servicio', 'CHECKBOX', ['AC', 'Ductos']),
  ] } },
  sheet: { range: { getSheet: () => ({ getParent: () => ({ getId: () => 'S1' }) }), getRow: () => 7 },
    namedValues: { 'Full name': ['Dana Reyes'], 'Email': ['dana@example.com'], 'Timestamp': ['11/23/2026 10:00:00'] } },
};
"""


def run(event: str, answers: list[int]) -> tuple[list[dict[str, Any]], bool]:
    """Return what the script sent for an event, and whether it gave up."""
    program = f"{SERVICES}\n{SCRIPT}\nlet failed = false;\ntry {{ onFormSubmit(events['{event}']); }} catch (error) {{ failed = true; }}\n"
    done = subprocess.run(
        ["node", "-e", program + "log(JSON.stringify({ sent, failed }));", "--", SECRET, json.dumps(answers)],
        capture_output=True, text=True, check=True, timeout=30,
    )  # fmt: skip
    told = json.loads(done.stdout)
    return told["sent"], told["failed"]


def read(sent: dict[str, Any]) -> tuple[str, BookingInquiry]:
    """Return the scheme that proves what was sent, and what it asks for."""
    headers = (("content-type", sent["contentType"]), *sent["headers"].items())
    request = HookRequest(method="POST", url=sent["url"], headers=headers, body=sent["payload"].encode())
    connector, options = get_connector("google-forms"), SourceOptions()
    proof = connector.verify(request, secrets=(Secret("s", SECRET),), options=options, now=datetime.now(UTC))
    identity = connector.identify(request, options=options)
    delivery = Delivery(
        id=DeliveryId(1), tenant_id=TenantId(1), source_id=SourceId("forms"), dedup_key=identity.dedup_key, event_type=identity.event_type,
        received_at=datetime.now(UTC), request=request, verified_by=str(proof), trace_id="",
    )  # fmt: skip
    (inquiry,) = connector.normalize(delivery, options=options).inquiries
    assert isinstance(inquiry, BookingInquiry)
    return proof.scheme, inquiry


def test_a_response_of_a_form_is_believed_and_read() -> None:
    (sent,), failed = run("form", [202])
    scheme, inquiry = read(sent)
    assert (scheme, failed, sent["headers"]["webhook-id"]) == ("standard-webhooks-v1", False, "gf_R1")
    assert (inquiry.key, inquiry.person.name, inquiry.service) == ("R1", "Ana Ñandú", "AC, Ductos")
    assert (inquiry.person.phones, inquiry.person.emails) == (("512-555-0142",), ("ana@example.com",))


def test_a_row_of_a_sheet_is_believed_and_read() -> None:
    (sent,), _ = run("sheet", [200])
    _, inquiry = read(sent)
    assert (inquiry.key, inquiry.person.name, inquiry.person.emails) == ("S1-7", "Dana Reyes", ("dana@example.com",))
    assert inquiry.answers == ()


def test_a_bridge_that_is_away_is_asked_again_under_the_same_id_and_the_failure_is_told() -> None:
    sent, failed = run("form", [0, 503, 202])
    assert (len(sent), failed, {one["headers"]["webhook-id"] for one in sent}) == (3, False, {"gf_R1"})
    sent, failed = run("form", [500, 0, 503])
    assert (len(sent), failed) == (3, True)
