"""From our commands' parts to the members of ServiceTitan's requests (pure)."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType

from bridge.domain.command import ContactMethod, CreatedBy, Target
from bridge.domain.ids import EffectKey
from bridge.domain.inquiry import PostalAddress

Refs = Mapping[EffectKey, Mapping[str, int]]
"""Which ids the effects created that a command needs, by part."""

Value = TypeVar("Value")

COUNTRY = "USA"
CLOCKS_APART = timedelta(minutes=5)
"""What ServiceTitan's clock may be behind ours: what was created since a send is asked for from that much before."""
MARK = 12  # hex digits of the effect key that a note or lead carries, so that it can be found again


class ReferenceMissingError(LookupError):
    """The effect that should have created an id is done and created none."""


def given(value: Value | None) -> Value | UnsetType:
    """Return the value, or UNSET where there is none: an empty member is not sent."""
    return UNSET if value is None or value in {"", ()} else value


def resolve(target: Target, refs: Refs) -> int:
    """Return the id a command means; raises ReferenceMissingError."""
    if isinstance(target, CreatedBy):
        created = refs.get(target.effect_key, {})
        if target.part not in created:
            raise ReferenceMissingError(f"effect {target.effect_key} created no {target.part or 'id'}")
        return created[target.part]
    return target


def address(value: PostalAddress) -> dict[str, Any]:
    """Return an address with every member ServiceTitan requires; what is not known is empty text."""
    return {
        "street": value.street or value.raw,
        **({"unit": value.unit} if value.unit else {}),
        "city": value.city,
        "state": value.state,
        "zip": value.zip,
        "country": value.country or COUNTRY,
    }


def address_whole(value: PostalAddress) -> dict[str, Any]:
    """Return an address for a PATCH, which needs the unit too."""
    return {**address(value), "unit": value.unit}


def contact(value: ContactMethod) -> dict[str, str]:
    """Return a contact as requests carry it."""
    return {"type": value.type, "value": value.value, **({"memo": value.memo} if value.memo else {})}


def same_contact(type_: str | None, value: str | None, wanted: ContactMethod) -> bool:
    """Tell whether a contact that stands there is the wanted one: phones by digits, e-mails without case."""
    phones = {"Phone", "MobilePhone"}
    if type_ != wanted.type and not {type_, wanted.type} <= phones:
        return False
    if wanted.type == "Email":
        return (value or "").strip().casefold() == wanted.value.strip().casefold()
    return digits(value or "") == digits(wanted.value) if digits(wanted.value) else value == wanted.value


def digits(text: str) -> str:
    """Return the last ten digits: ServiceTitan may keep a phone as given or as digits."""
    return "".join(filter(str.isdigit, text))[-10:]


def marked(text: str, key: EffectKey) -> str:
    """Return a text that can be found again by the effect's key."""
    return f"{text}\n[{key[:MARK]}]"


def is_marked(text: str | None, key: EffectKey) -> bool:
    """Tell whether a text is the one of the effect."""
    return text is not None and f"[{key[:MARK]}]" in text
