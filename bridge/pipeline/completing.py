"""Completes a thin delivery before it is decided about: what was fetched is kept beside it, so a replay needs no network."""

from datetime import datetime, timedelta

import msgspec

from bridge.db.database import Database
from bridge.domain.delivery import Delivery
from bridge.hydration.bounds import GivenUp, Kept, Waits, verdict_of
from bridge.hydration.fetcher import Fetcher
from bridge.intake import queue
from bridge.intake.gate import Door


async def complete(
    database: Database, fetcher: Fetcher, door: Door, delivery: Delivery, *, attempts: int, now: datetime
) -> Delivery | timedelta:
    """Return the delivery with what it only named, or how long to wait before the next try.

    Where the bounds are passed the delivery comes back as it is; its connector then says what is missing.
    """
    described = door.connector.fetches(delivery, options=door.options)
    known = {answer.name for answer in delivery.fetched}
    missing = [fetch for fetch in described if fetch.name not in known]
    if not missing or not fetcher.knows(door.source_id):
        return delivery
    got = await fetcher.fetch_all(door.source_id, missing, looks=attempts, now=now)
    answers = [one.answer for one in got if one.answer is not None]
    if answers:
        async with database.begin() as tx:
            await queue.keep_fetched(tx, delivery.tenant_id, delivery.id, answers)
    outcomes = [one.outcome for one in got]
    verdict = verdict_of(outcomes, spent=attempts, seed=delivery.id, received_at=delivery.received_at, now=now)
    match verdict:
        case Waits(due_at=due_at):
            return max(due_at - now, timedelta(seconds=1))
        case Kept() | GivenUp():
            return msgspec.structs.replace(delivery, fetched=(*delivery.fetched, *answers))
