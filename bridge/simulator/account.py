"""One ServiceTitan tenant: its records, its reference lists, and the apps that are connected to it."""

from collections.abc import Callable
from typing import Any

import msgspec

from bridge.simulator.tables import Row, Table


class Client(msgspec.Struct, frozen=True, kw_only=True):
    """A connected app: credentials unique to (app, tenant). No `booking_provider` means "No Restriction"; no `scopes`, all."""

    client_id: str
    client_secret: str
    app_key: str
    tenant: int
    booking_provider: int | None = None
    scopes: frozenset[str] | None = None

    def may(self, scope: str) -> bool:
        """Tell whether the app was given this scope."""
        return self.scopes is None or scope in self.scopes


class Account:
    """The records of one tenant."""

    def __init__(self, tenant: int, *, name: str, next_id: Callable[[], int]) -> None:
        self.id = tenant
        self.name = name
        self.next_id = next_id
        self.tables: dict[str, Table] = {}
        self.booking_provider_tags = self._table("booking_provider_tags", "tagName")
        self.bookings = self._table("bookings", "externalId")
        self.booking_contacts = self._table("booking_contacts", "bookingId")
        self.customers = self._table("customers")
        self.customer_contacts = self._table("customer_contacts", "customerId", "digits")
        self.customer_notes = self._table("customer_notes", "customerId")
        self.locations = self._table("locations", "customerId")
        self.location_contacts = self._table("location_contacts", "locationId")
        self.location_notes = self._table("location_notes", "locationId")
        self.leads = self._table("leads", "customerId")
        self.lead_notes = self._table("lead_notes", "leadId")
        self.contacts = self._table("contacts")
        self.contact_methods = self._table("contact_methods", "contactId", "value")
        self.relationships = self._table("relationships", "contactId", "relatedEntityId")
        self.categories = self._table("categories")
        self.campaigns = self._table("campaigns")
        self.business_units = self._table("business_units")
        self.tag_types = self._table("tag_types")
        self.employees = self._table("employees")
        self.technicians = self._table("technicians")
        self.job_types = self._table("job_types")
        self.jobs = self._table("jobs", "bookingId")
        self.call_reasons = self._table("call_reasons")
        self.calls = self._table("calls")
        self.customer_fields = self._table("customer_fields")
        self.location_fields = self._table("location_fields")
        self.job_fields = self._table("job_fields")
        self.attributions = self._table("attributions")

    def _table(self, name: str, *indexed: str) -> Table:
        table = self.tables[name] = Table()
        for field in indexed:
            table.index(field)
        return table

    def see_as_of(self, moment: str) -> None:
        """Let reads see the records as they were at this moment; empty text ends it."""
        for table in self.tables.values():
            table.as_of = moment

    def record_versions(self) -> None:
        """Keep earlier versions from now on, so that stale reads can show them."""
        for table in self.tables.values():
            table.recording = True

    def must(self, table: str, row_id: Any) -> Row:
        """Return the row; KeyError if there is none."""
        row = self.tables[table].get(row_id)
        if row is None:
            raise KeyError(f"{table} has no row {row_id}")
        return row
