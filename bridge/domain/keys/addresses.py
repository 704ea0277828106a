"""US and Canadian addresses as comparable parts. A text that does not parse is `unparsed`, never "no address"."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from bridge.domain.keys.names import fold

MAX_ADDRESS = 300


class AddressStatus(StrEnum):
    """How far an address was understood."""

    ABSENT = "absent"
    PARSED = "parsed"
    """House number and street."""
    PARTIAL = "partial"
    """A street without a number, or a number without a street."""
    PO_BOX = "po_box"
    UNPARSED = "unparsed"
    """Something was typed that we cannot read."""


class AddressKey(NamedTuple):
    """An address in comparable parts, folded; empty text is "not given". `street` is the name without direction and suffix."""

    status: AddressStatus
    number: str
    before: str
    street: str
    suffix: str
    after: str
    unit: str
    city: str
    state: str
    zip: str
    """Five digits, a Canadian code of six, or another country's as it came."""


ABSENT_ADDRESS = AddressKey(AddressStatus.ABSENT, "", "", "", "", "", "", "", "", "")

_DIRECTIONS = {"n": "n", "s": "s", "e": "e", "w": "w", "ne": "ne", "nw": "nw", "se": "se", "sw": "sw", "north": "n", "south": "s",
               "east": "e", "west": "w", "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw", "no": "n", "so": "s",
               "nord": "n", "sud": "s", "est": "e", "ouest": "w"}  # fmt: skip
_SUFFIX_LINES = """
aly alley ally allee
anx annex
arc arcade
ave avenue av aven avenu avn avnue
bch beach
bnd bend
blf bluff
blvd boulevard boul boulv blv bvd bd bld
br branch
brg bridge
brk brook
bypa bypass byp
byu bayou
cswy causeway
ctr center centre cntr
cir circle circ crcl crcle cr
cirs circles
clb club
clf cliff
clfs cliffs
cmn common
cmns commons
cor corner
cors corners
crse course
ct court crt
cts courts
cv cove
crk creek
cres crescent crsnt crt. crs
crst crest
xing crossing crssng
xrd crossroad
curv curve
dl dale
dr drive driv drv dve
est estate
ests estates
expy expressway expwy exp
ext extension
fls falls
fld field
flds fields
flt flat
frd ford
frst forest
fwy freeway frwy
gdn garden
gdns gardens
gtwy gateway
gln glen
grn green
grv grove
hbr harbor harbour
hvn haven
hts heights ht
hwy highway hiway hiwy hway
hl hill
hls hills
holw hollow hllw
is island
isle
jct junction
knl knoll
knls knolls
lk lake
lks lakes
lndg landing
ln lane la lanes
lgt light
loop loops
mall
mnr manor
mdw meadow
mdws meadows
mews
ml mill
mls mills
msn mission
mtwy motorway
mt mount
mtn mountain
orch orchard
oval
park prk
pkwy parkway pkway pky parkwy
pass
path
pike
pne pine
pnes pines
pl place plc
pln plain
plns plains
plz plaza
pt point
pr prairie
psge passage
radl radial
rnch ranch
rdg ridge rdge
riv river
rd road
rds roads
rte route
row
run
shr shore
shrs shores
skwy skyway
spg spring
spgs springs
sq square
sta station
strm stream
st street str strt
smt summit
ter terrace terr
trl trail trails
trce trace
tpke turnpike
un union
vly valley
via viaduct
vw view
vlg village vlge
vl ville
vis vista
walk
way wy
ways
wl well
wls wells
chemin chem ch
rue
cl close
grve
pde parade
cct circuit crct
esp esplanade
hwy
line
sdrd sideroad sideline
conc concession con
gate
"""
FORMS_OF_SUFFIX = {line.split()[0]: tuple(line.split()) for line in _SUFFIX_LINES.strip().split("\n")}
"""How each suffix of a street may be written, the form that keys have first."""
_SUFFIXES = {form: suffix for suffix, forms in FORMS_OF_SUFFIX.items() for form in forms}
_ONES_TEXT = """
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth
seventeenth eighteenth nineteenth
"""
_ONES = _ONES_TEXT.split()
_TENS_TEXT = """
twenty thirty forty fifty sixty seventy eighty ninety
"""
_TENS = dict(zip(_TENS_TEXT.split(), range(20, 100, 10), strict=True))


def _ordinal(number: int) -> str:
    """Return a number as streets are numbered: 1st, 12th, 27th."""
    return f"{number}{'th' if 10 < number % 100 < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


_ORDINALS = {word: _ordinal(at) for at, word in enumerate(_ONES, 1)} | {
    f"{word[:-1]}ieth": _ordinal(number) for word, number in _TENS.items()
}
_UNITS_TEXT = """
apt apartment unit ste suite rm room lot spc space trlr trailer fl floor bldg building no num number ph
penthouse bsmt basement uppr upper lowr lower front rear dept hangar slip pier flat bureau app appt local
"""
_UNITS = frozenset(_UNITS_TEXT.split())  # fmt: skip
_ALONE = frozenset(("ph", "bsmt", "uppr", "lowr", "rear", "front", "upper", "lower", "basement", "penthouse"))
"""Designators that are a unit without a number after them."""
_UNIT_NAMES = {"apartment": "apt", "suite": "ste", "room": "rm", "floor": "fl", "building": "bldg", "penthouse": "ph", "basement": "bsmt",
               "upper": "uppr", "lower": "lowr"}  # fmt: skip
_STATES = {name: code for line in """
al alabama;ak alaska;az arizona;ar arkansas;ca california;co colorado;ct connecticut;de delaware;dc district of columbia;fl florida
ga georgia;hi hawaii;id idaho;il illinois;in indiana;ia iowa;ks kansas;ky kentucky;la louisiana;me maine;md maryland;ma massachusetts
mi michigan;mn minnesota;ms mississippi;mo missouri;mt montana;ne nebraska;nv nevada;nh new hampshire;nj new jersey;nm new mexico
ny new york;nc north carolina;nd north dakota;oh ohio;ok oklahoma;or oregon;pa pennsylvania;ri rhode island;sc south carolina
sd south dakota;tn tennessee;tx texas;ut utah;vt vermont;va virginia;wa washington;wv west virginia;wi wisconsin;wy wyoming
pr puerto rico;ab alberta;bc british columbia;mb manitoba;nb new brunswick;nl newfoundland and labrador;ns nova scotia;on ontario
pe prince edward island;qc quebec;sk saskatchewan;nt northwest territories;nu nunavut;yt yukon
""".strip().replace("\n", ";").split(";") for code, name in [line.split(" ", 1)]}  # fmt: skip
_FRENCH = frozenset(("rue", "chemin", "boulevard", "boul"))
"""Kinds of street that stand before the name in Quebec; an English name with one in front is rare, and keyed alike on both sides."""
_WRITTEN_OUT = {"st": "saint", "ste": "saint", "sainte": "saint", "mt": "mount", "ft": "fort"}
_CODES = frozenset(_STATES.values())
_CANADA_TEXT = """
ab bc mb nb nl ns on pe qc sk nt nu yt
"""
_CANADA = frozenset(_CANADA_TEXT.split())
_BOX = re.compile(
    r"\b(?:p\s*\.?\s*o\s*\.?\s*(?:box|bx|drawer)|post\s*office\s*box|pobox|pob|casier\s*postal)\s*#?\s*(\w{0,10})",
    re.IGNORECASE,
)
_BOX_ONLY = re.compile(r"^\s*box\s+#?(\d{1,7})\s*$", re.IGNORECASE)
_ROUTE = re.compile(
    r"\b(?:r\.?\s?r\.?|rural\s+(?:route|rt)|hc|hcr)\s*#?\s*(\d+)[\s,]+(?:box|bx)\s*#?\s*(\w+)", re.IGNORECASE
)
_ROAD = re.compile(
    r"\b(county\s+(?:road|rd|hwy|highway)|co\s+(?:road|rd)|cr|c\.r\.|farm\s+to\s+market(?:\s+(?:road|rd))?|fm|ranch\s+(?:road|rd)|rm|"
    r"state\s+(?:highway|hwy|route|rte|rt|road|rd)|sh|sr|us\s+(?:highway|hwy|route|rte)|u\.s\.\s*(?:highway|hwy)?|us|interstate|ih|i|"
    r"township\s+(?:road|rd)|twp\s+(?:road|rd)|highway|hwy|route|rte|rt)\s*[#\-]?\s*(\d{1,4}[a-z]?)\b",
    re.IGNORECASE,
)
_ROAD_NAMES = {"county": "cr", "co": "cr", "cr": "cr", "c.r.": "cr", "farm": "fm", "fm": "fm", "ranch": "rm", "rm": "rm", "state": "hwy",
               "sh": "hwy", "sr": "hwy", "us": "hwy", "u.s.": "hwy", "interstate": "i", "ih": "i", "i": "i", "township": "twp", "twp": "twp",
               "highway": "hwy", "hwy": "hwy", "route": "hwy", "rte": "hwy", "rt": "hwy"}  # fmt: skip
_POSTCODE = re.compile(r"\b([a-ceghj-nprstvxy]\d[a-ceghj-nprstv-z])[\s\-]?(\d[a-ceghj-nprstv-z]\d)\b", re.IGNORECASE)
_ZIP = re.compile(r"\b(\d{5})(?:-?\d{4})?\b")
_TAIL = re.compile(
    r"[\s,]+([a-z][a-z .]{1,25}?)[\s,.]*(?:(\d{5})(?:-?\d{4})?)?[\s,.]*(?:usa?|united states|canada)?[\s,.]*$",
    re.IGNORECASE,
)
_TOKEN = re.compile(r"#|[^\W_]+(?:['’][^\W_]+)*(?:[-/][^\W_]+)*")
_UNIT_NUMBER = re.compile(r"^\s*(?:#\s*)?(\w{1,6})\s*[-–]\s*(\d{1,6}[a-z]?)\b(?=\s+\S)", re.IGNORECASE)
_NUMBER = re.compile(r"^\d+(?:[a-z]|-\d+|-[a-z]|/\d)?$")
_SPANISH = {"ave": "avenida", "av": "avenida", "avda": "avenida", "cam": "camino", "cll": "calle"}
_ARTICLES = frozenset(("de", "del", "la", "las", "el", "los"))
_REMARK = re.compile(
    r"\(([^()]*)\)|\b(?:gate|door|entry|access|lock ?box) ?(?:code|#)[\s:#]{0,3}(?:is )?\w{0,4}\d.*", re.IGNORECASE
)
_NUMBER_APART = re.compile(r"^\s*#?\s*(\d{1,6}[a-z]?)\s*,\s*(?=([^\W\d_]+))", re.IGNORECASE)
_CITY_TAIL = re.compile(r"(?:,\s*([^\W\d_][^\d,]+?)|\s([A-Z]{2}))[\s.,]*$")
_PLAIN = re.compile(r"(\d{1,6})((?: [a-z]{2,20}){1,6})", re.ASCII)
"""A house number and plain words, as most streets are written: nothing in it but a unit's word needs the long way."""
_UNIT_OR_LETTER = re.compile(r"\d{1,5}[a-z]?|[a-z]\d{1,4}")
_ORDINAL = re.compile(r"\d+(?:st|nd|rd|th)")
_FRACTION = re.compile(r"\d/\d")
_GRID = re.compile(r"^[nsew]\d+(?:[nsew]\d+)?$")


def zip_key(raw: str) -> str:
    """Return a postal code comparably: five digits, six characters for Canada, else its letters and digits."""
    text = raw.strip()
    if text.isdecimal() and text.isascii():
        return text[:5] if len(text) >= 5 else text.zfill(5) if len(text) == 4 and text[0] != "0" else text
    folded = fold(text[:24])
    hit = _POSTCODE.search(folded)
    if hit:
        return hit[1] + hit[2]
    hit = _ZIP.search(folded)
    if hit:
        return hit[1]
    if folded.replace(".", "").isdecimal() and folded.endswith(".0"):
        return zip_key(folded[:-2])
    plain = "".join(c for c in folded if c.isalnum())[:10]
    return zip_key(plain) if plain.isdecimal() and plain.isascii() else plain


@lru_cache(maxsize=512)
def state_key(raw: str) -> str:
    """Return a state or province as its two letters, else its letters folded."""
    text = " ".join(fold(raw[:40]).replace(".", "").split())
    return _STATES.get(text, text)


@lru_cache(maxsize=2048)
def city_key(raw: str) -> str:
    """Return a city folded: Saint and Fort short, directions and `city of` left as they are."""
    parts = _TOKEN.findall(fold(raw[:60]))
    short = {
        "saint": "st",
        "sainte": "st",
        "ste": "st",
        "fort": "ft",
        "mount": "mt",
        "heights": "hts",
        "township": "twp",
    }
    return " ".join(short.get(part, part) for part in parts)


def unit_key(raw: str) -> str:
    """Return what tells one unit from another in a house: designators dropped, `12-B` and `12 b` the same."""
    tokens = [token for token in _TOKEN.findall(fold(raw[:60])) if token != "#"]
    plain = [token for token in tokens if token not in _UNITS]
    told = "".join(plain).replace("-", "").replace("/", "")
    if told in _UNITS:  # n:o
        tokens, told = [told], ""
    return told or "".join(_UNIT_NAMES.get(token, token) for token in tokens if token in _ALONE)


def _split_tail(street: str, city: str, state: str, zip_code: str) -> tuple[str, str, str, str, str]:
    """Return a text with `City, ST ZIP` at its end taken apart: street, unit text, city, state, ZIP."""
    parts = [part.strip() for part in re.split(r"[,\n\r;|]+", street) if part.strip()]
    if len(parts) > 1 and fold(parts[-1]) in ("usa", "us", "united states", "canada", "united states of america"):
        parts.pop()
    if len(parts) > 1:
        last = fold(parts[-1])
        code, mail = state, zip_code
        post = _POSTCODE.search(last)
        found = post or next(iter(_ZIP.finditer(last)), None)
        if found and not re.match(r"\d+\s+\w", last):
            mail = mail or found[0]
            last = (last[: found.start()] + last[found.end() :]).strip()
        if last in _STATES or last in _CODES:
            code, last = code or _STATES.get(last, last), ""
        else:
            head, _, tail = last.rpartition(" ")
            if tail in _CODES and head and (found or not city):
                code, last = code or tail, head
        if (not last and len(parts) > 2) or (not last and len(parts) == 2 and (code or mail)):
            state, zip_code = code, mail
            parts.pop()
            if len(parts) > 1 and not _looks_like_unit(parts[-1]):
                city = city or parts[-1]
                if city_key(city) == city_key(parts[-1]):
                    parts.pop()
        elif last and (found or code != state):
            state, zip_code = code, mail
            city = city or last
            if city_key(city) == city_key(last):
                parts.pop()
        elif last and city and city_key(last) == city_key(city):
            parts.pop()
    if not parts:
        return "", "", city, state, zip_code
    start = 0
    if (
        len(parts) > 1
        and not any(c.isdigit() for c in parts[0])
        and re.match(r"\s*\w*\d", parts[1])
        and not _looks_like_unit(parts[1])
    ):
        start = 1  # a name or `c/o` line before the street
    elif (
        len(parts) > 1
        and _UNIT_OR_LETTER.fullmatch(parts[0])
        and re.match(r"\d{1,6}[a-z]? +[a-z]", parts[1], re.IGNORECASE)
    ):
        return parts[1], parts[0], city, state, zip_code  # 401, 43 Hanna Ave
    unit = next((part for part in parts[start + 1 :] if _looks_like_unit(part)), "")
    return parts[start], unit, city, state, zip_code


def _without_remark(text: str) -> str:
    """Return a street without what is said to whoever drives there: a gate's code, words in brackets that are no unit."""
    found = _REMARK.sub(lambda hit: f" {hit[1]} " if hit[1] and _looks_like_unit(hit[1]) else " ", text)
    return found.rstrip(" -,;") or text


def _split_city(city: str, state: str, zip_code: str) -> tuple[str, str, str]:
    """Return a city's field with the state or ZIP that was written into it taken apart (`Tampa, FL 33602`)."""
    code = _POSTCODE.search(city) or _ZIP.search(city)
    rest = city[: code.start()].rstrip() if code else city
    tail = _CITY_TAIL.search(rest)
    said = state_key(tail[1] or tail[2]) if tail else ""
    if tail and said in _CODES and rest[: tail.start()].strip():
        rest, state = rest[: tail.start()], state or said
    if code is None and rest == city:
        return city, state, zip_code
    return rest.strip(" ,."), state, zip_code or (code[0] if code else "")


def _looks_like_unit(text: str) -> bool:
    """Tell whether a part between commas is a unit: `Apt 4`, `#4`, `12B`."""
    tokens = _TOKEN.findall(fold(text[:60]))
    return bool(tokens) and (
        tokens[0] == "#" or tokens[0] in _UNITS or (len(tokens) == 1 and len(tokens[0]) <= 4 and tokens[0][0].isdigit())
    )


def _unit_of(tokens: list[str]) -> tuple[list[str], str]:
    """Return the street's tokens without a unit at their end or start, and the unit."""
    for index in range(1, len(tokens)):
        token = tokens[index]
        if token == "#" or (token in _UNITS and index >= 2):
            rest = [t for t in tokens[index + 1 :] if t != "#" and t not in _UNITS]
            if not rest and token not in _ALONE:
                continue
            unit = "".join(rest) or _UNIT_NAMES.get(token, token)
            return tokens[:index], unit.replace("-", "").replace("/", "")
    if len(tokens) > 3 and tokens[0] in _UNITS and any(c.isdigit() for c in tokens[1]):
        return tokens[2:], tokens[1].replace("-", "")
    if tokens and tokens[0] == "#" and len(tokens) > 2:
        if tokens[2][0].isdigit() and len(tokens) > 3:
            return tokens[2:], tokens[1].replace("-", "")
        return _unit_of(tokens[1:])  # #2441 Lincoln Ave is a house
    if (
        len(tokens) > 3
        and _UNIT_OR_LETTER.fullmatch(tokens[-1])
        and tokens[-2] in _SUFFIXES
        and _SUFFIXES[tokens[-2]] != "hwy"
    ):
        return tokens[:-1], tokens[-1]
    return tokens, ""


def _road(text: str) -> tuple[str, str, str, str] | None:
    """Return number, street, direction and unit of a numbered road (`12 County Road 5 N Apt 3`), None for another street."""
    hit = _ROAD.search(text)
    if hit is None:
        return None
    head = text[: hit.start()].split()
    if head and (not head[0][0].isdigit() or any(token not in _DIRECTIONS for token in head[1:])):
        return None
    rest = text[hit.end() :].split()
    direction = next((_DIRECTIONS[token] for token in head[1:]), "")
    if rest and rest[0] in _DIRECTIONS:
        direction, rest = direction or _DIRECTIONS[rest[0]], rest[1:]
    if rest and rest[0] not in _UNITS and rest[0] != "#":
        return None  # Highway 9 Plaza, Route 66 Ave
    name = _ROAD_NAMES[hit[1].split()[0]]
    return head[0] if head else "", f"{name} {hit[2]}", direction, unit_key(" ".join(rest))


@lru_cache(maxsize=1024)
def parse_address(
    street: str, unit: str = "", city: str = "", state: str = "", zip_code: str = "", number: str = ""
) -> AddressKey:
    """Return the comparable parts of an address given as fields, or whole in `street`; `number` where the house number is apart."""
    if not (street or unit or city or state or zip_code or number):
        return ABSENT_ADDRESS
    text = street[:MAX_ADDRESS].strip()
    unit_text = unit
    route = _ROUTE.search(text)
    if route:
        text = f"rr {route[1]} box {route[2]}{text[route.end() :]}"
    if "(" in text or "code" in text.lower() or "#" in text:
        text = _without_remark(text)
    if "," in text or "\n" in text or ";" in text or "|" in text:
        apart = _NUMBER_APART.match(text)
        if apart and apart[2].lower() not in _UNITS:
            text = f"{apart[1]} {text[apart.end() :]}"
        text, more, city, state, zip_code = _split_tail(text, city, state, zip_code)
        unit_text = unit or more
    if city and (not state or "," in city or any(c.isdigit() for c in city)):
        city, state, zip_code = _split_city(city[:80], state, zip_code)
    place = (city_key(city) if city else "", state_key(state) if state else "", zip_key(zip_code) if zip_code else "")
    folded = fold(text).replace(".", " ") if "." in text else fold(text)
    if not folded.strip() and not number.strip():
        status = AddressStatus.ABSENT if not any(c.isalnum() for c in street + number) else AddressStatus.UNPARSED
        return AddressKey(status, "", "", "", "", "", unit_key(unit_text) if unit_text else "", *place)
    if "box" in folded or "drawer" in folded or "postal" in folded or "pob" in folded:
        special = _special(folded, place)
        if special is not None:
            return special
    return _street(folded, fold(number.strip()[:12]), unit_text, place)


def _special(folded: str, place: tuple[str, str, str]) -> AddressKey | None:
    """Return a post office box or rural route, None where the word stands in a street's name."""
    route = _ROUTE.search(folded)
    if route:
        return AddressKey(AddressStatus.PARSED, route[2], "", f"rr {route[1]}", "", "", "", *place)
    box = _BOX.search(folded) or _BOX_ONLY.match(folded)
    if box and not re.match(r"\s*\d+\s+\w", folded):
        return AddressKey(AddressStatus.PO_BOX, box[1], "", "", "", "", "", *place)
    return None


def _is_canadian(state: str, zip_code: str) -> bool:
    """Tell whether the place is Canada's: its `401-43 Hanna` writes the unit before the house."""
    return state in _CANADA or (len(zip_code) == 6 and zip_code[0].isalpha())


def _street(folded: str, number: str, unit_text: str, place: tuple[str, str, str]) -> AddressKey:
    """Return the address of a street line already folded."""
    unit = unit_key(unit_text) if unit_text else ""
    plain = None if number else _PLAIN.fullmatch(folded)
    if plain is not None:
        words = plain[2].split()
        if _UNITS.isdisjoint(words):
            before, name, suffix, after = _named(words)
            parsed = len(name) > 1 or suffix
            return AddressKey(
                AddressStatus.PARSED if parsed else AddressStatus.PARTIAL,
                plain[1],
                before,
                name,
                suffix,
                after,
                unit,
                *place,
            )
    if "-" in folded or "–" in folded:
        pair = _UNIT_NUMBER.match(folded)
        if pair and _is_canadian(place[1], place[2]):
            unit, folded = unit or pair[1], f"{pair[2]} {folded[pair.end() :]}"
    tokens = _TOKEN.findall(folded)[:14]
    road = _road(" ".join(tokens)) if any(c.isdigit() for c in "".join(tokens[1:] or tokens)) else None
    if road is not None:
        house = number or road[0]
        status = AddressStatus.PARSED if house else AddressStatus.PARTIAL
        return AddressKey(status, house, road[2], road[1], "", "", unit or road[3], *place)
    tokens, inner = _unit_of(tokens)
    unit = unit or inner
    if not tokens and not number:
        return AddressKey(AddressStatus.UNPARSED, "", "", "", "", "", unit, *place)
    if not number and tokens and tokens[0][0].isdigit() and (len(tokens) > 1 or tokens[0].isdigit()):
        number, tokens = _house(tokens)
    elif not number and len(tokens) > 1 and _GRID.match(tokens[0]) and len(tokens[0]) > 2:
        number, tokens = tokens[0], tokens[1:]
    before, name, suffix, after = _named(tokens)
    if number and not any(c.isdigit() for c in number):
        name, number = f"{number} {name}".strip(), ""
    if not name:
        return AddressKey(
            AddressStatus.PARTIAL if number else AddressStatus.UNPARSED, number, before, "", suffix, after, unit, *place
        )
    parsed = number and (len(name) > 1 or suffix)
    return AddressKey(
        AddressStatus.PARSED if parsed else AddressStatus.PARTIAL, number, before, name, suffix, after, unit, *place
    )


def _house(tokens: list[str]) -> tuple[str, list[str]]:
    """Return the house number with its fraction or letter, and the tokens after it."""
    first = tokens[0]
    if _ORDINAL.fullmatch(first) and len(tokens) > 1 and tokens[1] in _SUFFIXES:
        return "", tokens  # 5th Avenue without a number
    if len(tokens) > 2 and _FRACTION.fullmatch(tokens[1]):
        return first, tokens[2:]
    if (
        len(tokens) > 3
        and len(tokens[1]) == 1
        and tokens[1].isalpha()
        and tokens[1] not in _DIRECTIONS
        and tokens[2] not in _SUFFIXES
    ):
        return first + tokens[1], tokens[2:]
    return first, tokens[1:]


def _named(tokens: list[str]) -> tuple[str, str, str, str]:
    """Return direction before, name, suffix and direction after of a street's tokens; the name keeps the last word there is."""
    parts = [part for token in tokens for part in ([token] if token[0].isdigit() else token.split("-")) if part]
    tokens = [_ORDINALS.get(token, token) for token in parts]
    for at in range(len(parts) - 1, 0, -1):
        if parts[at - 1] in _TENS and parts[at] in _ONES[:9]:  # twenty-seventh
            tokens[at - 1 : at + 1] = [_ordinal(_TENS[parts[at - 1]] + _ONES.index(parts[at]) + 1)]
    before = suffix = after = ""
    if len(tokens) > 2 and tokens[-1] in _DIRECTIONS:
        after = _DIRECTIONS[tokens.pop()]
    if len(tokens) > 2 and tokens[0] in _SPANISH and tokens[1] in _ARTICLES:
        tokens[0] = _SPANISH[tokens[0]]
    if len(tokens) > 1 and tokens[0] in _FRENCH:
        suffix, tokens = _SUFFIXES[tokens[0]], tokens[1:]
        tokens = tokens[1:] if len(tokens) > 1 and tokens[0] in ("de", "du", "des", "la", "le") else tokens
    elif len(tokens) > 1 and tokens[-1] in _SUFFIXES:
        suffix = _SUFFIXES[tokens.pop()]
    elif len(tokens) == 2 and tokens[-1] in _DIRECTIONS and tokens[0] not in _DIRECTIONS:
        after = _DIRECTIONS[tokens.pop()]
    if len(tokens) > 1 and tokens[0] in _DIRECTIONS:
        before = _DIRECTIONS[tokens[0]]
        tokens = tokens[1:]
    if len(tokens) == 1 and tokens[0].isdecimal() and len(tokens[0]) < 4:  # 27 Ave is 27th Ave
        tokens[0] = _ordinal(int(tokens[0]))
    if tokens and tokens[0] in _WRITTEN_OUT and len(tokens) > 1:
        tokens[0] = _WRITTEN_OUT[tokens[0]]
    return before, " ".join(tokens).replace("'", "").replace("’", "").replace("-", " "), suffix, after
