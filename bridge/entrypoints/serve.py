"""The role that takes webhooks in and shows what became of them: one Litestar application."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import structlog
from litestar import Litestar, Request, Response
from litestar.exceptions import HTTPException

from bridge import bootstrap, connectors
from bridge.connectors.base import Connector
from bridge.db import migrations
from bridge.db.database import UNREACHABLE, Database
from bridge.entrypoints import health, metrics, webhooks
from bridge.entrypoints.api import api_router
from bridge.entrypoints.console import console_router, no_such_page
from bridge.entrypoints.context import AppContext
from bridge.entrypoints.problems import MEDIA_TYPE, problem
from bridge.entrypoints.reloading import Reloader
from bridge.entrypoints.server import serve
from bridge.intake.gate import Door
from bridge.intake.rejections import RejectionLog
from bridge.intake.store import DeliveryStore
from bridge.settings import Settings

_log = structlog.get_logger()
_FLUSH_SECONDS = 1.0
_SHUTDOWN_SECONDS = 2.0


class SecretUses:
    """Remembers when each secret last opened the door; written together with the refused requests."""

    def __init__(self) -> None:
        self._last: dict[tuple[int, str, str], datetime] = {}

    def note(self, door: Door, secret_name: str, now: datetime) -> None:
        """Keep the newest use until the next `take`."""
        self._last[door.tenant_id, door.source_id, secret_name] = now

    async def write(self, database: Database) -> None:
        """Store what was noted."""
        noted, self._last = self._last, {}
        if not noted:
            return
        try:
            async with database.connection() as connection:
                await connection.execute(
                    "INSERT INTO secret_uses (tenant_id, source_id, secret_name, last_used_at)"
                    " SELECT * FROM unnest(%s::int8[], %s::text[], %s::text[], %s::timestamptz[]) ORDER BY 1, 2, 3"
                    " ON CONFLICT (tenant_id, source_id, secret_name)"
                    " DO UPDATE SET last_used_at = greatest(secret_uses.last_used_at, excluded.last_used_at)",
                    [*map(list, zip(*noted, strict=True)), list(noted.values())],
                )
        except UNREACHABLE:
            self._last = {**noted, **self._last}
            raise


class Application:
    """The pieces of the serving role and the tasks that run beside it."""

    def __init__(self, settings: Settings, *, dsn: str) -> None:
        self.settings = settings
        self.database = Database(dsn, max_size=10)
        self.draining = asyncio.Event()
        self._store = DeliveryStore(dsn, max_waiting=settings.server.max_waiting)
        self._rejections = RejectionLog()
        self._secret_uses = SecretUses()
        self._doors = bootstrap.doors_of(settings)
        self._head = migrations.head()
        self._context: AppContext | None = None
        self.reloader = Reloader(settings, use=self.reload)

    def build(self) -> Litestar:
        """Return the Litestar application."""
        hooks = webhooks.Hooks(
            doors=lambda: self._doors,
            store=self._store,
            rejections=self._rejections,
            clock=bootstrap.wall_clock,
            secret_used=self._secret_uses.note,
            public_url=bootstrap.public_url_of(self.settings),
        )
        context = self._context = AppContext(
            database=self.database,
            settings=self.settings,
            connectors=self._connectors(),
            clock=bootstrap.wall_clock,
            draining=self.draining,
            config_faults=lambda: self.reloader.faults,
        )
        return webhooks.HookedApp(
            hooks,
            route_handlers=[
                *health.handlers(readiness=self._not_ready, draining=self.draining),
                console_router(context),
                api_router(context),
            ],
            lifespan=[self._lifespan],
            exception_handlers={HTTPException: _refuse, Exception: _break},
            openapi_config=None,
            logging_config=None,
            debug=False,
        )

    def _connectors(self) -> dict[str, Connector]:
        kinds = {source.connector for source in self.settings.sources.values()}
        return {kind: connectors.get_connector(kind) for kind in kinds}

    async def reload(self, settings: Settings) -> None:
        """Use another version of the config from the next request on."""
        self._doors = bootstrap.doors_of(settings)
        self.settings = settings
        if self._context is not None:
            self._context.settings = settings
            self._context.connectors = self._connectors()

    @contextlib.asynccontextmanager
    async def _lifespan(self, _app: Litestar) -> AsyncIterator[None]:
        await self.database.open(wait=False)
        writer = asyncio.create_task(self._store.run(), name="intake.store")
        notes = asyncio.create_task(self._write_notes(), name="intake.notes")
        watch = asyncio.create_task(self.reloader.run(), name="config.watch")
        try:
            yield
        finally:
            self._store.close()
            await asyncio.wait([writer], timeout=_SHUTDOWN_SECONDS)
            notes.cancel()
            watch.cancel()
            with contextlib.suppress(*UNREACHABLE, TimeoutError):
                async with asyncio.timeout(0.5):
                    await self._write_once()
            await self.database.close()

    async def _write_notes(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            with contextlib.suppress(*UNREACHABLE):
                await self._write_once()

    async def _write_once(self) -> None:
        if self._rejections.waits:
            async with self.database.begin() as tx:
                await self._rejections.write(tx)
        await self._secret_uses.write(self.database)

    async def _not_ready(self) -> dict[str, str]:
        try:
            async with asyncio.timeout(2), self.database.connection() as connection:
                row = await (await connection.execute("SELECT version_num FROM schema_version")).fetchone()
        except (*UNREACHABLE, TimeoutError):
            return {"database": "does not answer"}
        except Exception:  # noqa: BLE001  no such table: nothing was ever migrated
            return {"migrations": "the schema is missing: run `bridge migrate`"}
        if row is None or row[0] != self._head:
            return {"migrations": f"the schema is at {row[0] if row else 'nothing'}, this program needs {self._head}"}
        return {}


async def run(settings: Settings, *, dsn: str, handle_signals: bool = True) -> None:
    """Serve until a signal comes; every acknowledged delivery is committed before this returns."""
    application = Application(settings, dsn=dsn)
    server = settings.server
    if server.metrics_port is not None:
        metrics.expose(server.metrics_port, host=server.host)
    await serve(
        application.build(),
        host=server.host,
        port=server.port,
        draining=application.draining,
        handle_signals=handle_signals,
    )


def _refuse(request: Request[Any, Any, Any], error: HTTPException) -> Response[Any]:
    """Answer what Litestar itself refuses (no such page, no such method): a browser with a page, others with problem JSON."""
    if "text/html" in request.headers.get("accept", ""):
        return no_such_page(error.status_code)
    reason = {404: "page_unknown", 405: "method_unsupported"}.get(error.status_code, "request_invalid")
    return Response(problem(error.status_code, reason), status_code=error.status_code, media_type=MEDIA_TYPE.decode())


def _break(_request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer our own faults without a trace of their inside; the log has the place."""
    _log.error("request.failed", error=error)
    return Response(problem(500, "internal_error"), status_code=500, media_type=MEDIA_TYPE.decode())
