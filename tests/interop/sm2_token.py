#!/usr/bin/env python3
"""Access tokens by an implementation that shares nothing with the service: SM2 and SM3 of the package `gmssl` from PyPI.

    sm2_token.py check TOKEN.jws KEYS.json   prints the claims; exits with 1 where the signature does not hold
    sm2_token.py sign CLAIMS.json            makes a key, and prints a key set, a token, and tokens that are wrong in one way

A token is header.payload.signature in base64url; the signature is r ‖ s, 64 octets, over header.payload with the default
identifier. The set has the key with its identifier (`sm2_id`).
"""

import base64
import json
import pathlib
import secrets
import sys

from gmssl import sm2, sm3, func

ORDER = int(sm2.default_ecc_table["n"], 16)
IDENTIFIER = b"1234567812345678"


def coded(octets):
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def plain(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Key:
    """A key of SM2."""

    def __init__(self, public, private=None):
        self.crypt = sm2.CryptSM2(private_key=private, public_key=public)
        # The package takes zeros and fours off the front of what it is given.
        self.crypt.public_key = public

    @classmethod
    def made(cls):
        private = f"{secrets.randbelow(ORDER - 2) + 1:064x}"
        maker = sm2.CryptSM2(private_key=private, public_key="")
        return cls(maker._kg(int(private, 16), sm2.default_ecc_table["g"]), private)

    def published(self):
        x, y = (bytes.fromhex(self.crypt.public_key[at : at + 64]) for at in (0, 64))
        fields = {"crv": "SM2-P-256", "kty": "EC", "x": coded(x), "y": coded(y)}
        # The thumbprint of RFC 7638, with SM3.
        members = json.dumps(fields, separators=(",", ":"), sort_keys=True).encode()
        name = coded(bytes.fromhex(sm3.sm3_hash(func.bytes_to_list(members))))
        return {**fields, "alg": "SGD_SM3_SM2", "kid": name, "use": "sig", "sm2_id": IDENTIFIER.decode()}

    def signs(self, text):
        return bytes.fromhex(self.crypt.sign_with_sm3(text))

    def signed(self, text, signature):
        return len(signature) == 64 and bool(self.crypt.verify_with_sm3(signature.hex(), text))


def check(token, keys):
    header, payload, signature = token.split(".")
    fields = json.loads(plain(header))
    assert fields["alg"] == "SGD_SM3_SM2" and fields["typ"] == "at+jwt", fields
    key = next(key for key in keys["keys"] if key["kid"] == fields["kid"])
    assert key["crv"] == "SM2-P-256" and key["sm2_id"] == IDENTIFIER.decode(), key
    public = Key((plain(key["x"]) + plain(key["y"])).hex())
    if not public.signed(f"{header}.{payload}".encode(), plain(signature)):
        raise SystemExit("the signature does not hold")
    return json.loads(plain(payload))


def der(signature):
    def integer(octets):
        octets = octets.lstrip(b"\0") or b"\0"
        octets = b"\0" + octets if octets[0] >= 0x80 else octets
        return bytes([2, len(octets)]) + octets

    body = integer(signature[:32]) + integer(signature[32:])
    return bytes([0x30, len(body)]) + body


def sign(claims):
    key, other = Key.made(), Key.made()
    published = key.published()

    def token(signer=key, form=bytes, **changed):
        header = {"alg": "SGD_SM3_SM2", "typ": "at+jwt", "kid": published["kid"], **changed}
        text = ".".join(coded(json.dumps(part).encode()) for part in (header, claims))
        return f"{text}.{coded(form(signer.signs(text.encode())))}"

    wrong = {
        "another key": token(other),
        "DER": token(form=der),
        "alg ES256": token(alg="ES256"),
        "alg none": token(alg="none"),
        "no kid of the set": token(kid="nobody"),
        "another type": token(typ="JWT"),
    }
    return {"keys": {"keys": [published]}, "token": token(), "wrong": wrong}


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["check", token, keys]:
            token, keys = (pathlib.Path(path).read_text() for path in (token, keys))
            print(json.dumps(check(token.strip(), json.loads(keys))))
        case ["sign", claims]:
            print(json.dumps(sign(json.loads(pathlib.Path(claims).read_text()))))
        case _:
            raise SystemExit(__doc__)
