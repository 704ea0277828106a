"""Turns webhooks of other systems into ServiceTitan bookings and updates, each effect once.

The folders fall in flow order:

    bytes -intake-> Delivery -connector-> Inquiry -matching-> Match -planning-> Plan -sending-> Attempt -> ServiceTitan

`pipeline.py` tells the story in three functions; `domain/` holds the nouns; `docs/design.md` says why.
"""

__version__ = "0.1.0"
