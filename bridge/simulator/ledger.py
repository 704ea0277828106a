"""The truth: every effect that was ever applied, by which request, countable by what it touched."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec


class Entry(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False, omit_defaults=True):
    """One effect: what kind, on which record, asked by which request; `by` is api, operator or fault."""

    sequence: int
    at: datetime
    tenant: int
    kind: str
    id: int | str
    external_id: str | None = None
    customer_id: int | None = None
    location_id: int | None = None
    booking_id: int | None = None
    lead_id: int | None = None
    request_id: str = ""
    by: str = "api"
    detail: dict[str, Any] | None = None


class Ledger:
    """Entries in the order they were applied, with those of an external id, customer, location, booking or lead at hand."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self._by: dict[tuple[str, int | str], list[Entry]] = {}

    def add(self, entry: Entry) -> None:
        """Keep an entry for ever."""
        self.entries.append(entry)
        for name, value in (
            ("external_id", entry.external_id),
            ("customer_id", entry.customer_id),
            ("location_id", entry.location_id),
            ("booking_id", entry.booking_id),
            ("lead_id", entry.lead_id),
        ):
            if value is not None:
                self._by.setdefault((name, value), []).append(entry)

    def select(  # noqa: PLR0913 - one keyword for each column of the ledger
        self,
        *,
        tenant: int | None = None,
        kind: str | None = None,
        external_id: str | None = None,
        customer_id: int | None = None,
        location_id: int | None = None,
        booking_id: int | None = None,
        lead_id: int | None = None,
        request_id: str | None = None,
        by: str | None = None,
        after: int = 0,
    ) -> list[Entry]:
        """Return the entries that fit everything given; `kind` may end in `.*`; `after` is a sequence number."""
        wanted = {
            "external_id": external_id,
            "customer_id": customer_id,
            "location_id": location_id,
            "booking_id": booking_id,
            "lead_id": lead_id,
        }
        keys = [(name, value) for name, value in wanted.items() if value is not None]
        pool: Iterable[Entry] = self._by.get(keys[0], ()) if keys else self.entries[after:]
        prefix = kind[:-1] if kind and kind.endswith(".*") else None
        return [
            entry
            for entry in pool
            if entry.sequence > after
            and (tenant is None or entry.tenant == tenant)
            and (kind is None or entry.kind == kind or (prefix is not None and entry.kind.startswith(prefix)))
            and (request_id is None or entry.request_id == request_id)
            and (by is None or entry.by == by)
            and all(getattr(entry, name) == value for name, value in keys)
        ]

    def count(self, kind: str | None = None, **wanted: Any) -> int:
        """Return how many entries fit; the keywords are those of `select`."""
        return len(self.select(kind=kind, **wanted))
