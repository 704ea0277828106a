"""Signatures that a public key checks: Ed25519, RSA and ECDSA, each key in any of the ways senders publish it."""

import base64
import binascii
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509 import load_pem_x509_certificate

PublicKey = Ed25519PublicKey | RSAPublicKey | ec.EllipticCurvePublicKey

_SHA256, _SHA384, _SHA512 = hashes.SHA256(), hashes.SHA384(), hashes.SHA512()
_RSA: dict[str, tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]] = {
    "rsa-sha256": (padding.PKCS1v15(), _SHA256),
    "rsa-sha512": (padding.PKCS1v15(), _SHA512),
    "rsa-pss-sha256": (padding.PSS(padding.MGF1(_SHA256), 32), _SHA256),
    "rsa-pss-sha512": (padding.PSS(padding.MGF1(_SHA512), 64), _SHA512),
}
_ECDSA: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "ecdsa-p256-sha256": ("secp256r1", _SHA256),
    "ecdsa-p384-sha384": ("secp384r1", _SHA384),
}


def signed_by(key: PublicKey | None, algorithm: str, signature: bytes, message: bytes) -> bool:
    """Tell whether a signature is the key's; a key of another kind than the algorithm's proves nothing."""
    try:
        if isinstance(key, Ed25519PublicKey) and algorithm == "ed25519":
            key.verify(signature, message)
        elif isinstance(key, RSAPublicKey) and algorithm in _RSA:
            key.verify(signature, message, *_RSA[algorithm])
        elif isinstance(key, ec.EllipticCurvePublicKey) and algorithm in _ECDSA:
            curve, digest = _ECDSA[algorithm]
            if key.curve.name != curve:
                return False
            key.verify(_as_der(signature, key.curve.key_size // 8), message, ec.ECDSA(digest))
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _as_der(signature: bytes, size: int) -> bytes:
    """Return an ECDSA signature as the library wants it: JWS and RFC 9421 write the two numbers side by side."""
    if len(signature) != 2 * size:
        return signature
    return encode_dss_signature(int.from_bytes(signature[:size]), int.from_bytes(signature[size:]))


@lru_cache(maxsize=64)
def load_public_key(value: str) -> PublicKey | None:
    """Return the public key of a PEM (key or certificate), or of DER, an elliptic point or Ed25519 in base64 or hex; else None."""
    text = value.strip().replace("\\n", "\n")
    try:
        if "-----BEGIN CERTIFICATE" in text:
            found: object = load_pem_x509_certificate(text.encode()).public_key()
        elif "-----BEGIN" in text:
            found = serialization.load_pem_public_key(text.encode())
        else:
            found = _from_bytes(_raw(text))
    except (ValueError, UnsupportedAlgorithm):
        return None
    return found if isinstance(found, PublicKey) else None


def _raw(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError:
        bare = text.replace("-", "+").replace("_", "/").rstrip("=")
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)


def _from_bytes(raw: bytes) -> object:
    match len(raw):
        case 32:
            return Ed25519PublicKey.from_public_bytes(raw)
        case 33 | 65:
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), raw)
        case 49 | 97:
            return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP384R1(), raw)
        case _:
            return serialization.load_der_public_key(raw)
