"""Who calls for which tenant, and where: the one secret-bearing noun of the client."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple, Self


class Hosts(NamedTuple):
    """The two origins of one ServiceTitan environment."""

    api_url: str
    auth_url: str


class Environment(StrEnum):
    """The environments ServiceTitan runs; the app key is the same in both, client id and secret are not."""

    PRODUCTION = "production"
    INTEGRATION = "integration"

    @property
    def hosts(self) -> Hosts:
        """Return the origins of this environment."""
        suffix = "" if self is Environment.PRODUCTION else "-integration"
        return Hosts(f"https://api{suffix}.servicetitan.io", f"https://auth{suffix}.servicetitan.io")


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """One credential pair of (app, tenant, environment) with the app key; `repr` shows no secret.

    `booking_provider` is the id of the booking provider tag the app was granted, None for an app with no restriction:
    such an app reads `/bookings`, and only a tag can write bookings.
    """

    tenant_id: int
    client_id: str
    client_secret: str = field(repr=False)
    app_key: str = field(repr=False)
    api_url: str = Environment.PRODUCTION.hosts.api_url
    auth_url: str = Environment.PRODUCTION.hosts.auth_url
    booking_provider: int | None = None

    @classmethod
    def for_environment(
        cls,
        environment: Environment | str,
        *,
        tenant_id: int,
        client_id: str,
        client_secret: str,
        app_key: str,
        booking_provider: int | None = None,
    ) -> Self:
        """Return credentials for `production`, `integration`, or the origin of a simulator that serves both hosts."""
        try:
            hosts = Environment(environment).hosts
        except ValueError:
            origin = str(environment).rstrip("/")
            if not origin.startswith(("http://", "https://")):
                raise ValueError(f"{environment!r} is neither production, integration nor an http(s) origin") from None
            hosts = Hosts(origin, origin)
        return cls(
            tenant_id=tenant_id,
            client_id=client_id,
            client_secret=client_secret,
            app_key=app_key,
            api_url=hosts.api_url,
            auth_url=hosts.auth_url,
            booking_provider=booking_provider,
        )
