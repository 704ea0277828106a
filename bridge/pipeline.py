"""The story, top to bottom. Each step takes the last step's noun and returns the next."""

from datetime import datetime

from bridge.domain.delivery import HookRequest
from bridge.domain.reasons import Reason
from bridge.intake.gate import Accepted, Answered, Door, Refused, judge, without_secrets
from bridge.intake.store import Arrival, DatabaseUnreachable, DeliveryStore, IntakeFull, RowRefused, Stored

_CREDENTIAL_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


async def receive(
    store: DeliveryStore, door: Door, request: HookRequest, *, trace_id: str, now: datetime
) -> tuple[Accepted, Stored] | Answered | Refused:
    """Check who sent the bytes and store them once; return only after the commit, or say why not."""
    judgement = judge(door, request, now=now)
    if not isinstance(judgement, Accepted):
        return judgement
    arrival = Arrival(
        tenant_id=door.tenant_id,
        source_id=door.source_id,
        dedup_key=judgement.identity.dedup_key,
        event_type=judgement.identity.event_type,
        received_at=now,
        request=_without_credentials(request, door),
        verified_by=judgement.verified_by,
        trace_id=trace_id,
    )
    try:
        return judgement, await store.store(arrival)
    except IntakeFull:
        return Refused(reason=Reason.INTAKE_FULL)
    except DatabaseUnreachable:
        return Refused(reason=Reason.DATABASE_UNREACHABLE)
    except RowRefused:
        return Refused(reason=Reason.PAYLOAD_MALFORMED, detail="an id or header holds a character no text may hold")


def _without_credentials(request: HookRequest, door: Door) -> HookRequest:
    """Return what is kept of a request: the body as it came, no credential of the URL or the headers."""
    kept = tuple(
        (name, without_secrets(value, door.secrets))
        for name, value in request.headers
        if name not in _CREDENTIAL_HEADERS
    )
    url = without_secrets(request.url, door.secrets)
    return HookRequest(method=request.method, url=url, headers=kept, body=request.body)
