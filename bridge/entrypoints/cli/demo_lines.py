"""What the demo prints of a delivery: its way through the bridge, in one line, as the bridge wrote it down."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

EFFECT_SECONDS = 20.0


class More:
    """Deliveries that come while the demo runs: each gets its line once its effects are settled, or after 20 s."""

    def __init__(self, say: Callable[[str], None], connection: "psycopg.Connection[Any]") -> None:
        self._say = say
        self._connection = connection
        newest = connection.execute("SELECT max(id) FROM deliveries").fetchone()
        self._last = (newest and newest[0]) or 0
        self._since = 0.0

    def tell(self) -> None:
        """Print the line of the next one, if it has come and is settled."""
        row = self._connection.execute(
            "SELECT id, source_id FROM deliveries WHERE id > %s ORDER BY id LIMIT 1", [self._last]
        ).fetchone()
        if row is None:
            self._since = time.monotonic()
            return
        delivery, source = row
        seen = _seen(self._connection, delivery)
        if seen["settled"] or time.monotonic() > self._since + EFFECT_SECONDS:
            self._say(line_of(f"Delivery {delivery}, {source}", seen))
            self._last, self._since = delivery, time.monotonic()


def booking_of(seen: dict[str, Any]) -> int | None:
    """Return the id of the booking that the delivery made, None where it made none."""
    return next((effect["booking"] for effect in seen["effects"] if effect.get("booking")), None)


def line_of(title: str, seen: dict[str, Any]) -> str:
    """Return the way of a delivery in one line."""
    match, inquiry, booking = seen["match"] or {}, seen["inquiry"] or {}, booking_of(seen)
    matched = f"matched (customer {match['customer_id']})" if "customer_id" in match else match.get("type", "?")
    kinds = ", ".join(effect["kind"] for effect in seen["effects"]) or "nothing"
    sent = "sent" if seen["settled"] else "NOT SENT"
    where = f", ServiceTitan booking {booking}" if booking else ""
    normalized = f"{inquiry.get('type', '?')} of {(inquiry.get('person') or {}).get('name', '?')}"
    return f"✓ {title}: verified → normalized ({normalized}) → {matched} → planned ({kinds}) → {sent}{where}"


def wait_for_effects(connection: "psycopg.Connection[Any]", delivery: int) -> dict[str, Any]:
    """Return what is seen of a delivery once all its effects are settled, or what there is after 20 s."""
    until = time.monotonic() + EFFECT_SECONDS
    while not (seen := _seen(connection, delivery))["settled"] and time.monotonic() <= until:
        time.sleep(0.02)
    return seen


def _seen(connection: "psycopg.Connection[Any]", delivery: int) -> dict[str, Any]:
    """Return inquiry, match and effects of a delivery, and whether all of these are settled."""
    row = connection.execute(
        "SELECT inquiry, match, plan FROM decisions WHERE delivery_id = %s ORDER BY id DESC LIMIT 1", [delivery]
    ).fetchone()
    effects = connection.execute(
        "SELECT e.kind, e.key::text, a.settles, a.created FROM effects e LEFT JOIN attempts a"
        " ON a.tenant_id = e.tenant_id AND a.effect_id = e.id AND a.settles > 0 WHERE e.delivery_id = %s ORDER BY e.id",
        [delivery],
    ).fetchall()
    settled = row is not None and all(effect[2] == 1 for effect in effects)
    listed = [
        {
            "kind": kind,
            "key": key.replace("-", ""),
            "booking": (created or {}).get("") if kind == "create_booking" else None,
        }
        for kind, key, _, created in effects
    ]
    inquiry, match, plan = row or (None, None, None)
    joins = bool((plan or {}).get("joins"))
    return {"inquiry": inquiry, "match": match, "effects": listed, "settled": settled, "joins": joins}
