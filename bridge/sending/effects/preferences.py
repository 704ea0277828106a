"""What a customer wants to be sent: do-not-mail of the customer, marketing of its contacts; set, and looked up."""

from collections.abc import Sequence
from typing import Any

from bridge.domain.command import SetPreferences
from bridge.domain.outcome import Outcome, Succeeded
from bridge.sending.effects.wire import Refs, digits, resolve
from bridge.sending.findings import Absent, Finding, Found, LookFailed
from bridge.servicetitan.client import ServiceTitan
from bridge.servicetitan.exports import collect


async def change(client: ServiceTitan, command: SetPreferences, refs: Refs) -> Outcome:
    """Set do-not-mail on the customer and marketing preferences on the contacts that are meant."""
    customer = resolve(command.customer, refs)
    if command.do_not_mail is not None:
        outcome = await client.customers.update(customer, body={"doNotMail": command.do_not_mail})
        if not isinstance(outcome, Succeeded):
            return outcome
    if command.marketing is not None:
        listed = await collect(client.customers.contacts, customer)
        if not isinstance(listed, Succeeded):
            return listed
        for row in _meant(command, listed.body):
            body = {"type": row.type, "value": row.value, "preferences": _preferences(row, marketing=command.marketing)}
            outcome = await client.customers.update_contact(customer, row.id, body=body)
            if not isinstance(outcome, Succeeded):
                return outcome
    return Succeeded(status=200, body={})


async def find(client: ServiceTitan, command: SetPreferences, refs: Refs) -> Finding:
    """Tell whether the preferences stand as wanted."""
    customer = resolve(command.customer, refs)
    if command.do_not_mail is not None:
        read = await client.customers.get(customer)
        if not isinstance(read, Succeeded):
            return LookFailed(outcome=read)
        if read.body.do_not_mail != command.do_not_mail:
            return Absent()
    if command.marketing is not None:
        listed = await collect(client.customers.contacts, customer)
        if not isinstance(listed, Succeeded):
            return LookFailed(outcome=listed)
        if _meant(command, listed.body):
            return Absent()
    return Found()


def _meant(command: SetPreferences, rows: Sequence[Any]) -> list[Any]:
    """Return the contacts of the value (all where none is named) whose marketing preference is not yet as wanted."""
    wanted = command.contact_value
    return [
        row
        for row in rows
        if (not wanted or _same_value(row.value, wanted))
        and (row.preferences is None or row.preferences.marketing_updates_enabled != command.marketing)
    ]


def _same_value(value: str | None, wanted: str) -> bool:
    if "@" in wanted:
        return (value or "").strip().casefold() == wanted.strip().casefold()
    return bool(digits(wanted)) and digits(value or "") == digits(wanted)


def _preferences(row: Any, *, marketing: bool) -> dict[str, bool]:
    """Return all five preferences, as the contract requires; one never set counts as on, as ServiceTitan's default is."""
    held = row.preferences
    names = {
        "jobRemindersEnabled": "job_reminders_enabled",
        "invoiceStatementNotification": "invoice_statement_notification",
        "invoiceNotification": "invoice_notification",
        "statementNotification": "statement_notification",
    }
    kept = {name: getattr(held, attribute, None) is not False for name, attribute in names.items()}
    return {**kept, "marketingUpdatesEnabled": marketing}
