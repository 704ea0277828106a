"""The words of an address, and those that mean the same wherever they stand: directions."""

import re

WORD = re.compile(r"#|[^\W_]+(?:['’][^\W_]+)*(?:[-/][^\W_]+)*")
DIRECTIONS = {"n": "n", "s": "s", "e": "e", "w": "w", "ne": "ne", "nw": "nw", "se": "se", "sw": "sw", "north": "n", "south": "s",
              "east": "e", "west": "w", "northeast": "ne", "northwest": "nw", "southeast": "se", "southwest": "sw", "no": "n", "so": "s",
              "nord": "n", "sud": "s", "est": "e", "ouest": "w"}  # fmt: skip
