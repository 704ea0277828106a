"""`Simulator`: tenants, credentials, tokens, clock, ledger and faults of a stand-in ServiceTitan; all of it in memory."""

import heapq
import random
from collections import deque
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

import msgspec

from bridge.simulator import defaults
from bridge.simulator.account import Account, Client
from bridge.simulator.call import Call
from bridge.simulator.faults import Action, Fault, Faults, profile
from bridge.simulator.hooks import Webhooks
from bridge.simulator.ledger import Entry, Ledger
from bridge.simulator.limits import Bucket, Grants
from bridge.simulator.switches import Switches
from bridge.simulator.tables import Row

ALL: frozenset[str] | None = None
"""Scopes: everything."""

FIRST_ID = 90_000_001
"""Ids of new records start here, above those that the generator gives."""

LOGGED_REQUESTS = 20_000


class Logged(msgspec.Struct, frozen=True, kw_only=True, rename="camel", gc=False):
    """One request that was made: who asked what, and what came of it."""

    sequence: int
    at: datetime
    request_id: str
    method: str
    path: str
    query: str
    tenant: int
    client_id: str
    operation: str
    status: int
    fault: str
    body: str


class Simulator:
    """A stand-in ServiceTitan. One instance may serve several tenants; the clock is whatever `now` returns."""

    def __init__(
        self,
        *,
        seed: int = 0,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        faults: str | Iterable[Fault] = "none",
        switches: Switches | None = None,
        demo: bool = True,
    ) -> None:
        self.seed = seed
        self.clock = now
        self.offset = timedelta()
        self.switches = switches or Switches()
        self._faults = faults
        self._demo = demo
        self.clients: dict[str, Client] = {}
        self.clear()

    def clear(self) -> None:
        """Forget everything and start again as constructed; the clients and tenants that were added go too."""
        rules = profile(self._faults) if isinstance(self._faults, str) else list(self._faults)
        self.random = random.Random(self.seed)  # noqa: S311 - ids must repeat with the seed
        self.faults = Faults(rules, seed=self.seed)
        self.ledger = Ledger()
        self.log: deque[Logged] = deque(maxlen=LOGGED_REQUESTS)
        self.accounts: dict[int, Account] = {}
        self.clients = {}
        self.grants = Grants()
        self.buckets: dict[tuple[str, int], Bucket] = {}
        self.webhooks = Webhooks()
        self._ids = count(FIRST_ID)
        self._requests = count(1)
        self._pending: list[tuple[datetime, int, Callable[[], None]]] = []
        self.listeners: list[Callable[[Entry], None]] = []
        self.offset = timedelta()
        if self._demo:
            self._add_demo()

    @property
    def stale_reads(self) -> bool:
        """Tell whether a rule wants to show records as they were."""
        return any(rule.action is Action.STALE_READS for rule in self.faults.rules)

    def _add_demo(self) -> None:
        demo, provider = defaults.DEMO_TENANT, defaults.DEMO_PROVIDER
        self.add_tenant(
            demo,
            client_id=defaults.DEMO_CLIENT_ID,
            client_secret=defaults.DEMO_CLIENT_SECRET,
            app_key=defaults.DEMO_APP_KEY,
            booking_provider=provider,
            name="Demo Heating, Cooling and Plumbing",
        )
        self.add_client(
            demo,
            client_id=defaults.OPEN_CLIENT_ID,
            client_secret=defaults.OPEN_CLIENT_SECRET,
            app_key=defaults.DEMO_APP_KEY,
            booking_provider=None,
        )

    def now(self) -> datetime:
        """Return the simulator's time: the clock's, moved by what `advance` added."""
        return self.clock() + self.offset

    def advance(self, seconds: float) -> None:
        """Move the simulator's time forward and do what falls due."""
        self.offset += timedelta(seconds=seconds)
        self.settle()

    def add_tenant(
        self,
        tenant_id: int,
        *,
        client_id: str,
        client_secret: str,
        app_key: str,
        booking_provider: int | None = defaults.DEMO_PROVIDER,
        scopes: frozenset[str] | None = ALL,
        name: str = "",
        provider_tag: int = defaults.DEMO_PROVIDER,
    ) -> Account:
        """Add a tenant with its reference lists and one connected app.

        `booking_provider` is the tag the app is restricted to, None for "No Restriction"; the tag exists either way.
        """
        account = Account(tenant_id, name=name or f"Tenant {tenant_id}", next_id=lambda: next(self._ids))
        defaults.fill(account, provider=booking_provider or provider_tag)
        if self.stale_reads:
            account.record_versions()
        self.accounts[tenant_id] = account
        self.add_client(
            tenant_id,
            client_id=client_id,
            client_secret=client_secret,
            app_key=app_key,
            booking_provider=booking_provider,
            scopes=scopes,
        )
        return account

    def add_client(
        self,
        tenant_id: int,
        *,
        client_id: str,
        client_secret: str,
        app_key: str,
        booking_provider: int | None,
        scopes: frozenset[str] | None = ALL,
    ) -> Client:
        """Connect one more app to a tenant."""
        client = Client(
            client_id=client_id,
            client_secret=client_secret,
            app_key=app_key,
            tenant=tenant_id,
            booking_provider=booking_provider,
            scopes=scopes,
        )
        self.clients[client_id] = client
        return client

    def add_fault(self, fault: Fault) -> Fault:
        """Put a rule in force, before those that are."""
        if fault.action is Action.STALE_READS:
            for account in self.accounts.values():
                account.record_versions()
        self.faults.rules.insert(0, fault)
        return fault

    def clear_faults(self) -> None:
        """Take all rules out of force."""
        self.faults.rules.clear()

    def record(self, entry: Entry) -> None:
        """Write an effect into the ledger and tell who listens."""
        self.ledger.add(entry)
        for listen in self.listeners:
            listen(entry)

    def announce(self, call: Call, kind: str, row: Row) -> None:
        """Queue ServiceTitan's own webhook for a change, if the tenant subscribed to its kind."""
        self.webhooks.emit(call.account, kind, row, at=call.at, guid=self.new_guid, switches=self.switches)

    def new_guid(self) -> str:
        """Return the next GUID of the seed."""
        return str(UUID(int=self.random.getrandbits(128), version=4))

    def next_request(self) -> int:
        """Return the next request number."""
        return next(self._requests)

    def later(self, due: datetime, act: Callable[[], None]) -> None:
        """Keep something to be done when the clock has reached `due`."""
        heapq.heappush(self._pending, (due, next(self._requests), act))

    def settle(self) -> None:
        """Do what has fallen due: applies that come after the client gave up."""
        while self._pending and self._pending[0][0] <= self.now():
            heapq.heappop(self._pending)[2]()

    @property
    def is_settled(self) -> bool:
        """Tell whether no apply is still to come."""
        return not self._pending

    def settle_all(self) -> None:
        """Do everything that is still to come, whatever the clock says."""
        while self._pending:
            heapq.heappop(self._pending)[2]()

    def operator(self, tenant_id: int) -> Call:
        """Return a call in the name of a person in ServiceTitan's own screens."""
        return Call(self, self.accounts[tenant_id], by="operator", request_id="operator")

    def count(self, kind: str | None = None, **wanted: Any) -> int:
        """Return how many ledger entries fit; see `Ledger.select` for the keywords."""
        return self.ledger.count(kind, **wanted)
