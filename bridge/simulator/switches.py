"""One named switch for each thing about the real API that its documents leave open; the defaults are our best guess."""

import msgspec

from bridge.simulator.values import Nulls


class Switches(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """How the simulator decides where ServiceTitan's documents are silent."""

    duplicate_external_id_conflicts: bool = False
    """A second booking with the externalId of one that the provider already has is a 409; else two bookings."""
    external_id_filter_partial: bool = False
    """`?externalId=` finds by containment; else by equality."""
    unknown_reference_status: int = 400
    """A campaign, business unit, job type or tag type that does not exist: 400 with errors, 409 or 404."""
    unknown_provider_status: int = 404
    """A booking provider tag that does not exist."""
    provider_not_granted_status: int = 403
    """The provider path of another tag, or the tenant-wide path by an app restricted to a tag."""
    unrestricted_may_use_provider_paths: bool = True
    """An app with no restriction may call the provider paths of any tag."""
    tenant_mismatch_status: int = 403
    """A token of one tenant on the path of another; unknown tenants answer the same."""
    bad_app_key_status: int = 403
    """A missing or foreign ST-App-Key."""
    undeclared_status: int = 400
    """What stands in for a 404 or 409 at an operation whose documents list none; 0 answers the 404 or 409 all the same."""
    null_in_patch: Nulls = Nulls.STRICT
    """An explicit null in a PATCH body where the contract has none: 400, ignored, or clears the member."""
    unknown_members_refused: bool = False
    """A body member outside the contract is a 400; else ignored."""
    page_size_limit: int = 5000
    page_size_over_limit_clamps: bool = False
    """A page size above the limit is cut to it; else a 400."""
    ids_limit: int = 50
    booking_needs_contact_or_address: bool = True
    customer_needs_location: bool = True
    phone_filter: str = "digits"
    """How `?phone=` of customers compares: `digits` (last ten digits), `exact` text, or `contains` digits."""
    phone_stored: str = "as_given"
    """How phones are kept: `as_given`, or `digits` only."""
    images_replaced: bool = True
    """`uploadedImages` of a booking PATCH replaces the list; else it is added to."""
    customer_custom_fields_replaced: bool = True
    """`customFields` of a customer PATCH replaces the list (explicit for locations, silent for customers)."""
    booking_start_default_null: bool = False
    """`start` of a booking made without one reads as null, against the contract; else as its creation time."""
    booking_memo_default_null: bool = False
    """`memo` of a booking contact made without one reads as null, against the contract; else as empty text."""
    new_contacts_enabled: bool = True
    """The tenant is migrated to Contact Management; else `/contacts*` answers 403."""
    tag_twice_status: int = 409
    """A tag given to a customer or location that has it: 409, or 200."""
    duplicate_tag_name_status: int = 409
    """A booking provider tag with a name that is taken: 409, or 200."""
    dismiss_again_status: int = 400
    """Dismissing a booking or lead that is not open any more: 400, or 200 without effect."""
    export_batch: int = 1000
    export_hold_back_seconds: float = 300.0
    """Rows modified within it are left out of a feed unless `includeRecentChanges`."""
    export_repeats_recent: bool = True
    """With `includeRecentChanges`, rows younger than the hold-back come again on the next call."""
    rate_limit_per_second: int = 60
    """Requests of an (app, tenant); 0 turns it off."""
    rate_limit_header: bool = True
    """A 429 carries Retry-After; the seconds stand in the title either way."""
    token_seconds: int = 900
    token_requests_per_minute: int = 0
    """Token requests of a client; 0 turns it off."""
    webhook_header: str = "x-servicetitan-signature"
    webhook_encoding: str = "hex"
    """`hex` or `base64` of HMAC-SHA256 over the body."""
    webhook_retry_seconds: tuple[float, ...] = (10.0, 30.0, 60.0, 300.0)
