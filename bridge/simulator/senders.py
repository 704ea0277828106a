"""Stand-ins for the APIs that thin webhooks are completed from: Meta's Graph, HubSpot, Jobber, Keap and Jotform.

Every id has a record, made up from the id alone, so that a webhook sent twice finds the same person. Ids that begin with
`gone` have none. Each API wants the token `demo-token` where the real one wants it, and errs in the real one's words.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

TOKEN = "demo-token"  # noqa: S105  opens nothing but these stand-ins
_FIRST = ("Maria", "Grace", "Omar", "Priya", "Daniel", "Noor", "Elena", "Tom")
_LAST = ("Lopez", "Okafor", "Haddad", "Nguyen", "Schmidt", "Rahman", "Petrova", "Baker")
_STREETS = ("Barton Springs Rd", "Guadalupe St", "Congress Ave", "Burnet Rd", "Manor Rd")
_WANTS = ("AC repair", "Water heater replacement", "Drain cleaning", "Furnace tune-up")


class Ask(NamedTuple):
    """A request; names of headers are lower case, the path begins after the stand-in's name."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


class Answer(NamedTuple):
    """Status and JSON."""

    status: int
    data: Any


class Person(NamedTuple):
    """The made-up person of an id."""

    first: str
    last: str
    phone: str
    email: str
    street: str
    wants: str


def person_of(ident: str) -> Person | None:
    """Return the person an id stands for, None where there is no such record."""
    if not ident or ident.startswith("gone"):
        return None
    seed = int.from_bytes(hashlib.sha256(ident.encode()).digest()[:8])
    first, last = _FIRST[seed % 8], _LAST[seed // 8 % 8]
    number = seed // 64 % 10_000
    return Person(
        first=first,
        last=last,
        phone=f"+1512555{number:04}",
        email=f"{first}.{last}{number}@example.com".lower(),
        street=f"{100 + number % 9000} {_STREETS[seed // 1024 % 5]}",
        wants=_WANTS[seed // 4096 % 4],
    )


def graph(ask: Ask) -> Answer:
    """Answer as Meta's Graph does for a lead: errors are 400 with a code."""
    token = ask.query.get("access_token") or ask.headers.get("authorization", "").removeprefix("Bearer ")
    if token != TOKEN:
        return Answer(400, _graph_error("Invalid OAuth access token.", 190, "OAuthException"))
    ident = ask.path.rsplit("/", 1)[-1]
    person = person_of(ident)
    if person is None:
        said = f"Unsupported get request. Object with ID '{ident}' does not exist"
        return Answer(400, _graph_error(said, 100, "GraphMethodException"))
    answers = {
        "full_name": f"{person.first} {person.last}", "phone_number": person.phone, "email": person.email,
        "street_address": person.street, "city": "Austin", "state": "TX", "zip_code": "78704",
        "what_do_you_need_help_with?": person.wants,
    }  # fmt: skip
    return Answer(
        200,
        {
            "id": ident, "created_time": "2026-11-24T15:00:00+0000", "form_id": "777", "platform": "fb", "is_organic": False,
            "campaign_name": "Spring tune-up", "adset_name": "Homeowners", "ad_name": "Cool house",
            "field_data": [{"name": name, "values": [value]} for name, value in answers.items()],
        },
    )  # fmt: skip


def hubspot(ask: Ask) -> Answer:
    """Answer as the CRM v3 objects API does: one contact, or a batch with 207 where some are missing."""
    if ask.headers.get("authorization") != f"Bearer {TOKEN}":
        said = "Authentication credentials not found."
        return Answer(401, {"status": "error", "message": said, "category": "INVALID_AUTHENTICATION"})
    if ask.path.endswith("/batch/read"):
        asked = json.loads(ask.body or b"{}")
        names = asked.get("properties", [])
        found = [_contact(str(row.get("id")), names) for row in asked.get("inputs", [])]
        there = [contact for contact in found if contact is not None]
        return Answer(200 if len(there) == len(found) else 207, {"status": "COMPLETE", "results": there})
    contact = _contact(ask.path.rsplit("/", 1)[-1], ask.query.get("properties", "").split(","))
    if contact is None:
        return Answer(404, {"status": "error", "message": "resource not found", "category": "OBJECT_NOT_FOUND"})
    return Answer(200, contact)


def jobber(ask: Ask) -> Answer:
    """Answer as Jobber's GraphQL does: status 200 with `errors`, and null for what is not there."""
    if ask.headers.get("authorization") != f"Bearer {TOKEN}":
        return Answer(401, {"message": "You are not authorized to perform this action"})
    if "x-jobber-graphql-version" not in ask.headers:
        return Answer(200, {"errors": [{"message": "X-JOBBER-GRAPHQL-VERSION is required"}]})
    asked = json.loads(ask.body or b"{}")
    kind = "request" if "request(id:" in asked.get("query", "") else "client"
    ident = str(asked.get("variables", {}).get("id", ""))
    person = person_of(ident)
    if person is None:
        return Answer(200, {"data": {kind: None}})
    address = {"street1": person.street, "city": "Austin", "province": "TX", "postalCode": "78704", "country": "US"}
    client = {
        "id": ident, "firstName": person.first, "lastName": person.last, "companyName": None, "isCompany": False,
        "updatedAt": "2026-11-24T15:00:00Z", "emails": [{"address": person.email, "primary": True}],
        "phones": [{"number": person.phone, "primary": True}], "billingAddress": address,
        "tags": {"nodes": [{"label": "Homeowner"}]},
    }  # fmt: skip
    request = {
        "id": ident,
        "title": person.wants,
        "source": "client_hub",
        "client": client,
        "property": {"address": address},
    }
    cost = {
        "requestedQueryCost": 12, "actualQueryCost": 9,
        "throttleStatus": {"maximumAvailable": 10_000, "currentlyAvailable": 9_991, "restoreRate": 500},
    }  # fmt: skip
    return Answer(200, {"data": {kind: request if kind == "request" else client}, "extensions": {"cost": cost}})


def keap(ask: Ask) -> Answer:
    """Answer as Keap's REST v1 does for a contact."""
    if ask.headers.get("authorization") != f"Bearer {TOKEN}":
        return Answer(401, {"fault": {"faultstring": "Invalid Access Token"}})
    ident = ask.path.rsplit("/", 1)[-1]
    person = person_of(ident)
    if person is None:
        return Answer(404, {"message": "The specified contact could not be found"})
    return Answer(
        200,
        {
            "id": int(ident) if ident.isdigit() else ident, "given_name": person.first, "family_name": person.last,
            "email_addresses": [{"email": person.email, "field": "EMAIL1"}],
            "phone_numbers": [{"number": person.phone, "field": "PHONE1", "type": "Mobile"}],
            "addresses": [{"line1": person.street, "locality": "Austin", "region": "US-TX", "zip_code": "78704", "country_code": "USA", "field": "BILLING"}],
            "custom_fields": [{"id": 12, "content": person.wants}], "last_updated": "2026-11-24T15:00:00.000+0000",
        },
    )  # fmt: skip


def jotform(ask: Ask) -> Answer:
    """Answer as Jotform does for a submission, the titles of its questions with it."""
    if (ask.headers.get("apikey") or ask.query.get("apiKey")) != TOKEN:
        return Answer(
            401, {"responseCode": 401, "message": "You're not authorized to use (/submission-id)", "content": ""}
        )
    ident = ask.path.rsplit("/", 1)[-1]
    person = person_of(ident)
    if person is None:
        return Answer(404, {"responseCode": 404, "message": "Not found", "content": ""})
    answers = {
        "3": {"name": "name", "text": "Your name", "type": "control_fullname", "answer": {"first": person.first, "last": person.last}},
        "4": {"name": "email", "text": "E-mail", "type": "control_email", "answer": person.email},
        "5": {"name": "phoneNumber", "text": "Phone Number", "type": "control_phone", "answer": {"full": person.phone}},
        "6": {"name": "whatCan", "text": "What can we help you with?", "type": "control_textarea", "answer": person.wants},
    }  # fmt: skip
    content = {
        "id": ident,
        "form_id": "2026",
        "created_at": "2026-11-24 10:00:00",
        "status": "ACTIVE",
        "answers": answers,
    }
    return Answer(200, {"responseCode": 200, "message": "success", "content": content})


PREFIX = "/_senders/"
STAND_INS: dict[str, Callable[[Ask], Answer]] = {
    "graph": graph, "hubspot": hubspot, "jobber": jobber, "keap": keap, "jotform": jotform,
}  # fmt: skip
"""Name below `/_senders/` → who answers there."""


def answer(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Answer:
    """Answer a request for `/_senders/{name}/…`; names of headers in any case."""
    name, _, rest = path.removeprefix(PREFIX).partition("/")
    stand_in = STAND_INS.get(name)
    if stand_in is None:
        return Answer(404, {"message": f"no stand-in is called {name!r}; there are {', '.join(STAND_INS)}"})
    asked = {key: values[-1] for key, values in parse_qs(query).items()}
    lowered = {key.lower(): value for key, value in headers.items()}
    return stand_in(Ask(method, unquote(rest), asked, lowered, body))


def _graph_error(message: str, code: int, kind: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "code": code, "fbtrace_id": "AStandIn"}}


def _contact(ident: str, names: list[str]) -> dict[str, Any] | None:
    person = person_of(ident)
    if person is None:
        return None
    values = {
        "firstname": person.first, "lastname": person.last, "email": person.email, "phone": person.phone,
        "address": person.street, "city": "Austin", "state": "TX", "zip": "78704", "message": person.wants,
    }  # fmt: skip
    properties = {name: values.get(name) for name in names if name} | {"hs_object_id": ident}
    return {"id": ident, "properties": properties, "createdAt": "2026-11-24T15:00:00Z", "archived": False}
