"""One bad record must not stop its feed: the others of the page are kept, the bad one is counted and told of."""

import logging
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bridge.mirror import cursors, feeds, rows
from bridge.mirror.feeds import Syncing
from bridge.servicetitan.reading import legible_text
from tests.mirror.mirrored_town import BOOKING, TENANT, Opened, Town, assert_equal, mirrored


async def cursor_of(sync: Syncing, feed: str) -> cursors.Cursor:
    return (await cursors.read(sync.session, TENANT))[feed]


def first_of(town: Town, feed: str) -> dict[str, Any]:
    return next(iter(town.account.tables[feed]))


def tamper_once(town: Town, path: str, *, before: bytes, after: bytes) -> None:
    """Change the bytes of one record wherever the feed shows it."""

    def change(asked: str, content: bytes) -> bytes:
        return content.replace(before, after) if asked.endswith(path) else content

    town.tamper = change


@pytest.mark.parametrize("loaded_before", [False, True])
@pytest.mark.parametrize(
    "bad",
    [
        b"null,",
        b'{"name":"nobody","active":true},',
        b'{"id":"seven","name":"nobody"},',
        b'{"id":99999999999999999999999,"name":"nobody"},',
        b'{"id":17,"name":"nobody","tagTypeIds":[99999999999999999999]},',
        b"[],",
    ],
)
async def test_the_others_of_a_page_are_kept_and_the_bad_record_is_counted_and_told_of(
    opened: Opened, caplog: pytest.LogCaptureFixture, bad: bytes, loaded_before: bool
) -> None:
    town = Town(customers=30)
    sync = await opened(town)
    if loaded_before:
        await feeds.read_feed(sync, "customers")
        await cursors.restart(sync.session, TENANT, "customers")
        await sync.session.execute("DELETE FROM mirrored_customers")
    town.tamper = lambda _path, content: content.replace(b'"data":[', b'"data":[' + bad)
    with caplog.at_level(logging.ERROR):
        await feeds.read_feed(sync, "customers")
    cursor = await cursor_of(sync, "customers")
    assert len(await mirrored(sync.session, "customers")) == 30
    assert (cursor.skipped, cursor.stopped, cursor.failures) == (1, False, 0)
    assert cursor.synced_at is not None
    assert cursor.skipped_detail
    assert [one.message for one in caplog.records if one.levelno == logging.ERROR] == ["record.skipped"]


async def test_a_null_character_inside_a_list_is_left_out_and_its_record_kept(opened: Opened) -> None:
    town = Town(customers=30)
    made = await town.client.bookings.create(body=BOOKING)
    town.edit("bookings", made.body.id, uploadedImages=["a\x00b.jpg"], summary="cold\x00")
    town.simulator.advance(600)
    sync = await opened(town)
    await feeds.read_feed(sync, "bookings")
    found = dict(
        zip(feeds.FEEDS["bookings"].columns, (await mirrored(sync.session, "bookings"))[made.body.id], strict=True)
    )
    assert (found["uploaded_images"], found["summary"]) == (["ab.jpg"], "cold")
    assert (await cursor_of(sync, "bookings")).skipped == 0


@pytest.mark.parametrize("broken", [b"\\ud800", b"\\uDC00\\ud83d", b"\xff\xfe"])
async def test_half_a_letter_in_one_record_becomes_a_replacement_and_all_are_kept(
    opened: Opened, broken: bytes
) -> None:
    town = Town(customers=30)
    customer = first_of(town, "customers")
    town.edit("customers", customer["id"], name="Half here")
    town.simulator.advance(600)
    tamper_once(town, "/export/customers", before=b"Half here", after=b"Half " + broken + b"here")
    sync = await opened(town)
    await feeds.read_feed(sync, "customers")
    found = await mirrored(sync.session, "customers")
    names = list(feeds.FEEDS["customers"].columns)
    assert len(found) == 30
    assert re.fullmatch("Half \ufffd+here", found[customer["id"]][names.index("name")])


async def test_a_page_of_which_most_is_bad_stops_the_feed_and_keeps_the_cursor(opened: Opened) -> None:
    town = Town(customers=60)
    sync = await opened(town)
    town.tamper = lambda path, content: (
        content.replace(b'"id":', b'"key":') if path.endswith("/export/customers") else content
    )
    await feeds.read_feed(sync, "customers")
    cursor = await cursor_of(sync, "customers")
    assert (cursor.stopped, cursor.reason, cursor.place) == (True, "answer_unreadable", "")
    assert "40 records" in cursor.detail or "of 40" in cursor.detail
    town.tamper = lambda _path, content: content
    await feeds.read_feed(sync, "customers")
    assert not (await cursor_of(sync, "customers")).stopped
    assert len(await mirrored(sync.session, "customers")) == 60


@pytest.mark.parametrize("content", [b"<html>bad gateway</html>", b"{", b"[]", b'{"data":null}', b"null", b"{}"])
async def test_a_feed_that_answers_garbage_stops_alone_and_starts_again_where_it_stood(
    opened: Opened, content: bytes
) -> None:
    town = Town(customers=60)
    sync = await opened(town)
    pages = 0

    def garbage_after_a_page(path: str, whole: bytes) -> bytes:
        nonlocal pages
        is_meant = path.endswith("/export/customers")
        pages += is_meant
        return content if is_meant and pages > 1 else whole

    town.tamper = garbage_after_a_page
    for feed in feeds.FEEDS:
        await feeds.read_feed(sync, feed)
    known = await cursors.read(sync.session, TENANT)
    assert [feed for feed, cursor in known.items() if cursor.stopped] == ["customers"]
    assert known["customers"].reason in {"answer_unreadable", "answer_empty"}
    assert known["customers"].place
    assert len(await mirrored(sync.session, "customers")) == 40
    assert all(known[feed].loaded_at is not None for feed in feeds.FEEDS if feed != "customers")
    town.tamper = lambda _path, whole: whole
    await feeds.read_feed(sync, "customers")
    well = await cursor_of(sync, "customers")
    assert (well.stopped, well.reason, well.failures) == (False, "", 0)
    assert well.row_count == 60
    await assert_equal(sync.session, town, with_keys=False)


@given(some.text(alphabet=some.sampled_from('\\u"dD8cC0fF/ ab\ud83d'), max_size=24))
def test_text_that_is_whole_is_left_as_it_is_and_mending_again_changes_nothing(text: str) -> None:
    once = legible_text(text.encode(errors="surrogatepass"))
    assert legible_text(once) == once
    whole = '{"a":"\\ud83d\\ude00 \\\\ud800 é"}'.encode()
    assert legible_text(whole) == whole


def test_a_row_without_null_characters_has_none_in_lists_either() -> None:
    assert rows.without_nul((1, "a\x00b", ["\x00", "c"], None)) == (1, "ab", ["", "c"], None)
