"""Sends alerts to the addresses of the config: the one far side of the outbox that is not ServiceTitan."""

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import httpx
import msgspec

from bridge.connectors.base import Secret
from bridge.connectors.schemes import STANDARD_WEBHOOKS
from bridge.connectors.signing import signed_request
from bridge.domain.command import SendAlert
from bridge.domain.delivery import HookRequest
from bridge.domain.ids import EffectKey
from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.sending.findings import Finding, Repeatable, Unknowable
from bridge.sending.store import Loaded
from bridge.servicetitan.classify import was_never_sent

SECONDS = 10.0
"""The most that telling one address takes; below the lease, as every request of the outbox."""
_TOO_MANY = 429
_SIGNED = STANDARD_WEBHOOKS[0]


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """Where alerts go; `secret` signs a Standard Webhooks message and is empty for Slack's style."""

    name: str
    url: str
    style: str = "slack"
    secret: str = ""
    cooldown: timedelta = timedelta(hours=1)

    @property
    def is_signed(self) -> bool:
        """Tell whether its receiver knows a message by its id, and so drops a second one."""
        return self.style != "slack"


class Bell:
    """Tells the addresses that the config names now, and no others; redirects are not followed."""

    def __init__(
        self, addresses: Callable[[], Sequence[Address]], http: httpx.AsyncClient, *, seconds: float = SECONDS
    ) -> None:
        self._addresses = addresses
        self._http = http
        self._seconds = seconds

    async def send(self, loaded: Loaded, *, now: datetime) -> Outcome:
        """Send one alert and return what came of it; it never raises for what the far side does."""
        command = loaded.command
        if not isinstance(command, SendAlert):
            return Rejected(reason=Reason.COMMAND_UNREADABLE)
        address = self._address(command)
        if address is None:
            return Rejected(reason=Reason.ALERT_ADDRESS_UNKNOWN, detail=command.address)
        body, headers = render(address, command, loaded.key, now=now)
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._http.stream("POST", address.url, content=body, headers=headers, follow_redirects=False) as answer,
            ):
                status, wait = answer.status_code, answer.headers.get("retry-after", "")
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            if isinstance(error, httpx.InvalidURL) or was_never_sent(error):
                return Deferred(reason=Reason.ALERT_UNREACHED, detail=type(error).__name__)
            return InDoubt(reason=Reason.ALERT_UNANSWERED, detail=type(error).__name__)
        if httpx.codes.is_success(status):
            return Succeeded(status=status)
        retry_after = float(wait) if wait.isascii() and wait.isdigit() and len(wait) < 6 else None
        return Deferred(
            reason=Reason.ALERT_REFUSED,
            status=status,
            detail=f"answered {status}",
            retry_after=retry_after,
            backpressure=status == _TOO_MANY,
        )

    def look_up(self, loaded: Loaded) -> Finding:
        """Tell what to do about an alert in doubt. No receiver can be asked whether it has it.

        A receiver of Standard Webhooks drops a second one of the same `webhook-id`. One in Slack's style would show it:
        that is the lesser evil a single time, not each time.
        """
        command = loaded.command
        if not isinstance(command, SendAlert):
            return Unknowable(detail="the command cannot be read")
        address = self._address(command)
        return Repeatable(once=address is None or not address.is_signed)

    def _address(self, command: SendAlert) -> Address | None:
        return next((one for one in self._addresses() if one.name == command.address), None)


def render(address: Address, command: SendAlert, key: EffectKey, *, now: datetime) -> tuple[bytes, dict[str, str]]:
    """Return the body and headers of an alert: Slack's `text`, or a signed Standard Webhooks message."""
    if not address.is_signed:
        text = f"Bridge · tenant {command.tenant} · {command.subject}: {command.text}"
        return json.dumps({"text": text}).encode(), {"content-type": "application/json"}
    data = {
        "type": f"bridge.alert.{command.kind}",
        "state": "over" if command.is_over else "open",
        "tenant": command.tenant,
        "subject": command.subject,
        "text": command.text,
        "timestamp": command.at.isoformat(),
    }
    body = json.dumps(
        {"type": data["type"], "timestamp": data["timestamp"], "data": data}, separators=(",", ":")
    ).encode()
    row = msgspec.structs.replace(_SIGNED, key="whsec" if address.secret.startswith("whsec_") else "text")
    bare = HookRequest(method="POST", url=address.url, headers=((row.id_header, f"alert_{key}"),), body=body)
    signed = signed_request(bare, row, secret=Secret(address.name, address.secret), now=now)
    return body, {"content-type": "application/json", **dict(signed.headers)}
