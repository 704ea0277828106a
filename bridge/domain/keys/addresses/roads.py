"""Roads that have a number instead of a name: county roads, farm roads, state and other highways."""

import re

from bridge.domain.keys.addresses.units import UNITS, unit_key
from bridge.domain.keys.addresses.words import DIRECTIONS

_ROAD = re.compile(
    r"\b(county\s+(?:road|rd|hwy|highway)|co\s+(?:road|rd)|cr|c\.r\.|farm\s+to\s+market(?:\s+(?:road|rd))?|fm|ranch\s+(?:road|rd)|rm|"
    r"state\s+(?:highway|hwy|route|rte|rt|road|rd)|sh|sr|us\s+(?:highway|hwy|route|rte)|u\.s\.\s*(?:highway|hwy)?|us|interstate|ih|i|"
    r"township\s+(?:road|rd)|twp\s+(?:road|rd)|highway|hwy|route|rte|rt)\s*[#\-]?\s*(\d{1,4}[a-z]?)\b",
    re.IGNORECASE,
)
_NAMES = {"county": "cr", "co": "cr", "cr": "cr", "c.r.": "cr", "farm": "fm", "fm": "fm", "ranch": "rm", "rm": "rm", "state": "hwy",
          "sh": "hwy", "sr": "hwy", "us": "hwy", "u.s.": "hwy", "interstate": "i", "ih": "i", "i": "i", "township": "twp", "twp": "twp",
          "highway": "hwy", "hwy": "hwy", "route": "hwy", "rte": "hwy", "rt": "hwy"}  # fmt: skip
"""The name that keys have for each kind, by its first word."""


def numbered_road(line: str) -> tuple[str, str, str, str] | None:
    """Return number, street, direction and unit of a numbered road (`12 County Road 5 N Apt 3`), None for another street."""
    hit = _ROAD.search(line)
    if hit is None:
        return None
    head = line[: hit.start()].split()
    if head and (not head[0][0].isdigit() or any(token not in DIRECTIONS for token in head[1:])):
        return None
    rest = line[hit.end() :].split()
    direction = next((DIRECTIONS[token] for token in head[1:]), "")
    if rest and rest[0] in DIRECTIONS:
        direction, rest = direction or DIRECTIONS[rest[0]], rest[1:]
    if rest and rest[0] not in UNITS:
        return None  # Highway 9 Plaza, Route 66 Ave
    name = _NAMES[hit[1].split()[0]]
    return head[0] if head else "", f"{name} {hit[2]}", direction, unit_key(" ".join(rest))
