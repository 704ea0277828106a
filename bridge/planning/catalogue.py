"""Which campaign, business unit, job type, priority and time a booking gets, and why."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import msgspec

from bridge.domain.expressions import as_text, is_true
from bridge.domain.inquiry import Attribution, BookingInquiry
from bridge.domain.reference import BUSINESS_UNIT, CAMPAIGN, JOB_TYPE, ListEntry
from bridge.domain.values import moment
from bridge.planning.planner import Desk
from bridge.planning.rules import Fields

_PRIORITIES = {"low": "Low", "normal": "Normal", "high": "High", "urgent": "Urgent", "emergency": "Urgent"}


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A business unit and a job type that go together, or one of them, or none."""

    business_unit: int | None = None
    job_type: int | None = None
    business_unit_origin: str = ""
    job_type_origin: str = ""


def yes(value: Any) -> bool:
    """Tell whether a filled-in value means yes."""
    return is_true(value)


def campaign(desk: Desk, inquiry: BookingInquiry, fields: Fields) -> tuple[int | None, str]:
    """Return the campaign by rule, by the mapping of ads and utm, by the source's default, by the tenant's."""
    tenant, source = desk.context.tenant, desk.context.source
    if "campaign" in fields:
        entry = desk.find(CAMPAIGN, fields.value("campaign"), where=fields.origin)
        if entry is not None:
            return entry.id, fields.origin
    for name, said in _campaign_names(inquiry.attribution):
        reference = _mapped(tenant.campaigns, said)
        entry = desk.find(CAMPAIGN, reference, where=f"campaigns of tenant {tenant.key}")
        if entry is not None:
            return entry.id, f'{name} "{said}" by campaigns of tenant {tenant.key}'
    for reference, where in (
        (source.booking.campaign, f"default of source {source.id}"),
        (tenant.defaults.campaign, f"default of tenant {tenant.key}"),
    ):
        entry = desk.find(CAMPAIGN, reference, where=where)
        if entry is not None:
            return entry.id, where
    return None, ""


def _campaign_names(said: Attribution) -> Iterator[tuple[str, str]]:
    """Yield the sender's names of the campaign, the most telling first."""
    for name in ("campaign", "utm_campaign", "utm_source"):
        value = getattr(said, name).strip()
        if value:
            yield name, value
    if said.utm_source and said.utm_medium:
        yield "utm_source/utm_medium", f"{said.utm_source}/{said.utm_medium}"
    for name in ("gclid", "gbraid", "wbraid", "fbclid", "msclkid"):
        if getattr(said, name):
            yield name, name


def _mapped(mapping: Mapping[str, Any], said: str) -> Any:
    """Return what a mapping says of a name, case aside; a tracking number is the same with and without its signs."""
    wanted = said.casefold()
    digits = "".join(filter(str.isdigit, said))
    for key, value in mapping.items():
        if key.casefold() == wanted:
            return value
        known = "".join(filter(str.isdigit, key))
        if len(digits) >= 10 and known[-10:] == digits[-10:]:
            return value
    return None


def service_pair(desk: Desk, inquiry: BookingInquiry, fields: Fields) -> Pair:
    """Return business unit and job type; where the account maps them, only a pair that matches.

    A pair that does not match leaves the drop-down on the Calls screen empty, so the part that was said more exactly wins:
    a rule over what the person asked for, that over a default.
    """
    job, job_rank, job_origin = _job_type(desk, inquiry, fields)
    unit, unit_rank, unit_origin = _business_unit(desk, fields)
    if job is not None and job.business_unit_ids:
        if unit is None and len(job.business_unit_ids) == 1:
            return Pair(
                business_unit=job.business_unit_ids[0],
                job_type=job.id,
                business_unit_origin=f"the one unit of job type {job.name}",
                job_type_origin=job_origin,
            )
        if unit is not None and unit.id not in job.business_unit_ids:
            if job_rank > unit_rank:
                desk.note(
                    f"business unit {unit.name}", f"does not go with job type {job.name}, which was said more exactly"
                )
                return Pair(
                    business_unit=job.business_unit_ids[0],
                    job_type=job.id,
                    business_unit_origin=f"the first unit of job type {job.name}",
                    job_type_origin=job_origin,
                )
            desk.note(f"job type {job.name}", f"left out: it does not go with business unit {unit.name}")
            job, job_origin = None, ""
    return Pair(
        business_unit=unit.id if unit else None,
        job_type=job.id if job else None,
        business_unit_origin=unit_origin,
        job_type_origin=job_origin,
    )


def _job_type(desk: Desk, inquiry: BookingInquiry, fields: Fields) -> tuple[ListEntry | None, int, str]:
    tenant, source = desk.context.tenant, desk.context.source
    if "job_type" in fields:
        entry = desk.find(JOB_TYPE, fields.value("job_type"), where=fields.origin)
        if entry is not None:
            return entry, 3, fields.origin
    if inquiry.service:
        mapped = _mapped_service(tenant.services, inquiry.service)
        entry = desk.find(JOB_TYPE, mapped, where=f"services of tenant {tenant.key}")
        if entry is not None:
            return entry, 2, f'service "{inquiry.service}" by services of tenant {tenant.key}'
        entry = desk.context.reference.find(JOB_TYPE, inquiry.service)
        if entry is not None:
            return entry, 2, f'service "{inquiry.service}" is the job type\'s name'
    for reference, rank, where in (
        (source.booking.job_type, 1, f"default of source {source.id}"),
        (tenant.defaults.job_type, 0, f"default of tenant {tenant.key}"),
    ):
        entry = desk.find(JOB_TYPE, reference, where=where)
        if entry is not None:
            return entry, rank, where
    return None, -1, ""


def _mapped_service(services: Mapping[str, Any], said: str) -> Any:
    """Return the job type of the longest name of a service that stands in what the person asked for."""
    wanted = said.casefold()
    hits = [key for key in services if key.casefold() in wanted]
    return services[max(hits, key=lambda key: (len(key), key))] if hits else None


def _business_unit(desk: Desk, fields: Fields) -> tuple[ListEntry | None, int, str]:
    tenant, source = desk.context.tenant, desk.context.source
    choices = (
        (fields.value("business_unit"), 3, fields.origin),
        (source.booking.business_unit, 1, f"default of source {source.id}"),
        (tenant.defaults.business_unit, 0, f"default of tenant {tenant.key}"),
    )
    for reference, rank, where in choices:
        entry = desk.find(BUSINESS_UNIT, reference, where=where)
        if entry is not None:
            return entry, rank, where
    return None, -1, ""


def priority(desk: Desk, inquiry: BookingInquiry, fields: Fields) -> tuple[str, str]:
    """Return ServiceTitan's word for how urgent it is, empty where nobody says."""
    tenant, source = desk.context.tenant, desk.context.source
    for said, where in (
        (fields.text("priority"), fields.origin),
        (inquiry.priority, inquiry.origins.get("priority", "the sender")),
        (source.booking.priority, f"default of source {source.id}"),
        (tenant.defaults.priority, f"default of tenant {tenant.key}"),
    ):
        known = _PRIORITIES.get((said or "").strip().lower())
        if known is not None:
            return known, where
        if said:
            desk.note(f"priority {said!r}", "left out: it is none of Low, Normal, High, Urgent")
    return "", ""


def start(desk: Desk, inquiry: BookingInquiry, fields: Fields) -> tuple[datetime | None, str]:
    """Return when the person would like it; a time gone by is left to the summary."""
    wanted, origin = inquiry.preferred_start, inquiry.origins.get("preferred_start", "the preferred time")
    if "start" in fields:
        wanted = moment(as_text(fields.value("start")), time_zone=desk.context.tenant.time_zone)
        origin = fields.origin
    if wanted is None:
        return None, ""
    if wanted <= desk.now:
        desk.note("start", "left out: the wanted time is over")
        return None, ""
    return wanted, origin
