"""The access token of one credential pair: fetched once however many ask, kept until shortly before its end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self

import httpx
import msgspec
from multidict import CIMultiDict

from bridge.domain.outcome import Deferred
from bridge.servicetitan.classify import classify_token
from bridge.servicetitan.credentials import Credentials

# Tokens live 900 s. A request may wait for a connection and travel for seconds after the token was read here, and the
# clocks of both sides may differ, so the last minute is not used.
MARGIN = timedelta(seconds=60)
LIFETIME_MAX = 86_400  # seconds; a longer promise is not relied on
LIFETIME_DEFAULT = 900  # seconds, where the answer names none


class TokenAnswer(msgspec.Struct, frozen=True):
    """What the token endpoint answers."""

    access_token: str
    expires_in: int | float | None = None


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer token, as the headers of requests without and with a body, and when to stop using it."""

    bare: CIMultiDict[str]
    with_body: CIMultiDict[str]
    use_until: datetime

    @classmethod
    def of(cls, access_token: str, *, app_key: str, use_until: datetime) -> Self:
        """Return a token of an app."""
        bare = CIMultiDict(
            {"accept": "application/json", "authorization": f"Bearer {access_token}", "st-app-key": app_key}
        )
        with_body = bare.copy()
        with_body["content-type"] = "application/json"
        return cls(bare, with_body, use_until)


class Tokens:
    """The token cache of one tenant. ServiceTitan throttles token requests, so a refusal is shared by all who wait."""

    def __init__(self, credentials: Credentials, http: httpx.AsyncClient, clock: Callable[[], datetime]) -> None:
        self._credentials = credentials
        self._http = http
        self._clock = clock
        self._token: Token | None = None
        self._fetch: asyncio.Task[Token | Deferred] | None = None
        self._refused: Deferred | None = None
        self._not_before: datetime | None = None

    def at_hand(self) -> Token | None:
        """Return the token where there is a usable one, without asking anybody."""
        token = self._token
        return token if token is not None and self._clock() < token.use_until else None

    async def get(self, *, refused: Token | None = None) -> Token | Deferred:
        """Return a usable token, or why there is none; `refused` is one that an answer of 401 has just condemned."""
        token = self._token
        now = self._clock()
        if token is not None and token is not refused and now < token.use_until:
            return token
        if self._refused is not None and self._not_before is not None and now < self._not_before:
            return msgspec.structs.replace(self._refused, retry_after=(self._not_before - now).total_seconds())
        if self._fetch is None:
            self._fetch = asyncio.create_task(self._request())
            self._fetch.add_done_callback(self._settle)
        # Shielded: one caller that is cancelled must not take the token away from the others who wait for it.
        return await asyncio.shield(self._fetch)

    def _settle(self, _fetch: asyncio.Task[Token | Deferred]) -> None:
        self._fetch = None

    async def _request(self) -> Token | Deferred:
        credentials = self._credentials
        answer: httpx.Response | Exception
        try:
            answer = await self._http.post(
                f"{credentials.auth_url}/connect/token",
                data={
                    "grant_type": "client_credentials",
                    "client_id": credentials.client_id,
                    "client_secret": credentials.client_secret,
                },
            )
        except (httpx.HTTPError, TimeoutError) as error:
            answer = error
        now = self._clock()
        if isinstance(answer, httpx.Response) and answer.status_code == 200:
            try:
                read = msgspec.json.decode(answer.content, type=TokenAnswer)
            except (msgspec.DecodeError, RecursionError) as error:
                return self._refuse(classify_token(error, now=now), now=now)
            if not (read.access_token.isascii() and read.access_token.isprintable() and read.access_token):
                return self._refuse(classify_token(ValueError("the token fits in no header"), now=now), now=now)
            seconds = read.expires_in if read.expires_in and read.expires_in > 0 else LIFETIME_DEFAULT
            lifetime = timedelta(seconds=min(seconds, LIFETIME_MAX))
            self._token = Token.of(
                read.access_token,
                app_key=credentials.app_key,
                use_until=now + max(lifetime - MARGIN, lifetime / 2),
            )
            self._refused = self._not_before = None
            return self._token
        return self._refuse(classify_token(answer, now=now), now=now)

    def _refuse(self, outcome: Deferred, *, now: datetime) -> Deferred:
        self._token = None
        self._refused = outcome
        self._not_before = None if outcome.retry_after is None else now + timedelta(seconds=outcome.retry_after)
        return outcome
