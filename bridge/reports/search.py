"""The search box: one text, as an office manager types it, to terms. Pure: `now` and the tenant's zone are given."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from bridge.domain.values import email_address, phone_e164

AROUND = timedelta(minutes=5)
"""How far from a bare time of day a delivery may be: people remember the minute, roughly."""

OUTCOMES = (
    "received", "working", "retrying", "held", "review", "failed", "booked", "updated", "filtered", "duplicate", "rejected",
)  # fmt: skip
MATCHES = {"known": "matched", "several": "ambiguous", "new": "unmatched", "none": ""}
"""What was said of the person: the word of `match:` → the match as it is kept."""

QUALIFIERS = {
    "source": "the source it came through",
    "outcome": "what became of it, several with commas: " + ", ".join(OUTCOMES),
    "match": "who it was said to be: " + ", ".join(MATCHES),
    "proof": "verified or unsigned",
    "reason": "a reason slug",
    "campaign": "the campaign it names",
    "after": "received at or after a day or time",
    "before": "received before a day or time",
    "phone": "a phone number or its last digits",
    "email": "an e-mail address",
    "name": "words of the name",
    "zip": "a ZIP code",
    "id": "an id of ours, the sender's or ServiceTitan's",
    "event": "the sender's event type",
    "trace": "a trace id",
}
"""Qualifier → what it looks for; `payload.some.path:value` looks into the payload."""


class Term(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing to look for; `said` is how it was understood, shown under the search box."""

    kind: str
    value: str = ""
    negated: bool = False
    start: datetime | None = None
    end: datetime | None = None
    said: str = ""


class Query(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A search, all terms of which must hold; `notes` tell what was not understood."""

    text: str = ""
    terms: tuple[Term, ...] = ()
    notes: tuple[str, ...] = ()

    def only(self, kind: str) -> str:
        """Return the value of the single positive term of a kind, empty for none."""
        found = [term.value for term in self.terms if term.kind == kind and not term.negated]
        return found[0] if len(found) == 1 else ""


class Local(NamedTuple):
    """What reading depends on: the moment, the tenant's time zone, its phone region."""

    now: datetime
    time_zone: str = "UTC"
    region: str = "US"


_TOKEN = re.compile(r'(?P<minus>-)?(?:(?P<key>[A-Za-z_][\w.\-\[\]]*):)?(?P<value>"[^"]*"?|\S+)')
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = rf"(?:today|yesterday|{'|'.join(f'{day[:3]}(?:{day[3:]})?' for day in _DAYS)}|\d{{4}}-\d\d-\d\d|\d{{1,2}}/\d{{1,2}}(?:/\d{{2,4}})?)"
_CLOCK = r"(?:[01]?\d|2[0-3])(?::[0-5]\d(?::[0-5]\d)?\s?(?:[ap]m?)?|\s?[ap]m)"
_WHEN = re.compile(
    rf"(?<![\w/-])(?:(?P<day>{_DAY})(?:[ T,]+(?:at\s+)?(?P<at>{_CLOCK}))?|(?P<time>{_CLOCK}))(?![\w/-])", re.IGNORECASE
)
_EMAIL = re.compile(r"[^\s<>,;\"]+@[^\s<>,;\"]+\.[^\s<>,;\"]+")
_PHONE = re.compile(
    r"(?<![\w-])\+?\(?\d[\d\s().\-]{5,18}\d(?:\s*(?:ext\.?|extension|x)\s*\d{1,6})?(?![\w-])", re.IGNORECASE
)
_LOCAL_PHONE = 8
"""Digits a phone is written with at most where its area is left out: it is found by how it ends."""
# What people write around the thing itself, or the other way round: "14:05 yesterday", "booking 500000", "tel:+1512…".
_TIME_FIRST = re.compile(rf"(?<![\w/:-])({_CLOCK})\s+(?:on\s+)?({_DAY})(?![\w/:-])", re.IGNORECASE)
_NOUN = re.compile(
    r"\b(?:booking|contact|customer|delivery|id|job|lead|location|message)\s+#?(?=\d+(?:\s|$))", re.IGNORECASE
)
_SCHEME = re.compile(r"\b(?:tel|sms|mailto):", re.IGNORECASE)
_ID = re.compile(r"(?=\S*\d)[A-Za-z0-9][\w.:\-/=+]{3,199}")


def parse(text: str, local: Local) -> Query:
    """Return what a search text asks for; nothing typed is an error, what is not understood is said in the notes."""
    text = " ".join(_SCHEME.sub("", text.replace("\0", "")).split())[:400]
    terms: list[Term] = []
    notes: list[str] = []
    bare: list[str] = []
    for token in _TOKEN.finditer(text):
        key, value, negated = (token["key"] or "").lower(), token["value"].strip('"'), bool(token["minus"])
        if not key and not negated:
            bare.append(token["value"])
        elif not value:
            continue
        elif not key:
            terms.append(Term(kind="name", value=value, negated=True, said=f"not named {value}"))
        elif key.startswith("payload.") or key in QUALIFIERS:
            found = _qualified(token["key"], value, local, notes)
            terms += [
                msgspec.structs.replace(term, negated=negated, said=f"not: {term.said}" if negated else term.said)
                for term in found
            ]
        elif token["value"].startswith("//") or key.isdigit():
            bare.append(token[0])
        else:
            guess = get_close_matches(key, QUALIFIERS, n=1)
            notes.append(f"There is no qualifier “{key}:”" + (f"; did you mean “{guess[0]}:”?" if guess else "."))
    return Query(text=text, terms=(*_smart(" ".join(bare), local), *terms), notes=tuple(notes))


def _qualified(key: str, value: str, local: Local, notes: list[str]) -> list[Term]:
    name = key.lower()
    if name.startswith("payload."):
        return [Term(kind="payload", value=f"{key[8:]}={value}", said=f"payload {key[8:]} is {value}")]
    if name in {"after", "before"}:
        return _bound(name, value, local, notes)
    if name == "phone":
        return [_phone(value, local)]
    known = {"outcome": OUTCOMES, "match": tuple(MATCHES), "proof": ("verified", "unsigned")}.get(name)
    if known is not None:
        notes += [_no_such(name, word, known) for word in value.lower().split(",") if word not in known]
    lowered = value.lower() if known or name in {"email", "name", "campaign", "reason"} else value
    return [Term(kind=name, value=lowered, said=f"{name} {value.replace(',', ' or ')}")]


def _no_such(name: str, word: str, known: Sequence[str]) -> str:
    guess = get_close_matches(word, known, n=1)
    return f"There is no {name} “{word}”" + (f"; did you mean “{guess[0]}”?" if guess else f": {', '.join(known)}.")


def _bound(name: str, value: str, local: Local, notes: list[str]) -> list[Term]:
    found = _WHEN.fullmatch(value)
    moment = _moment(found, local)[0] if found else _iso(value, local) or _ago(value, local)
    if moment is None:
        notes.append(f"“{value}” is no day or time; write 2026-11-23, yesterday, 14:05 or 7d.")
        return []
    said = f"{name} {moment.astimezone(ZoneInfo(local.time_zone)):%b %-d %H:%M}"
    return [Term(kind="time", start=moment, said=said) if name == "after" else Term(kind="time", end=moment, said=said)]


def _iso(value: str, local: Local) -> datetime | None:
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(local.time_zone))


def _ago(value: str, local: Local) -> datetime | None:
    found = re.fullmatch(r"(\d{1,4})([mhdw])", value)
    unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
    return local.now - timedelta(**{unit[found[2]]: int(found[1])}) if found else None


def _phone(value: str, local: Local) -> Term:
    digits = re.sub(r"\D", "", value)
    if len(digits) <= _LOCAL_PHONE and not value.startswith("+"):
        return Term(kind="phone_end", value=digits, said=f"phone ending {digits}")
    known = phone_e164(value, local.region) or digits
    return Term(kind="phone", value=known, said=f"phone {known}")


def _smart(text: str, local: Local) -> list[Term]:
    """Read words without a qualifier: times, e-mails, phones, numbers, ids; the rest is a name."""
    terms: list[Term] = []
    text = _NOUN.sub("", _TIME_FIRST.sub(r"\2 \1", text))

    def take(pattern: re.Pattern[str], read: object, rest: str) -> str:
        def keep(hit: re.Match[str]) -> str:
            term = read(hit)  # type: ignore[operator]  # a small closure each
            if term is None:
                return hit[0]
            terms.append(term)
            return " "

        return pattern.sub(keep, rest)

    rest = take(
        re.compile(r'"([^"]+)"'), lambda hit: Term(kind="name", value=hit[1].lower(), said=f"name {hit[1]}"), text
    )
    rest = take(_EMAIL, lambda hit: _email(hit[0]), rest)
    rest = take(_WHEN, lambda hit: _time(hit, local), rest)
    rest = take(_PHONE, lambda hit: _looks_phone(hit[0], local), rest)
    words: list[str] = []
    for word in rest.split():
        bare = word.strip(".,;")
        if re.fullmatch(r"#?\d{1,19}", bare):
            terms.append(_number(bare.lstrip("#")))
        elif re.fullmatch(r"\d{5}-\d{4}", bare):
            terms.append(Term(kind="zip", value=bare[:5], said=f"ZIP {bare[:5]}"))
        elif _ID.fullmatch(bare):
            terms.append(Term(kind="id", value=bare, said=f"id {bare}"))
        elif bare:
            words.append(bare)
    if words:
        terms.append(Term(kind="name", value=" ".join(words).lower(), said=f"name {' '.join(words)}"))
    return terms


def _email(text: str) -> Term | None:
    address = email_address(text.strip(".,"))
    return Term(kind="email", value=address, said=f"e-mail {address}") if address else None


def _looks_phone(text: str, local: Local) -> Term | None:
    text = re.split(r"\s*[a-z]", text, maxsplit=1, flags=re.IGNORECASE)[0]  # without its extension
    digits = re.sub(r"\D", "", text)
    is_plain = re.fullmatch(r"\d+", text.strip()) is not None
    if (
        (is_plain and len(digits) not in {10, 11})
        or re.fullmatch(r"\d{5}-\d{4}", text.strip())
        or not 7 <= len(digits) <= 15
    ):
        return None
    if is_plain:  # ten digits may also be an id
        known = phone_e164(digits, local.region) or digits
        return Term(kind="phone_or_id", value=f"{known} {digits}", said=f"phone or id {digits}")
    return _phone(text, local)


def _number(digits: str) -> Term:
    if len(digits) == 4:
        return Term(kind="number", value=digits, said=f"phone ending {digits}, or id {digits}")
    if len(digits) == 5:
        return Term(kind="number", value=digits, said=f"ZIP or id {digits}")
    if len(digits) == 7:
        return Term(kind="number", value=digits, said=f"id {digits}, or phone ending so")
    return Term(kind="number", value=digits, said=f"id {digits}")


def _time(hit: re.Match[str], local: Local) -> Term | None:
    start, end = _moment(hit, local)
    if start is None:
        return None
    zone = ZoneInfo(local.time_zone)
    if end is not None:
        said = f"on {start.astimezone(zone):%A, %b %-d}"
        return Term(kind="time", start=start, end=end, said=said)
    said = f"around {start.astimezone(zone):%H:%M on %A, %b %-d} (± 5 minutes)"
    return Term(kind="time", start=start - AROUND, end=start + AROUND + timedelta(minutes=1), said=said)


def _moment(hit: re.Match[str], local: Local) -> tuple[datetime | None, datetime | None]:
    """Return the moment meant, or the first and last of a whole day. A bare time is the latest such time that is over."""
    zone = ZoneInfo(local.time_zone)
    today = local.now.astimezone(zone).date()
    day = _day((hit["day"] or "").lower(), today)
    written = hit["at"] or hit["time"] or ""
    if day is None and hit["day"]:
        return None, None
    if not written:
        begin = datetime.combine(day or today, time(), zone)
        after = datetime.combine((day or today) + timedelta(days=1), time(), zone)
        return begin.astimezone(UTC), after.astimezone(UTC)
    moment = datetime.combine(day or today, _clock(written), zone)
    if day is None and moment > local.now + AROUND:
        moment = datetime.combine(today - timedelta(days=1), _clock(written), zone)
    return moment.astimezone(UTC), None


def _clock(written: str) -> time:
    found = re.fullmatch(r"(\d{1,2})(?::(\d\d))?(?::(\d\d))?\s?([ap]?)m?", written.lower().strip())
    if found is None:
        return time()
    hour = int(found[1]) % 12 + (12 if found[4] == "p" else 0) if found[4] else int(found[1])
    return time(hour, int(found[2] or 0), int(found[3] or 0))


def _day(word: str, today: date) -> date | None:
    if not word:
        return None
    if word in {"today", "yesterday"}:
        return today - timedelta(days=word == "yesterday")
    for index, name in enumerate(_DAYS):
        if word in {name, name[:3]}:
            return today - timedelta(days=(today.weekday() - index) % 7)
    try:
        if "-" in word:
            return date.fromisoformat(word)
        parts = [int(part) for part in word.split("/")]
        year = today.year if len(parts) < 3 else parts[2] + (2000 if parts[2] < 100 else 0)
        found = date(year, parts[0], parts[1])
        return date(year - 1, parts[0], parts[1]) if len(parts) < 3 and found > today else found
    except ValueError:
        return None
