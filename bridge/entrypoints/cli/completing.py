"""Completion of live names on the command line: whatever goes wrong, there is nothing to complete."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import rich_click as click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from bridge.settings import Settings

_SECONDS = 2
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _settings() -> "Settings | None":
    from bridge.bootstrap import load_settings
    from bridge.settings import ConfigInvalid

    try:
        return load_settings()
    except (ConfigInvalid, OSError):
        return None


def _configured(read: "Callable[[Settings], list[tuple[str, str]]]") -> Completer:
    """Return a completer of names that stand in the config."""

    def complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        settings = _settings()
        return _items(read(settings), incomplete) if settings else []

    return complete


def _kept(query: str) -> Completer:
    """Return a completer of what a query finds: the word and what it means. No server is started for it."""

    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        import psycopg

        from bridge.bootstrap import running_database

        settings = _settings()
        if settings is None:
            return []
        wanted = ctx.params.get("tenant")
        ids = [one.tenant_id for one in settings.tenants.values() if wanted in {None, one.key}]
        try:
            with psycopg.connect(
                running_database(settings), connect_timeout=_SECONDS, options=f"-c statement_timeout={_SECONDS}s"
            ) as connection:
                rows = connection.execute(query, {"tenants": ids, "start": f"{incomplete}%"}).fetchall()
        except psycopg.Error:
            return []
        return _items([(str(row[0]), str(row[1] or "")) for row in rows], incomplete)

    return complete


def _items(found: list[tuple[str, str]], incomplete: str) -> list[CompletionItem]:
    return [CompletionItem(word, help=text or None) for word, text in found if word.startswith(incomplete)]


tenants = _configured(lambda settings: [(one.key, str(one.tenant_id)) for one in settings.tenants.values()])
sources = _configured(
    lambda settings: [(str(name), one.title or one.connector) for name, one in settings.sources.items()]
)
deliveries = _kept(
    "SELECT d.id::text, d.source_id || ' ' || coalesce(s.sentence, '') FROM deliveries d LEFT JOIN delivery_states s"
    " ON s.tenant_id = d.tenant_id AND s.delivery_id = d.id WHERE d.tenant_id = ANY(%(tenants)s) AND d.id::text LIKE %(start)s"
    " AND d.received_at > now() - interval '7 days' ORDER BY d.received_at DESC LIMIT 30"
)
holds = _kept(
    "SELECT id::text, source_id || ' ' || reason FROM holds WHERE tenant_id = ANY(%(tenants)s) AND state = 'open' AND id::text LIKE %(start)s"
    " ORDER BY id LIMIT 30"
)
logins = _kept("SELECT login, role FROM users WHERE login LIKE %(start)s ORDER BY login LIMIT 30")
tokens = _kept(
    "SELECT id::text, name FROM api_tokens WHERE revoked_at IS NULL AND expires_at > now() AND id::text LIKE %(start)s ORDER BY id LIMIT 30"
)


def searches(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Complete the last word of a search: qualifiers, sources, outcomes; a number is a delivery's."""
    from bridge.reports.search import MATCHES, OUTCOMES, QUALIFIERS

    if incomplete.isdecimal():
        return deliveries(ctx, param, incomplete)
    before, space, last = incomplete.rpartition(" ")
    key, colon, _ = last.partition(":")
    if not colon:
        words = [(f"{name}:", text) for name, text in QUALIFIERS.items()]
    elif key == "source":
        words = [(f"source:{item.value}", str(item.help or "")) for item in sources(ctx, param, "")]
    else:
        words = [(f"{key}:{value}", "") for value in {"outcome": OUTCOMES, "match": tuple(MATCHES)}.get(key, ())]
    return [CompletionItem(f"{before}{space}{item.value}", help=item.help) for item in _items(words, last)]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that makes a shell complete commands, options and live names.

    For bash:  bridge completion bash > ~/.local/share/bash-completion/completions/bridge
    """
    from click.shell_completion import get_completion_class

    from bridge.entrypoints.cli import cli

    kind: Any = get_completion_class(shell)
    click.echo(kind(cli, {}, "bridge", "_BRIDGE_COMPLETE").source())
