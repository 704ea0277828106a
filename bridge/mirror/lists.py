"""The short lists that a config names things of, read whole: campaigns, business units, job types, tags and so on."""

from collections.abc import Mapping
from typing import Any

from psycopg.types.json import Jsonb

from bridge.db.database import Tx
from bridge.domain import reference
from bridge.domain.ids import TenantId
from bridge.domain.outcome import Outcome, Succeeded
from bridge.mirror.shapes import stored_json
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.exports import collect
from bridge.servicetitan.operation import BoundOperation

TECHNICIAN = "technicians"
EMPLOYEE = "employees"
CATEGORY = "campaign_categories"
PROVIDER_TAG = "booking_provider_tags"
_ANY = {"active": "Any"}


def sources(client: ServiceTitan) -> dict[str, tuple[BoundOperation, Mapping[str, str]]]:
    """Return the call that reads each list, and its filters: inactive records count, a config may still name them."""
    return {
        reference.CAMPAIGN: (client.campaigns.list, _ANY),
        reference.BUSINESS_UNIT: (client.business_units.list, _ANY),
        reference.JOB_TYPE: (client.job_types.list, _ANY),
        reference.TAG_TYPE: (client.tag_types.list, _ANY),
        reference.CALL_REASON: (client.call_reasons.list, _ANY),
        reference.CUSTOMER_FIELD: (client.customers.custom_fields, {}),
        reference.LOCATION_FIELD: (client.locations.custom_fields, {}),
        CATEGORY: (client.campaign_categories.list, {}),
        EMPLOYEE: (client.employees.list, _ANY),
        TECHNICIAN: (client.technicians.list, _ANY),
        PROVIDER_TAG: (client.booking_provider_tags.list, {}),
    }


async def read(call: BoundOperation, filters: Mapping[str, str]) -> Outcome:
    """Return all records of one list, or why it could not be read."""
    return await collect(call, query=dict(filters))


async def replace(tx: Tx, tenant_id: TenantId, kind: str, outcome: Succeeded) -> int:
    """Make the mirrored list what was read and return its length; a record that is gone stays by name, not active."""
    await tx.execute(
        "UPDATE mirrored_lists SET active = false WHERE tenant_id = %s AND kind = %s AND NOT id = ANY(%s)",
        [tenant_id, kind, [record.id for record in outcome.body]],
    )
    for record in outcome.body:
        await tx.execute(
            "INSERT INTO mirrored_lists (tenant_id, kind, id, name, active, data, modified_on)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (tenant_id, kind, id) DO UPDATE SET name = EXCLUDED.name,"
            " active = EXCLUDED.active, data = EXCLUDED.data, modified_on = EXCLUDED.modified_on",
            [
                tenant_id,
                kind,
                record.id,
                _name(record),
                getattr(record, "active", None) is not False,
                Jsonb(record, dumps=stored_json),
                record.modified_on,
            ],
        )
    return len(outcome.body)


def _name(record: Any) -> str:
    name = getattr(record, "name", None) or getattr(record, "tag_name", None) or ""
    return str(name).replace("\x00", "")
