"""The signature schemes of every sender, one row each, data only. `docs/connectors/README.md` shows this table.

A row says what was seen to verify a real or published signature; where a row is a guess its connector says so.
"""

from typing import Literal

import msgspec

Algorithm = Literal[
    "hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512", "sha1", "sha256", "sha512", "ed25519",
    "rsa-sha256", "rsa-sha512", "rsa-pss-sha256", "rsa-pss-sha512", "ecdsa-p256-sha256", "ecdsa-p384-sha384",
]  # fmt: skip


class Scheme(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way of signing, as data: where the signature and the time stand, how they are written, what is signed.

    `signed` is a text with the parts `{body} {timestamp} {id} {method} {url} {path} {form} {secret}`, and of one name
    `{header:NAME} {query:NAME} {form:NAME} {json:PATH}`; `{form}` are all fields, sorted, each name before its values.
    `url_variants` tries the URL with and without its port; `body_hash_parameter` names the query parameter that
    holds the SHA-256 of a body which the signature itself leaves out.
    """

    name: str
    header: str
    algorithm: Algorithm = "hmac-sha256"
    encoding: Literal["hex", "base64", "base64url"] = "hex"
    prefix: str = ""
    layout: Literal["plain", "fields", "words"] = "plain"
    """plain: the whole value; fields: `t=…,v1=…`; words: `v1,… v1a,…`"""
    field: str = ""
    """Which entries of a list hold signatures: the name before `=` or `,`."""
    signed: str = "{body}"
    timestamp: str = ""
    """Header name, or `field:NAME` for an entry of the list."""
    unit: Literal["s", "ms", "http-date", "iso"] = "s"
    tolerance: int | None = 300
    """Seconds both ways; None where the time is not signed and so proves nothing."""
    id_header: str = ""
    key: Literal["text", "base64", "hex", "whsec"] = "text"
    """How the configured secret spells the key."""
    key_prefix: str = ""
    """Only secrets that start so belong to this row (`whpk_`)."""
    when: tuple[str, str] | None = None
    """A header and the value it must have for this row to apply."""
    url_variants: bool = False
    body_hash_parameter: str = ""

    @property
    def is_asymmetric(self) -> bool:
        """Tell whether the secret is a public key."""
        return not self.algorithm.startswith(("hmac-", "sha"))


STANDARD_WEBHOOKS: tuple[Scheme, ...] = (
    Scheme(
        name="standard-webhooks-v1", header="webhook-signature", layout="words", field="v1", encoding="base64",
        signed="{id}.{timestamp}.{body}", timestamp="webhook-timestamp", id_header="webhook-id", key="whsec",
    ),
    Scheme(
        name="standard-webhooks-v1a", header="webhook-signature", layout="words", field="v1a", encoding="base64",
        signed="{id}.{timestamp}.{body}", timestamp="webhook-timestamp", id_header="webhook-id",
        algorithm="ed25519", key_prefix="whpk_",
    ),
)  # fmt: skip

SVIX: tuple[Scheme, ...] = (
    Scheme(
        name="svix-v1", header="svix-signature", layout="words", field="v1", encoding="base64",
        signed="{id}.{timestamp}.{body}", timestamp="svix-timestamp", id_header="svix-id", key="whsec",
    ),
    Scheme(
        name="svix-v1a", header="svix-signature", layout="words", field="v1a", encoding="base64",
        signed="{id}.{timestamp}.{body}", timestamp="svix-timestamp", id_header="svix-id",
        algorithm="ed25519", key_prefix="whpk_",
    ),
    *STANDARD_WEBHOOKS,
)  # fmt: skip

GITHUB: tuple[Scheme, ...] = (Scheme(name="github", header="x-hub-signature-256", prefix="sha256="),)

STRIPE: tuple[Scheme, ...] = (
    Scheme(
        name="stripe", header="stripe-signature", layout="fields", field="v1",
        signed="{timestamp}.{body}", timestamp="field:t",
    ),
)  # fmt: skip

TYPEFORM: tuple[Scheme, ...] = (
    Scheme(name="typeform", header="typeform-signature", prefix="sha256=", encoding="base64"),
)

CALLRAIL: tuple[Scheme, ...] = (Scheme(name="callrail", header="signature", algorithm="hmac-sha1", encoding="base64"),)

WPFORMS: tuple[Scheme, ...] = (Scheme(name="wpforms", header="x-wpforms-signature"),)

WEBFLOW: tuple[Scheme, ...] = (
    Scheme(
        name="webflow", header="x-webflow-signature", signed="{timestamp}:{body}",
        timestamp="x-webflow-timestamp", unit="ms",
    ),
)  # fmt: skip

FORMSTACK: tuple[Scheme, ...] = (Scheme(name="formstack", header="x-fs-signature", prefix="sha256="),)

TALLY: tuple[Scheme, ...] = (Scheme(name="tally", header="tally-signature", encoding="base64"),)

CALENDLY: tuple[Scheme, ...] = (
    Scheme(
        name="calendly", header="calendly-webhook-signature", layout="fields", field="v1",
        signed="{timestamp}.{body}", timestamp="field:t",
    ),
)  # fmt: skip

CAL_COM: tuple[Scheme, ...] = (Scheme(name="cal-com", header="x-cal-signature-256"),)

META: tuple[Scheme, ...] = (Scheme(name="meta", header="x-hub-signature-256", prefix="sha256="),)

TIKTOK: tuple[Scheme, ...] = (
    Scheme(
        name="tiktok", header="tiktok-signature", layout="fields", field="s",
        signed="{timestamp}.{body}", timestamp="field:t",
    ),
)  # fmt: skip

CALL_TRACKING_METRICS: tuple[Scheme, ...] = (
    Scheme(
        name="calltrackingmetrics", header="x-ctm-signature", algorithm="hmac-sha1", encoding="base64",
        signed="{timestamp}{body}", timestamp="x-ctm-time",
    ),
)  # fmt: skip

TWILIO: tuple[Scheme, ...] = (
    Scheme(
        name="twilio", header="x-twilio-signature", algorithm="hmac-sha1", encoding="base64",
        signed="{url}{form}", url_variants=True, body_hash_parameter="bodySHA256",
    ),
)  # fmt: skip

PODIUM: tuple[Scheme, ...] = (
    Scheme(
        name="podium", header="podium-signature", signed="{timestamp}.{body}", timestamp="podium-timestamp",
    ),
    Scheme(
        name="podium-base64", header="podium-signature", signed="{timestamp}.{body}", timestamp="podium-timestamp",
        encoding="base64",
    ),
)  # fmt: skip

HUBSPOT: tuple[Scheme, ...] = (
    Scheme(
        name="hubspot-v3", header="x-hubspot-signature-v3", encoding="base64",
        signed="{method}{url:hubspot}{body}{timestamp}", timestamp="x-hubspot-request-timestamp", unit="ms",
    ),
    Scheme(
        name="hubspot-v2", header="x-hubspot-signature", algorithm="sha256", signed="{secret}{method}{url}{body}",
        when=("x-hubspot-signature-version", "v2"),
    ),
    Scheme(
        name="hubspot-v1", header="x-hubspot-signature", algorithm="sha256", signed="{secret}{body}",
        when=("x-hubspot-signature-version", "v1"),
    ),
    Scheme(
        name="hubspot-v1", header="x-hubspot-signature", algorithm="sha256", signed="{secret}{body}",
        when=("x-hubspot-signature-version", ""),
    ),
)  # fmt: skip

HIGHLEVEL: tuple[Scheme, ...] = (
    Scheme(name="highlevel-ed25519", header="x-ghl-signature", algorithm="ed25519", encoding="base64"),
    Scheme(name="highlevel-rsa", header="x-wh-signature", algorithm="rsa-sha256", encoding="base64"),
)

KLAVIYO: tuple[Scheme, ...] = (
    Scheme(
        name="klaviyo", header="klaviyo-signature", signed="{body}{timestamp}",
        timestamp="klaviyo-timestamp", unit="http-date",
    ),
)  # fmt: skip

JOBBER: tuple[Scheme, ...] = (Scheme(name="jobber", header="x-jobber-hmac-sha256", encoding="base64"),)

HOUSECALL: tuple[Scheme, ...] = (
    Scheme(
        name="housecall", header="api-signature", signed="{timestamp}.{body}", timestamp="api-timestamp",
    ),
)  # fmt: skip

SERVICETITAN: tuple[Scheme, ...] = (
    Scheme(name="servicetitan", header="x-servicetitan-signature"),
    Scheme(name="servicetitan-base64", header="x-servicetitan-signature", encoding="base64"),
    Scheme(name="servicetitan", header="x-st-signature"),
)
"""The encoding is undocumented: hex in most public code, base64 in one."""

APPS_SCRIPT: tuple[Scheme, ...] = (*STANDARD_WEBHOOKS, Scheme(name="apps-script-hex", header="x-signature"))
"""Our snippet signs with Standard Webhooks headers; scripts of others put a bare hex HMAC into X-Signature."""

PRESETS = {
    "standard-webhooks": STANDARD_WEBHOOKS,
    "svix": SVIX,
    "github": GITHUB,
    "stripe": STRIPE,
    "cal-com": CAL_COM,
    "hubspot": HUBSPOT,
    "klaviyo": KLAVIYO,
    "twilio": TWILIO,
    "meta": META,
}
"""What a generic source may name under `verify.preset`."""
