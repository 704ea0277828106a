"""YAML files and the environment → one frozen `Settings`, or every fault at once; a config with a fault never runs."""

import hashlib
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.domain.ids import SourceId, TenantId
from bridge.settings.checks import check_config
from bridge.settings.demo import DEMO, demo_secret
from bridge.settings.faults import ConfigInvalid, Fault, Place
from bridge.settings.reading import Reader, Written, dotted, merge
from bridge.settings.resolved import (
    AlertSettings,
    NamedSecret,
    RuleSettings,
    Settings,
    SourceSettings,
    TenantSettings,
)
from bridge.settings.schema import Config, SecretReference, Source, Tenant
from bridge.settings.validation import known_keys, validate

CheckSource = Callable[[SourceSettings], Sequence[str]]
"""What the connector of a source says about its settings: sentences that may start with `options.key: `."""

DEMO_FILE = "built-in demo"
_PLACEHOLDERS = frozenset({"", "n/a", "none", "null", "changeme", "change-me", "no-secret-provided", "todo", "secret"})
_SIMULATOR_KEYS = ("cid.demo", "cs1.demo", "ak1.demo")
_BLOCKS = ("server", "worker", "mirror", "retention", "alerts")
_SHORT = {
    "BRIDGE_HOST": "host",
    "BRIDGE_PORT": "port",
    "BRIDGE_PUBLIC_URL": "public_url",
    "BRIDGE_METRICS_PORT": "metrics_port",
}
"""Variable → key of the server block that it overrides; any other key by BRIDGE_<BLOCK>_<KEY>."""
_MARK = "#:file "
"""Starts each file in the text of a config version."""


def load(
    place: Path | Sequence[Path] | None,
    *,
    environ: Mapping[str, str] = os.environ,
    kinds: Collection[str] = (),
    check_source: CheckSource | None = None,
    read_secrets: bool = True,
) -> Settings:
    """Return the settings of a file, files or folder; the built-in demo's where `place` is None.

    `kinds` are the connectors there are; `check_source` asks one about its options. `read_secrets=False` looks at a
    config on a machine that has none of its secrets. Raises ConfigInvalid with every fault.
    """
    files = {DEMO_FILE: DEMO} if place is None else read_files(place)
    return load_texts(
        files, environ=environ, kinds=kinds, check_source=check_source, read_secrets=read_secrets, is_demo=place is None
    )


def place_of_config(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return where the config lies: BRIDGE_CONFIG, else None for the built-in demo."""
    given = environ.get("BRIDGE_CONFIG")
    return Path(given) if given else None


def read_files(place: Path | Sequence[Path]) -> dict[str, str]:
    """Return name → text of every YAML file at a place; raise ConfigInvalid where there is none or one is unreadable."""
    files: list[Path] = []
    for path in [place] if isinstance(place, Path) else place:
        if path.is_dir():
            inside = sorted(each for each in path.iterdir() if each.suffix in (".yaml", ".yml") and each.is_file())
            if not inside:
                raise ConfigInvalid([Fault(place=Place(str(path)), path="", message="no *.yaml file is here")])
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise ConfigInvalid([Fault(place=Place(str(path)), path="", message="there is no such file or folder")])
    texts: dict[str, str] = {}
    for path in files:
        try:
            texts[str(path)] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            fault = Fault(place=Place(str(path)), path="", message=f"cannot be read ({type(error).__name__})")
            raise ConfigInvalid([fault]) from error
    return texts


def load_texts(
    files: Mapping[str, str],
    *,
    environ: Mapping[str, str] = os.environ,
    kinds: Collection[str] = (),
    check_source: CheckSource | None = None,
    read_secrets: bool = True,
    is_demo: bool = False,
) -> Settings:
    """Return the settings of texts that are already read (a stored config version); raise ConfigInvalid."""
    reader = Reader()
    trees = {name: tree for name, text in files.items() if (tree := reader.read(name, text)) is not None}
    nowhere = Place(next(iter(files), "config"))
    tree = merge(trees, reader) if trees else Written(data={}, place=nowhere, key_place=nowhere)
    tree = _with_environment(tree, environ)
    config, faults = validate(tree)
    faults = [*reader.faults, *faults]
    if config is None:
        raise ConfigInvalid(faults)
    faults += check_config(config, tree, kinds=kinds)
    resolver = _Resolver(tree, environ, read_secrets=read_secrets, is_demo=is_demo)
    settings = resolver.settings(config, version_text(files), is_demo=is_demo)
    faults += resolver.faults
    if check_source is not None and read_secrets:
        faulty = {fault.path.split(".")[1] for fault in faults if fault.path.startswith("sources.")}
        faults += _asked(settings, tree, check_source, known=kinds, faulty=faulty)
    if faults:
        raise ConfigInvalid(faults)
    return settings


def version_text(files: Mapping[str, str]) -> str:
    """Return a config as one text: each file after a line that names it, without its folder."""
    return "".join(f"{_MARK}{Path(name).name}\n{text.rstrip()}\n" for name, text in files.items())


def files_of(text: str) -> dict[str, str]:
    """Return name → text of the files that a stored config version was made of."""
    parts = [part.partition("\n") for part in text.split(_MARK)[1:]]
    return {name: content for name, _, content in parts}


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


def _asked(
    settings: Settings, tree: Written, check_source: CheckSource, *, known: Collection[str], faulty: Collection[str]
) -> list[Fault]:
    """Return what the connectors say of sources that are fine so far."""
    faults: list[Fault] = []
    for source in settings.sources.values():
        if source.id in faulty or source.block.connector not in known:
            continue
        for sentence in check_source(source):
            head, _, rest = sentence.partition(": ")
            names = head.split(".") if rest and " " not in head else []
            found, walked = tree.at(("sources", source.id, *names))
            faults.append(Fault(place=found.key_place, path=dotted(walked), message=rest if names else sentence))
    return faults


class _Resolver:
    """Joins names and reads secrets, and keeps every fault on the way."""

    def __init__(self, tree: Written, environ: Mapping[str, str], *, read_secrets: bool, is_demo: bool) -> None:
        self.faults: list[Fault] = []
        self._tree = tree
        self._environ = environ
        self._read_secrets = read_secrets
        self._is_demo = is_demo

    def settings(self, config: Config, text: str, *, is_demo: bool) -> Settings:
        """Return everything joined; what could not be read is a fault and stands empty."""
        environ = self._environ
        tenants = {name: self._tenant(name, tenant) for name, tenant in config.tenants.items()}
        sources = [self._source(name, source, tenants) for name, source in config.sources.items()]
        return Settings(
            config=config,
            tenants={tenant.tenant_id: tenant for tenant in tenants.values()},
            sources={source.id: source for source in sources if source is not None},
            rules=tuple(
                RuleSettings(block=rule, at=self._line_of(("rules", index))) for index, rule in enumerate(config.rules)
            ),
            alert_targets=tuple(
                AlertSettings(
                    name=name,
                    block=target,
                    url=self._secret(target.url, ("alerts", "targets", name, "url")),
                    secret=self._secret(target.secret, ("alerts", "targets", name, "secret")),
                )
                for name, target in config.alerts.targets.items()
            ),
            database_url=environ.get("DATABASE_URL") or environ.get("BRIDGE_DATABASE_URL") or None,
            data_dir=Path(environ.get("BRIDGE_DATA_DIR") or ".bridge"),
            version=hashlib.sha256(text.encode()).hexdigest()[:12],
            text=text,
            is_demo=is_demo,
        )

    def _tenant(self, name: str, tenant: Tenant) -> TenantSettings:
        path = ("tenants", name)
        client_id, client_secret, app_key = _SIMULATOR_KEYS
        if tenant.credentials is not None:
            given = tenant.credentials
            client_id = self._secret(given.client_id, (*path, "credentials", "client_id"))
            client_secret = self._secret(given.client_secret, (*path, "credentials", "client_secret"))
            app_key = self._secret(given.app_key, (*path, "credentials", "app_key"))
        return TenantSettings(
            key=name,
            tenant_id=TenantId(tenant.tenant_id),
            block=tenant,
            client_id=client_id,
            client_secret=client_secret,
            app_key=app_key,
            webhook_secret=self._secret(tenant.webhook_secret, (*path, "webhook_secret")),
        )

    def _source(self, name: str, source: Source, tenants: Mapping[str, TenantSettings]) -> SourceSettings | None:
        path = ("sources", name)
        secrets = tuple(
            NamedSecret(secret.name or secret.env or Path(secret.file or "").name, value)
            for index, secret in enumerate(source.secrets)
            if (value := self._secret(secret, (*path, "secrets", index)))
        )
        hydrate = {key: self._secret(secret, (*path, "hydrate", key)) for key, secret in source.hydrate.items()}
        tenant = tenants.get(source.tenant)
        if tenant is None:
            return None
        return SourceSettings(
            id=SourceId(name), tenant_id=tenant.tenant_id, block=source, secrets=secrets, hydrate=hydrate
        )

    def _secret(self, reference: SecretReference | None, path: tuple[str | int, ...]) -> str:
        """Return the value; one that is unset, a placeholder or unreadable is a fault, so the program does not start."""
        if reference is None:
            return ""
        if not self._read_secrets:
            return f"unread {reference.env or reference.file}"
        if reference.env is not None:
            where, at = f"the environment variable {reference.env}", (*path, "env")
            found = self._environ.get(reference.env)
            if found is None and self._is_demo:
                found = demo_secret(reference.env)
            what = "is not set"
        else:
            where, at = f"the file {reference.file}", (*path, "file")
            found, what = _file_text(Path(reference.file or ""))
        if found is None:
            self._fault(at, f"{where} {what}")
            return ""
        if not found.strip():
            self._fault(at, f"{where} is empty")
            return ""
        if found.strip().lower() in _PLACEHOLDERS or (found.startswith("${") and found.endswith("}")):
            self._fault(at, f"{where} holds a placeholder")
            return ""
        return found

    def _line_of(self, path: tuple[str | int, ...]) -> str:
        place = self._tree.at(path)[0].place
        return f"{Path(place.file).name}:{place.line}"

    def _fault(self, path: tuple[str | int, ...], message: str) -> None:
        found, walked = self._tree.at(path)
        self.faults.append(Fault(place=found.place, path=dotted(walked), message=message))


def _file_text(path: Path) -> tuple[str | None, str]:
    try:
        return path.read_text(encoding="utf-8").strip(), ""
    except (OSError, UnicodeDecodeError) as error:
        return None, f"cannot be read ({type(error).__name__})"
