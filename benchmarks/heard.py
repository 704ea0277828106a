"""Leads as a call centre hears and a hurried thumb types them: another noise than that of leads.py, which nobody tuned on.

Names are written as they sound, addresses are spoken, half of a form is left out, mailboxes stand in for numbers; and strangers are
as like a customer as strangers get: a neighbour of the same surname, a flat further, the same first name with the old number.
"""

import random
import re

from leads import Known, Lead, slip

from bridge.domain.inquiry import BookingInquiry, Person, PostalAddress

HEARD = {
    "plain": 14, "as_it_sounds": 10, "spoken_address": 8, "mailbox_only": 7, "new_number": 6, "two_numbers": 5, "autofilled": 5,
    "surname_only": 3, "other_zip": 4, "no_city": 4, "married": 2, "letter_off_mailbox": 3, "no_contact": 3,
    "neighbour": 3, "next_flat": 2, "same_given_old_number": 2, "son_elsewhere": 2, "namesake_in_town": 2, "digit_off_stranger": 2,
    "family_mailbox": 2, "new_owner": 3, "somebody": 8,
}  # fmt: skip
NOBODYS = frozenset(
    ("neighbour", "next_flat", "same_given_old_number", "son_elsewhere", "namesake_in_town", "digit_off_stranger",
     "family_mailbox", "new_owner", "somebody")
)  # fmt: skip
_SOUNDS = (("ph", "f"), ("ck", "k"), ("ee", "ea"), ("th", "t"), ("z", "s"), ("sch", "sh"), ("mc", "mac"), ("ou", "u"), ("c", "k"),
           ("ie", "y"), ("ll", "l"), ("nn", "n"), ("ss", "s"), ("tt", "t"), ("i", "y"), ("u", "oo"), ("e", "i"))  # fmt: skip
_LONG = {
    "St": "Street",
    "Rd": "Rd.",
    "Ave": "Avenue",
    "Ln": "lane",
    "Dr": "drive",
    "Blvd": "boulevard",
    "Ct": "court",
    "Way": "way",
}
_GIVEN = (
    "Ottilie",
    "Bastian",
    "Ximena",
    "Teodor",
    "Marguerite",
    "Kofi",
    "Annika",
    "Raj",
    "Lorna",
    "Desmond",
    "Yuki",
    "Fergus",
)
_SURNAMES = (
    "Aldershaw",
    "Bolanos",
    "Cruickshank",
    "Dragomir",
    "Eastaugh",
    "Fairweather",
    "Gunderson",
    "Hollingberry",
    "Ikeda",
)


def _sounds(word: str, chance: random.Random) -> str:
    """Return a word written otherwise that sounds alike, as it stands where nothing fits."""
    found = [pair for pair in _SOUNDS if pair[0] in word.lower()[1:]]
    if not found:
        return word
    one, other = chance.choice(found)
    return word[0] + word[1:].lower().replace(one, other, 1)


def _spoken(street: str, chance: random.Random) -> str:
    """Return a street as it is said or dictated."""
    number, _, rest = street.partition(" ")
    words = [_LONG.get(word, word) for word in rest.split()]
    form = chance.randrange(4)
    if form == 0:
        return f"{number} {' '.join(words)}".lower()
    if form == 1:
        return f"{number}, {' '.join(words)}"
    if form == 2:
        return f"{number} {words[0]}"
    return f"#{number} {' '.join(words)} (gate code 4412)"


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", phone)[-10:]


def _stranger(chance: random.Random) -> tuple[str, str, str]:
    given, surname = chance.choice(_GIVEN), chance.choice(_SURNAMES) + chance.choice(("", "e", "son", "ov"))
    return given, surname, f"989{chance.randint(2_120_000, 9_999_999)}"


def heard(known: Known, kind: str, number: int, chance: random.Random) -> Lead:
    """Return one lead of a kind made of a mirrored customer."""
    surname, comma, given = known.name.partition(", ")
    if not comma:
        given, _, surname = known.name.partition(" ")
    street, unit, city, state, code = known.street, known.unit, known.city, known.state, known.zip
    digits, mail = _digits(known.phone), known.email
    phones, mails = [f"({digits[:3]}) {digits[3:6]}-{digits[6:]}"], [mail] if chance.random() < 0.5 else []
    other, others, fresh = _stranger(chance)
    match kind:
        case "as_it_sounds":
            surname = _sounds(surname, chance)
            given = _sounds(given, chance) if chance.random() < 0.3 else given
        case "spoken_address":
            street, phones = (
                _spoken(street, chance),
                [digits if chance.random() < 0.5 else f"+1 {digits[:3]} {digits[3:]}"],
            )
        case "mailbox_only":
            phones, mails = phones if not mail else [], [mail.upper() if chance.random() < 0.3 else mail]
            if chance.random() < 0.5:
                street = unit = city = state = code = ""
        case "new_number":
            phones, mails = [fresh], [mail] if chance.random() < 0.5 else []
        case "two_numbers":
            phones = [f"{fresh} or {digits}" if chance.random() < 0.5 else f"{digits} / {fresh} (work)"]
        case "autofilled":
            given, surname = (surname, given) if chance.random() < 0.5 else ("", f"{given} {surname}")
            city, state, code = (f"{city}, {state} {code}", "", "") if chance.random() < 0.3 else (city, state, code)
        case "surname_only":
            given = "" if chance.random() < 0.5 else "Mr."
        case "other_zip":
            code = str(int(code) + chance.choice((-2, -1, 1, 2, 10)))
        case "no_city":
            city, state, code = "", "", code if chance.random() < 0.5 else ""
        case "married":
            surname, mails = others, [mail]
        case "letter_off_mailbox":
            at = mail.find("@")
            phones, mails = phones if not mail else [], [slip(mail[:at], chance) + mail[at:]]
        case "no_contact":
            phones, mails = [], []
        case "neighbour":
            house, _, rest = street.partition(" ")
            given, street, phones, mails = other, f"{int(house) + chance.choice((2, 4, -2))} {rest}", [fresh], []
        case "next_flat":
            surname, phones, mails, unit = others, [fresh], [], f"Apt {chance.randint(40, 90)}"
        case "same_given_old_number":
            surname, mails = others, []
            street, unit = f"{chance.randint(20_000, 90_000)} Larkspur Ter", ""
        case "son_elsewhere":
            given, phones, mails = other, [fresh], []
            street, unit = f"{chance.randint(20_000, 90_000)} Larkspur Ter", ""
        case "namesake_in_town":
            phones, mails, street, unit = [fresh], [], f"{chance.randint(20_000, 90_000)} Larkspur Ter", ""
        case "digit_off_stranger":
            given, surname, mails = other, others, []
            phones, street, unit = [slip(digits, chance)], f"{chance.randint(20_000, 90_000)} Larkspur Ter", ""
        case "family_mailbox":
            given, phones, mails = other, [fresh], [mail]
        case "new_owner" | "somebody":
            given, surname, phones, mails = other, others, [fresh], []
            if kind == "somebody":
                street, unit = f"{chance.randint(20_000, 90_000)} {street.partition(' ')[2]}", ""
    place = PostalAddress(street=street, unit=unit, city=city, state=state, zip=code)
    if kind == "autofilled" or chance.random() < 0.5:
        person = Person(
            given_name=given, surname=surname, phones=tuple(phones), emails=tuple(filter(None, mails)), address=place
        )
    else:
        whole = f"{given} {surname}".strip()
        person = Person(name=whole, phones=tuple(phones), emails=tuple(filter(None, mails)), address=place)
    inquiry = BookingInquiry(key=str(number), person=person)
    return (
        Lead(kind, 0, inquiry) if kind in NOBODYS else Lead(kind, known.id, inquiry, known.location_id if street else 0)
    )
