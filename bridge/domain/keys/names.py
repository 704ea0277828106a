"""Names of people, couples, companies and nobody, as comparable tokens."""

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

MAX_NAME = 240
"""Letters read of a name; who sends ten thousand sends no name."""
MAX_TOKENS = 12
MAX_PEOPLE = 4


class NameKind(StrEnum):
    """What a name is the name of."""

    PERSON = "person"
    COMPANY = "company"
    PLACEHOLDER = "placeholder"
    """New Homeowner, Test Test: somebody had to fill a field."""
    ABSENT = "absent"


class PersonKey(NamedTuple):
    """One person's name folded: given and middle may be empty; `surname` may be of several parts; `suffix` is jr, sr, ii..."""

    given: str
    middle: str
    surname: str
    suffix: str


class NameKey(NamedTuple):
    """A name field read: its kind, the people in it, and a company's telling tokens."""

    kind: NameKind
    people: tuple[PersonKey, ...]
    company: tuple[str, ...]
    full: str


ABSENT_NAME = NameKey(NameKind.ABSENT, (), (), "")

_LETTERS = str.maketrans({"ß": "ss", "ø": "o", "đ": "d", "ł": "l", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i"})
_WORDS = re.compile(r"[^\W_]+(?:['’`][^\W_]+)*")
_APOSTROPHES = re.compile(r"['’`]")
_ASIDE = re.compile(r"\([^)]{0,200}\)|\[[^\]]{0,200}\]|\"[^\"]{0,80}\"|\bc/o\b|\battn\b:?", re.IGNORECASE)
_COUPLE = re.compile(r"\s*(?:&|\+|/|;|\band\b|\by\b(?=\s+\w+\s+\w))\s*", re.IGNORECASE)
_TITLES_TEXT = """
mr mrs ms miss mx dr prof rev fr sir madam hon pastor mister doctor sgt capt lt col maj
"""
_TITLES = frozenset(_TITLES_TEXT.split())
_SUFFIXES = {
    "jr": "jr",
    "junior": "jr",
    "sr": "sr",
    "senior": "sr",
    "ii": "ii",
    "iii": "iii",
    "iv": "iv",
    "2nd": "ii",
    "3rd": "iii",
}
_DEGREES_TEXT = """
phd md esq dds dvm cpa jd rn dmd od pe
"""
_DEGREES = frozenset(_DEGREES_TEXT.split())
_LEGAL_TEXT = """
llc inc incorporated corp corporation ltd limited co company lp llp pllc pc plc gmbh dba lllp pa na the of and
at for
"""
_LEGAL = frozenset(_LEGAL_TEXT.split())
_COMPANY_TEXT = """
llc inc incorporated corp corporation ltd limited lp llp pllc plc company properties property management mgmt
mgt realty realtors realtor group apartments apartment apts condos condominium condominiums hoa association
assoc assn church school trust bank restaurant burgers pizza cafe grill bar hotel motel inn suites storage
plumbing heating electric electrical roofing construction builders contractors contracting services service
svc svcs solutions systems enterprises holdings partners partnership investments investment capital ventures
homes development developers rentals leasing clinic dental medical hospital pharmacy center centre salon spa
fitness gym academy university college county foundation ministries ministry temple mosque synagogue supply
supplies wholesale foods market store stores shop auto automotive motors tire cleaners laundry daycare
landscaping lawn hvac mechanical insurance agency associates law firm consulting technologies technology
software labs media studio studios designs design warehouse logistics trucking transport farms ranch winery
brewery bakery diner kitchen deli industries manufacturing mfg international global usa franchise department
dept office offices plaza mall tower towers village commons estates maintenance housing authority isd district
cemetery museum
"""
_COMPANY = frozenset(_COMPANY_TEXT.split())
_SURNAMES_TOO_TEXT = """
church temple bank bar law farms school market store mall tower grill studio college foods homes shop inn
"""
_SURNAMES_TOO = frozenset(_SURNAMES_TOO_TEXT.split())
"""Company words that are also surnames: they decide only beside another sign."""
_LONG = {"mgmt": "management", "mgt": "management", "assoc": "association", "assn": "association", "svc": "service",
         "svcs": "service", "services": "service", "apts": "apartments", "apartment": "apartments", "properties": "property",
         "intl": "international", "mfg": "manufacturing", "bldg": "building", "ctr": "center", "centre": "center",
         "condo": "condominiums", "condos": "condominiums", "condominium": "condominiums", "dept": "department",
         "bros": "brothers", "natl": "national", "tech": "technology", "technologies": "technology", "elec": "electric",
         "const": "construction", "univ": "university", "hosp": "hospital", "realtors": "realty", "realtor": "realty"}  # fmt: skip
_NOBODY_TEXT = """
new home homeowner owner homeowners owners house current resident residents occupant tenant tenants unknown
unkown test testing tester customer client cash walk in walkin do not use na n a none no name noname null nil
vacant property future anonymous caller wireless private blocked restricted unavailable asdf asdfg qwerty xxx
xx tbd tba lead prospect placeholder dummy fake sample demo temp temporary guest visitor person someone nobody
somebody undefined first last fname lname firstname lastname fullname your valued sir madam google facebook
user buyer seller call out area toll free number phone inquiry form website web online delete deleted
duplicate dup merged inactive
"""
_NOBODY = frozenset(_NOBODY_TEXT.split())
_NO_GIVEN_TEXT = """
girl boy baby male female lady man woman mother father mom dad son daughter dau hijo hija child kid wife husband spouse brother
sister niece nephew aunt uncle grandson granddaughter grandchild grandma grandpa grandmother grandfather cousin inmate patient
resident adult minor youngest oldest eldest middle older younger teen infant newborn senor senora senorita mr mrs ms miss sir
roommate tenant renter owner occupant respondent householder person people friend student lodger boarder guest house home unknown
unk none refused anonymous noname nfn fnu other relative partner girlfriend boyfriend stepson stepdaughter son1 doctor officer
employee worker president unborn question xxx xx respondent respondant one two three four five six seven eight nine ten first fname firstname first_name test
"""
_NO_GIVEN = frozenset(_NO_GIVEN_TEXT.split())
_NO_SURNAME_TEXT = """
male female lady woman mother father mom dad son daughter dau wife husband sister brother girl boy baby kid inmate patient resident
adult occupant respondent householder person people renter tenant owner house household home family unknown unk none refused
anonymous noname lnu nln dont know name names last lastname lname surname of the in at over under or more plus one two three four
five six seven eight nine ten hospital domestic minor teen student roommate lodger boarder guest nephew niece old years year age
old- test customer homeowner hijo hija senor senora no not given declined xxx xx respondent respondant
"""
_NO_SURNAME = frozenset(_NO_SURNAME_TEXT.split())
_PARTICLES_TEXT = """
de la del der den van von da di du dos das le los las el al bin ibn st san santa mac mc ter ten op
"""
_PARTICLES = frozenset(_PARTICLES_TEXT.split())

_TWO_WORDS = re.compile(r"[A-Za-z]{2,30} [A-Za-z]{2,30}")
_TELLING = _NOBODY | _COMPANY | _TITLES | _SUFFIXES.keys() | _DEGREES | {"and", "attn"}
"""Words that make a name something else than a given name and a surname."""


def fold(text: str) -> str:
    """Return text in lower case without accents, letters of other scripts kept; repeating it changes nothing."""
    if text.isascii():
        return text.lower()
    lower = unicodedata.normalize("NFKD", text[:4000]).casefold().translate(_LETTERS)
    return unicodedata.normalize(
        "NFC", "".join(c for c in unicodedata.normalize("NFKD", lower) if not unicodedata.combining(c))
    )


def words(text: str) -> list[str]:
    """Return the words of a text folded, apostrophes closed up (O'Brien → obrien), at most a name's worth."""
    return [_APOSTROPHES.sub("", word) for word in _WORDS.findall(fold(text[:MAX_NAME]))[:MAX_TOKENS]]


def is_no_given(text: str) -> bool:
    """Tell whether a folded given name is what is written for one that nobody knows: `girl`, `lady of the`, `three`."""
    tokens = text.split()
    return (
        bool(tokens) and tokens[0] in _NO_GIVEN and all(token in _NO_GIVEN or token in _NO_SURNAME for token in tokens)
    )


def is_no_surname(text: str) -> bool:
    """Tell whether a folded surname is what is written for one that nobody knows: `of the home`, `dont know`, `four`."""
    tokens = text.split()
    return bool(tokens) and all(token in _NO_SURNAME for token in tokens)


def name_tokens(raw: str) -> tuple[str, ...]:
    """Return the telling words of a name: folded, without titles, suffixes and degrees."""
    return tuple(
        word
        for word in words(_ASIDE.sub(" ", raw[:MAX_NAME]))
        if word not in _TITLES and word not in _SUFFIXES and word not in _DEGREES
    )


def _person(tokens: list[str], *, comma_at: int = 0) -> PersonKey:
    """Return the person of some tokens; `comma_at` is how many stood before a comma (Smith, John), 0 without one."""
    suffix = next((_SUFFIXES[token] for token in tokens if token in _SUFFIXES), "")
    if comma_at:
        head = [token for token in tokens[:comma_at] if token not in _SUFFIXES and token not in _TITLES]
        tail = [
            token
            for token in tokens[comma_at:]
            if token not in _SUFFIXES and token not in _TITLES and token not in _DEGREES
        ]
        if tail:
            return PersonKey(tail[0], " ".join(tail[1:]), " ".join(head), suffix)
        tokens = head
    titled = any(token in _TITLES for token in tokens)
    plain = [token for token in tokens if token not in _SUFFIXES and token not in _TITLES and token not in _DEGREES]
    if not plain:
        return PersonKey("", "", "", suffix)
    if len(plain) == 1:
        return PersonKey("", "", plain[0], suffix) if titled else PersonKey(plain[0], "", "", suffix)
    start = len(plain) - 1
    while start > 1 and (plain[start - 1] in _PARTICLES):
        start -= 1
    return PersonKey(plain[0], " ".join(plain[1:start]), " ".join(plain[start:]), suffix)


def company_tokens(raw: str) -> tuple[str, ...]:
    """Return a company's telling words in their order, abbreviations spelt out, legal forms dropped unless nothing else is left."""
    plain = [_LONG.get(word, word) for word in words(raw.replace(".", "") if len(raw) < MAX_NAME else raw)]
    telling = tuple(word for word in plain if word not in _LEGAL)
    return telling or tuple(plain)


def _is_company(tokens: list[str]) -> bool:
    """Tell whether the words are a company's: a company word that is no mere surname, or a number among several words."""
    signs = [token for token in tokens if token in _COMPANY]
    if not signs:
        return len(tokens) > 1 and any(token.isdigit() for token in tokens)
    if any(token not in _SURNAMES_TOO for token in signs):
        return len(tokens) > 1
    return len(signs) > 1 or len(tokens) > 2


def _people(raw: str) -> tuple[PersonKey, ...]:
    """Return the people named: couples share the last surname where one is short of it."""
    people: list[PersonKey] = []
    for part in _COUPLE.split(raw)[:MAX_PEOPLE]:
        tokens = words(part)
        if not tokens:
            continue
        head, comma, _ = part.partition(",")
        at = len(words(head)) if comma else 0
        after = tokens[at:]
        if at and all(token in _SUFFIXES or token in _DEGREES for token in after):
            at = 0
        person = _person(tokens, comma_at=at)
        if person.given or person.surname:
            people.append(person)
        elif any(token in _TITLES for token in tokens):
            people.append(PersonKey("", "", "", ""))
    shared = next((person.surname for person in reversed(people) if person.surname), "")
    return tuple(
        person if person.surname or len(people) == 1 else person._replace(surname=shared)
        for person in people
        if person.given or person.surname or shared
    )


@lru_cache(maxsize=1024)
def read_name(raw: str) -> NameKey:
    """Return a whole name read: one person, a couple, a company, a placeholder or nothing."""
    if _TWO_WORDS.fullmatch(raw):
        full = raw.lower()
        given, surname = full.split()
        if given not in _TELLING and surname not in _TELLING and "attn" not in full:
            return NameKey(NameKind.PERSON, (PersonKey(given, "", surname, ""),), (), full)
    text = raw[:MAX_NAME]
    if "(" in text or "[" in text or '"' in text or "/" in text or "attn" in text.lower():
        text = _ASIDE.sub(" ", text)
    tokens = words(text)
    if not tokens:
        return ABSENT_NAME
    full = " ".join(tokens)
    if all(token in _NOBODY or token.isdigit() for token in tokens) or (len(set(tokens)) == 1 and len(tokens[0]) == 1):
        return NameKey(NameKind.PLACEHOLDER, (), (), full)
    if _is_company(tokens):
        return NameKey(NameKind.COMPANY, (), company_tokens(text), full)
    people = _people(text)
    return NameKey(NameKind.PERSON, people, (), full) if people else ABSENT_NAME


@lru_cache(maxsize=1024)
def read_parts(given: str, surname: str) -> NameKey:
    """Return the person of two fields; where one holds everything, it is read as a whole name."""
    if not given.strip() or not surname.strip():
        return read_name(given or surname) if given.strip() or " " in surname.strip() else _surname_only(surname)
    first, last = words(_ASIDE.sub(" ", given[:MAX_NAME])), words(_ASIDE.sub(" ", surname[:MAX_NAME]))
    tokens = first + last
    if not tokens:
        return ABSENT_NAME
    full = " ".join(tokens)
    if all(token in _NOBODY for token in tokens):
        return NameKey(NameKind.PLACEHOLDER, (), (), full)
    if _is_company(tokens) and not _is_company(last):
        return NameKey(NameKind.COMPANY, (), company_tokens(f"{given} {surname}"), full)
    if _COUPLE.search(given):
        return NameKey(NameKind.PERSON, _people(f"{given[:MAX_NAME]} {surname[:MAX_NAME]}"), (), full)
    suffix = next((_SUFFIXES[token] for token in last + first if token in _SUFFIXES), "")
    first = [token for token in first if token not in _TITLES and token not in _SUFFIXES and token not in _DEGREES]
    last = [token for token in last if token not in _SUFFIXES and token not in _DEGREES] or last[:1]
    if not first:
        return NameKey(NameKind.PERSON, (PersonKey("", "", " ".join(last), suffix),), (), full)
    person = PersonKey(first[0], " ".join(first[1:]), " ".join(last), suffix)
    return NameKey(NameKind.PERSON, (person,), (), full)


def _surname_only(surname: str) -> NameKey:
    """Return what a lone surname says."""
    tokens = words(surname)
    if not tokens:
        return ABSENT_NAME
    if all(token in _NOBODY for token in tokens):
        return NameKey(NameKind.PLACEHOLDER, (), (), " ".join(tokens))
    return NameKey(NameKind.PERSON, (PersonKey("", "", " ".join(tokens), ""),), (), " ".join(tokens))
