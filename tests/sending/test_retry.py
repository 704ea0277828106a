"""When the next try or look comes."""

from datetime import UTC, datetime, timedelta

from bridge.sending.retry import FAR_SIDE_TIMEOUT, READ_LAG, look_first

NOW = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)


def test_an_effect_in_doubt_for_weeks_is_still_looked_up_each_minute() -> None:
    plan = look_first(sent_at=NOW - timedelta(days=30), looks=40_000, now=NOW)
    assert plan.due_at == NOW + timedelta(minutes=1)


def test_looks_grow_apart_and_the_last_comes_when_absence_is_proof() -> None:
    waits = [look_first(sent_at=NOW, looks=looks, now=NOW).due_at - NOW for looks in range(5)]
    assert waits == [timedelta(seconds=seconds) for seconds in (2, 6, 18, 54, 60)]
    nearly = NOW + FAR_SIDE_TIMEOUT + READ_LAG - timedelta(seconds=1)
    assert look_first(sent_at=NOW, looks=9, now=nearly).due_at == nearly + timedelta(seconds=1)
