"""The exact requests that a command would send, written down by the real client's own code, and sent to nobody."""

import json
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import httpx
import msgspec

from bridge import bootstrap
from bridge.domain.ids import EffectKey
from bridge.domain.outcome import Deferred, Outcome
from bridge.domain.plan import Effect
from bridge.sending.execute import Performer
from bridge.sending.store import Loaded
from bridge.servicetitan.client import EMPTY, ServiceTitan
from bridge.servicetitan.operation import Body, Operation, Parameter
from bridge.settings import TenantSettings

UNKNOWN_ID = 0
"""Stands for the id of what an earlier effect creates."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request; `then` says what follows where its answer decides about it."""

    method: str
    url: str
    body: Any = None
    then: str = ""


class _Rehearsed(ServiceTitan):
    """A client that writes a request down instead of sending it; a read ends the command, for its answer is not known."""

    written: list[Request]

    def within(self, seconds: float) -> "_Rehearsed":
        """Return itself: nothing is sent, so nothing takes time."""
        del seconds
        return self

    async def call(
        self,
        operation: Operation,
        *,
        path_params: Mapping[str, int | str] = EMPTY,
        query: Mapping[str, Parameter | None] = EMPTY,
        body: Body | None = None,
    ) -> Outcome:
        """Write the request down."""
        content = operation.render_body(body)
        self.written.append(
            Request(
                method=operation.method,
                url=self._url(operation, path_params, query),
                body=None if content is None else json.loads(content),
                then="the write follows, merged with what stands there then" if operation.is_read else "",
            )
        )
        return Deferred(reason="rehearsed")


async def requests_of(tenant: TenantSettings, effect: Effect) -> tuple[Request, ...]:
    """Return the requests an effect would send, up to the first whose answer decides about the next."""
    created: Mapping[EffectKey, Mapping[str, int]] = _AnyId()
    async with httpx.AsyncClient() as nobody:
        client = _Rehearsed(bootstrap.credentials_of(tenant), nobody, bootstrap.wall_clock)
        client.written = []
        performer = Performer(lambda _: tenant.external_data_guid or "")
        await performer.execute(client, Loaded(effect.key, effect.command), created, now=bootstrap.wall_clock())
        return tuple(client.written)


class _AnyId(dict[EffectKey, Mapping[str, int]]):
    def get(self, _key: EffectKey, _default: Any = None) -> Mapping[str, int]:
        """Return ids for whatever part is asked for."""
        return self[_key]

    def __missing__(self, _key: EffectKey) -> Mapping[str, int]:
        return _Parts(lambda: UNKNOWN_ID)


class _Parts(defaultdict[str, int]):
    def __contains__(self, _part: object) -> bool:
        return True
