"""From files and environment to `Settings`, or to every fault at once; a config with a fault never runs."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from importlib import resources
from pathlib import Path
from typing import Any

from bridge.domain.ids import SourceId, TenantId
from bridge.settings.checks import check_config
from bridge.settings.faults import ConfigInvalid, Fault, Place
from bridge.settings.reading import Reader, Written, dotted, merge
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
from bridge.settings.validation import known_keys, validate

Inspect = Callable[[SourceSettings], Sequence[str]]
"""What the connector of a source says about its settings: sentences that may start with `options.key: `."""

DEMO_FILE = "demo.yaml"
DEMO_SECRETS = {
    "BRIDGE_DEMO_WEBSITE_SECRET": "whsec_YnJpZGdlLWRlbW8td2Vic2l0ZS1rZXktMzJieXRlcw==",
    "BRIDGE_DEMO_TYPEFORM_SECRET": "demo-typeform-key",
    "BRIDGE_DEMO_CALLRAIL_SECRET": "demo-callrail-key",
    "BRIDGE_DEMO_CRM_SECRET": "whsec_YnJpZGdlLWRlbW8tY3JtLWtleS0tLTMyLWJ5dGVzLi4=",
    "BRIDGE_DEMO_SERVICETITAN_SECRET": "demo-servicetitan-key",
}
"""Keys of the built-in demo: known to all, and good for the simulator alone."""
_SIMULATOR_KEYS = ("cid.demo", "cs1.demo", "ak1.demo")
_BLOCKS = ("server", "worker", "mirror", "retention", "alerts")
_SHORT = {
    "BRIDGE_HOST": "host",
    "BRIDGE_PORT": "port",
    "BRIDGE_PUBLIC_URL": "public_url",
    "BRIDGE_METRICS_PORT": "metrics_port",
}
_MARK = "#:file "
"""Starts each file in the text of a config version."""


def config_files(where: Path | Sequence[Path] | None, environ: Mapping[str, str]) -> dict[str, str] | None:
    """Return name → text of the config's files, None where there are none and the built-in demo is meant.

    `where` is a directory, files, or None for what BRIDGE_CONFIG names, else the folder `config` where it holds YAML.
    Raises ConfigInvalid for a path that does not exist.
    """
    named = where if where is not None else (Path(environ["BRIDGE_CONFIG"]) if environ.get("BRIDGE_CONFIG") else None)
    paths = [named] if isinstance(named, Path) else list(named) if named is not None else [Path("config")]
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            files += sorted(each for each in path.iterdir() if each.suffix in (".yaml", ".yml") and each.is_file())
        elif path.is_file():
            files.append(path)
        elif named is not None:
            raise ConfigInvalid([Fault(place=Place(str(path)), path="", message="there is no such file or folder")])
    if not files and named is not None:
        raise ConfigInvalid([Fault(place=Place(str(paths[0])), path="", message="holds no .yaml file")])
    texts: dict[str, str] = {}
    for path in files:
        try:
            texts[str(path)] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            fault = Fault(place=Place(str(path)), path="", message=f"cannot be read ({type(error).__name__})")
            raise ConfigInvalid([fault]) from error
    return texts or None


def load(
    where: Path | Sequence[Path] | None,
    environ: Mapping[str, str],
    *,
    kinds: Collection[str],
    inspect: Inspect | None = None,
    read_secrets: bool = True,
) -> Settings | tuple[Fault, ...]:
    """Return the settings, or every fault of files, environment and secrets at once.

    `kinds` are the connector kinds that exist, `inspect` asks a source's connector. `read_secrets=False` is for looking
    at a config on a machine that has none of its secrets.
    """
    try:
        files = config_files(where, environ)
    except ConfigInvalid as no:
        return no.faults
    if files is None:
        text = resources.files("bridge.settings").joinpath(DEMO_FILE).read_text(encoding="utf-8")
        files, environ = {DEMO_FILE: text}, {**DEMO_SECRETS, **environ}
        return load_texts(files, environ, kinds=kinds, inspect=inspect, read_secrets=read_secrets, is_demo=True)
    return load_texts(files, environ, kinds=kinds, inspect=inspect, read_secrets=read_secrets)


def load_texts(
    files: Mapping[str, str],
    environ: Mapping[str, str],
    *,
    kinds: Collection[str],
    inspect: Inspect | None = None,
    read_secrets: bool = True,
    is_demo: bool = False,
) -> Settings | tuple[Fault, ...]:
    """Return the settings of texts that are already read, or every fault at once."""
    reader = Reader()
    trees = {name: tree for name, text in files.items() if (tree := reader.read(name, text)) is not None}
    tree = (
        merge(trees, reader)
        if trees
        else Written(data={}, place=Place(next(iter(files), "config")), key_place=Place(next(iter(files), "config")))
    )
    tree = _with_environment(tree, environ)
    config = validate(tree)
    if isinstance(config, list):
        return _sorted([*reader.faults, *config])
    faults = [*reader.faults, *check_config(config, tree, kinds=kinds)]
    resolver = _Resolver(tree, environ, read_secrets=read_secrets)
    settings = resolver.settings(config, version_of(files), environ, is_demo=is_demo)
    faults += resolver.faults
    if inspect is not None and not faults:
        faults += _inspected(settings, tree, inspect)
    return _sorted(faults) if faults else settings


def version_of(files: Mapping[str, str]) -> ConfigVersion:
    """Return the name and text of a config: the hash covers file names without folders, and every character."""
    text = "".join(f"{_MARK}{Path(name).name}\n{files[name].rstrip()}\n" for name in files)
    return ConfigVersion(hash=hashlib.sha256(text.encode()).hexdigest()[:12], text=text)


def files_of(version_text: str) -> dict[str, str]:
    """Return name → text of the files that a stored config version was made of."""
    files: dict[str, str] = {}
    for part in version_text.split(_MARK)[1:]:
        name, _, text = part.partition("\n")
        files[name] = text
    return files


def _sorted(faults: Sequence[Fault]) -> tuple[Fault, ...]:
    unique = {(f.place.file, f.place.line, f.place.column, f.path, f.message): f for f in faults}
    return tuple(unique[key] for key in sorted(unique))


def _with_environment(tree: Written, environ: Mapping[str, str]) -> Written:
    """Return the tree with what the environment says instead: BRIDGE_PORT, or BRIDGE_<BLOCK>_<KEY>."""
    changed: dict[str, Any] = dict(tree.data)
    for name in sorted(environ):
        if name in _SHORT:
            block, key = "server", _SHORT[name]
        else:
            block, _, key = name.removeprefix("BRIDGE_").lower().partition("_")
            if not name.startswith("BRIDGE_") or block not in _BLOCKS or key not in known_keys((block,)):
                continue
        place = Place(f"environment variable {name}")
        value = Reader().read(name, environ[name])
        data = value.data if value is not None and key not in ("host", "public_url") else environ[name]
        old = changed.get(block)
        inner = dict(old.data) if isinstance(old, Written) and isinstance(old.data, dict) else {}
        inner[key] = Written(data=data, place=place, key_place=place)
        changed[block] = Written(
            data=inner, place=place, key_place=old.key_place if isinstance(old, Written) else place
        )
    return Written(data=changed, place=tree.place, key_place=tree.key_place)


def _inspected(settings: Settings, tree: Written, inspect: Inspect) -> list[Fault]:
    faults: list[Fault] = []
    for source in settings.sources.values():
        for sentence in inspect(source):
            head, _, rest = sentence.partition(": ")
            path: tuple[str, ...] = (
                ("sources", source.id, *head.split(".")) if rest and " " not in head else ("sources", source.id)
            )
            found, walked = tree.at(path)
            message = rest if rest and " " not in head else sentence
            faults.append(Fault(place=found.key_place, path=dotted(walked), message=message))
    return faults


class _Resolver:
    """Joins names and reads secrets, and keeps every fault on the way."""

    def __init__(self, tree: Written, environ: Mapping[str, str], *, read_secrets: bool) -> None:
        self.tree = tree
        self.environ = environ
        self.read_secrets = read_secrets
        self.faults: list[Fault] = []

    def settings(
        self, config: Config, version: ConfigVersion, environ: Mapping[str, str], *, is_demo: bool
    ) -> Settings:
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
            sources={source.id: source for source in sources if source is not None},
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
            is_demo=is_demo,
        )

    def _tenant(self, name: str, tenant: Tenant) -> TenantSettings:
        path = ("tenants", name)
        keys = _SIMULATOR_KEYS
        if tenant.credentials is not None:
            given = tenant.credentials
            keys = (
                self._secret(given.client_id, (*path, "credentials", "client_id")).value,
                self._secret(given.client_secret, (*path, "credentials", "client_secret")).value,
                self._secret(given.app_key, (*path, "credentials", "app_key")).value,
            )
        is_simulator = tenant.environment == "simulator"
        url = self.environ.get("BRIDGE_SIMULATOR_URL") or tenant.simulator_url
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

    def _source(self, name: str, source: Source, tenants: Mapping[str, TenantSettings]) -> SourceSettings | None:
        path = ("sources", name)
        secrets = tuple(self._secret(secret, (*path, "secrets", index)) for index, secret in enumerate(source.secrets))
        hydrate = {key: self._secret(secret, (*path, "hydrate", key)) for key, secret in source.hydrate.items()}
        tenant = tenants.get(source.tenant)
        if tenant is None:
            return None
        return SourceSettings(
            id=SourceId(name),
            title=source.title or name.replace("-", " ").replace("_", " ").capitalize(),
            connector=source.connector,
            tenant_key=source.tenant,
            tenant_id=tenant.tenant_id,
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
        )

    def _alert_targets(self, config: Config) -> list[AlertTargetSettings]:
        found = []
        for name, target in config.alerts.targets.items():
            path = ("alerts", "targets", name)
            secret = None if target.secret is None else self._secret(target.secret, (*path, "secret"))
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
        """Return the value; one that is unset, empty or unreadable is a fault, so that the program does not start."""
        name = reference.name or reference.env or Path(reference.file or "").name
        if not self.read_secrets:
            return SecretValue(name=name, value=f"unread:{name}")
        if reference.env is not None:
            value = self.environ.get(reference.env)
            if value is None:
                self._fault((*path, "env"), f"the environment variable {reference.env} is not set")
            elif not value.strip():
                self._fault((*path, "env"), f"the environment variable {reference.env} is empty")
            return SecretValue(name=name, value=value or "")
        try:
            value = Path(reference.file or "").read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            self._fault((*path, "file"), f"the file cannot be read ({type(error).__name__})")
            value = ""
        else:
            if not value:
                self._fault((*path, "file"), "the file is empty")
        return SecretValue(name=name, value=value)

    def _line_of(self, path: tuple[str | int, ...]) -> str:
        place = self.tree.at(path)[0].place
        return f"{Path(place.file).name}:{place.line}"

    def _fault(self, path: tuple[str | int, ...], message: str) -> None:
        found, walked = self.tree.at(path)
        self.faults.append(Fault(place=found.place, path=dotted(walked), message=message))
