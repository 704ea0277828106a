"""One request on its way through the simulator: what was asked, on whose records, and how effects are written down."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from bridge.simulator.account import Account, Client
from bridge.simulator.contract import Operation
from bridge.simulator.ledger import Entry
from bridge.simulator.problems import Problem, not_found
from bridge.simulator.switches import Switches
from bridge.simulator.tables import Row, Table
from bridge.simulator.values import stamp

if TYPE_CHECKING:
    from bridge.simulator.state import Simulator

API_USER = 7
"""`createdById` of what an app made."""


class Call:
    """A request that was let in and read; `by` says who acts: api, operator or fault."""

    __slots__ = (
        "account",
        "at",
        "body",
        "by",
        "client",
        "now",
        "operation",
        "path",
        "query",
        "request_id",
        "shift",
        "simulator",
    )

    def __init__(  # noqa: PLR0913 - everything about one request
        self,
        simulator: "Simulator",
        account: Account,
        *,
        operation: Operation | None = None,
        client: Client | None = None,
        path: dict[str, Any] | None = None,
        query: dict[str, Any] | None = None,
        body: Any = None,
        request_id: str = "",
        by: str = "api",
        at: datetime | None = None,
    ) -> None:
        self.simulator = simulator
        self.account = account
        self.operation = operation
        self.client = client
        self.path = path or {}
        self.query = query or {}
        self.body = body
        self.request_id = request_id
        self.by = by
        self.at = at or simulator.now()
        self.now = stamp(self.at)
        self.shift = 0

    @property
    def switches(self) -> Switches:
        """The choices where the documents are silent."""
        return self.simulator.switches

    def row(self, table: Table, row_id: Any, what: str) -> Row:
        """Return the row or raise the 404 that names it."""
        row = table.get(row_id)
        if row is None:
            raise not_found(what, row_id)
        return row

    def effect(self, kind: str, row_id: Any, **refs: Any) -> None:
        """Write an effect into the ledger; `refs` are the ledger's fields."""
        self.simulator.record(
            Entry(
                sequence=len(self.simulator.ledger.entries) + 1,
                at=self.at,
                tenant=self.account.id,
                kind=kind,
                id=row_id,
                request_id=self.request_id,
                by=self.by,
                **refs,
            )
        )

    def new(self, fields: Row) -> Row:
        """Return a row with an id and the times and author of a new record."""
        return {
            "id": self.account.next_id(),
            "createdOn": self.now,
            "modifiedOn": self.now,
            "createdById": API_USER,
            "active": True,
            **fields,
        }

    def changed(self, row: Row, fields: Row) -> Row:
        """Return the next version of a row, modified now."""
        return {**row, "contentModifiedOn": None, **fields, "modifiedOn": self.now}

    def check_reference(self, table: Table, field: str, row_id: int | None) -> None:
        """Refuse a reference to a record that does not exist, as the switch says."""
        if row_id is None or table.get(row_id) is not None:
            return
        status = self.switches.unknown_reference_status
        label = field[:1].upper() + field[1:]
        errors = {label: [f"{label} {row_id} was not found."]} if status == 400 else None
        raise Problem(status, f"{label} {row_id} was not found.", errors, settled=True)


Handler = Callable[[Call], Any]
