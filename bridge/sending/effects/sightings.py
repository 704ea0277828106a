"""The newest state in which ServiceTitan showed a record: an answer from before it is an answer about the past."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from datetime import datetime

from bridge.domain.command import PartyKind
from bridge.domain.ids import TenantId

REMEMBERED = 10_000
"""Records; what is pushed out was shown long before reads stop to trail (3 minutes), at the 20 writes/s a tenant's budget allows."""

NewestOf = Callable[[TenantId, PartyKind, int], Awaitable[datetime | None]]
"""When the record was last changed, as far as is kept beyond this process; None where nothing is known."""


async def nothing_kept(tenant_id: TenantId, party: PartyKind, record_id: int) -> datetime | None:
    """Know nothing beyond this process."""
    del tenant_id, party, record_id
    return None


class Sightings:
    """What this process was shown, and what `newest_of` remembers of others and of before a restart."""

    def __init__(self, newest_of: NewestOf = nothing_kept) -> None:
        self._newest_of = newest_of
        self._seen: OrderedDict[tuple[TenantId, PartyKind, int], datetime] = OrderedDict()

    def note(self, tenant_id: TenantId, party: PartyKind, record_id: int, modified_on: datetime | None) -> None:
        """Take note of a state that an answer showed."""
        key = (tenant_id, party, record_id)
        known = self._seen.pop(key, None)
        newest = max((time for time in (known, modified_on) if time is not None), default=None)
        if newest is not None:
            self._seen[key] = newest
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    async def is_past(
        self, tenant_id: TenantId, party: PartyKind, record_id: int, modified_on: datetime | None
    ) -> bool:
        """Tell whether a later state than this one was shown before; one without a time is believed."""
        if modified_on is None:
            return False
        known = self._seen.get((tenant_id, party, record_id))
        if known is not None and modified_on < known:
            return True
        kept = await self._newest_of(tenant_id, party, record_id)
        return kept is not None and modified_on < kept
