"""The judgement of a request, before anything is stored."""

from datetime import timedelta

import pytest

from bridge.bootstrap import doors_of
from bridge.domain.delivery import HookRequest
from bridge.domain.ids import SourceId
from bridge.domain.reasons import Reason
from bridge.intake.gate import Accepted, Refused, judge, without_secrets
from tests.conftest import Clock
from tests.intake.senders import SECRET, SETTINGS, request

DOOR = doors_of(SETTINGS)[SourceId("website")]


def changed(original: HookRequest, **parts: object) -> HookRequest:
    fields = {name: getattr(original, name) for name in HookRequest.__struct_fields__}
    return HookRequest(**(fields | parts))  # type: ignore[arg-type]


def test_a_signed_request_is_accepted_under_the_senders_id(clock: Clock) -> None:
    judgement = judge(DOOR, request("msg_1", now=clock.now), now=clock.now)
    assert isinstance(judgement, Accepted)
    assert judgement.identity.dedup_key == "msg_1"
    assert judgement.secret_name


def test_a_changed_byte_of_the_body_is_refused(clock: Clock) -> None:
    sent = request("msg_1", now=clock.now)
    judgement = judge(DOOR, changed(sent, body=sent.body.replace(b"Ada", b"Eve")), now=clock.now)
    assert judgement == Refused(reason=Reason.SIGNATURE_MISMATCH, detail=getattr(judgement, "detail", ""))
    assert judgement.status == 401


@pytest.mark.parametrize(("minutes", "reason"), [(6, Reason.TIMESTAMP_TOO_OLD), (-6, Reason.TIMESTAMP_TOO_NEW)])
def test_a_request_outside_the_window_is_refused(clock: Clock, minutes: int, reason: Reason) -> None:
    judgement = judge(DOOR, request("msg_1", now=clock.now), now=clock.now + timedelta(minutes=minutes))
    assert isinstance(judgement, Refused)
    assert (judgement.reason, judgement.status) == (reason, 401)


def test_a_wrong_content_type_is_refused_before_the_signature_is_looked_at(clock: Clock) -> None:
    judgement = judge(DOOR, request("msg_1", now=clock.now, content_type="image/png"), now=clock.now)
    assert isinstance(judgement, Refused)
    assert (judgement.reason, judgement.status) == (Reason.CONTENT_TYPE_UNSUPPORTED, 415)


def test_a_signed_body_that_is_no_json_is_malformed(clock: Clock) -> None:
    judgement = judge(DOOR, request("msg_1", now=clock.now, payload=b'{"name": '), now=clock.now)
    assert isinstance(judgement, Accepted | Refused)
    if isinstance(judgement, Refused):
        assert (judgement.reason, judgement.status) == (Reason.PAYLOAD_MALFORMED, 400)


def test_no_secret_stays_in_what_is_kept() -> None:
    assert SECRET not in without_secrets(f"https://b.example.com/hooks/website?token={SECRET}", DOOR.secrets)
