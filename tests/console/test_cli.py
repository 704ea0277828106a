"""The command line: the console's operations by the same names, every write rehearsed, reasoned, audited, and completed by live names."""

import json
import subprocess
import sys

import psycopg
import pytest
import rich_click as click
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from bridge.entrypoints.cli import cli
from bridge.entrypoints.cli.exits import Exit, Stop


class Terminal:
    """Runs commands as a person types them, and sees what is in the database."""

    def __init__(self, dsn: str, made: dict[str, int]) -> None:
        self.dsn, self.made = dsn, made

    def __call__(self, *words: object) -> tuple[int, str]:
        result = CliRunner().invoke(cli, [str(word) for word in words])
        if isinstance(result.exception, Stop):
            return int(result.exception.code), result.output + str(result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        return result.exit_code, result.output

    def json(self, *words: object):
        code, output = self(*words, "--json")
        assert code == 0, output
        return json.loads(output)

    def ask(self, query: str) -> list[tuple]:
        with psycopg.connect(self.dsn) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture
def terminal(database_dsn: str, seeded, monkeypatch) -> Terminal:
    monkeypatch.setenv("DATABASE_URL", database_dsn)
    monkeypatch.delenv("BRIDGE_CONFIG", raising=False)
    return Terminal(database_dsn, seeded.made)


def commands(group: click.Group, path: tuple[str, ...] = ()):
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield " ".join((*path, name)), command


OPERATING = {"deliveries", "retry", "replay", "hold", "resume", "review", "outbox", "sources", "users", "tokens", "pii"}
WRITES = {
    "retry", "replay", "hold", "resume", "review accept", "review new", "review dismiss", "review undo", "outbox pause", "outbox resume",
    "outbox rate", "outbox breaker",
    "users add", "users link", "users change", "tokens make", "tokens revoke", "pii erase",
}  # fmt: skip
READS = {
    "deliveries list", "deliveries show", "deliveries why", "deliveries tail", "deliveries save-test", "review list", "outbox list", "outbox limits", "sources list", "sources ping",
    "users list", "tokens list", "pii find", "pii export",
}  # fmt: skip


def test_every_command_of_an_operator_has_the_same_options() -> None:
    """A command that is neither known here as a read nor has a write's options fails, also one that comes later."""
    known = {name: command for name, command in commands(cli) if name.split()[0] in OPERATING}
    assert known.keys() >= WRITES | READS
    for name, command in known.items():
        options = {option for parameter in command.params for option in parameter.opts}
        wanted = {"--json"} | ({"--dry-run", "--yes", "--reason"} if name not in READS else set())
        assert wanted <= options, name
        assert command.help, name


def test_find_and_see_why(terminal: Terminal) -> None:
    (row,) = terminal.json("deliveries", "list", "0163 outcome:working")
    assert row["id"] == terminal.made["working"]
    assert "O'Brien" not in json.dumps(row)
    assert terminal("deliveries", "list", "sorce:website")[1].startswith("There is no qualifier")
    code, told = terminal("deliveries", "why", terminal.made["failed"])
    assert code == 0
    assert "Given up: create booking" in told
    assert (
        f"delivery     {terminal.made['booked']} · booked" in terminal("deliveries", "show", terminal.made["booked"])[1]
    )
    assert terminal.json("deliveries", "show", terminal.made["booked"])["is_masked"] is True
    assert terminal("deliveries", "show", 999_999)[0] == Exit.PROBLEMS


def test_a_rehearsal_says_what_would_be_and_keeps_nothing(terminal: Terminal) -> None:
    """Every write with --dry-run: the database is the same before and after, whatever it answers."""
    made = terminal.made
    (hold_id,) = terminal.ask("SELECT id FROM holds WHERE state = 'open'")[0]
    (token_id,) = terminal.ask("SELECT min(id) FROM api_tokens")[0]
    before = everything(terminal)
    for words in (
        ("retry", made["failed"]), ("retry", "outcome:failed"), ("replay", made["booked"]), ("hold", made["working"]),
        ("hold", "--source", "website", "--reason", "x"), ("resume",), ("review", "accept", hold_id, "--customer", 7001),
        ("review", "new", hold_id), ("review", "dismiss", hold_id), ("outbox", "pause", "--reason", "x"), ("outbox", "resume"),
        ("outbox", "rate", 5, "--reason", "x"), ("outbox", "breaker", "bookings", "server", "open", "--reason", "x"),
        ("users", "add", "new@example.com"), ("users", "link", "admin@example.com"), ("users", "change", "viewer@example.com", "--shut-out"),
        ("tokens", "make", "t", "--scope", "read"), ("tokens", "revoke", token_id), ("pii", "erase", "--email", "dana@example.com"),
    ):  # fmt: skip
        done = terminal.json(*words, "--dry-run")
        assert (done["dry_run"], done["refusal"]) == (True, ""), words
        assert everything(terminal) == before, words
    code, text = terminal("retry", made["failed"], "--dry-run")
    assert (code, text.strip()) == (0, "nothing is changed; it would say: 1 message is sent again.")


def everything(terminal: Terminal) -> dict[str, str]:
    """Return a digest of the rows of every table."""
    with psycopg.connect(terminal.dsn) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1").fetchall()
        digest = "SELECT md5(string_agg(t::text, '' ORDER BY t::text)) FROM {} t"
        return {table: connection.execute(digest.format(table)).fetchone()[0] for (table,) in tables}


def test_limits_are_seen_and_set(terminal: Terminal) -> None:
    """The last of these give everything back, for other tests send from the same outbox."""
    code, text = terminal("outbox", "rate", "5", "--reason", "their nightly import")
    assert code == 0
    assert text.startswith("5 requests per second: ")
    why = ("--reason", "their nightly import")
    assert terminal("outbox", "rate", "5")[0] == Exit.REFUSED, "no reason"
    assert terminal("outbox", "rate", "41", *why)[0] == Exit.REFUSED
    assert terminal("outbox", "breaker", "bookings", "server", "open")[0] == Exit.REFUSED, "no reason"
    assert terminal("outbox", "breaker", "bookings", "server", "open", *why)[0] == 0
    assert terminal("outbox", "breaker", "invoices", "server", "open", *why)[0] == Exit.USAGE
    text = terminal("outbox", "limits")[1]
    assert "budget  5 requests/s, set by an operator" in text
    assert "rests   bookings server: open, held by an operator" in text
    assert terminal("outbox", "rate", *why)[0] == 0
    assert terminal("outbox", "breaker", "bookings", "server", "itself", *why)[0] == 0
    text = terminal("outbox", "limits")[1]
    assert "budget  40 requests/s\n" in text
    assert "bookings server" not in text


def test_a_replay_says_first_what_would_change(terminal: Terminal) -> None:
    code, text = terminal("replay", terminal.made["booked"], "--dry-run")
    assert code == 0
    assert "create booking: " in text
    asked = terminal.json("replay", terminal.made["booked"], "--dry-run")
    assert [one["kind"] for one in asked["change"]["effects"]] == ["create_booking"]
    assert "Whitfield" not in json.dumps(asked)


def test_many_are_asked_about_and_a_reason_is_kept(terminal: Terminal) -> None:
    code, text = terminal("retry", "outcome:failed", "--reason", "the secret is right now")
    assert (code, "Retry 2 deliveries?" in text) == (Exit.REFUSED, True)
    code, text = terminal("retry", "outcome:failed", "--reason", "the secret is right now", "--yes")
    assert (code, text.strip()) == (0, "Retry: 2 of 2 deliveries.")
    kept = terminal.ask(
        "SELECT action, reason, by LIKE 'cli:%' FROM audit_log WHERE delivery_id IS NOT NULL ORDER BY action"
    )
    assert kept == [
        ("delivery.replayed", "the secret is right now", True),
        ("delivery.retried", "the secret is right now", True),
    ]


def test_hold_and_resume_one_delivery_a_source_and_everything(terminal: Terminal) -> None:
    assert terminal("hold", terminal.made["working"])[0] == 0
    assert [row["id"] for row in terminal.json("deliveries", "list", "outcome:held 0163")] == [terminal.made["working"]]
    assert terminal("resume", terminal.made["working"])[0] == 0
    assert terminal("hold", "--source", "website")[0] == Exit.REFUSED  # wants a reason
    assert terminal("hold", "--source", "nowhere", "--reason", "x")[0] == Exit.USAGE
    assert terminal("hold", "--source", "website", "--reason", "moving")[0] == 0
    assert terminal("outbox", "pause", "--reason", "moving")[0] == 0
    assert terminal.ask("SELECT scope, name FROM pauses ORDER BY 1") == [("source", "website"), ("tenant", "")]
    assert terminal("resume", "--source", "website")[0] == 0
    assert "Resumed" in terminal("outbox", "resume")[1]
    assert terminal.ask("SELECT * FROM pauses") == []


def test_users_tokens_and_people(terminal: Terminal) -> None:
    code, text = terminal("users", "add", "new@example.com", "--role", "operator", "--only", "demo")
    assert (code, "/login/link/" in text) == (0, True)
    assert terminal("users", "add", "new@example.com")[0] == Exit.REFUSED
    assert terminal.ask("SELECT role, tenant_ids FROM users WHERE login = 'new@example.com'") == [
        ("operator", [1000001])
    ]
    assert "/login/link/" in terminal.json("users", "link", "new@example.com")["link"]
    assert terminal.json("tokens", "make", "other", "--scope", "read")["token"].startswith("brg_")
    assert terminal("users", "change", "new@example.com", "--role", "viewer", "--shut-out")[0] == 0
    assert terminal("tokens", "make", "report", "--scope", "read")[1].splitlines()[-1].startswith("brg_")
    assert terminal("tokens", "make", "report", "--scope", "everything")[0] == Exit.USAGE
    assert [one["delivery_id"] for one in terminal.json("pii", "find", "--phone", "512.555.0142")]
    assert terminal("pii", "find", "--phone", "12")[0] == Exit.USAGE
    assert terminal("pii", "erase", "--email", "dana@example.com", "--yes")[0] == Exit.USAGE  # wants a reason
    assert (
        terminal("pii", "erase", "--email", "dana@example.com", "--reason", "she asked")[0] == Exit.REFUSED
    )  # wants --yes
    assert terminal("pii", "erase", "--email", "dana@example.com", "--reason", "she asked", "--yes")[0] == 0
    assert "dana@example.com" not in terminal("pii", "export", "--email", "dana@example.com")[1]


def test_a_database_that_does_not_answer(terminal: Terminal, monkeypatch, free_port: int) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://postgres@127.0.0.1:{free_port}/x?connect_timeout=1")
    assert completed("deliveries", "why", "") == []
    assert terminal("review", "list")[0] == Exit.UNREACHABLE
    command = [sys.executable, "-m", "bridge", "review", "list", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, json.loads(done.stdout)["error"]) == (Exit.UNREACHABLE, "unreachable")


def completed(*words: str) -> list[str]:
    """Return what the shell would be offered for the last word."""
    *before, last = words
    return [item.value for item in ShellComplete(cli, {}, "bridge", "_BRIDGE_COMPLETE").get_completions(before, last)]


def test_live_names_are_completed(terminal: Terminal) -> None:
    hold_id = str(terminal.ask("SELECT id FROM holds WHERE state = 'open'")[0][0])
    assert str(terminal.made["booked"]) in completed("deliveries", "why", "")
    assert completed("review", "accept", "") == [hold_id]
    assert completed("users", "link", "adm") == ["admin@example.com"]
    assert completed("hold", "--source", "type") == ["typeform"]
    assert completed("outbox", "list", "--tenant", "d") == ["demo"]
    assert "source:" in completed("retry", "so")
    assert completed("retry", "outcome:fa") == ["outcome:failed"]
    assert completed("deliveries", "list", "0142 source:call") == ["0142 source:callrail"]
    assert len(completed("tokens", "revoke", "")) == 3
    assert "_BRIDGE_COMPLETE" in terminal("completion", "bash")[1]
