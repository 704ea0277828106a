"""Comparable forms of phones, e-mails, names and addresses, and the keys they are looked up by: pure, one version for all."""

from bridge.domain.keys.addresses import AddressKey, AddressStatus, parse_address
from bridge.domain.keys.emails import EmailKey, EmailWorth, email_key, email_keys
from bridge.domain.keys.hashing import key64, key_bytes
from bridge.domain.keys.names import NameKey, NameKind, PersonKey, fold, name_tokens, read_name, read_parts
from bridge.domain.keys.phones import PhoneKey, PhoneWorth, phone_keys
from bridge.domain.keys.record import (
    KEYS_VERSION,
    ContactRow,
    CustomerRow,
    KeyRow,
    LocationRow,
    record_keys,
    record_texts,
)

__all__ = [
    "KEYS_VERSION",
    "AddressKey",
    "AddressStatus",
    "ContactRow",
    "CustomerRow",
    "EmailKey",
    "EmailWorth",
    "KeyRow",
    "LocationRow",
    "NameKey",
    "NameKind",
    "PersonKey",
    "PhoneKey",
    "PhoneWorth",
    "email_key",
    "email_keys",
    "fold",
    "key64",
    "key_bytes",
    "name_tokens",
    "parse_address",
    "phone_keys",
    "read_name",
    "read_parts",
    "record_keys",
    "record_texts",
]
