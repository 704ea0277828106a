# ruff: noqa: ARG001  stands in for an interface and uses part of it, or prints to people
"""pgqueuer and procrastinate with handlers that do nothing; run by benchmarks/outbox.py in an interpreter that has them.

Each is used as its documentation says for throughput: pgqueuer with batches of 500, procrastinate with 50 concurrent jobs.
"""

import asyncio
import json
import sys
import time


async def with_pgqueuer(dsn: str, count: int) -> float:
    import psycopg
    from pgqueuer import PgQueuer
    from pgqueuer.db import PsycopgDriver
    from pgqueuer.queries import Queries

    connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
    driver = PsycopgDriver(connection)
    queries = Queries(driver)
    await queries.install()
    payload = b"x" * 270
    for _ in range(0, count, 1_000):
        await queries.enqueue(["noop"] * 1_000, [payload] * 1_000, [0] * 1_000)
    queuer = PgQueuer(driver)
    done = 0
    began = 0.0
    seconds = 0.0

    @queuer.entrypoint("noop")
    async def noop(job: object) -> None:
        nonlocal done, began, seconds
        began = began or time.perf_counter()
        done += 1
        if done >= count:
            seconds = time.perf_counter() - began
            queuer.shutdown.set()

    await queuer.run(batch_size=500)
    await connection.close()
    return count / seconds


async def with_procrastinate(dsn: str, count: int) -> float:
    import procrastinate

    app = procrastinate.App(connector=procrastinate.PsycopgConnector(conninfo=dsn))

    @app.task(name="noop")
    async def noop(payload: str) -> None:
        return None

    async with app.open_async():
        await app.schema_manager.apply_schema_async()
        await noop.batch_defer_async(*({"payload": "x" * 270} for _ in range(count)))
        began = time.perf_counter()
        await app.run_worker_async(wait=False, concurrency=50, install_signal_handlers=False)
        return count / (time.perf_counter() - began)


def main() -> None:
    name, dsn, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    play = {"pgqueuer": with_pgqueuer, "procrastinate": with_procrastinate}[name]
    rate = asyncio.run(play(dsn, count))
    print(json.dumps({"per_second": round(rate), "messages": count}))


if __name__ == "__main__":
    main()
