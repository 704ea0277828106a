"""The client of one tenant: authorize, send once, and say what came of it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

import httpx

from bridge.domain.outcome import Deferred, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.servicetitan import operations
from bridge.servicetitan.classify import Answered, classify, classify_token
from bridge.servicetitan.credentials import Credentials
from bridge.servicetitan.operation import Attached, Body, Operation, Parameter, RequestInvalidError
from bridge.servicetitan.tokens import Token, Tokens

EMPTY: Mapping[str, Any] = MappingProxyType({})

OnSuccess = Callable[[str, Mapping[str, int | str], Body | None, Any], None]


class ServiceTitan:
    """ServiceTitan as one tenant sees it. It sends each request once, again only after a 401, and never retries.

    `http` is bounded and this tenant's own (`transport.open_http`); `clock` gives the time in UTC. `tokens` are shared with
    another client of the tenant; `ends_at` is the time of the event loop when every request is over. `on_success` is told
    of each call that succeeded: the operation's name, what filled its path, the body and the answer.
    """

    def __init__(
        self,
        credentials: Credentials,
        http: httpx.AsyncClient,
        clock: Callable[[], datetime],
        *,
        tokens: Tokens | None = None,
        ends_at: float | None = None,
        on_success: OnSuccess | None = None,
    ) -> None:
        self.credentials = credentials
        self._http = http
        # `transport.TenantHttp` has the short way.
        self._exchange: Callable[..., Awaitable[Answered]] = getattr(http, "exchange", http.request)
        self._clock = clock
        self._ends_at = ends_at
        self._on_success = on_success
        self._tokens = tokens or Tokens(credentials, http, clock)
        self._defaults: dict[str, int | str] = {"tenant": credentials.tenant_id}
        if credentials.booking_provider is not None:
            self._defaults["booking_provider"] = credentials.booking_provider

    bookings = Attached(operations.Bookings)
    tenant_bookings = Attached(operations.TenantBookings)
    booking_provider_tags = Attached(operations.BookingProviderTags)
    contacts = Attached(operations.Contacts)
    customers = Attached(operations.Customers)
    locations = Attached(operations.Locations)
    leads = Attached(operations.Leads)
    tags = Attached(operations.Tags)
    campaigns = Attached(operations.Campaigns)
    campaign_categories = Attached(operations.CampaignCategories)
    business_units = Attached(operations.BusinessUnits)
    tag_types = Attached(operations.TagTypes)
    employees = Attached(operations.Employees)
    technicians = Attached(operations.Technicians)
    job_types = Attached(operations.JobTypes)
    jobs = Attached(operations.Jobs)
    call_reasons = Attached(operations.CallReasons)
    attributions = Attached(operations.Attributions)
    exports = Attached(operations.Exports)

    def within(self, seconds: float) -> "ServiceTitan":
        """Return this client with one deadline over all its requests together: what comes too late is not even sent."""
        ends_at = asyncio.get_running_loop().time() + seconds
        return ServiceTitan(
            self.credentials,
            self._http,
            self._clock,
            tokens=self._tokens,
            ends_at=ends_at,
            on_success=self._on_success,
        )

    async def call(
        self,
        operation: Operation,
        *,
        path_params: Mapping[str, int | str] = EMPTY,
        query: Mapping[str, Parameter | None] = EMPTY,
        body: Body | None = None,
    ) -> Outcome:
        """Send one request of the operation and return what came of it; nothing but cancellation is raised.

        `path_params` fill the path; tenant and booking provider come from the credentials unless named.
        """
        try:
            url = self._url(operation, path_params, query)
            content = operation.render_body(body)
        except RequestInvalidError as error:
            return Rejected(reason=Reason.REQUEST_INVALID, detail=str(error))
        token = await self._token()
        if isinstance(token, Deferred):
            return token
        outcome = await self._send(operation, url, content, token)
        if outcome.reason == Reason.UNAUTHORIZED:
            # A 401 did nothing, so this second send is no retry of an effect. The token may have been revoked early.
            token = await self._token(refused=token)
            if isinstance(token, Deferred):
                return token
            outcome = await self._send(operation, url, content, token)
        if self._on_success is not None and isinstance(outcome, Succeeded):
            self._on_success(operation.name, path_params, body, outcome.body)
        return outcome

    async def _token(self, *, refused: Token | None = None) -> Token | Deferred:
        if refused is None and (token := self._tokens.at_hand()) is not None:
            return token
        try:
            async with asyncio.timeout_at(self._ends_at):
                return await self._tokens.get(refused=refused)
        except TimeoutError as error:
            return classify_token(error, now=self._clock())

    async def _send(self, operation: Operation, url: str, content: bytes | None, token: Token) -> Outcome:
        if self._ends_at is not None and asyncio.get_running_loop().time() >= self._ends_at:
            return Deferred(reason=Reason.ANSWER_TIMEOUT, detail="the time for all requests together was over before")
        headers = token.bare if content is None else token.with_body
        answer: Answered | Exception
        try:
            async with asyncio.timeout_at(self._ends_at):
                answer = await self._exchange(operation.method, url, headers=headers, content=content)
        except (httpx.HTTPError, TimeoutError) as error:
            answer = error
        return classify(answer, operation=operation, now=self._clock())

    def _url(
        self, operation: Operation, path_params: Mapping[str, int | str], query: Mapping[str, Parameter | None]
    ) -> str:
        values: dict[str, str] = {}
        for name in operation.path_parameters:
            value = path_params.get(name, self._defaults.get(name))
            if value is None:
                raise RequestInvalidError(
                    "these credentials name no booking provider tag"
                    if name == "booking_provider"
                    else f"{operation.name} needs {name!r} in its path"
                )
            values[name] = quote(str(value), safe="")
        url = self.credentials.api_url + operation.path.format_map(values)
        rendered = operation.render_query(query)
        return f"{url}?{urlencode(rendered)}" if rendered else url
