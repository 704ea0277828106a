"""Three-way merge of custom fields: what we last saw, what stands there now, what we want; a conflict follows the field's policy (pure)."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, assert_never

import msgspec

from bridge.domain.command import FieldChange, FieldPolicy


class Write(msgspec.Struct, frozen=True, tag="write"):
    """Ours goes in."""

    value: str


class Keep(msgspec.Struct, frozen=True, kw_only=True, tag="keep"):
    """Theirs stays; `why` is `equal` where nothing differs, else the policy that says so."""

    why: str


class Conflict(msgspec.Struct, frozen=True, kw_only=True, tag="conflict"):
    """A person decides between both values."""

    type_id: int
    name: str
    base: str | None
    theirs: str
    ours: str


Verdict = Write | Keep | Conflict


class Merged(NamedTuple):
    """The whole list to write (empty where nothing changes), what of it is ours, and what a person must decide."""

    values: dict[int, str]
    written: dict[int, str]
    conflicts: tuple[Conflict, ...]


def merge_field(change: FieldChange, theirs: str | None, *, theirs_changed_at: datetime | None = None) -> Verdict:
    """Return what becomes of one field. `theirs_changed_at` is when the record was last changed, the closest that is known."""
    stands, base = theirs or "", change.base
    if stands == change.value:
        return Keep(why="equal")
    if change.policy is FieldPolicy.FILL_IF_EMPTY:
        return Write(change.value) if not stands else Keep(why=change.policy.value)
    # Never seen and empty is untouched; never seen and filled is theirs, written without our knowing.
    if stands == (base or ""):
        return Write(change.value)
    match change.policy:
        case FieldPolicy.OURS:
            return Write(change.value)
        case FieldPolicy.THEIRS:
            return Keep(why=change.policy.value)
        case FieldPolicy.NEWEST if change.changed_at is not None and theirs_changed_at is not None:
            return Write(change.value) if change.changed_at > theirs_changed_at else Keep(why=change.policy.value)
        case FieldPolicy.NEWEST | FieldPolicy.HOLD:
            return Conflict(type_id=change.type_id, name=change.name, base=base, theirs=stands, ours=change.value)
        case _:
            assert_never(change.policy)


def merge_fields(
    changes: Sequence[FieldChange], theirs: Mapping[int, str | None], *, theirs_changed_at: datetime | None = None
) -> Merged:
    """Return the list to write back: everything that stands there, with ours merged in.

    ServiceTitan replaces the list whole, so what is left out is erased: a field wanted empty is left out, all others stay.
    """
    written: dict[int, str] = {}
    conflicts: list[Conflict] = []
    for change in changes:
        verdict = merge_field(change, theirs.get(change.type_id), theirs_changed_at=theirs_changed_at)
        match verdict:
            case Write(value):
                written[change.type_id] = value
            case Conflict():
                conflicts.append(verdict)
            case Keep():
                pass
            case _:
                assert_never(verdict)
    if not written:
        return Merged({}, {}, tuple(conflicts))
    whole = {type_id: value for type_id, value in theirs.items() if value} | written
    return Merged({type_id: value for type_id, value in whole.items() if value}, written, tuple(conflicts))
