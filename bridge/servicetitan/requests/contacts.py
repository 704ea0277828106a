"""What a request may carry (contacts): checked against the contract before it is sent."""

from msgspec import UNSET, UnsetType

from bridge.servicetitan.enums import ContactType
from bridge.servicetitan.wire import Request


class CreateContactMethodRequest(Request, frozen=True, kw_only=True):
    """What `contacts.create_method` takes."""

    reference_id: str | UnsetType | None = UNSET
    type: ContactType
    value: str
    memo: str | UnsetType | None = UNSET


class UpsertContactMethodRequest(Request, frozen=True, kw_only=True):
    """What `contacts.upsert_method` takes."""

    reference_id: str | UnsetType | None = UNSET
    type: ContactType
    value: str
    memo: str | UnsetType | None = UNSET


class UpdateContactMethodRequest(Request, frozen=True, kw_only=True):
    """What `contacts.update_method` takes."""

    value: str | UnsetType = UNSET
    memo: str | UnsetType = UNSET


class UpdateContactMethodPreferenceRequest(Request, frozen=True, kw_only=True):
    """What `contacts.update_preference` takes."""

    value: str | UnsetType = UNSET


class ReplaceContactRequest(Request, frozen=True, kw_only=True):
    """What `contacts.replace` takes."""

    name: str | UnsetType | None = UNSET
    title: str | UnsetType | None = UNSET
    reference_id: str | UnsetType | None = UNSET
    is_archived: bool


class UpdateContactRequest(Request, frozen=True, kw_only=True):
    """What `contacts.update` takes."""

    name: str | UnsetType | None = UNSET
    title: str | UnsetType | None = UNSET
    reference_id: str | UnsetType | None = UNSET
    is_archived: bool


class CreateContactRequest(Request, frozen=True, kw_only=True):
    """What `contacts.create` takes."""

    name: str | UnsetType | None = UNSET
    title: str | UnsetType | None = UNSET
    reference_id: str | UnsetType | None = UNSET
