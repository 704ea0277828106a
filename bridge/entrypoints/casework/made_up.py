"""Personal data replaced by made-up data, the same by the same, so that a real delivery can stand in a test. Pure."""

import json
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from bridge.domain.inquiry import Attribution, Inquiry, PostalAddress
from bridge.reports.masking import EMAIL, KINDS, PHONE, SAFE

_GIVEN = ("Robin", "Casey", "Jamie", "Morgan", "Avery", "Quinn", "Rowan", "Skyler")
_SURNAMES = ("Sample", "Demo", "Madeup", "Fiction", "Placeholder", "Example", "Trial", "Dummy")
_STREETS = ("Invented", "Imaginary", "Pretend", "Fabled")
_CITY, _ZIP = "Springfield", "62701"
_TOKEN = re.compile(r"[A-Za-z][\w.:/-]{0,39}")
_PLACES = frozenset({"lat", "latitude", "lng", "lon", "long", "longitude"})
_EXTENSION = re.compile(r"(\s*(?:ext\.?|x|#)\s*)(?=\d)", re.IGNORECASE)
_SECRET = re.compile(r"sig|auth|token|key|secret|cookie|forward|ip$|^via$|host", re.IGNORECASE)
_CLICKS = ("gclid", "gbraid", "wbraid", "fbclid", "msclkid", "ga_client_id")
_NAME = re.compile(r"[A-Z][a-z]+(?:[ '-][A-Z][a-z]+)*")
"""What looks like somebody's name where nothing says what it is."""
_PERSONAL = re.compile(r"name|nick|first|last|spouse|partner|user|login|birth|member", re.IGNORECASE)
_CODES = re.compile(
    r"form|event|campaign|field|source|type|page|lead|utm|column|object|status|last_?(?:mod|upd|ev|act)", re.IGNORECASE
)
"""Keys whose single words are a person's, but for those that name a sender's own things."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_A_DAY = "1990-01-01"
_LOCAL = 7
"""Digits of a number without its area code."""
_FREE = ("message", "note", "text", "consent", "preferred_time", "service")


class MadeUp:
    """Replaces what is personal in one delivery. `keeps` are phrases the config asks for: they stay in free text."""

    def __init__(
        self, inquiries: Iterable[Inquiry], places: Iterable[PostalAddress] = (), *, keeps: Iterable[str] = ()
    ) -> None:
        self._keeps = sorted({text for text in keeps if len(text) > 2}, key=lambda text: (-len(text), text))
        self._whole: dict[str, str] = {}
        self._words: dict[str, str] = {}
        self._phones: dict[str, str] = {}
        self._emails: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._labels: set[str] = set()
        self._real: set[str] = set()
        people = list(inquiries)
        for one in people:
            self._real |= {word.casefold() for word in _names(one)}
        for one in people:
            self._learn(one)
        for place in places:
            self._place(place)

    def name(self, text: str) -> str:
        """Return a made-up name for a name, word by word; each word has one."""
        words = text.split()
        for place, word in enumerate(words):
            pool = _GIVEN if place == 0 and len(words) > 1 else _SURNAMES
            self._word(word, pool)
        return " ".join(self._words.get(word.casefold(), "Q") for word in words)

    def leaf(self, text: str, *, key: str = "") -> str:
        """Return what may stand in a test instead of one text of a payload."""
        if not text.strip() or text in self._labels:
            return text
        if text.strip().casefold() in self._whole:
            return self._whole[text.strip().casefold()]
        if text[:1] in "{[" and (inner := _decoded(text)) is not None:
            return json.dumps(self.tree(inner))
        changed = self.sub(text)
        if changed == text and self._may_stay(text, key):
            return text
        is_text = len(changed.split()) > 4 or changed == text
        return self.text(text) if is_text and "://" not in text[:9] else changed

    def tree(self, value: Any, *, key: str = "") -> Any:
        """Return a payload with every personal leaf replaced."""
        if isinstance(value, str):
            return self.leaf(value, key=key)
        if isinstance(value, dict):
            return {name: self.tree(item, key=str(name)) for name, item in value.items()}
        if isinstance(value, list):
            return [self.tree(item, key=key) for item in value]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return self._number(value, key)
        return value

    def body(self, raw: bytes, content_type: str) -> Any:
        """Return a body as a test says it: a block for JSON, else a text; raise UnicodeDecodeError."""
        text = raw.decode()
        data = _decoded(text)
        if isinstance(data, dict | list):
            return self.tree(data)
        if "x-www-form-urlencoded" in content_type:
            pairs = parse_qsl(text, keep_blank_values=True)
            return urlencode([(name, self.leaf(value, key=name)) for name, value in pairs])
        for real in sorted(self._whole, key=len, reverse=True):
            text = re.sub(re.escape(real), lambda hit: self._whole[hit[0].casefold()], text, flags=re.IGNORECASE)
        return self.sub(text)

    def headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return the headers a connector may read, without proofs and traces of the sender's network."""
        kept = {name: value for name, value in headers if name.startswith("x-") or "hook" in name or "event" in name}
        kept = {name: self.leaf(value, key=name) for name, value in kept.items() if not _SECRET.search(name)}
        return {**{name: value for name, value in headers if name == "content-type"}, **kept}

    def query(self, query: str) -> str:
        """Return a query string without secrets and people."""
        pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if not _SECRET.search(pair[0])]
        return urlencode(
            [
                (name, self.text(value) if _NAME.fullmatch(value) else self.leaf(value, key=name))
                for name, value in pairs
            ]
        )

    def sub(self, text: str) -> str:
        """Return a text with every phone, e-mail and known personal word in it replaced."""
        text = EMAIL.sub(lambda hit: self.email(hit[0]), text)
        text = PHONE.sub(lambda hit: self.phone(hit[0]) if 7 <= len(_digits(hit[0])) <= 15 else hit[0], text)
        return self._named(text)

    def email(self, text: str) -> str:
        """Return a made-up e-mail address."""
        if text.casefold() in self._emails.values():
            return text
        return self._emails.setdefault(text.casefold(), f"person{len(self._emails) + 1}@example.com")

    def phone(self, text: str) -> str:
        """Return a made-up phone number, written like the real one."""
        text, extension, _ = _EXTENSION.split(text, maxsplit=1) if _EXTENSION.search(text) else (text, "", "")
        digits = _digits(text)
        if digits[-10:] in self._phones.values() or SAFE.fullmatch(text):
            return text
        made = self._phones.setdefault(digits[-10:], f"202555{100 + len(self._phones) % 100:04}")
        new = iter(digits[:-10] + made[-len(digits[-10:]) :])
        return re.sub(r"\d", lambda _: next(new), text) + (f"{extension}1" if extension else "")

    def text(self, text: str) -> str:
        """Return made-up words for a free text, with the phrases of the config that stood in it."""
        known = self._texts.get(text.strip().casefold())
        if known is None:
            stay = [phrase for phrase in self._keeps if phrase.casefold() in text.casefold()]
            stay = [phrase for phrase in stay if not self._real & set(re.findall(r"\w+", phrase.casefold()))]
            known = "; ".join([f"Made-up text {len(self._texts) + 1}", *stay])
            self._texts[text.strip().casefold()] = known
        return known

    def _learn(self, inquiry: Inquiry) -> None:
        person = inquiry.person
        for name in filter(None, (person.name, person.display_name, f"{person.given_name} {person.surname}".strip())):
            self._whole[name.casefold()] = self.name(name)
        if person.company:
            self._whole[person.company.casefold()] = f"Made-up Company {len(self._whole) + 1}"
        for value in person.phones:
            self._whole[value.casefold()] = self.phone(value)
        for value in person.emails:
            self._whole[value.casefold()] = self.email(value)
        self._place(person.address)
        for name in _FREE:
            if value := getattr(inquiry, name, ""):
                self._whole.setdefault(value.strip().casefold(), self._kept(value) or self.text(value))
        answers = [(answer.label, answer.value) for answer in getattr(inquiry, "answers", ())]
        fields = getattr(inquiry, "fields", {})
        self._labels |= {label for label, _ in answers} | set(fields)
        for _, value in (*answers, *fields.items()):
            # A block of the sender's becomes one answer, `first: Ann, nick: Annie`: each of its parts is a text too.
            for part in dict.fromkeys((value, *(part.strip() for part in re.split(r"[:,;]", value)))):
                self._answer(part)
        self._came_from(getattr(inquiry, "attribution", None))

    def _answer(self, value: str) -> None:
        if _DAY.fullmatch(value):
            self._whole.setdefault(value, _A_DAY)
        elif len(value) > 2 and not SAFE.fullmatch(value) and not EMAIL.fullmatch(value):
            self._whole.setdefault(value.strip().casefold(), self._kept(value) or self.text(value))

    def _came_from(self, said: Attribution | None) -> None:
        """Make up what tells one visitor from another: click ids, and the pages that were looked at."""
        for name in _CLICKS:
            if value := getattr(said, name, ""):
                self._whole.setdefault(value.casefold(), self._kept(value) or f"made-up-{name}")
        for name in ("referrer", "landing_page"):
            if (value := getattr(said, name, "")).startswith(("http://", "https://")):
                parts = urlsplit(value)
                stay = [phrase for phrase in self._keeps if phrase.casefold() in value.casefold() and " " not in phrase]
                self._whole.setdefault(value.casefold(), f"{parts.scheme}://{parts.hostname}/{'/'.join(stay)}")

    def _place(self, place: PostalAddress) -> None:
        street = f"{101 + len(self._whole)} {_STREETS[len(self._whole) % len(_STREETS)]} St"
        for value, made in ((place.street, street), (place.unit, "Unit 1"), (place.city, _CITY), (place.zip, _ZIP)):
            if value:
                made_up = self._whole.setdefault(value.casefold(), made)
                if len(value) > 2:
                    self._words.setdefault(value.casefold(), made_up)
        if place.raw:
            self._whole.setdefault(place.raw.casefold(), self.sub(place.raw))

    def _kept(self, text: str) -> str:
        """Return a text the config itself says: it is no person's."""
        return text if text.casefold() in {phrase.casefold() for phrase in self._keeps} else ""

    def _word(self, word: str, pool: tuple[str, ...]) -> None:
        if len(word) > 1 and word.casefold() not in self._words:
            free = [name for name in pool if name.casefold() not in self._real and name not in self._words.values()]
            self._words[word.casefold()] = free[0] if free else f"{pool[0]}{len(self._words)}"

    def _named(self, text: str) -> str:
        for real in sorted(self._words, key=len, reverse=True):
            made = self._words[real]
            text = re.sub(rf"(?<!\w){re.escape(real)}(?!\w)", made, text, flags=re.IGNORECASE)
        return text

    def _may_stay(self, text: str, key: str) -> bool:
        if (
            SAFE.fullmatch(text)
            or self._kept(text)
            or key.casefold() in KINDS
            or text.startswith(("http://", "https://"))
        ):
            return True
        if _PERSONAL.search(key) and not _CODES.search(key):
            return False
        return _TOKEN.fullmatch(text) is not None or (text.isdecimal() and len(text) < 7)

    def _number(self, value: float, key: str) -> float:
        if key.casefold() in _PLACES:
            return 39.8
        digits = str(value)
        if len(digits) == _LOCAL and any(known.endswith(digits) for known in self._phones):
            return int(self._phones[next(known for known in self._phones if known.endswith(digits))][-_LOCAL:])
        if digits[-10:] in self._phones or digits in self._whole:
            made = self.phone(digits) if digits[-10:] in self._phones else self._whole[digits]
            return int(made) if made.isdecimal() else 0
        return value


def _names(inquiry: Inquiry) -> Iterable[str]:
    person = inquiry.person
    return f"{person.display_name} {person.given_name} {person.surname} {person.company} {person.address.city}".split()


def _digits(text: str) -> str:
    return re.sub(r"\D", "", text)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
