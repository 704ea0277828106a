"""YAML files and the environment → one frozen Settings, or every fault at once."""

import hashlib
import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, get_args

import msgspec
from pydantic import BaseModel, ValidationError

from bridge.domain.ids import SourceId, TenantId
from bridge.settings.demo import DEMO
from bridge.settings.documents import Document, files_of, read
from bridge.settings.faults import ConfigInvalid, Fault, did_you_mean
from bridge.settings.schema import Config, Rule, SecretReference, Source, Tenant

_PLACEHOLDERS = frozenset({"", "n/a", "none", "null", "changeme", "change-me", "no-secret-provided", "todo", "secret"})
_ENVIRONMENT = {
    "BRIDGE_HOST": ("server", "host"),
    "BRIDGE_PORT": ("server", "port"),
    "BRIDGE_METRICS_PORT": ("server", "metrics_port"),
    "BRIDGE_PUBLIC_URL": ("server", "public_url"),
}
"""Variable → key it overrides."""


class NamedSecret(msgspec.Struct, frozen=True):
    """A secret with its name; its `repr` hides the value."""

    name: str
    value: str

    def __repr__(self) -> str:
        """Name it without showing it."""
        return f"NamedSecret({self.name!r}, …)"


class TenantSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One tenant with its secrets resolved; `block` is what the config says."""

    key: str
    tenant_id: TenantId
    block: Tenant
    client_id: str
    client_secret: str
    app_key: str
    webhook_secret: str = ""

    def __repr__(self) -> str:
        """Name it without its secrets."""
        return f"TenantSettings({self.key!r})"


class SourceSettings(msgspec.Struct, frozen=True, kw_only=True):
    """One source with its secrets resolved; `block` is what the config says."""

    id: SourceId
    tenant_id: TenantId
    block: Source
    secrets: tuple[NamedSecret, ...]
    hydrate: Mapping[str, str] = MappingProxyType({})

    def __repr__(self) -> str:
        """Name it without its secrets."""
        return f"SourceSettings({self.id!r})"


class RuleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """A rule with the place it stands at."""

    block: Rule
    at: str


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the program is told. `version` is the hash of `text`, the config as it was read."""

    config: Config
    tenants: Mapping[TenantId, TenantSettings]
    sources: Mapping[SourceId, SourceSettings]
    rules: tuple[RuleSettings, ...]
    database_url: str | None
    data_dir: Path
    version: str
    text: str
    is_demo: bool = False


def load(
    place: Path | None,
    *,
    environ: Mapping[str, str] = os.environ,
    kinds: Collection[str] = (),
    check_source: Callable[[SourceSettings], tuple[str, ...]] | None = None,
) -> Settings:
    """Return the settings of a file or folder; the built-in demo's where `place` is None.

    `kinds` are the connectors there are; `check_source` asks one about its options. Raises ConfigInvalid.
    """
    texts = {"built-in demo": DEMO} if place is None else files_of(place)
    if not texts:
        raise ConfigInvalid([Fault(file=str(place), message="no *.yaml file is here")])
    document = read(texts)
    faults = list(document.faults)
    _override(document, environ)
    config = _validated(document, faults)
    if config is None:
        raise ConfigInvalid(faults)
    resolver = _Resolver(document, environ, faults, is_demo=place is None)
    tenants = {key: _tenant(key, block, resolver) for key, block in config.tenants.items()}
    sources = [_source(name, block, tenants, kinds, resolver) for name, block in config.sources.items()]
    _same_tenant_twice(document, config, faults)
    if check_source is not None:
        for source in sources:
            if source is not None and not faults:
                faults += [document.fault(("sources", source.id), what) for what in check_source(source)]
    if faults:
        raise ConfigInvalid(faults)
    text = "".join(f"# {name}\n{content}\n" for name, content in texts.items())
    return Settings(
        config=config,
        tenants={tenant.tenant_id: tenant for tenant in tenants.values()},
        sources={source.id: source for source in sources if source is not None},
        rules=tuple(
            RuleSettings(block=rule, at=_at(document, ("rules", index))) for index, rule in enumerate(config.rules)
        ),
        database_url=environ.get("DATABASE_URL") or environ.get("BRIDGE_DATABASE_URL") or None,
        data_dir=Path(environ.get("BRIDGE_DATA_DIR") or ".bridge"),
        version=hashlib.sha256(text.encode()).hexdigest()[:12],
        text=text,
        is_demo=place is None,
    )


def place_of_config(environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return where the config lies: BRIDGE_CONFIG, else None for the built-in demo."""
    given = environ.get("BRIDGE_CONFIG")
    return Path(given) if given else None


def _override(document: Document, environ: Mapping[str, str]) -> None:
    for variable, (block, key) in _ENVIRONMENT.items():
        if environ.get(variable):
            document.data.setdefault(block, {})
            if isinstance(document.data[block], dict):
                document.data[block][key] = environ[variable]


def _validated(document: Document, faults: list[Fault]) -> Config | None:
    try:
        return Config.model_validate(document.data)
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False):
            path = tuple(part for part in error["loc"] if not str(part).startswith("function-"))
            if error["type"] == "extra_forbidden":
                hint = did_you_mean(str(path[-1]), _keys_at(path[:-1]))
                faults.append(document.fault(path, "unknown key", hint=hint, of_key=True))
            elif error["type"] == "missing":
                faults.append(document.fault(path, "is required"))
            else:
                message = error["msg"].removeprefix("Value error, ")
                hint = did_you_mean(str(error["input"]), _choices(error)) if error["type"] == "literal_error" else ""
                faults.append(document.fault(path, message[:1].lower() + message[1:], hint=hint))
    return None


def _choices(error: Any) -> list[str]:
    return [word.strip(" '") for word in str(error.get("ctx", {}).get("expected", "")).replace(" or ", ",").split(",")]


def _keys_at(path: tuple[str | int, ...]) -> list[str]:
    """Return the keys a block may hold, by walking the models along the path."""
    model: Any = Config
    for part in path:
        if isinstance(model, type) and issubclass(model, BaseModel):
            field = model.model_fields.get(str(part))
            model = field.annotation if field is not None else None
        else:
            inner = [kind for kind in get_args(model) if kind is not type(None)]
            model = inner[-1] if inner else None
        while model is not None and not isinstance(model, type) and type(None) in get_args(model):
            model = next(kind for kind in get_args(model) if kind is not type(None))
    return list(model.model_fields) if isinstance(model, type) and issubclass(model, BaseModel) else []


class _Resolver:
    """Turns references into secrets, and notes each one that is not to be had."""

    def __init__(self, document: Document, environ: Mapping[str, str], faults: list[Fault], *, is_demo: bool) -> None:
        self.document = document
        self.faults = faults
        self._environ = environ
        self._is_demo = is_demo

    def value(self, reference: SecretReference | None, path: tuple[str | int, ...]) -> str:
        """Return the secret's text, empty with a fault where it is unset or a placeholder."""
        if reference is None:
            return ""
        if reference.env is not None:
            found = self._environ.get(reference.env, "")
            where = f"the environment variable {reference.env}"
            if not found and self._is_demo:
                found = _demo_secret(reference.env)
        else:
            file = Path(reference.file or "")
            where = f"the file {file}"
            found = file.read_text(encoding="utf-8").strip() if file.is_file() else ""
        if found.strip().lower() in _PLACEHOLDERS or (found.startswith("${") and found.endswith("}")):
            what = "is a placeholder" if found.strip() else "is not set"
            self.faults.append(self.document.fault(path, f"{where} {what}"))
            return ""
        return found


def _demo_secret(name: str) -> str:
    """Return a secret of the demo: the same at each start, opens nothing but the demo."""
    digest = hashlib.sha256(f"bridge demo {name}".encode())
    if name.endswith("STANDARD"):
        import base64  # noqa: PLC0415

        return "whsec_" + base64.b64encode(digest.digest()).decode()
    return digest.hexdigest()[:32]


def _tenant(key: str, block: Tenant, resolver: _Resolver) -> TenantSettings:
    path = ("tenants", key)
    if block.credentials is None:  # the simulator's own, known to all
        client_id, client_secret, app_key = "cid.demo", "cs1.demo", "ak1.demo"
    else:
        there = (*path, "credentials")
        client_id = resolver.value(block.credentials.client_id, (*there, "client_id"))
        client_secret = resolver.value(block.credentials.client_secret, (*there, "client_secret"))
        app_key = resolver.value(block.credentials.app_key, (*there, "app_key"))
    return TenantSettings(
        key=key,
        tenant_id=TenantId(block.tenant_id),
        block=block,
        client_id=client_id,
        client_secret=client_secret,
        app_key=app_key,
        webhook_secret=resolver.value(block.webhook_secret, (*path, "webhook_secret")),
    )


def _source(
    name: str,
    block: Source,
    tenants: Mapping[str, TenantSettings],
    kinds: Collection[str],
    resolver: _Resolver,
) -> SourceSettings | None:
    path = ("sources", name)
    document = resolver.document
    tenant = tenants.get(block.tenant)
    if tenant is None:
        hint = did_you_mean(block.tenant, tenants)
        resolver.faults.append(document.fault((*path, "tenant"), f'no tenant is called "{block.tenant}"', hint=hint))
    if kinds and block.connector not in kinds:
        hint = did_you_mean(block.connector, kinds)
        resolver.faults.append(
            document.fault((*path, "connector"), f'no connector is called "{block.connector}"', hint=hint)
        )
    if not name.replace("-", "").replace("_", "").isalnum() or name != name.lower() or len(name) > 64:
        resolver.faults.append(
            document.fault(path, "a source's name is part of its URL: lower-case letters, digits, - and _, at most 64")
        )
    secrets = tuple(
        NamedSecret(reference.name or reference.env or Path(reference.file or "").name, value)
        for index, reference in enumerate(block.secrets)
        if (value := resolver.value(reference, (*path, "secrets", index)))
    )
    hydrate = {key: resolver.value(reference, (*path, "hydrate", key)) for key, reference in block.hydrate.items()}
    if tenant is None:
        return None
    return SourceSettings(id=SourceId(name), tenant_id=tenant.tenant_id, block=block, secrets=secrets, hydrate=hydrate)


def _same_tenant_twice(document: Document, config: Config, faults: list[Fault]) -> None:
    seen: dict[int, str] = {}
    for key, block in config.tenants.items():
        if block.tenant_id in seen:
            faults.append(
                document.fault(("tenants", key, "tenant_id"), f'is already the tenant "{seen[block.tenant_id]}"')
            )
        seen[block.tenant_id] = key


def _at(document: Document, path: tuple[str | int, ...]) -> str:
    place = document.places.get(path)
    return f"{place.file}:{place.line}" if place is not None else ""
