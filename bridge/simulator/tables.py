"""Rows of one kind in memory: by id, in order of change for the feeds, and as of an earlier moment for stale reads."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, Protocol

Row = dict[str, Any]
Position = tuple[str, Any]
"""Where a feed stands: (modifiedOn, id) of the last row given."""

RowId = Any
"""int64 for all records but the GUIDs of the new contacts."""

VERSIONS_KEPT = 20
"""Earlier versions of a row; one that changes more often than that within a stale read shows the oldest kept."""

START: Position = ("", 0)


class BaseRows(Protocol):
    """Rows that are made by index when they are asked for, so that a million of them cost no memory."""

    def __len__(self) -> int:
        """Return how many rows there are; ids ascend with the index, and so does (modifiedOn, id)."""

    def row(self, index: int) -> Row:
        """Make the row at this index."""

    def index_of(self, row_id: RowId) -> int | None:
        """Return the index of the row with this id, None if there is none."""

    def position(self, index: int) -> Position:
        """Return (modifiedOn, id) of the row at this index without making it."""


class Table:
    """Rows of one kind. A row is replaced, never changed in place, so that an earlier version stays readable."""

    def __init__(self, base: BaseRows | None = None) -> None:
        self.base = base
        self.overrides: dict[RowId, Row] = {}
        self.rows: dict[RowId, Row] = {}
        self.removed: set[RowId] = set()
        self.order: list[Position] = []
        self.indexes: dict[str, dict[Any, list[RowId]]] = {}
        self.index_base: dict[str, Callable[[Any], Iterable[int]]] = {}
        self.recording = False
        self.versions: dict[RowId, list[Row]] = {}
        self.as_of = ""

    def index(self, field: str, base: Callable[[Any], Iterable[int]] | None = None) -> None:
        """Keep rows findable by the value of this field; `base` answers for the rows made by index."""
        self.indexes[field] = {}
        if base is not None:
            self.index_base[field] = base

    def __len__(self) -> int:
        return len(self.rows) + (len(self.base) if self.base else 0) - len(self.removed)

    def get(self, row_id: RowId) -> Row | None:
        """Return the row with this id, None if there is none."""
        row = self.rows.get(row_id)
        if row is None and (row := self.overrides.get(row_id)) is None:
            if self.base is None or row_id in self.removed or (at := self.base.index_of(row_id)) is None:
                return None
            row = self.base.row(at)
        return self._seen(row) if self.as_of else row

    def _seen(self, row: Row) -> Row | None:
        """Return the version of the row at the moment reads are stale to."""
        if row["modifiedOn"] <= self.as_of:
            return row
        if row["createdOn"] > self.as_of:
            return None
        older = [old for old in self.versions.get(row["id"], ()) if old["modifiedOn"] <= self.as_of]
        return older[-1] if older else row

    def put(self, row: Row, *, moved: bool = True) -> Row:
        """Keep a new row or a new version of one; `moved` tells whether the feeds shall show it as changed."""
        row_id = row["id"]
        old = self.rows.get(row_id) or self.overrides.get(row_id)
        in_base = self.base is not None and self.base.index_of(row_id) is not None
        if self.recording and (previous := self.get(row_id)) is not None:
            kept = self.versions.setdefault(row_id, [])
            kept.append(previous)
            del kept[:-VERSIONS_KEPT]
        (self.overrides if in_base else self.rows)[row_id] = row
        if old is None or moved:
            position = (row["modifiedOn"], row_id)
            if not self.order or position > self.order[-1]:
                self.order.append(position)
            else:
                insort(self.order, position)
        for field, entries in self.indexes.items():
            value = row.get(field)
            if old is None or old.get(field) != value:
                entries.setdefault(value, []).append(row_id)
        return row

    def remove(self, row_id: RowId) -> None:
        """Drop a row for good."""
        if self.rows.pop(row_id, None) is None:
            self.overrides.pop(row_id, None)
            self.removed.add(row_id)

    def where(self, field: str, value: Any) -> list[Row]:
        """Return the rows with this value of an indexed field, by ascending id."""
        ids: set[RowId] = set(self.indexes[field].get(value, ()))
        if field in self.index_base:
            ids.update(self.index_base[field](value))
        found = (self.get(row_id) for row_id in sorted(ids))
        return [row for row in found if row is not None and row.get(field) == value]

    def many(self, ids: Iterable[RowId]) -> list[Row]:
        """Return the rows with these ids, by ascending id; ids without a row are left out."""
        return [row for row_id in sorted(set(ids)) if (row := self.get(row_id)) is not None]

    def __iter__(self) -> Iterator[Row]:
        own: Iterable[Row] = list(self.rows.values())
        rows = chain(self._base_rows(), own) if self.base else iter(own)
        if not self.as_of:
            return rows
        return (seen for row in rows if (seen := self._seen(row)) is not None)

    def newest_first(self) -> Iterator[Row]:
        """Yield the rows by descending id."""
        yield from (row for row in reversed(list(self.rows.values())) if not self.as_of or self._seen(row))
        if self.base:
            for at in range(len(self.base) - 1, -1, -1):
                row_id = self.base.position(at)[1]
                if row_id not in self.removed:
                    yield self.overrides.get(row_id) or self.base.row(at)

    def _base_rows(self) -> Iterator[Row]:
        base = self.base
        assert base is not None  # noqa: S101 - only called where there is one
        overrides, removed = self.overrides, self.removed
        if not overrides and not removed:
            yield from (base.row(at) for at in range(len(base)))
            return
        for at in range(len(base)):
            row_id = base.position(at)[1]
            if row_id not in removed:
                yield overrides.get(row_id) or base.row(at)

    def changes(self, after: Position, *, until: str = "") -> Iterator[Row]:
        """Yield rows by (modifiedOn, id), those past `after` and, where `until` is given, not modified later than it."""
        left, right = self._base_changes(after), self._own_changes(after)
        a, b = next(left, None), next(right, None)
        while a is not None or b is not None:
            if b is None or (a is not None and (a["modifiedOn"], a["id"]) < (b["modifiedOn"], b["id"])):
                row, a = a, next(left, None)
            else:
                row, b = b, next(right, None)
            if row is None or (until and row["modifiedOn"] > until):
                return
            yield row

    def _own_changes(self, after: Position) -> Iterator[Row]:
        if len(self.order) > 64 + 2 * (len(self.rows) + len(self.overrides)):
            self.order = sorted(
                {(r["modifiedOn"], r["id"]) for r in chain(self.rows.values(), self.overrides.values())}
            )
        order = self.order
        for at in range(bisect_right(order, after), len(order)):
            modified_on, row_id = order[at]
            row = self.rows.get(row_id) or self.overrides.get(row_id)
            repeated = at > 0 and order[at - 1] == order[at]
            if row is not None and row["modifiedOn"] == modified_on and not repeated:
                yield row

    def _base_changes(self, after: Position) -> Iterator[Row]:
        base = self.base
        if base is None:
            return
        first = 0 if after == START else bisect_left(range(len(base)), 1, key=lambda at: int(base.position(at) > after))
        for at in range(first, len(base)):
            row_id = base.position(at)[1]
            if row_id not in self.overrides and row_id not in self.removed:
                yield base.row(at)
