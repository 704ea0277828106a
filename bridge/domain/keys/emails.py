"""E-mail addresses to the mailbox they reach: case, plus tags, Gmail's dots, misspelt domains; weak ones marked."""

import re
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple


class EmailWorth(StrEnum):
    """How far an address can speak for a person."""

    PERSONAL = "personal"
    TYPO = "typo"
    """The domain was misspelt and mended by us."""
    ROLE = "role"
    """info@, office@: a company reads it, no one person."""
    RELAY = "relay"
    """A marketplace's mask: it names an enquiry for a while, not a person."""
    FICTIONAL = "fictional"
    """A domain reserved for examples: a hint, never an identity."""


class EmailKey(NamedTuple):
    """A usable address: the mailbox in its plainest writing, its two halves, and its worth."""

    mailbox: str
    local: str
    domain: str
    worth: EmailWorth


MAX_EMAILS = 8
_MAX_TEXT = 1200
_ADDRESS = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~.\-]{1,64}@[a-z0-9][a-z0-9.\-]{1,190}\.[a-z]{2,24}(?![a-z0-9\-])")
_DOTLESS = frozenset(("gmail.com",))
_ALIASES = {"googlemail.com": "gmail.com", "ymail.com": "ymail.com", "me.com": "icloud.com", "mac.com": "icloud.com"}
_TYPOS = {
    wrong: right
    for right, wrongs in {
        "gmail.com": "gmial.com gmai.com gmal.com gamil.com gnail.com gmail.co gmail.con gmail.cm gmail.om gmaill.com gmil.com"
        " gmali.com gmaik.com gmailcom.com gmail.comm gmail.net gmail.org gemail.com hmail.com gmail.vom gmsil.com",
        "yahoo.com": "yaho.com yahooo.com yhaoo.com yahoo.co yahoo.con yahho.com yhoo.com yahoo.cm yaoo.com yahoo.om",
        "hotmail.com": "hotmial.com hotmal.com hotmai.com hotmail.co hotmail.con hotnail.com hotmil.com homail.com hotmaill.com",
        "outlook.com": "outlok.com outloook.com outlook.co outlook.con outllok.com oulook.com",
        "icloud.com": "icloud.co icloud.con iclod.com icoud.com iclould.com icould.com",
        "aol.com": "aol.co aol.con aoll.com ao.com",
        "comcast.net": "comcast.com comcast.ne concast.net comcst.net",
        "sbcglobal.net": "sbcglobal.com sbcgloble.net sbcgobal.net",
    }.items()
    for wrong in wrongs.split()
}
_ROLES_TEXT = """
info office admin administrator sales service services support contact hello billing accounts accounting ap ar
accountspayable payables invoices invoice maintenance facilities facility manager management propertymanager
pm leasing rentals dispatch reception frontdesk help helpdesk team mail email inbox noreply no-reply
donotreply do-not-reply webmaster postmaster marketing hr jobs orders customerservice customercare owner
general enquiries inquiries workorders scheduling schedule booking bookings operations purchasing procurement
main shop store
"""
_ROLES = frozenset(_ROLES_TEXT.split())
_EMPTY_LOCALS_TEXT = """
none noemail no nomail noemailaddress na n/a n.a notprovided notgiven unknown nobody noone null test testing
tester asdf asd abc xxx xx x a aa aaa fake refused declined decline donthave nope noreply nothing customer
noname anonymous email noaddress needemail getemail dontknow
"""
_EMPTY_LOCALS = frozenset(_EMPTY_LOCALS_TEXT.split())
_EMPTY_DOMAINS_TEXT = """
none.com noemail.com no.com nomail.com na.com test.com testing.com fake.com email.none noemail.net none.net
none.none unknown.com notprovided.com nothing.com asdf.com abc.com xxx.com x.com null.com noreply.com
declined.com refused.com nowhere.com noemail.org domain.com mail.none invalid.com a.com aa.com aaa.com
customer.com noemailaddress.com
"""
_EMPTY_DOMAINS = frozenset(_EMPTY_DOMAINS_TEXT.split())
_ALWAYS_EMPTY_LOCALS_TEXT = """
noemail nomail noemailaddress notprovided needemail getemail donthave
"""
_ALWAYS_EMPTY_LOCALS = frozenset(_ALWAYS_EMPTY_LOCALS_TEXT.split())
_RESERVED = re.compile(r"(?:^|\.)(?:example\.(?:com|org|net|edu)|[a-z0-9-]+\.(?:test|example|invalid|localhost))$")
_RELAYS = re.compile(
    r"(?:^|\.)(?:yelp\.com|messaging\.yelp\.com|thumbtack\.com|angi\.com|angieslist\.com|homeadvisor\.com|craigslist\.org"
    r"|houzz\.com|porch\.com|networx\.com|modernize\.com|nextdoor\.com|leads\.google\.com|marketplace\.amazon\.com)$"
)


@lru_cache(maxsize=1024)
def _key(address: str) -> EmailKey | None:
    """Return the key of one lower-case address, None for one that is only there to fill a form."""
    local, _, domain = address.rpartition("@")
    local = local.strip(".'").partition("+")[0] or local
    worth = EmailWorth.PERSONAL
    mended = _TYPOS.get(domain)
    if mended is not None:
        domain, worth = mended, EmailWorth.TYPO
    domain = _ALIASES.get(domain, domain)
    if domain in _DOTLESS:
        local = local.replace(".", "")
    plain = local.replace(".", "").replace("_", "").replace("-", "")
    if plain in _ALWAYS_EMPTY_LOCALS or (domain in _EMPTY_DOMAINS and (plain in _EMPTY_LOCALS or plain == domain[:-4])):
        return None
    if plain in _EMPTY_LOCALS and (
        plain == domain.partition(".")[0] or len(plain) <= 3 or plain in ("none", "test", "asdf")
    ):
        return None
    if _RESERVED.search(domain):
        worth = EmailWorth.FICTIONAL
    elif _RELAYS.search(domain):
        worth = EmailWorth.RELAY
    elif local in _ROLES or plain in _ROLES:
        worth = EmailWorth.ROLE
    return EmailKey(f"{local}@{domain}", local, domain, worth)


def email_keys(raw: str) -> tuple[EmailKey, ...]:
    """Return the usable addresses of a text in their order, each once; `Name <a@b.com>` and lists are read."""
    text = raw[:_MAX_TEXT].lower()
    if "@" not in text:
        return ()
    whole = text.strip()
    if _ADDRESS.fullmatch(whole):
        key = _key(whole)
        return () if key is None else (key,)
    found: dict[str, EmailKey] = {}
    for hit in _ADDRESS.finditer(text.replace("mailto:", " ")):
        key = _key(hit[0])
        if key is not None:
            found.setdefault(key.mailbox, key)
        if len(found) >= MAX_EMAILS:
            break
    return tuple(found.values())


def email_key(raw: str) -> str | None:
    """Return the mailbox of the first usable address of a text, None where there is none."""
    keys = email_keys(raw)
    return keys[0].mailbox if keys else None
