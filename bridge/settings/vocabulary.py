"""The names that rules may use, so that a misspelled one is found before it runs."""

from typing import get_args

from bridge.domain.inquiry import Attribution, Inquiry, Person, PostalAddress

_INQUIRY = {field for kind in get_args(Inquiry) for field in kind.__struct_fields__}
_KINDS = {str(kind.__struct_config__.tag) for kind in get_args(Inquiry)}

NAMES: dict[str, frozenset[str]] = {
    "inquiry": frozenset((_INQUIRY | {"kind"}) - {"origins", "data"}),
    "inquiry.person": frozenset({*Person.__struct_fields__, "display_name"}),
    "inquiry.person.address": frozenset(PostalAddress.__struct_fields__),
    "inquiry.attribution": frozenset(Attribution.__struct_fields__),
    "match": frozenset(
        {"kind", "how", "customer_id", "location_id", "probability", "may_write", "reason", "decided_by", "candidates"}
    ),
    "tenant": frozenset({"name", "tenant_id", "time_zone", "phone_region", "is_open", "hour", "weekday"}),
    "source": frozenset({"id", "title", "connector"}),
    "party": frozenset({"type", "tags", "fields", "do_not_service", "do_not_mail", "known"}),
}
"""What stands where in a rule's expression: `inquiry.person.address.zip`. The rest (answers, fields) is the sender's own."""

VALUES: dict[str, frozenset[str]] = {
    "inquiry.kind": frozenset(_KINDS),
    "match.kind": frozenset({"matched", "ambiguous", "unmatched"}),
    "match.how": frozenset({"customer_and_location", "customer_new_location", "customer_pick_location", ""}),
}
"""Names with a closed set of values: comparing them with another text can never be true."""
