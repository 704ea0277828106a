"""What ServiceTitan answers when it does not do what was asked: the six-member problem body."""

from typing import Any

import msgspec

from bridge.simulator.values import Errors

TYPES = {
    400: "https://tools.ietf.org/html/rfc7231#section-6.5.1",
    401: "https://tools.ietf.org/html/rfc7235#section-3.1",
    403: "https://tools.ietf.org/html/rfc7231#section-6.5.3",
    404: "https://tools.ietf.org/html/rfc7231#section-6.5.4",
    405: "https://tools.ietf.org/html/rfc7231#section-6.5.5",
    409: "https://tools.ietf.org/html/rfc7231#section-6.5.8",
    429: "https://tools.ietf.org/html/rfc6585#section-4",
}


class Problem(Exception):
    """The request is refused: status, title, and the errors by member where there are any.

    A status that is `settled` is answered even where the operation documents no such status.
    """

    def __init__(
        self,
        status: int,
        title: str,
        errors: dict[str, list[str]] | None = None,
        *,
        headers: dict[str, str] | None = None,
        settled: bool = False,
    ) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.errors = errors or {}
        self.headers = headers or {}
        self.settled = settled

    def body(self, trace_id: str) -> bytes:
        """Return the JSON body of this problem."""
        content: dict[str, Any] = {
            "type": TYPES.get(self.status, "https://tools.ietf.org/html/rfc7231#section-6.6.1"),
            "title": self.title,
            "status": self.status,
            "traceId": trace_id,
            "errors": self.errors,
            "data": {},
        }
        return msgspec.json.encode(content)


def invalid(field: str, message: str) -> Problem:
    """Return the 400 that names one member."""
    return Problem(400, "One or more validation errors occurred.", {field: [message]})


def refuse(errors: Errors) -> None:
    """Raise the 400 with all gathered errors, if there are any."""
    if errors:
        raise Problem(400, "One or more validation errors occurred.", dict(errors))


def not_found(what: str, row_id: object) -> Problem:
    """Return the 404 for a record that is not there."""
    return Problem(404, f"{what} with id {row_id} was not found.")


def conflict(title: str) -> Problem:
    """Return the 409 of a business conflict or a reference to a record that does not exist."""
    return Problem(409, title)
