"""The promises, counted in the simulator's own ledger."""

from collections import Counter
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from bridge.domain.command import (
    AddContact,
    AddNote,
    ChangeTags,
    CreateBooking,
    CreateCustomer,
    CreatedBy,
    CreateLead,
    CreateLocation,
    DismissBooking,
    SetCustomFields,
    SetPreferences,
    UpdateBooking,
)
from bridge.domain.plan import Effect
from bridge.sending.effects.wire import MARK
from bridge.sending.outbox import references
from bridge.sending.retry import POLICIES
from tests.simulation import whole
from tests.simulation.asks import OURS, THEIRS, effects_of

if TYPE_CHECKING:
    from tests.simulation.history import History

DONE, DEAD, CANCELLED, HELD = "done", "dead", "cancelled", "held"


async def check(history: "History") -> None:
    """Add a sentence to the story for each promise that was not kept."""
    scene, story = history.scene, history.story
    wanted = await whole.wanted(history) if scene.is_whole else _wanted(history)
    states, order = await _states(history)
    for key in wanted.keys() - states.keys():
        story.violations.append(f"{_named(wanted[key][1])} was acknowledged and never reached the outbox")
    for key in states.keys() - wanted.keys():
        story.violations.append(f"effect {key} is in the tables and nobody wanted it")
    seen: dict[str, list[int]] = {}
    for key in wanted.keys() & states.keys():
        tenant, effect = wanted[key]
        times = _times(history, tenant, effect)
        seen[key] = times
        state = states[key]
        story.counts[f"effect.{state}"] += 1
        name = _named(effect)
        if state == DONE and len(times) != 1:
            story.violations.append(f"{name} is done and exists {len(times)} times")
        if state != DONE and times and _is_countable(effect):
            story.violations.append(f"{name} is {state} and exists {len(times)} times")
        if state == "waiting":
            story.violations.append(f"{name} has no end")
        # Only what ServiceTitan refuses, or what needs it, may end unsent without a person.
        needed = references(effect.command)
        if state in {DEAD, HELD} and history.touched.isdisjoint({key, *needed}) and not _may_fail(effect):
            story.violations.append(f"{name} was given up")
    if scene.is_whole:
        await whole.promises(history)
    _no_strangers(history, wanted)
    _in_order(history, wanted, seen, order)
    _fields_kept(history, wanted, states, order)
    _budget_kept(history)
    for outcome, late, count in await scene.rows(
        "SELECT outcome, is_late, count(*) FROM attempts WHERE tenant_id = ANY(%s) GROUP BY 1, 2", scene.tenants
    ):
        story.counts[f"attempt.{outcome}{'.late' if late else ''}"] += count
    for request in scene.simulator.log:
        story.counts["requests"] += 1
        if request.fault:
            story.counts[f"hit.{request.fault}"] += 1
    intents = await scene.rows("SELECT count(*) FROM intents WHERE tenant_id = ANY(%s)", scene.tenants)
    if intents[0][0]:
        story.violations.append(f"{intents[0][0]} intents were left behind")
    undecided = await scene.rows(
        "SELECT count(*) FROM deliveries d WHERE tenant_id = ANY(%s) AND NOT EXISTS (SELECT 1 FROM delivery_states s"
        " WHERE s.tenant_id = d.tenant_id AND s.delivery_id = d.id)",
        scene.tenants,
    )
    if undecided[0][0]:
        story.violations.append(f"{undecided[0][0]} deliveries were acknowledged and never decided")


def _wanted(history: "History") -> dict[str, tuple[int, Effect]]:
    scene = history.scene
    asks: list[tuple[int, dict[str, Any], str]] = [
        (tenant, ask, "") for tenant, _, delivery in history.deliveries for ask in delivery["asks"]
    ]
    asks += [(tenant, ask, nonce) for ask, tenant, _, nonce in history.forced]
    asks += [(tenant, ask, "") for tenant, ask in history.late_asks]
    return {
        effect.key: (tenant, effect)
        for tenant, ask, nonce in asks
        for effect in effects_of(
            ask,
            tenant_id=tenant,
            customers=scene.customers[tenant],
            nonce=nonce,
            config="1",  # type: ignore[arg-type,index]
        )
    }


async def _states(history: "History") -> tuple[dict[str, str], dict[str, int]]:
    rows = await history.scene.rows(
        "SELECT replace(k.key::text, '-', ''), k.effect_id, o.state, (SELECT settles FROM attempts a WHERE"
        " a.tenant_id = k.tenant_id AND a.effect_id = k.effect_id AND settles > 0"
        " ORDER BY (settles = 1) DESC, number DESC, at DESC LIMIT 1) FROM effect_keys k LEFT JOIN outbox o"
        " ON o.tenant_id = k.tenant_id AND o.id = k.effect_id WHERE k.tenant_id = ANY(%s)",
        history.scene.tenants,
    )
    names = {None: "waiting", 1: DONE, 2: DEAD, 3: CANCELLED}
    states = {
        key: (HELD if waits == 2 else "waiting") if waits is not None else names[settles]
        for key, _, waits, settles in rows
    }
    return states, {key: effect_id for key, effect_id, _, _ in rows}


def _times(history: "History", tenant: int, effect: Effect) -> list[int]:
    """Return the ledger's sequence numbers at which the effect came into being."""
    scene = history.scene
    ledger, account = scene.simulator.ledger, scene.simulator.accounts[tenant]
    mark = f"[{effect.key[:MARK]}]"
    made = [e for e in ledger.select(tenant=tenant) if e.by == "api"]  # what the far side doubled by itself is its own

    def of(kind: str, ids: Collection[Any]) -> list[int]:
        return [e.sequence for e in made if e.kind == kind and e.id in ids]

    match effect.command:
        case CreateBooking():
            return [e.sequence for e in made if e.kind == "booking.created" and e.external_id == effect.key]
        case AddNote():
            rows = account.customer_notes.rows.values()
            return of("customer_note.created", {row["id"] for row in rows if mark in row["text"]})
        case UpdateBooking(booking=booking, append_summary=text):
            name, value = ("externalId", booking.effect_key) if isinstance(booking, CreatedBy) else ("id", booking)
            bookings = [row for row in account.bookings.rows.values() if row[name] == value]
            return [0 for row in bookings[:1] for _ in range((row["summary"] or "").count(text))]
        case DismissBooking(booking=CreatedBy(effect_key=first)):
            bookings = [row for row in account.bookings.rows.values() if row["externalId"] == first]
            return [0 for row in bookings if row["status"] == "Dismissed"]
        case CreateCustomer():
            rows = account.customers.rows.values()
            return of("customer.created", {row["id"] for row in rows if effect.key in str(row)})
        case CreateLocation():
            rows = account.locations.rows.values()
            return of("location.created", {row["id"] for row in rows if effect.key in str(row)})
        case CreateLead():
            return of("lead.created", {row["id"] for row in account.leads.rows.values() if mark in row["summary"]})
        case AddContact(contact=wish):
            rows = account.customer_contacts.rows.values()
            return of("customer_contact.created", {row["id"] for row in rows if row["value"] == wish.value})
        case SetPreferences(customer=customer):
            row = account.customers.get(customer)
            return [0] if row is not None and row["doNotMail"] else []
        case ChangeTags(target=target, added=added):
            row = account.customers.get(target)
            return [0] if row is not None and set(added) <= set(row["tagTypeIds"]) else []
        case _:
            return [0]


def _no_strangers(history: "History", wanted: dict[str, tuple[int, Effect]]) -> None:
    keys = set(wanted)
    marks = {key[:MARK] for key in keys}
    for entry in history.scene.simulator.ledger.entries:
        if entry.by != "operator" and entry.kind == "booking.created" and entry.external_id not in keys:
            history.story.violations.append(f"booking {entry.external_id} exists and nobody wanted it")
    for tenant in history.scene.tenants:
        for row in history.scene.simulator.accounts[tenant].customer_notes.rows.values():
            if not any(f"[{mark}]" in row["text"] for mark in marks):
                history.story.violations.append(f"note {row['text']!r} exists and nobody wanted it")


def _in_order(
    history: "History", wanted: dict[str, tuple[int, Effect]], seen: dict[str, list[int]], order: dict[str, int]
) -> None:
    """Within a lane, kinds that hold it come into being in the order they were put, unless a person reordered them."""
    lanes: dict[tuple[int, str], list[tuple[int, int, str]]] = {}
    for key, times in seen.items():
        tenant, effect = wanted[key]
        kind = str(effect.command.__struct_config__.tag)
        if times and times[0] and POLICIES[kind].holds_lane and key not in history.touched:
            lanes.setdefault((tenant, effect.lane), []).append((order[key], times[0], key))
    if history.touched or history.late_asks:
        return  # a person, or a transaction that committed late, may put one behind the other
    for (_, lane), rows in lanes.items():
        ordered = sorted(rows)
        if [time for _, time, _ in ordered] != sorted(time for _, time, _ in ordered):
            history.story.violations.append(f"lane {lane} went out of order")


def _fields_kept(
    history: "History", wanted: dict[str, tuple[int, Effect]], states: dict[str, str], order: dict[str, int]
) -> None:
    scene = history.scene
    for tenant in scene.tenants:
        for customer in scene.customers[tenant]:
            row = scene.simulator.accounts[tenant].customers.get(customer)
            assert row is not None
            values = {one["typeId"]: one["value"] for one in row["customFields"]}
            known = history.edits if (tenant, customer) not in scene.hidden else {}
            if (tenant, customer) in known and values.get(THEIRS) != known[tenant, customer]:
                history.story.violations.append(f"customer {customer} lost the field somebody in ServiceTitan set")
            ours = sorted(
                (order[key], effect.command.changes[0].value)
                for key, (of, effect) in wanted.items()
                if of == tenant
                and isinstance(effect.command, SetCustomFields)
                and effect.command.target == customer
                and states.get(key) == DONE
            )
            if ours and not history.touched and not history.late_asks and values.get(OURS) != ours[-1][1]:
                history.story.violations.append(
                    f"customer {customer} has {values.get(OURS)!r} where {ours[-1][1]!r} was the last wish"
                )
            if ours and values.get(OURS) not in {value for _, value in ours}:
                history.story.violations.append(f"customer {customer} has none of the values that are done")


def _budget_kept(history: "History") -> None:
    """No second of a tenant holds more than 60 requests, and nothing was refused but by a fault."""
    windows: Counter[tuple[int, int]] = Counter()
    for request in history.scene.simulator.log:
        windows[request.tenant, int(request.at.timestamp())] += 1
        if request.status == 429 and not request.fault:
            history.story.violations.append("a request was over the limit of its tenant")
    if any(count > 60 for count in windows.values()):
        history.story.violations.append("more than 60 requests went out in one second")


def _may_fail(effect: Effect) -> bool:
    command = effect.command
    return (isinstance(command, CreateCustomer) and not command.name.strip()) or isinstance(command, AddNote)


def _is_countable(effect: Effect) -> bool:
    """Tell whether the far side keeps a trace of this very effect; tags and fields are shared by several."""
    return not isinstance(effect.command, SetCustomFields | ChangeTags | SetPreferences)


def _named(effect: Effect) -> str:
    return f"{effect.command.__struct_config__.tag} {effect.key[:8]}"
