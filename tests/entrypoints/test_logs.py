"""A log line says what happened to which record, and nothing that a stranger wrote."""

import json
import logging
import subprocess
import sys

import pytest
import structlog

from bridge.entrypoints import logs
from tests.watching import CHILDREN, Watch, people_in


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture(autouse=True)
def as_before(watch: Watch) -> object:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    logging.getLogger("bridge").setLevel(logging.NOTSET)
    watch.install()  # what was configured writes into this test's captured output


def test_our_own_lines_keep_numbers_and_slugs_and_drop_what_could_be_a_persons(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure()
    error = ValueError("Key (phone)=(+15125550142) already exists")
    added = {
        "tenant": 7,
        "feed": "customers",
        "reason": "not_json",
        "detail": "Maria Lopez, 5125550142",
        "error": error,
    }
    logging.getLogger("bridge.mirror.feeds").warning("feed.delayed", extra=added)
    (line,) = lines(capsys)
    assert line.pop("timestamp")
    assert line == {
        "event": "feed.delayed",
        "logger": "bridge.mirror.feeds",
        "level": "warning",
        "tenant": 7,
        "feed": "customers",
        "reason": "not_json",
        "error": "ValueError",
    }


def test_of_others_lines_only_the_template_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logging.getLogger("some.library").warning("bad header %r", "Maria Lopez", extra={"person": "maria"})
    logging.getLogger("some.library").info("chatter")
    logging.getLogger("bridge.mirror.sync").info("feed.loaded", extra={"rows": 3})
    first, second = lines(capsys)
    assert (first["event"], "person" in first) == ("bad header %r", False)
    assert (second["event"], second["rows"]) == ("feed.loaded", 3)


def test_why_the_database_is_away_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure()
    logging.getLogger("psycopg.pool").warning("error connecting in %r: %s", "pool-1", "connection refused")
    assert lines(capsys)[0]["event"] == "error connecting in 'pool-1': connection refused"


def test_the_watch_over_this_run_sees_a_person_in_any_line(watch: Watch) -> None:
    """Lines of both kinds of loggers and of a role in another process; were it blind, no leak of the run would be found."""
    structlog.get_logger().info("delivery.received", caller="+15125550142", delivery_id=7)
    logging.getLogger("bridge.some").info("from dana@example.com")
    program = f"import sys; sys.orig_argv.append('serve'); exec(open({str(CHILDREN / 'sitecustomize.py')!r}).read()); print('Maria Lopez')"
    subprocess.run([sys.executable, "-c", program], check=True, stdout=subprocess.DEVNULL)
    found = watch.found()
    assert len(found) == 3
    assert [word in line for word, line in zip(("5550142", "dana@", "Maria"), found, strict=True)] == [True] * 3
    assert (
        people_in(
            b'{"delivery_id": 1000001, "trace_id": "a2125550142f", "event": "delivery.processed"}\n{"event": "at 555"}'
        )
        == []
    )
