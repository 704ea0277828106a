"""The export feeds: tokens, batches, the hold-back, and repeats of what is recent."""

from typing import Any

from bridge.simulator.state import Simulator
from bridge.simulator.switches import Switches


async def drain(far: Any, path: str, token: str | None = None, **query: str) -> tuple[list[dict], str]:
    rows: list[dict] = []
    while True:
        answer = await far.get(path, **query, **({"from": token} if token else {}))
        rows += answer["data"]
        token = answer["continueFrom"]
        if not answer["hasMore"]:
            return rows, token


async def test_the_newest_changes_are_held_back_and_then_come(far: Any, time: Any) -> None:
    made = await far.customer()
    rows, token = await drain(far, "/export/customers")
    assert rows == []
    time.pass_seconds(301)
    far.headers = {}
    rows, token = await drain(far, "/export/customers", token)
    assert [row["id"] for row in rows] == [made["id"]]
    rows, _ = await drain(far, "/export/customers", token)
    assert rows == []


async def test_recent_changes_come_at_once_and_again(far: Any, time: Any) -> None:
    made = await far.customer()
    recent = {"includeRecentChanges": "true"}
    rows, token = await drain(far, "/export/customers", **recent)
    again, token = await drain(far, "/export/customers", token, **recent)
    assert [row["id"] for row in rows] == [row["id"] for row in again] == [made["id"]]
    time.pass_seconds(301)
    once_more, token = await drain(far, "/export/customers", token, **recent)
    assert len(once_more) == 1
    assert (await drain(far, "/export/customers", token, **recent))[0] == []


async def test_batches_follow_the_order_of_modification_and_a_change_comes_again(
    far: Any, simulator: Simulator, time: Any
) -> None:
    simulator.switches = Switches(export_batch=2, rate_limit_per_second=0)
    ids = []
    for at in range(5):
        time.pass_seconds(1)
        ids.append((await far.customer(name=f"C{at}"))["id"])
    time.pass_seconds(1)
    await far.patch(f"/customers/{ids[0]}", {"name": "Changed"})
    time.pass_seconds(400)
    rows, token = await drain(far, "/export/customers")
    assert [row["id"] for row in rows] == [*ids[1:], ids[0]]
    await far.patch(f"/customers/{ids[3]}", {"active": False})
    time.pass_seconds(400)
    rows, _ = await drain(far, "/export/customers", token)
    assert [(row["id"], row["active"]) for row in rows] == [(ids[3], False)]


async def test_from_takes_a_date_inclusively_and_refuses_garbage(far: Any, time: Any) -> None:
    made = await far.customer()
    time.pass_seconds(400)
    assert len((await drain(far, "/export/customers", made["modifiedOn"]))[0]) == 1
    assert len((await drain(far, "/export/customers", "2026-03-02"))[0]) == 1
    assert len((await drain(far, "/export/customers", "2026-03-03"))[0]) == 0
    assert (await far.ask("GET", "/export/customers", **{"from": "%%%"})).status_code == 400


async def test_deleted_contacts_are_tombstones(far: Any, time: Any) -> None:
    made = await far.customer()
    (contact,) = (await far.get(f"/customers/{made['id']}/contacts"))["data"]
    await far.ask("DELETE", f"/customers/{made['id']}/contacts/{contact['id']}")
    time.pass_seconds(400)
    rows, _ = await drain(far, "/export/customers/contacts")
    assert [(row["id"], row["customerId"], row["active"]) for row in rows] == [(contact["id"], made["id"], False)]


async def test_many_changes_at_one_instant_are_not_lost_between_batches(
    far: Any, simulator: Simulator, time: Any
) -> None:
    simulator.switches = Switches(export_batch=3, rate_limit_per_second=0)
    ids = [(await far.book(f"e{at}"))["id"] for at in range(10)]
    time.pass_seconds(400)
    rows, _ = await drain(far, "/export/bookings")
    assert [row["id"] for row in rows] == ids


async def test_every_feed_answers(far: Any, wide: Any) -> None:
    await far.customer()
    await far.book()
    for path in ("bookings", "customers", "customers/contacts", "leads", "locations", "locations/contacts"):
        assert (await wide.get(f"/export/{path}", includeRecentChanges="true"))["continueFrom"]
    for module, names in {
        "settings/v2": ("business-units", "tag-types", "employees", "technicians"),
        "jpm/v2": ("jobs",),
        "telecom/v2": ("calls",),
    }.items():
        for name in names:
            answer = await far.get(f"/export/{name}", module=module)
            assert answer["continueFrom"] is not None
            assert bool(answer["data"]) == (module == "settings/v2")
