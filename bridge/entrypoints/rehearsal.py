"""The exact requests that a command would send, written down by the real client's own code, and sent to nobody."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import msgspec

from bridge import bootstrap
from bridge.db.database import Database
from bridge.domain.command import Command
from bridge.domain.ids import EffectKey, TenantId
from bridge.domain.outcome import Deferred, Outcome
from bridge.domain.plan import Effect
from bridge.reports import masking
from bridge.reports.reading import reading
from bridge.reports.story import EffectSeen, Story
from bridge.sending.effects.execute import Performer
from bridge.sending.standing import created_by
from bridge.sending.store import Loaded
from bridge.servicetitan.client import EMPTY, ServiceTitan
from bridge.servicetitan.operation import Body, Operation, Parameter, RequestInvalidError
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


async def requests_of(
    tenant: TenantSettings, effect: Effect, *, created: Mapping[EffectKey, Mapping[str, int]] | None = None
) -> tuple[Request, ...]:
    """Return the requests an effect would send, up to the first whose answer decides about the next.

    `created` are the ids that effects before it made; without them any id stands in.
    """
    async with httpx.AsyncClient() as nobody:
        client = _Rehearsed(bootstrap.credentials_of(tenant), nobody, bootstrap.wall_clock)
        client.written = []
        performer = Performer(lambda _: tenant.external_data_guid or "")
        await performer.execute(
            client, Loaded(effect.key, effect.command), created or _AnyId(), now=bootstrap.wall_clock()
        )
        return tuple(client.written)


async def requests_of_story(
    database: Database, tenant: TenantSettings, found: Story, *, known: tuple[str, ...] | None = None
) -> dict[int, tuple[Request, ...]]:
    """Return the requests of each effect of a delivery, as its attempts send them; people are hidden where `known` are their values."""
    wanted = {one.id: _effect(one) for one in found.effects}
    keys = {key for one in wanted.values() if one is not None for key in _promised(msgspec.to_builtins(one.command))}
    tenant_id = TenantId(found.tenant_id)
    async with reading(database) as tx:
        made = await created_by(tx, [(tenant_id, key) for key in keys]) if keys else {}
    created = _Made({key: ids for (_, key), ids in made.items()})
    shown: dict[int, tuple[Request, ...]] = {}
    for effect_id, effect in wanted.items():
        try:
            requests = await requests_of(tenant, effect, created=created) if effect is not None else ()
        except RequestInvalidError:  # its attempt says so
            requests = ()
        if known is not None:
            requests = tuple(msgspec.structs.replace(one, body=masking.tree(one.body, known)) for one in requests)
        shown[effect_id] = requests
    return shown


def _effect(one: EffectSeen) -> Effect | None:
    """Return an effect with its command, None where this version cannot read it."""
    try:
        command: Command = msgspec.convert(one.command, Command)
    except msgspec.ValidationError:
        return None
    return Effect(key=EffectKey(one.key), command=command, lane=one.lane, rule=one.rule)


def _promised(command: Any) -> Iterator[EffectKey]:
    """Yield the effects whose ids a command waits for."""
    if isinstance(command, dict):
        if command.get("type") == "created_by":
            yield EffectKey(command["effect_key"])
        for item in command.values():
            yield from _promised(item)
    if isinstance(command, list | tuple):
        for item in command:
            yield from _promised(item)


class _Made(dict[EffectKey, Mapping[str, int]]):
    def get(self, key: EffectKey, _default: Any = None) -> Mapping[str, int]:
        """Return the ids an effect made; one that is not done yet makes an unknown one."""
        return self[key] if key in self else _Parts(lambda: UNKNOWN_ID)


class _AnyId(dict[EffectKey, Mapping[str, int]]):
    def get(self, _key: EffectKey, _default: Any = None) -> Mapping[str, int]:
        """Return ids for whatever part is asked for."""
        return self[_key]

    def __missing__(self, _key: EffectKey) -> Mapping[str, int]:
        return _Parts(lambda: UNKNOWN_ID)


class _Parts(defaultdict[str, int]):
    def __contains__(self, _part: object) -> bool:
        return True
