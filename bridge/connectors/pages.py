"""Prints the pages of the connectors from what they declare: `python -m bridge.connectors.pages docs/connectors`."""

import sys
from pathlib import Path

from bridge.connectors import ALIASES, get_connector, kinds
from bridge.connectors.base import Connector
from bridge.connectors.schemes import Scheme

HEADER = (
    "| connector | proves itself by | messages handled | fetches | delivery named by | sender tries again | answer |"
)


def table() -> str:
    """Return the page of all connectors: one row each."""
    rows = [HEADER, "| --- | --- | --- | --- | --- | --- | --- |"]
    for kind in kinds():
        connector = get_connector(kind)
        about = connector.about
        handled = "any" if "*" in connector.handled else ", ".join(f"`{name}`" for name in sorted(connector.handled))
        cells = (
            f"[{about.title}]({kind}.md)",
            about.signature,
            handled,
            about.hydration,
            about.dedup,
            about.retries,
            about.answer,
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return (
        "# Connectors\n\nPrinted by `python -m bridge.connectors.pages docs/connectors` from what the connectors declare.\n\n"
        + "\n".join(rows)
        + "\n\n## Signature schemes\n\nOne row each in `bridge/connectors/schemes.py`; a generic source writes its own under `options.verify`.\n\n"
        + "\n".join(scheme_rows())
        + "\n"
    )


def scheme_rows() -> list[str]:
    """Return the table of all signature schemes that connectors use."""
    rows = [
        "| scheme | connectors | header | algorithm | written as | signed | time | seconds allowed |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    used: dict[Scheme, list[str]] = {}
    for kind in kinds():
        for row in getattr(get_connector(kind), "schemes", ()):
            used.setdefault(row, []).append(kind)
    for row, users in used.items():
        field = f", `{row.field}` of {row.layout}" if row.field else ""
        told = f"`{row.prefix}` and {row.encoding}" if row.prefix else row.encoding
        time = f"`{row.timestamp}` in {row.unit}" if row.timestamp else "none"
        allowed = str(row.tolerance) if row.timestamp and row.tolerance is not None else "-"
        cells = (
            row.name,
            ", ".join(users),
            f"`{row.header}`{field}",
            row.algorithm,
            told,
            f"`{row.signed}`",
            time,
            allowed,
        )
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return rows


def page(connector: Connector) -> str:
    """Return one connector's page: where to click, what to paste, what becomes of its messages."""
    about, kind = connector.about, connector.kind
    steps = "\n".join(f"{number}. {step}" for number, step in enumerate(about.setup, start=1))
    others = sorted(name for name, target in ALIASES.items() if target == kind)
    facts = [
        f"- Proves itself by: {about.signature}",
        f"- Secret: {about.paste or 'none'}",
        f"- Hook URL: `https://<your bridge>/hooks/<source>`{' (and `/<event>` after it where a step says so)' if kind in _BY_URL else ''}",
        f"- A delivery is named by: {about.dedup}",
        f"- The sender tries again: {about.retries}",
        f"- It is answered: {about.answer}",
        f"- Fetches: {about.hydration}",
        f"- Content types: {', '.join(f'`{name}`' for name in sorted(connector.content_types) if name)}",
    ]
    if others:
        facts.append(f"- Also known as: {', '.join(f'`{name}`' for name in others)}")
    handled = "every kind" if "*" in connector.handled else ", ".join(f"`{name}`" for name in sorted(connector.handled))
    ignored = ", ".join(f"`{name}`" for name in sorted(connector.ignored)) or "none"
    parts = [
        f"# {about.title}", f"Connector `{kind}`.", "## Set it up", steps, "## Facts", "\n".join(facts), "## Messages",
        f"Handled: {handled}.\n\nIgnored on purpose: {ignored}.\n\nAny other kind is stored, counted and shown as unsupported.",
        "## Config", f"```yaml\nsources:\n  my-{kind}:\n    connector: {kind}\n    tenant: main\n    secrets:\n      - env: MY_SECRET\n```",
    ]  # fmt: skip
    if about.more:
        parts.append(about.more.strip())
    if about.notes:
        parts += ["## Notes", "\n".join(f"- {note}" for note in about.notes)]
    if about.guessed:
        parts += ["## Not proved", "\n".join(f"- {guess}" for guess in about.guessed)]
    parts += [
        "## Try it",
        "```\nbridge send <source>          # a signed sample\nbridge send <source> --curl   # the same as a command\n```",
    ]
    return "\n\n".join(parts) + "\n"


_BY_URL = frozenset({"callrail", "calltrackingmetrics"})


def pages() -> dict[str, str]:
    """Return every page by its file name."""
    return {"README.md": table(), **{f"{kind}.md": page(get_connector(kind)) for kind in kinds()}}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (folder / name).write_text(text)
