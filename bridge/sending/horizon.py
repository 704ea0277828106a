"""From which id the claim must read again, so that a transaction that commits late is never skipped (pure).

Ids are drawn before commit. A transaction that was open when we read may, once it ends, show rows below the place we have
reached. We keep, for each open transaction, an id that all of its ids surely exceed, and read from there once when it ends.
Nothing is ever waited for: a transaction held open for a minute costs one longer read at its end.
"""

from typing import NamedTuple

_XIDS = 1 << 32  # PostgreSQL's 32 bits come round


class Snapshot(NamedTuple):
    """Which transactions were open, and how far the id sequence was, before rows were read."""

    open: frozenset[int]
    last_id: int

    @classmethod
    def parse(cls, text: str, last_id: int, next_xid: int) -> "Snapshot":
        """Read PostgreSQL's `xmin:xmax:xip,…` and the low 32 bits of the xid that it would give next.

        The list ends at the newest transaction that ended: one that is open and younger is not in it, however long it has
        been open. So every xid from there to the next counts as open.
        """
        _, end, listed = text.split(":")
        xmax = int(end)
        younger = (next_xid - xmax) % _XIDS
        if younger >= _XIDS // 2:  # read before the snapshot: nothing younger was known
            younger = 0
        return cls(frozenset([*map(int, listed.split(",") if listed else ()), *range(xmax, xmax + younger)]), last_id)


class Horizon:
    """The open transactions that may still show ids we have passed, whichever tenants are read.

    It rests on one rule of the writers: a transaction has its id (xid) before it draws an effect's id.
    """

    def __init__(self) -> None:
        self._floors: dict[int, int] = {}  # open transaction → all its ids are greater than this
        self.has_looked = False
        self._read_at = 0  # last_id as told by the look before: transactions that began since then are above it
        self._read_before = 0

    def advance(self, now: Snapshot) -> int:
        """Take in a look made before a read and return the id after which that read must begin to miss nothing.

        Rows of transactions that ended before this look are visible to the read. Those of transactions that began after
        the last look have ids above the sequence's place at the look before it.
        """
        finished = [floor for xid, floor in self._floors.items() if xid not in now.open]
        low = min([self._read_before, *finished]) if self.has_looked else 0
        # A transaction first seen now began after the last look, whose own reading of the sequence came after its
        # snapshot: only the reading before that is surely below every id the transaction can have.
        floor = self._read_before if self.has_looked else 0
        self._floors = {xid: self._floors.get(xid, floor) for xid in now.open}
        self.has_looked = True
        self._read_before, self._read_at = self._read_at, now.last_id
        return low
