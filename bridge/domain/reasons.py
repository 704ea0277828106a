"""Every reason slug, once: log field, metric label and console text at the same time, each with what to do about it.

A slug never changes its meaning. `docs/reasons.md` is generated from this table and tested against it.
"""

from enum import StrEnum
from typing import NamedTuple, Self


class Advice(NamedTuple):
    """What a person reads beside a slug: what happened, and what to do."""

    text: str
    remedy: str


class Reason(StrEnum):
    """A reason slug; `advice` holds its text and remedy."""

    advice: Advice

    def __new__(cls, slug: str, text: str, remedy: str) -> Self:
        """Return the member whose value is the slug alone."""
        member = str.__new__(cls, slug)
        member._value_ = slug
        member.advice = Advice(text, remedy)
        return member

    # Intake: why a request was not taken in, or how it was.
    SOURCE_UNKNOWN = (
        "source_unknown",
        "No source of this name is configured.",
        "Compare the last part of the URL with the sources of the config; it may be misspelled or not deployed yet.",
    )
    BODY_TOO_LARGE = (
        "body_too_large",
        "The body is larger than this source allows.",
        "Raise `limits.max_bytes` of the source if the sender really sends this much.",
    )
    CONTENT_TYPE_UNSUPPORTED = (
        "content_type_unsupported",
        "The connector does not read this content type.",
        "Set the sender to one of the types the connector's page lists.",
    )
    PAYLOAD_MALFORMED = (
        "payload_malformed",
        "The body cannot be read as what its content type says.",
        "Look at the sender's webhook log; a relay in between may have re-encoded the body.",
    )
    DATABASE_UNREACHABLE = (
        "database_unreachable",
        "The delivery could not be stored, so it was not acknowledged.",
        "The sender will try again; bring PostgreSQL back.",
    )
    INTAKE_FULL = (
        "intake_full",
        "More requests wait to be stored than the bound allows.",
        "The sender will try again; add a `serve` replica or look at what slows PostgreSQL.",
    )
    METHOD_UNSUPPORTED = (
        "method_unsupported",
        "The connector does not expect this HTTP method.",
        "Set the sender to POST.",
    )
    # Verification: why the bytes are not believed.
    SIGNATURE_MISSING = (
        "signature_missing",
        "The request carries no signature.",
        "Set the signing secret on the sender's side; an unsigned source must say `unsigned: true`.",
    )
    SIGNATURE_MALFORMED = (
        "signature_malformed",
        "The signature header cannot be decoded as its scheme says.",
        "Check that the connector fits the sender; a proxy may rewrite headers.",
    )
    SIGNATURE_MISMATCH = (
        "signature_mismatch",
        "The signature was made with another secret or over other bytes.",
        "Compare the secret on both sides; then look for a proxy that changes the body.",
    )
    SIGNATURE_DUPLICATED = (
        "signature_duplicated",
        "A signature header occurs more than once.",
        "No honest sender does this; look at the proxy in front.",
    )
    TIMESTAMP_MISSING = (
        "timestamp_missing",
        "The signed timestamp is missing.",
        "Check that the connector fits the sender.",
    )
    TIMESTAMP_MALFORMED = (
        "timestamp_malformed",
        "The signed timestamp is no number or date of the scheme.",
        "Check that the connector fits the sender.",
    )
    TIMESTAMP_TOO_OLD = (
        "timestamp_too_old",
        "The request was signed longer ago than the tolerance allows.",
        "Check the clock of this machine; else it is a replayed request.",
    )
    TIMESTAMP_TOO_NEW = (
        "timestamp_too_new",
        "The request is signed in the future beyond the tolerance.",
        "Check the clocks of both machines.",
    )
    SECRET_UNUSABLE = (
        "secret_unusable",
        "The configured secret is empty or a placeholder.",
        "Set the environment variable that the source's secret names.",
    )
    CREDENTIALS_WRONG = (
        "credentials_wrong",
        "The token, key or password of the request is not the configured one.",
        "Compare the value on both sides.",
    )
    # Processing: what became of a delivery.
    PROCESSED = ("processed", "Every inquiry of the delivery has its plan.", "Nothing to do.")
    EVENT_IGNORED = (
        "event_ignored",
        "The connector knows this kind of message and has nothing to do for it.",
        "Nothing to do; switch it off on the sender's side to save traffic.",
    )
    EVENT_UNSUPPORTED = (
        "event_unsupported",
        "The connector has never seen this kind of message.",
        "It is kept. Tell the maintainers, or switch it off on the sender's side; replay it after an update.",
    )
    TEST_INQUIRY = (
        "test_inquiry",
        "The sender marks this as a test.",
        "Nothing to do; `book_tests: true` would book it.",
    )
    PERSON_MISSING = (
        "person_missing",
        "The payload names nobody and says nothing: no name, phone, e-mail, message or answer was found.",
        "It is kept. If somebody is in it, name the places under `map:` of the source and replay it.",
    )
    HYDRATION_MISSING = (
        "hydration_missing",
        "The payload only names a record, and its content was not fetched.",
        "Give the source's `hydrate:` credential, then replay the delivery.",
    )
    HYDRATION_REFUSED = (
        "hydration_refused",
        "The sender's API refused to give the record (credential, permission, or it is gone).",
        "Check the credential and its permissions on the sender's side, then replay.",
    )
    FETCH_FORBIDDEN = (
        "fetch_forbidden",
        "The fetch leads to a host or address that is not allowed.",
        "Nothing was sent. Add the host to `options.allowed_hosts` of the source only if it is the sender's own.",
    )
    FETCH_TOO_LARGE = (
        "fetch_too_large",
        "The sender's answer is larger than a record can be.",
        "Look at the record on the sender's side; raise `options.fetch_max_bytes` if it is right.",
    )
    FETCH_UNANSWERED = (
        "fetch_unanswered",
        "The sender's API could not be reached, or gave no usable answer.",
        "It is tried again by itself for three days. After that: check the sender's status page and the way to it, then replay.",
    )
    FETCH_LIMITED = (
        "fetch_limited",
        "The sender's API asks to slow down, or the source's own limit is reached.",
        "Nothing to do; the record is fetched when the wait is over.",
    )
    RECORD_GONE = (
        "record_gone",
        "The sender's API does not have the record, or not yet.",
        "Nothing to do; a second look ten seconds later decides.",
    )
    NORMALIZE_FAILED = (
        "normalize_failed",
        "The payload has not the shape the connector expects.",
        "Look at the payload; fix the mapping or update the connector, then replay.",
    )
    PROCESS_FAILED = (
        "process_failed",
        "Our code broke on this delivery.",
        "It is kept, with the error in the log under its delivery id; replay it after the fix.",
    )
    DUPLICATE_ASK = (
        "duplicate_ask",
        "The same party asked for the same within the window; the open booking got what is new.",
        "Nothing to do; the earlier inquiry is linked.",
    )
    # ServiceTitan: what its answers mean.
    OK = ("ok", "ServiceTitan did what was asked.", "Nothing to do.")
    REQUEST_INVALID = (
        "request_invalid",
        "The request breaks ServiceTitan's contract and was not sent.",
        "The detail names the place; fix the mapping that filled it, then replay.",
    )
    VALIDATION_FAILED = (
        "validation_failed",
        "ServiceTitan refused the content of the request.",
        "Read the field errors; fix the mapping or the named ids, then replay.",
    )
    NOT_FOUND = (
        "not_found",
        "ServiceTitan knows no such record, or the tenant, tag or host in the address is wrong.",
        "Look the record up in ServiceTitan; if every call says this, check tenant id, environment and provider tag.",
    )
    REFERENCE_MISSING = (
        "reference_missing",
        "A record that the request names does not exist in ServiceTitan.",
        "Look for a merged or deleted customer, campaign, tag or tax zone; fix the config, then replay.",
    )
    CONFLICT = (
        "conflict",
        "The request conflicts with what ServiceTitan holds.",
        "Read the title; often the effect is there already.",
    )
    REQUEST_REFUSED = (
        "request_refused",
        "ServiceTitan refused the request in a way its contract does not name.",
        "Read status and detail; a proxy in between may have answered.",
    )
    CONTACTS_NOT_ENABLED = (
        "contacts_not_enabled",
        "This account does not have Contact Management, or the app lacks its scope.",
        "Use the contacts of customers and locations, or have ServiceTitan enable Contact Management.",
    )
    CREDENTIALS_REFUSED = (
        "credentials_refused",
        "ServiceTitan's token service refused client id and secret.",
        "Compare them with API Application Access in ServiceTitan; a pair belongs to one tenant and environment.",
    )
    UNAUTHORIZED = (
        "unauthorized",
        "ServiceTitan refused a token it had just issued.",
        "Check that API and token host are of the same environment, and that the app is still connected.",
    )
    FORBIDDEN = (
        "forbidden",
        "The app may not do this.",
        "Check the app's scopes, the app key, and the booking provider tag chosen when it was connected.",
    )
    RATE_LIMITED = (
        "rate_limited",
        "ServiceTitan asks to slow down.",
        "Nothing to do; it is sent when the wait is over. If it lasts, look for another program with the same app.",
    )
    MAINTENANCE = (
        "maintenance",
        "ServiceTitan is in maintenance.",
        "Nothing to do; it is sent when the maintenance is over.",
    )
    TOKEN_UNAVAILABLE = (
        "token_unavailable",
        "ServiceTitan's token service gave no usable answer.",
        "Nothing to do at first; if it lasts, check the way to the token host.",
    )
    CONNECT_FAILED = (
        "connect_failed",
        "No connection to ServiceTitan could be made; nothing was sent.",
        "Nothing to do at first; if it lasts, check network, DNS and proxy.",
    )
    CONNECTIONS_BUSY = (
        "connections_busy",
        "All connections of the tenant were in use; nothing was sent.",
        "Nothing to do at first; if it lasts, ServiceTitan answers slowly or the bound is too small.",
    )
    ANSWER_TIMEOUT = (
        "answer_timeout",
        "The request was sent and no answer came in time.",
        "Nothing to do; a write is looked up in ServiceTitan before it is sent again.",
    )
    CONNECTION_LOST = (
        "connection_lost",
        "The connection broke after the request was sent.",
        "Nothing to do; a write is looked up in ServiceTitan before it is sent again.",
    )
    SERVER_ERROR = (
        "server_error",
        "ServiceTitan failed while it worked on the request.",
        "Nothing to do; a write is looked up in ServiceTitan before it is sent again.",
    )
    ANSWER_UNREADABLE = (
        "answer_unreadable",
        "The answer says success and cannot be read.",
        "Nothing to do; a write is looked up. If it lasts, a proxy may answer in ServiceTitan's place.",
    )
    ANSWER_EMPTY = (
        "answer_empty",
        "The answer says success and holds nothing where a record belongs.",
        "Nothing to do; a write is looked up in ServiceTitan before it is believed.",
    )
    FEED_STUCK = (
        "feed_stuck",
        "A list of ServiceTitan promises more and gives nothing.",
        "Nothing is lost, the place in the feed is kept; if it lasts, tell ServiceTitan.",
    )
    REDIRECTED = (
        "redirected",
        "The configured address points elsewhere; redirects are not followed.",
        "Correct the address of the environment.",
    )
    # Sending: why a message waits, or ended.
    REFERENCE_UNKNOWN = (
        "reference_unknown",
        "It needs the id of something that no effect of ours ever created.",
        "Release it after the effect it names exists, or cancel it; the decision shows which key it names.",
    )
    DEPENDENCY_DEAD = (
        "dependency_dead",
        "What it builds on was given up, so it cannot be sent.",
        "Retry or cancel the message it waits for; this one follows by itself.",
    )
    UNPROVABLE = (
        "unprovable",
        "It may have been done, and ServiceTitan offers no way to look.",
        "Look in ServiceTitan; then release it as done, or retry it.",
    )
    WORKER_CRASHED = (
        "worker_crashed",
        "The worker ended between the start of the request and the record of its answer.",
        "Nothing to do; it is looked up in ServiceTitan before it is sent again.",
    )
    ALERT_UNREACHED = (
        "alert_unreached",
        "The address of an alert could not be reached; nothing was sent.",
        "It is tried again for a day; check the address in `alerts` of the config, network and DNS.",
    )
    ALERT_REFUSED = (
        "alert_refused",
        "The address of an alert answered, and not with success.",
        "It is tried again for a day; check the address in `alerts` of the config, and its key.",
    )
    ALERT_UNANSWERED = (
        "alert_unanswered",
        "An alert was sent and no answer came.",
        "It is sent again: a signed one under the same id, one in Slack's style a single time.",
    )
    ALERT_REPEATED = (
        "alert_repeated",
        "No receiver can be asked whether it got an alert, so it is sent again: told twice is better than not at all.",
        "Nothing to do.",
    )
    ALERT_ADDRESS_UNKNOWN = (
        "alert_address_unknown",
        "The config does not name the address of this alert any more.",
        "Name it in `alerts` again and retry, or cancel it.",
    )
    FOUND_DONE = ("found_done", "ServiceTitan was asked and has it: it was done.", "Nothing to do.")
    FOUND_ABSENT = (
        "found_absent",
        "ServiceTitan was asked, late enough to be sure, and has it not.",
        "Nothing to do; it is sent again.",
    )
    FIELD_CONFLICT = (
        "field_conflict",
        "A custom field changed in ServiceTitan as well, and its rule says a person decides.",
        "Compare both values; then release ours or cancel it.",
    )
    FIELD_NOT_KEPT = (
        "field_not_kept",
        "ServiceTitan accepted the custom fields and does not show them as written.",
        "Look at the field's type and options in ServiceTitan; then retry.",
    )
    READ_TRAILS = (
        "read_trails",
        "ServiceTitan answered with an older state of the record than it had shown before.",
        "Nothing to do; it is read again when reads have caught up, within minutes.",
    )
    CANCELLED = ("cancelled", "A person cancelled it.", "Nothing to do; a retry brings it back.")
    RETRIED = ("retried", "A person sent it again.", "Nothing to do.")
    RELEASED = ("released", "A person released it.", "Nothing to do.")
    BREAKER_OPEN = (
        "breaker_open",
        "This kind of request failed several times in a row, so it rests; single probes go out.",
        "Nothing to do; it goes on by itself. An operator can close the breaker at once.",
    )
    NOT_SENT = (
        "not_sent",
        "The right to send it was lost before any byte left.",
        "Nothing to do; the present owner sends it.",
    )
    COMMAND_UNREADABLE = (
        "command_unreadable",
        "The stored command cannot be read by this version of the program.",
        "It was written by a newer version: update this worker, then retry it.",
    )
    BUDGET_SPENT = (
        "budget_spent",
        "The tenant's requests per second are used up for the moment.",
        "Nothing to do; it waits its turn.",
    )
    # Planning: what was decided, or why a person must.
    RULE_FAILED = (
        "rule_failed",
        "A rule of the config could not be evaluated for this inquiry.",
        "The sentence names the rule with file and line; fix it, try it with `bridge explain`, then replay.",
    )
    MAP_STOPPED = (
        "map_stopped",
        "An expression of the source's `map:` did not come to an end for this inquiry.",
        "The sentence names the field and where the mapping stands; mend it, try it with `bridge explain`, then replay.",
    )
    IGNORED_BY_RULE = ("ignored_by_rule", "A rule of the config says to do nothing.", "Nothing to do.")
    HELD_BY_RULE = (
        "held_by_rule",
        "A rule of the config wants a person to decide.",
        "Release it or dismiss it in the review queue.",
    )
    MATCH_AMBIGUOUS = (
        "match_ambiguous",
        "More than one customer could be meant, so none was changed.",
        "Choose the customer in the review queue, or say that it is a new one; the choice is remembered.",
    )
    MATCH_BELOW_AUTO = (
        "match_below_auto",
        "The customer is probably right, but not surely enough to change the record.",
        "Confirm the customer in the review queue; certify the tenant's matching to need this less often.",
    )
    SHADOW_MODE = (
        "shadow_mode",
        "The tenant's matching runs in shadow mode: the match is recorded and nothing is written to a customer.",
        "Switch `thresholds.shadow` off when the recorded matches have convinced you.",
    )
    PARTY_UNMATCHED = (
        "party_unmatched",
        "Nobody in ServiceTitan is this person, and nothing says to create them.",
        "Nothing to do; `updates.unmatched` of the source can hold or create instead.",
    )
    PARTY_NEW = (
        "party_new",
        "Nobody in ServiceTitan is this person; the source wants a person to decide.",
        "Create the customer or choose one in the review queue.",
    )
    NOTHING_DIFFERS = ("nothing_differs", "ServiceTitan already holds what this says.", "Nothing to do.")
    RECORD_DELETED = (
        "record_deleted",
        "The sender deleted its record; nothing is ever deleted in ServiceTitan for that.",
        "Nothing to do.",
    )
    BOOKING_INCOMPLETE = (
        "booking_incomplete",
        "A booking needs a phone, an e-mail or a whole address, and none came.",
        "Add how to reach the person and release it, or dismiss it.",
    )
    CUSTOMER_INCOMPLETE = (
        "customer_incomplete",
        "A new customer needs a name and a whole address (street, city, state, ZIP).",
        "Complete it and release it, or dismiss it.",
    )
    EARLIER_UNKNOWN = (
        "earlier_unknown",
        "The booking that should be changed is not known: its inquiry never came through here.",
        "Find the booking in ServiceTitan and change it there, then dismiss this.",
    )
    BOOKING_IS_JOB = (
        "booking_is_job",
        "ServiceTitan already made a job of the booking, which cannot be changed through a booking.",
        "Change the appointment on the dispatch board; a note was left where the customer is known.",
    )
    BOOKING_DISMISSED = (
        "booking_dismissed",
        "The booking that should be moved was dismissed before.",
        "Call the person, or book again; then dismiss this.",
    )
    DISMISSED = (
        "dismissed",
        "A person said no to what it wanted.",
        "Nothing to do; undo the dismissal in the review queue if it was wrong, then replay.",
    )
    FIELD_VALUE_INVALID = (
        "field_value_invalid",
        "A custom field does not take this value (a dropdown option that does not exist, or no number).",
        "Add the option in ServiceTitan or map the value in the source, then release it.",
    )
    LEAD_INCOMPLETE = (
        "lead_incomplete",
        "A lead needs a campaign, and a follow-up date or a call reason.",
        "Name them in the rule that wants the lead, then replay.",
    )
    LEAD_UNKNOWN = (
        "lead_unknown",
        "The lead that a rule wants to follow up or dismiss was not made by this sender's record.",
        "Do it in ServiceTitan, or fix the rule.",
    )
    ACTIVITY_NOTED = ("activity_noted", "A note was left at the customer.", "Nothing to do.")
    MIRROR_UPDATED = ("mirror_updated", "ServiceTitan's own change was read into the mirror.", "Nothing to do.")

    # Console, API and command line: why something was not shown or not done.
    ACCESS_UNDECLARED = (
        "access_undeclared",
        "The route does not say who may use it, so nobody may.",
        "This is a fault of the program: report it.",
    )
    CHOICE_MISSING = (
        "choice_missing",
        "Several customers could be meant and none was chosen.",
        "Choose one of the candidates, or say that it is none of them.",
    )
    NOT_ASKED = (
        "not_asked",
        "Who it is was no question of this hold.",
        "Release it, or dismiss it.",
    )
    RATE_REFUSED = (
        "rate_refused",
        "A tenant cannot be given this many requests per second.",
        "Give more than none and at most the program's own share; none at all is a pause.",
    )
    BREAKER_UNKNOWN = (
        "breaker_unknown",
        "There is no breaker of this name, or none that can be held this way.",
        "Choose a family of operations, a class of errors and a hold from those that the answer lists.",
    )
    CURSOR_INVALID = (
        "cursor_invalid",
        "The cursor was not made by this program.",
        "Start from the first page, and hand `next` on as it came.",
    )
    DONE = (
        "done",
        "It is done already.",
        "Nothing to do.",
    )
    FILTER_UNKNOWN = (
        "filter_unknown",
        "There is no such state or action.",
        "Choose one of those that are offered.",
    )
    FORM_EXPIRED = (
        "form_expired",
        "The page is from an older session.",
        "Reload it and do it again.",
    )
    IDEMPOTENCY_KEY_INVALID = (
        "idempotency_key_invalid",
        "An Idempotency-Key is 1 to 200 printable ASCII characters.",
        "Send a random id, a UUID for example.",
    )
    IDEMPOTENCY_KEY_REUSED = (
        "idempotency_key_reused",
        "This Idempotency-Key was used with another request.",
        "Use a new key for a new request.",
    )
    IDEMPOTENCY_KEY_RUNNING = (
        "idempotency_key_running",
        "The first request of this Idempotency-Key is not answered yet.",
        "Wait a moment and send the same again.",
    )
    IN_DOUBT = (
        "in_doubt",
        "It is in doubt whether ServiceTitan did it; it is looked up before anything is sent.",
        "Wait for the look-up, or release it by hand.",
    )
    IN_FLIGHT = (
        "in_flight",
        "It is being sent right now.",
        "Wait for the answer.",
    )
    INTERNAL_ERROR = (
        "internal_error",
        "Something broke on our side.",
        "Try again; the place stands in the log.",
    )
    LOGIN_INVALID = (
        "login_invalid",
        "A login is one word of at most 200 characters.",
        "Use the e-mail address.",
    )
    NOT_HELD = (
        "not_held",
        "The message is neither held nor in doubt.",
        "Nothing to do.",
    )
    NOTHING_MATCHES = (
        "nothing_matches",
        "Nothing matches.",
        "Look at the search again.",
    )
    ORIGIN_FOREIGN = (
        "origin_foreign",
        "The request comes from another site's page.",
        "Open the console itself.",
    )
    PASSWORD_SHORT = (
        "password_short",
        "A password has at least 10 characters.",
        "Choose a longer one.",
    )
    REASON_MISSING = (
        "reason_missing",
        "This wants a reason, which others will read.",
        "Say why.",
    )
    REFUSED = (
        "refused",
        "Name, password or link does not open the door.",
        "Try again, or ask an admin for a log-in link.",
    )
    REQUEST_UNREADABLE = (
        "request_unreadable",
        "The request cannot be read.",
        "Compare it with the API's document, /api/v1/openapi.json.",
    )
    ROLE_MISSING = (
        "role_missing",
        "The role does not include this.",
        "Ask an admin.",
    )
    ROLE_UNKNOWN = (
        "role_unknown",
        "Roles are viewer, operator and admin.",
        "Choose one of them.",
    )
    SCOPE_MISSING = (
        "scope_missing",
        "Personal data needs a token with the scope pii.",
        "Ask without `reveal`, or with another token.",
    )
    SCOPE_UNKNOWN = (
        "scope_unknown",
        "There is no such scope.",
        "Choose one of those that are offered.",
    )
    TAKEN = (
        "taken",
        "The name is taken.",
        "Choose another.",
    )
    TENANT_UNKNOWN = (
        "tenant_unknown",
        "There is no such tenant, or it is not yours to see.",
        "Leave `tenant` out, or name one of yours.",
    )
    THROTTLED = (
        "throttled",
        "Too many tries.",
        "Wait a quarter of an hour.",
    )
    TOKEN_INVALID = (
        "token_invalid",
        "A token has a name and lives 1 to 366 days.",
        "Correct the name or the days.",
    )
    TOKEN_MISSING = (
        "token_missing",
        "The request carries no token that is in force.",
        "Send `Authorization: Bearer brg_…`.",
    )
    UNKNOWN = (
        "unknown",
        "There is no such thing, or it is not yours to see.",
        "Look at the number again.",
    )
    WAITING_ALREADY = (
        "waiting_already",
        "It waits already.",
        "Nothing to do; it comes to its turn.",
    )


_BY_SLUG: dict[str, Reason] = {reason.value: reason for reason in Reason}


def advice_for(slug: str) -> Advice:
    """Return the text and remedy of a slug; an unknown one (of a newer version) speaks for itself."""
    known = _BY_SLUG.get(slug)
    if known is not None:
        return known.advice
    return Advice(slug.replace("_", " ").capitalize() + ".", "See the log line of the same reason.")


def reason_of(slug: str) -> Reason:
    """Return the reason of a slug this version knows; raise KeyError for another."""
    return _BY_SLUG[slug]
