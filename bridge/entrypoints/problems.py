"""Problem JSON (RFC 9457) with our reason slug, the same everywhere."""

from http import HTTPStatus

import msgspec

from bridge.domain.reasons import advice_for

MEDIA_TYPE = b"application/problem+json"


def problem(status: int, reason: str, *, detail: str = "", trace_id: str = "") -> bytes:
    """Return the body of a refusal: what is wrong, why by slug, and what to do about it."""
    advice = advice_for(reason)
    members = {
        "type": f"urn:bridge:reason:{reason}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "reason": reason,
        "detail": detail or advice.text,
        "remedy": advice.remedy,
        "trace_id": trace_id,
    }
    return msgspec.json.encode({name: value for name, value in members.items() if value})
