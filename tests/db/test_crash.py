"""A transaction whose server crashes amid it: whoever waits is told, nothing of it is kept, and the next one finds the server."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import uvloop

from bridge.db.database import UNREACHABLE, Database
from bridge.db.embedded import EmbeddedPostgres

# A commit that lasts, so that the crash meets it.
SCHEMA = """
CREATE TABLE numbers (n int PRIMARY KEY);
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON numbers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.n = 7)
  EXECUTE FUNCTION slowly()
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    """A server of this file's own: it is crashed."""
    folder = tmp_path_factory.mktemp("crashed")
    folder.chmod(0o755)
    with EmbeddedPostgres(Path(folder), options={"fsync": "off"}) as running:
        with psycopg.connect(running.dsn, autocommit=True) as admin:
            admin.execute(SCHEMA)
        yield running


async def crash(server: EmbeddedPostgres, *, is_loop_held: bool) -> None:
    """End every process of the server at once and let it recover; a loop that is held meets all that came of it in one turn."""
    process = server._process
    assert process is not None
    process.send_signal(signal.SIGQUIT)
    while not is_loop_held and process.poll() is None:
        await asyncio.sleep(0.01)
    server.stop()
    server.start()


async def wait(database: Database, moment: str, reached: asyncio.Event) -> None:
    """Run a transaction up to the moment of the crash and on."""
    async with database.begin(piped=True) as tx:
        await (await tx.execute("INSERT INTO numbers VALUES (1) RETURNING n")).fetchall()
        match moment:
            case "in line":
                await tx.execute("INSERT INTO numbers VALUES (2)")
                reached.set()
                await asyncio.sleep(0.5)  # it does something else meanwhile
            case "answer":
                reached.set()
                await (await tx.execute("SELECT pg_sleep(60)")).fetchall()
            case "several answers":
                reached.set()
                await asyncio.gather(*[(await tx.execute("SELECT pg_sleep(60)")).fetchall() for _ in range(3)])
            case _:
                await tx.execute("INSERT INTO numbers VALUES (7)")
                reached.set()


@pytest.mark.parametrize("is_loop_held", [True, False], ids=["held", "running"])
@pytest.mark.parametrize("moment", ["in line", "answer", "several answers", "commit"])
def test_a_crash_amid_a_transaction_is_told_and_leaves_nothing(
    server: EmbeddedPostgres, moment: str, is_loop_held: bool
) -> None:
    async def play() -> tuple[BaseException | None, list[int]]:
        database = Database(server.dsn, max_size=2)
        await database.open()
        reached = asyncio.Event()
        waiting = asyncio.create_task(wait(database, moment, reached))
        await reached.wait()
        await asyncio.sleep(0.1)  # it is with the server
        await crash(server, is_loop_held=is_loop_held)
        async with asyncio.timeout(20):
            (told,) = await asyncio.gather(waiting, return_exceptions=True)
            while True:  # connections that rested were cut too: each tells it once
                try:
                    async with database.begin(piped=True) as tx:
                        rows = await (await tx.execute("SELECT n FROM numbers")).fetchall()
                except UNREACHABLE:
                    await asyncio.sleep(0.05)
                else:
                    break
        await database.close()
        return told, [row[0] for row in rows]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        told, kept = runner.run(play())
    assert isinstance(told, psycopg.OperationalError), told
    assert kept == []
