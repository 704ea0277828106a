"""The client of one tenant: authorize, send once, and say what came of it."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from multidict import CIMultiDict

from bridge.domain.outcome import Deferred, Outcome, Rejected, Succeeded
from bridge.domain.reasons import Reason
from bridge.servicetitan import operations
from bridge.servicetitan.classify import Answered, classify, classify_token
from bridge.servicetitan.credentials import Credentials
from bridge.servicetitan.operation import Body, Operation, Parameter, RequestInvalidError
from bridge.servicetitan.tokens import Token, Tokens
from bridge.servicetitan.transport import TenantHttp

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
        self._clock = clock
        self._ends_at = ends_at
        self._on_success = on_success
        self._tokens = tokens or Tokens(credentials, http, clock)
        self._headers_of: Token | None = None
        self._bare = self._with_body = CIMultiDict[str]()
        self._defaults: dict[str, int | str] = {"tenant": credentials.tenant_id}
        if credentials.booking_provider is not None:
            self._defaults["booking_provider"] = credentials.booking_provider
        self.bookings = operations.Bookings(self.call)
        self.tenant_bookings = operations.TenantBookings(self.call)
        self.booking_provider_tags = operations.BookingProviderTags(self.call)
        self.contacts = operations.Contacts(self.call)
        self.customers = operations.Customers(self.call)
        self.locations = operations.Locations(self.call)
        self.leads = operations.Leads(self.call)
        self.tags = operations.Tags(self.call)
        self.campaigns = operations.Campaigns(self.call)
        self.campaign_categories = operations.CampaignCategories(self.call)
        self.business_units = operations.BusinessUnits(self.call)
        self.tag_types = operations.TagTypes(self.call)
        self.employees = operations.Employees(self.call)
        self.technicians = operations.Technicians(self.call)
        self.job_types = operations.JobTypes(self.call)
        self.jobs = operations.Jobs(self.call)
        self.call_reasons = operations.CallReasons(self.call)
        self.attributions = operations.Attributions(self.call)
        self.exports = operations.Exports(self.call)

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
        try:
            async with asyncio.timeout_at(self._ends_at):
                return await self._tokens.get(refused=refused)
        except TimeoutError as error:
            return classify_token(error, now=self._clock())

    async def _send(self, operation: Operation, url: str, content: bytes | None, token: Token) -> Outcome:
        if self._ends_at is not None and asyncio.get_running_loop().time() >= self._ends_at:
            return Deferred(reason=Reason.ANSWER_TIMEOUT, detail="the time for all requests together was over before")
        headers = self._headers(token, has_body=content is not None)
        answer: Answered | Exception
        try:
            async with asyncio.timeout_at(self._ends_at):
                if isinstance(self._http, TenantHttp):
                    answer = await self._http.exchange(operation.method, url, headers=headers, content=content)
                else:
                    answer = await self._http.request(operation.method, url, headers=headers, content=content)
        except (httpx.HTTPError, TimeoutError) as error:
            answer = error
        return classify(answer, operation=operation, now=self._clock())

    def _headers(self, token: Token, *, has_body: bool) -> CIMultiDict[str]:
        """Return the headers, which stay the same for as long as the token does."""
        if self._headers_of is not token:
            self._headers_of = token
            self._bare = CIMultiDict(
                {
                    "accept": "application/json",
                    "authorization": token.header,
                    "st-app-key": self.credentials.app_key,
                }
            )
            self._with_body = self._bare.copy()
            self._with_body["content-type"] = "application/json"
        return self._with_body if has_body else self._bare

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
