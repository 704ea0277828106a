"""Builds everything from settings; the one place that constructs."""

import os
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from bridge import connectors
from bridge.connectors.base import Secret, SourceOptions
from bridge.db.embedded import EmbeddedPostgres
from bridge.domain.ids import SourceId, TenantId
from bridge.hydration.configured import access_of, hydrate_faults, hydrate_of
from bridge.hydration.fetcher import Fetcher, Got
from bridge.hydration.targets import Reach
from bridge.intake.gate import Door
from bridge.servicetitan.client import OnSuccess, ServiceTitan
from bridge.servicetitan.credentials import Credentials
from bridge.settings import ConfigInvalid, Fault, Place, Settings, SourceSettings, TenantSettings, load


def wall_clock() -> datetime:
    """Tell the time of this machine in UTC."""
    return datetime.now(UTC)


def load_settings(place: Path | None = None, *, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings of `place`, of BRIDGE_CONFIG, or the built-in demo's; raises ConfigInvalid."""
    known = (*connectors.kinds(), *connectors.ALIASES)
    loaded = load(place, environ, kinds=known, inspect=source_faults)
    if not isinstance(loaded, Settings):
        raise ConfigInvalid(loaded)
    if loaded.database_url is not None and not _is_readable(loaded.database_url):
        name = "BRIDGE_DATABASE_URL" if environ.get("BRIDGE_DATABASE_URL") else "DATABASE_URL"
        hint = "write postgresql://user:password@host:5432/database"
        where = Place(f"environment variable {name}")  # without its text, which may hold a password
        raise ConfigInvalid([Fault(place=where, path="", message="is no address of PostgreSQL", hint=hint)])
    return loaded


def _is_readable(address: str) -> bool:
    try:
        conninfo_to_dict(address)
    except ProgrammingError:
        return False
    return True


def source_faults(source: SourceSettings) -> tuple[str, ...]:
    """Return what a source's connector says is wrong with its options."""
    options = options_of(source, time_zone="UTC", country="US", public_url="")
    connector = connectors.get_connector(source.connector)
    found = hydrate_faults(connector, source.hydrate, source.options)
    return (*found, *connector.faults(secrets=secrets_of(source), options=options))


def open_database_server(settings: Settings) -> EmbeddedPostgres | None:
    """Return the embedded PostgreSQL to start where no DATABASE_URL is set, None where one is."""
    return None if settings.database_url else EmbeddedPostgres(Path(settings.data_dir))


def running_database(settings: Settings) -> str:
    """Return where the database is, or would be if the embedded one runs; nothing is started."""
    return settings.database_url or EmbeddedPostgres(Path(settings.data_dir)).dsn


def secrets_of(source: SourceSettings) -> tuple[Secret, ...]:
    """Return the source's secrets as its connector takes them."""
    return tuple(Secret(secret.name, secret.value) for secret in source.secrets)


def options_of(source: SourceSettings, *, time_zone: str, country: str, public_url: str) -> SourceOptions:
    """Return what a connector may see of a source."""
    try:
        hydrate = hydrate_of(source.hydrate, source.options)
    except ValueError:  # `source_faults` names it before anything starts
        hydrate = None
    return SourceOptions(
        options=dict(source.options),
        map=dict(source.map),
        defaults=dict(source.defaults),
        public_url=f"{public_url}/hooks/{source.id}" if public_url else "",
        unsigned=source.unsigned,
        max_bytes=source.limits.max_bytes,
        tolerance_seconds=source.limits.tolerance_seconds,
        country=country,
        time_zone=time_zone,
        hydrate=hydrate,
    )


def public_url_of(settings: Settings) -> str:
    """Return the address senders use: the configured one, else where the server listens."""
    server = settings.server
    return (server.public_url or f"http://{server.host}:{server.port}").rstrip("/")


def doors_of(settings: Settings) -> dict[SourceId, Door]:
    """Return every source as intake sees it."""
    doors = {}
    for source in settings.sources.values():
        tenant = settings.tenants[source.tenant_id]
        connector, secrets = connectors.get_connector(source.connector), secrets_of(source)
        options = options_of(
            source, time_zone=tenant.time_zone, country=tenant.phone_region, public_url=public_url_of(settings)
        )
        doors[source.id] = Door(
            source_id=source.id,
            tenant_id=source.tenant_id,
            connector=connector,
            secrets=secrets,
            options=options,
            verify=connector.verifier(secrets=secrets, options=options),
        )
    return doors


def fetcher_of(
    settings: Settings,
    doors: Mapping[SourceId, Door],
    *,
    open_transport: Callable[[Reach], httpx.AsyncBaseTransport] | None = None,
    on_fetch: Callable[[SourceId, Got], None] | None = None,
) -> Fetcher:
    """Return what fetches the records that thin payloads only name; close it with `aclose()`."""
    found = {
        source_id: access_of(
            source_id,
            door.connector,
            door.options.hydrate,
            {name: secret.value for name, secret in settings.sources[source_id].hydrate.items()},
        )
        for source_id, door in doors.items()
        if door.options.hydrate is not None
    }
    return Fetcher(found, open_transport=open_transport, on_fetch=on_fetch)


def credentials_of(tenant: TenantSettings) -> Credentials:
    """Return the credentials of a tenant for the environment it lives in."""
    return Credentials.for_environment(
        tenant.environment,
        tenant_id=tenant.tenant_id,
        client_id=tenant.client_id,
        client_secret=tenant.client_secret,
        app_key=tenant.app_key,
        booking_provider=tenant.booking_provider or None,
    )


def open_servicetitan(
    tenant: TenantSettings,
    *,
    http: httpx.AsyncClient,
    clock: Callable[[], datetime] = wall_clock,
    on_success: OnSuccess | None = None,
) -> ServiceTitan:
    """Return the client of one tenant on an HTTP client of its own."""
    return ServiceTitan(credentials_of(tenant), http, clock, on_success=on_success)


class Clients:
    """The client of each tenant, made when first asked for and kept: its token and its connections are worth keeping."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], datetime] = wall_clock,
        on_success_of: Callable[[TenantId], OnSuccess] | None = None,
    ) -> None:
        self._settings = settings
        self._clock = clock
        self._on_success_of = on_success_of
        self._clients: dict[TenantId, tuple[ServiceTitan, httpx.AsyncClient]] = {}
        self._retired: list[httpx.AsyncClient] = []

    def use(self, settings: Settings) -> None:
        """Go by another version of the config: a tenant that has other keys or lives elsewhere now gets a new client."""
        for tenant_id, (_, http) in list(self._clients.items()):
            before, after = self._settings.tenants[tenant_id], settings.tenants.get(tenant_id)
            if after is None or credentials_of(after) != credentials_of(before):
                self._retired.append(http)  # what is on its way still ends well
                del self._clients[tenant_id]
        self._settings = settings

    def __call__(self, tenant_id: TenantId) -> ServiceTitan:
        """Return the tenant's client; raises KeyError for a tenant nobody configured."""
        if tenant_id not in self._clients:
            from bridge.servicetitan.transport import open_http  # noqa: PLC0415  8 MB that only those who send need

            http = open_http(total=self._settings.worker.http_seconds)
            on_success = self._on_success_of(tenant_id) if self._on_success_of is not None else None
            client = open_servicetitan(
                self._settings.tenants[tenant_id], http=http, clock=self._clock, on_success=on_success
            )
            self._clients[tenant_id] = (client, http)
        return self._clients[tenant_id][0]

    async def close(self) -> None:
        """Close every connection."""
        for http in (*self._retired, *(http for _, http in self._clients.values())):
            await http.aclose()
        self._clients.clear()
