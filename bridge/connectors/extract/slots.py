"""The places of an inquiry that a field may fill, and how a config names them under `map:` and `defaults:`."""

from bridge.connectors.base import SourceOptions
from bridge.connectors.extract.labels import ADDRESS, ATTRIBUTION

SINGLE = frozenset({"name", "given_name", "surname", "company", "message", "service", "preferred_time", "consent"})
WORDS = frozenset({"message", "service", "preferred_time", "consent"})

_TARGETS = {
    **dict.fromkeys(("name", "given_name", "surname", "company"), "person."),
    **dict.fromkeys(ADDRESS, "person.address."),
    **dict.fromkeys(ATTRIBUTION, "attribution."),
}


def target_of(slot: str) -> str:
    """Return the place in an inquiry that a slot fills, as origins name it."""
    return "person.address" if slot == "address" else f"{_TARGETS.get(slot, '')}{slot}"


def slot_of(target: str) -> str:
    """Return the slot that a config's target names: `person.email`, `email`, `attribution.gclid` and `gclid` all work."""
    name = target.rpartition(".")[2].removesuffix("[0]")
    aliases = {
        "phones": "phone",
        "emails": "email",
        "first_name": "given_name",
        "last_name": "surname",
        "postal_code": "zip",
    }
    return aliases.get(name, name)


def known_slots() -> frozenset[str]:
    """Return all slots that `map:` and `defaults:` may name."""
    return frozenset(
        {*SINGLE, *ADDRESS, *ATTRIBUTION, "email", "phone", "is_test", "preferred_start", "priority", "channel"}
    )


def map_faults(options: SourceOptions) -> tuple[str, ...]:
    """Return what is wrong with `map:` and `defaults:`, one sentence each."""
    from bridge.domain.expressions import check  # noqa: PLC0415 - only `bridge check` asks
    from bridge.settings.faults import did_you_mean  # noqa: PLC0415

    known = sorted(known_slots())
    found = [
        f"{block}.{name}: no such field; {did_you_mean(slot_of(name), known) or 'known are ' + ', '.join(known)}"
        for block, given in (("map", options.map), ("defaults", options.defaults))
        for name in given
        if slot_of(name) not in known
    ]
    found += [f"map.{name}: {fault}" for name, written in options.map.items() if (fault := check(written))]
    return tuple(found)
