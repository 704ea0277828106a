"""Paths to operations: a tree over the segments, so that a look-up costs the same however many operations there are."""

from functools import cache

from bridge.simulator import bookings, customers, leads, people, reference
from bridge.simulator.call import Handler
from bridge.simulator.contract import Operation, load

HANDLERS: dict[str, Handler] = {
    **bookings.HANDLERS,
    **customers.HANDLERS,
    **leads.HANDLERS,
    **people.HANDLERS,
    **reference.HANDLERS,
}


class Route:
    """An operation with its handler and the names and kinds of its path parameters in order."""

    __slots__ = ("handler", "kinds", "operation", "query")

    def __init__(self, operation: Operation, handler: Handler) -> None:
        self.operation = operation
        self.handler = handler
        words = [part[1:-1].partition(":") for part in operation.path.split("/") if part.startswith("{")]
        self.kinds = [(name, kind) for name, _, kind in words]
        self.query = {field.name: field for field in operation.query}


class Node:
    """A segment of the tree: fixed words first, then the parameter, then the methods that end here."""

    __slots__ = ("methods", "parameter", "words")

    def __init__(self) -> None:
        self.words: dict[str, Node] = {}
        self.parameter: Node | None = None
        self.methods: dict[str, Route] = {}

    def find(self, segments: list[str], at: int, values: list[str]) -> "Node | None":
        """Return the node of these segments from `at` on, with the parameters' texts left in `values`."""
        if at == len(segments):
            return self if self.methods else None
        word = segments[at]
        if (fixed := self.words.get(word)) is not None and (found := fixed.find(segments, at + 1, values)) is not None:
            return found
        if self.parameter is None or not word:
            return None
        values.append(word)
        found = self.parameter.find(segments, at + 1, values)
        if found is None:
            values.pop()
        return found


@cache
def build() -> Node:
    """Return the tree of all operations, the same for every simulator; every operation has a handler and every handler an operation."""
    root = Node()
    operations = {operation.name: operation for module in load() for operation in module.operations}
    if operations.keys() != HANDLERS.keys():
        raise LookupError(f"operations and handlers differ: {sorted(operations.keys() ^ HANDLERS.keys())}")
    for name, operation in operations.items():
        node = root
        for segment in operation.path.removeprefix("/").split("/"):
            if segment.startswith("{"):
                node.parameter = node.parameter or Node()
                node = node.parameter
            else:
                node = node.words.setdefault(segment, Node())
        node.methods[operation.method] = Route(operation, HANDLERS[name])
    return root


def match(root: Node, path: str) -> tuple[Node, list[str]] | None:
    """Return the node of a path with the texts of its parameters, None if the path is unknown."""
    values: list[str] = []
    node = root.find(path.removeprefix("/").split("/"), 0, values)
    return None if node is None else (node, values)
