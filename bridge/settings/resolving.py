"""Joins the names of a config and reads its secrets; what cannot be had is a fault, and the program does not start."""

from base64 import b64decode
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from bridge.domain.ids import SourceId, TenantId
from bridge.settings.demo import demo_secret
from bridge.settings.faults import Fault
from bridge.settings.reading import Written, dotted
from bridge.settings.resolved import (
    DEMO_PROVIDER,
    AlertTargetSettings,
    ConfigVersion,
    RuleSettings,
    SecretValue,
    Settings,
    SourceSettings,
    TenantSettings,
)
from bridge.settings.schema import Config, SecretReference, Source, Tenant

_PLACEHOLDERS = frozenset({"", "n/a", "none", "null", "changeme", "change-me", "no-secret-provided", "todo", "secret"})
_DEMO_TENANT = 1000001


class Resolver:
    """Joins names and reads secrets, and keeps every fault on the way."""

    def __init__(self, tree: Written, environ: Mapping[str, str], *, read_secrets: bool, is_demo: bool) -> None:
        self._tree = tree
        self._environ = environ
        self._read_secrets = read_secrets
        self._is_demo = is_demo
        self.faults: list[Fault] = []

    def settings(self, config: Config, version: ConfigVersion) -> Settings:
        """Return everything joined; what could not be read is a fault and stands empty."""
        environ = self._environ
        tenants = {name: self._tenant(name, tenant) for name, tenant in config.tenants.items()}
        sources = [self._source(name, source, tenants) for name, source in config.sources.items()]
        return Settings(
            server=config.server,
            worker=config.worker,
            mirror=config.mirror,
            retention=config.retention,
            alerts=config.alerts,
            alert_targets=tuple(self._alert_targets(config)),
            tenants={tenant.tenant_id: tenant for tenant in tenants.values()},
            sources={source.id: source for source in sources},
            rules=tuple(
                RuleSettings(
                    name=rule.name,
                    when=rule.when,
                    tenant_key=rule.tenant,
                    source_id=None if rule.source is None else SourceId(rule.source),
                    do=tuple(rule.do),
                    at=self._line_of(("rules", index)),
                )
                for index, rule in enumerate(config.rules)
            ),
            version=version,
            database_url=environ.get("BRIDGE_DATABASE_URL") or environ.get("DATABASE_URL") or None,
            data_dir=environ.get("BRIDGE_DATA_DIR") or ".bridge",
            is_demo=self._is_demo,
        )

    def _tenant(self, name: str, tenant: Tenant) -> TenantSettings:
        path = ("tenants", name)
        # As the simulator names them where it is told no others; its demo tenant's go by a name.
        mark = "demo" if tenant.tenant_id == _DEMO_TENANT else str(tenant.tenant_id)
        keys = (f"cid.{mark}", f"cs1.{mark}", "ak1.demo")
        if tenant.credentials is not None:
            given = tenant.credentials
            keys = (
                self._secret(given.client_id, (*path, "credentials", "client_id")).value,
                self._secret(given.client_secret, (*path, "credentials", "client_secret")).value,
                self._secret(given.app_key, (*path, "credentials", "app_key")).value,
            )
        is_simulator = tenant.environment == "simulator"
        url = self._environ.get("BRIDGE_SIMULATOR_URL") or tenant.simulator_url
        webhook = tenant.webhook_secret
        return TenantSettings(
            key=name,
            tenant_id=TenantId(tenant.tenant_id),
            environment=url.rstrip("/") if is_simulator else tenant.environment,
            is_simulator=is_simulator,
            client_id=keys[0],
            client_secret=keys[1],
            app_key=keys[2],
            booking_provider=tenant.booking_provider or DEMO_PROVIDER,
            time_zone=tenant.time_zone,
            phone_region=tenant.phone_region,
            defaults=tenant.defaults,
            campaigns=tenant.campaigns,
            services=tenant.services,
            business_hours=tenant.business_hours,
            dedup_window=timedelta(hours=tenant.dedup_window_hours),
            thresholds=tenant.thresholds,
            external_data_guid=tenant.external_data_guid,
            webhook_secret=None if webhook is None else self._secret(webhook, (*path, "webhook_secret")),
        )

    def _source(self, name: str, source: Source, tenants: Mapping[str, TenantSettings]) -> SourceSettings:
        path = ("sources", name)
        secrets = tuple(self._secret(secret, (*path, "secrets", index)) for index, secret in enumerate(source.secrets))
        hydrate = {key: self._secret(secret, (*path, "hydrate", key)) for key, secret in source.hydrate.items()}
        tenant = tenants.get(
            source.tenant
        )  # none is a fault of its own; the connector is asked about the rest all the same
        return SourceSettings(
            id=SourceId(name),
            title=source.title or name.replace("-", " ").replace("_", " ").capitalize(),
            connector=source.connector,
            tenant_key=source.tenant,
            tenant_id=tenant.tenant_id if tenant is not None else TenantId(0),
            secrets=secrets,
            unsigned=source.unsigned,
            limits=source.limits,
            options=source.options,
            map=source.map,
            defaults=source.defaults,
            hydrate=hydrate,
            booking=source.booking,
            updates=source.updates,
            rhythm=source.rhythm,
            book_tests=source.book_tests,
            map_at=self._line_of((*path, "map")),
        )

    def _alert_targets(self, config: Config) -> list[AlertTargetSettings]:
        found = []
        for name, target in config.alerts.targets.items():
            path = ("alerts", "targets", name)
            secret = None if target.secret is None else self._secret(target.secret, (*path, "secret"))
            if target.style == "standard-webhooks" and secret is None:
                self._fault(path, "standard-webhooks signs each message: name a secret")
            elif secret and secret.value.startswith("whsec_") and not _is_base64(secret.value.removeprefix("whsec_")):
                self._fault((*path, "secret"), "the secret is not base64 after whsec_")
            found.append(
                AlertTargetSettings(
                    name=name,
                    url=self._secret(target.url, (*path, "url")).value,
                    style=target.style,
                    secret=secret,
                    cooldown=timedelta(minutes=target.cooldown_minutes),
                )
            )
        return found

    def _secret(self, reference: SecretReference, path: tuple[str | int, ...]) -> SecretValue:
        """Return the value; one that is unset, a placeholder or unreadable is a fault."""
        name = reference.name or reference.env or Path(reference.file or "").name
        if not self._read_secrets:
            return SecretValue(name=name, value=f"unread {name}", is_read=False)
        if reference.env is not None:
            where, at, what = f"the environment variable {reference.env}", (*path, "env"), "is not set"
            found = self._environ.get(reference.env)
            if found is None and self._is_demo:
                found = demo_secret(reference.env)
        else:
            where, at = f"the file {reference.file}", (*path, "file")
            found, what = _file_text(Path(reference.file or ""))
        if found is not None:
            what = "" if found.strip() else "is empty"
            if found.strip() and (found.strip().lower() in _PLACEHOLDERS or found.startswith("${")):
                what = "holds a placeholder"
        if what:
            self._fault(at, f"{where} {what}")
            return SecretValue(
                name=name, value=f"unread {name}", is_read=False
            )  # the connector is still asked about the rest
        return SecretValue(name=name, value=found or "")

    def _line_of(self, path: tuple[str | int, ...]) -> str:
        place = self._tree.at(path)[0].place
        return f"{Path(place.file).name}:{place.line}"

    def _fault(self, path: tuple[str | int, ...], message: str) -> None:
        found, walked = self._tree.at(path)
        self.faults.append(Fault(place=found.place, path=dotted(walked), message=message))


def _is_base64(text: str) -> bool:
    try:
        return bool(b64decode(text, validate=True))
    except ValueError:
        return False


def _file_text(path: Path) -> tuple[str | None, str]:
    try:
        return path.read_text(encoding="utf-8").strip(), ""
    except (OSError, UnicodeDecodeError) as error:
        return None, f"cannot be read ({type(error).__name__})"
