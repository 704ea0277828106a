"""Rate limits and tokens."""

import base64
import math
from datetime import datetime, timedelta

import msgspec

from bridge.simulator.account import Client


class Bucket:
    """A token bucket of the requests of one (app, tenant): as many at once as in one second."""

    __slots__ = ("at", "left")

    def __init__(self, *, per_second: float, at: datetime) -> None:
        self.left = per_second
        self.at = at

    def take(self, *, per_second: float, now: datetime) -> int:
        """Take one request; return 0 if it is let in, else the whole seconds to wait."""
        passed = max(0.0, (now - self.at).total_seconds())
        self.left = min(per_second, self.left + passed * per_second)
        self.at = max(self.at, now)
        if self.left >= 1.0:
            self.left -= 1.0
            return 0
        return max(1, math.ceil((1.0 - self.left) / per_second))


class Grant(msgspec.Struct, frozen=True):
    """A token that was given out."""

    client: Client
    expires_at: datetime


class Grants:
    """Tokens by their text, with the requests for them of the last minute."""

    def __init__(self) -> None:
        self.tokens: dict[str, Grant] = {}
        self.asked: dict[str, list[datetime]] = {}
        self.issued = 0

    def throttled(self, client_id: str, *, per_minute: int, now: datetime) -> bool:
        """Tell whether this client has asked for too many tokens; the question counts."""
        recent = [at for at in self.asked.get(client_id, ()) if now - at < timedelta(minutes=1)]
        self.asked[client_id] = [*recent, now]
        return bool(per_minute) and len(recent) >= per_minute

    def issue(self, client: Client, *, seconds: int, now: datetime) -> str:
        """Return a new token in the shape of ServiceTitan's JWT; only this simulator can tell that it is good."""
        self.issued += 1
        parts = (
            {"alg": "RS256", "typ": "at+jwt", "kid": "5151A0C0FFEERS256"},
            {
                "iat": int(now.timestamp()),
                "exp": int(now.timestamp()) + seconds,
                "client_id": client.client_id,
                "tenant": str(client.tenant),
                "jti": f"{self.issued:032X}",
            },
        )
        texts = [base64.urlsafe_b64encode(msgspec.json.encode(part)).decode().rstrip("=") for part in parts]
        token = ".".join((*texts, f"simulated{self.issued:08d}"))
        self.tokens[token] = Grant(client, now + timedelta(seconds=seconds))
        return token

    def revoke(self, token: str) -> None:
        """Make a token worthless."""
        self.tokens.pop(token, None)
