"""What no type can tell: names that name nothing, rules that never get their turn, expressions that cannot be read."""

import re
from collections.abc import Collection, Iterator, Mapping

from pydantic import BaseModel

from bridge.domain.expressions import check
from bridge.settings.expression_checks import constant, expression_faults, is_nothing, unknown_in_map, unreadable
from bridge.settings.faults import Fault, did_you_mean
from bridge.settings.reading import Written, dotted
from bridge.settings.rules import Do, Rule
from bridge.settings.schema import Config
from bridge.settings.vocabulary import VALUES

_CLOSED = {
    "priority": ("Low", "Normal", "High", "Urgent", "Emergency"),
    "customer_type": ("Residential", "Commercial"),
}
_EVERYTHING = frozenset({"*"})
_SHOWN = 12
_NOTHING = "write what it should get, or take the line out"
_ONE_EACH = "each tenant is one ServiceTitan account"
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def check_config(config: Config, tree: Written, *, kinds: Collection[str]) -> Iterator[Fault]:
    """Yield every fault of a config whose shape is right."""
    if config.worker.http_seconds >= config.worker.lease_seconds:
        message = "must be less than lease_seconds: a call may not outlive the right to make it"
        yield _fault(tree, ("worker", "http_seconds"), message)
    yield from _sources(config, tree, kinds)
    yield from _tenants(config, tree)
    yield from _rules(config, tree, kinds)


def _fault(tree: Written, path: tuple[str | int, ...], message: str, hint: str = "", *, at_key: bool = False) -> Fault:
    found, _ = tree.at(path)
    return Fault(
        place=found.key_place if at_key else found.place, path=dotted(path), message=message, hint=hint
    )  # fmt: skip


def _keys(tree: Written, block: str) -> Collection[str]:
    """Return the names in a block as they stand in the files: one with a fault is still a name."""
    found = tree.child(block)
    return found.data if found is not None and isinstance(found.data, dict) else ()


def _unknown(
    tree: Written, path: tuple[str | int, ...], what: str, word: str, known: Collection[str]
) -> Iterator[Fault]:
    """Yield that a word names nothing that is known; one that is not written, or faulty already, is passed over."""
    written = tree.at(path)[1] == path
    if written and word and known and word not in known:
        there = f"there are {', '.join(sorted(known)[:_SHOWN])}"
        yield _fault(tree, path, f'no {what} is called "{word}"', did_you_mean(word, known) or there)


def _sources(config: Config, tree: Written, kinds: Collection[str]) -> Iterator[Fault]:
    for name, source in config.sources.items():
        path = ("sources", name)
        if not _NAME.fullmatch(name):
            what = "a source's name is part of its URL: lower-case letters, digits, - and _, at most 64"
            yield _fault(tree, path, what, at_key=True)
        if kinds:
            yield from _unknown(tree, (*path, "connector"), "connector", source.connector, kinds)
        yield from _unknown(tree, (*path, "tenant"), "tenant", source.tenant, _keys(tree, "tenants"))
        names = [secret.name or secret.env or secret.file for secret in source.secrets]
        for index, known in enumerate(names):
            if known in names[:index]:
                what = f'another secret of this source is called "{known}" too'
                yield _fault(tree, (*path, "secrets", index), what, "give each a `name:`")
        for target, expression in source.map.items():
            if not expression.strip() or is_nothing(expression):
                yield _fault(tree, (*path, "map", target), "is mapped to nothing", _NOTHING)
            elif (wrong := check(expression)) is not None:
                yield unreadable(tree, (*path, "map", target), wrong)
            else:
                yield from unknown_in_map(tree, (*path, "map", target), expression)
        for target, mapping in source.updates.fields.items():
            if mapping.custom_field == "":
                yield _fault(
                    tree, (*path, "updates", "fields", target, "custom_field"), "is mapped to nothing", _NOTHING
                )
        for target, tag in source.updates.tags.items():
            if tag == "":
                yield _fault(tree, (*path, "updates", "tags", target), "is mapped to nothing", _NOTHING)
        if source.unsigned and source.secrets:
            yield _fault(tree, (*path, "unsigned"), "is true though secrets are given: one of the two is meant")


def _tenants(config: Config, tree: Written) -> Iterator[Fault]:
    first: dict[int, str] = {}
    keys: dict[str, str] = {}
    for name, tenant in config.tenants.items():
        path = ("tenants", name)
        written = tree.child("tenants")
        block = written.child(name) if written is not None else None
        if block is not None and block.child("tenant_id") is not None:
            if tenant.tenant_id in first:
                yield _fault(
                    tree, (*path, "tenant_id"), f'is the tenant id of "{first[tenant.tenant_id]}" too', _ONE_EACH
                )
            first.setdefault(tenant.tenant_id, name)
        if tenant.environment != "simulator" and block is not None:
            if block.child("credentials") is None:
                hint = "write `credentials: {client_id: {env: …}, client_secret: {env: …}, app_key: {env: …}}`"
                yield _fault(tree, (*path, "credentials"), "is required in this environment", hint)
            if block.child("booking_provider") is None:
                hint = "write `booking_provider:` with the id of the tag the app was granted"
                message = "is required in this environment: bookings are written under a booking provider tag"
                yield _fault(tree, (*path, "booking_provider"), message, hint)
        if tenant.credentials is not None:
            place = tenant.credentials.client_id.env or tenant.credentials.client_id.file or ""
            if place in keys:
                message = f'is the client id of "{keys[place]}" too: each tenant has its own'
                yield _fault(tree, (*path, "credentials", "client_id"), message, _ONE_EACH)
            keys.setdefault(place, name)
        if tenant.thresholds.review > tenant.thresholds.auto:
            yield _fault(tree, (*path, "thresholds", "review"), "is above the auto threshold")
        for mapping in ("campaigns", "services"):
            for key, target in getattr(tenant, mapping).items():
                if target == "":
                    yield _fault(tree, (*path, mapping, key), "is mapped to nothing", _NOTHING)


def _rules(config: Config, tree: Written, kinds: Collection[str]) -> Iterator[Fault]:
    """Check the rules; their conditions as they stand in the files, for a rule whose commands are wrong has one too."""
    values = {
        **VALUES,
        "tenant.name": frozenset(_keys(tree, "tenants")),
        "source.id": frozenset(_keys(tree, "sources")),
        "source.connector": frozenset(kinds),
    }
    written = tree.child("rules")
    listed = written.data if written is not None and isinstance(written.data, list) else []
    names: set[str] = set()
    for index, rule in enumerate(listed):
        name, when = rule.child("name"), rule.child("when")
        if name is not None and str(name.data) in names:
            what = f'another rule is called "{name.data}" too'
            yield _fault(tree, ("rules", index, "name"), what, "an explanation names its rule: give each its own name")
        elif name is not None:
            names.add(str(name.data))
        if when is not None and isinstance(when.data, str):
            faults = list(expression_faults(tree, ("rules", index, "when"), when.data, values))
            yield from faults
            if not faults and constant(when.data) is False:
                yield _fault(
                    tree, ("rules", index, "when"), "is never true", "mend the condition, or take the rule out"
                )
    for index, made in enumerate(config.rules):
        yield from _rule(config, tree, made, config.rules[:index], ("rules", index), values)


def _rule(
    config: Config,
    tree: Written,
    rule: Rule,
    before: list[Rule],
    path: tuple[str | int, ...],
    values: Mapping[str, frozenset[str]],
) -> Iterator[Fault]:
    yield from _unknown(tree, (*path, "tenant"), "tenant", rule.tenant or "", _keys(tree, "tenants"))
    yield from _unknown(tree, (*path, "source"), "source", rule.source or "", _keys(tree, "sources"))
    source = config.sources.get(rule.source or "")
    if source is not None and source.tenant and rule.tenant not in (None, source.tenant):
        message = f"never fits: source {rule.source} is of tenant {source.tenant}, not of {rule.tenant}"
        yield _fault(tree, (*path, "source"), message, "say only one of the two, or the right one")
    for place, text in _templates(rule):
        yield from expression_faults(tree, (*path, *place), text, values)
    yield from _closed_values(tree, rule, path)
    for index, do in enumerate(rule.do):
        wanted = {kind for other in rule.do for kind in other.model_fields_set}
        for nth, kind in enumerate(do.never):
            if kind in wanted:
                message = f"{kind} is wanted by this same rule"
                yield _fault(tree, (*path, "do", index, "never", nth), message, "one of the two is meant")
    for earlier in before:
        if _hides(earlier, rule):
            message = f'never gets its turn: "{earlier.name}" before it always fits first'
            yield _fault(tree, path, message, "put it before that one, or take it out")
            break


def _closed_values(tree: Written, rule: Rule, path: tuple[str | int, ...]) -> Iterator[Fault]:
    """Check what ServiceTitan knows only some words of, where a rule does not fill it in."""
    for index, do in enumerate(rule.do):
        for kind in sorted(do.model_fields_set - {"never", "hold", "ignore"}):
            for name, known in _CLOSED.items():
                value = getattr(getattr(do, kind), name, None)
                if value is None or (isinstance(value, str) and ("{{" in value or "{%" in value)):
                    continue
                if str(value).strip().lower() not in {word.lower() for word in known}:
                    hint = did_you_mean(str(value), known) or f"it is one of {', '.join(known)}"
                    yield _fault(tree, (*path, "do", index, kind, name), f'there is no {name} "{value}"', hint)


def _hides(earlier: Rule, later: Rule) -> bool:
    """Tell whether a rule takes everything that a later one wants, whenever the later one fits."""
    if earlier.tenant not in (None, later.tenant) or earlier.source not in (None, later.source):
        return False
    if constant(earlier.when) is not True and _squeezed(earlier.when) != _squeezed(later.when):
        return False
    taken, wanted = _wanted(earlier), _wanted(later)
    return bool(wanted) and (taken == _EVERYTHING or (wanted != _EVERYTHING and wanted <= taken))


def _squeezed(text: str) -> str:
    return " ".join(text.split())


def _wanted(rule: Rule) -> frozenset[str]:
    names: set[str] = set()
    for do in rule.do:
        if do.hold is not None or do.ignore is not None:
            return _EVERYTHING
        names |= do.model_fields_set - {"never"}
        names.update(do.never)
    return frozenset(names)


def _templates(rule: Rule) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Yield every text of a rule's commands that is to be filled in, with its path."""
    for index, do in enumerate(rule.do):
        yield from _texts(do, ("do", index))


def _texts(
    block: BaseModel | Mapping[str, object], path: tuple[str | int, ...]
) -> Iterator[tuple[tuple[str | int, ...], str]]:
    items = (
        block.items()
        if isinstance(block, Mapping)
        else ((name, getattr(block, name)) for name in block.model_fields_set)
    )
    for name, value in sorted(items):
        if isinstance(value, str) and ("{{" in value or "{%" in value):
            yield (*path, name), value
        elif isinstance(value, BaseModel | Mapping):
            yield from _texts(value, (*path, name))


__all__ = ["Do", "check_config"]
