"""The table of operations by family: the client's methods and the contract test both come from it."""

from bridge.servicetitan.operation import Family, Operation
from bridge.servicetitan.operations.bookings import BookingProviderTags, Bookings, TenantBookings
from bridge.servicetitan.operations.contacts import Contacts
from bridge.servicetitan.operations.customers import Customers, Locations, Tags
from bridge.servicetitan.operations.exports import Exports
from bridge.servicetitan.operations.leads import Attributions, Leads
from bridge.servicetitan.operations.reference import (
    BusinessUnits,
    CallReasons,
    CampaignCategories,
    Campaigns,
    Employees,
    Jobs,
    JobTypes,
    TagTypes,
    Technicians,
)

FAMILIES: tuple[type[Family], ...] = (
    BookingProviderTags,
    Bookings,
    TenantBookings,
    Contacts,
    Customers,
    Locations,
    Tags,
    Leads,
    Attributions,
    Campaigns,
    CampaignCategories,
    BusinessUnits,
    TagTypes,
    Employees,
    Technicians,
    JobTypes,
    Jobs,
    CallReasons,
    Exports,
)

OPERATIONS: dict[str, Operation] = {
    operation.name: operation
    for family in FAMILIES
    for operation in vars(family).values()
    if isinstance(operation, Operation)
}

__all__ = [
    "FAMILIES",
    "OPERATIONS",
    "Attributions",
    "BookingProviderTags",
    "Bookings",
    "BusinessUnits",
    "CallReasons",
    "CampaignCategories",
    "Campaigns",
    "Contacts",
    "Customers",
    "Employees",
    "Exports",
    "JobTypes",
    "Jobs",
    "Leads",
    "Locations",
    "TagTypes",
    "Tags",
    "Technicians",
    "TenantBookings",
]
