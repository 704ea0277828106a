"""What the client says to each way ServiceTitan can misbehave, and what the far side's own ledger counts."""

from collections.abc import Callable
from typing import Any

import pytest

from bridge.domain.outcome import Deferred, InDoubt, Outcome, Rejected, Succeeded
from bridge.servicetitan.enums import ENUMS
from bridge.simulator.faults import Action

# action → what a booking's creation answers, how many bookings there are then
WRITES: dict[Action, tuple[type, str, int]] = {
    Action.RATE_LIMIT: (Deferred, "rate_limited", 0),
    Action.RATE_LIMIT_BARE: (Deferred, "rate_limited", 0),
    Action.ERROR_BEFORE: (InDoubt, "server_error", 0),
    Action.ERROR_AFTER: (InDoubt, "server_error", 1),
    Action.DROP_BEFORE: (InDoubt, "connection_lost", 0),
    Action.DROP_AFTER: (InDoubt, "connection_lost", 1),
    Action.TIMEOUT_BEFORE: (InDoubt, "answer_timeout", 0),
    Action.TIMEOUT_AFTER: (InDoubt, "answer_timeout", 1),
    Action.LATE_APPLY: (InDoubt, "answer_timeout", 0),
    Action.DELAY: (Succeeded, "ok", 1),
    Action.SLOW_BODY: (Succeeded, "ok", 1),
    Action.EXPIRE_TOKEN: (Succeeded, "ok", 1),
    Action.DUPLICATE_APPLY: (Succeeded, "ok", 2),
    Action.HTML_502: (InDoubt, "server_error", 0),
    Action.MAINTENANCE: (Deferred, "maintenance", 0),
    Action.NULL_REQUIRED: (Succeeded, "ok", 1),
    Action.INT_ENUMS: (Succeeded, "ok", 1),
    Action.EMPTY_BODY: (InDoubt, "answer_empty", 1),
    Action.BROKEN_BODY: (InDoubt, "answer_unreadable", 1),
    Action.REFUSE: (Deferred, "connect_failed", 0),
}
READS: dict[Action, tuple[type, str]] = {
    Action.ERROR_BEFORE: (Deferred, "server_error"),
    Action.DROP_BEFORE: (Deferred, "connection_lost"),
    Action.TIMEOUT_BEFORE: (Deferred, "answer_timeout"),
    Action.HTML_502: (Deferred, "server_error"),
    Action.EMPTY_BODY: (Deferred, "answer_empty"),
    Action.BROKEN_BODY: (Deferred, "answer_unreadable"),
    Action.REFUSE: (Deferred, "connect_failed"),
}


@pytest.mark.parametrize("action", WRITES)
async def test_a_write_that_meets_a_fault(far: Any, action: Action, booking: Callable[..., dict[str, Any]]) -> None:
    kind, reason, applied = WRITES[action]
    far.fault(action, method="POST", path="/bookings", times=1)
    outcome = await far.st.bookings.create(body=booking("fault"))
    assert (type(outcome), outcome.reason) == (kind, reason), outcome
    assert far.simulator.count("booking.created", external_id="fault") == applied


@pytest.mark.parametrize("action", READS)
async def test_a_read_that_meets_a_fault_is_never_in_doubt(far: Any, action: Action) -> None:
    kind, reason = READS[action]
    far.fault(action, method="GET", path="/customers", times=1)
    outcome = await far.st.customers.list()
    assert (type(outcome), outcome.reason) == (kind, reason), outcome


def test_every_fault_of_the_simulator_is_in_a_table() -> None:
    assert set(Action) - set(WRITES) == {Action.STALE_READS, Action.PAGING_SHIFT}


async def test_a_late_apply_is_in_the_ledger_after_the_client_gave_up(
    far: Any, booking: Callable[..., dict[str, Any]]
) -> None:
    far.fault(Action.LATE_APPLY, method="POST", path="/bookings", times=1, seconds=30)
    assert isinstance(await far.st.bookings.create(body=booking("late")), InDoubt)
    far.simulator.settle_all()
    found = await far.st.bookings.list(query={"externalId": "late"})
    assert [row.external_id for row in found.body.data] == ["late"]


@pytest.mark.parametrize("action", [Action.RATE_LIMIT, Action.RATE_LIMIT_BARE])
async def test_the_wait_of_a_429_is_read_from_header_or_title(
    far: Any, action: Action, booking: Callable[..., dict[str, Any]]
) -> None:
    far.fault(action, method="POST", seconds=7, times=1)
    await far.st.customers.list()
    outcome = await far.st.bookings.create(body=booking())
    assert isinstance(outcome, Deferred)
    assert (outcome.retry_after, outcome.backpressure, outcome.pauses_tenant) == (7.0, True, False)
    assert outcome.problem is not None
    assert outcome.problem.status == 429


async def test_nulls_where_the_contract_has_none_are_read(far: Any, booking: Callable[..., dict[str, Any]]) -> None:
    far.fault(Action.NULL_REQUIRED, method="POST", path="/bookings", times=1)
    made = await far.st.bookings.create(body=booking())
    assert made.body.id > 0
    assert made.body.name is None


async def test_an_enum_sent_as_a_number_is_kept_as_text(far: Any, booking: Callable[..., dict[str, Any]]) -> None:
    far.fault(Action.INT_ENUMS, method="POST", path="/bookings", times=1)
    made = await far.st.bookings.create(body=booking())
    assert made.body.status == str(ENUMS["BookingStatus"].__args__.index("New"))


async def test_an_expired_token_costs_one_new_token_and_no_second_booking(
    far: Any, booking: Callable[..., dict[str, Any]]
) -> None:
    await far.st.customers.list()
    far.fault(Action.EXPIRE_TOKEN, method="POST", path="/bookings", times=1)
    assert isinstance(await far.st.bookings.create(body=booking("once")), Succeeded)
    assert far.simulator.count("booking.created", external_id="once") == 1


async def test_a_token_refused_twice_pauses_the_tenant(far: Any, booking: Callable[..., dict[str, Any]]) -> None:
    far.fault(Action.EXPIRE_TOKEN, method="POST", path="/bookings")
    outcome = await far.st.bookings.create(body=booking())
    assert isinstance(outcome, Deferred)
    assert (outcome.reason, outcome.status, outcome.pauses_tenant) == ("unauthorized", 401, True)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"client_secret": "cs1.wrong"}, "credentials_refused"),
        ({"app_key": "ak1.wrong"}, "forbidden"),
        ({"booking_provider": 999}, "forbidden"),
    ],
)
async def test_wrong_credentials_say_what_to_compare(
    far: Any, wrong: dict[str, Any], reason: str, booking: Callable[..., dict[str, Any]]
) -> None:
    outcome = await far.client(**wrong).bookings.create(body=booking())
    assert outcome.reason == reason
    assert isinstance(outcome, Deferred)
    assert outcome.pauses_tenant
    assert far.simulator.count("booking.created") == 0


async def test_an_account_without_contact_management_is_not_paused(far: Any) -> None:
    far.simulator.switches = type(far.simulator.switches)(new_contacts_enabled=False)
    outcome = await far.st.contacts.list()
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "contacts_not_enabled"


async def test_field_errors_of_a_400_are_kept(far: Any, booking: Callable[..., dict[str, Any]]) -> None:
    outcome = await far.st.bookings.create(body=booking(campaignId=424242))
    assert isinstance(outcome, Rejected)
    assert outcome.reason == "validation_failed"
    assert outcome.problem is not None
    assert outcome.problem.errors
    assert outcome.problem.trace_id


async def test_a_missing_record_is_not_found(far: Any) -> None:
    outcome: Outcome = await far.st.customers.get(424242)
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.status) == ("not_found", 404)


async def test_a_customer_that_does_not_exist_is_a_missing_reference(far: Any) -> None:
    address = {"street": "1 Elm St", "city": "Austin", "state": "TX", "zip": "78701", "country": "USA"}
    outcome = await far.st.locations.create(body={"name": "Pat", "customerId": 424242, "address": address})
    assert isinstance(outcome, Rejected)
    assert (outcome.reason, outcome.status) == ("reference_missing", 409)
