"""What should happen: the effects wanted with the rule that wants each, or a hold that waits for a person."""

import hashlib

import msgspec

from bridge.domain.command import Command
from bridge.domain.ids import EffectKey, TenantId


class Effect(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A command with its name for ever.

    `lane` orders effects: those of one lane happen in the order of their inquiries. `waits_for` are effects that must be
    done first. `priority` 0 is sent before 9; bookings go before notes.
    """

    key: EffectKey
    command: Command
    lane: str
    rule: str = ""
    priority: int = 5
    waits_for: tuple[EffectKey, ...] = ()
    origins: dict[str, str] = {}
    """For each field of the command: where its value comes from, for the explanation."""


class Hold(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A person must decide before these effects may happen; the rest of the plan goes on without them."""

    reason: str
    detail: str = ""
    effects: tuple[Effect, ...] = ()
    """What happens where the person says yes: named as without the hold, so that no replay makes it a second time."""

    @property
    def commands(self) -> tuple[Command, ...]:
        """What is held, without names."""
        return tuple(effect.command for effect in self.effects)


class RuleTrial(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One rule tried: did it apply, and why or why not; `at` is file:line of the config."""

    rule: str
    applied: bool
    why: str = ""
    at: str = ""


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The decision about one inquiry: effects, holds, and how it was reached. `reason` is the slug of the whole."""

    effects: tuple[Effect, ...] = ()
    holds: tuple[Hold, ...] = ()
    reason: str = "processed"
    trials: tuple[RuleTrial, ...] = ()
    joins: EffectKey | None = None
    """The earlier effect (a booking) that this inquiry was joined to."""
    opens_ask: bool = False
    """True where the booking of this plan is what later inquiries of the same party may join."""


def effect_key(
    *, tenant_id: TenantId, kind: str, target: str, inquiry_key: str, version: str = "", nonce: str = ""
) -> EffectKey:
    """Return the name of one effect: 32 hex digits of SHA-256 over what makes it that effect.

    It names the effect, not the entity: the same wish redelivered or replayed gives the same key, a later version of the
    wish another. `kind` is the command's tag, `inquiry_key` is unique in the tenant, and `nonce` is empty but for a replay
    that a person forced.
    """
    parts = (str(tenant_id), kind, target, inquiry_key, version, nonce)
    return EffectKey(hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32])
