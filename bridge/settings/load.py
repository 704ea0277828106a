"""YAML files and the environment → one frozen `Settings`, or every fault at once; a config with a fault never runs."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from bridge.domain.ids import TenantId
from bridge.domain.reference import ReferenceLists
from bridge.settings.checks import check_config
from bridge.settings.demo import demo_config
from bridge.settings.faults import ConfigInvalid, Fault, Place, in_order
from bridge.settings.names import unknown_names
from bridge.settings.reading import Reader, Written, dotted, merge
from bridge.settings.resolved import ConfigVersion, Settings, SourceSettings
from bridge.settings.resolving import Resolver
from bridge.settings.validation import known_keys, validate

Inspect = Callable[[SourceSettings], Sequence[str]]
"""What the connector of a source says about its settings: sentences that may start with `options.key: `."""
Mirror = Callable[[Mapping[str, TenantId]], Mapping[str, ReferenceLists]]
"""Returns what a mirror holds of tenants, by their names in the config; nothing of those it does not hold."""

DEMO_FILE = "built-in demo"
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
    where: Path | Sequence[Path] | None,
    environ: Mapping[str, str],
    *,
    kinds: Collection[str],
    inspect: Inspect | None = None,
    read_secrets: bool = True,
    mirror: Mirror | None = None,
) -> Settings | tuple[Fault, ...]:
    """Return the settings of a folder or of files, or every fault of files, environment and secrets at once.

    `where` None stands for what BRIDGE_CONFIG names, else for the built-in demo. `kinds` are the connector kinds that
    exist, `inspect` asks a source's connector. `read_secrets=False` looks at a config on a machine that has none of its
    secrets; with a `mirror` names that ServiceTitan does not know are faults too.
    """
    named = where if where is not None else (Path(environ["BRIDGE_CONFIG"]) if environ.get("BRIDGE_CONFIG") else None)
    try:
        files = {DEMO_FILE: demo_config(environ)} if named is None else read_files(named)
    except ConfigInvalid as no:
        return no.faults
    return load_texts(
        files, environ, kinds=kinds, inspect=inspect, read_secrets=read_secrets, is_demo=named is None, mirror=mirror
    )


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
    environ: Mapping[str, str],
    *,
    kinds: Collection[str],
    inspect: Inspect | None = None,
    read_secrets: bool = True,
    is_demo: bool = False,
    mirror: Mirror | None = None,
) -> Settings | tuple[Fault, ...]:
    """Return the settings of texts that are already read (those of a stored version, say), or every fault at once."""
    reader = Reader()
    trees = {name: tree for name, text in files.items() if (tree := reader.read(name, text)) is not None}
    nowhere = Place(next(iter(files), "config"))
    tree = merge(trees, reader) if trees else Written(data={}, place=nowhere, key_place=nowhere)
    tree = _with_environment(tree, environ)
    config, faults = validate(tree)
    if reader.unread:  # what is not in the files that could be read may be in the others
        faults = [fault for fault in faults if fault.path not in ("tenants", "sources")]
    faults = [*reader.faults, *faults]
    if config is None:
        return in_order(faults)
    faults += check_config(config, tree, kinds=kinds)
    if mirror is not None:
        lists = mirror({name: TenantId(tenant.tenant_id) for name, tenant in config.tenants.items()})
        faults += unknown_names(config, tree, lists)
    resolver = Resolver(tree, environ, read_secrets=read_secrets, is_demo=is_demo)
    settings = resolver.settings(config, version_of(files))
    faults += resolver.faults
    if inspect is not None:
        faults += _asked(settings, tree, inspect, known=kinds, faulty=frozenset(fault.path for fault in faults))
    return in_order(faults) if faults else settings


def version_of(files: Mapping[str, str]) -> ConfigVersion:
    """Return the name and text of a config: each file after a line that names it, without its folder."""
    text = "".join(f"{_MARK}{Path(name).name}\n{text.rstrip()}\n" for name, text in files.items())
    return ConfigVersion(hash=hashlib.sha256(text.encode()).hexdigest()[:12], text=text)


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
    settings: Settings, tree: Written, inspect: Inspect, *, known: Collection[str], faulty: frozenset[str]
) -> list[Fault]:
    """Return what the connectors say of sources; not what is a fault already, nor what may only follow from one."""
    faults: list[Fault] = []
    for source in settings.sources.values():
        if source.connector not in known:
            continue
        here = dotted(("sources", source.id))
        is_faulty = any(path == here or path.startswith(f"{here}.") for path in faulty)
        for sentence in inspect(source):
            head, _, rest = sentence.partition(": ")
            names = head.split(".") if rest and " " not in head else []
            block, _, key = head.partition(".")
            whole = ("sources", source.id, block, key)
            found, walked = tree.at(whole)
            if not names or walked != whole:  # a name with dots in it may be one key (`person.email` of a map)
                found, walked = tree.at(("sources", source.id, *names))
            path = dotted(walked)
            if path not in faulty and not (is_faulty and not names):
                faults.append(Fault(place=found.key_place, path=path, message=rest if names else sentence))
    return faults
