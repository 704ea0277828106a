"""The search box understands what people type, and finds what it says."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.reports import deliveries
from bridge.reports.search import Local, parse
from tests.console.seeding import NOW, TENANT, deliver

HERE = Local(NOW, "America/Chicago", "US")  # Tuesday, 14:05


def kinds(text: str) -> list[tuple[str, str]]:
    return [(term.kind, term.value) for term in parse(text, HERE).terms]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("(512) 555-0142", [("phone", "+15125550142")]),
        ("512.555.0142", [("phone", "+15125550142")]),
        ("+1 512 555 0142", [("phone", "+15125550142")]),
        ("+1 (512) 555-0142 ext. 5", [("phone", "+15125550142")]),
        ("512-555-0142 x12", [("phone", "+15125550142")]),
        ("tel:+15125550142", [("phone", "+15125550142")]),
        ("555-0142", [("phone_end", "5550142")]),
        ("5550142", [("number", "5550142")]),
        ("booking 500000", [("number", "500000")]),
        ("the lead", [("name", "the lead")]),
        ("mailto:dana@example.com", [("email", "dana@example.com")]),
        ("0142", [("number", "0142")]),
        ("78704", [("number", "78704")]),
        ("78704-1234", [("zip", "78704")]),
        ("Dana@Example.com", [("email", "dana@example.com")]),
        ("dana whitfield", [("name", "dana whitfield")]),
        ("msg_2Lh9KRb0pVZ8", [("id", "msg_2Lh9KRb0pVZ8")]),
        ("source:website -outcome:booked", [("source", "website"), ("outcome", "booked")]),
        ('payload.lead.city:"San Antonio"', [("payload", "lead.city=San Antonio")]),
        ("phone:0142", [("phone_end", "0142")]),
        ("", []),
    ],
)
def test_what_people_type(text: str, found: list[tuple[str, str]]) -> None:
    assert kinds(text) == found


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("14:05", datetime(2026, 11, 24, 20, 5, tzinfo=UTC)),
        ("15:30", datetime(2026, 11, 23, 21, 30, tzinfo=UTC)),  # later than now: yesterday's
        ("yesterday 14:05", datetime(2026, 11, 23, 20, 5, tzinfo=UTC)),
        ("14:05 yesterday", datetime(2026, 11, 23, 20, 5, tzinfo=UTC)),
        ("9:15 on monday", datetime(2026, 11, 23, 15, 15, tzinfo=UTC)),
        ("2:05pm", datetime(2026, 11, 24, 20, 5, tzinfo=UTC)),
        ("monday 9:15", datetime(2026, 11, 23, 15, 15, tzinfo=UTC)),
        ("2026-11-20 08:00", datetime(2026, 11, 20, 14, 0, tzinfo=UTC)),
        ("11/20 8:00", datetime(2026, 11, 20, 14, 0, tzinfo=UTC)),
    ],
)
def test_a_time_is_around_its_minute_where_the_tenant_is(text: str, moment: datetime) -> None:
    (term,) = parse(text, HERE).terms
    assert (term.start, term.end) == (moment - timedelta(minutes=5), moment + timedelta(minutes=6))


def test_several_things_at_once() -> None:
    found = kinds("yesterday 14:05 dana 0142 source:website after:7d")
    assert [kind for kind, _ in found] == ["time", "number", "name", "source", "time"]


def test_what_is_not_understood_is_said() -> None:
    assert parse("sorce:website", HERE).notes == ("There is no qualifier “sorce:”; did you mean “source:”?",)
    assert parse("outcome:bookd", HERE).notes == ("There is no outcome “bookd”; did you mean “booked”?",)


@given(st.text(max_size=120))
@settings(max_examples=150, deadline=None)
def test_no_text_is_an_error(text: str) -> None:
    parse(text, HERE)


@given(st.text(alphabet="0123456789()+-. :/@abcé'\"\\%_&|!<>*", max_size=40))
@settings(max_examples=60, deadline=None)
async def test_no_text_breaks_the_query(text: str) -> None:
    """Compiled text carries values as parameters alone."""
    from bridge.reports.compiling import compile_query, statement

    compiled = compile_query(parse(text, HERE), TENANT, ["website"])
    assert statement(compiled, "d.id").count("'") % 2 == 0


@pytest.mark.parametrize(
    "text",
    [
        "0142",
        "(512) 555-0142",
        "555-0142",
        "5550142",
        "phone:50142",
        "delivery 7000",
        "dana@example.com",
        "whit",
        "dana whitfield",
        "78704",
        "rec-0",
        "msg_0",
        "14:05",
        "campaign:spring",
        "payload.lead.name:dana*",
        "reason:processed after:1h",
        "7000",
    ],
)
async def test_it_is_found(database, text: str) -> None:
    wanted = await deliver(database, 0, "booked", at=NOW)
    await deliver(database, 1, "booked", at=NOW - timedelta(hours=3))
    if text == "campaign:spring":
        text += " after:1h"
    page = await deliveries.find(database, TENANT, parse(text, HERE), sources=["website"])
    assert [row.id for row in page.items] == [wanted]


async def test_another_tenants_delivery_is_never_found(database) -> None:
    from bridge.domain.ids import TenantId

    await deliver(database, 0, "booked", at=NOW)
    for text in ("", "0142", "dana", "1", "7000", "msg_0"):
        page = await deliveries.find(database, TenantId(5), parse(text, HERE), sources=["website"])
        assert page.items == ()
