"""How a history ends: faults cleared, pauses lifted, stale workers still about, and one healthy worker for a virtual day."""

from typing import TYPE_CHECKING

from bridge.db.ownership import LeaseLost
from tests.simulation.scene import LEASE, Worker

if TYPE_CHECKING:
    from tests.simulation.history import History, Step


async def settle(history: "History") -> None:
    """Let everything come to its end."""
    scene = history.scene
    await history.do_late_commit(_step())
    for tenant, scope, name in sorted(history.paused):
        await history._resume(tenant, scope, name)
    # Workers with something in the air land it late, as a slow process does; others are gone.
    scene.simulator.clear_faults()
    old, history.workers = history.workers, []
    slow = old[1:]
    if history.dice.random() < 0.5:
        # The one that goes on remembers where it was; a new one reads from the start.
        worker = old[0]
        await worker.fly_home()
        await worker.dispatcher.record_outcomes()
    else:
        await old[0].crash()
        worker = Worker(scene, skew=0.0)
    scene.advance(31.0)
    history.workers = [worker, *slow]
    await worker.lease.tick(greedy=True)
    unprocessed = True
    for number in range(1_500):
        if number == 3:
            for late in slow:
                await late.fly_home()
                try:
                    await late.dispatcher.record_outcomes()
                except LeaseLost:
                    history.story.counts["fenced"] += 1
                await late.crash()
        if number > 3 and len(worker.lease.owned) == len(scene.shards):
            worker.lease.last()
        elif scene.time - worker.lease.renewed > LEASE / 3 or len(worker.lease.owned) < len(scene.shards):
            await worker.lease.tick(greedy=True)
        # Nobody delivers any more: once nothing waits, nothing will. A poll finds nothing either but what late workers did.
        busy = await scene.process(worker, share=8, hands_over=bool(number % 2)) if unprocessed or number <= 3 else 0
        unprocessed = bool(busy) or len(worker.lease.owned) < len(scene.shards)  # a skewed lease ends later
        has_news = worker.dispatcher.wake_ups.is_stale
        if (busy or number <= 4 or has_news or number % 6 == 0) and history.bugs.may_claim(worker):
            worker.dispatcher.wake_ups.is_stale = False
            busy += await worker.dispatcher.claim()
        await worker.dispatcher.commit_intents()
        busy += len(worker.dispatcher.sender.outbound)
        await worker.fly_home()
        await worker.dispatcher.record_outcomes()
        busy += await worker.dispatcher.reconcile_due()
        if number > 3 and not busy and not worker.dispatcher.owner.busy():
            left = await scene.rows(
                "SELECT (SELECT count(*) FROM outbox WHERE tenant_id = ANY(%s) AND state < 2)"
                " + (SELECT count(*) FROM delivery_queue)",
                scene.tenants,
            )
            if left[0][0] == 0:
                return
        next_at = worker.dispatcher.owner.next_at(now=worker.clock())
        scene.advance(
            0.05 if busy else max((next_at - worker.clock()).total_seconds(), min(0.25 * 1.3 ** min(number, 30), 60.0))
        )
    history.story.violations.append("messages still wait after a virtual day")


def _step() -> "Step":
    from tests.simulation.history import Step

    return Step("late_commit")
