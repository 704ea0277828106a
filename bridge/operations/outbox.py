"""What may be done to the outbox: pause and resume, a message by hand, many in the background; each with its audit line."""

import msgspec

from bridge.db.database import Database
from bridge.domain.budget import RATE
from bridge.domain.ids import DeliveryId, EffectId, TenantId, alerts_of
from bridge.operations import audit
from bridge.operations.audit import Act, Done
from bridge.sending import control
from bridge.sending.breaker import EVERYTHING
from bridge.sending.bulk import Filter, start_bulk
from bridge.sending.control import Action, Scope
from bridge.sending.retry import POLICIES

FAMILIES = (*sorted({policy.family for policy in POLICIES.values()} - {"alerts"}), EVERYTHING)
"""What a breaker rests: the requests of some commands, or `*`, everything, where the credentials are refused."""
ERROR_CLASSES = ("server", "timeout", "connection", "auth")
OVERRIDES = ("closed", "open", "itself")
_SAY_WHY = "Say why: others will read it."
_REFUSED = {
    "unknown": "There is no such message.",
    "done": "It is done already.",
    "in_flight": "It is being sent right now.",
    "waiting_already": "It waits already.",
    "not_held": "It is neither held nor in doubt.",
    "in_doubt": "It is in doubt: it is looked up before anything is sent.",
}


async def pause(database: Database, act: Act, *, tenant_id: TenantId, scope: str = "tenant", name: str = "") -> Done:
    """Let nothing new of a tenant, source or lane be sent; everything is kept. Wants a reason."""
    if not act.reason.strip():
        return Done(text=_SAY_WHY, refusal="reason_missing")
    async with database.begin() as tx:
        await control.pause(
            tx, tenant_id=tenant_id, scope=Scope(scope), name=name, by=act.by, reason=act.reason, now=act.now
        )
        await control.tell(tx)
        await audit.write(tx, act, "outbox.paused", f"{scope}:{name}", tenant_id=tenant_id)
    return Done(text="Paused; nothing is lost.", count=1)


async def resume(database: Database, act: Act, *, tenant_id: TenantId, scope: str = "tenant", name: str = "") -> Done:
    """Let it be sent again, and say how long what waits will take."""
    async with database.begin() as tx:
        forecast = await control.resume(tx, tenant_id=tenant_id, scope=Scope(scope), name=name)
        await control.tell(tx)
        await audit.write(tx, act, "outbox.resumed", f"{scope}:{name}", tenant_id=tenant_id)
    return Done(
        text=f"Resumed: {forecast.waiting} messages, about {forecast.takes.total_seconds():.0f} s at the budget.",
        count=forecast.waiting,
    )


async def set_rate(database: Database, act: Act, *, tenant_id: TenantId, rate: float | None) -> Done:
    """Let a tenant send this many requests per second, up to what the program's share allows; None for that share. Wants a reason."""
    if not act.reason.strip():
        return Done(text=_SAY_WHY, refusal="reason_missing")
    if rate is not None and not 0 < rate <= RATE:
        return Done(text=f"From more than 0 to {RATE:g} requests per second.", refusal="rate_refused")
    async with database.begin() as tx:
        await control.set_rate(tx, tenant_id=tenant_id, rate=rate)
        forecast = await control.forecast(tx, tenant_id=tenant_id)
        await control.tell(tx)
        await audit.write(tx, act, "outbox.rate", "", tenant_id=tenant_id, detail={"rate": rate})
    return Done(
        text=f"{rate or RATE:g} requests per second: {forecast.waiting} messages, about {forecast.takes.total_seconds():.0f} s.",
        count=forecast.waiting,
    )


async def override_breaker(
    database: Database, act: Act, *, tenant_id: TenantId, family: str, error_class: str, override: str
) -> Done:
    """Hold a breaker `closed` (all goes) or `open` (nothing goes) whatever happens; `itself` gives it back. Wants a reason."""
    if not act.reason.strip():
        return Done(text=_SAY_WHY, refusal="reason_missing")
    if family not in FAMILIES or error_class not in ERROR_CLASSES or override not in OVERRIDES:
        return Done(
            text=f"A family is one of {', '.join(FAMILIES)}; what fails one of {', '.join(ERROR_CLASSES)}; it is held {', '.join(OVERRIDES)}.",
            refusal="breaker_unknown",
        )
    held = "" if override == "itself" else override
    async with database.begin() as tx:
        await control.override_breaker(
            tx, tenant_id=tenant_id, family=family, error_class=error_class, override=held, by=act.by
        )
        await control.tell(tx)
        await audit.write(
            tx, act, "outbox.breaker", f"{family}:{error_class}", tenant_id=tenant_id, detail={"override": held}
        )
    return Done(text=f"Held {held}." if held else "Left to itself again.", count=1)


async def act_on(
    database: Database, act: Act, *, tenant_id: TenantId, effect_id: EffectId, action: str, is_done: bool = False
) -> Done:
    """Retry, cancel or release one message; `is_done` says of a released one that ServiceTitan has it."""
    async with database.begin() as tx:
        known = await (
            await tx.execute(
                "SELECT tenant_id, delivery_id FROM effects WHERE tenant_id = ANY(%s) AND id = %s",
                [[tenant_id, alerts_of(tenant_id)], effect_id],
            )
        ).fetchone()
        if known is None:
            return Done(text=_REFUSED["unknown"], refusal="unknown")
        owner = TenantId(known[0])
        refused = await control.act(
            tx,
            tenant_id=owner,
            effect_id=effect_id,
            action=Action(action),
            is_done=is_done,
            by=act.by,
            now=act.now,
        )
        if refused is not None:
            return Done(text=_REFUSED[refused.value], refusal=refused.value)
        await control.tell(tx)
        await audit.write(
            tx, act, f"message.{action}{'d' if action.endswith('e') else 'led' if action == 'cancel' else 'ed'}".replace("retryed", "retried"),
            f"message:{effect_id}", tenant_id=tenant_id, delivery_id=DeliveryId(known[1]) if known[1] else None,
        )  # fmt: skip
    return Done(text="Done.", count=1, id=effect_id)


async def bulk(database: Database, act: Act, *, tenant_id: TenantId, action: str, matching: Filter) -> Done:
    """Start an action on every message a filter matches now; it runs in the background."""
    if not act.reason.strip():
        return Done(text=_SAY_WHY, refusal="reason_missing")
    async with database.begin() as tx:
        bulk_id, total = await start_bulk(
            tx, tenant_id=tenant_id, action=Action(action), matching=matching, by=act.by, reason=act.reason, now=act.now
        )
        await control.tell(tx)
        await audit.write(
            tx, act, "bulk.started", f"bulk:{bulk_id}", tenant_id=tenant_id,
            detail={"action": action, "filter": msgspec.to_builtins(matching), "total": total},
        )  # fmt: skip
    return Done(text=f"{total} messages, in the background.", count=total, id=bulk_id)


async def mark_problem(
    database: Database, act: Act, *, tenant_id: TenantId, problem: tuple[str, str, str], mute_hours: float = 0.0
) -> Done:
    """Mark a group of failures (reason, kind, source) resolved, or keep it quiet for hours."""
    async with database.begin() as tx:
        await tx.execute(
            "INSERT INTO problem_marks (tenant_id, reason, kind, source_id, resolved_at, muted_until, by) VALUES (%(t)s, %(r)s, %(k)s, %(s)s,"
            " CASE WHEN %(h)s = 0 THEN %(now)s::timestamptz END, CASE WHEN %(h)s > 0 THEN %(now)s::timestamptz + make_interval(hours => %(h)s::int) END, %(by)s)"
            " ON CONFLICT (tenant_id, reason, kind, source_id) DO UPDATE SET resolved_at = coalesce(excluded.resolved_at, problem_marks.resolved_at),"
            " muted_until = excluded.muted_until, by = excluded.by",
            {
                "t": tenant_id,
                "r": problem[0],
                "k": problem[1],
                "s": problem[2],
                "h": mute_hours,
                "now": act.now,
                "by": act.by,
            },
        )
        await audit.write(
            tx, act, "problem.muted" if mute_hours else "problem.resolved", ":".join(problem), tenant_id=tenant_id
        )
    return Done(text="Quiet for now." if mute_hours else "Resolved; it shows again if it comes back.", count=1)
