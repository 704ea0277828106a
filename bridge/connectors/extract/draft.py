"""A draft: what the fields of a payload come to, with the origin of every value; inquiries are made from it.

Fields are placed in the order of how surely they are known: by the connector, by field type, by exact label, by the words of
a label, by the look of the value. What no place takes becomes an answer, so nothing the person wrote is lost.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from bridge.connectors.base import SourceOptions
from bridge.connectors.extract.fields import Field
from bridge.connectors.extract.labels import ADDRESS, ATTRIBUTION, exact_slot
from bridge.connectors.extract.reading import (
    DATE_PARTS,
    PART_OF_DATE,
    PARTS,
    PHONE_INSIDE,
    SEVERAL,
    UNTOLD_PARTS,
    URI_SCHEMES,
    WHOLE_PARTS,
    date_of,
    last_digits,
    text_of,
)
from bridge.connectors.extract.slots import SINGLE, WORDS, slot_of, target_of
from bridge.connectors.payloads import text
from bridge.domain.expressions import ExpressionFault, PlainContext, as_text, evaluate
from bridge.domain.inquiry import (
    MAP_STOPPED,
    Activity,
    ActivityKind,
    Answer,
    Attribution,
    BookingInquiry,
    ContactUpdate,
    Person,
    PostalAddress,
)
from bridge.domain.values import (
    digits_of,
    email_address,
    is_date_only,
    looks_like_phone,
    moment,
    postal_address,
)

MAX_ANSWERS = 200
HIDDEN = "***"
"""What intake writes over a secret in what it keeps."""
_TRUE = frozenset({"true", "yes", "1", "on", "y"})
_FALSE = frozenset({"false", "no", "0", "off", "n"})
_CLOCK = re.compile(
    r"(?:at )?\d{1,2}(?:[:.]\d{2}(?::\d{2})?)?\s*(?:[ap]\.?m\.?)?(?:\s*(?:-|–|to)\s*\S.{0,10})?$", re.IGNORECASE
)
"""A time of day without a day."""


def _words(value: str) -> set[str]:
    return {word.strip("(),.;") for word in value.casefold().split()}


class Draft:
    """What is known so far; `origins` names for each value the place it came from."""

    def __init__(self, options: SourceOptions) -> None:
        self.options = options
        self.values: dict[str, str] = {}
        self.phones: list[str] = []
        self.emails: list[str] = []
        self.answers: list[Answer] = []
        self.origins: dict[str, str] = {}
        self._places: dict[Answer, str] = {}
        self._unread = 0
        self._start = ("", "")
        self.is_test = False
        self.address_object: PostalAddress | None = None

    def place(self, slot: str, field: Field, *, sure: bool) -> bool:  # noqa: PLR0911 - one return per kind of slot
        """Put a field's value into a slot; False where the slot is taken or the value does not look the part."""
        if slot == "meta":
            return True
        if isinstance(field.value, dict):
            return self._place_parts(slot, field)
        value = text_of(field.value)
        if not value:
            return True
        match slot:
            case "email":
                return self._place_emails(field, value)
            case "phone":
                return self._place_phone(field, value, sure=sure)
            case "is_test":
                return self._place_test(field, value.lower())
            case "given_name" | "surname" | "name" | "company" if len(value) > 200:
                return False
            case "preferred_time" | "name" | "given_name" | "surname" if not sure and len(value) > 80:
                return False
            case "name" | "given_name" | "surname" if not sure and (looks_like_phone(value) or email_address(value)):
                return False
            case "address" | "city" | "state" | "zip" | "unit" if not sure and (len(value) > 160 or "@" in value):
                return False
            case _ if slot in SINGLE or slot in ADDRESS or slot in ATTRIBUTION:
                return self._place_single(slot, field, value)
            case _:
                return False

    def _place_test(self, field: Field, value: str) -> bool:
        """Take a flag; a question that is only named like one (`Test: water`) stays an answer."""
        if value in _TRUE and not self.is_test:
            self.is_test, self.origins["is_test"] = True, field.path
        return value in _TRUE or value in _FALSE

    def _place_single(self, slot: str, field: Field, value: str) -> bool:
        known = self.values.get(slot, "")
        if (
            slot == "preferred_time"
            and known
            and len(known) < 40
            and bool(_CLOCK.match(known)) != bool(_CLOCK.match(value))
        ):
            day, hour = (value, known) if _CLOCK.match(known) else (known, value)
            if is_date_only(day):
                self.values[slot] = f"{day} {hour}"
                self.origins[slot] += f", {field.path}"
                return True
        if known:
            if slot in ("landing_page", "referrer"):
                self._read_query(
                    value, field.path
                )  # the form says one page, the builder another: either may hold the click id
            return known == value and slot not in WORDS  # two questions may have the same answer
        self.values[slot] = value
        self.origins[target_of(slot)] = field.path
        if slot in ("landing_page", "referrer"):
            self._read_query(value, field.path)
        return True

    def _read_query(self, url: str, path: str) -> None:
        """Take campaign parameters and click ids out of a page's address; what the sender says itself wins."""
        try:
            pairs = parse_qsl(urlsplit(url).query, max_num_fields=100)
        except ValueError:
            return
        for name, value in pairs:
            slot = exact_slot(name)
            if (
                slot in ATTRIBUTION
                and slot not in ("landing_page", "referrer", "campaign")
                and not self.values.get(slot)
            ):
                self.values[slot] = text(value)
                self.origins[target_of(slot)] = f"{path}?{name}"

    def _place_emails(self, field: Field, value: str) -> bool:
        parts = [part.strip("<>()").removeprefix("mailto:") for part in re.split(r"[,;\s]+", value)]
        found = [part for part in parts if email_address(part)]
        for address in found:
            if address.lower() not in {known.lower() for known in self.emails}:
                self.origins[f"person.emails.{len(self.emails)}"] = field.path
                self.emails.append(address)
        if found and len(found) < len(list(filter(None, parts))):
            self.answer(field.label, value, field.path)  # a remark beside the address
        return bool(found)

    def _place_phone(self, field: Field, value: str, *, sure: bool) -> bool:
        if (
            looks_like_phone(value) and "/" not in value
        ):  # nearly all: the rest is for what people write around a number
            return self._keep_phone(field, value)
        parts = SEVERAL.split(value) if len(value) <= 200 else []
        if len(parts) > 1 and len(several := [part for part in parts if looks_like_phone(part)]) > 1:
            if len(several) < len(parts):
                self.answer(field.label, value, field.path)  # a remark among the numbers
            return all(self._place_phone(field, part, sure=sure) for part in several)
        value = value.partition(":")[2] if value.startswith(URI_SCHEMES) else value
        if not looks_like_phone(value) and (inside := PHONE_INSIDE.findall(value[:500])) and inside != [value]:
            self.answer(field.label, value, field.path)  # a remark beside the number
            return all(self._place_phone(field, part, sure=sure) for part in inside)
        if not (looks_like_phone(value) or (sure and 7 <= len(digits_of(value)) <= 20 and len(value) <= 40)):
            return False
        return self._keep_phone(field, value)

    def _keep_phone(self, field: Field, value: str) -> bool:
        if not self.phones or last_digits(value) not in map(last_digits, self.phones):
            self.origins[f"person.phones.{len(self.phones)}"] = field.path
            self.phones.append(value)
        return True

    def _place_parts(self, slot: str, field: Field) -> bool:
        """Place a compound answer: a name in parts, a phone in parts, an address in parts; what no place took is an answer."""
        parts = {key.lower().replace(" ", "_"): text_of(item) for key, item in field.value.items()}
        is_placed = self._place_whole(slot, field, parts) or self._place_each(field, parts)
        if is_placed:
            held = _words(
                " ".join([*self.values.values(), *self.phones, *self.emails, *(a.value for a in self.answers)])
            )
            for key, value in sorted(parts.items(), key=lambda part: part[0] in WHOLE_PARTS):
                is_told = key in UNTOLD_PARTS or (key in DATE_PARTS and PART_OF_DATE.fullmatch(value))
                if not is_told and not held.issuperset(_words(value)):
                    self.answer(f"{field.label} {key}", value, f"{field.path}.{key}")
                    held |= _words(value)
        return is_placed

    def _place_whole(self, slot: str, field: Field, parts: Mapping[str, str]) -> bool:
        """Place parts that are one value together: a phone, a day and time, a name that is given whole alone."""
        whole = parts.get("full") or parts.get("fullname") or parts.get("firstandlast") or ""
        if slot == "phone" or (not slot and ("area" in parts or "phone" in parts or looks_like_phone(whole))):
            joined = whole or f"({parts.get('area', '')}) {parts.get('phone', '')}"
            return self.place("phone", Field(field.path, field.label, joined), sure=True)
        if (slot == "preferred_time" or (not slot and parts.keys() <= DATE_PARTS)) and (said := date_of(parts)):
            return self.place("preferred_time", Field(field.path, field.label, said), sure=True)
        if whole and not any(parts.get(key) for key in PARTS):
            return self.place(slot or "name", Field(field.path, field.label, whole), sure=True)
        return False

    def _place_each(self, field: Field, parts: Mapping[str, str]) -> bool:
        """Place parts that have places of their own."""
        placed = [
            self._place_single(PARTS[key], Field(f"{field.path}.{key}", field.label, value), value)
            for key, value in parts.items()
            if value and key in PARTS
        ]
        return any(placed) or not any(parts.values())

    def answer(self, label: str, value: Any, path: str) -> None:
        """Keep a question with its answer for the summary; empty ones say nothing, and of too many the rest is counted."""
        said = text_of(value)
        if not said or said == HIDDEN:
            return
        if len(self.answers) >= MAX_ANSWERS:
            self._unread += 1
            return
        if said.startswith("data:"):
            said = f"({said[5:60].partition(';')[0]})"
        told = Answer(text(label) or "Answer", said)
        self.answers.append(told)
        self._places.setdefault(told, path)

    def told(self) -> tuple[Answer, ...]:
        """Return the answers, each with its origin noted; the last one says how many more the delivery holds."""
        self.origins |= {f"answers.{place}": self._places[answer] for place, answer in enumerate(self.answers)}
        more = (Answer("More answers", f"{self._unread} stand in the delivery"),) if self._unread else ()
        return (*self.answers, *more)

    def put(self, slot: str, value: Any, origin: str) -> None:
        """Set a slot to a value, whatever it held: for `map:` and for what a connector knows by itself."""
        said = as_text(value)
        match slot:
            case "email" | "phone":
                known = self.emails if slot == "email" else self.phones
                same = str.lower if slot == "email" else last_digits
                if said:
                    known[:] = [said, *(other for other in known if same(other) != same(said))]
                    self.origins[f"person.{slot}s.0"] = origin
            case "address" if isinstance(value, dict):
                parts = {key: as_text(value.get(key)) for key in PostalAddress.__struct_fields__}
                self.address_object = PostalAddress(**parts)
                self.origins["person.address"] = origin
            case "is_test":
                self.is_test = said.lower() in _TRUE
                self.origins["is_test"] = origin
            case _:
                self.values[slot] = said
                self.origins[target_of(slot)] = origin

    def starts(self, value: Any, path: str) -> None:
        """Note the start that the sender itself gives, for what the config and the person leave open."""
        self._start = (value.isoformat() if isinstance(value, datetime) else text(value), path)

    def apply_config(self, context: Mapping[str, Any]) -> None:
        """Let the config's `map:` override and its `defaults:` fill; a mapping that fails is told in the origins."""
        context = PlainContext(context) if self.options.map else context
        for target, expression in self.options.map.items():
            slot = slot_of(target)
            try:
                value = evaluate(expression, context)
            except ExpressionFault as fault:
                self.origins[target_of(slot)] = f"{MAP_STOPPED if fault.is_stopped else 'map failed: '}{fault}"
                continue
            if value not in (None, "", [], {}):
                self.put(slot, value, f"map: {expression}")
                said = as_text(value)
                self.answers = [answer for answer in self.answers if answer.value != said]
        for target, value in self.options.defaults.items():
            slot = slot_of(target)
            known = self.emails if slot == "email" else self.phones if slot == "phone" else self.values.get(slot)
            if not known:
                self.put(slot, value, "default")

    def person(self) -> Person:
        """Return who asks: a lone `name` beside a surname is the given name."""
        given, name, surname = (self.values.get(slot, "") for slot in ("given_name", "name", "surname"))
        if name and surname and not given and surname.lower() not in name.lower():
            given, name = name, ""
            self.origins["person.given_name"] = self.origins.pop("person.name", "")
        return Person(
            name=name, given_name=given, surname=surname, company=self.values.get("company", ""),
            phones=tuple(self.phones), emails=tuple(self.emails), address=self.address(),
        )  # fmt: skip

    def address(self) -> PostalAddress:
        """Return the address: its parts where they came apart, else what can be read of the one text."""
        if self.address_object is not None:
            return self.address_object
        street, unit, city, state, postal, country = (self.values.get(slot, "") for slot in ADDRESS[1:])
        whole = self.values.get("address", "")
        if whole and not street:
            read = postal_address(whole)
            if not (city or postal):
                return msgspec.structs.replace(
                    read, unit=unit or read.unit, state=state or read.state, country=country or read.country
                )
            return PostalAddress(
                street=read.street if read.zip else whole, unit=unit or read.unit, city=city or read.city,
                state=state or read.state, zip=postal or read.zip, country=country, raw=whole,
            )  # fmt: skip
        return PostalAddress(street=street, unit=unit, city=city, state=state, zip=postal, country=country, raw=whole)

    def attribution(self) -> Attribution:
        """Return where the person came from."""
        return Attribution(**{slot: self.values[slot] for slot in ATTRIBUTION if self.values.get(slot)})

    def booking(
        self,
        *,
        key: str,
        record_id: str = "",
        occurred_at: datetime | None = None,
        channel: str = "form",
    ) -> BookingInquiry:
        """Return the wish for service that the draft amounts to."""
        wanted, answers = self.values.get("preferred_time", ""), self.told()
        start, path = self._start
        said = text(self.values.get("preferred_start") or start or wanted)
        when = None if is_date_only(said) and not said.isdigit() else moment(said, time_zone=self.options.time_zone)
        if when is not None:
            self.origins.setdefault("preferred_start", path if start else self.origins.get("preferred_time", ""))
        return BookingInquiry(
            key=key, record_id=record_id, person=self.person(), occurred_at=occurred_at, is_test=self.is_test,
            origins=self.origins, message=self.values.get("message", ""), service=self.values.get("service", ""),
            preferred_start=when, preferred_time=wanted, priority=self.values.get("priority", ""),
            consent=self.values.get("consent", ""), answers=answers, attribution=self.attribution(),
            channel=self.values.get("channel") or channel,
        )  # fmt: skip

    def activity(
        self, kind: ActivityKind, *, key: str, record_id: str = "", occurred_at: datetime | None = None, said: str = "",
        inbound: bool = True, duration_seconds: int | None = None, recording_url: str = "",
    ) -> Activity:  # fmt: skip
        """Return the call, message or form that the draft amounts to."""
        answers = self.told()
        return Activity(
            key=key, record_id=record_id, person=self.person(), occurred_at=occurred_at, is_test=self.is_test,
            origins=self.origins, activity=kind, text=said or self.values.get("message", ""), inbound=inbound,
            duration_seconds=duration_seconds, recording_url=recording_url, answers=answers,
            attribution=self.attribution(),
        )  # fmt: skip

    def contact_update(  # noqa: PLR0913 - a change of a person has this many sides
        self, *, key: str, record_id: str, version: str, occurred_at: datetime | None = None, fields: Mapping[str, Any] | None = None,
        changed: Iterable[str] = (), is_new: bool = False, is_deleted: bool = False, note: str = "",
        tags_added: Iterable[str] = (), tags_removed: Iterable[str] = (),
    ) -> ContactUpdate:  # fmt: skip
        """Return the change of a person that the draft amounts to; empty fields are kept: the sender may have cleared them."""
        return ContactUpdate(
            key=key, record_id=record_id, person=self.person(), occurred_at=occurred_at, is_test=self.is_test,
            origins=self.origins, fields={text(name): text_of(value) for name, value in (fields or {}).items()},
            tags_added=tuple(filter(None, map(text, tags_added))), tags_removed=tuple(filter(None, map(text, tags_removed))),
            note=note, changed=tuple(filter(None, map(text, changed))), is_new=is_new, is_deleted=is_deleted, version=version,
        )  # fmt: skip
