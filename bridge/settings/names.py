"""The names of ServiceTitan's records that a config uses, each with its place, looked up in what a mirror holds."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from bridge.domain.reference import (
    BUSINESS_UNIT,
    CALL_REASON,
    CAMPAIGN,
    CUSTOMER_FIELD,
    JOB_TYPE,
    LOCATION_FIELD,
    TAG_TYPE,
    ListEntry,
    ReferenceLists,
)
from bridge.settings.faults import Fault, did_you_mean
from bridge.settings.reading import Written, dotted
from bridge.settings.rules import Do, FieldWish
from bridge.settings.schema import Config

Path = tuple[str | int, ...]
_BOOKING = {
    "campaign": CAMPAIGN,
    "business_unit": BUSINESS_UNIT,
    "job_type": JOB_TYPE,
    "dismiss_reason": CALL_REASON,
    "call_reason": CALL_REASON,
    "reason": CALL_REASON,
}
_CALLED = {
    CAMPAIGN: "campaign",
    BUSINESS_UNIT: "business unit",
    JOB_TYPE: "job type",
    CALL_REASON: "call reason",
    TAG_TYPE: "tag",
    CUSTOMER_FIELD: "custom field of customers",
    LOCATION_FIELD: "custom field of locations",
}
KINDS = tuple(_CALLED)
"""The short lists that a config calls records of."""
_FIELDS = {"customer": CUSTOMER_FIELD, "location": LOCATION_FIELD}
_SHOWN = 12


class Named(msgspec.Struct, frozen=True, kw_only=True):
    """A record called by id or name, for these tenants; `value` is what a custom field should get, where that is fixed."""

    path: Path
    kind: str
    reference: int | str
    tenants: tuple[str, ...]
    is_key: bool = False
    value: str | None = None


def names_of(config: Config) -> Iterator[Named]:
    """Yield every record that a config calls by id or name; what a template fills in is not known yet."""
    for found in _names(config):
        if found.reference != "" and "{{" not in str(found.reference) and "{%" not in str(found.reference):
            yield found


def unknown_names(config: Config, tree: Written, lists: Mapping[str, ReferenceLists]) -> Iterator[Fault]:
    """Yield a fault for each name that a tenant's lists do not hold once; tenants without lists are passed over."""
    for named in names_of(config):
        for tenant in named.tenants:
            known = lists.get(tenant)
            if known is None:
                continue
            wrong = looked_up(named, known)
            if wrong is not None:
                place, _ = tree.at(named.path)
                yield Fault(
                    place=place.key_place if named.is_key else place.place,
                    path=dotted(named.path),
                    message=wrong[0] if named.path[0] == "tenants" else f"tenant {tenant}: {wrong[0]}",
                    hint=wrong[1],
                )
                break


def looked_up(named: Named, lists: ReferenceLists) -> tuple[str, str] | None:
    """Return what is wrong with a name and what to do, None where it means one active record."""
    found, called = lists.candidates(named.kind, named.reference), _CALLED[named.kind]
    if not found:
        names = [entry.name for entry in lists.entries.get(named.kind, ()) if entry.active]
        there = f"there are {', '.join(sorted(names)[:_SHOWN])}" if names else "there is none at all"
        return f'no {called} is called "{named.reference}"', did_you_mean(str(named.reference), names) or there
    if len(found) > 1:
        ids = ", ".join(str(entry.id) for entry in found)
        return f'"{named.reference}" means {len(found)} records ({called})', f"write the id of one: {ids}"
    if not found[0].active:
        return f'{called} "{named.reference}" is not active', "activate it in ServiceTitan, or name another"
    return _wrong_value(found[0], named.value)


def _wrong_value(entry: ListEntry, value: str | None) -> tuple[str, str] | None:
    if value is None or entry.typed(value) is not None:
        return None
    hint = did_you_mean(value, entry.options) or f"it takes {', '.join(entry.options[:_SHOWN]) or 'numbers'}"
    return f'custom field "{entry.name}" ({entry.data_type}) does not take "{value}"', hint


def _names(config: Config) -> Iterator[Named]:
    for key, tenant in config.tenants.items():
        yield from _block(tenant.defaults, ("tenants", key, "defaults"), (key,))
        for mapping, kind in (("campaigns", CAMPAIGN), ("services", JOB_TYPE)):
            for said, reference in getattr(tenant, mapping).items():
                yield Named(path=("tenants", key, mapping, said), kind=kind, reference=reference, tenants=(key,))
    for key, source in config.sources.items():
        path, tenants = ("sources", key), (source.tenant,)
        yield from _block(source.booking, (*path, "booking"), tenants)
        for said, field in source.updates.fields.items():
            where = (*path, "updates", "fields", said, "custom_field")
            yield Named(path=where, kind=_FIELDS[field.on], reference=field.custom_field, tenants=tenants)
        for said, tag in source.updates.tags.items():
            yield Named(path=(*path, "updates", "tags", said), kind=TAG_TYPE, reference=tag, tenants=tenants)
    for index, rule in enumerate(config.rules):
        for step, do in enumerate(rule.do):
            yield from _step(do, ("rules", index, "do", step), _tenants(config, rule.tenant, rule.source))


def _tenants(config: Config, tenant: str | None, source: str | None) -> tuple[str, ...]:
    """Return the tenants that a rule is for."""
    if tenant is not None:
        return (tenant,)
    if source in config.sources:
        return (config.sources[source].tenant,)
    return tuple(config.tenants)


def _step(do: Do, path: Path, tenants: tuple[str, ...]) -> Iterator[Named]:
    for command in sorted(do.model_fields_set - {"never", "hold", "ignore"}):
        block = getattr(do, command)
        if block is None:
            continue
        here = (*path, command)
        yield from _block(block, here, tenants)
        for name in ("tags", "add", "remove"):
            for place, tag in enumerate(getattr(block, name, ())):
                yield Named(path=(*here, name, place), kind=TAG_TYPE, reference=tag, tenants=tenants)
        wishes: Mapping[str, FieldWish] = getattr(block, "fields", {})
        kind = _FIELDS[getattr(block, "on", None) or "customer"]
        for name, wish in wishes.items():
            is_fixed = not (isinstance(wish.value, str) and ("{{" in wish.value or "{%" in wish.value))
            yield Named(
                path=(*here, "fields", name),
                kind=kind,
                reference=name,
                tenants=tenants,
                is_key=True,
                value=str(wish.value) if is_fixed else None,
            )


def _block(block: Any, path: Path, tenants: tuple[str, ...]) -> Iterator[Named]:
    """Yield the names that stand in one block under the names of their kinds."""
    for name, kind in _BOOKING.items():
        reference = getattr(block, name, None)
        if isinstance(reference, int | str):
            yield Named(path=(*path, name), kind=kind, reference=reference, tenants=tenants)
