"""The quick ways of reading phones, streets and names say what the long ways say."""

from unittest.mock import patch

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from bridge.domain.keys import names, phones
from bridge.domain.keys.addresses import line, parse_address
from bridge.domain.keys.names import read_name
from bridge.domain.values import phone_e164

pytestmark = pytest.mark.slow  # many examples, each read twice

AREAS = some.one_of(some.integers(200, 999).map(str), some.sampled_from(["512", "212", "416", "800", "787", "671"]))
BETWEEN = some.sampled_from(["", " ", "-", ".", ") ", ")-", " - "])
LEADING = some.sampled_from(["", "1", "+1", "+1 ", "1-", "1 ", "(", "+1 (", "1 ("])
EXTENSIONS = some.one_of(
    some.just(""),
    some.builds("{}{}".format, some.sampled_from([" x", " ext. ", " ext "]), some.integers(1, 99999)),
)


@settings(max_examples=120, deadline=None)
@given(LEADING, AREAS, BETWEEN, some.integers(200, 999), BETWEEN, some.integers(0, 9999), EXTENSIONS)
def test_a_plain_north_american_number_is_read_as_the_phonenumbers_library_reads_it(
    lead: str, area: str, one: str, exchange: int, two: str, line: int, extension: str
) -> None:
    text = f"{lead}{area}{one}{exchange}{two}{line:04}{extension}"
    found = phones.phone_keys(text, "US")
    parsed = phonenumbers.parse(text, "US")
    national = str(parsed.national_number)
    if found:
        # The library knows the exchanges of small territories one by one; the number itself must be the same.
        e164 = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
        assert [(key.e164, key.extension) for key in found] == [(e164, parsed.extension or "")]
        assert phone_e164(text) == e164  # what is shown, searched and erased is what is matched
        assert phone_e164(text, "CA") == e164
    else:
        assert phones._is_junk(national[:3], national[3:6], national[6:]) or not phonenumbers.is_valid_number(parsed)
    assert found == phones._slowly(text, "US")


WORDS = some.one_of(
    some.sampled_from(
        [
            "main",
            "oak",
            "apt",
            "unit",
            "suite",
            "n",
            "s",
            "north",
            "west",
            "st",
            "street",
            "ave",
            "avenue",
            "ln",
            "pl",
            "circle",
            "hwy",
            "county",
            "road",
            "of",
            "the",
            "lot",
            "#",
            "po",
            "saint",
            "fm",
            "rr",
            "martin",
            "luther",
            "king",
            "jr",
            "trail",
            "floor",
            "rear",
            "upper",
            "e",
            "ne",
            "broadway",
            "avenue",
            "half",
            "box",
        ]
    ),
    some.text("abcdefghijklmnopqrstuvwxyz", min_size=2, max_size=8),
)


@settings(max_examples=120, deadline=None)
@given(some.integers(0, 999_999), some.lists(WORDS, min_size=1, max_size=6), some.sampled_from(["", "4", "apt b"]))
def test_a_plain_street_is_read_as_the_long_way_reads_it(number: int, words: list[str], unit: str) -> None:
    street = f"{number} {' '.join(words)}"
    quick = parse_address.__wrapped__(street, unit, "Austin", "TX", "78701")
    with patch.object(line, "_PLAIN", line.re.compile("(?!)")):
        assert parse_address.__wrapped__(street, unit, "Austin", "TX", "78701") == quick


NAMES = some.one_of(
    some.sampled_from(sorted(names._TELLING | {"von", "de", "la", "mc", "attnfoo", "smith", "jo", "aa"})),
    some.text("abcdefghijklmnopqrstuvwxyzABCXYZ", min_size=1, max_size=9),
)


@settings(max_examples=150, deadline=None)
@given(NAMES, NAMES)
def test_two_plain_words_are_read_as_the_long_way_reads_them(given_name: str, surname: str) -> None:
    raw = f"{given_name} {surname}"
    quick = read_name.__wrapped__(raw)
    with patch.object(names, "_TWO_WORDS", names.re.compile("(?!)")):
        assert read_name.__wrapped__(raw) == quick
