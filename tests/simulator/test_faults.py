"""Each kind of misbehaviour, as a client meets it, and what the ledger says was truly done."""

from typing import Any

import httpx
import pytest

from bridge.simulator.faults import PROFILES, Action, Fault, Faults, Meeting, profile
from bridge.simulator.state import Simulator

BOOK = "/booking-provider/501/bookings"


def bookings(simulator: Simulator) -> int:
    return simulator.count("booking.created")


async def refused(far: Any) -> httpx.Response:
    """Try to book and return the answer."""
    contacts = [{"type": "Phone", "value": "512-555-0101"}]
    body = {"source": "Web", "name": "Ann", "summary": "AC", "isFirstTimeClient": True, "externalId": "e1"}
    return await far.ask("POST", BOOK, {**body, "contacts": contacts})


@pytest.mark.parametrize(
    ("action", "status", "applied"),
    [
        ("rate_limit", 429, 0),
        ("rate_limit_bare", 429, 0),
        ("error_before", 500, 0),
        ("error_after", 500, 1),
        ("html_502", 502, 0),
        ("maintenance", 409, 0),
        ("expire_token", 401, 0),
        ("duplicate_apply", 200, 2),
        ("empty_body", 200, 1),
        ("broken_body", 200, 1),
        ("delay", 200, 1),
        ("slow_body", 200, 1),
        ("null_required", 200, 1),
        ("int_enums", 200, 1),
    ],
)
async def test_an_answer_that_lies_or_tells(
    far: Any, simulator: Simulator, action: str, status: int, applied: int
) -> None:
    await far.log_in()
    simulator.add_fault(Fault(action=Action(action), method="POST"))
    answer = await refused(far)
    assert (answer.status_code, bookings(simulator)) == (status, applied)


@pytest.mark.parametrize(
    ("action", "error", "applied"),
    [
        ("drop_before", httpx.ReadError, 0),
        ("drop_after", httpx.ReadError, 1),
        ("timeout_before", httpx.ReadTimeout, 0),
        ("timeout_after", httpx.ReadTimeout, 1),
        ("late_apply", httpx.ReadTimeout, 0),
        ("refuse", httpx.ConnectError, 0),
    ],
)
async def test_no_answer_at_all(
    far: Any, simulator: Simulator, action: str, error: type[Exception], applied: int
) -> None:
    await far.log_in()
    simulator.add_fault(Fault(action=Action(action), method="POST"))
    with pytest.raises(error):
        await refused(far)
    assert bookings(simulator) == applied


async def test_a_late_apply_comes_after_the_client_gave_up(far: Any, simulator: Simulator, time: Any) -> None:
    await far.log_in()
    simulator.add_fault(Fault(action=Action.LATE_APPLY, method="POST", seconds=90.0, times=1))
    with pytest.raises(httpx.ReadTimeout):
        await refused(far)
    time.pass_seconds(89)
    assert (await far.get(BOOK, externalId="e1"))["data"] == []
    time.pass_seconds(1)
    assert len((await far.get(BOOK, externalId="e1"))["data"]) == 1


async def test_retry_after_stands_in_the_header_or_only_in_the_title(far: Any, simulator: Simulator) -> None:
    await far.log_in()
    simulator.add_fault(Fault(action=Action.RATE_LIMIT, seconds=11.0, times=1))
    assert (await refused(far)).headers["retry-after"] == "11"
    simulator.add_fault(Fault(action=Action.RATE_LIMIT_BARE, seconds=12.0, times=1))
    answer = await refused(far)
    assert "retry-after" not in answer.headers
    assert answer.json()["title"].split()[-2] == "12"


async def test_stale_reads_show_what_was(far: Any, simulator: Simulator, time: Any) -> None:
    simulator.add_fault(Fault(action=Action.STALE_READS, path="customers", seconds=30.0))
    made = await far.customer(name="Before")
    assert (await far.get("/customers"))["data"] == []
    time.pass_seconds(60)
    await far.patch(f"/customers/{made['id']}", {"name": "After"})
    assert (await far.get(f"/customers/{made['id']}"))["name"] == "Before"
    time.pass_seconds(31)
    assert (await far.get(f"/customers/{made['id']}"))["name"] == "After"
    assert simulator.accounts[1000001].customers.as_of == ""


async def test_a_shifted_page_skips_or_repeats_rows(far: Any, simulator: Simulator) -> None:
    ids = [(await far.customer(name=f"C{at}"))["id"] for at in range(4)]
    simulator.add_fault(Fault(action=Action.PAGING_SHIFT, shift=-1, path="/customers"))
    pages = [await far.get("/customers", pageSize=2, page=number) for number in (1, 2)]
    assert [row["id"] for page in pages for row in page["data"]] == [ids[0], ids[1], ids[1], ids[2]]


async def test_nulls_and_integers_in_place_of_what_the_contract_says(far: Any, simulator: Simulator) -> None:
    await far.book(priority="High")
    simulator.add_fault(Fault(action=Action.NULL_REQUIRED, times=1, path="/bookings"))
    (row,) = (await far.get(BOOK))["data"]
    assert (row["start"], row["status"], row["externalId"]) == (None, None, None)
    assert row["id"]
    simulator.add_fault(Fault(action=Action.INT_ENUMS, times=1, path="/bookings"))
    (row,) = (await far.get(BOOK))["data"]
    assert (row["status"], row["priority"]) == (0, 2)


async def test_a_rule_meets_by_method_path_body_operation_and_count(far: Any, simulator: Simulator) -> None:
    simulator.add_fault(Fault(action=Action.ERROR_BEFORE, operation="Bookings_Create", body='"e2"', nth=2, status=503))
    statuses = []
    for external_id in ("e1", "e2", "e2", "e2"):
        contacts = [{"type": "Phone", "value": "512-555-0101"}]
        body = {"source": "W", "name": "A", "summary": "s", "isFirstTimeClient": True, "externalId": external_id}
        statuses.append((await far.ask("POST", BOOK, {**body, "contacts": contacts})).status_code)
    assert statuses == [200, 200, 503, 200]
    assert simulator.faults.rules[0].hits == 1


def fate(seed: int, name: str) -> list[str]:
    faults = Faults(profile(name), seed=seed)
    request = Meeting("POST", "/x", "crm.X", 1, b"")
    return [fault.action.value if (fault := faults.pick(request)) else "" for _ in range(300)]


@pytest.mark.parametrize("name", PROFILES)
def test_a_profile_repeats_with_its_seed(name: str) -> None:
    assert fate(1, name) == fate(1, name)
    if name != "none":
        assert fate(1, name) != fate(2, name)


def test_chaos_knows_every_action() -> None:
    assert {rule.action for rule in profile("chaos")} == set(Action)


async def test_a_short_read_timeout_beats_a_slow_answer(far: Any, simulator: Simulator) -> None:
    await far.log_in()
    far.http.timeout = httpx.Timeout(2.0)
    simulator.add_fault(Fault(action=Action.DELAY, seconds=3.0, times=1))
    with pytest.raises(httpx.ReadTimeout):
        await refused(far)
    assert bookings(simulator) == 1


async def test_reads_and_writes_have_their_own_faults(far: Any, simulator: Simulator) -> None:
    simulator.add_fault(Fault(action=Action.DUPLICATE_APPLY))
    await far.get("/customers")
    assert simulator.faults.rules[0].hits == 0
