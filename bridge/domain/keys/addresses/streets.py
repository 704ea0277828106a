"""A street's name: what stands before it, its kind, and the directions around it."""

from bridge.domain.keys.addresses.suffixes import SUFFIXES
from bridge.domain.keys.addresses.words import DIRECTIONS

_ONES_TEXT = """
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth sixteenth
seventeenth eighteenth nineteenth
"""
_ONES = _ONES_TEXT.split()
_TENS = dict(
    zip(("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"), range(20, 100, 10), strict=True)
)


def _ordinal(number: int) -> str:
    """Return a number as streets are numbered: 1st, 12th, 27th."""
    return f"{number}{'th' if 10 < number % 100 < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


_ORDINALS = {word: _ordinal(at) for at, word in enumerate(_ONES, 1)} | {
    f"{word[:-1]}ieth": _ordinal(number) for word, number in _TENS.items()
}
_FRENCH = frozenset(("rue", "chemin", "boulevard", "boul"))
"""Kinds of street that stand before the name in Quebec; an English name with one in front is rare, and keyed alike on both sides."""
_FRENCH_ARTICLES = frozenset(("de", "du", "des", "la", "le"))
_SPANISH = {"ave": "avenida", "av": "avenida", "avda": "avenida", "cam": "camino", "cll": "calle"}
_SPANISH_ARTICLES = frozenset(("de", "del", "la", "las", "el", "los"))
_WRITTEN_OUT = {"st": "saint", "ste": "saint", "sainte": "saint", "mt": "mount", "ft": "fort"}


def street_name(tokens: list[str]) -> tuple[str, str, str, str]:
    """Return direction before, name, suffix and direction after of a street's tokens; the name keeps the last word there is."""
    tokens = _with_ordinals(tokens)
    before = suffix = after = ""
    if len(tokens) > 2 and tokens[-1] in DIRECTIONS:
        after = DIRECTIONS[tokens.pop()]
    if len(tokens) > 2 and tokens[0] in _SPANISH and tokens[1] in _SPANISH_ARTICLES:
        tokens[0] = _SPANISH[tokens[0]]
    if len(tokens) > 1 and tokens[0] in _FRENCH:
        suffix, tokens = SUFFIXES[tokens[0]], tokens[1:]
        tokens = tokens[1:] if len(tokens) > 1 and tokens[0] in _FRENCH_ARTICLES else tokens
    elif len(tokens) > 1 and tokens[-1] in SUFFIXES:
        suffix = SUFFIXES[tokens.pop()]
    elif len(tokens) == 2 and tokens[-1] in DIRECTIONS and tokens[0] not in DIRECTIONS:
        after = DIRECTIONS[tokens.pop()]
    if len(tokens) > 1 and tokens[0] in DIRECTIONS:
        before = DIRECTIONS[tokens[0]]
        tokens = tokens[1:]
    if len(tokens) == 1 and tokens[0].isdecimal() and len(tokens[0]) < 4:  # 27 Ave is 27th Ave
        tokens[0] = _ordinal(int(tokens[0]))
    if len(tokens) > 1 and tokens[0] in _WRITTEN_OUT:
        tokens[0] = _WRITTEN_OUT[tokens[0]]
    return before, " ".join(tokens).replace("'", "").replace("’", "").replace("-", " "), suffix, after


def _with_ordinals(tokens: list[str]) -> list[str]:
    """Return a street's words one by one, its spelt numbers in digits (`twenty-seventh`, `third`)."""
    words = [word for token in tokens for word in ([token] if token[0].isdigit() else token.split("-")) if word]
    numbered = [_ORDINALS.get(word, word) for word in words]
    if not _TENS.keys().isdisjoint(words):
        for at in range(len(words) - 1, 0, -1):
            if words[at - 1] in _TENS and words[at] in _ONES[:9]:
                numbered[at - 1 : at + 1] = [_ordinal(_TENS[words[at - 1]] + _ONES.index(words[at]) + 1)]
    return numbered
