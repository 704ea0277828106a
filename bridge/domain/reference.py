"""ServiceTitan's short lists as last seen, so that a config can call things by their names."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

CAMPAIGN = "campaigns"
BUSINESS_UNIT = "business_units"
JOB_TYPE = "job_types"
TAG_TYPE = "tag_types"
CALL_REASON = "call_reasons"
CUSTOMER_FIELD = "customer_custom_fields"
LOCATION_FIELD = "location_custom_fields"


class ListEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One record of a short list. `options` are those of a dropdown field, `business_unit_ids` those of a job type."""

    id: int
    name: str
    active: bool = True
    data_type: str = ""
    options: tuple[str, ...] = ()
    business_unit_ids: tuple[int, ...] = ()

    def typed(self, value: str) -> str | None:
        """Return a value as this field takes it: an option as ServiceTitan writes it, a plain number; None if it does not."""
        text = value.strip()
        if not text:
            return ""
        if self.options or self.data_type == "Dropdown":
            return next((option for option in self.options if option.casefold() == text.casefold()), None)
        if self.data_type == "Numeric":
            number = text.replace(",", "").removeprefix("$")
            try:
                float(number)
            except ValueError:
                return None
            return number if all(sign.isdigit() or sign in ".-" for sign in number) else None
        return text


class ReferenceLists(msgspec.Struct, frozen=True, kw_only=True):
    """The short lists of one tenant by kind; `is_loaded` is false before the first sync."""

    entries: Mapping[str, tuple[ListEntry, ...]] = MappingProxyType({})
    is_loaded: bool = False

    def find(self, kind: str, reference: int | str | None) -> ListEntry | None:
        """Return the one active entry of this id or name (case and blanks aside), None where there is none or several."""
        if reference is None:
            return None
        found = self.candidates(kind, reference)
        return found[0] if len(found) == 1 else None

    def candidates(self, kind: str, reference: int | str) -> tuple[ListEntry, ...]:
        """Return every entry an id or name could mean; active ones first, and only those where there are any."""
        listed = self.entries.get(kind, ())
        wanted = _folded(str(reference))
        found = tuple(
            entry
            for entry in listed
            if entry.id == reference
            or str(entry.id) == wanted
            or (not isinstance(reference, int) and _folded(entry.name) == wanted)
        )
        active = tuple(entry for entry in found if entry.active)
        return active or found


def _folded(name: str) -> str:
    return " ".join(name.casefold().split())
