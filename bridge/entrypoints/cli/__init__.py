"""The command line: a table of commands, each imported only when it runs, so that `bridge --help` stays quick."""

import importlib
import json
import sys
from typing import Any

import rich_click as click

from bridge import __version__
from bridge.entrypoints.cli.exits import Exit

_COMMANDS = {
    "demo": "demo:demo",
    "up": "roles:up",
    "serve": "roles:serve",
    "work": "roles:work",
    "sync": "sync:sync",
    "simulator": "simulator:simulator",
    "migrate": "roles:migrate",
    "check": "config:check",
    "schema": "config:schema",
    "doctor": "doctor:doctor",
    "ping": "roles:ping",
    "send": "send:send",
    "vectors": "vectors:vectors",
    "explain": "explain:explain",
    "plan": "plan:plan",
    "test": "testing:test",
    "match": "match:match",
    "st": "st:st",
    "deliveries": "deliveries:deliveries",
    "retry": "replay:retry",
    "replay": "replay:replay",
    "hold": "replay:hold",
    "resume": "replay:resume",
    "review": "review:review",
    "outbox": "outbox:outbox",
    "sources": "sources:sources",
    "users": "users:users",
    "tokens": "tokens:tokens",
    "pii": "pii:pii",
    "completion": "completing:completion",
}
"""Command → module of this package and the function in it, in the order of the help page."""

click.rich_click.COMMAND_GROUPS = {
    "bridge": [
        {"name": "Try it", "commands": ["demo", "send", "explain", "simulator"]},
        {"name": "Run it", "commands": ["up", "serve", "work", "sync", "migrate", "doctor", "ping"]},
        {"name": "Configure it", "commands": ["check", "schema", "test", "plan", "match", "vectors"]},
        {
            "name": "Operate it",
            "commands": ["deliveries", "review", "retry", "replay", "hold", "resume", "outbox", "sources"],
        },
        {"name": "Administer it", "commands": ["users", "tokens", "pii", "st", "completion"]},
    ]
}


class _Lazy(click.RichGroup):
    """A group that finds its commands in the table above."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return super().get_command(ctx, cmd_name)
        module, _, name = place.partition(":")
        command: Any = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        return command if isinstance(command, click.Command) else None


@click.group("bridge", cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="bridge")
def cli() -> None:
    """Turn webhooks of CRMs, marketing tools and form providers into ServiceTitan bookings and updates, each once.

    Start with:  bridge demo
    """


def main() -> None:
    """Run the command line and leave with its exit code; where `--json` is asked for, an error is JSON as well."""
    from bridge.entrypoints.cli.exits import Stop

    try:
        cli.main(prog_name="bridge", standalone_mode=True)
    except Stop as stop:
        if stop.message and "--json" in sys.argv[1:]:
            click.echo(json.dumps({"error": stop.code.name.lower(), "detail": stop.message}, indent=2))
        elif stop.message:
            click.echo(stop.message, err=True)
        sys.exit(stop.code)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
