"""What a config may say: models that check every value and are closed against misspelled keys."""

from datetime import timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field, model_validator

from bridge.settings.base import Block, Reference
from bridge.settings.rules import Rule


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as unknown:
        raise ValueError(f"{name!r} is no time zone; write one like America/Chicago") from unknown
    return name


TimeZone = Annotated[str, AfterValidator(_known_zone)]
Seconds = Annotated[float, Field(gt=0)]


class SecretReference(Block):
    """Where a secret comes from: an environment variable or a file. Its text never stands in the config."""

    env: str | None = Field(None, description="The environment variable that holds it.")
    file: str | None = Field(None, description="The file that holds it, as a mounted secret.")
    name: str | None = Field(None, description="The name under which its use is counted; the variable's by default.")

    @model_validator(mode="after")
    def _one_place(self) -> "SecretReference":
        if (self.env is None) == (self.file is None):
            raise ValueError("say either `env: NAME` or `file: PATH`")
        return self


class Server(Block):
    """Where the bridge listens, and how the outside reaches it."""

    host: str = "127.0.0.1"
    port: int = Field(8080, ge=0, le=65535)
    metrics_port: int | None = Field(None, ge=0, le=65535, description="Serves /metrics; none by default.")
    public_url: str = Field(
        "", description="The address senders use, e.g. https://hooks.example.com; part of URL signatures."
    )
    max_waiting: int = Field(4096, gt=0, description="Requests that may wait to be stored before senders hear 503.")


class Worker(Block):
    """How deliveries are processed and effects sent."""

    lease_seconds: Seconds = 120
    http_seconds: Seconds = Field(
        110, description="The whole time of one call; ServiceTitan itself gives up after 100."
    )
    poll_seconds: Seconds = Field(0.25, description="The backstop of a wake-up that was lost.")
    batch: int = Field(64, gt=0, le=1000, description="Deliveries of one tenant decided in one transaction.")


class MirrorCadence(Block):
    """How often ServiceTitan's records are looked at, in seconds."""

    recent_seconds: Seconds = 30
    full_seconds: Seconds = 300
    lists_seconds: Seconds = 900


class Retention(Block):
    """How many days things are kept; dedup keys are kept for ever."""

    bodies_days: int = Field(90, gt=0)
    attempts_days: int = Field(400, gt=0)
    rejected_days: int = Field(30, gt=0)


class AlertTarget(Block):
    """Where alerts go: a Slack-compatible address, or one that checks Standard Webhooks signatures."""

    url: SecretReference
    style: Literal["slack", "standard-webhooks"] = "slack"
    secret: SecretReference | None = None
    cooldown_minutes: int = Field(60, gt=0, le=7 * 24 * 60)


class Alerts(Block):
    """Who hears when a person must act."""

    targets: dict[str, AlertTarget] = Field({}, description="Name → where it goes.")
    review_older_than_hours: float = Field(24, gt=0)
    work_older_than_minutes: float = Field(15, gt=0)


class Credentials(Block):
    """The key pair of (app, tenant, environment) and the app key."""

    client_id: SecretReference
    client_secret: SecretReference
    app_key: SecretReference


class Defaults(Block):
    """What a booking gets where no rule says it: ids, or names as they stand in ServiceTitan."""

    campaign: Reference | None = None
    business_unit: Reference | None = None
    job_type: Reference | None = None
    dismiss_reason: Reference | None = None
    priority: Literal["Low", "Normal", "High", "Urgent"] | None = None
    customer_type: Literal["Residential", "Commercial"] = "Residential"
    confirmation_email: bool | None = None


class SourceDefaults(Block):
    """What a booking of this source gets where no rule says it; the tenant's defaults come after."""

    campaign: Reference | None = None
    business_unit: Reference | None = None
    job_type: Reference | None = None
    dismiss_reason: Reference | None = None
    priority: Literal["Low", "Normal", "High", "Urgent"] | None = None
    customer_type: Literal["Residential", "Commercial"] | None = None
    confirmation_email: bool | None = None


class Thresholds(Block):
    """How sure a match must be. `shadow` records matches and writes nothing to existing records."""

    auto: float = Field(0.999, gt=0.5, lt=1)
    review: float = Field(
        0.1, ge=0, lt=0.5, description="From this probability on, a person is asked before a party counts as new."
    )
    shadow: bool = False


Hours = Annotated[str, Field(pattern=r"^(closed|([01]\d|2[0-4]):[0-5]\d-([01]\d|2[0-4]):[0-5]\d)$")]


class BusinessHours(Block):
    """Opening hours in the tenant's time zone, as "08:00-17:00" or "closed"."""

    mon: Hours = "08:00-17:00"
    tue: Hours = "08:00-17:00"
    wed: Hours = "08:00-17:00"
    thu: Hours = "08:00-17:00"
    fri: Hours = "08:00-17:00"
    sat: Hours = "closed"
    sun: Hours = "closed"


class Tenant(Block):
    """One ServiceTitan account."""

    tenant_id: int = Field(gt=0)
    environment: Literal["production", "integration", "simulator"]
    simulator_url: str = Field(
        "http://127.0.0.1:8377", pattern="^https?://", description="Where the simulator listens."
    )
    credentials: Credentials | None = Field(None, description="Required but for the simulator.")
    booking_provider: int | None = Field(
        None, gt=0, description="The id of the booking provider tag the app was granted."
    )
    time_zone: TimeZone = "America/New_York"
    phone_region: str = Field("US", pattern="^[A-Z]{2}$")
    defaults: Defaults = Defaults()
    campaigns: dict[str, Reference] = Field(
        {}, description="utm_campaign, utm_source, ad name or tracking number → campaign."
    )
    services: dict[str, Reference] = Field({}, description="What people ask for → job type.")
    business_hours: BusinessHours = BusinessHours()
    dedup_window_hours: float = Field(72, ge=0)
    thresholds: Thresholds = Thresholds()
    external_data_guid: str | None = None
    webhook_secret: SecretReference | None = Field(None, description="Key of ServiceTitan's own webhooks.")

    @property
    def dedup_window(self) -> timedelta:
        """How long the same ask of the same party joins the open booking."""
        return timedelta(hours=self.dedup_window_hours)


class Limits(Block):
    """Bounds of one source."""

    max_bytes: int = Field(1_048_576, gt=0, le=50_000_000)
    tolerance_seconds: int = Field(300, gt=0)


class Rhythm(Block):
    """What is usual, for the alert that a source went quiet."""

    per_week: float | None = Field(None, gt=0)
    quiet_after_hours: float | None = Field(None, gt=0)


class FieldMapping(Block):
    """A sender's field that is kept in a custom field of ServiceTitan."""

    custom_field: Reference
    on: Literal["customer", "location"] = "customer"
    policy: Literal["ours", "theirs", "newest", "fill_if_empty", "hold"] = Field(
        "ours", description="What happens when both sides changed it since it was last seen."
    )


class Updates(Block):
    """What a contact update of this source may do to a customer."""

    unmatched: Literal["ignore", "hold", "create_customer"] = "ignore"
    contacts: Literal["add", "replace_single", "ignore"] = Field(
        "add", description="replace_single: the one contact of a kind gets the new value; more than one are added to."
    )
    contacts_on: list[Literal["customer", "location"]] = Field(
        ["customer"], description="Whose contacts are kept up to date."
    )
    fields: dict[str, FieldMapping] = Field({}, description="The sender's field → custom field.")
    tags: dict[str, Reference] = Field({}, description="The sender's tag → tag.")
    notes: bool = True


class Source(Block):
    """One configured way in: a sender's account, its secrets, its tenant."""

    connector: str
    tenant: str
    title: str = Field("", description="The name people know it by; the `source` of its bookings.")
    secrets: list[SecretReference] = Field([], description="All that count now; several while one is rotated.")
    unsigned: bool = Field(False, description="Take unsigned requests; shown in red.")
    limits: Limits = Limits()
    options: dict[str, Any] = Field({}, description="The connector's own settings; its page lists them.")
    map: dict[str, str] = Field({}, description="Field → expression over the payload.")
    defaults: dict[str, Any] = Field({}, description="Field → value where the payload has none.")
    hydrate: dict[str, SecretReference] = Field({}, description="Credentials by the name a connector's fetch uses.")
    booking: SourceDefaults = SourceDefaults()
    updates: Updates = Updates()
    rhythm: Rhythm = Rhythm()
    book_tests: bool = False


class Config(Block):
    """Everything the YAML files may say together."""

    server: Server = Server()
    worker: Worker = Worker()
    mirror: MirrorCadence = MirrorCadence()
    retention: Retention = Retention()
    alerts: Alerts = Alerts()
    tenants: dict[str, Tenant]
    sources: dict[str, Source]
    rules: list[Rule] = Field([], description="In order; for each kind of command the first that fits wins.")
