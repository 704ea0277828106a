"""City, state and ZIP in comparable forms."""

import re
from functools import lru_cache

from bridge.domain.keys.addresses.words import WORD
from bridge.domain.keys.names import fold

Place = tuple[str, str, str]
"""City, state and ZIP as keys."""

STATES = {name: code for line in """
al alabama;ak alaska;az arizona;ar arkansas;ca california;co colorado;ct connecticut;de delaware;dc district of columbia;fl florida
ga georgia;hi hawaii;id idaho;il illinois;in indiana;ia iowa;ks kansas;ky kentucky;la louisiana;me maine;md maryland;ma massachusetts
mi michigan;mn minnesota;ms mississippi;mo missouri;mt montana;ne nebraska;nv nevada;nh new hampshire;nj new jersey;nm new mexico
ny new york;nc north carolina;nd north dakota;oh ohio;ok oklahoma;or oregon;pa pennsylvania;ri rhode island;sc south carolina
sd south dakota;tn tennessee;tx texas;ut utah;vt vermont;va virginia;wa washington;wv west virginia;wi wisconsin;wy wyoming
pr puerto rico;ab alberta;bc british columbia;mb manitoba;nb new brunswick;nl newfoundland and labrador;ns nova scotia;on ontario
pe prince edward island;qc quebec;sk saskatchewan;nt northwest territories;nu nunavut;yt yukon
""".strip().replace("\n", ";").split(";") for code, name in [line.split(" ", 1)]}  # fmt: skip
"""The two letters of each state and province."""
CODES = frozenset(STATES.values())
_CANADA = frozenset(("ab", "bc", "mb", "nb", "nl", "ns", "on", "pe", "qc", "sk", "nt", "nu", "yt"))
_SHORT = {
    "saint": "st",
    "sainte": "st",
    "ste": "st",
    "fort": "ft",
    "mount": "mt",
    "heights": "hts",
    "township": "twp",
}
_POSTCODE = re.compile(r"\b([a-ceghj-nprstvxy]\d[a-ceghj-nprstv-z])[\s\-]?(\d[a-ceghj-nprstv-z]\d)\b", re.IGNORECASE)
_ZIP = re.compile(r"\b(\d{5})(?:-?\d{4})?\b")


def find_zip(text: str) -> re.Match[str] | None:
    """Return where a text holds a postal code of Canada, else where it holds a ZIP; its groups are what is compared."""
    return _POSTCODE.search(text) or _ZIP.search(text)


def zip_key(raw: str) -> str:
    """Return a postal code comparably: five digits, six characters for Canada, else its letters and digits."""
    text = raw.strip()
    if text.isdecimal() and text.isascii():
        return text[:5] if len(text) >= 5 else text.zfill(5) if len(text) == 4 and text[0] != "0" else text
    folded = fold(text[:24])
    hit = find_zip(folded)
    if hit:
        return "".join(hit.groups())
    if folded.replace(".", "").isdecimal() and folded.endswith(".0"):
        return zip_key(folded[:-2])
    plain = "".join(c for c in folded if c.isalnum())[:10]
    return zip_key(plain) if plain.isdecimal() and plain.isascii() else plain


@lru_cache(maxsize=512)
def state_key(raw: str) -> str:
    """Return a state or province as its two letters, else its letters folded."""
    text = " ".join(fold(raw[:40]).replace(".", "").split())
    return STATES.get(text, text)


@lru_cache(maxsize=2048)
def city_key(raw: str) -> str:
    """Return a city folded: Saint and Fort short, directions and `city of` left as they are."""
    return " ".join(_SHORT.get(word, word) for word in WORD.findall(fold(raw[:60])))


def is_canadian(place: Place) -> bool:
    """Tell whether a place is Canada's, by its province or its postal code."""
    _, state, code = place
    return state in _CANADA or (len(code) == 6 and code[0].isalpha())
