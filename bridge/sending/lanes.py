"""The order of a tenant's messages in memory: each lane has one at its head, the others stand behind it by id (pure)."""

from collections import deque
from collections.abc import Iterable

DEPTH = 1_000  # messages held behind one head; beyond it they are read again when their turn comes


class Lanes:
    """Which lanes are taken by a head, and the ids that stand behind each."""

    def __init__(self, depth: int) -> None:
        self._behind: dict[str, deque[int] | None] = {}  # None: nothing does, as behind nearly every head
        self._left_out: dict[str, int] = {}
        self._depth = depth

    def __contains__(self, lane: str) -> bool:
        """Tell whether the lane has a head."""
        return lane in self._behind

    def take(self, lane: str) -> None:
        """Give a free lane its head."""
        self._behind[lane] = None

    def queue(self, lane: str, id_: int) -> None:
        """Give a message its place, by id, behind the head of its lane."""
        behind = self._behind[lane]
        if not behind or behind[-1] < id_:
            behind = self._behind[lane] = behind or deque()
            behind.append(id_)
        else:
            self._behind[lane] = deque(sorted((*behind, id_)))

    def is_full(self, lane: str) -> bool:
        """Tell whether no more are held behind the head; what comes after one that was left out is left out too."""
        return lane in self._left_out or len(self._behind[lane] or ()) >= self._depth

    def leave_out(self, lane: str, id_: int) -> None:
        """Remember the first message of the lane that is not held."""
        self._left_out[lane] = min(id_, self._left_out.get(lane, id_))

    def step_out(self, lane: str, id_: int) -> bool:
        """Take a message out of its place behind the head of its lane, and tell whether it had one."""
        behind = self._behind.get(lane)
        if not behind or id_ not in behind:
            return False
        behind.remove(id_)
        return True

    def pass_on(self, lane: str) -> int | None:
        """Take the lane from its head and return the id of the next one; None where nothing stood behind it: the lane is free."""
        behind = self._behind.get(lane)
        if behind:
            return behind.popleft()
        self._behind.pop(lane, None)
        return None

    def left_out(self, lane: str) -> int | None:
        """Return the first message of a free lane that was not held, to be read again, and forget it."""
        return self._left_out.pop(lane, None)

    def keep_heads(self, lanes: Iterable[str]) -> None:
        """Forget everything but that these lanes have a head."""
        self._behind = dict.fromkeys(lanes)
        self._left_out.clear()
