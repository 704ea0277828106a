"""Names for the integers and strings that travel, so that one is never passed for another."""

from typing import NewType

TenantId = NewType("TenantId", int)
"""The ServiceTitan tenant id: in every path of its API and first in every key of our tables."""


def alerts_of(tenant_id: TenantId) -> TenantId:
    """Return under which number the alerts about a tenant stand in the outbox: what pauses or holds the tenant is not theirs."""
    return TenantId(-tenant_id)


def is_of_alerts(tenant_id: TenantId) -> bool:
    """Tell whether a number of the outbox stands for alerts."""
    return tenant_id < 0


SourceId = NewType("SourceId", str)
"""The name of a source in the config; the last part of its hook URL."""

DeliveryId = NewType("DeliveryId", int)
EffectId = NewType("EffectId", int)
DecisionId = NewType("DecisionId", int)

EffectKey = NewType("EffectKey", str)
"""32 lower-case hex digits that name one effect for ever; a booking carries it as its `externalId`."""

CustomerId = NewType("CustomerId", int)
LocationId = NewType("LocationId", int)
BookingId = NewType("BookingId", int)
LeadId = NewType("LeadId", int)
ContactId = NewType("ContactId", int)
