"""What one operation of the API is: the table's row, and how a family of them hangs on a client."""

import re
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, Protocol, Self, TypeVar, overload

import msgspec

from bridge.domain.outcome import Outcome
from bridge.servicetitan.reading import Reader

PATH_PARAMETER = re.compile(r"\{(\w+)\}")

PAGE = ("page", "pageSize", "includeTotal")
CREATED = ("createdBefore", "createdOnOrAfter")
MODIFIED = ("modifiedBefore", "modifiedOnOrAfter")
LIST = (*PAGE, *CREATED, *MODIFIED)
EXPORT = ("from", "includeRecentChanges")
EXTERNAL_DATA = ("externalDataApplicationGuid", "externalDataKey", "externalDataValues")
ADDRESS = ("street", "unit", "city", "state", "zip", "country", "latitude", "longitude")

CRM = "/crm/v2/tenant/{tenant}"
MARKETING = "/marketing/v2/tenant/{tenant}"
MARKETING_ADS = "/marketingads/v2/tenant/{tenant}"
SETTINGS = "/settings/v2/tenant/{tenant}"
JPM = "/jpm/v2/tenant/{tenant}"
JBCE = "/jbce/v2/tenant/{tenant}"
TELECOM = "/telecom/v2/tenant/{tenant}"

IDS_MAX = 50  # "Perform lookup by multiple IDs (maximum 50)"; what the server does with 51 is unknown, so never ask

Parameter = str | int | float | bool | datetime | list[int] | list[str]
Body = msgspec.Struct | Mapping[str, Any]


class RequestInvalidError(ValueError):
    """The request breaks the contract of its operation; nothing was sent."""


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One operation: where it is, which scope it needs, what it takes and what it answers.

    `answer` is the type of the body of a 200, None where ServiceTitan sends none. Reading it from a `Family` instance
    gives the call bound to that client: `st.bookings.create(body=…)`.
    """

    method: str
    path: str
    scope: str
    query: tuple[str, ...] = ()
    required_query: tuple[str, ...] = ()
    needs_one_of: tuple[str, ...] = ()
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    check: Callable[[Any], str | None] | None = None
    body: Any = None
    answer: Any = None
    name: str = field(default="", compare=False)

    def __set_name__(self, owner: type["Family"], attribute: str) -> None:
        object.__setattr__(self, "name", f"{owner.name}.{attribute}")

    @overload
    def __get__(self, family: None, owner: type["Family"]) -> Self: ...
    @overload
    def __get__(self, family: "Family", owner: type["Family"]) -> "BoundOperation": ...
    def __get__(self, family: "Family | None", owner: type["Family"]) -> "Self | BoundOperation":
        if family is None:
            return self
        return BoundOperation(self, family.caller)

    @property
    def is_read(self) -> bool:
        """Return whether sending it twice can change nothing."""
        return self.method == "GET"

    @cached_property
    def path_parameters(self) -> tuple[str, ...]:
        """Return the names in the path, in order, `tenant` included."""
        return tuple(PATH_PARAMETER.findall(self.path))

    @cached_property
    def own_parameters(self) -> tuple[str, ...]:
        """Return the names of the path a caller gives: all but the tenant and its booking provider."""
        return tuple(name for name in self.path_parameters if name not in {"tenant", "booking_provider"})

    @cached_property
    def reader(self) -> Reader | None:
        """Return what reads the answer, None where no body is documented."""
        return None if self.answer is None else Reader(self.answer)

    @cached_property
    def _body_decoder(self) -> msgspec.json.Decoder[Any]:
        return msgspec.json.Decoder(self.body)

    def render_body(self, body: Body | None) -> bytes | None:
        """Return the JSON to send, checked: no stray null, no unknown member, nested parts complete.

        Raises RequestInvalidError with the place of the fault (`$.address.city`).
        """
        if self.body is None:
            if body is not None:
                raise RequestInvalidError(f"{self.name} takes no body")
            return None
        if body is None:
            raise RequestInvalidError(f"{self.name} needs a body")
        content = msgspec.json.encode(body)
        try:
            # Structs check nothing when they are built in Python; reading back our own bytes costs 2 µs and checks all.
            read_back = self._body_decoder.decode(content)
        except msgspec.ValidationError as error:
            raise RequestInvalidError(f"{self.name}: {error}") from error
        fault = None if self.check is None else self.check(read_back)
        if fault is not None:
            raise RequestInvalidError(f"{self.name}: {fault}")
        return content

    def render_query(self, query: Mapping[str, Parameter | None]) -> dict[str, str]:
        """Return the query as text; a None is left out.

        Raises RequestInvalidError for a name the operation does not have: ServiceTitan ignores such a filter without
        a word and answers with every row.
        """
        rendered: dict[str, str] = {}
        for name, value in query.items():
            if name not in self.query:
                raise RequestInvalidError(
                    f"{self.name} has no query parameter {name!r}; it has {', '.join(self.query)}"
                )
            if value is not None:
                rendered[name] = _text(value, name=name)
                if name in self.choices and rendered[name] not in self.choices[name]:
                    raise RequestInvalidError(
                        f"{name} is one of {', '.join(self.choices[name])}, not {rendered[name]!r}"
                    )
        missing = [name for name in self.required_query if name not in rendered]
        if missing:
            raise RequestInvalidError(f"{self.name} needs the query parameter {missing[0]!r}")
        if self.needs_one_of and not any(name in rendered for name in self.needs_one_of):
            raise RequestInvalidError(
                f"{self.name} needs one of {', '.join(self.needs_one_of)}; without it the answer is 400"
            )
        return rendered


def _text(value: Parameter, *, name: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise RequestInvalidError(f"{name} is a time without a zone; ServiceTitan reads UTC")
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, list | tuple):
        if len(value) > IDS_MAX:
            raise RequestInvalidError(f"{name} holds {len(value)} values; at most {IDS_MAX} go into one request")
        return ",".join(map(str, value))
    return str(value)


class Caller(Protocol):
    """What can perform an operation: the client of one tenant."""

    def __call__(
        self,
        operation: Operation,
        *,
        path_params: Mapping[str, int | str] = ...,
        query: Mapping[str, Parameter | None] = ...,
        body: Body | None = None,
    ) -> Coroutine[Any, Any, Outcome]:
        """Send one request of the operation and return what came of it."""
        ...


class Family:
    """Operations on one kind of record; a subclass is the table of them."""

    name = ""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller


F = TypeVar("F", bound=Family)


class Attached(Generic[F]):
    """A family as the attribute of a client: made when it is read, for most requests need one of twenty."""

    def __init__(self, family: Callable[[Caller], F]) -> None:
        self._family = family

    def __get__(self, client: Any, owner: type) -> F:
        return self._family(client.call)


@dataclass(frozen=True, slots=True)
class BoundOperation:
    """An operation of one client, ready to be called with the ids of its path in their order."""

    operation: Operation
    caller: Caller

    async def __call__(
        self,
        *ids: int | str,
        query: Mapping[str, Parameter | None] | None = None,
        body: Body | None = None,
    ) -> Outcome:
        """Send one request and return what came of it; `ids` fill the path from left to right."""
        names = self.operation.own_parameters
        if len(ids) != len(names):
            raise TypeError(f"{self.operation.name} takes {len(names)} ids ({', '.join(names)}), got {len(ids)}")
        return await self.caller(
            self.operation, path_params=dict(zip(names, ids, strict=True)), query=query or {}, body=body
        )
